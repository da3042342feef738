"""Limit orders with their receipts, what the engine matched, its log, and snapshots of its books."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, func, or_, select, update

from otaniemi.contracts.rules.continuous import Limit
from otaniemi.contracts.rules.order_book import Entry, Level, Match
from otaniemi.platform.engine_log import LogEntry, LogKind, Removal
from otaniemi.platform.store.database import insert, insert_new
from otaniemi.platform.store.schema import (
    book_snapshots,
    engine_log,
    limit_cancels,
    limit_matches,
    limit_trades,
    limits,
)


class MatchStatus(StrEnum):
    """How far a match came."""

    WAITING = "waiting"
    SETTLED = "settled"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class KeptLimit:
    """A limit order with its receipt.

    ``until`` is the last instant at which the engine matches it [Unix s]; ``removed`` says why it left before.
    """

    sequence: int
    digest: bytes
    limit: Limit
    signature: bytes
    received_at: int
    receipt: bytes
    until: int
    removed: str | None = None

    @property
    def entry(self) -> Entry:
        """The order as a book ranks it."""
        return Entry.of(self.limit, self.sequence, self.until)


@dataclass(frozen=True, slots=True)
class KeptMatch:
    """A match of the orders ``buy`` and ``sell`` (sequence numbers), and the transaction that settled it."""

    number: int
    buy: int
    sell: int
    quantity: int
    price: int
    matched_at: int
    status: MatchStatus
    transaction: bytes | None
    block: int | None


class Trade(NamedTuple):
    """What the chain traded, by the digests of the limits; ``place`` counts within the transaction."""

    transaction: bytes
    place: int
    buy: bytes
    sell: bytes
    quantity: int
    price: int
    block: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The best prices of a book at the end of a minute; ``sequence`` is that of the newest order."""

    minute: int
    sequence: int
    buys: tuple[Level, ...]
    sells: tuple[Level, ...]


_LIMIT_FIELDS = tuple(field.name for field in fields(Limit))


def next_sequence(transaction: Connection) -> int:
    """The number of the next order."""
    return (transaction.scalar(select(func.max(limits.c.sequence))) or 0) + 1


def add_limit(transaction: Connection, kept: KeptLimit) -> None:
    """Keep a new order."""
    terms = {name: getattr(kept.limit, name) for name in _LIMIT_FIELDS}
    rest = {field.name: getattr(kept, field.name) for field in fields(KeptLimit) if field.name != "limit"}
    transaction.execute(insert(limits).values(**terms, **rest))


def by_digest(transaction: Connection, digest: bytes) -> KeptLimit | None:
    """The order with this digest; None when there is none."""
    return next(_limits(transaction, limits.c.digest == digest), None)


def by_sequence(transaction: Connection, sequences: Iterable[int]) -> dict[int, KeptLimit]:
    """The orders with these numbers."""
    condition = limits.c.sequence.in_(set(sequences))
    return {kept.sequence: kept for kept in _limits(transaction, condition)}


def of_account(transaction: Connection, account: int, limit: int = 100) -> list[KeptLimit]:
    """The latest orders of an account, newest first."""
    query = select(limits).where(limits.c.account == account).order_by(limits.c.sequence.desc()).limit(limit)
    return [_limit(row) for row in transaction.execute(query)]


def standing(transaction: Connection, now: int) -> list[tuple[KeptLimit, int]]:
    """Orders that nothing has removed and that can trade at ``now``, with what no match has taken, oldest first."""
    query = select(limits, _taken().label("taken")).where(limits.c.removed.is_(None), limits.c.until >= now)
    rows = transaction.execute(query.order_by(limits.c.sequence))
    return [(_limit(row), row.quantity - row.taken) for row in rows if row.quantity > row.taken]


def unsettled(transaction: Connection, account: int, now: int) -> list[tuple[Limit, int]]:
    """What an account may still have to pay for: its orders that stand or wait, with what the chain has not locked."""
    settled = _taken(MatchStatus.SETTLED)
    waiting = _taken(MatchStatus.WAITING)
    stands = and_(limits.c.removed.is_(None), limits.c.until >= now)
    query = select(limits, settled.label("settled"), waiting.label("waiting"), stands.label("stands")).where(
        limits.c.account == account, or_(stands, waiting > 0)
    )
    rows = transaction.execute(query)
    open_parts = ((row, row.quantity - row.settled if row.stands else row.waiting) for row in rows)
    return [(_limit(row).limit, quantity) for row, quantity in open_parts if quantity > 0]


def remove(transaction: Connection, sequence: int, why: Removal) -> None:
    """Note why an order left."""
    transaction.execute(update(limits).where(limits.c.sequence == sequence).values(removed=why.value))


def open_with_nonce(transaction: Connection, account: int, nonce: int) -> list[KeptLimit]:
    """The orders of an account with ``nonce`` that nothing has removed."""
    same = limits.c.account == account, limits.c.nonce == nonce
    return list(_limits(transaction, and_(*same, limits.c.removed.is_(None))))


def is_cancelled(transaction: Connection, account: int, nonce: int) -> bool:
    """Whether the account cancelled ``nonce``, here or on the chain."""
    here = exists().where(
        limits.c.account == account, limits.c.nonce == nonce, limits.c.removed == Removal.CANCELLED.value
    )
    there = exists().where(limit_cancels.c.account == account, limit_cancels.c.nonce == nonce)
    return bool(transaction.scalar(select(or_(here, there))))


def cancelled_on_chain(transaction: Connection) -> list[KeptLimit]:
    """Orders that nothing has removed, but whose nonce was cancelled on the chain."""
    same = limit_cancels.c.account == limits.c.account, limit_cancels.c.nonce == limits.c.nonce
    return list(_limits(transaction, and_(limits.c.removed.is_(None), exists().where(*same))))


def add_matches(transaction: Connection, found: Sequence[Match], now: int) -> list[KeptMatch]:
    """Keep matches that wait to be brought to the chain, in their order."""
    first = (transaction.scalar(select(func.max(limit_matches.c.number))) or 0) + 1
    kept = [
        KeptMatch(first + place, *match, now, MatchStatus.WAITING, None, None)
        for place, match in enumerate(found)
    ]
    insert_new(transaction, limit_matches, [_columns(match) for match in kept])
    return kept


def waiting(transaction: Connection) -> list[KeptMatch]:
    """Matches that the chain has neither settled nor refused, in their order."""
    return _matches(transaction, limit_matches.c.status == MatchStatus.WAITING.value)


def matches_of(transaction: Connection, sequences: Iterable[int]) -> list[KeptMatch]:
    """All matches of these orders, in their order."""
    numbers = set(sequences)
    return _matches(transaction, or_(limit_matches.c.buy.in_(numbers), limit_matches.c.sell.in_(numbers)))


def settle(transaction: Connection, number: int, trade: Trade) -> None:
    """Note that ``trade`` is match ``number``."""
    values = {"transaction": trade.transaction, "place": trade.place, "block": trade.block}
    statement = update(limit_matches).where(limit_matches.c.number == number)
    transaction.execute(statement.values(status=MatchStatus.SETTLED.value, **values))


def undo(transaction: Connection, number: int) -> None:
    """Note that the chain refused match ``number``."""
    statement = update(limit_matches).where(limit_matches.c.number == number)
    transaction.execute(statement.values(status=MatchStatus.UNDONE.value))


def unassigned_trades(transaction: Connection) -> list[Trade]:
    """Trades of orders that came here, which no match accounts for yet, in the chain's order."""
    trade, match = limit_trades.c, limit_matches.c
    known = exists().where(match.transaction == trade.transaction, match.place == trade.place)
    ours = exists().where(or_(limits.c.digest == trade.buy, limits.c.digest == trade.sell))
    query = select(limit_trades).where(~known, ours).order_by(trade.block, trade.transaction, trade.place)
    return [Trade(**row._mapping) for row in transaction.execute(query)]


def add_trades(transaction: Connection, trades: Iterable[Trade]) -> None:
    """Enter what one transaction of the chain traded."""
    insert_new(transaction, limit_trades, [trade._asdict() for trade in trades])


def add_cancel(transaction: Connection, account: int, nonce: int, block: int) -> None:
    """Enter a nonce that its account cancelled on the chain."""
    insert_new(transaction, limit_cancels, [{"account": account, "nonce": nonce, "block": block}])


def last_entry(transaction: Connection) -> LogEntry | None:
    """The newest entry of the log; None while it is empty."""
    row = transaction.execute(select(engine_log).order_by(engine_log.c.place.desc()).limit(1)).first()
    return _entry(row) if row else None


def add_entry(transaction: Connection, entry: LogEntry) -> None:
    """Add an entry to the log."""
    transaction.execute(insert(engine_log).values(_columns(entry)))


def log_entries(transaction: Connection, first: int, count: int) -> list[LogEntry]:
    """``count`` entries of the log from place ``first`` on."""
    query = select(engine_log).where(engine_log.c.place >= first).order_by(engine_log.c.place).limit(count)
    return [_entry(row) for row in transaction.execute(query)]


def keep_snapshot(transaction: Connection, instrument: tuple[int, int, int], snapshot: Snapshot) -> None:
    """Keep the state of a book, given by community, product and instrument, as that of its minute."""
    key = dict(zip(("community", "product", "instrument"), instrument, strict=True))
    values = {
        "sequence": snapshot.sequence,
        "buys": [list(level) for level in snapshot.buys],
        "sells": [list(level) for level in snapshot.sells],
    }
    statement = insert(book_snapshots).values(**key, minute=snapshot.minute, **values)
    index = list(book_snapshots.primary_key)
    transaction.execute(statement.on_conflict_do_update(index_elements=index, set_=values))


def snapshots(
    transaction: Connection, instrument: tuple[int, int, int], first_minute: int, count: int
) -> list[Snapshot]:
    """``count`` snapshots of a book from a minute on [Unix time // 60]."""
    table = book_snapshots.c
    here = zip((table.community, table.product, table.instrument), instrument, strict=True)
    query = (
        select(book_snapshots)
        .where(*[column == value for column, value in here], table.minute >= first_minute)
        .order_by(table.minute)
        .limit(count)
    )
    return [
        Snapshot(row.minute, row.sequence, _levels(row.buys), _levels(row.sells))
        for row in transaction.execute(query)
    ]


def _taken(*statuses: MatchStatus) -> Any:
    """What matches of these statuses, by default all but undone ones, took of an order."""
    counting = statuses or (MatchStatus.WAITING, MatchStatus.SETTLED)
    match = limit_matches.c
    total = select(func.coalesce(func.sum(match.quantity), 0)).where(
        or_(match.buy == limits.c.sequence, match.sell == limits.c.sequence),
        match.status.in_([status.value for status in counting]),
    )
    return total.correlate(limits).scalar_subquery()


def _limits(transaction: Connection, condition: ColumnElement[bool]) -> Iterator[KeptLimit]:
    for row in transaction.execute(select(limits).where(condition).order_by(limits.c.sequence)):
        yield _limit(row)


def _limit(row: Row[Any]) -> KeptLimit:
    terms = Limit(**{name: getattr(row, name) for name in _LIMIT_FIELDS})
    return KeptLimit(
        row.sequence, row.digest, terms, row.signature, row.received_at, row.receipt, row.until, row.removed
    )


def _entry(row: Row[Any]) -> LogEntry:
    return LogEntry(**{**row._mapping, "kind": LogKind(row.kind)})


def _matches(transaction: Connection, condition: ColumnElement[bool]) -> list[KeptMatch]:
    columns = [limit_matches.c[field.name] for field in fields(KeptMatch)]
    query = select(*columns).where(condition).order_by(limit_matches.c.number)
    return [
        KeptMatch(**{**row._mapping, "status": MatchStatus(row.status)}) for row in transaction.execute(query)
    ]


def _levels(found: Sequence[Sequence[int]]) -> tuple[Level, ...]:
    return tuple(Level(*level) for level in found)


def _columns(value: Any) -> dict[str, Any]:
    names = [field.name for field in fields(value)]
    return dict(zip(names, astuple(value), strict=True))
