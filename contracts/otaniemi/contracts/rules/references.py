"""References: the trades behind a line of the bills, each an order or a position (protocol section 7).

Signed money is what the account pays [nano-token]; signed energy is what it draws [Wh].
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from otaniemi.contracts.rules.calendar import Rules
from otaniemi.contracts.rules.errors import FieldError
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.merkle_sum import Node
from otaniemi.contracts.rules.orders import lock
from otaniemi.contracts.rules.positions import Position, curtail
from otaniemi.contracts.rules.sums import LINE_TREE

REFERENCE_TAG = b"\x06"
REFERENCE_BYTES = 13

_SUM_BYTES = 16
_SUMMED = 5


class Kind(IntEnum):
    """What a reference points at."""

    ORDER = 0  # record `index` of the call auction of session `chain`
    POSITION = 1  # record `index` of the account's positions of the day, `chain` 0


@dataclass(frozen=True, slots=True)
class Reference:
    """A trade as a line refers to it: ``fill`` is what counts of it [Wh], the rest what it adds to the line."""

    kind: int
    chain: int
    index: int
    fill: int
    trade_wh: int
    trade_money: int
    grid_fee: int
    platform_fee: int
    lock_release: int

    @property
    def place(self) -> tuple[int, int, int]:
        """What the trade is told by; references of a line ascend by it."""
        return self.kind, self.chain, self.index

    @property
    def added(self) -> tuple[int, int, int, int, int]:
        """What the reference adds to its line: traded energy and money, both fees, the lock."""
        return self.trade_wh, self.trade_money, self.grid_fee, self.platform_fee, self.lock_release

    def encode(self) -> bytes:
        """The reference as it is hashed; its sums stand beside the hash, in the node above."""
        word = self.kind << 96 | self.chain << 64 | self.index << 32 | self.fill
        return word.to_bytes(REFERENCE_BYTES, "big")

    def node(self) -> Node:
        """The reference as a leaf of its line's tree."""
        wh, money, grid_fee, platform_fee, locked = self.added
        sums = (wh, money, 0, 0, grid_fee, platform_fee, locked, 0)
        return Node(keccak(REFERENCE_TAG + self.encode()), sums)

    def pack(self) -> bytes:
        """The reference with what it adds, 93 bytes."""
        return self.encode() + b"".join(
            [value.to_bytes(_SUM_BYTES, "big", signed=True) for value in self.added]
        )

    @classmethod
    def unpack_all(cls, packed: bytes) -> tuple[Reference, ...]:
        """The references that ``pack`` packed, one behind the other.

        Raises
        ------
        FieldError
            The length is no multiple of a packed reference's.
        """
        size = REFERENCE_BYTES + _SUMMED * _SUM_BYTES
        if len(packed) % size:
            raise FieldError("length of references", len(packed), f"a multiple of {size}")
        return tuple([_unpack(packed[at : at + size]) for at in range(0, len(packed), size)])


def decode_place(data: bytes) -> tuple[int, int, int, int]:
    """Kind, chain, index and fill of an encoded reference.

    Raises
    ------
    FieldError
        The length is not that of a reference.
    """
    if len(data) != REFERENCE_BYTES:
        raise FieldError("length of a reference", len(data), str(REFERENCE_BYTES))
    word = int.from_bytes(data, "big")
    return word >> 96, word >> 64 & 0xFFFFFFFF, word >> 32 & 0xFFFFFFFF, word & 0xFFFFFFFF


def refer_order(
    rules: Rules, session: int, index: int, buy: bool, fill: int, money: int, locked: int
) -> Reference:
    """The right reference to an order of which ``fill`` Wh count, for ``money`` (paid, signed) [nano-token]."""
    return _refer(rules, (Kind.ORDER, session, index), buy, fill, money, locked)


def refer_position(rules: Rules, index: int, position: Position, slot: int, permille: int) -> Reference:
    """The right reference to the energy of a position in a slot of which ``permille`` remain."""
    buy, wh = position.buy, position.wh_in(slot)
    fill = curtail(wh, permille)
    money = (fill if buy else -fill) * position.price
    return _refer(rules, (Kind.POSITION, 0, index), buy, fill, money, lock(rules, buy, position.price, wh))


def reference_levels(references: tuple[Reference, ...]) -> list[list[Node]]:
    """The tree over a line's references, from the leaves to the root; no levels without references."""
    return LINE_TREE.levels([reference.node() for reference in references])


def _refer(
    rules: Rules, place: tuple[int, int, int], buy: bool, fill: int, money: int, locked: int
) -> Reference:
    wh, bought = (fill, fill) if buy else (-fill, 0)
    return Reference(*place, fill, wh, money, rules.grid_fee * bought, rules.platform_fee * bought, locked)


def _unpack(data: bytes) -> Reference:
    sums = [
        int.from_bytes(data[at : at + _SUM_BYTES], "big", signed=True)
        for at in range(REFERENCE_BYTES, len(data), _SUM_BYTES)
    ]
    return Reference(*decode_place(data[:REFERENCE_BYTES]), *sums)
