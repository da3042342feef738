"""Signed orders and nominations on their way to the chain.

What is received stays as it was signed. A message that comes twice is kept once; another one under the same
number is refused, unless the chain skipped the first: then its number is still free.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, bindparam, func, select, update

from otaniemi.contracts.rules.orders import (
    Market,
    NonceWindow,
    Order,
    ProfileOrder,
    SkipReason,
    decode_orders,
    decode_profiles,
)
from otaniemi.contracts.rules.schedules import Nomination, decode_nominations
from otaniemi.platform.errors import OtaniemiError
from otaniemi.platform.store.database import insert
from otaniemi.platform.store.schema import nomination_intake, nominations, order_intake


class Status(StrEnum):
    """How far a signed message came."""

    RECEIVED = "received"
    RELAYED = "relayed"
    SKIPPED = "skipped"


class NumberTakenError(OtaniemiError):
    """Another signed message of the account has the same number."""

    def __init__(self, account: int, field: str, number: int) -> None:
        super().__init__(
            f"{field} is {number}; account {account} sent another message with it, take a new one"
        )
        self.account, self.field, self.number = account, field, number


@dataclass(frozen=True, slots=True)
class Submission:
    """A signed order, when it came [Unix s], and how far.

    ``reason`` says why the chain skipped it; ``block`` is where it was accepted or skipped; ``receipt`` is what the
    relayer signed when it came.
    """

    order: Order | ProfileOrder
    signature: bytes
    received_at: int
    status: Status
    reason: SkipReason | None
    block: int | None
    receipt: bytes | None


@dataclass(frozen=True, slots=True)
class SubmittedNomination:
    """A signed nomination; the other fields as those of `Submission`."""

    nomination: Nomination
    signature: bytes
    received_at: int
    status: Status
    reason: int | None
    block: int | None


def receive_order(
    transaction: Connection,
    order: Order | ProfileOrder,
    signature: bytes,
    now: int,
    receipt: bytes | None = None,
) -> Submission:
    """Keep a signed order with the relayer's ``receipt`` of now; one that was received before comes back as it is.

    Raises
    ------
    NumberTakenError
        Another order with its nonce was received, and the chain did not skip it.
    """
    row = {
        "account": order.account,
        "nonce": order.nonce,
        "community": order.community,
        "product": order.product,
        "session": order.session,
        "slot": order.slot if isinstance(order, Order) else None,
        "wire": order.wire(signature),
        "receipt": receipt,
    }
    kept = _receive(transaction, order_intake, row, now)
    if kept is None:
        raise NumberTakenError(order.account, "nonce", order.nonce)
    return _submission(kept)


def receive_nomination(
    transaction: Connection, nomination: Nomination, signature: bytes, now: int
) -> SubmittedNomination:
    """Keep a signed nomination; one that was received before comes back as it is.

    Raises
    ------
    NumberTakenError
        Another nomination from the same slot on has its ``seq``, and the chain did not skip it.
    """
    row = {
        "account": nomination.account,
        "product": nomination.product,
        "slot": nomination.slot,
        "seq": nomination.seq,
        "community": nomination.community,
        "wire": nomination.wire(signature),
    }
    kept = _receive(transaction, nomination_intake, row, now)
    if kept is None:
        raise NumberTakenError(nomination.account, "seq", nomination.seq)
    return _nomination(kept)


def waiting_orders(transaction: Connection, community: int, product: int, session: int) -> list[Submission]:
    """Orders of a session that no block has taken or skipped yet, in order of arrival."""
    table = order_intake
    query = _waiting(table, community, product).where(table.c.session == session)
    return [_submission(row) for row in transaction.execute(query)]


def waiting_nominations(transaction: Connection, community: int, product: int) -> list[SubmittedNomination]:
    """Nominations that no block has taken or skipped yet, in order of arrival."""
    return [_nomination(row) for row in transaction.execute(_waiting(nomination_intake, community, product))]


def get_order(transaction: Connection, account: int, nonce: int) -> Submission | None:
    """The order that an account sent under ``nonce``; None when there is none."""
    table = order_intake
    row = transaction.execute(select(table).where(table.c.account == account, table.c.nonce == nonce)).first()
    return _submission(row) if row else None


def orders_of(transaction: Connection, account: int, limit: int = 100) -> list[Submission]:
    """What an account sent, the newest first."""
    table = order_intake
    newest_first = (table.c.received_at.desc(), table.c.nonce.desc())
    query = select(table).where(table.c.account == account).order_by(*newest_first).limit(limit)
    return [_submission(row) for row in transaction.execute(query)]


def next_nonce(transaction: Connection, account: int, chain: NonceWindow) -> int:
    """A nonce above all that the account used on the chain or sent here."""
    sent = select(func.max(order_intake.c.nonce)).where(order_intake.c.account == account)
    highest = transaction.scalar(sent)
    return max(chain.next, 0 if highest is None else highest + 1)


def next_seq(transaction: Connection, account: int) -> int:
    """A nomination number above all that the account has on the chain or sent here."""
    columns = (nomination_intake.c, nominations.c)
    sent = (transaction.scalar(select(func.max(c.seq)).where(c.account == account)) for c in columns)
    return max(0, *(highest or 0 for highest in sent)) + 1


def orders_accepted(transaction: Connection, records: Iterable[tuple[Market, bytes]], block: int) -> None:
    """Note that ``block`` accepted ``records``: the orders here that left one or more of them are relayed.

    A record tells its order by its market and all that it says, so another order under the same number, which
    its account placed by itself, leaves the one here to be skipped.
    """
    accepted = set(records)
    accounts = {int.from_bytes(record[:4], "big") for _, record in accepted}
    table = order_intake
    open_ones = table.c.status.in_([Status.RECEIVED.value, Status.SKIPPED.value])
    query = select(table).where(open_ones, table.c.account.in_(accounts))
    orders_here = [_submission(row).order for row in transaction.execute(query)]
    rows = [
        {"b_account": order.account, "b_nonce": order.nonce}
        for order in orders_here
        if not accepted.isdisjoint(order.records())
    ]
    _settle(transaction, table, rows, {"status": Status.RELAYED.value, "reason": None, "block": block})


def orders_skipped(
    transaction: Connection, skipped: Iterable[tuple[int, int, SkipReason]], block: int
) -> None:
    """Note that a batch of ours had the orders with these (account, nonce, reason) skipped in ``block``.

    An order that was accepted stays accepted, whatever a replay of it was skipped for. A skip in somebody
    else's batch says nothing about the order here, whose number that batch may have forged.
    """
    rows = [
        {"b_account": account, "b_nonce": nonce, "b_reason": int(reason)}
        for account, nonce, reason in skipped
    ]
    _settle(
        transaction,
        order_intake,
        rows,
        {"status": Status.SKIPPED.value, "reason": bindparam("b_reason"), "block": block},
        order_intake.c.status == Status.RECEIVED.value,
    )


def nominations_relayed(transaction: Connection, nominations: Iterable[Nomination], block: int) -> None:
    """Note that ``block`` accepted these nominations."""
    rows = [_nomination_key(nomination) for nomination in nominations]
    values = {"status": Status.RELAYED.value, "reason": None, "block": block}
    _settle(transaction, nomination_intake, rows, values)


def nominations_skipped(
    transaction: Connection, skipped: Iterable[tuple[Nomination, int]], block: int
) -> None:
    """Note that a batch of ours had these (nomination, reason) skipped in ``block``."""
    rows = [_nomination_key(nomination) | {"b_reason": reason} for nomination, reason in skipped]
    _settle(
        transaction,
        nomination_intake,
        rows,
        {"status": Status.SKIPPED.value, "reason": bindparam("b_reason"), "block": block},
        nomination_intake.c.status == Status.RECEIVED.value,
    )


def _receive(transaction: Connection, table: Table, row: Mapping[str, Any], now: int) -> Row[Any] | None:
    """The kept row under the key of ``row``; None when that is another message which still counts."""
    key = [column == row[column.name] for column in table.primary_key]
    fresh = {**row, "received_at": now, "status": Status.RECEIVED.value, "reason": None, "block": None}
    statement = insert(table).values(fresh)
    replaced = statement.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={name: statement.excluded[name] for name in fresh},
        where=(table.c.status == Status.SKIPPED.value) & (table.c.wire != statement.excluded.wire),
    )
    transaction.execute(replaced)
    kept = transaction.execute(select(table).where(*key)).one()
    return kept if kept.wire == row["wire"] else None


def _waiting(table: Table, community: int, product: int) -> Select[Any]:
    open_here = (
        table.c.status == Status.RECEIVED.value,
        table.c.community == community,
        table.c.product == product,
    )
    return select(table).where(*open_here).order_by(table.c.received_at, *table.primary_key)


def _settle(
    transaction: Connection,
    table: Table,
    rows: list[dict[str, Any]],
    values: Mapping[str, Any],
    *conditions: ColumnElement[bool],
) -> None:
    if rows:
        key = [column == bindparam(f"b_{column.name}") for column in table.primary_key]
        transaction.execute(update(table).where(*key, *conditions).values(values), rows)


def _nomination_key(nomination: Nomination) -> dict[str, Any]:
    return {f"b_{name}": getattr(nomination, name) for name in ("account", "product", "slot", "seq")}


def _submission(row: Row[Any]) -> Submission:
    order: Order | ProfileOrder
    if row.slot is None:
        order, signature = next(decode_profiles(row.community, row.product, row.session, row.wire))
    else:
        order, signature = next(
            decode_orders(Market(row.community, row.product, row.slot, row.session), row.wire)
        )
    reason = None if row.reason is None else SkipReason(row.reason)
    return Submission(order, signature, row.received_at, Status(row.status), reason, row.block, row.receipt)


def _nomination(row: Row[Any]) -> SubmittedNomination:
    [(nomination, signature)] = decode_nominations(row.community, row.product, row.wire)
    return SubmittedNomination(
        nomination, signature, row.received_at, Status(row.status), row.reason, row.block
    )
