"""How profile orders share transactions."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from otaniemi.contracts.rules.calendar import Source
from otaniemi.contracts.rules.orders import ProfileOrder, Step
from otaniemi.platform.services.batches import has_gas, profile_batches


def _order(account: int, slots: range) -> ProfileOrder:
    steps = tuple(Step(slot, 100_000, 500, Source.PV, False) for slot in slots)
    return ProfileOrder(account, 1, 0, 0, False, 0, 0, steps)


def _fits(orders: list[ProfileOrder]) -> bool:
    slots = {step.slot for order in orders for step in order.steps}
    return has_gas(len(slots), len(orders), sum(len(order.steps) for order in orders))


def _batches(orders: list[ProfileOrder]) -> list[list[ProfileOrder]]:
    """The orders of every batch, by wires that name them."""
    wires = [(order, order.account.to_bytes(4, "big")) for order in orders]
    found = profile_batches(wires)
    return [[orders[int.from_bytes(b[i : i + 4], "big")] for i in range(0, len(b), 4)] for b in found]


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 96)), max_size=120),
)
def test_every_order_stands_in_one_batch_in_order_and_no_batch_is_too_large(
    days: list[tuple[int, int]],
) -> None:
    orders = [_order(i, range(first, first + length)) for i, (first, length) in enumerate(days)]
    batches = _batches(orders)
    assert [order for batch in batches for order in batch] == orders
    assert all(map(_fits, batches))


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 96)), max_size=120))
def test_no_batch_had_room_for_the_first_order_of_the_next(days: list[tuple[int, int]]) -> None:
    orders = [_order(i, range(first, first + length)) for i, (first, length) in enumerate(days)]
    for batch, following in pairwise(_batches(orders)):
        assert not _fits([*batch, following[0]])


def test_a_day_of_a_hundred_homes_takes_three_transactions() -> None:
    assert [len(batch) for batch in _batches([_order(i, range(96)) for i in range(100)])] == [34, 34, 32]


def test_an_order_beyond_every_limit_stands_alone() -> None:
    orders = [_order(0, range(1)), _order(1, range(1_440)), _order(2, range(1))]
    assert [len(batch) for batch in _batches(orders)] == [1, 1, 1]
