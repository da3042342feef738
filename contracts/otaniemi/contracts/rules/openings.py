"""The bills' tree from the root down, as challenges and demands open it (protocol section 7).

Bills claim hash and sums of their root. A **preimage** of a claimed hash claims hashes and sums of the nodes below it.
It is a node as it is opened, with its tag in front; inner nodes and accounts are hashed from less (see ``hash_of``).
Nothing but hashes is checked on the way, so wrong sums cannot hide what is below them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from operator import add

from otaniemi.contracts.rules.bills import ACCOUNT_TAG, PRODUCT_BITS, Bills
from otaniemi.contracts.rules.errors import BillError
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.lines import LINE_BYTES, LINE_TAG, LineHead
from otaniemi.contracts.rules.merkle_sum import Node
from otaniemi.contracts.rules.references import REFERENCE_BYTES, REFERENCE_TAG, reference_levels
from otaniemi.contracts.rules.sums import LINE_TREE, Sums

_NODE_BYTES = 160
_HEAD_BYTES = 36


class Stage(IntEnum):
    """What a claimed node is."""

    UPPER = 0  # inner node over accounts
    ACCOUNT = 1
    SUBTREE = 2  # inner node over an account's lines, or a place where there are none
    LINE = 3
    BRANCH = 4  # inner node over a line's references
    REFERENCE = 5
    END = 6  # nothing is below: an opened reference, or an opened line without references


_TAG_AND_BYTES = {
    Stage.UPPER: (LINE_TREE.tag, 2 * _NODE_BYTES),
    Stage.ACCOUNT: (ACCOUNT_TAG, _HEAD_BYTES + _NODE_BYTES),
    Stage.SUBTREE: (LINE_TREE.tag, 2 * _NODE_BYTES),
    Stage.LINE: (LINE_TAG, LINE_BYTES),
    Stage.BRANCH: (LINE_TREE.tag, 2 * _NODE_BYTES),
    Stage.REFERENCE: (REFERENCE_TAG, REFERENCE_BYTES),
}
_BYTES_OF_INNER = dict((_TAG_AND_BYTES[Stage.UPPER], _TAG_AND_BYTES[Stage.ACCOUNT]))


@dataclass(frozen=True, slots=True)
class Path:
    """A top-down opening as the court takes it.

    ``nodes`` are the root's hash and sums, and the preimages on the way, one behind the other, without their tags;
    the indices say which way the path goes.
    """

    account_index: int
    position: int
    reference: int
    nodes: bytes


@dataclass(frozen=True, slots=True)
class Opening:
    """A node that bills claim, and the way to it.

    Attributes
    ----------
    node : Node
        As claimed by the node above; at ``Stage.END`` the opened reference as claimed.
    stage : Stage
    height, index : int
        Where it stands in its tree: among the accounts, the account's places, or the line's references.
    count, depth : int
        Number of accounts, and depth of an account's subtree.
    nodes : bytes
        See ``Path``.
    account_index, position : int
        Of the account and the place on the way, 0 above them.
    account : int
        Number of the opened account, 0 above it.
    line : LineHead or None
        The opened line, None above it.
    reference : bytes
        The opened reference.
    """

    node: Node
    stage: Stage
    height: int
    index: int
    count: int
    depth: int
    nodes: bytes
    account_index: int = 0
    position: int = 0
    account: int = 0
    line: LineHead | None = None
    reference: bytes = b""

    @property
    def path(self) -> Path:
        """The way to the node."""
        at = self.index << self.height
        if self.stage <= Stage.ACCOUNT:
            return Path(at, 0, 0, self.nodes)
        if self.stage <= Stage.LINE:
            return Path(self.account_index, at, 0, self.nodes)
        return Path(self.account_index, self.position, at, self.nodes)

    @property
    def places(self) -> range:
        """Indices of the accounts, places or references that stand below the node."""
        return range(self.index << self.height, (self.index + 1) << self.height)

    @property
    def is_empty(self) -> bool:
        """Whether the node claims that an account has no lines here."""
        return self.stage in (Stage.SUBTREE, Stage.LINE) and self.node == LINE_TREE.empty

    def is_preimage(self, preimage: bytes) -> bool:
        """Whether ``preimage``, with its tag, has the form of what the node is."""
        tag, size = _TAG_AND_BYTES[self.stage]
        return preimage[:1] == tag and len(preimage) == 1 + size

    def is_right(self, preimage: bytes) -> bool:
        """Whether the node is well formed and its sums are what its ``preimage`` makes of them.

        An account also says what it owes and its retail money. What a reference adds does not follow from its preimage
        and is not looked at.
        """
        if not self.is_preimage(preimage):
            return False
        body, claimed = preimage[1:], Sums(*self.node.sums)
        match self.stage:
            case Stage.ACCOUNT:
                sums = Sums(*unpack_node(body[_HEAD_BYTES:]).sums)
                said = [int.from_bytes(body[at : at + LINE_TREE.size], "big", signed=True) for at in (4, 20)]
                if said != [sums.due, sums.retail]:
                    return False
                right = sums._replace(debit=max(sums.due, 0))
            case Stage.LINE:
                right = LineHead.decode(body).sums
            case Stage.REFERENCE:
                return True
            case _:
                left, other = unpack_node(body[:_NODE_BYTES]), unpack_node(body[_NODE_BYTES:])
                right = Sums(*map(add, left.sums, other.sums))
        # A sum beyond 128 bits cannot be claimed, so it differs.
        return claimed == right

    def open(self, preimage: bytes) -> list[Opening]:
        """The nodes that the ``preimage``, with its tag, claims: one, or two from left to right.

        Raises
        ------
        BillError
            It is no preimage of the node, or not of its form.
        """
        if not self.is_preimage(preimage) or hash_of(preimage) != self.node.hash:
            raise BillError(f"{preimage[:9].hex()}.. is no preimage of a node of stage {self.stage.name}")
        body = preimage[1:]
        below = replace(self, nodes=self.nodes + body)
        match self.stage:
            case Stage.ACCOUNT:
                account = int.from_bytes(body[:4], "big")
                opened = replace(below, account=account, account_index=self.index)
                return [opened._at(unpack_node(body[_HEAD_BYTES:]), Stage.SUBTREE, self.depth, 0)]
            case Stage.LINE:
                line = LineHead.decode(body)
                node = Node(line.reference_root, line.reference_sums)
                opened = replace(below, line=line, position=self.index)
                if not line.reference_count:
                    return [opened._at(node, Stage.END, 0, 0)]
                height = (line.reference_count - 1).bit_length()
                return [opened._at(node, Stage.BRANCH, height, 0)]
            case Stage.REFERENCE:
                return [replace(below, stage=Stage.END, reference=body)]
            case _:
                pair = unpack_node(body[:_NODE_BYTES]), unpack_node(body[_NODE_BYTES:])
                return [
                    below._at(node, self.stage, self.height - 1, 2 * self.index + side)
                    for side, node in enumerate(pair)
                ]

    def _at(self, node: Node, stage: Stage, height: int, index: int) -> Opening:
        """The opening at a place of a tree; an odd last node stands where it was promoted from."""
        width = None
        if stage == Stage.UPPER:
            width = self.count
        elif stage == Stage.BRANCH:
            assert self.line is not None
            width = self.line.reference_count
        while width is not None and height and (2 * index + 1) << (height - 1) >= width:
            height, index = height - 1, 2 * index
        if not height:
            leaf = {Stage.UPPER: Stage.ACCOUNT, Stage.SUBTREE: Stage.LINE, Stage.BRANCH: Stage.REFERENCE}
            stage = leaf.get(stage, stage)
        return replace(self, node=node, stage=stage, height=height, index=index)


def open_root(root: Node, count: int, slots_per_day: int) -> Opening:
    """The root of bills over ``count`` accounts, at least one."""
    depth = (slots_per_day - 1).bit_length() + PRODUCT_BITS
    height = (count - 1).bit_length()
    blank = Opening(root, Stage.UPPER, height, 0, count, depth, LINE_TREE.pack(root))
    return blank._at(root, Stage.UPPER, height, 0)


def hash_of(preimage: bytes) -> bytes:
    """Hash of the node that ``preimage`` opens, zero where it has the tag of an inner node and opens none."""
    tag, body = preimage[:1], preimage[1:]
    if tag not in (LINE_TREE.tag, ACCOUNT_TAG):
        return keccak(preimage)
    if len(body) != _BYTES_OF_INNER[tag]:
        return LINE_TREE.empty.hash
    if tag == ACCOUNT_TAG:
        return keccak(tag + body[:_HEAD_BYTES] + keccak(body[_HEAD_BYTES:]))
    left, right = body[:_NODE_BYTES], body[_NODE_BYTES:]
    return keccak(tag + left[:32] + right[:32] + keccak(left[32:] + right[32:]))


def unpack_node(packed: bytes) -> Node:
    """The node that ``LINE_TREE.pack`` packed."""
    starts = range(32, _NODE_BYTES, LINE_TREE.size)
    sums = [int.from_bytes(packed[at : at + LINE_TREE.size], "big", signed=True) for at in starts]
    return Node(packed[:32], tuple(sums))


def preimages(bills: Bills, besides: Bills | None = None) -> dict[bytes, bytes]:
    """Preimage, with its tag, of every hash of the tree of ``bills``.

    Parameters
    ----------
    bills : Bills
    besides : Bills, optional
        Accounts whose bill is the same there are left out, but for their nodes.
    """
    known: dict[bytes, bytes] = {}
    same = {bill.node for bill in besides.accounts} if besides else set()

    def enter(tag: bytes, body: bytes) -> None:
        preimage = tag + body
        known[hash_of(preimage)] = preimage

    def enter_levels(levels: list[list[Node]]) -> None:
        for level in levels[:-1]:
            for left, right in zip(level[::2], level[1::2], strict=False):
                enter(LINE_TREE.tag, LINE_TREE.pack(left) + LINE_TREE.pack(right))

    enter_levels(bills.levels)
    for bill in bills.accounts:
        enter(ACCOUNT_TAG, bill.opened)
        if bill.node in same:
            continue
        for level, above in zip(bill.levels, bill.levels[1:], strict=False):
            for at in above:
                pair = level.get(2 * at, LINE_TREE.empty), level.get(2 * at + 1, LINE_TREE.empty)
                enter(LINE_TREE.tag, LINE_TREE.pack(pair[0]) + LINE_TREE.pack(pair[1]))
        for line in bill.lines:
            enter(LINE_TAG, line.head.encode())
            enter_levels(reference_levels(line.references))
            for reference in line.references:
                enter(REFERENCE_TAG, reference.encode())
    return known
