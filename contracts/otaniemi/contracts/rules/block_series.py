"""Block series (protocol section 15): the calendar of a standard contract, its mark and the margins of a deal.

A series delivers the same energy in the same slots of every day of its mask. Until a day is delivered, each side's
margin stands for what its leaving would cost the other. Money is nano-token, energy Wh, prices micro-token per kWh.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from otaniemi.contracts.rules.calendar import Rules, first_slot, slot_start
from otaniemi.contracts.rules.errors import FieldError, within
from otaniemi.contracts.rules.orders import U8, U16, U32

DELIVERY_LEAD = 24 * 3_600
"""Before a day's nominations close so long its positions can be opened [s]."""

DUE_LEAD = 6 * 3_600
"""Before a day's nominations close so long both sides must be able to lock what it needs [s]."""

TOP_UP_TIME = 24 * 3_600
"""Time to answer a margin call [s]."""

MAX_DAYS = 366
WORKDAYS, WEEKEND, EVERY_DAY = 0b0011111, 0b1100000, 0b1111111

_U40 = 2**40 - 1
_FIRST_WEEKDAY = 3  # trading day 0, 1970-01-01, was a Thursday
_RANGES = (
    ("community", 1, U32),
    ("product", 0, U8),
    ("weekdays", 1, EVERY_DAY),
    ("slot_of_day", 0, U16),
    ("slots", 1, U16),
    ("first_day", 0, U32),
    ("last_day", 0, U32),
    ("lot_wh", 1, U32),
    ("last_trading", 0, _U40),
    ("margin_permille", 0, 1_000),
    ("margin_floor", 1, U32),
)


@dataclass(frozen=True, slots=True)
class Series:
    """A standard contract, whose terms never change.

    Attributes
    ----------
    weekdays : int
        Bit 0 for Monday to bit 6 for Sunday: the days of delivery.
    slot_of_day, slots : int
        First slot of a day's delivery, 0 for the one at local midnight, and their number.
    first_day, last_day : int
        First and last trading day of delivery, both on the mask.
    lot_wh : int
        Energy of a lot in each slot. [Wh]
    last_trading : int
        From then on it is not traded. [Unix s]
    margin_permille : int
        Margin of both sides, in permille of the mark's size.
    margin_floor : int
        Least margin of both sides. [micro-token/kWh]
    """

    community: int
    product: int
    weekdays: int
    slot_of_day: int
    slots: int
    first_day: int
    last_day: int
    lot_wh: int
    last_trading: int
    margin_permille: int
    margin_floor: int

    def __post_init__(self) -> None:
        for field, low, high in _RANGES:
            within(field, getattr(self, field), low, high)
        within("last_day", self.last_day, self.first_day, self.first_day + MAX_DAYS - 1)
        for field, day in (("first_day", self.first_day), ("last_day", self.last_day)):
            if not self.delivers(day):
                raise FieldError(field, day, "a day of the mask of weekdays")

    def delivers(self, day: int) -> bool:
        """Whether trading day ``day`` is one of delivery."""
        masked = self.weekdays >> (day + _FIRST_WEEKDAY) % 7 & 1
        return self.first_day <= day <= self.last_day and masked == 1

    def delivery_days(self, start: int = 0) -> Iterator[int]:
        """Days of delivery from trading day ``start`` on, ascending."""
        return filter(self.delivers, range(max(start, self.first_day), self.last_day + 1))

    def deliveries(self, start: int = 0) -> int:
        """Number of days of delivery from trading day ``start`` on, that day included."""
        start = max(start, self.first_day)
        days = self.last_day - start + 1
        if days <= 0:
            return 0
        masked = (i for i in range(7) if self.weekdays >> (start + i + _FIRST_WEEKDAY) % 7 & 1)
        return sum((days + 6 - i) // 7 for i in masked)

    def slots_on(self, rules: Rules, day: int) -> range:
        """Slots of the delivery of trading day ``day``."""
        first = first_slot(rules, day) + self.slot_of_day
        return range(first, first + self.slots)

    def energy(self, lots: int, days: int) -> int:
        """Energy of ``lots`` over so many days of delivery. [Wh]"""
        return lots * self.lot_wh * self.slots * days


class Window(NamedTuple):
    """When a day can be delivered, until before ``ends``; from ``due`` on a side that cannot, fails. [Unix s]"""

    opens: int
    due: int
    ends: int


class Margins(NamedTuple):
    """What secures a deal by the present mark. [nano-token]

    ``move`` stands against a move of the price, of either side; ``buyer`` and ``seller`` are what each side's leaving
    would cost the other.
    """

    move: int
    buyer: int
    seller: int

    def initial(self, buyer: bool) -> int:
        """What a side puts up when it trades, and is brought to by a margin call."""
        return self.move + (self.buyer if buyer else self.seller)

    def maintenance(self, buyer: bool) -> int:
        """Below this a side's margin is called."""
        return self.move // 2 + (self.buyer if buyer else self.seller)


def check(series: Series, rules: Rules, now: int) -> None:
    """Refuse what ``create`` would refuse at ``now`` [Unix s]; ``rules`` are those of the first day.

    Raises
    ------
    FieldError
        The product is not electricity or not traded, the slots leave the day, a lot exceeds the connection limit, or
        the last trading time is over or after the first day is due.
    """
    within("product", series.product, 0, 0)
    within("products", rules.products & 1, 1, 1)
    within("slots", series.slots, 1, rules.slots_per_day - series.slot_of_day)
    within("lot_wh", series.lot_wh, 1, rules.connection_limit_wh)
    due = delivery_window(series, rules, series.first_day).due
    within("last_trading", series.last_trading, now + 1, due)


def delivery_window(series: Series, rules: Rules, day: int) -> Window:
    """When trading day ``day`` can be delivered, by the rules of that day."""
    ends = slot_start(rules, series.slots_on(rules, day).start) - rules.nomination_direct_lead
    return Window(ends - DELIVERY_LEAD, ends - DUE_LEAD, ends)


def next_delivery(series: Series, rules: Rules, start: int, now: int) -> int:
    """First day from ``start`` on that can still be delivered at ``now`` [Unix s], after the last one if none can."""
    for day in series.delivery_days(start):
        if now < delivery_window(series, rules, day).ends:
            return day
    return series.last_day + 1


def mark_of(series: Series, prices: Sequence[tuple[int, int]]) -> int:
    """Mark of a series by a day's reference report ``(spot, forward)``: mean forward of its slots, rounded down.

    Raises
    ------
    FieldError
        The report has fewer slots than the series names.
    """
    end = series.slot_of_day + series.slots
    within("slots of the report", len(prices), end, U16)
    return sum(forward for _, forward in prices[series.slot_of_day : end]) // series.slots


def margins(series: Series, price: int, mark: int, wh: int) -> Margins:
    """What secures a deal at ``price`` of which ``wh`` are left to deliver."""
    rate = max(abs(mark) * series.margin_permille // 1_000, series.margin_floor)
    return Margins(wh * rate, wh * max(price - mark, 0), wh * max(mark - price, 0))


def kept(margin: int, days_left: int, days_before: int) -> int:
    """What stays of a margin when a day is delivered; the rest returns to its side."""
    return margin * days_left // days_before


def compensation(secured: Margins, margin: int, buyer: bool) -> int:
    """What the margin of a side that fails alone gives the other one."""
    return min(secured.buyer if buyer else secured.seller, margin)
