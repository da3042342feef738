"""Outcome of every form in memory, by the rules of the chain: for comparisons and benchmarks of whole days."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from otaniemi.contracts.rules.order_book import Entry, OrderBook
from otaniemi.contracts.rules.positions import Form
from otaniemi.contracts.rules.sealed_auction import Revealed, award
from otaniemi.platform.agents.forms.deals import Deal
from otaniemi.platform.agents.forms.lots import Bid, Lots
from otaniemi.platform.agents.forms.quotes import Quote
from otaniemi.platform.agents.forms.sealed import sealed_terms
from otaniemi.platform.data.scenario import IntArray

_FOREVER = 2**64 - 1


def matched(form: Form, quotes: Sequence[Quote], lot_wh: IntArray) -> list[Deal]:
    """Deals of quotes that arrive one after the other in a continuous market.

    Parameters
    ----------
    lot_wh : int array, shape (slots,)
        Energy of one unit of their quantities. [Wh]
    """
    book = OrderBook()
    deals = []
    for sequence, quote in enumerate(quotes):
        source = 0 if quote.buy else int(quote.source)
        entry = Entry(sequence, quote.home, quote.buy, quote.price, source, quote.quantity, 0, _FOREVER)
        for match in book.add(entry):
            buy, sell = quotes[match.buy], quotes[match.sell]
            deals.append(Deal(form, buy.home, sell.home, match.price, sell.source, lot_wh * match.quantity))
    return deals


def first_come(offered: Lots, wishes: Iterable[Bid]) -> list[Deal]:
    """Deals of a Dutch auction: who wishes at the highest price takes first."""
    left = offered.lots
    deals = []
    for wish in wishes:
        if lots := min(wish.lots, left):
            left -= lots
            deals.append(
                Deal(Form.DUTCH, wish.home, offered.seller, wish.price, offered.source, offered.wh * lots)
            )
    return deals


def one_slot(slots: int, slot: int) -> IntArray:
    """1 Wh in one slot, shape (slots,)."""
    unit = np.zeros(slots, np.int64)
    unit[slot] = 1
    return unit


def awarded(offered: Lots, bids: Sequence[Bid]) -> list[Deal]:
    """Deals of a sealed auction at one price for all."""
    terms = sealed_terms(offered, account=1, community=1, carrier=0, slot=0, commit_until=0)
    won = award(terms, [Revealed(number, bid.price, bid.lots) for number, bid in enumerate(bids)])
    return [
        Deal(Form.SEALED, bids[number].home, offered.seller, won.price, offered.source, offered.wh * lots)
        for number, lots in won.won.items()
    ]
