"""What nodes of the bills add up, and the tree that adds it (protocol section 7)."""

from __future__ import annotations

from typing import NamedTuple

from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.merkle_sum import Node, SumTree


class LineTree(SumTree):
    """A tree of which a pass is shown the hash of two nodes' sums in place of the sums."""

    def hash_over(self, left: Node, right: Node) -> bytes:
        """Hash of the node over ``left`` and ``right``."""
        return keccak(self.tag + left.hash + right.hash + self.hash_sums(left, right))

    def hash_sums(self, left: Node, right: Node) -> bytes:
        """Hash of the sums of both."""
        return keccak(self.pack_sums(left) + self.pack_sums(right))

    def commitment(self, node: Node) -> bytes:
        """Hash of a node's hash and sums."""
        return keccak(self.pack(node))


LINE_TREE = LineTree(tag=b"\x03", width=8, size=16, signed=True)
"""The rule of every inner node of the bills: over accounts, over an account's lines, over a line's references."""


class Sums(NamedTuple):
    """What a node adds up [Wh, nano-token]; ``debit`` is 0 below the account nodes."""

    trade_wh: int
    trade_money: int
    retail: int
    imbalance: int
    grid_fee: int
    platform_fee: int
    lock_release: int
    debit: int

    @property
    def due(self) -> int:
        """What is to be paid beyond the released locks; negative is a credit."""
        charges = self.trade_money + self.retail + self.imbalance + self.grid_fee + self.platform_fee
        return charges - self.lock_release
