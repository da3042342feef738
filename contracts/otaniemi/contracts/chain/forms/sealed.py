"""``SealedAuction``: sealed bids for lots of energy, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from otaniemi.contracts.chain.contract import Contract
from otaniemi.contracts.chain.events import Event
from otaniemi.contracts.chain.sender import Call
from otaniemi.contracts.rules.calendar import Rules
from otaniemi.contracts.rules.lot_books import SealedBook
from otaniemi.contracts.rules.sealed_auction import Outcome, SealedBid, SealedTerms


class SealedAuction(Contract):
    """Lots by commit, reveal and settle. Auctions count from 1, bids of an auction from 0."""

    name = "SealedAuction"

    def create(self, terms: SealedTerms) -> Call:
        """Offer lots and put up what they can lock at most. Owner, or order key without limits."""
        return self._call("sealed", "create", terms.as_struct())

    def commit(self, auction: int, account: int, commitment: bytes) -> Call:
        """Bid by ``SealedBid.commitment`` and put up the deposit. Owner, or order key without limits."""
        return self._call("sealed", "commit", auction, account, commitment)

    def commit_signed(
        self, auction: int, account: int, commitment: bytes, valid_to: int, signature: bytes
    ) -> Call:
        """Bid for who signed ``commit_digest``."""
        return self._call("sealed", "commitSigned", auction, account, commitment, valid_to, signature)

    def reveal(self, bid: SealedBid) -> Call:
        """Open a committed bid."""
        return self._call("sealed", "reveal", bid.auction, bid.account, bid.price, bid.lots, bid.salt)

    def finalise(self, auction: int) -> Call:
        """Find winners and price once revealing is over."""
        return self._call("sealed", "finalise", auction)

    def settle(self, auction: int, bids: Sequence[int]) -> Call:
        """Settle bids of a final auction; settled ones stay as they are."""
        return self._call("sealed", "settle", auction, list(bids))

    def auction_of(self, auction: int) -> tuple[SealedTerms, bool, int]:
        """Terms of an auction, whether winners are known, and the price. [micro-token/kWh]"""
        terms, _, is_final, price = self._view("auctionOf", auction)
        return SealedTerms.of_struct(terms), bool(is_final), int(price)

    def won(self, auction: int, bid: int) -> int:
        """Lots that a bid won."""
        _, _, _, _, won, _, _ = self._view("bidOf", auction, bid)
        return int(won)

    def bid_count(self, auction: int) -> int:
        """Number of bids."""
        return int(self._view("bidCount", auction))

    def auction_count(self) -> int:
        """Number of auctions, which is the highest."""
        return int(self._view("auctionCount"))


@dataclass(frozen=True, slots=True)
class SealedCreated(Event):
    """An auction was created; ``put_up`` moved to the pot for all lots. [nano-token]"""

    auction: int
    account: int
    terms: SealedTerms
    put_up: int

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        return cls(**{**fields, "terms": SealedTerms.of_struct(fields["terms"])})


@dataclass(frozen=True, slots=True)
class BidCommitted(Event):
    """A bid was committed and its deposit put up."""

    auction: int
    bid: int
    account: int
    commitment: bytes


@dataclass(frozen=True, slots=True)
class BidRevealed(Event):
    """A bid was revealed. [micro-token/kWh]"""

    auction: int
    bid: int
    account: int
    price: int
    lots: int


@dataclass(frozen=True, slots=True)
class SealedFinalised(Event):
    """Winners are known; ``released`` went back for unsold lots. [micro-token/kWh, nano-token]"""

    auction: int
    price: int
    sold: int
    released: int


@dataclass(frozen=True, slots=True)
class BidSettled(Event):
    """A bid came to its end.

    Attributes
    ----------
    lots, price : int
        What it won, and what a winner pays. [micro-token/kWh]
    returned : int
        Of its deposit, to its account. [nano-token]
    released : int
        Of what was put up for its lots, to the offering account. [nano-token]
    forfeited, reserved : int
        Of its deposit, to the offering account and to the reserve. [nano-token]
    """

    auction: int
    bid: int
    account: int
    outcome: Outcome
    lots: int
    price: int
    returned: int
    released: int
    forfeited: int
    reserved: int

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        return cls(**{**fields, "outcome": Outcome(fields["outcome"])})


def replay(book: SealedBook, event: Event, rules: Rules) -> None:
    """Bring ``book`` to what it is after ``event`` under the ``rules`` of its day; others leave it as it is.

    Raises
    ------
    AuctionError, LedgerError
        The rules say otherwise.
    """
    match event:
        case SealedCreated(auction, _, terms, put_up):
            book.create(auction, terms, rules, put_up)
        case BidCommitted(auction, bid, account):
            book.commit(auction, bid, account)
        case BidRevealed(auction, bid, _, price, lots):
            book.reveal(auction, bid, price, lots)
        case SealedFinalised(auction, price, sold, released):
            book.finalise(auction, price, sold, released)
        case BidSettled(auction, bid, _, outcome, lots, price, returned, released, forfeited, reserved):
            book.settle(auction, bid, outcome, lots, price, returned, released, forfeited, reserved)
