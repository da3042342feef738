"""Block deals replayed from their events, with their margins in a ledger (protocol section 15).

What the rules determine is compared with what the contract said; the positions of the days are none of it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TypeVar

from otaniemi.contracts.rules.block_series import (
    Margins,
    Series,
    compensation,
    kept,
    margins,
    next_delivery,
)
from otaniemi.contracts.rules.calendar import Rules
from otaniemi.contracts.rules.errors import BlockError
from otaniemi.contracts.rules.ledger import Ledger

BLOCKS = "BlockSeries"
"""Whose pot the ledger names."""

_T = TypeVar("_T")


@dataclass(slots=True)
class _Deal:
    """A deal; ``due`` are the moves of margin that its last event brings, in order."""

    series: int
    terms: Series
    buyer: int
    seller: int
    lots: int
    price: int
    next_day: int
    margin: Counter[int] = field(default_factory=Counter)
    due: list[tuple[int, int]] = field(default_factory=list)

    def secured(self, mark: int, day: int) -> Margins:
        """What secures the deal when ``day`` is the first that is left."""
        return margins(self.terms, self.price, mark, self.terms.energy(self.lots, self.terms.deliveries(day)))

    def expect(self, buyer: int, seller: int) -> None:
        """Bring the margins of both to these values by the next moves."""
        sides = ((self.buyer, buyer), (self.seller, seller))
        self.due += [(account, nano - self.margin[account]) for account, nano in sides
                     if nano != self.margin[account]]  # fmt: skip


@dataclass(slots=True)
class BlockBook:
    """All series and deals of a community. Money is nano-token, prices micro-token/kWh.

    Every method takes what one event says and raises ``BlockError`` where the rules say otherwise, ``LedgerError``
    where an account or the pot has less than is taken.
    """

    ledger: Ledger
    _series: dict[int, Series] = field(default_factory=dict)
    _marks: dict[int, tuple[int, int]] = field(default_factory=dict)
    _deals: dict[int, _Deal] = field(default_factory=dict)

    def create(self, series: int, terms: Series) -> None:
        """A series was created."""
        _same("number of a series", series, len(self._series) + 1)
        self._series[series] = terms

    def mark(self, series: int, day: int, price: int) -> None:
        """A series has another mark, by the reference report of ``day``."""
        if series not in self._series:
            raise BlockError(f"series {series} was never created")
        before = self._marks.get(series)
        if before is not None and day < before[1]:
            raise BlockError(f"mark of series {series}: day {day} is before day {before[1]}")
        self._marks[series] = price, day

    def trade(self, deal: int, series: int, buyer: int, seller: int, lots: int, price: int) -> None:
        """Two accounts bound each other."""
        _same("number of a deal", deal, len(self._deals) + 1)
        if series not in self._marks:
            raise BlockError(f"deal {deal}: series {series} has no mark")
        terms = self._series[series]
        known = _Deal(series, terms, buyer, seller, lots, price, terms.first_day)
        secured = known.secured(self._marks[series][0], terms.first_day)
        known.expect(secured.initial(buyer=True), secured.initial(buyer=False))
        self._deals[deal] = known

    def deliver(self, deal: int, day: int, rules: Rules, now: int) -> None:
        """A day's positions were opened."""
        known = self._known(deal)
        _same(f"delivered day of deal {deal}", day, _next_day(known, rules, now))
        before, left = known.terms.deliveries(known.next_day), known.terms.deliveries(day + 1)
        known.expect(*(kept(known.margin[account], left, before) for account in (known.buyer, known.seller)))
        known.next_day = day + 1

    def move(self, deal: int, account: int, nano: int, rules: Rules, now: int) -> None:
        """Margin moved into the pot, or back where negative: as the event before it said, or by a margin call."""
        known = self._known(deal)
        if known.due:
            _same(f"margin moved in deal {deal}", (account, nano), known.due.pop(0))
        else:
            _same(f"margin called in deal {deal}", nano, self._call(known, account, rules, now))
        if nano > 0:
            _same(f"margin put up by account {account}", nano, self.ledger.debit(BLOCKS, account, nano))
        else:
            self.ledger.credit(BLOCKS, account, -nano)
        known.margin[account] += nano

    def default(
        self, deal: int, failing: tuple[int, int], day: int, paid: int, rules: Rules, now: int
    ) -> None:
        """The deal ended because ``failing`` (buyer, seller; 0 for one that did not) failed; ``paid`` compensates."""
        known = self._known(deal)
        if failing not in {(known.buyer, 0), (0, known.seller), (known.buyer, known.seller)}:
            raise BlockError(f"deal {deal}: accounts {failing} cannot fail in it")
        _same(f"first day not delivered of deal {deal}", day, _next_day(known, rules, now))
        secured = known.secured(self._marks[known.series][0], day)
        buyer, seller = known.margin[known.buyer], known.margin[known.seller]
        from_buyer = compensation(secured, buyer, buyer=True) if failing[1] == 0 else 0
        from_seller = compensation(secured, seller, buyer=False) if failing[0] == 0 else 0
        _same(f"compensation of deal {deal}", paid, from_buyer + from_seller)
        known.next_day = known.terms.last_day + 1
        change = from_seller - from_buyer
        known.due = [
            (account, -nano) for account, nano in ((known.buyer, buyer + change), (known.seller, seller - change))
            if nano
        ]  # fmt: skip

    def close(self, deal: int, rules: Rules, now: int) -> None:
        """The deal is over."""
        known = self._known(deal)
        if known.next_day > known.terms.last_day:
            return
        _same(f"days left of deal {deal}", _next_day(known, rules, now), known.terms.last_day + 1)
        known.next_day = known.terms.last_day + 1
        known.expect(0, 0)

    def outstanding(self, deal: int) -> list[tuple[int, int]]:
        """Moves of margin (account, nano) that events brought and that did not come yet."""
        return list(self._known(deal).due)

    def missing(self, deal: int, account: int, rules: Rules, now: int) -> int:
        """What the margin of a party lacks, which a call asks it to have free; negative where it has more."""
        known = self._known(deal)
        secured = known.secured(self._marks[known.series][0], _next_day(known, rules, now))
        return secured.maintenance(account == known.buyer) - known.margin[account]

    def _call(self, known: _Deal, account: int, rules: Rules, now: int) -> int:
        """What a margin call moves of ``account``; the days that lapsed before it are left behind."""
        known.next_day = _next_day(known, rules, now)
        secured = known.secured(self._marks[known.series][0], known.next_day)
        buyer, margin = account == known.buyer, known.margin[account]
        missing = secured.initial(buyer) - margin
        if missing > 0 and margin >= secured.maintenance(buyer):
            return 0
        return min(missing, self.ledger.free[account])

    def _known(self, deal: int) -> _Deal:
        if deal not in self._deals:
            raise BlockError(f"deal {deal} was never made")
        return self._deals[deal]


def _next_day(known: _Deal, rules: Rules, now: int) -> int:
    return next_delivery(known.terms, rules, known.next_day, now)


def _same(what: str, said: _T, due: _T) -> None:
    if said != due:
        raise BlockError(f"{what} is {said}, by the rules {due}")
