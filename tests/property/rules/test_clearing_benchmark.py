"""The yardstick of the clearing benchmark finds what clearing finds, so that their times can be compared."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from otaniemi.contracts.rules.clearing import clear
from otaniemi.contracts.rules.orders import Book
from otaniemi.platform.benchmarks.clearing import RIVALS, bench_clearing, random_book, sort_and_sweep

ROWS = st.lists(st.tuples(st.booleans(), st.integers(-5, 5), st.integers(1, 9)), max_size=20)


@given(ROWS)
def test_sort_and_sweep_trades_the_same_volume(rows: list[tuple[bool, int, int]]) -> None:
    buy, price, quantity = zip(*rows, strict=True) if rows else ((), (), ())
    book = Book.of_columns(buy, price, quantity)
    sweep = sort_and_sweep(book)
    result = clear(book, -5, 5)
    assert sweep.volume == result.volume
    if sweep.bid is not None and sweep.offer is not None:
        assert sweep.offer <= result.price <= sweep.bid


def test_the_benchmark_reports_each_size_beside_the_rivals() -> None:
    result = bench_clearing(sizes=(1_000,))
    (row,) = result["rows"]
    assert row["volumes_equal"]
    assert row["ratio"] == row["seconds"] / row["sort_and_sweep_seconds"]
    assert row["rivals_seconds"]["lemlab pda (pandas)"] == RIVALS["lemlab pda (pandas)"][0]


def test_books_are_half_bids_and_repeat_with_their_seed() -> None:
    book = random_book(1_000, 7)
    assert int(book.buy.sum()) == 500
    assert (int(book.price.min()) >= 40_000, int(book.price.max()) <= 400_000) == (True, True)
    assert book.records() == random_book(1_000, 7).records()
