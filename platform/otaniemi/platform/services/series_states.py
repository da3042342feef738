"""How standard contracts and their deals stand, by their events (protocol section 15).

Money is nano-token, prices micro-token/kWh.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from otaniemi.contracts.chain.events import Event
from otaniemi.contracts.chain.forms import blocks
from otaniemi.contracts.rules.block_series import Series


@dataclass(frozen=True, slots=True)
class SeriesState:
    """A series with its mark and the day of the mark's report, None before the first one."""

    series: int
    terms: Series
    mark: int | None = None
    mark_day: int | None = None


@dataclass(frozen=True, slots=True)
class DealState:
    """A deal: what each side has put up, and how far it is delivered.

    Attributes
    ----------
    delivered : int or None
        Last trading day whose positions were opened.
    called : frozenset of int
        Accounts that were called for margin, whether or not they answered.
    failed : frozenset of int
        Accounts that ended it by failing.
    over : bool
        Its margins are returned.
    """

    deal: int
    series: int
    buyer: int
    seller: int
    lots: int
    price: int
    source: int
    buyer_margin: int = 0
    seller_margin: int = 0
    delivered: int | None = None
    called: frozenset[int] = frozenset()
    failed: frozenset[int] = frozenset()
    over: bool = False

    def margin(self, buyer: bool) -> int:
        """What a side has put up."""
        return self.buyer_margin if buyer else self.seller_margin


def series_state(found: Iterable[Event]) -> SeriesState | None:
    """A series by its events in order, those of deals among them; None without any of its own."""
    state: SeriesState | None = None
    for event in found:
        match event:
            case blocks.SeriesCreated(series, _, terms):
                state = SeriesState(series, terms)
            case blocks.Marked(_, day, price) if state is not None:
                state = replace(state, mark=price, mark_day=day)
    return state


def deal_state(found: Iterable[Event]) -> DealState | None:
    """A deal by its events in order, those of series among them; None without any of its own."""
    state: DealState | None = None
    for event in found:
        if isinstance(event, blocks.BlockTraded):
            terms = event.buyer, event.seller, event.lots, event.price, event.source
            state = DealState(event.deal, event.series, *terms)
        elif state is not None:
            state = _after(state, event)
    return state


def _after(state: DealState, event: Event) -> DealState:
    match event:
        case blocks.MarginMoved(_, account, nano) if account == state.buyer:
            return replace(state, buyer_margin=state.buyer_margin + nano)
        case blocks.MarginMoved(_, _, nano):
            return replace(state, seller_margin=state.seller_margin + nano)
        case blocks.MarginCalled(_, account):
            return replace(state, called=state.called | {account})
        case blocks.Delivered(_, day):
            return replace(state, delivered=day)
        case blocks.Defaulted(_, buyer, seller):
            return replace(state, failed=frozenset({buyer, seller} - {0}))
        case blocks.DealClosed():
            return replace(state, over=True)
    return state
