"""Standard contracts: the base and the solar hours of a day in lots of 100 W, quoted by every home."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from otaniemi.platform.agents.bargaining import expected_prices, mean_price
from otaniemi.platform.agents.forms.deals import ask_price, bid_price, lots_worth
from otaniemi.platform.agents.forms.lots import window
from otaniemi.platform.agents.forms.quotes import Quote, shaded
from otaniemi.platform.agents.home import HomeAgent

SERIES: Mapping[str, tuple[int, int]] = {"solar hours": (10, 16), "base": (0, 24)}
"""First hour of the day and the one after the last, in the order of trading."""
LOT_WATT = 100
MOST_LOTS = 8


def quotes(agents: Sequence[HomeAgent], known: int, hours: tuple[int, int]) -> list[Quote]:
    """What the homes would trade of a series.

    A home keeps half of its gain against the local prices that it expects: it quotes midway.
    """
    day = agents[0].day
    wh = window(day, *hours, LOT_WATT)
    total = int(wh.sum())
    middle = mean_price(expected_prices(agents), wh)
    found = []
    for home, agent in enumerate(agents):
        worth = [
            bid_price(nano, total) - day.local_fee_micro for nano in lots_worth(agent, known, wh, MOST_LOTS)
        ]
        cost = [ask_price(-nano, total) for nano in lots_worth(agent, known, -wh, MOST_LOTS)]
        found += [Quote(home, True, shaded(price, middle, buy=True), 1) for price in worth if price > middle]
        found += [Quote(home, False, shaded(price, middle, buy=False), 1) for price in cost if price < middle]
    return found
