"""A served community in which nobody lives but who registers: hourly slots, two trading days."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from otaniemi.contracts.chain.node import open_chain
from otaniemi.contracts.rules.calendar import day_of_slot, slots_of_day
from otaniemi.platform.api import create_app
from otaniemi.platform.client import MarketClient
from otaniemi.platform.clock import SimulatedClock, Timeline
from otaniemi.platform.community_day import enter_days
from otaniemi.platform.data.synthetic import synthetic_scenario
from otaniemi.platform.keys import derive_key
from otaniemi.platform.marketplace import LiveMarketPlace
from otaniemi.platform.services.exchange import Exchange, open_exchange
from otaniemi.platform.services.founding import employ_retailer, found, founded_at
from otaniemi.platform.store import Store

SEED = 7
RETAILER = derive_key(99, "shop", 0)


class Served:
    """The community, its client, and the time, which the test moves."""

    def __init__(
        self, exchange: Exchange, timeline: Timeline, place: LiveMarketPlace, http: TestClient
    ) -> None:
        self.exchange, self.place, self._timeline = exchange, place, timeline
        self.http, self.client = http, MarketClient("", http)
        self.rules = exchange.gateway.rules
        self.day = day_of_slot(self.rules, exchange.first_slot)
        """The first trading day."""

    @property
    def now(self) -> int:
        return self._timeline.clock.now

    def slots(self, day: int) -> range:
        return slots_of_day(self.rules, day)

    def live_until(self, moment: int) -> None:
        """Take all actions up to a moment, and make it the present."""
        while (due := self._timeline.next_moment()) is not None and due <= moment:
            self.place.step()
        self._timeline.clock.move_to(moment)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    full = synthetic_scenario(1, 2, 3600, SEED)
    scenario = replace(full, homes=(), load_wh=full.load_wh[:0], pv_wh=full.pv_wh[:0])
    clock = SimulatedClock(founded_at(scenario))
    store = Store(Path(tmp_path_factory.mktemp("served")) / "store.db")
    chain = open_chain("embedded", clock.now - 1)
    exchange = open_exchange(found(chain, scenario, SEED, store, clock), scenario, SEED)
    employ_retailer(exchange.founded, RETAILER.address)
    timeline = Timeline(clock)
    enter_days(exchange, scenario, "perfect", SEED, timeline, lambda _, action: action())
    place = LiveMarketPlace(exchange, timeline)
    with TestClient(create_app(place), raise_server_exceptions=False) as http:
        yield Served(exchange, timeline, place, http)
    chain.close()
    store.close()
