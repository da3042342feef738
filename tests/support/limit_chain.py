"""A chain on which limits trade by the rules of ``ContinuousMarket``, in plain Python, and a process that can die."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from eth_abi.abi import encode
from sqlalchemy import Connection

from otaniemi.contracts.chain.blocks import Receipt
from otaniemi.contracts.chain.events import Event
from otaniemi.contracts.chain.forms.continuous import Cancelled, Fill, Matched, MatchSkipped, SignedLimit
from otaniemi.contracts.chain.sender import Call, Key
from otaniemi.contracts.rules.block_series import Series, margins
from otaniemi.contracts.rules.calendar import Rules, nomination_direct_gate
from otaniemi.contracts.rules.continuous import fillable, match, match_price
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.orders import NonceWindow, lock
from otaniemi.contracts.rules.signing import Domain
from otaniemi.platform.services.admission import AccountState
from otaniemi.platform.services.index import index_events
from otaniemi.platform.store import members
from otaniemi.platform.store.database import Store

DOMAIN = Domain(31_337, "0x" + "c7" * 20)
COMMUNITY = 1
MARK = 80_000
"""Of every series. [micro-token/kWh]"""
EXPIRED = "Expired(bytes32,uint64)"
NONCE_CANCELLED = "NonceCancelled(uint32,uint32)"
OUT_OF_RANGE = "QuantityOutOfRange(bytes32,uint32,uint32,uint32)"
NO_FUNDS = "InsufficientFunds(uint32,uint256,uint256)"


class HasNow(Protocol):
    """Something that knows the time."""

    now: int


class PowerFailure(BaseException):
    """The process ends here."""


@dataclass
class LimitChain:
    """What outlives a crash: money, fills and blocks, and who may sign for an account."""

    rules: Rules
    domain: Domain = DOMAIN
    free: dict[int, int] = field(default_factory=dict)
    filled: dict[bytes, int] = field(default_factory=dict)
    blocks: list[tuple[bytes, list[Event]]] = field(default_factory=list)
    cancelled: set[tuple[int, int]] = field(default_factory=set)
    series: dict[int, Series] = field(default_factory=dict)
    trades: list[Matched] = field(default_factory=list)
    refused: dict[bytes, tuple[SignedLimit, SignedLimit, int, bytes]] = field(default_factory=dict)

    def bring(self, limits: Sequence[SignedLimit], fills: Sequence[Fill], now: int) -> bytes:
        """Mine a batch; its transaction's hash."""
        found: list[Event] = []
        for place, fill in enumerate(fills):
            found.append(self._trade(place, limits[fill.buy], limits[fill.sell], fill, now))
        origin = self._mine(found)
        for event in found:
            if isinstance(event, MatchSkipped):
                fill = fills[event.fill]
                evidence = origin + event.fill.to_bytes(4, "big")
                self.refused[evidence] = limits[fill.buy], limits[fill.sell], fill.quantity, event.reason
        return origin

    def cancel(self, account: int, nonce: int) -> None:
        self.cancelled.add((account, nonce))
        self._mine([Cancelled(account, nonce)])

    def _mine(self, found: list[Event]) -> bytes:
        origin = keccak(len(self.blocks).to_bytes(4, "big"))
        self.blocks.append((origin, found))
        return origin

    def _trade(self, place: int, buy: SignedLimit, sell: SignedLimit, fill: Fill, now: int) -> Event:
        sides = [(one.limit, one.limit.digest(self.domain)) for one in (buy, sell)]
        for limit, digest in sides:
            if limit.valid_to < now:
                return MatchSkipped(place, error(EXPIRED, digest, limit.valid_to))
            if (limit.account, limit.nonce) in self.cancelled:
                return MatchSkipped(place, error(NONCE_CANCELLED, limit.account, limit.nonce))
        series = self.series.get(buy.limit.series or 0)
        assert now < (
            series.last_trading if series else nomination_direct_gate(self.rules, buy.limit.instrument)
        )
        assert match(buy.limit, sell.limit)
        held = [self.filled.get(digest, 0) for _, digest in sides]
        for (limit, digest), filled in zip(sides, held, strict=True):
            left = limit.quantity - filled
            least = min(limit.min_fill, left)
            if not least <= fill.quantity <= left:
                return MatchSkipped(place, error(OUT_OF_RANGE, digest, fill.quantity, least, left))
        assert fill.quantity <= fillable(buy.limit, sell.limit, held[0], held[1]) > 0
        price = match_price(buy.limit, sell.limit, buy.sequence, sell.sequence)
        for limit, _ in sides:
            need, free = self._need(series, limit.buy, price, fill.quantity), self.free[limit.account]
            if need > free:
                return MatchSkipped(place, error(NO_FUNDS, limit.account, need, free))
        for limit, digest in sides:
            self.free[limit.account] -= self._need(series, limit.buy, price, fill.quantity)
            self.filled[digest] = self.filled.get(digest, 0) + fill.quantity
        trade = Matched(
            COMMUNITY, sides[0][1], sides[1][1], buy.limit.product, buy.limit.instrument, len(self.trades) + 1,
            buy.limit.account, sell.limit.account, price, fill.quantity, buy.sequence, sell.sequence,
        )  # fmt: skip
        self.trades.append(trade)
        return trade

    def _need(self, series: Series | None, buy: bool, price: int, quantity: int) -> int:
        if series is None:
            return lock(self.rules, buy, price, quantity)
        return margins(series, price, MARK, series.energy(quantity, series.deliveries())).initial(buy)


class FakeGateway:
    """One run of a process over a `LimitChain`; it dies ``before`` or ``after`` the next transaction if told to."""

    community, product = COMMUNITY, 0

    def __init__(self, chain: LimitChain, store: Store, clock: HasNow) -> None:
        self.chain, self.store, self.clock, self.rules = chain, store, clock, chain.rules
        self.dies: str | None = None
        self._indexed = 0
        self._batch: tuple[Sequence[SignedLimit], Sequence[Fill]] = ((), ())

    @property
    def domain(self) -> Domain:
        return self.chain.domain

    def match_batch(self, limits: Sequence[SignedLimit], fills: Sequence[Fill]) -> Call:
        self._batch = limits, fills
        return Call(None, b"", "matchBatch")

    def series_of(self, series: int) -> Series | None:
        return self.chain.series.get(series)

    def mark_of(self, series: int) -> tuple[int, int] | None:
        return (MARK, 1) if series in self.chain.series else None

    def send_one(self, _key: Key, _call: Call) -> tuple[Receipt, list[Event]]:
        self.catch_up()
        if self.dies == "before":
            raise PowerFailure
        origin = self.chain.bring(*self._batch, self.clock.now)
        if self.dies == "after":
            raise PowerFailure
        self.catch_up()
        return Receipt(origin, len(self.chain.blocks), 0, True, 0, ()), self.chain.blocks[-1][1]

    def catch_up(self) -> None:
        with self.store.begin() as transaction:
            for origin, found in self.chain.blocks[self._indexed :]:
                self._indexed += 1
                index_events(transaction, self.rules, found, self._indexed, origin)

    def member(self, transaction: Connection, account: int) -> members.Member:
        found = members.get(transaction, account)
        assert found is not None
        return found

    def account(self, transaction: Connection, account: int) -> AccountState:
        member = self.member(transaction, account)
        return AccountState(member, self.chain.free[account], 0, 0, NonceWindow(), 0, 1)


def error(signature: str, *values: object) -> bytes:
    """Revert data of an error."""
    types = signature[signature.index("(") + 1 : -1].split(",")
    return keccak(signature.encode())[:4] + encode(types, values)
