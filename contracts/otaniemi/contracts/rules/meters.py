"""Meter readings of a slot and the tree that commits to them (protocol section 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

from otaniemi.contracts.rules.errors import FieldError, within
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.merkle_sum import Node, SumTree, proof_of

METER_TREE = SumTree(tag=b"\x01", width=2, size=8, signed=False)

_LEAF_TAG = b"\x00"
_SALT_BYTES = 32
_LEAF_BYTES = 13 + _SALT_BYTES


class Quality(IntEnum):
    """Where a reading comes from."""

    MEASURED = 0
    ESTIMATED = 1  # no reading: import is the estimate from the account's past, export 0


@dataclass(frozen=True, slots=True)
class MeterLeaf:
    """Energy through an account's meter in one slot [Wh]; ``salt`` keeps it from being guessed."""

    account: int
    import_wh: int
    export_wh: int
    quality: int
    salt: bytes

    def __post_init__(self) -> None:
        within("account", self.account, 0, 2**32 - 1)
        within("import_wh", self.import_wh, 0, 2**32 - 1)
        within("export_wh", self.export_wh, 0, 2**32 - 1)
        within("quality", self.quality, Quality.MEASURED, Quality.ESTIMATED)
        if self.quality == Quality.ESTIMATED and self.export_wh:
            raise FieldError("export_wh of an estimate", self.export_wh, "0")
        if len(self.salt) != _SALT_BYTES:
            raise FieldError("length of salt", len(self.salt), f"{_SALT_BYTES} bytes")

    @property
    def net_wh(self) -> int:
        """Import less export."""
        return self.import_wh - self.export_wh

    def pack(self) -> bytes:
        """Account, import, export, quality and salt, 45 bytes."""
        return (
            self.account.to_bytes(4, "big")
            + self.import_wh.to_bytes(4, "big")
            + self.export_wh.to_bytes(4, "big")
            + bytes([self.quality])
            + self.salt
        )

    @classmethod
    def unpack_all(cls, data: bytes) -> tuple[MeterLeaf, ...]:
        """The leaves that were packed one after the other."""
        return tuple(cls._unpack(data[at : at + _LEAF_BYTES]) for at in range(0, len(data), _LEAF_BYTES))

    @classmethod
    def _unpack(cls, data: bytes) -> MeterLeaf:
        account, import_wh, export_wh = (int.from_bytes(data[at : at + 4], "big") for at in (0, 4, 8))
        return cls(account, import_wh, export_wh, data[12], data[13:])

    def node(self) -> Node:
        """The leaf in the tree of its slot, with its sums."""
        return Node(keccak(_LEAF_TAG + self.pack()), (self.import_wh, self.export_wh))


@dataclass(frozen=True, slots=True)
class MeterReport:
    """What the reporters sign of one slot: the root over its ``count`` leaves and their totals [Wh].

    ``round`` numbers what they sign of it: a reporter signs one value a round.
    """

    community: int
    product: int
    slot: int
    root: bytes
    import_wh: int
    export_wh: int
    count: int
    round: int = 0


def meter_levels(leaves: Sequence[MeterLeaf]) -> list[list[Node]]:
    """The tree over ``leaves``, accounts strictly ascending, from the leaves to the root.

    Raises
    ------
    FieldError
        An account is listed twice or out of order.
    """
    accounts = [leaf.account for leaf in leaves]
    if any(left >= right for left, right in pairwise(accounts)):
        raise FieldError("accounts of meter leaves", accounts, "strictly ascending")
    return METER_TREE.levels([leaf.node() for leaf in leaves])


def meter_report(community: int, product: int, slot: int, leaves: Sequence[MeterLeaf]) -> MeterReport:
    """The report over ``leaves`` of one slot.

    Raises
    ------
    FieldError
        An account is listed twice or out of order.
    """
    levels = meter_levels(leaves)
    root = levels[-1][0] if levels else METER_TREE.empty
    import_wh, export_wh = root.sums
    return MeterReport(community, product, slot, root.hash, import_wh, export_wh, len(leaves))


def meter_proof(leaves: Sequence[MeterLeaf], index: int) -> list[Node]:
    """Siblings that prove leaf ``index``, from the bottom up."""
    return proof_of(meter_levels(leaves), index)
