"""Signed messages on their way: kept once, refused when they contradict."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Connection

from otaniemi.contracts.rules.orders import NonceWindow, Order, ProfileOrder, SkipReason, Step
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.platform.store import days, intake
from otaniemi.platform.store.intake import NumberTakenError, Status

ORDER = Order(7, 1, 0, 469_000, 2, -50_000, 1_500, 1, False, 2**24 + 3, 1_700_000_000)
STEP = Step(469_000, 90_000, 10, 0, True)
PROFILE = ProfileOrder(8, 1, 0, 0, True, 4, 1_700_000_000, (STEP,))
NOMINATION = Nomination(7, 1, 0, 469_000, 1, (500, -2_000))
FIRST, SECOND = b"\x01" * 64, b"\x02" * 64


def test_a_received_order_comes_back_as_signed(transaction: Connection) -> None:
    for order in (ORDER, PROFILE):
        kept = intake.receive_order(transaction, order, FIRST, now=5)
        assert (kept.order, kept.signature, kept.received_at) == (order, FIRST, 5)
        assert (kept.status, kept.reason, kept.block) == (Status.RECEIVED, None, None)
        assert intake.get_order(transaction, order.account, order.nonce) == kept


def test_an_order_sent_twice_is_kept_once(transaction: Connection) -> None:
    first = intake.receive_order(transaction, ORDER, FIRST, now=5)
    assert intake.receive_order(transaction, ORDER, FIRST, now=6) == first
    assert intake.orders_of(transaction, 7) == [first]


def test_a_retry_does_not_undo_what_the_chain_did(transaction: Connection) -> None:
    intake.receive_order(transaction, ORDER, FIRST, now=5)
    intake.orders_skipped(transaction, [(7, ORDER.nonce, SkipReason.GATE_CLOSED)], block=9)
    again = intake.receive_order(transaction, ORDER, FIRST, now=6)
    assert (again.status, again.reason, again.block) == (Status.SKIPPED, SkipReason.GATE_CLOSED, 9)


def test_another_order_with_the_same_nonce_is_refused(transaction: Connection) -> None:
    intake.receive_order(transaction, ORDER, FIRST, now=5)
    for other, signature in ((replace(ORDER, price=1), FIRST), (ORDER, SECOND)):
        with pytest.raises(NumberTakenError, match=f"nonce is {ORDER.nonce}; account 7 sent another"):
            intake.receive_order(transaction, other, signature, now=6)
    assert intake.get_order(transaction, 7, ORDER.nonce).order == ORDER  # type: ignore[union-attr]


def test_the_nonce_of_a_skipped_order_is_free_again(transaction: Connection) -> None:
    intake.receive_order(transaction, ORDER, FIRST, now=5)
    intake.orders_skipped(transaction, [(7, ORDER.nonce, SkipReason.INSUFFICIENT_COLLATERAL)], block=9)
    smaller = replace(ORDER, quantity=1)
    assert intake.receive_order(transaction, smaller, SECOND, now=6).status == Status.RECEIVED
    assert [waiting.order for waiting in intake.waiting_orders(transaction, 1, 0, 2)] == [smaller]


def test_orders_wait_in_order_of_arrival_for_their_session_alone(transaction: Connection) -> None:
    late, early = replace(ORDER, nonce=1), replace(ORDER, nonce=2)
    intake.receive_order(transaction, late, FIRST, now=9)
    intake.receive_order(transaction, early, FIRST, now=8)
    intake.receive_order(transaction, PROFILE, FIRST, now=7)
    assert [waiting.order for waiting in intake.waiting_orders(transaction, 1, 0, 2)] == [early, late]
    assert [waiting.order for waiting in intake.waiting_orders(transaction, 1, 0, 0)] == [PROFILE]
    assert intake.waiting_orders(transaction, 2, 0, 0) == []
    intake.orders_accepted(transaction, [(early.market, early.record())], block=9)
    assert [waiting.order for waiting in intake.waiting_orders(transaction, 1, 0, 2)] == [late]


def test_an_accepted_order_stays_accepted_when_its_replay_is_skipped(transaction: Connection) -> None:
    intake.receive_order(transaction, PROFILE, FIRST, now=5)
    intake.orders_skipped(transaction, [(8, 4, SkipReason.MARKET_FULL)], block=9)
    intake.orders_accepted(transaction, PROFILE.records(), block=9)
    intake.orders_skipped(transaction, [(8, 4, SkipReason.NONCE_USED)], block=10)
    kept = intake.get_order(transaction, 8, 4)
    assert kept is not None
    assert (kept.status, kept.reason, kept.block) == (Status.RELAYED, None, 9)


def test_a_direct_order_that_never_came_through_the_intake_is_no_error(transaction: Connection) -> None:
    intake.orders_accepted(transaction, [(ORDER.market, ORDER.record())], block=9)
    intake.orders_skipped(transaction, [], block=9)
    assert intake.get_order(transaction, 7, ORDER.nonce) is None


def test_another_order_under_the_same_number_on_the_chain_leaves_the_one_here_waiting(
    transaction: Connection,
) -> None:
    kept = intake.receive_order(transaction, ORDER, FIRST, now=5)
    direct = replace(ORDER, price=1)
    elsewhere = ORDER.market._replace(session=1)
    intake.orders_accepted(
        transaction, [(direct.market, direct.record()), (elsewhere, ORDER.record())], block=9
    )
    assert intake.get_order(transaction, 7, ORDER.nonce) == kept


def test_a_profile_of_which_one_step_was_accepted_is_relayed(transaction: Connection) -> None:
    two = replace(PROFILE, steps=(*PROFILE.steps, Step(469_001, 90_000, 10, 0, True)))
    intake.receive_order(transaction, two, FIRST, now=5)
    intake.orders_accepted(transaction, two.records()[1:], block=9)
    assert intake.get_order(transaction, 8, 4).status == Status.RELAYED  # type: ignore[union-attr]


def test_the_newest_orders_of_an_account_come_first(transaction: Connection) -> None:
    for nonce in range(5):
        intake.receive_order(transaction, replace(ORDER, nonce=nonce), FIRST, now=5)
    assert [kept.order.nonce for kept in intake.orders_of(transaction, 7, limit=2)] == [4, 3]


def test_the_next_numbers_lie_above_all_that_are_on_their_way(transaction: Connection) -> None:
    assert intake.next_nonce(transaction, 7, NonceWindow(0, 0b101)) == 3
    assert intake.next_seq(transaction, 7) == 1
    intake.receive_order(transaction, replace(ORDER, nonce=9), FIRST, now=5)
    intake.receive_nomination(transaction, replace(NOMINATION, seq=4), FIRST, now=5)
    assert intake.next_nonce(transaction, 7, NonceWindow(0, 0b101)) == 10
    assert intake.next_nonce(transaction, 7, NonceWindow(20, 1)) == 21
    assert (intake.next_seq(transaction, 7), intake.next_seq(transaction, 8)) == (5, 1)
    days.add_nominations(transaction, 19_576, 0, [replace(NOMINATION, seq=6)], block=1)
    assert intake.next_seq(transaction, 7) == 7


def test_nominations_follow_the_same_rules(transaction: Connection) -> None:
    first = intake.receive_nomination(transaction, NOMINATION, FIRST, now=5)
    assert intake.receive_nomination(transaction, NOMINATION, FIRST, now=6) == first
    other = replace(NOMINATION, wh=(1, 2))
    with pytest.raises(NumberTakenError, match="seq is 1"):
        intake.receive_nomination(transaction, other, SECOND, now=6)
    newer = replace(other, seq=2)
    intake.receive_nomination(transaction, newer, SECOND, now=7)
    assert [kept.nomination for kept in intake.waiting_nominations(transaction, 1, 0)] == [NOMINATION, newer]
    intake.nominations_relayed(transaction, [NOMINATION], block=4)
    intake.nominations_skipped(transaction, [(NOMINATION, 3), (newer, 2)], block=4)
    assert intake.waiting_nominations(transaction, 1, 0) == []
    assert intake.receive_nomination(transaction, NOMINATION, FIRST, now=8).status == Status.RELAYED
    assert intake.receive_nomination(transaction, newer, SECOND, now=8).reason == 2
