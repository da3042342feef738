"""How auctions of lots stand, by their events (protocol section 14). Money is nano-token, prices micro-token/kWh."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from otaniemi.contracts.chain.events import Event
from otaniemi.contracts.chain.forms import dutch, sealed
from otaniemi.contracts.rules.dutch_auction import DutchTerms
from otaniemi.contracts.rules.sealed_auction import Outcome, SealedTerms


@dataclass(frozen=True, slots=True)
class BidState:
    """A sealed bid: ``price`` and ``lots`` once it is revealed, the rest once it is settled.

    ``due`` is the price that a winner pays, ``won`` the lots that it got.
    """

    number: int
    account: int
    commitment: bytes
    price: int | None = None
    lots: int | None = None
    outcome: Outcome | None = None
    won: int = 0
    due: int | None = None


@dataclass(frozen=True, slots=True)
class SealedState:
    """A sealed auction; ``price`` and ``sold`` once winners are known."""

    auction: int
    terms: SealedTerms
    put_up: int
    bids: tuple[BidState, ...] = ()
    price: int | None = None
    sold: int = 0

    @property
    def unsettled(self) -> list[int]:
        """Numbers of the bids that have not come to their end."""
        return [bid.number for bid in self.bids if bid.outcome is None]

    def bid_of(self, account: int) -> BidState | None:
        """The bid of an account, None without one."""
        return next((bid for bid in self.bids if bid.account == account), None)


@dataclass(frozen=True, slots=True)
class TakeState:
    """Lots that an account took at ``price``."""

    account: int
    lots: int
    price: int


@dataclass(frozen=True, slots=True)
class DutchState:
    """A Dutch auction with what was taken."""

    auction: int
    terms: DutchTerms
    put_up: int
    takes: tuple[TakeState, ...] = ()
    closed: bool = False

    @property
    def left(self) -> int:
        """Lots that nobody has taken; none once it is closed."""
        return 0 if self.closed else self.terms.lots.count - sum(take.lots for take in self.takes)


def sealed_state(found: Iterable[Event]) -> SealedState | None:
    """A sealed auction by all its events in order; None without any."""
    state: SealedState | None = None
    for event in found:
        if isinstance(event, sealed.SealedCreated):
            state = SealedState(event.auction, event.terms, event.put_up)
        elif state is not None:
            state = _after(state, event)
    return state


def dutch_state(found: Iterable[Event]) -> DutchState | None:
    """A Dutch auction by all its events in order; None without any."""
    state: DutchState | None = None
    for event in found:
        match event:
            case dutch.DutchCreated(auction, _, terms, put_up):
                state = DutchState(auction, terms, put_up)
            case dutch.DutchTaken(_, account, lots, price) if state is not None:
                state = replace(state, takes=(*state.takes, TakeState(account, lots, price)))
            case dutch.DutchClosed() if state is not None:
                state = replace(state, closed=True)
    return state


def _after(state: SealedState, event: Event) -> SealedState:
    match event:
        case sealed.BidCommitted(_, number, account, commitment):
            return replace(state, bids=(*state.bids, BidState(number, account, commitment)))
        case sealed.BidRevealed(_, number, _, price, lots):
            return _with(state, replace(state.bids[number], price=price, lots=lots))
        case sealed.SealedFinalised(_, price, sold):
            return replace(state, price=price, sold=sold)
        case sealed.BidSettled(_, number, _, outcome, lots, price):
            bid = replace(state.bids[number], outcome=outcome, won=lots)
            return _with(state, replace(bid, due=price if lots else None))
    return state


def _with(state: SealedState, bid: BidState) -> SealedState:
    return replace(state, bids=(*state.bids[: bid.number], bid, *state.bids[bid.number + 1 :]))
