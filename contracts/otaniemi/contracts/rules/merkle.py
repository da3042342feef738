"""Merkle trees over 32-byte leaves: ``keccak(left ‖ right)``, an odd last node promoted unchanged.

Leaves are hashed from data whose length is not 64 bytes, so no node can pass for a leaf.
"""

from __future__ import annotations

from collections.abc import Sequence

from otaniemi.contracts.rules.errors import FieldError
from otaniemi.contracts.rules.keccak import keccak

EMPTY_ROOT = bytes(32)


def levels_of(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """The tree from ``leaves`` (first) to the root (last, alone); no levels without leaves."""
    levels = [list(leaves)] if leaves else []
    while levels and len(levels[-1]) > 1:
        below = levels[-1]
        nodes = [keccak(below[i] + below[i + 1]) for i in range(0, len(below) - 1, 2)]
        levels.append(nodes + below[len(below) & ~1 :])
    return levels


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over ``leaves``; ``EMPTY_ROOT`` without any."""
    return levels_of(leaves)[-1][0] if leaves else EMPTY_ROOT


def proof_of(levels: Sequence[Sequence[bytes]], index: int) -> list[bytes]:
    """Siblings of leaf ``index`` from the bottom up; a promoted node has none.

    Raises
    ------
    FieldError
        There is no such leaf.
    """
    if not levels or not 0 <= index < len(levels[0]):
        raise FieldError("leaf index", index, f"below the number of leaves {len(levels[0]) if levels else 0}")
    proof = []
    for level in levels[:-1]:
        if index ^ 1 < len(level):
            proof.append(level[index ^ 1])
        index >>= 1
    return proof


def root_by(leaf: bytes, index: int, count: int, proof: Sequence[bytes]) -> bytes | None:
    """The root that ``proof`` leads to from ``leaf``; None when its length is wrong."""
    if not 0 <= index < count:
        return None
    siblings = iter(proof)
    node, width = leaf, count
    while width > 1:
        if index ^ 1 < width:
            sibling = next(siblings, None)
            if sibling is None:
                return None
            node = keccak(sibling + node) if index & 1 else keccak(node + sibling)
        index, width = index >> 1, (width + 1) >> 1
    return node if next(siblings, None) is None else None


def verify(root: bytes, leaf: bytes, index: int, count: int, proof: Sequence[bytes]) -> bool:
    """Whether ``leaf`` stands at ``index`` of the ``count`` leaves under ``root``."""
    return root_by(leaf, index, count, proof) == root
