"""The order book by examples worked by hand."""

from __future__ import annotations

import random

import pytest

from otaniemi.contracts.rules.errors import FieldError
from otaniemi.contracts.rules.order_book import Entry, Level, Match, OrderBook

BUY, SELL = True, False


def entry(
    sequence: int, buy: bool, price: int, quantity: int, least: int = 0, account: int = 0, source: int = 0
) -> Entry:
    """An order of an account of its own, unless named."""
    return Entry(sequence, account or 100 + sequence, buy, price, source, quantity, least, until=1_000)


def book_of(*entries: Entry) -> OrderBook:
    book = OrderBook()
    for one in entries:
        assert book.add(one) == []
    return book


def test_the_best_price_comes_first_then_the_earlier_order_each_at_its_own_limit() -> None:
    book = book_of(entry(1, SELL, 90, 10), entry(2, SELL, 80, 10), entry(3, SELL, 80, 10))
    matches = book.add(entry(4, BUY, 95, 25))
    assert matches == [Match(4, 2, 10, 80), Match(4, 3, 10, 80), Match(4, 1, 5, 90)]
    assert (book.rest(1), book.rest(4), len(book)) == (5, 0, 1)


def test_a_seller_receives_the_limit_of_the_buy_that_stood_before() -> None:
    assert book_of(entry(1, BUY, 95, 10)).add(entry(2, SELL, 60, 10)) == [Match(1, 2, 10, 95)]


def test_limits_that_do_not_meet_stand() -> None:
    book = book_of(entry(1, BUY, 94, 10), entry(2, SELL, 95, 10), entry(3, SELL, 95, 7), entry(4, BUY, -5, 1))
    assert book.depth(BUY, 1) == [Level(94, 10, 1)]
    assert book.depth(BUY, 9) == [Level(94, 10, 1), Level(-5, 1, 1)]
    assert book.depth(SELL, 9) == [Level(95, 17, 2)]


def test_an_order_passes_over_those_of_its_own_account() -> None:
    book = book_of(entry(1, SELL, 70, 10, account=7), entry(2, SELL, 80, 10, account=8))
    assert book.add(entry(3, BUY, 90, 15, account=7)) == [Match(3, 2, 10, 80)]
    assert (book.rest(1), book.rest(3)) == (10, 5)


def test_a_smaller_fill_than_asked_for_is_passed_over() -> None:
    book = book_of(entry(1, SELL, 70, 100, least=60), entry(2, SELL, 80, 100))
    assert book.add(entry(3, BUY, 90, 50)) == [Match(3, 2, 50, 80)]
    assert book.add(entry(4, BUY, 90, 30, least=30)) == [Match(4, 2, 30, 80)]


def test_what_is_left_of_an_order_may_ask_for_less_and_trade_with_one_that_stood_in_vain() -> None:
    book = book_of(entry(1, SELL, 70, 100, least=60), entry(2, BUY, 90, 50))
    # 60 go to the newcomer; the 40 that are left are no longer too many for the order of 50.
    assert book.add(entry(3, BUY, 80, 60)) == [Match(3, 1, 60, 70), Match(2, 1, 40, 70)]
    assert list(book.standing()) == [(entry(2, BUY, 90, 50), 10)]


def test_a_buyer_who_asks_for_a_source_takes_no_other() -> None:
    grid, pv, battery = (entry(1 + source, SELL, 50 + 10 * source, 10, source=source) for source in range(3))
    book = book_of(grid, pv, battery)
    assert book.add(entry(4, BUY, 99, 15, source=1)) == [Match(4, 2, 10, 60)]
    assert book.add(entry(5, BUY, 99, 15)) == [Match(5, 1, 10, 50), Match(5, 3, 5, 70)]
    assert book.add(entry(6, SELL, 40, 9, source=2)) == []
    assert book.add(entry(7, SELL, 40, 9, source=1)) == [Match(4, 7, 5, 99)]


def test_an_order_stands_to_its_last_instant_and_not_beyond() -> None:
    book = book_of(entry(1, SELL, 80, 10))
    assert book.expire(1_000) == []
    assert book.expire(1_001) == [1]
    assert book.add(entry(2, BUY, 90, 10)) == []


def test_an_undone_match_gives_an_order_its_old_place_back() -> None:
    first, second = entry(1, SELL, 80, 10), entry(2, SELL, 80, 10)
    book = book_of(first, second)
    [match] = book.add(entry(3, BUY, 90, 10))
    assert match.sell == 1
    assert book.restore(first, match.quantity) == []
    assert book.add(entry(4, BUY, 90, 10)) == [Match(4, 1, 10, 80)]
    with pytest.raises(FieldError, match="restored quantity"):
        book.restore(second, 1)


def test_numbers_only_rise_and_a_match_that_is_not_there_is_refused() -> None:
    book = book_of(entry(5, SELL, 80, 10))
    with pytest.raises(FieldError, match="sequence is 5"):
        book.add(entry(5, BUY, 80, 10))
    with pytest.raises(FieldError, match="quantity of order 9"):
        book.apply(Match(9, 5, 1, 80))


def test_orders_that_left_cost_no_memory() -> None:
    book, draw = OrderBook(), random.Random(3)
    for sequence in range(2_000):
        book.add(entry(sequence, BUY, draw.randrange(50), 1, source=draw.randrange(3)))
        if sequence >= 10:
            assert book.remove(sequence - 10) == 1
    assert sorted(one.sequence for one, _ in book.standing()) == list(range(1_990, 2_000))
    held = book._buys._places.values()
    assert sum(map(len, held)) < 100 > len(book._deadlines)
    best = max(book.standing(), key=lambda item: (item[0].price, -item[0].sequence))[0]
    assert book.add(entry(3_000, SELL, -1, 1, source=best.source))[0].buy == best.sequence
