"""Continuous trading (protocol section 13): signed limits, an engine's receipts, and at which price two limits match.

An **instrument** is a slot, or a series of block contracts; quantities are Wh of a slot, lots of a series. The chain
keeps limits and quantities; which of several orders trades first is the engine's duty, which its receipts prove.
"""

from __future__ import annotations

from dataclasses import dataclass

from otaniemi.contracts.rules.errors import FieldError, within
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.orders import U8, U32, U64
from otaniemi.contracts.rules.signing import Domain, address_bytes, struct_digest, words

SERIES = 1 << 32
"""Bit that makes an instrument a series; the low 32 bits are its number."""

NO_ENGINE = "0x" + "0" * 40
"""Engine of a limit that trusts nobody with its priority: anybody may match it, at the midpoint."""

LIMIT_TYPE = (
    "Limit(uint32 account,uint32 community,uint8 product,uint64 instrument,int32 price,uint32 quantity,"
    "uint32 minFill,uint8 source,bool buy,uint32 nonce,uint64 validTo,address engine)"
)
RECEIPT_TYPE = "Receipt(bytes32 order,uint64 sequence,uint64 receivedAt)"

_LIMIT, _RECEIPT = (keccak(text.encode()) for text in (LIMIT_TYPE, RECEIPT_TYPE))
_LAST_INSTRUMENT = SERIES | U32


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit order for one instrument, good until ``valid_to`` [Unix s] and in parts.

    Attributes
    ----------
    instrument : int
        A slot, or ``SERIES | number`` of a series.
    price : int
        A buy pays at most this, a sell receives at least this. [micro-token/kWh]
    quantity : int
        Of a slot [Wh], of a series [lots].
    min_fill : int
        Smallest part that it trades at once, unless less is left; in the unit of ``quantity``.
    source : int
        Source of a sell's energy; a buy with a source other than 0 takes only that.
    nonce : int
        What ``cancel`` names; of this contract alone, and limits may share it.
    engine : str
        Address that alone may match it, and whose receipts say which of two limits came first, or ``NO_ENGINE``.
    """

    account: int
    community: int
    product: int
    instrument: int
    price: int
    quantity: int
    min_fill: int
    source: int
    buy: bool
    nonce: int
    valid_to: int
    engine: str

    def __post_init__(self) -> None:
        within("account", self.account, 1, U32)
        within("community", self.community, 1, U32)
        within("product", self.product, 0, U8)
        within("instrument", self.instrument, 0, _LAST_INSTRUMENT)
        within("price", self.price, -(2**31), 2**31 - 1)
        within("quantity", self.quantity, 1, U32)
        within("min_fill", self.min_fill, 0, self.quantity)
        within("source", self.source, 0, U8)
        within("nonce", self.nonce, 0, U32)
        within("valid_to", self.valid_to, 0, U64)
        address_bytes(self.engine)

    def may_be_brought_by(self, sender: str) -> bool:
        """Whether ``sender`` (an address) may match it."""
        return self.engine.lower() in (NO_ENGINE, sender.lower())

    @property
    def series(self) -> int | None:
        """Number of the series, None for a slot."""
        return self.instrument & U32 if self.instrument & SERIES else None

    @property
    def slot(self) -> int | None:
        """The slot, None for a series."""
        return None if self.instrument & SERIES else self.instrument

    def digest(self, domain: Domain) -> bytes:
        """What the signer signs, which also names the order; ``domain`` is that of ``ContinuousMarket``."""
        fields = words(
            self.account, self.community, self.product, self.instrument, self.price, self.quantity,
            self.min_fill, self.source, self.buy, self.nonce, self.valid_to,
        )  # fmt: skip
        return struct_digest(domain, _LIMIT + fields + bytes(12) + address_bytes(self.engine))


@dataclass(frozen=True, slots=True)
class Receipt:
    """An engine's word that the order of digest ``order`` came as number ``sequence``, at ``received_at`` [Unix s]."""

    order: bytes
    sequence: int
    received_at: int

    def __post_init__(self) -> None:
        if len(self.order) != 32:
            raise FieldError("order", self.order.hex(), "the 32 bytes of a limit's digest")
        within("sequence", self.sequence, 0, U64)
        within("received_at", self.received_at, 0, U64)

    def digest(self, domain: Domain) -> bytes:
        """What the engine signs; ``domain`` is that of ``ContinuousMarket``."""
        return struct_digest(domain, _RECEIPT + self.order + words(self.sequence, self.received_at))


def match(buy: Limit, sell: Limit) -> bool:
    """Whether the two may trade with each other: sides, instrument, limits, accounts and the source asked for."""
    return (
        buy.buy
        and not sell.buy
        and buy.account != sell.account
        and (buy.community, buy.product, buy.instrument) == (sell.community, sell.product, sell.instrument)
        and buy.price >= sell.price
        and buy.source in (0, sell.source)
    )


def match_price(buy: Limit, sell: Limit, buy_sequence: int | None, sell_sequence: int | None) -> int:
    """Price at which two matching limits trade [micro-token/kWh].

    Parameters
    ----------
    buy_sequence, sell_sequence : int or None
        Number in a valid receipt of the limit's own engine, None without one.

    Returns
    -------
    int
        Limit of the one with the lower number where both name the same engine; else the midpoint, rounded down.
    """
    one_engine = buy.engine.lower() == sell.engine.lower() != NO_ENGINE
    if not one_engine or buy_sequence is None or sell_sequence is None or buy_sequence == sell_sequence:
        return (buy.price + sell.price) // 2
    return buy.price if buy_sequence < sell_sequence else sell.price


def smallest_fill(limit: Limit, filled: int) -> int:
    """Smallest part that ``limit`` trades once ``filled`` of it is; 0 when nothing is left."""
    return min(max(limit.min_fill, 1), limit.quantity - filled)


def fillable(buy: Limit, sell: Limit, buy_filled: int, sell_filled: int) -> int:
    """Largest quantity that two matching limits can trade now, 0 where a smallest fill stands against it."""
    quantity = min(buy.quantity - buy_filled, sell.quantity - sell_filled)
    smallest = max(smallest_fill(buy, buy_filled), smallest_fill(sell, sell_filled))
    return quantity if quantity >= smallest else 0


def deal_of(buy: bytes, sell: bytes, filled: int) -> int:
    """Number of a match of a slot: of the limits' digests and what is ``filled`` of the buy with it. [Wh]"""
    return int.from_bytes(keccak(buy + sell + words(filled))[24:], "big")
