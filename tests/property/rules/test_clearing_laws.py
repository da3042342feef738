"""Laws of the clearing, against a twin that tries every price."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from otaniemi.contracts.rules.clearing import clear, fill_of
from otaniemi.contracts.rules.orders import Book

BAND = 12


class Row(NamedTuple):
    buy: bool
    price: int
    quantity: int


ROWS = st.lists(
    st.builds(Row, st.booleans(), st.integers(-BAND, BAND), st.integers(1, 20)), max_size=14
) | st.lists(st.builds(Row, st.booleans(), st.integers(-2, 2), st.integers(1, 3)), max_size=30)
WIDE = st.lists(
    st.builds(Row, st.booleans(), st.integers(-(2**31), 2**31 - 1), st.integers(1, 2**32 - 1)), max_size=30
)


def _book(rows: list[Row]) -> Book:
    return Book.of_columns(
        [row.buy for row in rows], [row.price for row in rows], [row.quantity for row in rows]
    )


def _demand(rows: list[Row], price: int) -> int:
    return sum(row.quantity for row in rows if row.buy and row.price >= price)


def _supply(rows: list[Row], price: int) -> int:
    return sum(row.quantity for row in rows if not row.buy and row.price <= price)


def _clearing_prices(rows: list[Row]) -> list[int]:
    """Prices at which strictly better orders of each side find their counterpart."""
    return [
        price
        for price in range(-BAND, BAND + 1)
        if _demand(rows, price + 1) <= _supply(rows, price)
        and _supply(rows, price - 1) <= _demand(rows, price)
    ]


def _brute_fills(rows: list[Row], volume: int) -> list[int]:
    """Serve each side from the best price, by arrival among equals, until the volume is used up."""
    fills = [0] * len(rows)
    for buy in (True, False):
        queue = [i for i, row in enumerate(rows) if row.buy == buy]
        queue.sort(key=lambda i: -rows[i].price if buy else rows[i].price)
        left = volume
        for i in queue:
            fills[i] = min(left, rows[i].quantity)
            left -= fills[i]
    return fills


@settings(max_examples=1_000)
@given(ROWS)
def test_price_volume_and_fills_are_those_of_brute_force(rows: list[Row]) -> None:
    result = clear(_book(rows), -BAND, BAND)
    prices = _clearing_prices(rows)
    assert (result.lo, result.hi) == (prices[0], prices[-1])
    assert result.price == (prices[0] + prices[-1]) // 2
    volume = min(_demand(rows, result.price), _supply(rows, result.price))
    assert result.volume == volume
    assert result.fills.tolist() == _brute_fills(rows, volume)


@given(ROWS)
def test_no_other_price_trades_more(rows: list[Row]) -> None:
    best = max(min(_demand(rows, price), _supply(rows, price)) for price in range(-BAND, BAND + 1))
    assert clear(_book(rows), -BAND, BAND).volume == best


@given(WIDE)
def test_what_is_bought_is_sold_and_nobody_trades_beyond_quantity_or_limit(rows: list[Row]) -> None:
    result = clear(_book(rows), -(2**31), 2**31 - 1)
    fills = result.fills.tolist()
    assert sum(fill for fill, row in zip(fills, rows, strict=True) if row.buy) == result.volume
    assert sum(fill for fill, row in zip(fills, rows, strict=True) if not row.buy) == result.volume
    for fill, row in zip(fills, rows, strict=True):
        assert 0 <= fill <= row.quantity
        assert fill == 0 or (row.price >= result.price if row.buy else row.price <= result.price)
    partial = [row.buy for fill, row in zip(fills, rows, strict=True) if 0 < fill < row.quantity]
    assert len(partial) == len(set(partial))  # at most one a side


@given(WIDE)
def test_the_hints_hold_and_their_neighbours_do_not(rows: list[Row]) -> None:
    low, high = -(2**31), 2**31 - 1
    result = clear(_book(rows), low, high)

    def a(price: int) -> bool:
        return _demand(rows, price + 1) <= _supply(rows, price)

    def b(price: int) -> bool:
        return _supply(rows, price - 1) <= _demand(rows, price)

    assert a(result.lo)
    assert result.lo == low or _demand(rows, result.lo) > _supply(rows, result.lo - 1)
    assert b(result.hi)
    assert result.hi == high or _supply(rows, result.hi) > _demand(rows, result.hi + 1)
    assert low <= result.lo <= result.hi <= high


@given(WIDE)
def test_fills_follow_from_the_stored_result_and_the_prefix(rows: list[Row]) -> None:
    result = clear(_book(rows), -(2**31), 2**31 - 1)
    stored = (result.price, result.volume, result.demand_above, result.supply_below)
    before = {True: 0, False: 0}
    for row, prefix, fill in zip(rows, result.prefixes.tolist(), result.fills.tolist(), strict=True):
        expected = before[row.buy] if row.price == result.price else 0
        assert prefix == expected
        assert fill_of(*row, prefix, *stored) == fill
        before[row.buy] += row.quantity if row.price == result.price else 0


@given(WIDE)
def test_records_survive_the_chain(rows: list[Row]) -> None:
    book = _book(rows)
    assert Book.of_records(book.records()).records() == book.records()
    assert Book.of_records(book.records()).price.tolist() == [row.price for row in rows]
