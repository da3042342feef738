"""``BilateralContracts``: contracts between two accounts, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from otaniemi.contracts.chain.contract import Contract
from otaniemi.contracts.chain.events import Event
from otaniemi.contracts.chain.evidence import MeterProof
from otaniemi.contracts.chain.sender import Call
from otaniemi.contracts.rules.bilateral import BilateralBook, BilateralTerms


class BilateralContracts(Contract):
    """Contracts agreed on once, delivered by anyone; ``prices`` are packed reference prices where they count."""

    name = "BilateralContracts"

    def conclude(self, terms: BilateralTerms, seller_signature: bytes, buyer_signature: bytes) -> Call:
        """Put terms in force that both signed; an empty signature stands for a proposal."""
        return self._call("bilateral", "conclude", terms.as_struct(), seller_signature, buyer_signature)

    def propose(self, terms: BilateralTerms, account: int) -> Call:
        """Agree to terms as ``account``. Keys that bind it only."""
        return self._call("bilateral", "propose", terms.as_struct(), account)

    def accept(self, terms: BilateralTerms, account: int) -> Call:
        """Agree to terms that the other party proposed. Keys that bind ``account`` only."""
        return self._call("bilateral", "accept", terms.as_struct(), account)

    def revoke(self, terms: BilateralTerms, account: int) -> Call:
        """Take back what ``account`` signed or proposed. Keys that bind it only."""
        return self._call("bilateral", "revoke", terms.as_struct(), account)

    def deliver(self, terms: BilateralTerms, day: int, prices: bytes = b"") -> Call:
        """Open the positions of a day of a profile."""
        return self._call("bilateral", "deliver", terms.as_struct(), day, prices)

    def deliver_metered(
        self, terms: BilateralTerms, slot: int, meter: MeterProof, prices: bytes = b""
    ) -> Call:
        """Open the position of a slot by the seller's meter."""
        return self._call("bilateral", "deliverMetered", terms.as_struct(), slot, meter.as_argument(), prices)

    def terminate(self, deal: int, account: int) -> Call:
        """End a contract by notice. Keys that bind ``account``, a party, only."""
        return self._call("bilateral", "terminate", deal, account)

    def terminate_early(self, deal: int, account: int) -> Call:
        """End a contract with today at the cost of ``account``. Keys that bind it only."""
        return self._call("bilateral", "terminateEarly", deal, account)

    def claim_default(self, terms: BilateralTerms, day: int, claimant: int, prices: bytes = b"") -> Call:
        """End a contract at the cost of the party that cannot pay for a day. Keys that bind ``claimant`` only."""
        return self._call("bilateral", "claimDefault", terms.as_struct(), day, prices, claimant)

    def claim_metered_default(
        self, terms: BilateralTerms, slot: int, meter: MeterProof, claimant: int, prices: bytes = b""
    ) -> Call:
        """``claim_default`` for a measured slot."""
        arguments = (terms.as_struct(), slot, meter.as_argument(), prices, claimant)
        return self._call("bilateral", "claimMeteredDefault", *arguments)

    def close(self, deal: int) -> Call:
        """Pay both deposits back once nothing can be delivered any more."""
        return self._call("bilateral", "close", deal)

    def deal_of(self, digest: bytes) -> int:
        """Number of the contract of terms with that digest, 0 without one."""
        return int(self._view("dealOf", digest))

    def last_day_of(self, deal: int) -> int:
        """Last trading day of a contract, earlier than agreed after a termination."""
        return int(self._view("dealAt", deal)[4])

    def is_delivered(self, deal: int, day_or_slot: int) -> bool:
        """Whether a day (of a profile) or a slot (of a share) was delivered."""
        return bool(self._view("isDelivered", deal, day_or_slot))


@dataclass(frozen=True, slots=True)
class Proposed(Event):
    """A party agreed to terms, which the other one may accept."""

    hash: bytes
    account: int
    terms: BilateralTerms

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        return cls(**{**fields, "terms": BilateralTerms.of_struct(fields["terms"])})


@dataclass(frozen=True, slots=True)
class Revoked(Event):
    """A party took back what it agreed to; the terms can never be concluded."""

    hash: bytes
    account: int


@dataclass(frozen=True, slots=True)
class Concluded(Event):
    """A contract is in force."""

    deal: int
    seller: int
    buyer: int
    hash: bytes
    terms: BilateralTerms

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        return cls(**{**fields, "terms": BilateralTerms.of_struct(fields["terms"])})


@dataclass(frozen=True, slots=True)
class Delivered(Event):
    """The positions of a day were opened."""

    deal: int
    day: int


@dataclass(frozen=True, slots=True)
class DeliveredMetered(Event):
    """The position of a measured slot was opened. [Wh, micro-token/kWh]"""

    deal: int
    slot: int
    wh: int
    price: int


@dataclass(frozen=True, slots=True)
class Terminated(Event):
    """The contract ends earlier than agreed; ``early`` without notice, when both deposits went to the other party."""

    deal: int
    account: int
    last_day: int
    early: bool


@dataclass(frozen=True, slots=True)
class Defaulted(Event):
    """A party could not pay from ``slot`` on; the contract ended and both deposits went to the other one."""

    deal: int
    account: int
    slot: int
    last_day: int


@dataclass(frozen=True, slots=True)
class Closed(Event):
    """The contract is over and both deposits went back."""

    deal: int


def replay(book: BilateralBook, event: Event) -> None:
    """Bring ``book`` to what it is after ``event``; other events leave it as it is.

    Raises
    ------
    FieldError, LedgerError
        Deposits that the ledger does not hold.
    """
    match event:
        case Concluded(deal, _, _, _, terms):
            book.conclude(deal, terms)
        case Delivered(deal, day):
            book.deliver(deal, day)
        case DeliveredMetered(deal, slot):
            book.deliver(deal, slot)
        case Terminated(deal, account, last_day, early):
            if early:
                book.end(deal, account, last_day)
            else:
                book.give_notice(deal, last_day)
        case Defaulted(deal, account, _, last_day):
            book.end(deal, account, last_day)
        case Closed(deal):
            book.close(deal)
