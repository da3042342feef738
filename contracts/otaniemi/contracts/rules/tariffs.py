"""Tariff reports (protocol section 6): retail, imbalance and reference prices of a trading day, signed by reporters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from otaniemi.contracts.rules.calendar import Rules
from otaniemi.contracts.rules.errors import FieldError, within
from otaniemi.contracts.rules.keccak import keccak


class Feed(IntEnum):
    """What a tariff report is about: the first and second price of each slot."""

    RETAIL = 0  # import, feed-in
    IMBALANCE = 1  # short, long
    REFERENCE = 2  # spot, forward


BILLED_FEEDS = (Feed.RETAIL, Feed.IMBALANCE)
"""The feeds that the bills of a day need."""


@dataclass(frozen=True, slots=True)
class TariffReport:
    """Two prices per slot of trading day ``day`` [micro-token/kWh], in slot order.

    ``round`` numbers what reporters sign of one feed and day: a reporter signs one value a round.
    """

    community: int
    feed: int
    day: int
    prices: tuple[tuple[int, int], ...]
    round: int = 0

    def __post_init__(self) -> None:
        within("feed", self.feed, Feed.RETAIL, Feed.REFERENCE)
        within("round", self.round, 0, 255)
        for pair in self.prices:
            for price in pair:
                within("price", price, -(2**31), 2**31 - 1)

    def packed_prices(self) -> bytes:
        """``prices`` as bytes, two ``int32`` a slot; the field that is signed and emitted."""
        return b"".join([price.to_bytes(4, "big", signed=True) for pair in self.prices for price in pair])

    def hash(self) -> bytes:
        """What the oracle stores of the report."""
        return keccak(self.packed_prices())

    def check(self, rules: Rules) -> None:
        """Refuse what the oracle would refuse.

        Raises
        ------
        FieldError
            The number of slots is not a day's, a price is beyond ± the short cap, or feed-in exceeds import.
        """
        within("number of slots", len(self.prices), rules.slots_per_day, rules.slots_per_day)
        for index, (first, second) in enumerate(self.prices):
            within(f"price of slot {index}", first, -rules.short_cap, rules.short_cap)
            within(f"price of slot {index}", second, -rules.short_cap, rules.short_cap)
            if self.feed == Feed.RETAIL and second > first:
                raise FieldError(
                    f"feed-in price of slot {index}", second, f"at most the import price {first}"
                )


def unpack_prices(packed: bytes) -> tuple[tuple[int, int], ...]:
    """The prices that ``TariffReport.packed_prices`` packed.

    Raises
    ------
    FieldError
        The length is no multiple of 8 bytes.
    """
    if len(packed) % 8:
        raise FieldError("length of prices", len(packed), "a multiple of 8 bytes")
    values = [int.from_bytes(packed[at : at + 4], "big", signed=True) for at in range(0, len(packed), 4)]
    return tuple(zip(values[::2], values[1::2], strict=True))


class SlotTariff(NamedTuple):
    """Prices of one slot [micro-token/kWh]; ``short`` and ``long`` as billed, bounded by retail prices."""

    import_price: int
    feed_in: int
    short: int
    long: int


def slot_tariffs(retail: Sequence[tuple[int, int]], imbalance: Sequence[tuple[int, int]]) -> list[SlotTariff]:
    """The prices that a day's bills use, per slot; the bounds make misnominating never pay.

    Raises
    ------
    FieldError
        The feeds have different numbers of slots.
    """
    if len(retail) != len(imbalance):
        raise FieldError(
            "slots of the imbalance feed", len(imbalance), f"the {len(retail)} of the retail feed"
        )
    return [
        SlotTariff(buy, feed_in, max(short, buy, feed_in), min(long, feed_in, buy))
        for (buy, feed_in), (short, long) in zip(retail, imbalance, strict=True)
    ]
