"""Books worked by hand, and what other local market engines get wrong."""

from __future__ import annotations

import pytest

from otaniemi.contracts.rules.clearing import (
    Clearing,
    clear,
    fill_leaf,
    fill_leaves,
    fill_of,
    fill_proof,
    fill_root,
)
from otaniemi.contracts.rules.errors import FieldError
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.merkle import verify
from otaniemi.contracts.rules.orders import Book

Row = tuple[str, int, int]  # side, price, quantity


def _book(*rows: Row) -> Book:
    sides, prices, quantities = zip(*rows, strict=True) if rows else ((), (), ())
    return Book.of_columns([side == "buy" for side in sides], prices, quantities)


def _clear(*rows: Row) -> Clearing:
    return clear(_book(*rows), -1_000, 1_000)


def _summary(result: Clearing) -> tuple[int, int, int, int, list[int]]:
    return result.lo, result.hi, result.price, result.volume, result.fills.tolist()


def test_scarce_demand_pulls_the_price_to_the_offer() -> None:
    assert _summary(_clear(("buy", 200, 500), ("sell", 100, 800))) == (100, 100, 100, 500, [500, 500])


def test_scarce_supply_pulls_the_price_to_the_bid() -> None:
    assert _summary(_clear(("buy", 200, 800), ("sell", 100, 500))) == (200, 200, 200, 500, [500, 500])


def test_equal_quantities_meet_in_the_middle_rounded_down() -> None:
    assert _summary(_clear(("buy", 200, 500), ("sell", 101, 500))) == (101, 200, 150, 500, [500, 500])


def test_the_middle_of_negative_prices_is_rounded_down_too() -> None:
    assert _summary(_clear(("buy", -1, 500), ("sell", -4, 500))) == (-4, -1, -3, 500, [500, 500])


def test_at_the_clearing_price_who_came_first_is_served_first() -> None:
    result = _clear(("buy", 100, 300), ("sell", 100, 200), ("buy", 100, 300), ("sell", 50, 250))
    # D = 600, S = 450; both bids stand at 100 and 450 Wh go to the first and half of the second.
    assert _summary(result) == (100, 100, 100, 450, [300, 200, 150, 250])
    assert result.prefixes.tolist() == [0, 0, 300, 0]


def test_nothing_trades_where_bids_and_offers_do_not_meet() -> None:
    result = _clear(("buy", 90, 500), ("sell", 110, 500))
    assert _summary(result) == (90, 110, 100, 0, [0, 0])


def test_an_empty_book_clears_at_the_whole_band() -> None:
    assert _summary(_clear()) == (-1_000, 1_000, 0, 0, [])


@pytest.mark.parametrize(("side", "lo", "hi"), [("buy", 50, 1_000), ("sell", -1_000, 50)])
def test_one_side_alone_trades_nothing(side: str, lo: int, hi: int) -> None:
    assert _summary(_clear((side, 50, 10)))[:4] == (lo, hi, (lo + hi) >> 1, 0)


def test_orders_at_the_limits_of_the_band_clear() -> None:
    assert _summary(_clear(("buy", -1_000, 5), ("sell", -1_000, 7))) == (-1_000, -1_000, -1_000, 5, [5, 5])
    assert _summary(_clear(("buy", 1_000, 7), ("sell", 1_000, 5))) == (1_000, 1_000, 1_000, 5, [5, 5])


def test_two_orders_of_one_seller_at_one_price_both_trade() -> None:
    # lemlab trades 400 of these.
    assert _clear(("sell", 100, 600), ("sell", 100, 400), ("buy", 150, 1_000)).volume == 1_000


def test_no_order_is_filled_beyond_its_quantity() -> None:
    # HAMLET takes the minimum of whole orders, which gives the second bid 300.
    result = _clear(("buy", 200, 500), ("buy", 190, 300), ("sell", 100, 400), ("sell", 110, 350))
    assert _summary(result) == (190, 190, 190, 750, [500, 250, 400, 350])


def test_no_one_trades_at_a_loss_to_raise_the_volume() -> None:
    # Pay-as-bid pairing (gsy-e) makes two trades of bids 30, 20 and offers 10, 25; only 30 and 10 create value.
    result = _clear(("buy", 30, 1_000), ("buy", 20, 1_000), ("sell", 10, 1_000), ("sell", 25, 1_000))
    assert _summary(result) == (20, 25, 22, 1_000, [1_000, 0, 1_000, 0])


def test_the_marginal_order_trades_its_part() -> None:
    # gsy-e pay-as-clear drops part of the margin.
    result = _clear(("buy", 30, 700), ("buy", 20, 700), ("sell", 10, 1_000), ("sell", 25, 1_000))
    assert _summary(result) == (20, 20, 20, 1_000, [700, 300, 1_000, 0])


@pytest.mark.parametrize("row", [("buy", 1_001, 5), ("sell", -1_001, 5), ("buy", 5, 0), ("sell", 5, 2**32)])
def test_an_order_out_of_range_is_refused(row: Row) -> None:
    with pytest.raises(FieldError):
        _clear(("buy", 1, 1), row)


def test_quantities_near_the_limit_are_added_exactly() -> None:
    top = 2**32 - 1
    result = _clear(*[("buy", 10, top)] * 100, *[("sell", 10, top)] * 101)
    assert result.volume == 100 * top
    assert result.fills.tolist() == [top] * 200 + [0]


def test_the_fill_tree_proves_each_fill() -> None:
    book = _book(
        ("buy", 100, 300), ("sell", 100, 200), ("buy", 100, 300), ("sell", 50, 250), ("buy", 120, 10)
    )
    result = clear(book, -1_000, 1_000)
    leaves = fill_leaves(book, result)
    assert leaves[2] == keccak(
        bytes.fromhex("00000002") + book.records()[32:48] + (300).to_bytes(6, "big") + bytes(6)
    )
    top = keccak(keccak(leaves[0] + leaves[1]) + keccak(leaves[2] + leaves[3]))
    assert fill_root(book, result) == keccak(top + leaves[4])  # the odd leaf is promoted
    assert fill_proof(book, result, 4) == [top]
    assert verify(fill_root(book, result), leaves[4], 4, 5, [top])
    assert not verify(fill_root(book, result), fill_leaf(4, book.records()[64:], 1), 4, 5, [top])


def test_the_stored_result_gives_each_fill() -> None:
    book = _book(
        ("buy", 100, 300), ("sell", 100, 200), ("buy", 100, 300), ("sell", 50, 250), ("buy", 120, 10)
    )
    result = clear(book, -1_000, 1_000)
    columns = (book.buy, book.price, book.quantity, result.prefixes)
    stored = (result.price, result.volume, result.demand_above, result.supply_below)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    assert [fill_of(*row, *stored) for row in rows] == result.fills.tolist()


def test_a_band_beyond_int32_is_refused() -> None:
    with pytest.raises(FieldError, match="price_max"):
        clear(_book(("buy", 1, 1)), 0, 2**31)
