"""Energy sold or bought in equal lots (protocol section 14), the object of sealed and Dutch auctions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from otaniemi.contracts.rules.calendar import Rules, Source, day_at, day_of_slot, slots_of_day
from otaniemi.contracts.rules.errors import FieldError, within
from otaniemi.contracts.rules.orders import U8, U16, U32, lock

HORIZON_DAYS = 8
"""Lots are offered at most so many trading days ahead."""


@dataclass(frozen=True, slots=True)
class Lots:
    """``count`` equal lots that ``account`` sells, or buys where not ``selling``.

    Attributes
    ----------
    source : int
        Source of the energy, as in orders.
    slot : int
        First slot; the others follow in the same trading day.
    wh : tuple of int
        Energy of one lot in each slot, 0 allowed. [Wh]
    """

    account: int
    community: int
    product: int
    selling: bool
    source: int
    count: int
    slot: int
    wh: tuple[int, ...]

    def __post_init__(self) -> None:
        within("account", self.account, 1, U32)
        within("community", self.community, 1, U32)
        within("product", self.product, 0, U8)
        within("source", self.source, 0, max(Source))
        within("count", self.count, 1, U16)
        within("slot", self.slot, 0, U32)
        for number, energy in enumerate(self.wh):
            within(f"wh of slot {self.slot + number}", energy, 0, U32)
        if not any(self.wh):
            raise FieldError("wh", self.wh, "energy in at least one slot")

    @property
    def total_wh(self) -> int:
        """Energy of one lot. [Wh]"""
        return sum(self.wh)

    def most(self, rules: Rules) -> int:
        """Lots that one account can take within its connection limit, at most all; 0 if a single one is too large."""
        return min(self.count, rules.connection_limit_wh // max(self.wh))

    def per_lot(self, rules: Rules, worst: int) -> int:
        """What the offering account puts up for a lot at its worst price [micro-token/kWh]. [nano-token]"""
        return lock(rules, not self.selling, worst, self.total_wh)

    def taker_lock(self, rules: Rules, price: int, lots: int) -> int:
        """What an account locks that takes ``lots`` at ``price`` [micro-token/kWh]. [nano-token]"""
        return lock(rules, self.selling, price, self.total_wh * lots)

    def check(self, rules: Rules, now: int) -> None:
        """Refuse what the contracts would refuse to offer at ``now`` [Unix s], by the rules of the lots' day.

        Raises
        ------
        FieldError
            The product is not traded, a slot is too large, or the slots are of several days or too far ahead.
        """
        if not rules.products >> self.product & 1:
            raise FieldError("product", self.product, "one that the community trades")
        day, latest = day_of_slot(rules, self.slot), day_at(rules, now) + HORIZON_DAYS
        within("slot", self.slot, now // rules.slot_seconds + 1, slots_of_day(rules, latest)[-1])
        last = slots_of_day(rules, day)[-1]
        within("number of slots", len(self.wh), 1, last - self.slot + 1)
        within("wh", max(self.wh), 1, rules.connection_limit_wh)

    def as_struct(self) -> tuple[Any, ...]:
        """The lots as the contracts take them."""
        fields = (self.account, self.community, self.product, self.selling, self.source)
        return (*fields, self.count, self.slot, list(self.wh))

    @classmethod
    def of_struct(cls, struct: Sequence[Any]) -> Self:
        """The lots that the contracts give back or emit."""
        account, community, product, selling, source, count, slot, wh = struct
        return cls(account, community, product, selling, source, count, slot, tuple(wh))
