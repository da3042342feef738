"""The book of block deals takes what the rules give and refuses what they do not. Expected values by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from otaniemi.contracts.rules.block_deals import BLOCKS, BlockBook
from otaniemi.contracts.rules.block_series import EVERY_DAY, Series, delivery_window
from otaniemi.contracts.rules.calendar import Rules
from otaniemi.contracts.rules.errors import BlockError
from otaniemi.contracts.rules.ledger import Ledger

FIRST = 19_723
TERMS = Series(1, 0, EVERY_DAY, 40, 2, FIRST, FIRST + 1, 100, 1_704_000_000, 200, 5_000)
BUYER, SELLER, NOW = 4, 5, 1_704_000_000
WH = 2 * 100 * 2  # a lot over both days


@pytest.fixture
def book() -> BlockBook:
    """A lot traded at 100,000 by a mark of 90,000, both margins in the pot."""
    book = BlockBook(Ledger())
    for account in (BUYER, SELLER):
        book.ledger.deposit(account, 10**8)
    book.create(1, TERMS)
    book.mark(1, FIRST - 1, 90_000)
    book.trade(1, 1, BUYER, SELLER, 1, 100_000)
    return book


def _fund(book: BlockBook, rules: Rules) -> None:
    book.move(1, BUYER, WH * 28_000, rules, NOW)
    book.move(1, SELLER, WH * 18_000, rules, NOW)


def test_a_trade_brings_both_initial_margins(book: BlockBook, rules: Rules) -> None:
    _fund(book, rules)
    assert book.ledger.pots[BLOCKS] == WH * 46_000
    with pytest.raises(BlockError, match="margin called in deal 1 is 1, by the rules 0"):
        book.move(1, SELLER, 1, rules, NOW)


def test_another_margin_than_the_rules_give_is_refused(book: BlockBook, rules: Rules) -> None:
    with pytest.raises(BlockError, match="margin moved"):
        book.move(1, BUYER, WH * 28_000 - 1, rules, NOW)


def test_a_day_returns_half_and_only_the_next_day_can_be_delivered(book: BlockBook, rules: Rules) -> None:
    _fund(book, rules)
    with pytest.raises(BlockError, match="delivered day"):
        book.deliver(1, FIRST + 1, rules, NOW)
    book.deliver(1, FIRST, rules, NOW)
    book.move(1, BUYER, -WH * 14_000, rules, NOW)
    book.move(1, SELLER, -WH * 9_000, rules, NOW)
    assert book.ledger.free[BUYER] == 10**8 - WH * 14_000


def test_a_default_pays_the_loss_by_the_mark_and_nothing_else(book: BlockBook, rules: Rules) -> None:
    _fund(book, rules)
    with pytest.raises(BlockError, match="compensation"):
        book.default(1, (BUYER, 0), FIRST, WH * 10_000 + 1, rules, NOW)
    with pytest.raises(BlockError, match="cannot fail"):
        book.default(1, (0, 0), FIRST, 0, rules, NOW)
    book.default(1, (BUYER, 0), FIRST, WH * 10_000, rules, NOW)
    book.close(1, rules, NOW)
    book.move(1, BUYER, -WH * 18_000, rules, NOW)
    book.move(1, SELLER, -WH * 28_000, rules, NOW)
    assert book.ledger.pots[BLOCKS] == 0
    assert book.ledger.free[SELLER] == 10**8 + WH * 10_000


def test_a_mark_that_outruns_the_margin_calls_what_is_free(book: BlockBook, rules: Rules) -> None:
    _fund(book, rules)
    with pytest.raises(BlockError, match="is before day"):
        book.mark(1, FIRST - 2, 1)
    book.mark(1, FIRST, 60_000)
    # 12,000 for a move and 40,000 of loss; 28,000 are there.
    book.move(1, BUYER, WH * 24_000, rules, NOW)
    # The seller has more than 12,000.
    book.move(1, SELLER, -WH * 6_000, rules, NOW)


def test_a_call_that_moves_margin_leaves_days_behind_that_lapsed(book: BlockBook, rules: Rules) -> None:
    _fund(book, rules)
    late = delivery_window(TERMS, rules, FIRST).ends
    # For the last day the buyer is to have 28,000, as much as for each of two before.
    book.move(1, BUYER, -WH * 14_000, rules, late)
    book.deliver(1, FIRST + 1, rules, late)
    assert book.outstanding(1) == [(BUYER, -WH * 14_000), (SELLER, -WH * 18_000)]


def test_a_deal_closes_when_no_day_is_left(book: BlockBook, rules: Rules) -> None:
    _fund(book, rules)
    end = delivery_window(TERMS, rules, FIRST + 1).ends
    with pytest.raises(BlockError, match="days left"):
        book.close(1, rules, end - 1)
    book.close(1, rules, end)
    book.move(1, BUYER, -WH * 28_000, rules, end)
    book.move(1, SELLER, -WH * 18_000, rules, end)
    assert book.ledger.pots[BLOCKS] == 0


def test_what_was_never_made_is_refused(book: BlockBook, rules: Rules) -> None:
    wrong: tuple[Callable[[], None], ...] = (
        lambda: book.mark(2, FIRST, 1),
        lambda: book.close(2, rules, NOW),
        lambda: book.create(3, TERMS),
        lambda: book.trade(3, 1, BUYER, SELLER, 1, 1),
        lambda: book.trade(2, 9, BUYER, SELLER, 1, 1),
    )
    for broken in wrong:
        with pytest.raises(BlockError):
            broken()
