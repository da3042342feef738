"""How profile orders share transactions: as few as have gas for them, since each pays anew for its markets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from otaniemi.contracts.rules.orders import ProfileOrder


class Cost(NamedTuple):
    """Gas of each market, each profile order and each step in a transaction."""

    market: int
    profile: int
    step: int

    def of(self, markets: int, profiles: int, steps: int) -> int:
        """Gas of so many together."""
        return self.market * markets + self.profile * profiles + self.step * steps


MOST_GAS = 14_700_000
"""What a transaction may take by our reckoning, of the 15 M that we give it."""

COSTS = Cost(60_000, 18_000, 1_900), Cost(14_000, 15_500, 3_920)
"""Where all is accepted and the first of its market, and where every step is skipped, which says why."""


def profile_batches(profiles: Iterable[tuple[ProfileOrder, bytes]]) -> list[bytes]:
    """The wires of profile orders joined to as few transactions as have gas for them, in order.

    An order that needs more than a transaction has gets one of its own.

    Parameters
    ----------
    profiles : iterable of (ProfileOrder, bytes)
        Each with its wire. All of one community, product and session.
    """
    batches: list[list[bytes]] = []
    slots: set[int] = set()
    steps = 0
    for order, wire in profiles:
        own = {step.slot for step in order.steps}
        if not batches or not has_gas(len(slots | own), len(batches[-1]) + 1, steps + len(order.steps)):
            batches.append([])
            slots, steps = set(), 0
        batches[-1].append(wire)
        slots |= own
        steps += len(order.steps)
    return [b"".join(wires) for wires in batches]


def has_gas(markets: int, profiles: int, steps: int) -> bool:
    """Whether a transaction has gas for so many, accepted or skipped."""
    return all(cost.of(markets, profiles, steps) <= MOST_GAS for cost in COSTS)
