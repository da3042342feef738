"""Bill lines: what one account pays for one product in one slot (protocol section 7).

Signed money is what the account pays [nano-token]; signed energy is what it draws [Wh].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from otaniemi.contracts.rules.calendar import Rules
from otaniemi.contracts.rules.errors import BillError, FieldError
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.merkle_sum import Node, SumTree
from otaniemi.contracts.rules.meters import MeterLeaf, Quality
from otaniemi.contracts.rules.orders import lock
from otaniemi.contracts.rules.schedules import Scheduled
from otaniemi.contracts.rules.tariffs import SlotTariff

MAX_REFERENCES = 64

LINE_TREE = SumTree(tag=b"\x03", width=8, size=16, signed=True)

_LINE_TAG = b"\x02"
_REFERENCE_BYTES = 9
# Field of a line, its bytes, whether it is signed; in encoded order, references follow.
_LAYOUT = (
    ("account", 4, False),
    ("product", 1, False),
    ("slot", 4, False),
    ("trade_wh", 8, True),
    ("trade_money", 16, True),
    ("seq", 4, False),
    ("batch", 4, False),
    ("leaf", 4, False),
    ("schedule_wh", 8, True),
    ("meter_wh", 8, True),
    ("quality", 1, False),
    ("retail", 16, True),
    ("imbalance", 16, True),
    ("grid_fee", 16, True),
    ("platform_fee", 16, True),
    ("lock_release", 16, True),
)
_FIXED_BYTES = sum(size for _, size, _ in _LAYOUT)


class Sums(NamedTuple):
    """What nodes of the bills' tree add up; ``debit`` is 0 below the account nodes."""

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


@dataclass(frozen=True, slots=True)
class Reference:
    """An order behind a line: record ``index`` of the market in ``session``, and what it traded [Wh]."""

    session: int
    index: int
    fill: int


@dataclass(frozen=True, slots=True)
class Line:
    """What an account pays for one product in one slot, and why.

    ``seq``, ``batch`` and ``leaf`` locate the nomination (all 0 without one); ``meter_wh`` is the billed
    reading.
    """

    account: int
    product: int
    slot: int
    trade_wh: int
    trade_money: int
    seq: int
    batch: int
    leaf: int
    schedule_wh: int
    meter_wh: int
    quality: int
    retail: int
    imbalance: int
    grid_fee: int
    platform_fee: int
    lock_release: int
    references: tuple[Reference, ...]

    @property
    def sums(self) -> Sums:
        """What the line adds to the day."""
        return Sums(
            self.trade_wh, self.trade_money, self.retail, self.imbalance,
            self.grid_fee, self.platform_fee, self.lock_release, 0,
        )  # fmt: skip

    def encode(self) -> bytes:
        """The line as it is hashed and published."""
        fixed = b"".join(
            [getattr(self, name).to_bytes(size, "big", signed=signed) for name, size, signed in _LAYOUT]
        )
        return fixed + b"".join(
            [
                (r.session << 64 | r.index << 32 | r.fill).to_bytes(_REFERENCE_BYTES, "big")
                for r in self.references
            ]
        )

    @classmethod
    def decode(cls, data: bytes) -> Line:
        """The line that ``encode`` wrote.

        Raises
        ------
        FieldError
            The length is not that of a line.
        """
        count, rest = divmod(len(data) - _FIXED_BYTES, _REFERENCE_BYTES)
        if count < 0 or rest:
            raise FieldError(
                "length of a line", len(data), f"{_FIXED_BYTES} + {_REFERENCE_BYTES} a reference"
            )
        values, at = {}, 0
        for name, size, signed in _LAYOUT:
            values[name] = int.from_bytes(data[at : at + size], "big", signed=signed)
            at += size
        references = []
        for start in range(at, len(data), _REFERENCE_BYTES):
            word = int.from_bytes(data[start : start + _REFERENCE_BYTES], "big")
            references.append(Reference(word >> 64, word >> 32 & 0xFFFFFFFF, word & 0xFFFFFFFF))
        return cls(**values, references=tuple(references))

    def node(self) -> Node:
        """The line as a leaf of its account's subtree."""
        return Node(keccak(_LINE_TAG + self.encode()), self.sums)


@dataclass(frozen=True, slots=True)
class FilledOrder:
    """An order of one account in one slot, with its fill [Wh] and the clearing price ``at`` of its market."""

    session: int
    index: int
    buy: bool
    price: int
    quantity: int
    fill: int
    at: int


class Settled(NamedTuple):
    """The billed meter reading [Wh] and what it costs beside the trade [nano-token]."""

    meter_wh: int
    retail: int
    imbalance: int


def settle(trade_wh: int, schedule_wh: int, meter: MeterLeaf, tariff: SlotTariff) -> Settled:
    """Retail and imbalance of one slot; an estimated meter is billed at its dearest candidate."""
    if meter.quality == Quality.MEASURED:
        return _settle(trade_wh, schedule_wh, meter.net_wh, tariff)
    candidates = (max(schedule_wh, 0), meter.import_wh, 0)
    options = [_settle(trade_wh, schedule_wh, meter_wh, tariff) for meter_wh in candidates]
    return max(options, key=lambda option: option.retail + option.imbalance)  # the first among equals


def bill_line(
    rules: Rules,
    product: int,
    slot: int,
    orders: Sequence[FilledOrder],
    scheduled: Scheduled | None,
    meter: MeterLeaf,
    tariff: SlotTariff,
) -> Line:
    """The line of the account of ``meter`` in ``slot``.

    ``orders`` are all of the account in that slot, unfilled ones too, ascending by (session, index).

    Raises
    ------
    BillError
        More orders than a line can refer to.
    """
    if len(orders) > MAX_REFERENCES:
        raise BillError(
            f"account {meter.account} has {len(orders)} orders in slot {slot}; a line holds {MAX_REFERENCES}"
        )
    bought = sum(order.fill for order in orders if order.buy)
    sold = sum(order.fill for order in orders if not order.buy)
    trade_wh = bought - sold
    wh, seq, batch, leaf = scheduled or Scheduled(trade_wh, 0, 0, 0)
    settled = settle(trade_wh, wh, meter, tariff)
    return Line(
        account=meter.account,
        product=product,
        slot=slot,
        trade_wh=trade_wh,
        trade_money=sum((order.fill if order.buy else -order.fill) * order.at for order in orders),
        seq=seq,
        batch=batch,
        leaf=leaf,
        schedule_wh=wh,
        meter_wh=settled.meter_wh,
        quality=meter.quality,
        retail=settled.retail,
        imbalance=settled.imbalance,
        grid_fee=rules.grid_fee * bought,
        platform_fee=rules.platform_fee * bought,
        lock_release=sum(lock(rules, order.buy, order.price, order.quantity) for order in orders),
        references=tuple([Reference(order.session, order.index, order.fill) for order in orders]),
    )


def _settle(trade_wh: int, schedule_wh: int, meter_wh: int, tariff: SlotTariff) -> Settled:
    residual, deviation = schedule_wh - trade_wh, meter_wh - schedule_wh
    if residual >= 0:
        retail = residual * tariff.import_price
    else:
        paid = min(-residual, max(-meter_wh, 0))
        retail = -(paid * tariff.feed_in + (-residual - paid) * tariff.long)
    imbalance = deviation * (tariff.short if deviation > 0 else tariff.long)
    return Settled(meter_wh, retail, imbalance)
