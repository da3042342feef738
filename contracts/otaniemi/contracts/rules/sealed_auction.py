"""Sealed auctions (protocol section 14): commitments, who wins at which price, and what becomes of deposits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple, Self

from otaniemi.contracts.rules.calendar import Rules, slot_start
from otaniemi.contracts.rules.errors import FieldError, within
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.lots import Lots
from otaniemi.contracts.rules.orders import U16, U32, U64
from otaniemi.contracts.rules.signing import Domain, struct_digest, words

SEALED_BID_TYPE = "SealedBid(uint64 auction,uint32 account,int32 price,uint16 lots,bytes32 salt)"
SEALED_COMMIT_TYPE = "SealedCommit(uint64 auction,uint32 account,bytes32 commitment,uint64 validTo)"

_BID, _COMMIT = (keccak(text.encode()) for text in (SEALED_BID_TYPE, SEALED_COMMIT_TYPE))

LEAST_TIME = 300
"""Least time to reveal, and least time to settle before nominations close. [s]"""

MAX_BIDS = 128
"""Largest number of bids of an auction, one per account."""

_LAST_TIME = 2**40 - 1


class Outcome(IntEnum):
    """How a bid ended."""

    LOST = 0
    WON = 1
    UNREVEALED = 2
    UNPAID = 3
    LAPSED = 4


@dataclass(frozen=True, slots=True)
class SealedTerms:
    """Terms of an auction.

    Attributes
    ----------
    pay_as_bid : bool
        Winners pay their own bid, not the price of the first bid that goes without.
    reserve_price : int
        Worst price for the offering account: lowest of a sale, highest of a purchase. [micro-token/kWh]
    deposit : int
        What every bid puts up. [nano-token]
    commit_until, reveal_until : int
        End of committing, and of revealing, which begins with it. [Unix s]
    """

    lots: Lots
    pay_as_bid: bool
    reserve_price: int
    deposit: int
    commit_until: int
    reveal_until: int

    def __post_init__(self) -> None:
        within("reserve_price", self.reserve_price, -(2**31), 2**31 - 1)
        within("deposit", self.deposit, 1, U64)
        within("commit_until", self.commit_until, 0, _LAST_TIME - LEAST_TIME)
        within("reveal_until", self.reveal_until, self.commit_until + LEAST_TIME, _LAST_TIME)

    def check(self, rules: Rules, now: int) -> None:
        """Refuse what the contract would refuse to create at ``now`` [Unix s]; see ``Lots.check``.

        Raises
        ------
        FieldError
            Bids are not taken any more, or winners could not be settled before nominations close.
        """
        self.lots.check(rules, now)
        latest = slot_start(rules, self.lots.slot) - rules.nomination_batch_lead - LEAST_TIME
        within("reveal_until", self.reveal_until, now + LEAST_TIME + 1, latest)
        within("commit_until", self.commit_until, now + 1, self.reveal_until - LEAST_TIME)

    def as_struct(self) -> tuple[Any, ...]:
        """The terms as the contract takes them."""
        times = (self.commit_until, self.reveal_until)
        return (self.lots.as_struct(), self.pay_as_bid, self.reserve_price, self.deposit, *times)

    @classmethod
    def of_struct(cls, struct: Sequence[Any]) -> Self:
        """The terms that the contract gives back or emits."""
        lots, *fields = struct
        return cls(Lots.of_struct(lots), *fields)


@dataclass(frozen=True, slots=True)
class SealedBid:
    """A bid of ``account`` for ``lots`` at ``price`` [micro-token/kWh], hidden by 32 random bytes ``salt``."""

    auction: int
    account: int
    price: int
    lots: int
    salt: bytes

    def __post_init__(self) -> None:
        within("auction", self.auction, 1, U64)
        within("account", self.account, 1, U32)
        within("price", self.price, -(2**31), 2**31 - 1)
        within("lots", self.lots, 1, U16)
        if len(self.salt) != 32:
            raise FieldError("length of the salt", len(self.salt), "32 bytes")

    def check(self, terms: SealedTerms, rules: Rules) -> None:
        """Refuse a bid in an auction of ``terms`` that could not be revealed, so that its deposit is lost, or not win.

        Raises
        ------
        FieldError
            It wants more lots than an account can take, or the price is worse than the reserve price.
        """
        within("lots", self.lots, 1, terms.lots.most(rules))
        reserve = terms.reserve_price
        if self.price < reserve if terms.lots.selling else self.price > reserve:
            better = "or more" if terms.lots.selling else "or less"
            raise FieldError("price", self.price, f"{reserve} {better}, the reserve price")

    def commitment(self, domain: Domain) -> bytes:
        """What is committed; ``domain`` is that of ``SealedAuction``."""
        return struct_digest(
            domain, _BID + words(self.auction, self.account, self.price, self.lots) + self.salt
        )


def commit_digest(domain: Domain, auction: int, account: int, commitment: bytes, valid_to: int) -> bytes:
    """What a bidder signs whose commitment others bring; ``domain`` is that of ``SealedAuction``."""
    return struct_digest(domain, _COMMIT + words(auction, account) + commitment + words(valid_to))


class Revealed(NamedTuple):
    """A revealed bid: its number in the auction, price [micro-token/kWh], lots wanted."""

    bid: int
    price: int
    lots: int


@dataclass(frozen=True, slots=True)
class Award:
    """Lots that bids won, by number of the bid, and the price that goes without a lot [micro-token/kWh]."""

    won: dict[int, int]
    price: int

    @property
    def sold(self) -> int:
        """Lots that were won."""
        return sum(self.won.values())

    def price_of(self, terms: SealedTerms, bid: Revealed) -> int:
        """What a winner pays. [micro-token/kWh]"""
        return bid.price if terms.pay_as_bid else self.price


def award(terms: SealedTerms, revealed: Sequence[Revealed]) -> Award:
    """Who wins: the best prices, equal ones in the order of ``revealed``, each as many lots as are left.

    The price is that of the first bid that does not get all it wants, the reserve price where there is none. Bids worse
    than the reserve price count for nothing.
    """
    sign = -1 if terms.lots.selling else 1
    acceptable = [bid for bid in revealed if sign * bid.price <= sign * terms.reserve_price]
    left, won = terms.lots.count, {}
    for bid in sorted(acceptable, key=lambda bid: sign * bid.price):
        got = min(left, bid.lots)
        if got:
            won[bid.bid] = got
        left -= got
        if got < bid.lots:
            return Award(won, bid.price)
    return Award(won, terms.reserve_price)


def forfeit(deposit: int) -> tuple[int, int]:
    """What of a forfeited deposit goes to the offering account, and to the reserve. [nano-token]"""
    return deposit // 2, deposit - deposit // 2
