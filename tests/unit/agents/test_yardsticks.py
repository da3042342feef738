"""Homes alone and all homes as one, against days that can be worked by hand."""

from __future__ import annotations

from otaniemi.platform.agents.trading import LocalVenue, trade_day
from otaniemi.platform.agents.yardsticks import efficiency, homes_as_one, unmatched_nano, yardsticks
from otaniemi.platform.forecast import Perfect


def test_a_roof_beside_a_deficit_gains_the_spread_less_the_fee(make_day, sun_and_shade) -> None:
    day = make_day(sun_and_shade, (300, 400), (1300, 0))
    sticks = yardsticks(day, Perfect(day), "perfect")
    # Home 1: 20 hours of 300 Wh at 0.20, 4 hours of 1000 Wh at 0.05. Home 2: 24 hours of 400 Wh at 0.20.
    assert sticks.alone_nano == (20 * 300 * 200_000 - 4 * 1000 * 50_000, 24 * 400 * 200_000)
    # In 4 hours 400 Wh go next door: 0.20 - 0.05 - 0.02 gained on each.
    assert sum(sticks.alone_nano) - sticks.optimum_nano == 4 * 400 * 130_000
    assert sticks.perfect_nano == sticks.optimum_nano == homes_as_one(day, Perfect(day))


def test_without_storage_the_market_reaches_the_optimum(make_day, sun_and_shade) -> None:
    day = make_day(sun_and_shade, (300, 400), (1300, 0))
    records = [agent.record for agent in trade_day(day, Perfect(day), "perfect", LocalVenue())]
    sticks = yardsticks(day, Perfect(day), "perfect")
    assert sum(record.cost_nano() for record in records) == sticks.optimum_nano
    assert unmatched_nano(day, records) == 0


def test_homes_that_do_not_trade_leave_their_spread_unmatched(make_day, sun_and_shade) -> None:
    day = make_day(sun_and_shade, (300, 400), (1300, 0))

    class Closed(LocalVenue):
        def trade(self, _session, books):
            return [[] for _ in books]

    records = [agent.record for agent in trade_day(day, Perfect(day), "perfect", Closed())]
    assert unmatched_nano(day, records) == 4 * 400 * 130_000


def test_efficiency_is_the_share_of_the_possible_gain() -> None:
    assert efficiency(100, 70, 60) == 0.75
    assert efficiency(100, 100, 100) is None
