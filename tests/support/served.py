"""A community behind its API, lived by the test: people trade over HTTP while its services keep the day."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from fastapi.testclient import TestClient

from otaniemi.contracts.chain.export import export_blocks
from otaniemi.contracts.chain.node import open_chain
from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.calendar import day_of_slot, tariff_deadline
from otaniemi.contracts.rules.positions import Form
from otaniemi.platform.api import create_app
from otaniemi.platform.audit.audit import audit_run
from otaniemi.platform.audit.leaves import write_bills, write_meters
from otaniemi.platform.client import MarketClient
from otaniemi.platform.clock import SimulatedClock, Timeline
from otaniemi.platform.community_day import CommunityDay, enter_days
from otaniemi.platform.data.synthetic import synthetic_scenario
from otaniemi.platform.keys import derive_key
from otaniemi.platform.marketplace import LiveMarketPlace
from otaniemi.platform.services.exchange import Exchange, open_exchange
from otaniemi.platform.services.founding import found, founded_at
from otaniemi.platform.store import Store

SEED = 7


@dataclass
class Served:
    """A community in which nobody lives but who registers; the test moves the time."""

    exchange: Exchange
    place: LiveMarketPlace
    timeline: Timeline
    client: MarketClient
    days: list[CommunityDay]

    @property
    def now(self) -> int:
        return int(self.client.community().now.timestamp())

    @property
    def number(self) -> int:
        """The first trading day."""
        return day_of_slot(self.client.rules, self.exchange.first_slot)

    def live_until(self, moment: int) -> None:
        """Let everything happen that is due."""
        while (due := self.timeline.next_moment()) is not None and due <= moment:
            self.place.step()
        self.timeline.clock.move_to(moment)

    def join(self, number: int, name: str, device: str | None = None) -> tuple[Key, int]:
        """The owner's key and the account of a new member."""
        key = derive_key(99, "owner", number)
        return key, self.client.register(key, name, device).account

    def free(self, account: int) -> int:
        return self.client.account(account).free_nano

    def traded(self, account: int, day: int) -> dict[int, int]:
        """Trade of an account by slot. [Wh]"""
        return {one.slot: one.trade_wh for one in self.client.positions(account, day) if one.trade_wh}

    def findings(self, folder: Path) -> list[object]:
        """What `otaniemi audit` finds in the record of everything up to now."""
        chain = self.exchange.gateway.sender.chain
        for part in ("chain", "leaves"):
            (folder / part).mkdir(parents=True)
        export_blocks(chain.blocks(0, chain.head().number), folder / "chain")
        for day in self.days:
            if day.outcome.bills is not None:
                write_meters(folder / "leaves", day.day, self.exchange.settlement.leaves(day.day))
                write_bills(folder / "leaves", day.day, day.outcome.bills.lines)
        deployment = replace(self.exchange.founded.deployment, head=chain.head().hash)
        (folder / "deployment.json").write_text(json.dumps(deployment.to_json()))
        return list(audit_run(folder).findings)


@contextmanager
def served(folder: Path, days: int) -> Iterator[Served]:
    """A community of hourly slots, 50 minutes before the first gate of its first day."""
    lived = synthetic_scenario(1, days, 3600, SEED)
    scenario = replace(lived, homes=(), load_wh=lived.load_wh[:0], pv_wh=lived.pv_wh[:0])
    clock = SimulatedClock(founded_at(scenario))
    with (
        closing(Store(folder / "store.db")) as store,
        closing(open_chain("embedded", clock.now - 1)) as chain,
    ):
        exchange = open_exchange(found(chain, scenario, SEED, store, clock), scenario, SEED)
        timeline = Timeline(clock)
        entered = enter_days(
            exchange, scenario, "perfect", SEED, timeline, lambda _, action: action(), frozenset({Form.CALL})
        )
        place = LiveMarketPlace(exchange, timeline)
        with TestClient(create_app(place), raise_server_exceptions=False) as http:
            running = Served(exchange, place, timeline, MarketClient("", http), entered)
            running.live_until(tariff_deadline(running.client.rules, running.number) - 3_000)
            yield running
