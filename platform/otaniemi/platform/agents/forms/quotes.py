"""What homes quote in a continuous market: a price, and how much at that price or a better one."""

from __future__ import annotations

from dataclasses import dataclass

from otaniemi.contracts.rules.calendar import Source


@dataclass(frozen=True, slots=True)
class Quote:
    """A limit order of a home: ``quantity`` in Wh of a slot, or in lots of a series. [micro-token/kWh]"""

    home: int
    buy: bool
    price: int
    quantity: int
    source: Source = Source.GRID


def shaded(price: int, middle: int, *, buy: bool) -> int:
    """A limit that keeps half of the gain against ``middle``; the price itself where there is none."""
    gains = price > middle if buy else price < middle
    return (price + middle) // 2 if gains else price
