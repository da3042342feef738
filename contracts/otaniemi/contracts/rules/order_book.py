"""A continuous market's order book: price first, then time (protocol section 13).

Nothing here knows keys, money or clocks. An order has a **sequence** number, the order of arrival; two orders
can trade when their limits cross, their accounts differ, the seller's source is what the buyer asks for, and the
smaller rest satisfies the smallest fill of both. A match has the limit of the earlier order as its price. After
each call no two standing orders can trade. An order costs O(log n), and as much for each match and for each
better order that it has to pass over because of a smallest fill or its own account.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, nsmallest
from typing import NamedTuple

from otaniemi.contracts.rules.continuous import Limit
from otaniemi.contracts.rules.errors import within

_Place = tuple[int, int, int]
"""Rank by price, sequence and source of an order."""

_SLACK = 64
"""Dead entries that a heap may hold beyond as many as live ones."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A limit order as a book ranks it.

    Attributes
    ----------
    sequence : int
        The engine's number; lower ones came earlier.
    account : int
    buy : bool
    price : int
        Limit. [micro-token/kWh]
    source : int
        Source of a sell's energy; a buy with one other than 0 takes only that.
    quantity : int
        Energy, or lots of a series, when it came. [Wh or lots]
    min_fill : int
        Each fill has at least this much, or the whole rest where that is less.
    until : int
        Last instant at which it may trade. [Unix s]
    """

    sequence: int
    account: int
    buy: bool
    price: int
    source: int
    quantity: int
    min_fill: int
    until: int

    @classmethod
    def of(cls, limit: Limit, sequence: int, until: int) -> Entry:
        """The entry of a signed limit."""
        terms = limit.price, limit.source, limit.quantity, limit.min_fill
        return cls(sequence, limit.account, limit.buy, *terms, until)


class Match(NamedTuple):
    """Two orders, by sequence, that trade ``quantity`` at ``price``, the limit of the earlier one."""

    buy: int
    sell: int
    quantity: int
    price: int


class Level(NamedTuple):
    """What stands at one price: quantity and number of orders."""

    price: int
    quantity: int
    orders: int


class OrderBook:
    """The standing orders of one instrument.

    The same calls give the same matches, whatever happens around them.
    """

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}
        self._rests: dict[int, int] = {}
        self._buys, self._sells = _Side(), _Side()
        self._deadlines: list[tuple[int, int]] = []
        self._last = -1

    def __len__(self) -> int:
        return len(self._rests)

    def add(self, entry: Entry) -> list[Match]:
        """Take a new order in and return its matches, in the order in which they happen.

        Raises
        ------
        FieldError
            The sequence is not above all earlier ones, or there is no quantity.
        """
        within("sequence", entry.sequence, self._last + 1, 2**64 - 1)
        within("quantity", entry.quantity, 1, 2**32 - 1)
        self._last = entry.sequence
        self._stand(entry, entry.quantity)
        return self._settle(entry)

    def stand(self, entry: Entry, rest: int) -> None:
        """Put an order with its ``rest`` in its place without matching it: to rebuild a book that was at peace."""
        within("rest", rest, 1, entry.quantity)
        self._last = max(self._last, entry.sequence)
        self._stand(entry, rest)

    def restore(self, entry: Entry, quantity: int) -> list[Match]:
        """Give ``quantity`` of an undone match back to its order, at its old place, and return what it matches now.

        Raises
        ------
        FieldError
            The order would have more than it came with.
        """
        self.put_back(entry, quantity)
        return self._settle(entry)

    def put_back(self, entry: Entry, quantity: int) -> None:
        """`restore` without matching, which leaves orders that can trade."""
        before = self._rests.get(entry.sequence, 0)
        within("restored quantity", quantity, 1, entry.quantity - before)
        if before:
            self._change(entry, quantity)
        else:
            self._stand(entry, quantity)

    def remove(self, sequence: int) -> int:
        """Take an order out and return its rest; 0 when it does not stand."""
        rest = self._rests.get(sequence, 0)
        if rest:
            self._change(self._entries[sequence], -rest)
        return rest

    def expire(self, now: int) -> list[int]:
        """Take out the orders that may not trade at ``now`` [Unix s] any more; their sequences, ascending."""
        gone = []
        while self._deadlines and self._deadlines[0][0] < now:
            _, sequence = heappop(self._deadlines)
            if self.remove(sequence):
                gone.append(sequence)
        return sorted(gone)

    def rest(self, sequence: int) -> int:
        """What an order can still trade; 0 when it does not stand."""
        return self._rests.get(sequence, 0)

    def standing(self) -> Iterator[tuple[Entry, int]]:
        """Every standing order with its rest, in order of arrival."""
        for sequence in sorted(self._rests):
            yield self._entries[sequence], self._rests[sequence]

    def depth(self, buy: bool, levels: int) -> list[Level]:
        """The best ``levels`` prices of a side, best first."""
        return self._side(buy).depth(buy, levels)

    def apply(self, match: Match) -> None:
        """Let two standing orders trade, due or not.

        Raises
        ------
        FieldError
            One of them has less left than the match takes.
        """
        for sequence in (match.buy, match.sell):
            within(f"quantity of order {sequence}", match.quantity, 1, self._rests.get(sequence, 0))
        for sequence in (match.buy, match.sell):
            self._change(self._entries[sequence], -match.quantity)

    def _settle(self, entry: Entry) -> list[Match]:
        """Match ``entry``, then whoever can trade because of that, until nobody can."""
        matches: list[Match] = []
        active: Entry | None = entry
        while active is not None:
            active = self._match_all(active, matches)
        return matches

    def _match_all(self, taker: Entry, matches: list[Match]) -> Entry | None:
        """Match ``taker`` while it can trade; an order comes back that asks for less than before and still stands."""
        other = self._side(not taker.buy)
        passed: list[_Place] = []
        again = None
        while taker.sequence in self._rests and (maker := self._next(taker, other, passed)):
            match = self._match(taker, maker)
            self.apply(match)
            matches.append(match)
            if 0 < self.rest(maker.sequence) < maker.min_fill:
                again = maker
            if 0 < self.rest(taker.sequence) < taker.min_fill:
                # It asks for less now, so some that it passed over may do.
                other.give_back(passed)
                passed = []
        other.give_back(passed)
        return again

    def _next(self, taker: Entry, other: _Side, passed: list[_Place]) -> Entry | None:
        """The best order of the other side that ``taker`` can trade with; better ones go to ``passed``."""
        sources = _sources(taker)
        while (place := other.best(self._rests, sources)) is not None:
            maker = self._entries[place[1]]
            if maker.price > taker.price if taker.buy else maker.price < taker.price:
                return None
            if self._can_trade(taker, maker):
                return maker
            passed.append(other.take(place))
        return None

    def _can_trade(self, one: Entry, two: Entry) -> bool:
        """Whether two orders whose limits and sources agree can trade."""
        smaller = min(self._rests[one.sequence], self._rests[two.sequence])
        return one.account != two.account and all(
            smaller >= min(entry.min_fill, self._rests[entry.sequence]) for entry in (one, two)
        )

    def _match(self, one: Entry, two: Entry) -> Match:
        buy, sell = (one, two) if one.buy else (two, one)
        quantity = min(self._rests[one.sequence], self._rests[two.sequence])
        return Match(buy.sequence, sell.sequence, quantity, min(one, two, key=lambda e: e.sequence).price)

    def _stand(self, entry: Entry, rest: int) -> None:
        self._entries[entry.sequence] = entry
        self._rests[entry.sequence] = 0
        self._side(entry.buy).give_back([_place(entry)])
        heappush(self._deadlines, (entry.until, entry.sequence))
        self._change(entry, rest)

    def _change(self, entry: Entry, quantity: int) -> None:
        """Add ``quantity`` to the rest of an order; one without a rest leaves."""
        before = self._rests[entry.sequence]
        rest = before + quantity
        side = self._side(entry.buy)
        side.count(entry.price, quantity, (rest > 0) - (before > 0))
        if rest:
            self._rests[entry.sequence] = rest
            return
        del self._rests[entry.sequence], self._entries[entry.sequence]
        side.sweep(self._rests)
        if len(self._deadlines) > 2 * len(self._rests) + _SLACK:
            self._deadlines = [place for place in self._deadlines if place[1] in self._rests]
            heapify(self._deadlines)

    def _side(self, buy: bool) -> _Side:
        return self._buys if buy else self._sells


class _Side:
    """One side's places, best first, apart for each source; those of orders that left are dropped as they come up."""

    def __init__(self) -> None:
        self._places: dict[int, list[_Place]] = {}
        self._levels: dict[int, tuple[int, int]] = {}
        self._orders = self._held = 0

    def best(self, live: Mapping[int, int], sources: Sequence[int]) -> _Place | None:
        """The best place of an order in ``live`` with one of ``sources``; without any, of whatever source."""
        best: _Place | None = None
        for source in sources or self._places:
            places = self._places.get(source, ())
            while places and places[0][1] not in live:
                heappop(places)
                self._held -= 1
            if places and (best is None or places[0] < best):
                best = places[0]
        return best

    def take(self, best: _Place) -> _Place:
        """Take the best place away."""
        self._held -= 1
        return heappop(self._places[best[2]])

    def give_back(self, places: Iterable[_Place]) -> None:
        """Put places in that were taken, or are new."""
        for place in places:
            heappush(self._places.setdefault(place[2], []), place)
            self._held += 1

    def sweep(self, live: Mapping[int, int]) -> None:
        """Drop dead places once they are most, so that cancelled orders cost no memory."""
        if self._held > 2 * self._orders + _SLACK:
            for source, places in self._places.items():
                self._places[source] = sorted({place for place in places if place[1] in live})
            self._held = sum(map(len, self._places.values()))

    def count(self, price: int, quantity: int, orders: int) -> None:
        """Add to what stands at a price."""
        held = self._levels.get(price, (0, 0))
        level = held[0] + quantity, held[1] + orders
        self._orders += orders
        if level[1]:
            self._levels[price] = level
        else:
            self._levels.pop(price, None)

    def depth(self, buy: bool, levels: int) -> list[Level]:
        """The best ``levels`` prices."""
        prices = nsmallest(levels, self._levels, key=lambda price: -price if buy else price)
        return [Level(price, *self._levels[price]) for price in prices]


def _place(entry: Entry) -> _Place:
    return (-entry.price if entry.buy else entry.price), entry.sequence, entry.source


def _sources(taker: Entry) -> tuple[int, ...]:
    """Sources of the orders on the other side that suit; empty for all."""
    if taker.buy:
        return (taker.source,) if taker.source else ()
    return (0, taker.source) if taker.source else (0,)
