"""``BlockSeries``: standard contracts over a calendar mask, secured by margins. Money is nano-token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any, NamedTuple, Self

from otaniemi.contracts.chain.contract import Contract
from otaniemi.contracts.chain.events import Event
from otaniemi.contracts.chain.sender import Call
from otaniemi.contracts.rules.block_deals import BlockBook
from otaniemi.contracts.rules.block_series import Series
from otaniemi.contracts.rules.calendar import Rules
from otaniemi.contracts.rules.tariffs import TariffReport


class BlockDeal(NamedTuple):
    """A deal and what secures it.

    ``next_day`` is the first trading day that was not delivered, after the last one of the series once the deal is
    over; a deadline is that of a margin call, 0 without one. [micro-token/kWh, nano-token, Unix s]
    """

    series: int
    buyer: int
    seller: int
    lots: int
    price: int
    source: int
    next_day: int
    buyer_margin: int
    seller_margin: int
    buyer_deadline: int
    seller_deadline: int


class BlockSeries(Contract):
    """Series, deals and their margins; ``ContinuousMarket`` records the deals."""

    name = "BlockSeries"

    def create(self, series: Series) -> Call:
        """Create a series; numbers start at 1. ADMIN only."""
        return self._call("deploy", "create", astuple(series))

    def remark(self, series: int, report: TariffReport) -> Call:
        """Mark a series by a day's reference report."""
        return self._call("margin", "remark", series, report.day, report.packed_prices())

    def deliver(self, deal: int, day: int) -> Call:
        """Open a day's positions; after the due time it ends the deal where a side cannot."""
        return self._call("deliver", "deliver", deal, day)

    def call_margin(self, deal: int, buyer: bool) -> Call:
        """Bring a side's margin to what the mark asks for, call for it, or end the deal."""
        return self._call("margin", "callMargin", deal, buyer)

    def close(self, deal: int) -> Call:
        """Return the margins of a deal none of whose days can be delivered any more."""
        return self._call("margin", "close", deal)

    def series_of(self, series: int) -> Series | None:
        """Terms of a series, None where there is none."""
        terms = self._view("seriesOf", series)
        return Series(*terms) if terms[0] else None

    def mark_of(self, series: int) -> tuple[int, int] | None:
        """Mark of a series [micro-token/kWh] and the day of its report, None without one."""
        price, day = self._view("markOf", series)
        return (int(price), int(day)) if day else None

    def deal_of(self, deal: int) -> BlockDeal | None:
        """A deal, None where there is none."""
        terms = BlockDeal(*self._view("dealOf", deal))
        return terms if terms.series else None

    def series_count(self) -> int:
        """Number of series, which is the highest."""
        return int(self._view("seriesCount"))

    def deal_count(self) -> int:
        """Number of deals, which is the highest."""
        return int(self._view("dealCount"))


@dataclass(frozen=True, slots=True)
class SeriesCreated(Event):
    """A series can be traded."""

    series: int
    community: int
    terms: Series

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        return cls(**{**fields, "terms": Series(*fields["terms"])})


@dataclass(frozen=True, slots=True)
class Marked(Event):
    """The series has another mark, by the reference report of ``day``. [micro-token/kWh]"""

    series: int
    day: int
    price: int


@dataclass(frozen=True, slots=True)
class BlockTraded(Event):
    """Two accounts bound each other for all days of a series. [micro-token/kWh]"""

    deal: int
    buyer: int
    seller: int
    series: int
    lots: int
    price: int
    source: int


@dataclass(frozen=True, slots=True)
class MarginMoved(Event):
    """Margin moved from the account's free balance into the pot, or back where negative. [nano-token]

    The event before it says why, unless it is a margin call.
    """

    deal: int
    account: int
    nano: int


@dataclass(frozen=True, slots=True)
class MarginCalled(Event):
    """The account is to have ``missing`` free before ``deadline``, or the deal ends. [nano-token, Unix s]"""

    deal: int
    account: int
    missing: int
    deadline: int


@dataclass(frozen=True, slots=True)
class Delivered(Event):
    """The positions of a day were opened."""

    deal: int
    day: int


@dataclass(frozen=True, slots=True)
class Defaulted(Event):
    """The deal ended before its last day; accounts that failed, 0 for none, and what the other got. [nano-token]"""

    deal: int
    failing_buyer: int
    failing_seller: int
    day: int
    compensation: int


@dataclass(frozen=True, slots=True)
class DealClosed(Event):
    """The deal is over and its margins are returned."""

    deal: int


def replay(book: BlockBook, event: Event, rules: Rules, time: int) -> None:
    """Bring ``book`` to what it is after ``event`` of a block of ``time`` [Unix s] under the ``rules`` of its day.

    Other events leave it as it is.

    Raises
    ------
    BlockError, LedgerError
        The rules say otherwise.
    """
    match event:
        case SeriesCreated(series, _, terms):
            book.create(series, terms)
        case Marked(series, day, price):
            book.mark(series, day, price)
        case BlockTraded(deal, buyer, seller, series, lots, price, _):
            book.trade(deal, series, buyer, seller, lots, price)
        case MarginMoved(deal, account, nano):
            book.move(deal, account, nano, rules, time)
        case Delivered(deal, day):
            book.deliver(deal, day, rules, time)
        case Defaulted(deal, buyer, seller, day, paid):
            book.default(deal, (buyer, seller), day, paid, rules, time)
        case DealClosed(deal):
            book.close(deal, rules, time)
