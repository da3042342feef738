"""Merkle trees whose nodes carry sums: a root vouches for totals as well as for leaves.

A node hashes ``tag ‖ left hash ‖ left sums ‖ right hash ‖ right sums`` and adds the sums; an odd last node
is promoted.
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
    """How the nodes of one kind of tree are hashed: ``width`` sums of ``size`` bytes each."""

    tag: bytes
    width: int
    size: int
    signed: bool

    @property
    def empty(self) -> Node:
        """The node over nothing: hash and sums zero."""
        return Node(bytes(32), (0,) * self.width)

    def pack(self, node: Node) -> bytes:
        """Hash and sums as a parent hashes them.

        Raises
        ------
        FieldError
            A sum does not fit its size.
        """
        size, signed = self.size, self.signed
        try:
            return node.hash + b"".join([value.to_bytes(size, "big", signed=signed) for value in node.sums])
        except OverflowError as error:
            kind = "signed" if signed else "unsigned"
            raise FieldError("sums", node.sums, f"{kind} integers of {8 * size} bits") from error

    def join(self, left: Node, right: Node) -> Node:
        """The node over ``left`` and ``right``."""
        return Node(
            keccak(self.tag + self.pack(left) + self.pack(right)), tuple(map(add, left.sums, right.sums))
        )

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
        return self.root_by_chunk([leaf], index, count, proof)

    def root_by_chunk(
        self, chunk: Sequence[Node], first: int, count: int, proof: Sequence[Node]
    ) -> Node | None:
        """The root over consecutive nodes from index ``first`` of ``count`` and the siblings above them.

        The chunk fills a power of two that divides ``first``, or runs to the end; None otherwise.
        """
        end = first + len(chunk)
        height = (len(chunk) - 1).bit_length()
        aligned = first % 2**height == 0 and (len(chunk) == 2**height or end == count)
        if not chunk or first < 0 or end > count or not aligned:
            return None
        nodes, siblings = list(chunk), iter(proof)
        index, width = first, count
        while width > 1:
            if len(nodes) > 1 or index ^ 1 >= width:
                nodes = self.levels(nodes)[1] if len(nodes) > 1 else nodes
            else:
                sibling = next(siblings, None)
                if sibling is None:
                    return None
                nodes = [self.join(sibling, nodes[0]) if index & 1 else self.join(nodes[0], sibling)]
            index, width = index >> 1, (width + 1) >> 1
        return nodes[0] if next(siblings, None) is None else None


def proof_of(levels: Sequence[Sequence[Node]], index: int) -> list[Node]:
    """Siblings of leaf ``index`` from the bottom up; a promoted node has none.

    Raises
    ------
    FieldError
        There is no such leaf.
    """
    return chunk_proof_of(levels, index, 1)


def chunk_proof_of(levels: Sequence[Sequence[Node]], first: int, length: int) -> list[Node]:
    """Siblings above the ``length`` leaves from ``first``, which fill a power of two or run to the end.

    Raises
    ------
    FieldError
        There are no such leaves, or they are not aligned.
    """
    count = len(levels[0]) if levels else 0
    height = (length - 1).bit_length()
    aligned = first % 2**height == 0 and (length == 2**height or first + length == count)
    if length < 1 or not 0 <= first <= count - length or not aligned:
        raise FieldError(
            "chunk", (first, length), f"an aligned power of two, or to the end, of {count} leaves"
        )
    index, proof = first >> height, []
    for level in levels[height:-1]:
        if index ^ 1 < len(level):
            proof.append(level[index ^ 1])
        index >>= 1
    return proof
