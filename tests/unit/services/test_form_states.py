"""How auctions and standard contracts stand by what the chain said of them."""

from __future__ import annotations

from otaniemi.contracts.chain.events import Event
from otaniemi.contracts.chain.forms import blocks, dutch, sealed
from otaniemi.contracts.rules.block_series import EVERY_DAY, Series
from otaniemi.contracts.rules.dutch_auction import DutchTerms
from otaniemi.contracts.rules.lots import Lots
from otaniemi.contracts.rules.sealed_auction import Outcome, SealedTerms
from otaniemi.platform.services.auction_states import (
    BidState,
    DutchState,
    SealedState,
    TakeState,
    dutch_state,
    sealed_state,
)
from otaniemi.platform.services.series_states import DealState, SeriesState, deal_state, series_state

LOTS = Lots(4, 1, 0, True, 2, 3, 469_000, (250, 0, 500))
SEALED_TERMS = SealedTerms(LOTS, False, 60_000, 10**9, 1_000, 1_300)
DUTCH_TERMS = DutchTerms(LOTS, 90_000, -10_000, 1_000, 1_600)
SERIES = Series(1, 0, EVERY_DAY, 10, 6, 19_577, 19_583, 100, 2_000, 200, 10_000)

SEALED_EVENTS: list[Event] = [
    sealed.SealedCreated(7, 4, SEALED_TERMS, 2**60 + 1),
    sealed.BidCommitted(7, 0, 5, b"\x05" * 32),
    sealed.BidCommitted(7, 1, 6, b"\x06" * 32),
    sealed.BidRevealed(7, 1, 6, 70_000, 2),
    sealed.SealedFinalised(7, 60_000, 2, 99),
    sealed.BidSettled(7, 0, 5, Outcome.UNREVEALED, 0, 60_000, 0, 0, 5, 5),
]
DUTCH_EVENTS: list[Event] = [
    dutch.DutchCreated(7, 4, DUTCH_TERMS, 30),
    dutch.DutchTaken(7, 5, 1, 80_000, 10),
    dutch.DutchTaken(7, 6, 1, -5_000, 10),
]
BLOCK_EVENTS: list[Event] = [
    blocks.SeriesCreated(2, 1, SERIES),
    blocks.Marked(2, 19_576, -50),
    blocks.BlockTraded(2, 5, 6, 2, 3, 55_000, 1),
    blocks.MarginMoved(2, 5, 700),
    blocks.MarginMoved(2, 6, 900),
    blocks.MarginCalled(2, 6, 40, 5_000),
    blocks.Delivered(2, 19_577),
    blocks.MarginMoved(2, 5, -100),
]


def test_a_sealed_auction_stands_as_its_events_say() -> None:
    unrevealed = BidState(0, 5, b"\x05" * 32, outcome=Outcome.UNREVEALED)
    revealed = BidState(1, 6, b"\x06" * 32, 70_000, 2)
    state = sealed_state(SEALED_EVENTS)
    assert state == SealedState(7, SEALED_TERMS, 2**60 + 1, (unrevealed, revealed), 60_000, 2)
    assert state.unsettled == [1]
    assert sealed_state([]) is None


def test_a_settled_bid_has_its_lots_and_price() -> None:
    settled = sealed.BidSettled(7, 1, 6, Outcome.WON, 2, 60_000, 10, 20, 0, 0)
    state = sealed_state([*SEALED_EVENTS, settled])
    assert state is not None
    bid = state.bid_of(6)
    assert bid is not None
    assert (bid.outcome, bid.won, bid.due) == (Outcome.WON, 2, 60_000)
    assert state.unsettled == []


def test_a_dutch_auction_has_what_nobody_took_until_it_is_closed() -> None:
    state = dutch_state(DUTCH_EVENTS)
    takes = TakeState(5, 1, 80_000), TakeState(6, 1, -5_000)
    assert state == DutchState(7, DUTCH_TERMS, 30, takes)
    assert state.left == 1
    closed = dutch_state([*DUTCH_EVENTS, dutch.DutchClosed(7, 1, 10)])
    assert closed is not None
    assert closed.left == 0


def test_a_series_and_a_deal_of_one_number_are_told_apart() -> None:
    assert series_state(BLOCK_EVENTS) == SeriesState(2, SERIES, -50, 19_576)
    called = frozenset({6})
    assert deal_state(BLOCK_EVENTS) == DealState(2, 2, 5, 6, 3, 55_000, 1, 600, 900, 19_577, called)
    assert deal_state(BLOCK_EVENTS[:2]) is None
    failed = deal_state([*BLOCK_EVENTS, blocks.Defaulted(2, 0, 6, 19_578, 40), blocks.DealClosed(2)])
    assert failed is not None
    assert (failed.failed, failed.over) == ({6}, True)
