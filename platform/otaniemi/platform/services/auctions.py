"""The auction service: signed bids and takes to the chain at once, and what must be done when an auction ends.

Nobody has to trust it: whoever signs can send the same in a transaction of their own, and anyone may reveal, finalise,
settle and close.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from otaniemi.contracts.chain.errors import ChainError
from otaniemi.contracts.chain.sender import Call, Key
from otaniemi.contracts.rules.dutch_auction import DutchTake
from otaniemi.contracts.rules.lot_books import DUTCH, SEALED
from otaniemi.contracts.rules.lots import Lots
from otaniemi.contracts.rules.sealed_auction import MAX_BIDS, SealedBid, commit_digest
from otaniemi.platform.services.admission import (
    NotFoundError,
    RefusedError,
    check_binding,
    check_signature,
)
from otaniemi.platform.services.auction_states import (
    BidState,
    DutchState,
    SealedState,
    dutch_state,
    sealed_state,
)
from otaniemi.platform.services.gateway import Gateway
from otaniemi.platform.store.members import Member

_T = TypeVar("_T")

SETTLED_AT_ONCE = 32
"""Bids in one transaction: each winner opens a position, far below 15 M gas."""


class AuctionService:
    """Auctions of lots in one community.

    Parameters
    ----------
    gateway : Gateway
    keeper : Key
        Pays the gas of bids and takes that were signed, and of what ends auctions.
    """

    def __init__(self, gateway: Gateway, keeper: Key) -> None:
        self._gateway, self._keeper = gateway, keeper
        self._sealed, self._dutch = gateway.contracts.sealed_auction, gateway.contracts.dutch_auction

    def sealed(self, auction: int) -> SealedState:
        """One sealed auction.

        Raises
        ------
        NotFoundError
            There is none with this number in the community.
        """
        with self._gateway.store.read() as transaction:
            return self._sealed_of(transaction, auction)

    def dutch(self, auction: int) -> DutchState:
        """One Dutch auction; errors as ``sealed``."""
        with self._gateway.store.read() as transaction:
            return self._dutch_of(transaction, auction)

    def auctions(self, count: int, account: int | None = None) -> list[SealedState | DutchState]:
        """The latest auctions of both kinds, newest first of each.

        Parameters
        ----------
        account : int, optional
            Only those that it offers, bids or takes lots in.
        """
        self._gateway.catch_up()
        with self._gateway.store.read() as transaction:
            if account is not None:
                self._gateway.member(transaction, account)
            kinds = ("SealedCreated",) if account is None else ("SealedCreated", "BidCommitted")
            sealed = self._gateway.subjects_of(transaction, SEALED, kinds, account)
            kinds = ("DutchCreated",) if account is None else ("DutchCreated", "DutchTaken")
            dutch = self._gateway.subjects_of(transaction, DUTCH, kinds, account)
            return [
                *_found(sealed[:count], partial(self._sealed_of, transaction)),
                *_found(dutch[:count], partial(self._dutch_of, transaction)),
            ]

    def commit(
        self, auction: int, account: int, commitment: bytes, valid_to: int, signature: bytes
    ) -> SealedState:
        """Bring a signed commitment to the chain; sent again, the auction comes back as it stands.

        Raises
        ------
        RefusedError
            The chain would refuse it: field, value and what is valid.
        """
        gateway, now = self._gateway, self._gateway.clock.now
        gateway.catch_up()
        with gateway.store.read() as transaction:
            state, member = self._sealed_of(transaction, auction), gateway.member(transaction, account)
            digest = commit_digest(self._sealed.domain, auction, account, commitment, valid_to)
            check_binding(digest, signature, member)
            known = state.bid_of(account)
            if known is not None and known.commitment == commitment:
                return state
            _check_meter(state.terms.lots, member)
            free = gateway.account(transaction, account).free_nano
        _check_commitment(state, known, account, valid_to, free, now)
        call = self._sealed.commit_signed(auction, account, commitment, valid_to, signature)
        gateway.send_one(self._keeper, call)
        return self.sealed(auction)

    def reveal(self, bid: SealedBid) -> SealedState:
        """Open a committed bid on the chain; sent again, the auction comes back as it stands.

        Raises
        ------
        RefusedError
            It is too early or too late, or nothing like it was committed.
        """
        gateway, now = self._gateway, self._gateway.clock.now
        gateway.catch_up()
        state = self.sealed(bid.auction)
        known = state.bid_of(bid.account)
        if known is None:
            raise RefusedError("account", bid.account, "one that committed a bid")
        if bid.commitment(self._sealed.domain) != known.commitment:
            raise RefusedError("salt", "not that of the commitment", "price, lots and salt as committed")
        if known.price is not None:
            return state
        begin, end = state.terms.commit_until, state.terms.reveal_until
        if not begin <= now < end:
            raise RefusedError(
                "auction", bid.auction, f"one that is revealed at {now}; this one {begin} .. {end}"
            )
        gateway.send_one(self._keeper, self._sealed.reveal(bid))
        return self.sealed(bid.auction)

    def take(self, order: DutchTake, signature: bytes) -> DutchState:
        """Take lots for who signed, at the price of now; sent again, the auction comes back as it stands.

        Raises
        ------
        RefusedError
            The chain would refuse it: field, value and what is valid.
        """
        gateway, now = self._gateway, self._gateway.clock.now
        gateway.catch_up()
        with gateway.store.read() as transaction:
            state, member = (
                self._dutch_of(transaction, order.auction),
                gateway.member(transaction, order.account),
            )
            signer = check_signature(order.digest(self._dutch.domain), signature, member)
            if self._dutch.is_taken(order):
                return state
            _check_meter(state.terms.lots, member)
            free = gateway.account(transaction, order.account).free_nano
        price = _price_now(state, now)
        limits = member.limits_for(signer)
        largest = max(state.terms.lots.wh) * order.lots
        if limits is not None and not limits.permit_order(price, largest, now):
            valid = f"one of up to {limits.most_wh} Wh at {limits.price_min} .. {limits.price_max}"
            raise RefusedError("lots", f"{largest} Wh at {price}", f"{valid} with the device key")
        self._check_take(order, state, price, free, now)
        gateway.send_one(self._keeper, self._dutch.take_signed(order, signature))
        return self.dutch(order.auction)

    def tend(self) -> None:
        """Finalise, settle and close what is due; what the chain refuses waits for the next time."""
        now = self._gateway.clock.now
        self._gateway.catch_up()
        for sealed in self._open_sealed():
            if sealed.terms.reveal_until <= now:
                self._end(sealed)
        for dutch in self._open_dutch():
            if dutch.terms.until < now:
                self._try(self._dutch.close(dutch.auction))

    def next_due(self) -> int | None:
        """When ``tend`` has something to do next [Unix s], None if nothing is open."""
        now = self._gateway.clock.now
        ends = [sealed.terms.reveal_until for sealed in self._open_sealed()]
        ends += [dutch.terms.until + 1 for dutch in self._open_dutch()]
        return min((end for end in ends if end > now), default=None)

    def _end(self, state: SealedState) -> None:
        """Find the winners, and bring every bid to its end."""
        if state.price is None and not self._try(self._sealed.finalise(state.auction)):
            return
        waiting = state.unsettled
        for first in range(0, len(waiting), SETTLED_AT_ONCE):
            self._try(self._sealed.settle(state.auction, waiting[first : first + SETTLED_AT_ONCE]))

    def _try(self, call: Call) -> bool:
        with suppress(ChainError):
            self._gateway.send_one(self._keeper, call)
            return True
        return False

    def _open_sealed(self) -> list[SealedState]:
        """Auctions without winners yet, or with bids that have not come to their end."""
        with self._gateway.store.read() as transaction:
            numbers = [
                auction
                for auction, said in self._gateway.counts_of(transaction, SEALED).items()
                if not said["SealedFinalised"] or said["BidCommitted"] > said["BidSettled"]
            ]
            return _found(numbers, partial(self._sealed_of, transaction))

    def _open_dutch(self) -> list[DutchState]:
        with self._gateway.store.read() as transaction:
            counts = self._gateway.counts_of(transaction, DUTCH)
            numbers = [auction for auction, said in counts.items() if not said["DutchClosed"]]
            return _found(numbers, partial(self._dutch_of, transaction))

    def _sealed_of(self, transaction: Connection, auction: int) -> SealedState:
        state = sealed_state(self._gateway.events_of(transaction, SEALED, auction))
        if state is None or state.terms.lots.community != self._gateway.community:
            raise NotFoundError("sealed auction", auction)
        return state

    def _dutch_of(self, transaction: Connection, auction: int) -> DutchState:
        state = dutch_state(self._gateway.events_of(transaction, DUTCH, auction))
        if state is None or state.terms.lots.community != self._gateway.community:
            raise NotFoundError("Dutch auction", auction)
        return state

    def _check_take(self, order: DutchTake, state: DutchState, price: int, free: int, now: int) -> None:
        lots, rules = state.terms.lots, self._gateway.rules
        if order.account == lots.account:
            raise RefusedError("account", order.account, "another than that which offers")
        if order.valid_to < now:
            raise RefusedError("valid_to", order.valid_to, f"{now} or later")
        most = min(lots.most(rules), state.left)
        if not 1 <= order.lots <= most:
            raise RefusedError(
                "lots", order.lots, f"1 .. {most}, what is left" if most else "none; all are taken"
            )
        if price > order.limit if lots.selling else price < order.limit:
            least = "or more" if lots.selling else "or less"
            raise RefusedError("limit", order.limit, f"{price} {least}, the price at {now}")
        need = lots.taker_lock(rules, price, order.lots)
        if need > free:
            raise RefusedError("lots", f"{need} nano-token to lock", f"at most {free}, what is free")


def _found(numbers: Iterable[int], read: Callable[[int], _T]) -> list[_T]:
    """The auctions with these numbers that are of the community."""
    found = []
    for number in numbers:
        with suppress(NotFoundError):
            found.append(read(number))
    return found


def _check_meter(lots: Lots, member: Member) -> None:
    if lots.product not in member.meters:
        raise RefusedError("account", member.account, f"one with an approved meter of product {lots.product}")


def _check_commitment(
    state: SealedState, known: BidState | None, account: int, valid_to: int, free: int, now: int
) -> None:
    terms, auction = state.terms, state.auction
    if account == terms.lots.account:
        raise RefusedError("account", account, "another than that which offers")
    if known is not None:
        raise RefusedError(
            "commitment", "another than before", f"0x{known.commitment.hex()}; an account bids once"
        )
    if now >= terms.commit_until:
        raise RefusedError(
            "auction", auction, f"one that takes bids at {now}; this one did until {terms.commit_until}"
        )
    if len(state.bids) >= MAX_BIDS:
        raise RefusedError("auction", auction, f"one with fewer than {MAX_BIDS} bids")
    if valid_to < now:
        raise RefusedError("valid_to", valid_to, f"{now} or later")
    if terms.deposit > free:
        raise RefusedError(
            "account", f"{account} with {free} nano-token free", f"one with {terms.deposit} to deposit"
        )


def _price_now(state: DutchState, now: int) -> int:
    """The price of a Dutch auction [micro-token/kWh].

    Raises
    ------
    RefusedError
        It is not open.
    """
    begin, until = state.terms.begin, state.terms.until
    if state.closed or not begin <= now <= until:
        valid = f"one that is open at {now}; this one {begin} .. {until}" + (", closed before" * state.closed)
        raise RefusedError("auction", state.auction, valid)
    return state.terms.price_at(now)
