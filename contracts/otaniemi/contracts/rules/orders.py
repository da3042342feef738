"""Orders as signed, as relayed and as recorded on the chain (protocol sections 2 and 3).

A **record** is what a market keeps of an order, 16 bytes. A **book** is the records of one market in order
of arrival.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from otaniemi.contracts.rules.calendar import Rules, Source, day_of_slot
from otaniemi.contracts.rules.errors import FieldError, within
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.units import IntArray

BoolArray = NDArray[np.bool_]

RECORD_BYTES = 16
STEP_BYTES = 13
SIGNATURE_BYTES = 64
RELAYED_ORDER_BYTES = 89
NONCE_WINDOW = 128
NONCE_REACH = 2**16
MARKET_CAPACITY = 2**16 - 1
EMPTY_HEAD = bytes(32)
PRICE_BIAS = 2**31
PREFERENCE = 64  # in a bid, a source of PREFERENCE + k asks for local renewable energy
PREMIUM_STEP = 1_000  # and offers k steps for each kWh that is labelled so [micro-token/kWh]
MAX_PREMIUM = 63 * PREMIUM_STEP
GREEN_SOURCES = (Source.PV, Source.BATTERY, Source.V2H)
_HEAD_BYTES = 30
U8, U16, U32, U64 = 2**8 - 1, 2**16 - 1, 2**32 - 1, 2**64 - 1

_RECORD = np.dtype([("account", ">u4"), ("price", ">u4"), ("quantity", ">u4"), ("nonce_flags", ">u4")])
_PROFILE_HEAD_BYTES = 4 + 1 + 4 + 8 + 2


class SkipReason(IntEnum):
    """Why a relayed order was skipped; the first failing check in this order, ``KEY_LIMITED`` after ``NONCE_USED``."""

    MALFORMED = 1
    UNKNOWN_ACCOUNT = 2
    NO_METER = 3
    EXPIRED = 4
    BAD_SIGNATURE = 5
    NONCE_USED = 6
    GATE_CLOSED = 7
    TOO_FAR_AHEAD = 8
    PRICE_OUT_OF_BAND = 9
    QUANTITY_OUT_OF_RANGE = 10
    INSUFFICIENT_COLLATERAL = 11
    MARKET_FULL = 12
    KEY_LIMITED = 13


class Market(NamedTuple):
    """One slot of one product, traded in one session of a community."""

    community: int
    product: int
    slot: int
    session: int

    @property
    def key(self) -> int:
        """The market as the contracts name it."""
        return self.community << 48 | self.product << 40 | self.slot << 8 | self.session

    @classmethod
    def of(cls, key: int) -> Market:
        """The market of ``key``.

        Raises
        ------
        FieldError
            Higher bits than a market's are set.
        """
        within("market key", key, 0, 2**80 - 1)
        return cls(key >> 48 & U32, key >> 40 & U8, key >> 8 & U32, key & U8)


@dataclass(frozen=True, slots=True)
class Order:
    """An order for one market: limit [micro-token/kWh], quantity [Wh], good until ``valid_to`` [Unix s].

    ``source`` is where sold energy comes from; in a bid it may be a preference, see ``preference``, and else
    means nothing.
    """

    account: int
    community: int
    product: int
    slot: int
    session: int
    price: int
    quantity: int
    source: int
    buy: bool
    nonce: int
    valid_to: int

    def __post_init__(self) -> None:
        _check_parties(self.account, self.community, self.product, self.session, self.nonce, self.valid_to)
        _check_step(self.slot, self.price, self.quantity, self.source)

    @property
    def market(self) -> Market:
        """Where the order stands."""
        return Market(self.community, self.product, self.slot, self.session)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The order as the only step of a profile."""
        return (Step(self.slot, self.price, self.quantity, self.source, self.buy),)

    def records(self) -> list[tuple[Market, bytes]]:
        """The only record and its market, as ``ProfileOrder.records``."""
        return [(self.market, self.record())]

    def record(self) -> bytes:
        """What the market keeps of the order."""
        return _record(self.account, self.price, self.quantity, self.nonce, self.source, self.buy)

    def wire(self, signature: bytes) -> bytes:
        """The order with its signature, as ``relayOrders`` takes it."""
        tail = (self.nonce >> 24).to_bytes(1, "big") + self.valid_to.to_bytes(8, "big")
        return self.record() + tail + _signature(signature)


@dataclass(frozen=True, slots=True)
class Step:
    """One slot of a profile order."""

    slot: int
    price: int
    quantity: int
    source: int
    buy: bool

    def __post_init__(self) -> None:
        _check_step(self.slot, self.price, self.quantity, self.source)

    def pack(self) -> bytes:
        """The step as it is signed and relayed, 13 bytes."""
        body = (
            self.slot << 72
            | (self.price + PRICE_BIAS) << 40
            | self.quantity << 8
            | self.source << 1
            | self.buy
        )
        return body.to_bytes(STEP_BYTES, "big")


@dataclass(frozen=True, slots=True)
class ProfileOrder:
    """Many steps over the slots of one trading day under one signature; slots never decrease."""

    account: int
    community: int
    product: int
    session: int
    all_or_nothing: bool
    nonce: int
    valid_to: int
    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        _check_parties(self.account, self.community, self.product, self.session, self.nonce, self.valid_to)
        within("number of steps", len(self.steps), 0, U16)

    def check(self, rules: Rules) -> None:
        """Refuse what the chain would skip as malformed.

        Raises
        ------
        FieldError
            There is no step, slots decrease or span two trading days, or a source is unknown.
        """
        slots = [step.slot for step in self.steps]
        if (
            not slots
            or slots != sorted(slots)
            or day_of_slot(rules, slots[0]) != day_of_slot(rules, slots[-1])
        ):
            raise FieldError(
                "slots of steps", slots, "at least one, never decreasing, all in one trading day"
            )
        for step in self.steps:
            if not is_known_source(step.source, step.buy):
                raise FieldError("source", step.source, known_sources(step.buy))

    def packed_steps(self) -> bytes:
        """``steps`` as bytes, the field that is signed."""
        return b"".join([step.pack() for step in self.steps])

    def records(self) -> list[tuple[Market, bytes]]:
        """The record of each step and the market that it goes to, in step order."""
        return [
            (
                Market(self.community, self.product, step.slot, self.session),
                _record(self.account, step.price, step.quantity, self.nonce, step.source, step.buy),
            )
            for step in self.steps
        ]

    def wire(self, signature: bytes) -> bytes:
        """The profile with its signature, as ``relayProfiles`` takes it."""
        head = (
            self.account.to_bytes(4, "big")
            + bytes([self.all_or_nothing])
            + self.nonce.to_bytes(4, "big")
            + self.valid_to.to_bytes(8, "big")
            + len(self.steps).to_bytes(2, "big")
        )
        return head + self.packed_steps() + _signature(signature)


def decode_orders(market: Market, wire: bytes) -> Iterator[tuple[Order, bytes]]:
    """The orders and signatures of a ``relayOrders`` call, in order.

    Raises
    ------
    FieldError
        The length is no multiple of 89 bytes, or a field is out of range.
    """
    if len(wire) % RELAYED_ORDER_BYTES:
        raise FieldError("length of orders", len(wire), f"a multiple of {RELAYED_ORDER_BYTES}")
    for at in range(0, len(wire), RELAYED_ORDER_BYTES):
        account, price, quantity, nonce, source, buy = _unpack_record(wire[at : at + RECORD_BYTES])
        nonce |= wire[at + 16] << 24
        valid_to = int.from_bytes(wire[at + 17 : at + 25], "big")
        order = Order(account, market.community, market.product, market.slot, market.session,
                      price, quantity, source, buy, nonce, valid_to)  # fmt: skip
        yield order, wire[at + 25 : at + RELAYED_ORDER_BYTES]


def decode_profiles(
    community: int, product: int, session: int, wire: bytes
) -> Iterator[tuple[ProfileOrder, bytes]]:
    """The profiles and signatures of a ``relayProfiles`` call, in order.

    Raises
    ------
    FieldError
        The bytes end inside a profile, or a field is out of range.
    """
    at = 0
    while at < len(wire):
        steps_at = at + _PROFILE_HEAD_BYTES
        count = int.from_bytes(wire[steps_at - 2 : steps_at], "big")
        signature_at = steps_at + count * STEP_BYTES
        end = signature_at + SIGNATURE_BYTES
        if steps_at > len(wire) or end > len(wire):
            raise FieldError("length of profiles", len(wire), f"at least {end} for the profile at byte {at}")
        yield (
            ProfileOrder(
                account=int.from_bytes(wire[at : at + 4], "big"),
                community=community,
                product=product,
                session=session,
                all_or_nothing=bool(wire[at + 4]),
                nonce=int.from_bytes(wire[at + 5 : at + 9], "big"),
                valid_to=int.from_bytes(wire[at + 9 : at + 17], "big"),
                steps=unpack_steps(wire[steps_at:signature_at]),
            ),
            wire[signature_at:end],
        )
        at = end


def unpack_steps(packed: bytes) -> tuple[Step, ...]:
    """The steps that ``ProfileOrder.packed_steps`` packed."""
    if len(packed) % STEP_BYTES:
        raise FieldError("length of steps", len(packed), f"a multiple of {STEP_BYTES}")
    steps = []
    for at in range(0, len(packed), STEP_BYTES):
        body = int.from_bytes(packed[at : at + STEP_BYTES], "big")
        flags = body & U8
        steps.append(
            Step(body >> 72, (body >> 40 & U32) - PRICE_BIAS, body >> 8 & U32, flags >> 1, bool(flags & 1))
        )
    return tuple(steps)


@dataclass(frozen=True, slots=True, eq=False)
class Book:
    """The records of a market in order of arrival, one array per field, shape (n,).

    ``price`` is micro-token per kWh, ``quantity`` Wh, ``nonce`` the low 24 bits.
    """

    account: IntArray
    price: IntArray
    quantity: IntArray
    nonce: IntArray
    source: IntArray
    buy: BoolArray

    def __len__(self) -> int:
        return len(self.price)

    @classmethod
    def of_records(cls, records: bytes) -> Book:
        """The book of concatenated ``records``.

        Raises
        ------
        FieldError
            The length is no multiple of 16 bytes.
        """
        if len(records) % RECORD_BYTES:
            raise FieldError("length of records", len(records), f"a multiple of {RECORD_BYTES}")
        words = np.frombuffer(records, dtype=_RECORD)
        tail = words["nonce_flags"].astype(np.int64)
        return cls(
            account=words["account"].astype(np.int64),
            price=words["price"].astype(np.int64) - PRICE_BIAS,
            quantity=words["quantity"].astype(np.int64),
            nonce=tail >> 8,
            source=tail >> 1 & 0x7F,
            buy=(tail & 1).astype(np.bool_),
        )

    @classmethod
    def of_orders(cls, orders: Iterable[Order]) -> Book:
        """The book in which ``orders`` of one market arrived in the order given."""
        return cls.of_records(b"".join([order.record() for order in orders]))

    @classmethod
    def of_columns(cls, buy: Sequence[bool] | BoolArray, price: Sequence[int] | IntArray,
                   quantity: Sequence[int] | IntArray) -> Book:  # fmt: skip
        """A book of nobody's orders: prices and quantities alone, accounts 1 .. n."""
        n = len(price)
        zeros = np.zeros(n, np.int64)
        return cls(
            account=np.arange(1, n + 1),
            price=np.asarray(price, dtype=np.int64),
            quantity=np.asarray(quantity, dtype=np.int64),
            nonce=zeros,
            source=zeros,
            buy=np.asarray(buy, dtype=np.bool_),
        )

    def records(self) -> bytes:
        """The records, concatenated."""
        words = np.empty(len(self), dtype=_RECORD)
        words["account"] = self.account
        words["price"] = self.price + PRICE_BIAS
        words["quantity"] = self.quantity
        words["nonce_flags"] = self.nonce << 8 | self.source << 1 | self.buy
        return words.tobytes()

    @property
    def prefers(self) -> BoolArray:
        """Which records are bids that ask for local renewable energy, shape (n,)."""
        return self.buy & (self.source >= PREFERENCE)

    @property
    def premium(self) -> IntArray:
        """What each record offers for energy that is labelled [micro-token/kWh], shape (n,)."""
        return np.where(self.prefers, (self.source - PREFERENCE) * PREMIUM_STEP, 0)

    @property
    def green(self) -> BoolArray:
        """Which records offer local renewable energy, shape (n,)."""
        return ~self.buy & np.isin(self.source, GREEN_SOURCES)

    def locks(self, rules: Rules) -> IntArray:
        """What each record locks [nano-token], shape (n,); exact for accepted records, each below 2^62."""
        fees = rules.grid_fee + rules.platform_fee
        per_kwh = np.where(
            self.buy,
            np.maximum(np.maximum(self.price, 0) + fees + self.premium, 1),
            rules.short_cap + np.maximum(-self.price, 0),
        )
        return self.quantity * per_kwh


def lock(rules: Rules, buy: bool, price: int, quantity: int, source: int = Source.GRID) -> int:
    """What an order locks, positive [nano-token].

    A buyer locks price, fees and the premium of a preference, a seller the cost of not delivering.
    """
    if buy:
        fees = rules.grid_fee + rules.platform_fee
        return quantity * max(max(price, 0) + fees + premium_of(source, buy), 1)
    return quantity * (rules.short_cap + max(-price, 0))


def is_known_source(source: int, buy: bool) -> bool:
    """Whether ``source`` names a source, or in a bid a preference."""
    return 0 <= source <= max(Source) or (buy and PREFERENCE <= source < 2 * PREFERENCE)


def known_sources(buy: bool) -> str:
    """The values that ``is_known_source`` takes, in words."""
    sources = f"0 .. {max(Source):d}"
    return f"{sources} or {PREFERENCE} .. {2 * PREFERENCE - 1}" if buy else sources


def preference(premium: int) -> int:
    """The source of a bid that offers ``premium`` [micro-token/kWh] for local renewable energy.

    Raises
    ------
    FieldError
        The premium is no multiple of ``PREMIUM_STEP`` up to ``MAX_PREMIUM``.
    """
    steps, rest = divmod(premium, PREMIUM_STEP)
    if rest or not 0 <= premium <= MAX_PREMIUM:
        valid = f"a multiple of {PREMIUM_STEP:,} in 0 .. {MAX_PREMIUM:,} micro-token/kWh"
        raise FieldError("premium", premium, valid)
    return PREFERENCE + steps


def premium_of(source: int, buy: bool) -> int:
    """What an order offers for energy that is labelled [micro-token/kWh]; 0 without a preference."""
    return (source - PREFERENCE) * PREMIUM_STEP if buy and source >= PREFERENCE else 0


def chain_head(head: bytes, records: bytes) -> bytes:
    """Head of a market's hash chain after one batch of ``records``; a chain starts from ``EMPTY_HEAD``.

    The chain keeps the number of records where the hash has its low 16 bits.
    """
    return keccak(head + records)[:_HEAD_BYTES] + bytes(len(EMPTY_HEAD) - _HEAD_BYTES)


@dataclass(frozen=True, slots=True)
class NonceWindow:
    """Which nonces an account can still use: bit ``i`` of ``window`` says that ``base + i`` is used."""

    base: int = 0
    window: int = 0

    def usable(self, nonce: int) -> bool:
        """Whether an order with ``nonce`` would be accepted."""
        offset = nonce - self.base
        if offset >= NONCE_WINDOW:
            return offset < NONCE_REACH
        return offset >= 0 and not self.window >> offset & 1

    def use(self, nonce: int) -> NonceWindow:
        """The window once ``nonce`` is spent; it slides with the highest nonce.

        Raises
        ------
        FieldError
            The nonce is used or below the window.
        """
        if not self.usable(nonce):
            raise FieldError("nonce", nonce, f"an unused one of {self.base} .. {self.base + NONCE_REACH - 1}")
        shift = max(0, nonce - self.base - NONCE_WINDOW + 1)
        base = self.base + shift
        return NonceWindow(base, self.window >> shift | 1 << nonce - base)

    @property
    def next(self) -> int:
        """The nonce above every used one."""
        return self.base + self.window.bit_length()


def _record(account: int, price: int, quantity: int, nonce: int, source: int, buy: bool) -> bytes:
    body = (
        account << 96
        | (price + PRICE_BIAS) << 64
        | quantity << 32
        | (nonce & 0xFFFFFF) << 8
        | source << 1
        | buy
    )
    return body.to_bytes(RECORD_BYTES, "big")


def _unpack_record(record: bytes) -> tuple[int, int, int, int, int, bool]:
    body = int.from_bytes(record, "big")
    price = (body >> 64 & U32) - PRICE_BIAS
    return body >> 96, price, body >> 32 & U32, body >> 8 & 0xFFFFFF, body >> 1 & 0x7F, bool(body & 1)


def _signature(signature: bytes) -> bytes:
    if len(signature) != SIGNATURE_BYTES:
        raise FieldError("length of the signature", len(signature), f"{SIGNATURE_BYTES} bytes (EIP-2098)")
    return signature


def _check_parties(
    account: int, community: int, product: int, session: int, nonce: int, valid_to: int
) -> None:
    within("account", account, 0, U32)
    within("community", community, 0, U32)
    within("product", product, 0, U8)
    within("session", session, 0, U8)
    within("nonce", nonce, 0, U32)
    within("valid_to", valid_to, 0, U64)


def _check_step(slot: int, price: int, quantity: int, source: int) -> None:
    within("slot", slot, 0, U32)
    within("price", price, -PRICE_BIAS, PRICE_BIAS - 1)
    within("quantity", quantity, 0, U32)
    within("source", source, 0, 0x7F)
