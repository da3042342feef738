"""What a run produced: the record that the summary and the report are made from.

Energy is integer Wh per slot, import positive; prices are integer micro-token per kWh (None where nothing traded);
money is integer nano-token. Arrays are shaped (homes, slots) or (slots,) as each field states.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class SessionResult:
    """One session's outcome over the slots of the run: clearing price and traded volume.

    ``price_micro[i]`` is None where session ``session`` traded nothing in slot ``i``; ``volume_wh[i]`` is then 0.
    """

    session: int
    name: str
    price_micro: list[int | None]
    volume_wh: list[int]


@dataclass(frozen=True)
class BookOrder:
    """One order of the sample order book; quantity and fill in Wh."""

    account: int
    buy: bool
    price_micro: int
    quantity_wh: int
    fill_wh: int
    source: str


@dataclass(frozen=True)
class SampleBook:
    """The order book of the market that traded most."""

    slot_index: int
    session_name: str
    price_micro: int
    orders: list[BookOrder]


@dataclass(frozen=True)
class Temperature:
    """A thermal device's temperature at the end of every slot and its band [°C], by the device's field."""

    device: str
    reached_c: FloatArray
    min_c: float
    max_c: float


@dataclass(frozen=True)
class HomeResult:
    """One home over the run; every array has one value per slot.

    ``planned_wh`` is the net energy of the last day-ahead plan, ``trade_wh``, ``schedule_wh`` and ``meter_wh`` are
    t, s and m of the settlement (import positive). ``sold_wh`` maps a source name to what was sold from it.
    ``device_wh`` maps "load", "pv", "battery", "ev", "appliances", "thermal" to Wh at the meter side (consumption
    positive). ``battery_soc`` and ``ev_soc`` are at the end of the slot, None without the device (NaN while a car is
    away). ``temperatures`` are those of its thermal devices. ``packages`` names what it has of the retailer, and
    ``contracts_wh`` maps the name of a neighbour to the energy of their contracts, bought positive.
    """

    name: str
    account: int
    devices: list[str]
    cost_alone_nano: int
    cost_market_nano: int
    planned_wh: IntArray
    trade_wh: IntArray
    schedule_wh: IntArray
    meter_wh: IntArray
    sold_wh: dict[str, int]
    device_wh: dict[str, IntArray]
    battery_soc: FloatArray | None
    ev_soc: FloatArray | None
    bill_nano: dict[str, int]
    temperatures: list[Temperature] = field(default_factory=list)
    packages: list[str] = field(default_factory=list)
    contracts_wh: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class RunRecord:
    """Everything the report shows.

    ``slot_starts`` are local ISO times, ``gas`` maps a category (relay, clear, nominate, report, settle, ...) to gas,
    ``summary`` is what ``summary.json`` holds, ``limits`` are sentences that say what limited each day,
    ``imbalance_split_wh`` maps cause (market, forecast, control) to Wh of absolute deviation; ``mechanisms`` holds the
    first day in every choice of forms, a `MechanismRow` each.
    """

    title: str
    data_source: str
    slot_starts: list[str]
    slot_seconds: int
    import_micro: list[int]
    feed_in_micro: list[int]
    local_fee_micro: int
    sessions: list[SessionResult]
    homes: list[HomeResult]
    book: SampleBook | None
    gas: dict[str, int]
    blocks: int
    head_hash: str
    audit_lines: list[str]
    limits: list[str]
    imbalance_split_wh: dict[str, int]
    summary: dict[str, Any]
    mechanisms: Sequence[Mapping[str, Any]] = ()
    notes: list[str] = field(default_factory=list)
