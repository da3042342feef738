"""A sealed auction: who has a battery or a car that may give sells an evening, the others bid unseen.

All pay the highest bid that gets nothing, so that to bid what the energy is worth is best.
"""

from __future__ import annotations

from collections.abc import Sequence

from otaniemi.contracts.rules.calendar import Source
from otaniemi.contracts.rules.sealed_auction import LEAST_TIME, SealedTerms
from otaniemi.platform.agents.forms.lots import Bid, Lots, best_lots, prices_bid, window
from otaniemi.platform.agents.home import HomeAgent

EVENING = 17, 21
"""First hour and the one after the last."""
WATT = 250
"""Power of a lot."""
DEPOSIT = 1_000_000_000
"""Of every bid. [nano-token]"""


def evening(agents: Sequence[HomeAgent], known: int) -> Lots | None:
    """What is auctioned: the evening of the home whose storage gives it cheapest."""
    day = agents[0].day
    source = {
        home: Source.V2H if owned.ev is not None and owned.ev.v2h == "sell" else Source.BATTERY
        for home, owned in enumerate(day.homes)
        if owned.battery is not None or (owned.ev is not None and owned.ev.v2h == "sell")
    }
    found = best_lots(agents, list(source), known, window(day, *EVENING, WATT), Source.BATTERY)
    if found is None:
        return None
    return Lots(found.seller, found.wh, found.lots, found.reserve, found.ceiling, source[found.seller])


def sealed_terms(
    offered: Lots, account: int, community: int, carrier: int, slot: int, commit_until: int
) -> SealedTerms:
    """Terms of the auction; bids are revealed for the least time after ``commit_until`` [Unix s]."""
    return SealedTerms(
        offered.terms(account, community, carrier, slot),
        pay_as_bid=False,
        reserve_price=offered.reserve,
        deposit=DEPOSIT,
        commit_until=commit_until,
        reveal_until=commit_until + LEAST_TIME,
    )


def bids(agents: Sequence[HomeAgent], known: int, offered: Lots) -> list[Bid]:
    """One bid of every home that wants lots at the reserve price: as many, at the price of the last."""
    found = []
    for home, agent in enumerate(agents):
        if home == offered.seller:
            continue
        prices = [price for price in prices_bid(agent, known, offered) if price >= offered.reserve]
        if prices:
            found.append(Bid(home, prices[-1], len(prices)))
    return found
