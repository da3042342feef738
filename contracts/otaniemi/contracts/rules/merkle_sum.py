"""Merkle trees whose nodes carry sums: a root vouches for totals as well as for leaves.

A node adds the sums of its children and hashes them with their hashes; an odd last node is promoted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import add
from typing import NamedTuple

from otaniemi.contracts.rules.errors import FieldError
from otaniemi.contracts.rules.keccak import keccak


class Node(NamedTuple):
    """Hash and sums of a leaf or an inner node."""

    hash: bytes
    sums: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SumTree:
    """How the nodes of one kind of tree are hashed, ``tag ‖ left hash ‖ left sums ‖ right hash ‖ right sums``.

    There are ``width`` sums of ``size`` bytes each.
    """

    tag: bytes
    width: int
    size: int
    signed: bool

    @property
    def empty(self) -> Node:
        """The node over nothing: hash and sums zero."""
        return Node(bytes(32), (0,) * self.width)

    def pack(self, node: Node) -> bytes:
        """Hash and sums as a parent claims them.

        Raises
        ------
        FieldError
            A sum does not fit its size.
        """
        return node.hash + self.pack_sums(node)

    def pack_sums(self, node: Node) -> bytes:
        """The sums, one behind the other.

        Raises
        ------
        FieldError
            A sum does not fit its size.
        """
        size, signed = self.size, self.signed
        try:
            return b"".join([value.to_bytes(size, "big", signed=signed) for value in node.sums])
        except OverflowError as error:
            kind = "signed" if signed else "unsigned"
            raise FieldError("sums", node.sums, f"{kind} integers of {8 * size} bits") from error

    def hash_over(self, left: Node, right: Node) -> bytes:
        """Hash of the node over ``left`` and ``right``."""
        return keccak(self.tag + self.pack(left) + self.pack(right))

    def join(self, left: Node, right: Node) -> Node:
        """The node over ``left`` and ``right``."""
        return Node(self.hash_over(left, right), tuple(map(add, left.sums, right.sums)))

    def levels(self, leaves: Sequence[Node]) -> list[list[Node]]:
        """The tree from ``leaves`` (first) to the root (last, alone); no levels without leaves."""
        levels = [list(leaves)] if leaves else []
        while levels and len(levels[-1]) > 1:
            below = levels[-1]
            nodes = [self.join(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)]
            levels.append(nodes + below[len(below) & ~1 :])
        return levels

    def root(self, leaves: Sequence[Node]) -> Node:
        """The node over all ``leaves``, whose sums are their totals."""
        return self.levels(leaves)[-1][0] if leaves else self.empty

    def root_by(self, leaf: Node, index: int, count: int, proof: Sequence[Node]) -> Node | None:
        """The root that ``proof`` leads to from ``leaf``; None when its length is wrong."""
        if not 0 <= index < count:
            return None
        node, siblings = leaf, iter(proof)
        while count > 1:
            if index ^ 1 < count:
                sibling = next(siblings, None)
                if sibling is None:
                    return None
                node = self.join(sibling, node) if index & 1 else self.join(node, sibling)
            index, count = index >> 1, (count + 1) >> 1
        return node if next(siblings, None) is None else None


def proof_of(levels: Sequence[Sequence[Node]], index: int) -> list[Node]:
    """Siblings of leaf ``index`` from the bottom up; a promoted node has none.

    Raises
    ------
    FieldError
        There is no such leaf.
    """
    count = len(levels[0]) if levels else 0
    if not 0 <= index < count:
        raise FieldError("index", index, f"one of {count} leaves")
    proof = []
    for level in levels[:-1]:
        if index ^ 1 < len(level):
            proof.append(level[index ^ 1])
        index >>= 1
    return proof
