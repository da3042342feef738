"""``DutchAuction``: lots of energy at a price that moves with time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from otaniemi.contracts.chain.contract import Contract
from otaniemi.contracts.chain.events import Event
from otaniemi.contracts.chain.sender import Call
from otaniemi.contracts.rules.calendar import Rules
from otaniemi.contracts.rules.dutch_auction import DutchTake, DutchTerms
from otaniemi.contracts.rules.lot_books import DutchBook


class DutchAuction(Contract):
    """Lots for whoever takes them first. Auctions count from 1."""

    name = "DutchAuction"

    def create(self, terms: DutchTerms) -> Call:
        """Offer lots and put up what they can lock at most. Owner, or order key without limits."""
        return self._call("dutch", "create", terms.as_struct())

    def take(self, auction: int, account: int, lots: int, limit: int) -> Call:
        """Take lots at the price of now, no worse than ``limit`` [micro-token/kWh]. Owner or order key."""
        return self._call("dutch", "take", auction, account, lots, limit)

    def take_signed(self, order: DutchTake, signature: bytes) -> Call:
        """Take lots for who signed."""
        return self._call("dutch", "takeSigned", order.as_struct(), signature)

    def close(self, auction: int) -> Call:
        """End an auction: anyone after its end, before it who offers."""
        return self._call("dutch", "close", auction)

    def price_at(self, auction: int, time: int) -> int:
        """Price at a time within the auction. [micro-token/kWh]"""
        return int(self._view("priceAt", auction, time))

    def is_taken(self, order: DutchTake) -> bool:
        """Whether a signed take was carried out."""
        return bool(self._view("taken", order.digest(self.domain)))

    def auction_of(self, auction: int) -> tuple[DutchTerms, int, bool]:
        """Terms of an auction, lots that are left, and whether it is over."""
        terms, _, left, closed = self._view("auctionOf", auction)
        return DutchTerms.of_struct(terms), int(left), bool(closed)

    def auction_count(self) -> int:
        """Number of auctions, which is the highest."""
        return int(self._view("auctionCount"))


@dataclass(frozen=True, slots=True)
class DutchCreated(Event):
    """An auction was created; ``put_up`` moved to the pot for all lots. [nano-token]"""

    auction: int
    account: int
    terms: DutchTerms
    put_up: int

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        return cls(**{**fields, "terms": DutchTerms.of_struct(fields["terms"])})


@dataclass(frozen=True, slots=True)
class DutchTaken(Event):
    """An account took lots; ``released`` went back to who offers, for its lock. [micro-token/kWh, nano-token]"""

    auction: int
    account: int
    lots: int
    price: int
    released: int


@dataclass(frozen=True, slots=True)
class DutchClosed(Event):
    """An auction is over; ``released`` went back for the unsold lots. [nano-token]"""

    auction: int
    unsold: int
    released: int


def replay(book: DutchBook, event: Event, rules: Rules, time: int) -> None:
    """Bring ``book`` to what it is after ``event`` of a block of ``time`` [Unix s] under the ``rules`` of its day.

    Other events leave it as it is.

    Raises
    ------
    AuctionError, LedgerError
        The rules say otherwise.
    """
    match event:
        case DutchCreated(auction, _, terms, put_up):
            book.create(auction, terms, rules, put_up)
        case DutchTaken(auction, _, lots, price, released):
            book.take(auction, time, lots, price, released)
        case DutchClosed(auction, unsold, released):
            book.close(auction, unsold, released)
