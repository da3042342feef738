"""Rules of a community and the calendar that follows from them: slots, trading days, gates.

Times are Unix seconds. A slot is ``time // slot_seconds``; a trading day starts at local midnight of the
community's fixed offset.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any

from otaniemi.contracts.rules.errors import FieldError, within

DAY_SECONDS = 86_400
MIN_SLOT_SECONDS = 60
MAX_UTC_OFFSET = 14 * 3_600
MAX_SESSIONS = 8
MAX_LEAD_SECONDS = 8 * DAY_SECONDS  # how far ahead of its start a slot can be ordered
MAX_BILL_DELAY = 14 * DAY_SECONDS  # with it no lock outlasts the notice of a new module
MAX_BILL_WINDOW = 7 * DAY_SECONDS
PRICE_LIMIT = 2**31 - 1

_ADDRESS = re.compile("0x[0-9a-f]{40}")

_U32, _U64 = 2**32 - 1, 2**64 - 1
_RANGES = (
    ("slot_seconds", MIN_SLOT_SECONDS, DAY_SECONDS),
    ("utc_offset", -MAX_UTC_OFFSET, MAX_UTC_OFFSET),
    ("products", 1, 7),
    ("price_min", -PRICE_LIMIT, PRICE_LIMIT),
    ("price_max", -PRICE_LIMIT, PRICE_LIMIT),
    ("grid_fee", 0, PRICE_LIMIT),
    ("platform_fee", 0, PRICE_LIMIT),
    ("short_cap", 1, PRICE_LIMIT),
    ("connection_limit_wh", 1, PRICE_LIMIT),
    ("retailer", 0, _U32),
    ("grid_operator", 0, _U32),
    ("platform", 0, _U32),
    ("nomination_batch_lead", 0, _U32),
    ("nomination_direct_lead", 0, _U32),
    ("meter_window", 1, _U32),
    ("bill_delay", 0, MAX_BILL_DELAY),
    ("bill_window", 1, MAX_BILL_WINDOW),
    ("deviation_limit", 1, PRICE_LIMIT),
    ("challenge_window", 1, _U32),
    ("bond", 1, _U64),
)


class Product(IntEnum):
    """What is traded."""

    ELECTRICITY = 0
    HEAT = 1
    COOLING = 2


class Source(IntEnum):
    """Where the energy of an order comes from."""

    GRID = 0
    PV = 1
    BATTERY = 2
    V2H = 3
    CHP = 4


@dataclass(frozen=True, slots=True)
class Session:
    """One round of trading for a slot.

    ``relay_gate`` and ``direct_gate`` are seconds relative to the start of the trading day, or of the slot
    when ``per_slot``; a market is cleared between its direct gate and its slot, so the gate comes before the start.
    """

    per_slot: bool
    relay_gate: int
    direct_gate: int

    def __post_init__(self) -> None:
        within("direct_gate", self.direct_gate, -MAX_LEAD_SECONDS, -1)
        within("relay_gate", self.relay_gate, -MAX_LEAD_SECONDS, self.direct_gate)


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds in a community (protocol section 8).

    Prices and fees are micro-token per kWh, energy Wh, durations seconds, ``bond`` nano-token. ``products``
    has a bit per product that is traded and metered; ``reporters`` are checksummed addresses, ascending.
    """

    slot_seconds: int
    utc_offset: int
    products: int
    price_min: int
    price_max: int
    grid_fee: int
    platform_fee: int
    short_cap: int
    connection_limit_wh: int
    retailer: int
    grid_operator: int
    platform: int
    nomination_batch_lead: int
    nomination_direct_lead: int
    meter_window: int
    bill_delay: int
    bill_window: int
    deviation_limit: int
    challenge_window: int
    bond: int
    reporters: tuple[str, ...]
    quorum: int
    sessions: tuple[Session, ...]

    def __post_init__(self) -> None:
        for field, low, high in _RANGES:
            within(field, getattr(self, field), low, high)
        if DAY_SECONDS % self.slot_seconds:
            raise FieldError("slot_seconds", self.slot_seconds, f"a divisor of {DAY_SECONDS:,}")
        if self.utc_offset % self.slot_seconds:
            raise FieldError("utc_offset", self.utc_offset, f"a multiple of slot_seconds {self.slot_seconds}")
        within("price_max", self.price_max, self.price_min + 1, PRICE_LIMIT)
        within("platform_fee", self.platform_fee, 0, PRICE_LIMIT - self.grid_fee)
        within("nomination_direct_lead", self.nomination_direct_lead, 0, self.nomination_batch_lead)
        least_delay = self.meter_window + 2 * self.challenge_window
        within("bill_delay", self.bill_delay, least_delay, max(least_delay, MAX_BILL_DELAY))
        addresses = [address.lower() for address in self.reporters]
        if not all(map(_ADDRESS.fullmatch, addresses)) or addresses != sorted(set(addresses)):
            raise FieldError("reporters", self.reporters, "distinct addresses in ascending order")
        within("quorum", self.quorum, len(self.reporters) // 2 + 1, max(len(self.reporters), 1))
        within("number of sessions", len(self.sessions), 1, MAX_SESSIONS)

    @property
    def slots_per_day(self) -> int:
        """Slots of a trading day (protocol: n)."""
        return DAY_SECONDS // self.slot_seconds

    @property
    def traded(self) -> tuple[Product, ...]:
        """The products that are traded and metered."""
        return tuple(product for product in Product if self.products >> product & 1)

    def to_dict(self) -> dict[str, Any]:
        """The rules as JSON holds them."""
        return asdict(self) | {
            "reporters": list(self.reporters),
            "sessions": [asdict(s) for s in self.sessions],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Rules:
        """The rules of a JSON object that ``to_dict`` wrote.

        Raises
        ------
        FieldError
            A field is missing, unknown or out of range.
        """
        fields = set(cls.__dataclass_fields__)
        if wrong := sorted(fields ^ set(data)):
            raise FieldError("a rule", wrong[0], f"each of {', '.join(sorted(fields))}, once")
        sessions = tuple(Session(**session) for session in data["sessions"])
        return cls(**{**data, "reporters": tuple(data["reporters"]), "sessions": sessions})


def slot_at(rules: Rules, time: int) -> int:
    """The slot that holds ``time``."""
    return time // rules.slot_seconds


def slot_start(rules: Rules, slot: int) -> int:
    """When ``slot`` starts."""
    return slot * rules.slot_seconds


def slot_end(rules: Rules, slot: int) -> int:
    """When ``slot`` is over; the next one starts then."""
    return (slot + 1) * rules.slot_seconds


def day_of_slot(rules: Rules, slot: int) -> int:
    """The trading day of ``slot``."""
    return (slot * rules.slot_seconds + rules.utc_offset) // DAY_SECONDS


def day_at(rules: Rules, time: int) -> int:
    """The trading day that holds ``time``."""
    return (time + rules.utc_offset) // DAY_SECONDS


def day_start(rules: Rules, day: int) -> int:
    """When trading day ``day`` starts: local midnight."""
    return day * DAY_SECONDS - rules.utc_offset


def first_slot(rules: Rules, day: int) -> int:
    """First slot of trading day ``day``."""
    return day_start(rules, day) // rules.slot_seconds


def slots_of_day(rules: Rules, day: int) -> range:
    """The slots of trading day ``day``."""
    first = first_slot(rules, day)
    return range(first, first + rules.slots_per_day)


def relay_gate(rules: Rules, slot: int, session: int) -> int:
    """From when relayed orders for ``slot`` are refused in ``session``."""
    return _gate_base(rules, slot, session) + rules.sessions[session].relay_gate


def direct_gate(rules: Rules, slot: int, session: int) -> int:
    """From when direct orders for ``slot`` are refused in ``session``; the market can then be cleared."""
    return _gate_base(rules, slot, session) + rules.sessions[session].direct_gate


def nomination_batch_gate(rules: Rules, slot: int) -> int:
    """From when relayed nominations that begin with ``slot`` are refused."""
    return slot_start(rules, slot) - rules.nomination_batch_lead


def nomination_direct_gate(rules: Rules, slot: int) -> int:
    """From when a home's own nomination that begins with ``slot`` is refused."""
    return slot_start(rules, slot) - rules.nomination_direct_lead


def meter_deadline(rules: Rules, slot: int) -> int:
    """From when meter reports of ``slot`` are refused."""
    return slot_end(rules, slot) + rules.meter_window


def bills_due(rules: Rules, day: int) -> int:
    """From when bills of trading day ``day`` can be proposed."""
    return day_start(rules, day + 1) + rules.bill_delay


def tariff_deadline(rules: Rules, day: int) -> int:
    """First relay gate of trading day ``day``; its retail prices must be known before."""
    first = first_slot(rules, day)
    return min(relay_gate(rules, first, session) for session in range(len(rules.sessions)))


def _gate_base(rules: Rules, slot: int, session: int) -> int:
    if not 0 <= session < len(rules.sessions):
        raise FieldError("session", session, f"0 .. {len(rules.sessions) - 1}")
    if rules.sessions[session].per_slot:
        return slot_start(rules, slot)
    return day_start(rules, day_of_slot(rules, slot))
