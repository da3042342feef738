"""How profile orders share transactions: as few as have gas for them, since each pays anew for its markets."""

from __future__ import annotations

from collections.abc import Iterable

from otaniemi.contracts.rules.orders import ProfileOrder

MOST_GAS = 14_000_000
"""What a transaction may take by our reckoning, of the 15 M that we give it."""

MARKET_GAS, PROFILE_GAS, STEP_GAS = 60_000, 18_000, 1_900
"""Gas of a market's first order, of a profile order, and of each of its steps, as `otaniemi bench gas` finds them."""

MOST_STEPS = 4_000
"""Steps in a transaction: 14 M gas where all of them are skipped, as each says why."""


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
    steps = gas = 0
    for order, wire in profiles:
        own = {step.slot for step in order.steps}
        need = PROFILE_GAS + STEP_GAS * len(order.steps)
        full = steps + len(order.steps) > MOST_STEPS or gas + need + MARKET_GAS * len(own - slots) > MOST_GAS
        if full or not batches:
            batches.append([])
            slots, steps, gas = set(), 0, 0
        batches[-1].append(wire)
        gas += need + MARKET_GAS * len(own - slots)
        steps += len(order.steps)
        slots |= own
    return [b"".join(wires) for wires in batches]
