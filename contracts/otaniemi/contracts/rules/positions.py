"""Positions: what accounts agreed on in any form but the call auction, and curtailment (protocol section 10).

A **record** is one side of an agreement. The records of an account, product and trading day form a hash chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from otaniemi.contracts.rules.errors import FieldError, within
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.orders import PRICE_BIAS, U8, U32, U64

MAX_POSITIONS = 512
"""Records of an account, product and trading day."""

MAX_PARTS = 256
"""Records of the day beyond which forms whose trades the other side can split add none."""

WHOLE = 1000
"""Permille that remain of a slot that is not curtailed."""

_HEAD_BYTES = 1 + 1 + 4 + 8 + 4 + 1 + 4
_WH_BYTES = 4
_COUNT_BITS = 16
_HEAD_MASK = (1 << 256) - (1 << _COUNT_BITS)


class Form(IntEnum):
    """Where accounts agree. The bills do not look at it."""

    CALL = 0
    CONTINUOUS = 1
    PACKAGE = 2
    BILATERAL = 3
    BLOCK = 4
    SEALED = 5
    DUTCH = 6


def most_positions(form: int) -> int:
    """Records of an account, product and trading day up to which ``form`` may add one."""
    return MAX_PARTS if form in (Form.CONTINUOUS, Form.DUTCH) else MAX_POSITIONS


@dataclass(frozen=True, slots=True)
class Position:
    """One side of an agreement: ``wh`` [Wh] of consecutive slots from ``slot``, all at ``price`` [micro-token/kWh].

    ``deal`` is the number of the agreement in its ``form``.
    """

    form: int
    buy: bool
    counterparty: int
    deal: int
    price: int
    source: int
    slot: int
    wh: tuple[int, ...]

    def __post_init__(self) -> None:
        within("form", self.form, 0, U8)
        within("counterparty", self.counterparty, 0, U32)
        within("deal", self.deal, 0, U64)
        within("price", self.price, -PRICE_BIAS, PRICE_BIAS - 1)
        within("source", self.source, 0, U8)
        within("slot", self.slot, 0, U32)
        for value in self.wh:
            within("wh", value, 0, U32)

    def wh_in(self, slot: int) -> int:
        """Energy of ``slot``, 0 outside of the position."""
        offset = slot - self.slot
        return self.wh[offset] if 0 <= offset < len(self.wh) else 0

    def record(self) -> bytes:
        """The side as the chain of its account holds it."""
        body = (
            self.form.to_bytes(1, "big")
            + bytes([self.buy])
            + self.counterparty.to_bytes(4, "big")
            + self.deal.to_bytes(8, "big")
            + (self.price + PRICE_BIAS).to_bytes(4, "big")
            + self.source.to_bytes(1, "big")
            + self.slot.to_bytes(4, "big")
        )
        return body + pack_wh(self.wh)

    @classmethod
    def of_record(cls, record: bytes) -> Position:
        """The side that ``record`` gave.

        Raises
        ------
        FieldError
            The length is not that of a record.
        """
        if len(record) < _HEAD_BYTES or (len(record) - _HEAD_BYTES) % _WH_BYTES:
            raise FieldError("length of a record", len(record), f"{_HEAD_BYTES} + {_WH_BYTES} a slot")
        sizes, at, values = (1, 1, 4, 8, 4, 1, 4), 0, []
        for size in sizes:
            values.append(int.from_bytes(record[at : at + size], "big"))
            at += size
        form, buy, counterparty, deal, biased, source, slot = values
        wh = unpack_wh(record[at:])
        return cls(form, bool(buy), counterparty, deal, biased - PRICE_BIAS, source, slot, wh)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What ``buyer`` and ``seller`` agreed on; see ``Position``."""

    buyer: int
    seller: int
    form: int
    deal: int
    price: int
    source: int
    slot: int
    wh: tuple[int, ...]

    def side(self, buy: bool) -> Position:
        """The position of the buyer, or of the seller."""
        other = self.seller if buy else self.buyer
        return Position(self.form, buy, other, self.deal, self.price, self.source, self.slot, self.wh)


def pack_wh(wh: Iterable[int]) -> bytes:
    """Energy of consecutive slots as records and events carry it."""
    return b"".join([value.to_bytes(_WH_BYTES, "big") for value in wh])


def unpack_wh(packed: bytes) -> tuple[int, ...]:
    """What ``pack_wh`` packed."""
    starts = range(0, len(packed), _WH_BYTES)
    return tuple([int.from_bytes(packed[at : at + _WH_BYTES], "big") for at in starts])


def append(chain: int, record_hash: bytes) -> int:
    """The chain with one record more: ``head u240 ‖ count u16``, where ``head = keccak(head u256 ‖ hash)``."""
    head, count = chain & _HEAD_MASK, chain & ~_HEAD_MASK
    return int.from_bytes(keccak(head.to_bytes(32, "big") + record_hash), "big") & _HEAD_MASK | count + 1


def chain_of(positions: Iterable[Position]) -> int:
    """The chain over ``positions`` in order, as the contract stores it; 0 without any."""
    chain = 0
    for position in positions:
        chain = append(chain, keccak(position.record()))
    return chain


def other_hashes(positions: Sequence[Position], index: int) -> tuple[bytes, ...]:
    """Hashes of all the records but ``index``, in order: with that record they replay the chain."""
    return tuple([keccak(position.record()) for at, position in enumerate(positions) if at != index])


def curtail(wh: int, permille: int) -> int:
    """What counts of ``wh`` [Wh, signed] where ``permille`` remain, rounded toward zero."""
    if permille == WHOLE:
        return wh
    return wh * permille // WHOLE if wh >= 0 else -(-wh * permille // WHOLE)
