"""Bill lines: what one account pays for one product in one slot (protocol section 7).

Signed money is what the account pays [nano-token]; signed energy is what it draws [Wh].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from otaniemi.contracts.rules.errors import FieldError
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.merkle_sum import Node
from otaniemi.contracts.rules.meters import MeterLeaf, Quality
from otaniemi.contracts.rules.packages import NO_PACKAGES, HomePackages, bounded, retail_money
from otaniemi.contracts.rules.positions import WHOLE, curtail
from otaniemi.contracts.rules.references import Reference, reference_levels
from otaniemi.contracts.rules.schedules import Scheduled
from otaniemi.contracts.rules.sums import LINE_TREE, Sums
from otaniemi.contracts.rules.tariffs import SlotTariff

LINE_TAG = b"\x02"
LINE_BYTES = 178

# Field of a line, its bytes, whether it is signed; in encoded order, number and root of the references follow.
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
_COUNT_BYTES = 4


@dataclass(frozen=True, slots=True)
class LineFields:
    """The numbers of a line.

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

    @property
    def sums(self) -> Sums:
        """What the line adds to the day."""
        return Sums(
            self.trade_wh, self.trade_money, self.retail, self.imbalance,
            self.grid_fee, self.platform_fee, self.lock_release, 0,
        )  # fmt: skip

    @property
    def reference_sums(self) -> Sums:
        """What the references of the line must add up to."""
        return self.sums._replace(retail=0, imbalance=0)


@dataclass(frozen=True, slots=True)
class LineHead(LineFields):
    """A line as it is hashed: its numbers, and the number and root of its references."""

    reference_count: int
    reference_root: bytes

    def encode(self) -> bytes:
        """The line's 178 bytes.

        Raises
        ------
        OverflowError
            A number does not fit its field.
        """
        fixed = b"".join(
            [getattr(self, name).to_bytes(size, "big", signed=signed) for name, size, signed in _LAYOUT]
        )
        return fixed + self.reference_count.to_bytes(_COUNT_BYTES, "big") + self.reference_root

    @classmethod
    def decode(cls, data: bytes) -> LineHead:
        """The line that ``encode`` wrote.

        Raises
        ------
        FieldError
            The length is not that of a line.
        """
        if len(data) != LINE_BYTES:
            raise FieldError("length of a line", len(data), str(LINE_BYTES))
        values, at = {}, 0
        for name, size, signed in _LAYOUT:
            values[name] = int.from_bytes(data[at : at + size], "big", signed=signed)
            at += size
        count = int.from_bytes(data[at : at + _COUNT_BYTES], "big")
        return cls(**values, reference_count=count, reference_root=data[at + _COUNT_BYTES :])

    def node(self) -> Node:
        """The line as a leaf of its account's subtree."""
        return Node(keccak(LINE_TAG + self.encode()), self.sums)


@dataclass(frozen=True, slots=True)
class Line(LineFields):
    """What an account pays for one product in one slot, and why."""

    references: tuple[Reference, ...]

    @property
    def head(self) -> LineHead:
        """The line as it is hashed."""
        levels = reference_levels(self.references)
        root = levels[-1][0].hash if levels else LINE_TREE.empty.hash
        numbers: dict[str, int] = {name: getattr(self, name) for name, _, _ in _LAYOUT}
        return LineHead(**numbers, reference_count=len(self.references), reference_root=root)

    def node(self) -> Node:
        """The line as a leaf of its account's subtree."""
        return self.head.node()


class Settled(NamedTuple):
    """The billed meter reading [Wh] and what it costs beside the trade [nano-token]."""

    meter_wh: int
    retail: int
    imbalance: int


def settle(
    trade_wh: int,
    schedule_wh: int,
    meter: MeterLeaf,
    tariff: SlotTariff,
    packages: HomePackages = NO_PACKAGES,
) -> Settled:
    """Retail and imbalance of one slot; an estimated meter is billed at its dearest candidate.

    ``tariff`` is one of ``slot_tariffs``; the daily fee of ``packages`` is part of retail.
    """
    tariff = bounded(tariff, packages)
    if meter.quality == Quality.MEASURED:
        return _settle(trade_wh, schedule_wh, meter.net_wh, tariff, packages)
    candidates = (max(schedule_wh, 0), meter.import_wh, 0)
    options = [_settle(trade_wh, schedule_wh, meter_wh, tariff, packages) for meter_wh in candidates]
    return max(options, key=lambda option: option.retail + option.imbalance)  # the first among equals


class Basis(NamedTuple):
    """What a line follows from besides its trades; ``remaining`` permille of the slot were not curtailed."""

    meter: MeterLeaf
    tariff: SlotTariff
    scheduled: Scheduled | None = None
    packages: HomePackages = NO_PACKAGES
    remaining: int = WHOLE


class Consequences(NamedTuple):
    """The fields of a line that follow from its basis and its traded energy; see ``LineFields``."""

    seq: int
    batch: int
    leaf: int
    schedule_wh: int
    meter_wh: int
    quality: int
    retail: int
    imbalance: int


def consequences(trade_wh: int, basis: Basis) -> Consequences:
    """What follows from ``basis`` where ``trade_wh`` were traded."""
    meter, tariff, scheduled, packages, remaining = basis
    # Without a nomination the schedule is the trade, which is curtailed already.
    wh = curtail(scheduled.wh, remaining) if scheduled else trade_wh
    _, seq, batch, leaf = scheduled or Scheduled(0, 0, 0, 0)
    meter_wh, retail, imbalance = settle(trade_wh, wh, meter, tariff, packages)
    return Consequences(seq, batch, leaf, wh, meter_wh, meter.quality, retail, imbalance)


def bill_line(product: int, slot: int, references: Sequence[Reference], basis: Basis) -> Line:
    """The line of the account of the basis's meter in ``slot``.

    ``references`` are to all trades of the account in that slot, unfilled orders too, ascending by place.
    """
    columns = zip(*[reference.added for reference in references], strict=True)
    trade_wh, trade_money, grid_fee, platform_fee, lock_release = map(sum, columns) if references else [0] * 5
    return Line(
        account=basis.meter.account,
        product=product,
        slot=slot,
        trade_wh=trade_wh,
        trade_money=trade_money,
        **consequences(trade_wh, basis)._asdict(),
        grid_fee=grid_fee,
        platform_fee=platform_fee,
        lock_release=lock_release,
        references=tuple(references),
    )


def _settle(
    trade_wh: int, schedule_wh: int, meter_wh: int, tariff: SlotTariff, packages: HomePackages
) -> Settled:
    deviation = meter_wh - schedule_wh
    retail = retail_money(schedule_wh - trade_wh, meter_wh, tariff, packages) + packages.daily_fee
    return Settled(meter_wh, retail, deviation * (tariff.short if deviation > 0 else tariff.long))
