"""Contracts between two accounts (protocol section 12): signed terms, and what they deliver when and at which price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from otaniemi.contracts.rules import calendar
from otaniemi.contracts.rules.calendar import Rules
from otaniemi.contracts.rules.errors import FieldError, within
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.ledger import Ledger
from otaniemi.contracts.rules.orders import U8, U16, U32, U64
from otaniemi.contracts.rules.signing import Domain, struct_digest, words

TERMS_TYPE = (
    "BilateralTerms(uint32 community,uint8 product,uint32 seller,uint32 buyer,uint8 source,uint32 fromDay,"
    "uint32 toDay,bool spot,int32 price,uint16 sharePermille,bytes profile,uint16 noticeDays,uint64 fee,"
    "uint64 validTo,uint64 salt)"
)
WHOLE = 1_000
"""Permille of a whole surplus."""
LEAD = 2 * calendar.DAY_SECONDS
"""How long before a day it may be delivered [s]."""
GRACE = 3_600
"""In the end of the time of a delivery, how long who cannot pay for it is in default [s]."""
BILATERAL = "BilateralContracts"
"""Whose pot the ledger names."""

_TERMS = keccak(TERMS_TYPE.encode())
_LAST_SOURCE = 4


class Run(NamedTuple):
    """Energy of consecutive slots from ``slot`` [Wh] at one price [micro-token/kWh]: a position."""

    slot: int
    price: int
    wh: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BilateralTerms:
    """What a seller and a buyer agree on.

    Attributes
    ----------
    from_day, to_day : int
        First and last trading day.
    spot : bool
        True if ``price`` is added to the reference price of the slot.
    price : int
        Of the energy, or what is added. [micro-token/kWh]
    share_permille : int
        Part of the seller's metered surplus that is sold, 0 for a profile.
    profile : tuple of int
        Energy of each slot of a day, empty for a share. [Wh]
    notice_days : int
        By notice the contract ends so many days later.
    fee : int
        Deposited by both, lost to the other by who ends without notice or cannot deliver. [nano-token]
    valid_to : int
        Last time at which it may be concluded. [Unix s]
    salt : int
        Tells apart contracts that are equal otherwise.
    """

    community: int
    product: int
    seller: int
    buyer: int
    source: int
    from_day: int
    to_day: int
    spot: bool
    price: int
    share_permille: int
    profile: tuple[int, ...]
    notice_days: int
    fee: int
    valid_to: int
    salt: int

    def __post_init__(self) -> None:
        within("community", self.community, 1, U32)
        within("product", self.product, 0, U8)
        within("seller", self.seller, 1, U32)
        within("buyer", self.buyer, 1, U32)
        if self.buyer == self.seller:
            raise FieldError("buyer", self.buyer, "another account than the seller")
        within("source", self.source, 0, _LAST_SOURCE)
        within("from_day", self.from_day, 0, U32)
        within("to_day", self.to_day, self.from_day, U32)
        within("price", self.price, -(2**31), 2**31 - 1)
        within("share_permille", self.share_permille, 0, WHOLE)
        if bool(self.profile) == bool(self.share_permille):
            raise FieldError("profile", self.profile, "energies, or none beside a share")
        for wh in self.profile:
            within("wh of the profile", wh, 0, U32)
        if self.profile and not any(self.profile):
            raise FieldError("profile", self.profile, "energy in at least one slot")
        within("notice_days", self.notice_days, 0, U16)
        within("fee", self.fee, 0, U64)
        within("valid_to", self.valid_to, 0, U64)
        within("salt", self.salt, 0, U64)

    @classmethod
    def of_struct(cls, struct: Sequence[Any]) -> BilateralTerms:
        """The terms of the struct that ``as_struct`` gives."""
        values, packed = list(struct), bytes(struct[10])
        values[10] = tuple(int.from_bytes(packed[at : at + 4], "big") for at in range(0, len(packed), 4))
        return cls(*values)

    def as_struct(self) -> tuple[Any, ...]:
        """The terms as the contract takes them."""
        return (
            self.community, self.product, self.seller, self.buyer, self.source, self.from_day, self.to_day,
            self.spot, self.price, self.share_permille, self.packed_profile(), self.notice_days, self.fee,
            self.valid_to, self.salt,
        )  # fmt: skip

    def packed_profile(self) -> bytes:
        """``profile`` as bytes, 4 a slot; the field that is signed."""
        return b"".join([wh.to_bytes(4, "big") for wh in self.profile])

    def digest(self, domain: Domain) -> bytes:
        """What both sign, which also names the terms; ``domain`` is that of ``BilateralContracts``."""
        head = words(
            self.community, self.product, self.seller, self.buyer, self.source, self.from_day, self.to_day,
            self.spot, self.price, self.share_permille,
        )  # fmt: skip
        tail = words(self.notice_days, self.fee, self.valid_to, self.salt)
        return struct_digest(domain, _TERMS + head + keccak(self.packed_profile()) + tail)

    def check(self, rules: Rules) -> None:
        """Refuse what would not be concluded under the ``rules`` of the first day.

        Raises
        ------
        FieldError
            The product is not traded, or price, length or energy of the profile are beyond what orders may have.
        """
        if self.product > 7 or not rules.products >> self.product & 1:
            raise FieldError("product", self.product, "a product of the community")
        low, high = (-rules.short_cap, rules.short_cap) if self.spot else (rules.price_min, rules.price_max)
        within("price", self.price, low, high)
        if self.profile:
            within("slots of the profile", len(self.profile), rules.slots_per_day, rules.slots_per_day)
            within("wh of the profile", max(self.profile), 0, rules.connection_limit_wh)

    def price_at(self, rules: Rules, spot: int | None) -> int:
        """Price of a slot whose reference price is ``spot``. [micro-token/kWh]

        Raises
        ------
        FieldError
            The price follows a reference that is missing.
        """
        if not self.spot:
            return self.price
        if spot is None:
            raise FieldError("reference price", None, "a reported one, which the price follows")
        return max(rules.price_min, min(self.price + spot, rules.price_max))

    def deliver(
        self,
        rules: Rules,
        day: int,
        prices: Sequence[tuple[int, int]] | None = None,
        curtailed: frozenset[int] = frozenset(),
    ) -> list[Run]:
        """The positions that a day of the profile opens, in order.

        Parameters
        ----------
        prices : sequence of (int, int), optional
            Reported (spot, forward) of each slot of the day. [micro-token/kWh]
        curtailed : frozenset of int
            Slots that take no more trades.
        """
        first, runs = calendar.first_slot(rules, day), list[Run]()
        for offset, wh in enumerate(self.profile):
            slot = first + offset
            if not wh or slot in curtailed:
                continue
            price = self.price_at(rules, prices[offset][0] if prices else None)
            if runs and runs[-1].price == price:
                last = runs.pop()
                gap = (0,) * (slot - last.slot - len(last.wh))
                runs.append(last._replace(wh=(*last.wh, *gap, wh)))
            else:
                runs.append(Run(slot, price, (wh,)))
        return runs

    def share(self, rules: Rules, import_wh: int, export_wh: int) -> int:
        """Energy that a measured slot of the seller delivers. [Wh]"""
        shared = max(export_wh - import_wh, 0) * self.share_permille // WHOLE
        return min(shared, rules.connection_limit_wh)


def day_window(rules: Rules, terms: BilateralTerms, day: int) -> tuple[int, int]:
    """From when and until when a day of a profile can be delivered [Unix s].

    In the last ``GRACE`` seconds of it who cannot pay is in default.
    """
    start = calendar.day_start(rules, day)
    settled = calendar.tariff_deadline(rules, day) + rules.challenge_window if terms.spot else 0
    return max(start - LEAD, settled), start


def slot_window(rules: Rules, slot: int) -> tuple[int, int]:
    """From when and until when a slot of a share can be delivered [Unix s]; see ``day_window``."""
    until = calendar.bills_due(rules, calendar.day_of_slot(rules, slot))
    return calendar.meter_deadline(rules, slot) + rules.challenge_window, until


@dataclass(slots=True)
class Deal:
    """A contract that was concluded; ``delivered`` are days of a profile, slots of a share."""

    terms: BilateralTerms
    last_day: int
    deposits_held: bool = True
    delivered: set[int] = field(default_factory=set)

    def due(self, day: int) -> bool:
        """Whether the contract delivers on ``day`` and, of a profile, has not done so."""
        return self.terms.from_day <= day <= self.last_day and day not in self.delivered


@dataclass(slots=True)
class BilateralBook:
    """All contracts of a community by number, from their events in order; deposits move in the ledger."""

    ledger: Ledger
    deals: dict[int, Deal] = field(default_factory=dict)

    def conclude(self, number: int, terms: BilateralTerms) -> None:
        """``Concluded``: both deposit the fee.

        Raises
        ------
        FieldError
            One of them has less.
        """
        self.deals[number] = Deal(terms, terms.to_day)
        for account in (terms.seller, terms.buyer):
            taken = self.ledger.debit(BILATERAL, account, terms.fee)
            within(f"deposit of account {account}", taken, terms.fee, terms.fee)

    def deliver(self, number: int, day_or_slot: int) -> None:
        """``Delivered`` or ``DeliveredMetered``."""
        self.deals[number].delivered.add(day_or_slot)

    def give_notice(self, number: int, last_day: int) -> None:
        """``Terminated`` by notice."""
        self.deals[number].last_day = last_day

    def end(self, number: int, account: int, last_day: int) -> None:
        """``Terminated`` early, or ``Defaulted``: both deposits go to the other party than ``account``."""
        deal = self.deals[number]
        deal.last_day, deal.deposits_held = last_day, False
        other = deal.terms.buyer if account == deal.terms.seller else deal.terms.seller
        self.ledger.credit(BILATERAL, other, 2 * deal.terms.fee)

    def close(self, number: int) -> None:
        """``Closed``: both deposits return."""
        deal = self.deals[number]
        deal.deposits_held = False
        for account in (deal.terms.seller, deal.terms.buyer):
            self.ledger.credit(BILATERAL, account, deal.terms.fee)
