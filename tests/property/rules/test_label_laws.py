"""Laws of labels, against twins that try every way to give them out and every price."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from otaniemi.contracts.rules.calendar import Rules
from otaniemi.contracts.rules.clearing import Clearing, Labels, clear, fill_root, trade_of, traded
from otaniemi.contracts.rules.labels import is_worth_labelling, label, labels_of
from otaniemi.contracts.rules.orders import MAX_PREMIUM, PREMIUM_STEP, RECORD_BYTES, Book, preference
from otaniemi.contracts.rules.resume import START, advance_labels, root_of

BAND = 4


class Row(NamedTuple):
    buy: bool
    price: int
    quantity: int
    source: int


def _rows(premiums: st.SearchStrategy[int], most_wh: int) -> st.SearchStrategy[Row]:
    prices, wh = st.integers(-BAND, BAND), st.integers(1, most_wh)
    asked = premiums.map(preference)
    bids = st.builds(Row, st.just(True), prices, wh, asked | st.integers(0, 4))
    return bids | st.builds(Row, st.just(False), prices, wh, st.integers(0, 4))


STEPS = st.sampled_from([0, PREMIUM_STEP, 2 * PREMIUM_STEP, MAX_PREMIUM])
FEW = st.lists(_rows(STEPS, 3), max_size=8)
MANY = st.lists(_rows(st.integers(0, 63).map(lambda k: k * PREMIUM_STEP), 2**32 - 1), max_size=40)


def _book(rows: list[Row]) -> Book:
    book = Book.of_columns(*zip(*[row[:3] for row in rows], strict=True)) if rows else Book.of_records(b"")
    return Book(
        book.account,
        book.price,
        book.quantity,
        book.nonce,
        np.array([row.source for row in rows], np.int64),
        book.buy,
    )


def _labelled(rows: list[Row]) -> tuple[Book, Clearing, Labels]:
    book = _book(rows)
    clearing = label(book, clear(book, -BAND, BAND))
    assert clearing.labels is not None
    return book, clearing, clearing.labels


@settings(max_examples=300)
@given(FEW)
def test_no_other_labels_of_the_same_energy_are_worth_more(rows: list[Row]) -> None:
    book, clearing, labels = _labelled(rows)
    fills, premiums = clearing.fills.tolist(), book.premium.tolist()
    wanting = np.flatnonzero(book.prefers).tolist()
    best = 0
    for given_wh in product(*[range(fills[i] + 1) for i in wanting]):
        if sum(given_wh) <= labels.green:
            best = max(best, sum(wh * premiums[i] for wh, i in zip(given_wh, wanting, strict=True)))
    assert int((labels.wh * book.premium).sum()) == best
    assert int(labels.wh.sum()) == min(labels.green, int(clearing.fills[book.prefers].sum()))


@given(MANY)
def test_exactly_one_price_holds_and_it_is_that_of_the_first_wh_without_a_label(rows: list[Row]) -> None:
    book, clearing, labels = _labelled(rows)

    def wanted(premium: int, beyond: bool) -> int:
        asks = book.premium > premium if beyond else book.premium >= premium
        return int(clearing.fills[book.prefers & asks].sum())

    holding = [
        premium
        for premium in range(0, MAX_PREMIUM + 2 * PREMIUM_STEP, PREMIUM_STEP // 2)
        if wanted(premium, True) <= labels.green and (premium == 0 or wanted(premium, False) > labels.green)
    ]
    assert holding == [labels.premium]
    without = book.premium[book.prefers & (labels.wh < clearing.fills)]
    assert labels.premium == (int(without.max()) if len(without) else 0)
    assert labels.above == wanted(labels.premium, True)


@given(MANY)
def test_equal_premiums_are_labelled_by_arrival(rows: list[Row]) -> None:
    book, clearing, labels = _labelled(rows)
    for premium in set(book.premium[book.prefers].tolist()):
        same = np.flatnonzero(book.prefers & (book.premium == premium) & (clearing.fills > 0))
        short = [bool(labels.wh[i] < clearing.fills[i]) for i in same]
        assert short == sorted(short)
        assert sum(0 < labels.wh[i] < clearing.fills[i] for i in same) <= 1


@given(MANY, st.integers(0, 1_000))
def test_money_sums_to_zero_and_nobody_pays_beyond_its_premium(rows: list[Row], permille: int) -> None:
    book, clearing, labels = _labelled(rows)
    whole = [trade_of(book, clearing, place) for place in range(len(book))]
    assert sum(trade.money for trade in whole) == 0
    assert sum(t.wh if row.buy else -t.wh for t, row in zip(whole, rows, strict=True)) == 0
    for place, trade in enumerate(whole):
        if book.buy[place]:
            assert trade.money - trade.wh * clearing.price <= trade.labelled * int(book.premium[place])
            assert trade.labelled <= trade.wh
        part = trade_of(book, clearing, place, permille)
        assert (part.wh, part.labelled) == (trade.wh * permille // 1_000, trade.labelled * permille // 1_000)
    plain = clear(book, -BAND, BAND)
    assert labels_of(book, plain).wh.tolist() == labels.wh.tolist()
    assert plain.fills.tolist() == clearing.fills.tolist()


@given(MANY, st.booleans(), st.integers(0, 1_000))
def test_a_record_and_its_prefixes_tell_its_trade(rows: list[Row], with_labels: bool, permille: int) -> None:
    book, clearing, labels = _labelled(rows)
    if not with_labels:
        clearing = clear(book, -BAND, BAND)
    records = book.records()
    for place in range(len(book)):
        record = records[place * RECORD_BYTES : (place + 1) * RECORD_BYTES]
        prefixes = int(clearing.prefixes[place]), int(labels.prefixes[place]) if with_labels else 0
        trade = traded(record, *prefixes, clearing.result, permille)
        assert trade == trade_of(book, clearing, place, permille)


@given(MANY)
def test_a_label_is_worth_it_where_somebody_gets_one(rows: list[Row]) -> None:
    book, clearing, labels = _labelled(rows)
    assert is_worth_labelling(book, clearing) == bool(labels.wh.any())


@given(MANY.filter(bool), st.lists(st.integers(1, 7), min_size=1, max_size=6))
def test_labels_in_parts_have_the_root_of_the_whole(rows: list[Row], sizes: list[int]) -> None:
    book, clearing, _ = _labelled(rows)
    records, progress, at = book.records(), START, 0
    for size in [*sizes, len(rows)]:
        part = records[at : at + size * RECORD_BYTES]
        if part:
            progress = advance_labels(progress, [part], book, clearing)
        at += len(part)
    assert progress.records == len(rows)
    assert root_of(progress) == fill_root(book, clearing)


@given(rows=MANY)
def test_a_bid_locks_what_it_can_come_to_pay(rows: list[Row], rules: Rules) -> None:
    book, clearing, _ = _labelled(rows)
    locks = book.locks(rules).tolist()
    for place in np.flatnonzero(book.buy).tolist():
        trade = trade_of(book, clearing, place)
        assert trade.money + trade.wh * (rules.grid_fee + rules.platform_fee) <= locks[place]
