"""The matching engine of continuous trading: signed limits in, signed receipts out, matches to the chain.

Whoever sends an order gets its number before anyone can trade with it, and price and time decide by these numbers, so
the log proves what should have traded. The chain has the last word on every match: what it refuses is undone here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple, Protocol

from sqlalchemy import Connection

from otaniemi.contracts.chain.artifacts import explain
from otaniemi.contracts.chain.errors import RevertedError
from otaniemi.contracts.chain.forms.continuous import Fill, MatchSkipped, SignedLimit
from otaniemi.contracts.chain.sender import Call, Key
from otaniemi.contracts.rules.block_series import Series, margins
from otaniemi.contracts.rules.continuous import Limit, Receipt
from otaniemi.contracts.rules.order_book import Level, Match, OrderBook
from otaniemi.contracts.rules.orders import lock
from otaniemi.contracts.rules.signing import Domain, sign
from otaniemi.platform.engine_log import (
    NO_HEAD,
    LogEntry,
    LogKind,
    Removal,
    cancel_digest,
    head_digest,
    stands_until,
)
from otaniemi.platform.errors import OtaniemiError
from otaniemi.platform.services.admission import (
    Held,
    NotFoundError,
    RefusedError,
    check_limit,
    check_signature,
)
from otaniemi.platform.services.gateway import Gateway
from otaniemi.platform.store import limits
from otaniemi.platform.store.limits import KeptLimit, KeptMatch, MatchStatus, Snapshot

FILLS_PER_TRANSACTION = 32
"""Matches in one transaction, with room to spare below 15 M gas."""

SNAPSHOT_LEVELS = 20


class Instrument(NamedTuple):
    """What a book trades: a slot of a product, or ``SERIES | number``."""

    community: int
    product: int
    instrument: int


class UnknownTradeError(OtaniemiError):
    """The engine's key traded what its store does not tell; orders are numbers of the log, 0 for none of it."""

    def __init__(self, transaction: bytes, buy: int, sell: int, quantity: int) -> None:
        super().__init__(
            f"transaction 0x{transaction.hex()} trades {quantity} of orders {buy} and {sell}, which this store does "
            "not tell; valid is the engine's own store, not an old copy of it, and a key that nobody else uses"
        )


class Stage(StrEnum):
    """How far a limit order came."""

    STANDING = "standing"
    FILLED = "filled"
    EXPIRED = "expired"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class LimitState:
    """A limit order, how far it came, and its matches.

    ``rest`` can still trade, ``settled`` stands on the chain, ``waiting`` is on its way there; in the unit of the
    order.
    """

    kept: KeptLimit
    stage: Stage
    rest: int
    waiting: int
    settled: int
    matches: tuple[KeptMatch, ...]


@dataclass(frozen=True, slots=True)
class BookState:
    """The best prices of a book; ``sequence`` is the number of the newest order of all books."""

    instrument: Instrument
    sequence: int
    buys: tuple[Level, ...]
    sells: tuple[Level, ...]


class Venue(Protocol):
    """What the engine needs of the contract ``ContinuousMarket``."""

    @property
    def domain(self) -> Domain:
        """What limits and receipts are signed for."""

    def match_batch(self, limits: Sequence[SignedLimit], fills: Sequence[Fill]) -> Call:
        """Trade pairs of ``limits`` in order; those that fail are skipped with an event."""


class SeriesSource(Protocol):
    """What the engine needs of the contract ``BlockSeries``."""

    def series_of(self, series: int) -> Series | None:
        """Terms of a series, None where there is none."""

    def mark_of(self, series: int) -> tuple[int, int] | None:
        """Mark of a series [micro-token/kWh] and the day of its report, None without one."""


class ContinuousService:
    """One community's engine.

    A crash at any moment loses no receipt and doubles no trade: what was answered is on the disk, and what the chain
    traded is read from the chain before anything is sent again.

    Parameters
    ----------
    gateway : Gateway
    venue : Venue
    blocks : SeriesSource
    engine : Key
        Signs receipts and pays the gas of matches; nobody else may send transactions with it.
    """

    def __init__(self, gateway: Gateway, venue: Venue, blocks: SeriesSource, engine: Key) -> None:
        self._gateway, self._venue, self._blocks, self._engine = gateway, venue, blocks, engine
        self._books: dict[Instrument, OrderBook] = {}
        self._rebuild()

    @property
    def engine(self) -> str:
        """Address of the key that signs receipts, which limits must name."""
        return self._engine.address

    def submit(self, limit: Limit, signature: bytes) -> LimitState:
        """Take a signed limit in, give it its number and match it; sent again, it comes back as it stands.

        Raises
        ------
        RefusedError
            It could not trade: field, value and what is valid.
        """
        gateway, now, domain = self._gateway, self._gateway.clock.now, self._venue.domain
        digest = limit.digest(domain)
        with self._writing() as transaction:
            known = limits.by_digest(transaction, digest)
            if known is not None:
                return self._state(transaction, known)
            until = self._until(limit)
            check_limit(
                limit,
                signature,
                digest,
                gateway.account(transaction, limit.account),
                self._held(transaction, limit),
                limits.is_cancelled(transaction, limit.account, limit.nonce),
                until,
                gateway.rules,
                self.engine,
                now,
            )
            sequence = limits.next_sequence(transaction)
            receipt = sign(self._engine.secret, Receipt(digest, sequence, now).digest(domain))
            kept = KeptLimit(sequence, digest, limit, signature, now, receipt, until)
            limits.add_limit(transaction, kept)
            self._log(transaction, LogKind.RECEIVED, sequence, order=digest)
            book = self._book(limit)
            self._keep(transaction, book.add(kept.entry))
            self._snap(transaction, limit)
            return self._state(transaction, kept)

    def cancel(self, account: int, nonce: int, signature: bytes) -> list[LimitState]:
        """Drop an account's limits with ``nonce`` at its signed word; what is matched stays matched.

        Raises
        ------
        NotFoundError
            No such limit stands.
        RefusedError
            Neither the account's owner nor its device signed.
        """
        digest = cancel_digest(self._venue.domain, account, nonce)
        with self._writing() as transaction:
            check_signature(digest, signature, self._gateway.member(transaction, account))
            found = limits.open_with_nonce(transaction, account, nonce)
            if not found:
                raise NotFoundError(f"limit order of account {account} with nonce", nonce)
            for kept in found:
                self._remove(transaction, kept, Removal.CANCELLED, signature)
            fresh = limits.by_sequence(transaction, [kept.sequence for kept in found])
            return [self._state(transaction, kept) for kept in fresh.values()]

    def deliver(self) -> int:
        """Bring what waits to the chain; how many matches it settled.

        Raises
        ------
        ChainError
            The chain took none of a batch; it waits for the next call.
        """
        self._gateway.catch_up()
        with self._gateway.store.read() as transaction:
            news = limits.unassigned_trades(transaction) or limits.cancelled_on_chain(transaction)
        settled = 0
        if news:
            with self._writing() as transaction:
                settled = self._reconcile(transaction)
        while True:
            with self._gateway.store.read() as transaction:
                batch = limits.waiting(transaction)[:FILLS_PER_TRANSACTION]
                kept = limits.by_sequence(
                    transaction, [n for match in batch for n in (match.buy, match.sell)]
                )
            if not batch:
                return settled
            settled += self._bring(batch, kept)

    def limit(self, sequence: int) -> LimitState:
        """One order by its number.

        Raises
        ------
        NotFoundError
            There is none.
        """
        with self._gateway.store.read() as transaction:
            kept = limits.by_sequence(transaction, [sequence]).get(sequence)
            if kept is None:
                raise NotFoundError("limit order", sequence)
            return self._state(transaction, kept)

    def limits_of(self, account: int, count: int) -> list[LimitState]:
        """The latest orders of an account, newest first."""
        with self._gateway.store.read() as transaction:
            self._gateway.member(transaction, account)
            return [self._state(transaction, kept) for kept in limits.of_account(transaction, account, count)]

    def book(self, instrument: Instrument, levels: int) -> BookState:
        """The best prices of a book as it stands now."""
        book = self._books.get(instrument, OrderBook())
        book.expire(self._gateway.clock.now)
        with self._gateway.store.read() as transaction:
            newest = limits.next_sequence(transaction) - 1
        buys, sells = (tuple(book.depth(buy, levels)) for buy in (True, False))
        return BookState(instrument, newest, buys, sells)

    def snapshots(self, instrument: Instrument, first_minute: int, count: int) -> list[Snapshot]:
        """How a book stood at the end of each minute in which it changed."""
        with self._gateway.store.read() as transaction:
            return limits.snapshots(transaction, instrument, first_minute, count)

    def log(self, first: int, count: int) -> list[tuple[LogEntry, KeptLimit | None]]:
        """The log from place ``first`` on, each order that came with its terms and receipt."""
        with self._gateway.store.read() as transaction:
            entries = limits.log_entries(transaction, first, count)
            came = [entry.first for entry in entries if entry.kind is LogKind.RECEIVED]
            kept = limits.by_sequence(transaction, came)
        return [(entry, kept[entry.first] if entry.kind is LogKind.RECEIVED else None) for entry in entries]

    def _bring(self, batch: Sequence[KeptMatch], kept: dict[int, KeptLimit]) -> int:
        """Send one transaction, and take in what the chain made of it."""
        order = {sequence: place for place, sequence in enumerate(sorted(kept))}
        signed = [
            SignedLimit(one.limit, one.signature, one.sequence, one.received_at, one.receipt)
            for _, one in sorted(kept.items())
        ]
        fills = [Fill(order[match.buy], order[match.sell], match.quantity) for match in batch]
        call = self._venue.match_batch(signed, fills)
        receipt, found = self._gateway.send_one(self._engine, call)
        with self._writing() as transaction:
            settled = self._reconcile(transaction)
            for event in found:
                if isinstance(event, MatchSkipped):
                    evidence = receipt.transaction + event.fill.to_bytes(4, "big")
                    reason = explain("matchBatch", event.reason)
                    self._undo(transaction, batch[event.fill], kept, reason, evidence)
        return settled

    def _reconcile(self, transaction: Connection) -> int:
        """Give each trade of the chain its match, and drop orders that left by the chain; how many matches."""
        waiting, settled = limits.waiting(transaction), 0
        for trade in limits.unassigned_trades(transaction):
            buy, sell = (limits.by_digest(transaction, digest) for digest in (trade.buy, trade.sell))
            terms = buy.sequence if buy else 0, sell.sequence if sell else 0, trade.quantity
            match = next((m for m in waiting if (m.buy, m.sell, m.quantity) == terms), None)
            if match is None:
                raise UnknownTradeError(trade.transaction, *terms)
            waiting.remove(match)
            limits.settle(transaction, match.number, trade)
            settled += 1
        for kept in limits.cancelled_on_chain(transaction):
            self._remove(transaction, kept, Removal.CANCELLED_ON_CHAIN, b"")
        return settled

    def _undo(
        self,
        transaction: Connection,
        match: KeptMatch,
        kept: dict[int, KeptLimit],
        reason: RevertedError,
        evidence: bytes,
    ) -> None:
        """Take a match back: whom the chain refused leaves, the other has its place and quantity again."""
        now = self._gateway.clock.now
        sides = limits.by_sequence(transaction, [match.buy, match.sell])
        for one in at_fault(reason, kept[match.buy], kept[match.sell]):
            if sides[one.sequence].removed is None:
                self._remove(transaction, one, Removal.REJECTED, evidence)
        limits.undo(transaction, match.number)
        self._log(transaction, LogKind.UNDONE, match.buy, match, reason.name[:80], evidence)
        for sequence, one in sorted(limits.by_sequence(transaction, sides).items()):
            if one.removed is None and one.until >= now:
                self._keep(transaction, self._book(one.limit).restore(kept[sequence].entry, match.quantity))
        self._snap(transaction, kept[match.buy].limit)

    def _remove(self, transaction: Connection, kept: KeptLimit, why: Removal, evidence: bytes) -> None:
        limits.remove(transaction, kept.sequence, why)
        self._log(transaction, LogKind.REMOVED, kept.sequence, note=why.value, evidence=evidence)
        self._book(kept.limit).remove(kept.sequence)
        self._snap(transaction, kept.limit)

    def _keep(self, transaction: Connection, found: Sequence[Match]) -> None:
        for match in limits.add_matches(transaction, found, self._gateway.clock.now):
            self._log(transaction, LogKind.MATCHED, match.buy, match)

    def _log(
        self,
        transaction: Connection,
        kind: LogKind,
        first: int,
        match: KeptMatch | None = None,
        note: str = "",
        evidence: bytes = b"",
        order: bytes = b"",
    ) -> None:
        """Sign and keep the next entry; of a ``match``, its sell is the second number."""
        last = limits.last_entry(transaction)
        place, before = (last.place + 1, last.head) if last else (1, NO_HEAD)
        second, quantity, price = (match.sell, match.quantity, match.price) if match else (None, None, None)
        entry = LogEntry(place, self._gateway.clock.now, kind, first, second, quantity, price, note, evidence)
        head = entry.head_after(before, order)
        signature = sign(self._engine.secret, head_digest(self._venue.domain, place, head))
        limits.add_entry(transaction, replace(entry, head=head, signature=signature))

    def _snap(self, transaction: Connection, limit: Limit) -> None:
        book = self._book(limit)
        buys, sells = (tuple(book.depth(buy, SNAPSHOT_LEVELS)) for buy in (True, False))
        minute, newest = self._gateway.clock.now // 60, limits.next_sequence(transaction) - 1
        limits.keep_snapshot(transaction, _instrument(limit), Snapshot(minute, newest, buys, sells))

    def _state(self, transaction: Connection, kept: KeptLimit) -> LimitState:
        matches = tuple(limits.matches_of(transaction, [kept.sequence]))
        taken = dict.fromkeys(MatchStatus, 0)
        for match in matches:
            taken[match.status] += match.quantity
        waiting = taken[MatchStatus.WAITING]
        settled = taken[MatchStatus.SETTLED]
        rest = kept.limit.quantity - waiting - settled
        stage = Stage.STANDING
        if rest == 0:
            stage = Stage.FILLED
        elif kept.removed is not None:
            stage, rest = Stage.REMOVED, 0
        elif kept.until < self._gateway.clock.now:
            stage, rest = Stage.EXPIRED, 0
        return LimitState(kept, stage, rest, waiting, settled, matches)

    def _held(self, transaction: Connection, limit: Limit) -> Held:
        found = limits.unsettled(transaction, limit.account, self._gateway.clock.now)
        nano = sum(self._secures(one, quantity) for one, quantity in found)
        return Held(len(found), nano, self._secures(limit, limit.quantity))

    def _secures(self, limit: Limit, quantity: int) -> int:
        """What a trade of ``quantity`` takes of the free balance: a slot's lock, or a series' margin. [nano-token]"""
        if limit.series is None:
            return lock(self._gateway.rules, limit.buy, limit.price, quantity)
        series, mark = self._series(limit)
        energy = series.energy(quantity, series.deliveries())
        return margins(series, limit.price, mark, energy).initial(limit.buy)

    def _until(self, limit: Limit) -> int:
        end = None if limit.series is None else self._series(limit)[0].last_trading
        return stands_until(limit, self._gateway.rules, end)

    def _series(self, limit: Limit) -> tuple[Series, int]:
        """A limit's series and its mark.

        Raises
        ------
        RefusedError
            There is no such series of its community and product, or it has no mark yet.
        """
        series, mark = self._blocks.series_of(limit.series or 0), self._blocks.mark_of(limit.series or 0)
        if series is None or (series.community, series.product) != (limit.community, limit.product):
            valid = f"a slot, or a series of community {limit.community} and product {limit.product}"
            raise RefusedError("instrument", limit.instrument, valid)
        if mark is None:
            raise RefusedError("instrument", limit.instrument, "a series that has a mark")
        return series, mark[0]

    def _book(self, limit: Limit) -> OrderBook:
        """The book of a limit, without the orders whose time is over."""
        book = self._books.setdefault(_instrument(limit), OrderBook())
        book.expire(self._gateway.clock.now)
        return book

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """A durable transaction; where it fails, the books are read again, as it may have changed them."""
        try:
            with self._gateway.store.begin(durable=True) as transaction:
                yield transaction
        except OtaniemiError:
            # A refusal comes before anything changes.
            raise
        except BaseException:
            self._rebuild()
            raise

    def _rebuild(self) -> None:
        self._books = {}
        with self._gateway.store.read() as transaction:
            for kept, rest in limits.standing(transaction, self._gateway.clock.now):
                self._books.setdefault(_instrument(kept.limit), OrderBook()).stand(kept.entry, rest)


def at_fault(reason: RevertedError, buy: KeptLimit, sell: KeptLimit) -> list[KeptLimit]:
    """Whose order the chain refused: of the account or the order that the error names, else both.

    Nobody's where a match before this one was undone, so that what is left would now be too small a part.
    """
    if reason.name == "QuantityOutOfRange":
        return []
    account, order = reason.arguments.get("account"), reason.arguments.get("order")
    named = [kept for kept in (buy, sell) if account == kept.limit.account or order == kept.digest]
    return named or [buy, sell]


def _instrument(limit: Limit) -> Instrument:
    return Instrument(limit.community, limit.product, limit.instrument)
