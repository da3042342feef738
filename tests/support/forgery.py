"""Bills with one altered node, hashed up to the root again: what a dishonest proposer could propose."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from otaniemi.contracts.rules.bills import Bills
from otaniemi.contracts.rules.merkle_sum import Node
from otaniemi.contracts.rules.openings import Opening, Stage, hash_of, open_root, preimages


@dataclass(frozen=True)
class Forged:
    """A proposal that is not right: its root, and the preimages that its proposer shows."""

    root: Node
    count: int
    known: Mapping[bytes, bytes]


class Forger:
    """Alters honest ``bills``."""

    def __init__(self, bills: Bills, slots_per_day: int) -> None:
        self.bills, self.known = bills, preimages(bills)
        self._slots = slots_per_day

    def way(self, draw: random.Random, stage: Stage) -> list[Opening]:
        """Openings from the root to a random node of ``stage`` that has a preimage."""
        while True:
            way = [open_root(self.bills.root, len(self.bills.accounts), self._slots)]
            while way[-1].stage != stage and not way[-1].is_empty and way[-1].stage != Stage.END:
                way.append(draw.choice(way[-1].open(self.known[way[-1].node.hash])))
            if way[-1].stage == stage and not way[-1].is_empty:
                return way

    def forge(self, way: list[Opening], preimage: bytes) -> Forged:
        """The proposal in which the last node of ``way`` has another preimage; no claimed sums change."""
        known = dict(self.known)
        for at in range(len(way) - 1, -1, -1):
            old, new = way[at].node.hash, hash_of(preimage)
            known[new] = preimage
            if at:
                above = known[way[at - 1].node.hash]
                preimage = above.replace(old, new, 1)
        return Forged(Node(new, self.bills.root.sums), len(self.bills.accounts), known)


def flipped(draw: random.Random, preimage: bytes) -> bytes:
    """The preimage with one bit beyond its tag turned."""
    at = draw.randrange(1, len(preimage))
    return preimage[:at] + bytes([preimage[at] ^ 1 << draw.randrange(8)]) + preimage[at + 1 :]
