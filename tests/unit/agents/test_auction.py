"""Clearing the homes' books by the chain's rule."""

from __future__ import annotations

from otaniemi.contracts.rules.orders import Step
from otaniemi.platform.agents.auction import SlotResult, clear_slots
from otaniemi.platform.agents.record import Fill


def bid(slot: int, price: int, quantity: int) -> Step:
    return Step(slot, price, quantity, 0, True)


def offer(slot: int, price: int, quantity: int) -> Step:
    return Step(slot, price, quantity, 1, False)


def test_a_bid_meets_an_offer_halfway() -> None:
    books = [[bid(7, 180_000, 500)], [offer(7, 50_000, 500)]]
    results, fills = clear_slots(books)
    assert results == {7: SlotResult(115_000, 500)}
    assert fills == [[Fill(books[0][0], 500, 115_000)], [Fill(books[1][0], 500, 115_000)]]


def test_slots_clear_apart() -> None:
    results, fills = clear_slots([[bid(7, 180_000, 500)], [offer(8, 50_000, 500)]])
    assert [result.volume_wh for result in results.values()] == [0, 0]
    assert fills == [[], []]


def test_among_equals_the_first_to_arrive_rotates_from_slot_to_slot() -> None:
    books = [[bid(slot, 180_000, 300) for slot in (10, 11)] for _ in range(2)]
    books.append([offer(slot, 180_000, 300) for slot in (10, 11)])
    _, fills = clear_slots(books)
    served = [home for home in (0, 1) for fill in fills[home] if fill.step.slot == 10]
    assert served != [home for home in (0, 1) for fill in fills[home] if fill.step.slot == 11]


def test_fills_come_in_the_order_of_the_steps() -> None:
    steps = [bid(9, 180_000, 100), bid(9, 170_000, 100)]
    _, fills = clear_slots([steps, [offer(9, 50_000, 200)]])
    assert [fill.step for fill in fills[0]] == steps
