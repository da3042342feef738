"""Continuous trading before delivery: every home corrects its position when its forecast has changed."""

from __future__ import annotations

from collections.abc import Sequence

from otaniemi.contracts.rules.calendar import Source
from otaniemi.platform.agents.bargaining import local_bounds
from otaniemi.platform.agents.forms.quotes import Quote, shaded
from otaniemi.platform.agents.home import HomeAgent

CONTINUOUS_S = 40 * 60
"""Before the start of a slot its homes quote."""


def quotes(agents: Sequence[HomeAgent], slot: int, known: int) -> list[Quote]:
    """What the homes correct in one slot, as limits in the order of arrival, which rotates from slot to slot.

    An earlier order trades at its own price, so a home keeps half of its gain against the middle of the useful local
    prices.
    """
    day = agents[0].day
    turn = (day.first_slot + slot) % len(agents)
    low, high = local_bounds(day)
    middle = int(low[slot] + high[slot]) // 2
    return [
        Quote(home, step.buy, shaded(step.price, middle, buy=step.buy), step.quantity, Source(step.source))
        for home in [*range(turn, len(agents)), *range(turn)]
        for step in agents[home].correction(slot, known)
    ]
