"""No home offers more of a source than its plan has, nor more than the source could give."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import pytest

from otaniemi.contracts.rules.calendar import Source
from otaniemi.contracts.rules.orders import Step
from otaniemi.platform.agents.home import HomeAgent
from otaniemi.platform.agents.trading import LocalVenue, trade_day
from otaniemi.platform.data.scenario import HOUR, IntArray, TradingDay
from otaniemi.platform.data.synthetic import synthetic_scenario
from otaniemi.platform.forecast import Kind, forecaster

WH_PER_KWH = 1000


def sold(steps: Sequence[Step]) -> dict[int, dict[Source, int]]:
    """Offered Wh by slot and source."""
    found: defaultdict[int, defaultdict[Source, int]] = defaultdict(lambda: defaultdict(int))
    for step in steps:
        if not step.buy:
            found[step.slot][Source(step.source)] += step.quantity
    return {slot: dict(sources) for slot, sources in found.items()}


def could_give(agent: HomeAgent, slot: int) -> dict[Source, float]:
    """What each source of a home can give in a slot at most; from the grid, what it has bought there. [Wh]"""
    day = agent.day
    owned, hour = day.homes[agent.home], slot * day.slot_hours
    here = owned.ev is not None and any(
        stay.arrival_h <= hour < stay.departure_h for stay in owned.ev.sessions
    )
    v2h = owned.ev.power_kw if owned.ev is not None and here and owned.ev.v2h == "sell" else 0.0
    battery = owned.battery.power_kw if owned.battery is not None else 0.0
    return {
        Source.GRID: max(float(agent.record.trade_wh[slot]), 0.0),
        Source.PV: float(agent._pv_wh[slot]),
        Source.BATTERY: battery * day.slot_hours * WH_PER_KWH,
        Source.V2H: v2h * day.slot_hours * WH_PER_KWH,
    }


class Watch:
    """Holds every book of a day against plans and devices."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.offered: defaultdict[Source, int] = defaultdict(int)
        day_ahead, last_call = HomeAgent.day_ahead, HomeAgent.last_call

        def watched_day_ahead(
            agent: HomeAgent, known: int, announced: IntArray, averaging: bool, share: float
        ) -> list[Step]:
            steps = day_ahead(agent, known, announced, averaging, share)
            self.hold(agent, steps)
            plan = agent._average
            assert plan is not None
            order = (Source.PV, Source.BATTERY, Source.V2H, Source.GRID)
            for slot, sources in sold(steps).items():
                place = slot - agent.day.first_slot
                untraded = float(plan[0, place]) * WH_PER_KWH - int(agent.record.trade_wh[place])
                assert sum(sources.values()) <= -untraded * share + 1e-6
                for row, source in enumerate(order, start=1):
                    assert sources.get(source, 0) <= float(plan[row, place]) * WH_PER_KWH * share + 1e-6
            return steps

        def watched_last_call(agent: HomeAgent, slot: int, known: int) -> list[Step]:
            steps = last_call(agent, slot, known)
            self.hold(agent, steps)
            return steps

        monkeypatch.setattr(HomeAgent, "day_ahead", watched_day_ahead)
        monkeypatch.setattr(HomeAgent, "last_call", watched_last_call)

    def hold(self, agent: HomeAgent, steps: Sequence[Step]) -> None:
        for slot, sources in sold(steps).items():
            most = could_give(agent, slot - agent.day.first_slot)
            for source, wh in sources.items():
                assert wh <= most[source] + 1e-6, (agent.home, slot, source)
                self.offered[source] += wh


@pytest.fixture
def day() -> TradingDay:
    return synthetic_scenario(12, 1, HOUR, 7).day(0)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    return Watch(monkeypatch)


@pytest.mark.parametrize("kind", ["perfect", "realistic"])
def test_no_offer_exceeds_the_plan_of_its_source(day: TradingDay, watch: Watch, kind: Kind) -> None:
    agents = trade_day(day, forecaster(day, kind, 7), kind, LocalVenue())
    assert all(watch.offered[source] > 0 for source in (Source.PV, Source.BATTERY, Source.V2H))
    assert sum(int(agent.record.trade_wh.sum()) for agent in agents) == 0
