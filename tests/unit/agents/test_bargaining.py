"""Rounds of announced prices."""

from __future__ import annotations

import numpy as np

from otaniemi.optimizer.program.choices import Choices
from otaniemi.platform.agents.auction import SlotResult
from otaniemi.platform.agents.bargaining import Call, bargain, local_bounds, start_prices
from otaniemi.platform.agents.home import HomeAgent
from otaniemi.platform.forecast import Perfect


class Told:
    """A market that says what it is told to, and remembers how often it was asked."""

    def __init__(self, prices: list[int]) -> None:
        self.prices = prices
        self.asked = 0

    def __call__(self, _books) -> dict[int, SlotResult]:
        self.asked += 1
        return {1003: SlotResult(self.prices[self.asked - 1], 0)}


def agents(day) -> list[HomeAgent]:
    return [HomeAgent(day, home, Perfect(day), -12, Choices({}, {})) for home in range(len(day.homes))]


def test_the_first_price_lies_halfway_between_feed_in_and_import_less_fee(make_day, sun_and_shade) -> None:
    assert (start_prices(make_day(sun_and_shade, (300, 400), (0, 0))) == 115_000).all()


def test_round_one_is_announced_as_is_then_the_mean_of_old_and_new(make_day, sun_and_shade) -> None:
    day = make_day(sun_and_shade, (300, 400), (0, 0))
    market = Told([90_000, 150_000, 60_000])
    books, announced = bargain(agents(day), Call(4, True, 1.0), -12, start_prices(day), market)
    assert market.asked == 3
    assert announced[3] == ((90_000 + 150_000) // 2 + 60_000) // 2
    assert (np.delete(announced, 3) == 115_000).all()
    assert [step.quantity for step in books[0]] == [300] * 24


def test_announced_prices_stay_between_feed_in_and_import_less_fee(make_day, sun_and_shade) -> None:
    day = make_day(sun_and_shade, (300, 400), (0, 0))
    low, high = local_bounds(day)
    for said, announced in ((-4_000_000, low[3]), (4_000_000, high[3])):
        _, prices = bargain(agents(day), Call(2, True, 1.0), -12, start_prices(day), Told([said]))
        assert prices[3] == announced
