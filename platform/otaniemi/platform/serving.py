"""Journey 2, the server's side: a community on a chain, lived in real or faster time, behind the API."""

from __future__ import annotations

import datetime as dt
import errno
import socket
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import uvicorn
from rich.progress import Progress

from otaniemi.contracts.chain.node import open_chain
from otaniemi.platform.api import create_app
from otaniemi.platform.clock import PacedClock, Timeline
from otaniemi.platform.community_day import enter_days
from otaniemi.platform.data.scenario import Scenario
from otaniemi.platform.data.synthetic import UTC_OFFSET_S, synthetic_scenario
from otaniemi.platform.errors import OtaniemiError
from otaniemi.platform.forms.block import offer_series
from otaniemi.platform.marketplace import LiveMarketPlace
from otaniemi.platform.services.exchange import open_exchange
from otaniemi.platform.services.founding import employ_retailer, found, founded_at
from otaniemi.platform.store.database import Store

DEMO_HOUR = 6
"""The demo joins its first trading day at this hour."""
SLOT_SECONDS = 900


@dataclass(frozen=True)
class ServerSettings:
    """What `otaniemi serve` was asked for; without ``demo`` nobody lives there but who registers.

    ``retailer`` is the address of a key that may publish packages, beside the retailer's own.
    """

    demo: bool
    homes: int
    days: int
    seed: int
    speed: float
    chain: str
    host: str
    port: int
    retailer: str | None = None


def serve(settings: ServerSettings, bars: Progress, ready: Callable[[str], None]) -> None:
    """Run the community and its API until interrupted.

    Parameters
    ----------
    ready : callable
        Called with the API's address once it can be used.

    Raises
    ------
    OtaniemiError
        The port is taken.
    ChainError
        The node cannot be used.
    """
    door = _listen(settings.host, settings.port)
    scenario, start = _scenario(settings)
    with tempfile.TemporaryDirectory(prefix="otaniemi-") as directory, door:
        clock = PacedClock(founded_at(scenario), start, settings.speed)
        store = Store(Path(directory) / "store.db")
        chain = open_chain(settings.chain, clock.now - 1)
        try:
            task = bars.add_task(
                "founding the community", total=None, detail="contracts, accounts, test tokens"
            )
            exchange = open_exchange(
                found(chain, scenario, settings.seed, store, clock), scenario, settings.seed
            )
            timeline = Timeline(clock)
            if settings.retailer is not None:
                employ_retailer(exchange.founded, settings.retailer)
            offer_series(exchange, scenario, timeline)
            enter_days(exchange, scenario, "realistic", settings.seed, timeline, lambda _, action: action())
            bars.update(task, total=1, completed=1, detail=f"{settings.homes} homes")
            past = bars.add_task("living up to now", total=start - clock.now, detail="")
            while (moment := timeline.next_moment()) is not None and moment < start:
                timeline.step()
                bars.update(past, completed=clock.now - founded_at(scenario))
            clock.move_to(start)
            bars.update(past, completed=start - founded_at(scenario))
            _run(
                LiveMarketPlace(exchange, timeline),
                clock,
                door,
                lambda: ready(f"http://{settings.host}:{settings.port}"),
            )
        finally:
            chain.close()
            store.close()


def _run(place: LiveMarketPlace, clock: PacedClock, door: socket.socket, ready: Callable[[], None]) -> None:
    """Serve until interrupted; the community lives in a thread, whose failure ends the server."""
    server = uvicorn.Server(uvicorn.Config(create_app(place), log_level="warning"))
    failures: list[BaseException] = []

    def live() -> None:
        try:
            place.live()
        except BaseException as error:
            failures.append(error)
            server.should_exit = True

    thread = threading.Thread(target=live, name="community", daemon=True)
    thread.start()
    ready()
    try:
        server.run(sockets=[door])
    finally:
        clock.stop()
        thread.join()
    if failures:
        raise failures[0]


def _listen(host: str, port: int) -> socket.socket:
    door = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((host, port))
    except OSError as error:
        door.close()
        why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be opened ({error.strerror})"
        raise OtaniemiError(f"--port {port}: {why} on {host}; choose another with --port") from error
    return door


def _scenario(settings: ServerSettings) -> tuple[Scenario, int]:
    """The truth of the served days, and when the server's time starts."""
    if settings.demo:
        scenario = synthetic_scenario(settings.homes, settings.days, SLOT_SECONDS, settings.seed)
        return scenario, scenario.first_slot * SLOT_SECONDS + DEMO_HOUR * 3600
    zone = dt.timezone(dt.timedelta(seconds=UTC_OFFSET_S))
    now = dt.datetime.now(zone)
    day = now.date() + dt.timedelta(days=1)
    scenario = synthetic_scenario(1, settings.days, SLOT_SECONDS, settings.seed, day)
    if founded_at(scenario) < now.timestamp():
        scenario = synthetic_scenario(
            1, settings.days, SLOT_SECONDS, settings.seed, day + dt.timedelta(days=1)
        )
    empty = replace(scenario, homes=(), load_wh=scenario.load_wh[:0], pv_wh=scenario.pv_wh[:0])
    return empty, founded_at(empty)
