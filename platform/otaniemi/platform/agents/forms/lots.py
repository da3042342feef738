"""Lots of energy that homes auction: an evening from storage, a noon from the roof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from otaniemi.contracts.rules.calendar import Source
from otaniemi.contracts.rules.lots import Lots as LotTerms
from otaniemi.platform.agents.bargaining import expected_prices, local_bounds, mean_price
from otaniemi.platform.agents.forms.deals import ask_price, bid_price, lots_worth
from otaniemi.platform.agents.home import HomeAgent
from otaniemi.platform.data.scenario import HOUR, IntArray, TradingDay

MOST_LOTS = 20


@dataclass(frozen=True, eq=False)
class Lots:
    """What one home sells.

    Attributes
    ----------
    seller : int
        Index of the home.
    wh : int array, shape (slots,)
        Energy of one lot, never negative. [Wh]
    lots : int
        Number of equal lots.
    reserve : int
        The seller gives none of them for less. [micro-token/kWh]
    ceiling : int
        Nobody who can buy from a retailer pays more. [micro-token/kWh]
    """

    seller: int
    wh: IntArray
    lots: int
    reserve: int
    ceiling: int
    source: Source

    def terms(self, account: int, community: int, carrier: int, first_slot: int) -> LotTerms:
        """The lots as a contract takes them; ``first_slot`` is that of the day."""
        slots = np.flatnonzero(self.wh)
        first, last = int(slots[0]), int(slots[-1])
        wh = tuple(self.wh[first : last + 1].tolist())
        return LotTerms(
            account, community, carrier, True, int(self.source), self.lots, first_slot + first, wh
        )


@dataclass(frozen=True, slots=True)
class Bid:
    """A home wants up to ``lots`` at ``price`` or less. [micro-token/kWh]"""

    home: int
    price: int
    lots: int


def window(day: TradingDay, first_hour: int, end_hour: int, watt: int) -> IntArray:
    """Constant power from one full hour to another, shape (slots,). [Wh]"""
    hours = np.arange(day.slots) * day.slot_seconds // HOUR
    wh: IntArray = np.where((hours >= first_hour) & (hours < end_hour), watt * day.slot_seconds // HOUR, 0)
    return wh


def best_lots(
    agents: Sequence[HomeAgent], sellers: Sequence[int], known: int, wh: IntArray, source: Source
) -> Lots | None:
    """Lots of the home among ``sellers`` that can give the first one cheapest; None where it pays nobody.

    It sells as many as cost it less than the local prices that it expects.
    """
    total = int(wh.sum())
    ceiling = mean_price(local_bounds(agents[0].day)[1], wh)
    middle = mean_price(expected_prices(agents), wh)
    asks = {
        home: [ask_price(-nano, total) for nano in lots_worth(agents[home], known, -wh, MOST_LOTS)]
        for home in sellers
    }
    seller = min((home for home in asks if asks[home]), key=lambda home: (asks[home][0], home), default=None)
    if seller is None:
        return None
    lots = sum(price <= middle for price in asks[seller])
    if lots == 0:
        return None
    return Lots(seller, wh, lots, asks[seller][lots - 1], ceiling, source)


def prices_bid(agent: HomeAgent, known: int, offered: Lots) -> list[int]:
    """What a home would pay at most for each further lot, the fee taken off, falling. [micro-token/kWh]"""
    total = int(offered.wh.sum())
    worth = lots_worth(agent, known, offered.wh, offered.lots)
    return [bid_price(nano, total) - agent.day.local_fee_micro for nano in worth]
