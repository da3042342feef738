"""The call auction over many slots at once: the rule of the chain, applied to books that never reach it.

Homes bargain day-ahead in indicative rounds that bind nobody; tests and benchmarks trade whole days like
this.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from otaniemi.contracts.rules.clearing import clear
from otaniemi.contracts.rules.orders import Book, Step
from otaniemi.platform.agents.record import Fill

PRICE_BAND = (-4_000_000, 4_000_000)


class SlotResult(NamedTuple):
    """Outcome of one slot's market: clearing price [micro-token/kWh], also where nothing trades, and volume [Wh]."""

    price: int
    volume_wh: int


def clear_slots(
    books: Sequence[Sequence[Step]], band: tuple[int, int] = PRICE_BAND
) -> tuple[dict[int, SlotResult], list[list[Fill]]]:
    """Clear every slot for which there are steps.

    The order of arrival rotates from slot to slot, so that no home is always first among equals.

    Parameters
    ----------
    books : sequence of steps per home

    Returns
    -------
    results : by slot
    fills : per home, in the order of its steps, unfilled ones left out
    """
    by_slot: dict[int, list[tuple[int, int, Step]]] = defaultdict(list)
    for home, steps in enumerate(books):
        for index, step in enumerate(steps):
            by_slot[step.slot].append((home, index, step))
    results: dict[int, SlotResult] = {}
    filled: list[dict[int, Fill]] = [{} for _ in books]
    for slot, entries in sorted(by_slot.items()):
        turn = slot % len(books)
        entries.sort(key=lambda entry: (entry[0] - turn) % len(books))
        steps = [step for _, _, step in entries]
        book = Book.of_columns(
            np.array([step.buy for step in steps]),
            np.array([step.price for step in steps]),
            np.array([step.quantity for step in steps]),
        )
        cleared = clear(book, *band)
        results[slot] = SlotResult(cleared.price, cleared.volume)
        for (home, index, step), wh in zip(entries, cleared.fills.tolist(), strict=True):
            if wh:
                filled[home][index] = Fill(step, wh, cleared.price)
    return results, [[fills[index] for index in sorted(fills)] for fills in filled]
