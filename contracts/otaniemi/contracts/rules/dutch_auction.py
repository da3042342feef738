"""Dutch auctions (protocol section 14): the price at a time, and signed takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from otaniemi.contracts.rules.calendar import Rules, slot_start
from otaniemi.contracts.rules.errors import FieldError, within
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.lots import Lots
from otaniemi.contracts.rules.orders import U16, U32, U64
from otaniemi.contracts.rules.signing import Domain, struct_digest, words

DUTCH_TAKE_TYPE = (
    "DutchTake(uint64 auction,uint32 account,uint16 lots,int32 limit,uint32 nonce,uint64 validTo)"
)

_TAKE = keccak(DUTCH_TAKE_TYPE.encode())
_LAST_TIME = 2**40 - 1
_LOW, _HIGH = -(2**31), 2**31 - 1


@dataclass(frozen=True, slots=True)
class DutchTerms:
    """Terms of an auction whose price moves linearly from bad to good for those who take lots.

    Attributes
    ----------
    start_price, end_price : int
        At ``begin`` and at ``until``: falling in a sale, rising in a purchase. [micro-token/kWh]
    begin, until : int
        When lots can first and last be taken. [Unix s]
    """

    lots: Lots
    start_price: int
    end_price: int
    begin: int
    until: int

    def __post_init__(self) -> None:
        within("start_price", self.start_price, _LOW, _HIGH)
        if self.lots.selling:
            within("end_price", self.end_price, _LOW, self.start_price)
        else:
            within("end_price", self.end_price, self.start_price, _HIGH)
        within("begin", self.begin, 0, _LAST_TIME - 1)
        within("until", self.until, self.begin + 1, _LAST_TIME)

    def price_at(self, time: int) -> int:
        """Price at ``time`` [Unix s], rounded toward the first one. [micro-token/kWh]

        Raises
        ------
        FieldError
            ``time`` is not within the auction.
        """
        if not self.begin <= time <= self.until:
            raise FieldError("time", time, f"{self.begin} .. {self.until}")
        moved = abs(self.end_price - self.start_price) * (time - self.begin) // (self.until - self.begin)
        return self.start_price - moved if self.lots.selling else self.start_price + moved

    def check(self, rules: Rules, now: int) -> None:
        """Refuse what the contract would refuse to create at ``now`` [Unix s]; see ``Lots.check``.

        Raises
        ------
        FieldError
            It begins before now, or does not end before nominations close.
        """
        self.lots.check(rules, now)
        latest = slot_start(rules, self.lots.slot) - rules.nomination_direct_lead - 1
        within("until", self.until, now + 1, latest)
        within("begin", self.begin, now, self.until - 1)

    def as_struct(self) -> tuple[Any, ...]:
        """The terms as the contract takes them."""
        return (self.lots.as_struct(), self.start_price, self.end_price, self.begin, self.until)

    @classmethod
    def of_struct(cls, struct: Sequence[Any]) -> Self:
        """The terms that the contract gives back or emits."""
        lots, *fields = struct
        return cls(Lots.of_struct(lots), *fields)


@dataclass(frozen=True, slots=True)
class DutchTake:
    """An order to take ``lots`` at no worse a price than ``limit`` [micro-token/kWh], until ``valid_to`` [Unix s].

    Takes that differ in nothing but the ``nonce`` are carried out once each.
    """

    auction: int
    account: int
    lots: int
    limit: int
    nonce: int
    valid_to: int

    def __post_init__(self) -> None:
        within("auction", self.auction, 1, U64)
        within("account", self.account, 1, U32)
        within("lots", self.lots, 1, U16)
        within("limit", self.limit, _LOW, _HIGH)
        within("nonce", self.nonce, 0, U32)
        within("valid_to", self.valid_to, 0, U64)

    def as_struct(self) -> tuple[int, ...]:
        """The take as the contract takes it."""
        return (self.auction, self.account, self.lots, self.limit, self.nonce, self.valid_to)

    def digest(self, domain: Domain) -> bytes:
        """What is signed; ``domain`` is that of ``DutchAuction``."""
        return struct_digest(domain, _TAKE + words(*self.as_struct()))
