"""Journey 1: a community trades one or more days on a chain, and the run can be audited."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.progress import Progress

from otaniemi.contracts.chain.export import export_blocks
from otaniemi.contracts.chain.node import Chain, open_chain
from otaniemi.platform.agents.yardsticks import Yardsticks, yardsticks
from otaniemi.platform.audit.audit import audit_run
from otaniemi.platform.audit.leaves import write_bills, write_meters
from otaniemi.platform.clock import SimulatedClock, Timeline
from otaniemi.platform.community import bundled_community, load_community
from otaniemi.platform.community_day import CommunityDay, enter_days
from otaniemi.platform.data.measured import load_measured
from otaniemi.platform.data.scenario import Scenario
from otaniemi.platform.errors import OtaniemiError
from otaniemi.platform.forecast import Kind, forecaster
from otaniemi.platform.report import flow_svg, write_report
from otaniemi.platform.run_directory import RunDirectory
from otaniemi.platform.services.exchange import Exchange, open_exchange
from otaniemi.platform.services.founding import found, founded_at
from otaniemi.platform.store.database import Store
from otaniemi.platform.summary import RunFacts, record_of, summarise
from otaniemi.platform.worker import worker

DEFAULT_HOMES = 12
YEARS = range(1971, 2100)
WALL_PARTS = ("optimize", "chain", "settle")


@dataclass(frozen=True)
class SimulationSettings:
    """What `otaniemi simulate` was asked for; None where the default applies."""

    homes: int | None
    days: int
    slot_seconds: int
    seed: int
    community: Path | None
    homes_data: Path | None
    prices: Path | None
    start: str | None
    forecast: Kind
    chain: str
    out: Path


@dataclass(frozen=True)
class SimulatedRun:
    """A published run."""

    path: Path
    summary: dict[str, Any]


class SettingsError(OtaniemiError):
    """Options do not fit together, or one has no valid value."""


def scenario_of(settings: SimulationSettings) -> Scenario:
    """The truth that the settings ask for: measured homes where they are given, else synthetic ones.

    Raises
    ------
    SettingsError
        Options do not fit together.
    DataError, CommunityError
        The data or the community file cannot be used.
    """
    start = None if settings.start is None else _date(settings.start)
    if settings.homes_data is None:
        for name, value in (("--community", settings.community), ("--prices", settings.prices)):
            if value is not None:
                raise SettingsError(f"{name} is {value}; it goes with --homes-data DIR, the measured homes")
        # Sun and household profiles are slow to import; measured homes do without them.
        from otaniemi.platform.data.synthetic import FIRST_DAY, synthetic_scenario

        homes = DEFAULT_HOMES if settings.homes is None else settings.homes
        return synthetic_scenario(
            homes, settings.days, settings.slot_seconds, settings.seed, start or FIRST_DAY
        )
    if settings.prices is None or start is None:
        raise SettingsError("--homes-data needs --prices FILE and --start YYYY-MM-DD")
    if settings.homes is not None:
        raise SettingsError(
            f"--homes is {settings.homes}; with --homes-data the community file says which homes"
        )
    community = bundled_community() if settings.community is None else load_community(settings.community)
    return load_measured(
        community, settings.homes_data, settings.prices, start, settings.days, settings.slot_seconds
    )


def simulate_run(settings: SimulationSettings, bars: Progress) -> SimulatedRun:
    """Trade the days of ``settings`` on a chain, audit them, and publish the run.

    Raises
    ------
    OtaniemiError
        The input or the output directory cannot be used; nothing is left behind.
    """
    began = time.perf_counter()
    wall = dict.fromkeys(WALL_PARTS, 0.0)

    def timed(part: str, action: Callable[[], None]) -> None:
        start = time.perf_counter()
        action()
        wall[part] += time.perf_counter() - start

    scenario = scenario_of(settings)
    with RunDirectory(settings.out) as directory:
        opening = founded_at(scenario)
        clock = SimulatedClock(opening)
        with (
            closing(Store(directory.partial / "store.db")) as store,
            closing(open_chain(settings.chain, opening - 1)) as chain,
        ):
            with worker() as pool:
                measured = [
                    pool.submit(
                        yardsticks, day, forecaster(day, settings.forecast, settings.seed), settings.forecast
                    )
                    for day in map(scenario.day, range(scenario.days))
                ]
                exchange = _found(chain, scenario, settings.seed, store, clock, bars, timed)
                days = _trade(exchange, scenario, settings, clock, bars, timed)
                sticks = _collect(measured, bars)
            facts = _publish(directory, exchange, scenario, settings, days, sticks, bars)
            summary = summarise(replace(facts, wall_s=_wall(wall, began)))
            record = record_of(facts, summary)
            write_report(record, directory.partial / "report.html")
            (directory.partial / "picture.svg").write_text(flow_svg(record), encoding="utf-8")
            summary["wall_s"] = _wall(wall, began)
            directory.write_json("summary.json", summary)
        return SimulatedRun(directory.publish(), summary)


def _date(text: str) -> dt.date:
    try:
        date = dt.date.fromisoformat(text)
    except ValueError:
        date = dt.date.min
    if date.year not in YEARS:
        raise SettingsError(
            f"--start is {text}; valid is a date from {YEARS[0]} to {YEARS[-1]}, such as 2023-08-07"
        )
    return date


def _found(
    chain: Chain,
    scenario: Scenario,
    seed: int,
    store: Store,
    clock: SimulatedClock,
    bars: Progress,
    timed: Callable[[str, Callable[[], None]], None],
) -> Exchange:
    task = bars.add_task("founding the community", total=1, detail="contracts, accounts, test tokens")
    opened: list[Exchange] = []
    timed(
        "chain",
        lambda: opened.append(open_exchange(found(chain, scenario, seed, store, clock), scenario, seed)),
    )
    bars.update(task, completed=1, detail=f"{len(scenario.homes)} homes on chain {chain.chain_id}")
    return opened[0]


def _trade(
    exchange: Exchange,
    scenario: Scenario,
    settings: SimulationSettings,
    clock: SimulatedClock,
    bars: Progress,
    timed: Callable[[str, Callable[[], None]], None],
) -> list[CommunityDay]:
    timeline = Timeline(clock)
    days = enter_days(exchange, scenario, settings.forecast, settings.seed, timeline, timed)
    task = bars.add_task("trading", total=len(timeline), detail="")
    zone = dt.timezone(dt.timedelta(seconds=scenario.utc_offset_s))
    while len(timeline):
        timeline.step()
        now = dt.datetime.fromtimestamp(clock.now, zone)
        bars.update(task, advance=1, detail=f"{now:%a %d %b %H:%M}")
    return days


def _collect(measured: list[Future[Yardsticks]], bars: Progress) -> list[Yardsticks]:
    task = bars.add_task("yardsticks", total=len(measured), detail="homes alone, homes as one")
    sticks = []
    for future in measured:
        sticks.append(future.result())
        bars.update(task, advance=1)
    return sticks


def _publish(
    directory: RunDirectory,
    exchange: Exchange,
    scenario: Scenario,
    settings: SimulationSettings,
    days: list[CommunityDay],
    sticks: list[Yardsticks],
    bars: Progress,
) -> RunFacts:
    """Write chain, leaves and deployment, and audit them as anybody would."""
    task = bars.add_task("publishing and audit", total=2, detail="chain, leaves")
    chain, place = exchange.gateway.sender.chain, directory.partial
    export_blocks((chain.block(number) for number in range(chain.head().number + 1)), place / "chain")
    product = exchange.gateway.product
    for day in days:
        assert day.outcome.bills is not None
        leaves = {(product, slot): exchange.oracles.leaves[slot] for slot in day.slots}
        write_meters(place / "leaves", day.day, leaves)
        write_bills(place / "leaves", day.day, day.outcome.bills.lines)
    deployment = replace(exchange.founded.deployment, head=chain.head().hash)
    directory.write_json("deployment.json", deployment.to_json())
    bars.update(task, advance=1, detail="rebuilding every bill from the chain")
    report = audit_run(place)
    bars.update(task, advance=1, detail="")
    return RunFacts(
        scenario=scenario,
        deployment=deployment,
        gateway=exchange.gateway,
        days=[day.outcome for day in days],
        yardsticks=sticks,
        audit=report,
        forecast=settings.forecast,
        seed=settings.seed,
        wall_s={},
    )


def _wall(wall: Mapping[str, float], began: float) -> dict[str, float]:
    parts = {part: round(seconds, 3) for part, seconds in wall.items()}
    return parts | {"total": round(time.perf_counter() - began, 3)}
