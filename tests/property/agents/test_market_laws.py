"""What holds for any community of a day with perfect forecasts."""

from __future__ import annotations

import numpy as np
import pytest

from otaniemi.contracts.rules.orders import Step
from otaniemi.platform.agents.bargaining import Books
from otaniemi.platform.agents.trading import LocalVenue, trade_day
from otaniemi.platform.agents.yardsticks import homes_as_one, yardsticks
from otaniemi.platform.data.synthetic import synthetic_scenario
from otaniemi.platform.forecast import forecaster

SEEDS = (1, 2, 3)


class Watched(LocalVenue):
    """Keeps the binding books."""

    def __init__(self) -> None:
        self.books: list[Books] = []

    def trade(self, session, books):
        self.books.append(books)
        return super().trade(session, books)


@pytest.mark.parametrize("seed", SEEDS)
def test_optimum_market_alone_in_this_order_and_nobody_loses_more_than_five_cents(seed: int) -> None:
    day = synthetic_scenario(6, 1, 3600, seed).day(0)
    perfect = forecaster(day, "perfect", seed)
    sticks = yardsticks(day, perfect, "perfect")
    costs = [agent.record.cost_nano() for agent in trade_day(day, perfect, "perfect", LocalVenue())]
    assert sticks.optimum_nano <= sum(costs) <= sum(sticks.alone_nano)
    assert max(cost - alone for cost, alone in zip(costs, sticks.alone_nano, strict=True)) <= 50_000_000
    assert sticks.gap_nano >= 0


@pytest.mark.parametrize("kind", ["perfect", "realistic"])
def test_what_is_bought_is_sold_and_every_meter_is_explained(kind) -> None:
    day = synthetic_scenario(6, 1, 3600, 4).day(0)
    agents = trade_day(day, forecaster(day, kind, 4), kind, LocalVenue())
    trades = np.array([agent.record.trade_wh for agent in agents])
    assert (trades.sum(axis=0) == 0).all()
    assert np.abs(trades).sum() > 0
    assert sum(int(agent.record.trade_nano.sum()) for agent in agents) == 0
    if kind == "perfect":
        assert all(agent.record.imbalance_wh() == 0 for agent in agents)


def test_no_source_is_offered_beyond_what_its_device_could_give() -> None:
    day = synthetic_scenario(12, 1, 3600, 5).day(0)
    venue = Watched()
    trade_day(day, forecaster(day, "perfect", 5), "perfect", venue)
    for books in venue.books:
        for home, steps in enumerate(books):
            devices = day.homes[home]
            for slot in {step.slot for step in steps}:
                index = slot - day.first_slot
                assert _offered(steps, slot, 1) <= day.pv_wh[home, index]
                assert _offered(steps, slot, 2) <= (devices.battery.power_kw * 1000 if devices.battery else 0)
                assert _offered(steps, slot, 3) <= (devices.ev.power_kw * 1000 if devices.ev else 0)


def test_a_perfect_forecast_needs_no_replanning_as_one() -> None:
    day = synthetic_scenario(6, 1, 3600, 6).day(0)
    perfect = forecaster(day, "perfect", 6)
    sticks = yardsticks(day, perfect, "perfect")
    # Whole Wh cost a little: at most one Wh per device and slot, and one per trade.
    assert 0 <= homes_as_one(day, perfect) - sticks.optimum_nano <= sticks.gap_nano + 6 * 3 * 24 * 300_000


def _offered(steps: list[Step], slot: int, source: int) -> int:
    return sum(
        step.quantity for step in steps if step.slot == slot and step.source == source and not step.buy
    )
