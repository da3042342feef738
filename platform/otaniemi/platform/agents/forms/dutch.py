"""A Dutch auction: a home with sun to spare sells its noon at a price that falls until somebody takes it."""

from __future__ import annotations

from collections.abc import Sequence

from otaniemi.contracts.rules.calendar import Source
from otaniemi.platform.agents.forms.lots import Bid, Lots, best_lots, prices_bid, window
from otaniemi.platform.agents.home import HomeAgent

NOON = 11, 15
WATT = 100


def noon(agents: Sequence[HomeAgent], known: int) -> Lots | None:
    """What is sold: the noon of the home that would feed in most of it."""
    day = agents[0].day
    wh = window(day, *NOON, WATT)
    given = {home: -int(agent.residual_wh(known)[wh > 0].sum()) for home, agent in enumerate(agents)}
    home = max(given, key=lambda home: (given[home], -home))
    return best_lots(agents, [home] if given[home] > 0 else [], known, wh, Source.PV)


def wishes(agents: Sequence[HomeAgent], known: int, offered: Lots) -> list[Bid]:
    """At which prices the homes take lots, in the order in which the falling price reaches them.

    Who waits may pay less or come too late: a home takes a lot halfway between its worth and the lowest price.
    """
    found = []
    for home, agent in enumerate(agents):
        if home == offered.seller:
            continue
        for price in prices_bid(agent, known, offered):
            if price < offered.reserve:
                break
            found.append(Bid(home, (price + offered.reserve) // 2, 1))
    return sorted(found, key=lambda bid: (-bid.price, bid.home))
