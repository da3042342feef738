"""An order book against the plainest one: a list that is sorted anew for every match."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import example, given
from hypothesis import strategies as st

from otaniemi.contracts.rules import continuous
from otaniemi.contracts.rules.order_book import Entry, Level, Match, OrderBook

NOW = 1_000


@dataclass
class PlainBook:
    """Rests by sequence; every question is answered by looking at all orders."""

    entries: dict[int, Entry] = field(default_factory=dict)
    rests: dict[int, int] = field(default_factory=dict)

    def can_trade(self, one: Entry, two: Entry) -> bool:
        if one.buy == two.buy or one.account == two.account:
            return False
        buy, sell = (one, two) if one.buy else (two, one)
        smaller = min(self.rests[one.sequence], self.rests[two.sequence])
        asked = max(min(entry.min_fill, self.rests[entry.sequence]) for entry in (one, two))
        return buy.price >= sell.price and buy.source in (0, sell.source) and smaller >= asked

    def standing(self) -> list[Entry]:
        return [entry for sequence, entry in sorted(self.entries.items()) if self.rests[sequence]]

    def due(self, taker: Entry) -> Match | None:
        makers = [entry for entry in self.standing() if self.can_trade(taker, entry)]
        if not makers or not self.rests[taker.sequence]:
            return None
        maker = min(makers, key=lambda maker: (-maker.price if maker.buy else maker.price, maker.sequence))
        buy, sell = (taker, maker) if taker.buy else (maker, taker)
        quantity = min(self.rests[buy.sequence], self.rests[sell.sequence])
        return Match(buy.sequence, sell.sequence, quantity, min(taker, maker, key=lambda e: e.sequence).price)

    def settle(self, entry: Entry) -> list[Match]:
        matches = []
        waiting = [entry]
        while waiting:
            active = waiting.pop()
            while match := self.due(active):
                matches.append(match)
                for sequence in (match.buy, match.sell):
                    self.rests[sequence] -= match.quantity
                maker = self.entries[match.sell if active.buy else match.buy]
                if 0 < self.rests[maker.sequence] < maker.min_fill:
                    waiting.append(maker)
        return matches

    def restore(self, entry: Entry, quantity: int) -> list[Match]:
        self.entries[entry.sequence] = entry
        self.rests[entry.sequence] = self.rests.get(entry.sequence, 0) + quantity
        return self.settle(entry)

    def expire(self, now: int) -> list[int]:
        gone = [entry.sequence for entry in self.standing() if entry.until < now]
        for sequence in gone:
            self.rests[sequence] = 0
        return gone

    def depth(self, buy: bool) -> list[Level]:
        held: dict[int, list[int]] = {}
        for entry in self.standing():
            if entry.buy == buy:
                held.setdefault(entry.price, []).append(self.rests[entry.sequence])
        levels = [Level(price, sum(rests), len(rests)) for price, rests in held.items()]
        return sorted(levels, reverse=buy)


@dataclass(frozen=True)
class New:
    """An order that comes: everything of an entry but number and time."""

    account: int
    buy: bool
    price: int
    source: int
    quantity: int
    min_fill: int
    good_for: int

    def entry(self, sequence: int, now: int) -> Entry:
        until = now + self.good_for
        terms = self.price, self.source, self.quantity, self.min_fill
        return Entry(sequence, self.account, self.buy, *terms, until)


SIZES = st.one_of(st.integers(1, 12), st.sampled_from([1, 1_000, 2**32 - 1]))
ORDERS = st.builds(
    New, st.integers(1, 4), st.booleans(), st.integers(-3, 3), st.integers(0, 2), SIZES,
    st.one_of(st.just(0), st.integers(0, 12)), st.integers(0, 30),
)  # fmt: skip
PICKY = st.builds(
    New, st.integers(1, 9), st.booleans(), st.just(0), st.just(0), st.integers(1, 12), st.integers(0, 12),
    st.just(99),
)  # fmt: skip
"""Orders that all cross, so that smallest fills alone decide."""
Step = New | tuple[str, int]
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.one_of(
        ORDERS,
        ORDERS,
        PICKY,
        PICKY,
        st.tuples(st.sampled_from(["cancel", "undo"]), st.integers(0, 40)),
        st.tuples(st.just("wait"), st.integers(1, 8)),
    ),
    max_size=40,
)


def orders(*terms: tuple[bool, int, int]) -> list[Step]:
    """Orders of different accounts at one price: side, quantity and smallest fill."""
    return [New(number, buy, 0, 0, size, least, 99) for number, (buy, size, least) in enumerate(terms)]


@given(steps=STEPS)
@example(
    steps=orders((False, 100, 60), (True, 50, 0), (True, 60, 60))
)  # what is left of the first asks for less
@example(
    steps=orders((False, 50, 0), (False, 60, 0), (True, 100, 60))
)  # what is left of the last asks for less
def test_the_book_does_what_a_plain_list_does(steps: list[Step]) -> None:
    book, plain = OrderBook(), PlainBook()
    now, matches, undone = NOW, list[Match](), set[int]()
    for step in steps:
        fresh: list[Match] = []
        if isinstance(step, New):
            entry = step.entry(len(plain.entries), now)
            fresh = book.add(entry)
            assert fresh == plain.restore(entry, entry.quantity)
        elif step[0] == "wait":
            now += step[1]
            assert book.expire(now) == plain.expire(now)
        elif step[0] == "cancel" and plain.entries:
            sequence = step[1] % len(plain.entries)
            assert book.remove(sequence) == plain.rests[sequence]
            plain.rests[sequence] = 0
        elif step[0] == "undo" and matches and step[1] % len(matches) not in undone:
            undone.add(step[1] % len(matches))
            match = matches[step[1] % len(matches)]
            for sequence in match[:2]:
                again = book.restore(plain.entries[sequence], match.quantity)
                assert again == plain.restore(plain.entries[sequence], match.quantity)
                fresh += again
        matches += fresh
        check_laws(book, plain, fresh)


def check_laws(book: OrderBook, plain: PlainBook, fresh: list[Match]) -> None:
    standing = plain.standing()
    assert list(book.standing()) == [(entry, plain.rests[entry.sequence]) for entry in standing]
    assert len(book) == len(standing)
    for buy in (True, False):
        assert book.depth(buy, 3) == plain.depth(buy)[:3]
    # Nobody is left who could trade, so the book is crossed by orders alone that refuse each other.
    assert not any(plain.can_trade(one, two) for one in standing for two in standing)
    for match in fresh:
        bought, sold = plain.entries[match.buy], plain.entries[match.sell]
        assert bought.account != sold.account
        assert match.price == min(bought, sold, key=lambda entry: entry.sequence).price
        assert sold.price <= match.price <= bought.price


MANY = st.lists(st.one_of(ORDERS, PICKY), max_size=30)


@given(steps=MANY)
def test_every_quantity_is_traded_or_stands(steps: list[New]) -> None:
    book, traded = OrderBook(), dict.fromkeys(range(len(steps)), 0)
    for sequence, step in enumerate(steps):
        for match in book.add(step.entry(sequence, NOW)):
            traded[match.buy] += match.quantity
            traded[match.sell] += match.quantity
    for sequence, step in enumerate(steps):
        assert traded[sequence] + book.rest(sequence) == step.quantity
    bought = sum(amount for sequence, amount in traded.items() if steps[sequence].buy)
    assert 2 * bought == sum(traded.values())


@given(steps=MANY, cut=st.integers(0, 30))
def test_a_book_rebuilt_from_its_rests_goes_on_as_if_nothing_had_happened(steps: list[New], cut: int) -> None:
    entries = [step.entry(sequence, NOW) for sequence, step in enumerate(steps)]
    book, rebuilt = OrderBook(), OrderBook()
    for entry in entries[:cut]:
        book.add(entry)
    for entry, rest in book.standing():
        rebuilt.stand(entry, rest)
    for entry in entries[cut:]:
        assert book.add(entry) == rebuilt.add(entry)


@given(pair=st.lists(st.one_of(ORDERS, PICKY), min_size=2, max_size=2), traded=st.integers(0, 12))
def test_two_orders_match_when_their_contract_would_let_them(pair: list[New], traded: int) -> None:
    limits = [
        continuous.Limit(one.account, 1, 0, 7, one.price, one.quantity, min(one.min_fill, one.quantity), one.source,
              one.buy, 0, NOW, "0x" + "11" * 20)
        for one in pair
    ]  # fmt: skip
    first, second = limits
    traded = min(traded, first.quantity - 1)
    book = OrderBook()
    book.stand(Entry.of(first, 3, NOW), first.quantity - traded)
    found = book.add(Entry.of(second, 4, NOW))
    buy, sell = (first, second) if first.buy else (second, first)
    filled = (traded, 0) if first.buy else (0, traded)
    quantity = continuous.fillable(buy, sell, *filled) if continuous.match(buy, sell) else 0
    numbers = (3, 4) if first.buy else (4, 3)
    assert found == (
        [Match(*numbers, quantity, continuous.match_price(buy, sell, *numbers))] if quantity else []
    )
