"""Continuous trading before delivery: every home corrects its position when its forecast has changed."""

from __future__ import annotations

from collections.abc import Sequence

from otaniemi.contracts.rules.calendar import Source
from otaniemi.platform.agents.forms.quotes import Quote
from otaniemi.platform.agents.home import HomeAgent

CONTINUOUS_S = 40 * 60
"""Before the start of a slot its homes quote."""


def quotes(agents: Sequence[HomeAgent], slot: int, known: int) -> list[Quote]:
    """The curves of one slot as limit orders, in the order of arrival, which rotates from slot to slot."""
    turn = (agents[0].day.first_slot + slot) % len(agents)
    return [
        Quote(home, step.buy, step.price, step.quantity, Source(step.source))
        for home in [*range(turn, len(agents)), *range(turn)]
        for step in agents[home].last_call(slot, known)
    ]
