"""What the contracts of the forms of trading said, as they said it: books are replayed from it."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, LargeBinary, func, or_, select
from sqlalchemy.sql.functions import Function

from otaniemi.contracts.chain.blocks import Log
from otaniemi.platform.store.database import insert_new
from otaniemi.platform.store.schema import form_logs

_TOPIC_BYTES = 32


def add_logs(transaction: Connection, origin: bytes, logs: Iterable[Log], block: int) -> None:
    """Enter logs of the transaction ``origin`` in ``block``; the newest of all."""
    last = transaction.scalar(select(func.max(form_logs.c.sequence)))
    first = 0 if last is None else last + 1
    rows = [
        {
            "transaction": origin,
            "place": place,
            "sequence": first + place,
            "address": log.address,
            "topics": b"".join(log.topics),
            "data": log.data,
            "block": block,
        }
        for place, log in enumerate(logs)
    ]
    insert_new(transaction, form_logs, rows)


def logs_of(transaction: Connection, address: bytes, subject: int | None = None) -> list[Log]:
    """Everything that the contract at ``address`` said, in order; with ``subject``, of that number alone."""
    query = select(form_logs).where(form_logs.c.address == address).order_by(form_logs.c.sequence)
    if subject is not None:
        query = query.where(_topic(1) == _word(subject))
    return [Log(row.address, _split(row.topics), row.data) for row in transaction.execute(query)]


def subjects(
    transaction: Connection, address: bytes, kinds: Iterable[bytes], account: int | None = None
) -> list[int]:
    """The numbers of which the contract at ``address`` said something of ``kinds`` (first topics), newest first.

    With ``account``, only where that was said of it: numbers come first in our events, accounts second or third.
    """
    query = select(_topic(1)).where(form_logs.c.address == address, _topic(0).in_(list(kinds)))
    if account is not None:
        query = query.where(or_(_topic(2) == _word(account), _topic(3) == _word(account)))
    query = query.group_by(_topic(1)).order_by(func.max(form_logs.c.sequence).desc())
    return [int.from_bytes(topic, "big") for topic in transaction.scalars(query)]


def counts(transaction: Connection, address: bytes) -> list[tuple[int, bytes, int]]:
    """How often the contract at ``address`` said something of each number: number, kind (first topic), times."""
    query = select(_topic(1), _topic(0), func.count()).where(form_logs.c.address == address)
    rows = transaction.execute(query.group_by(_topic(1), _topic(0)))
    return [(int.from_bytes(subject, "big"), kind, count) for subject, kind, count in rows]


def _topic(place: int) -> Function[bytes]:
    return func.substr(form_logs.c.topics, place * _TOPIC_BYTES + 1, _TOPIC_BYTES, type_=LargeBinary)


def _word(number: int) -> bytes:
    return number.to_bytes(_TOPIC_BYTES, "big")


def _split(topics: bytes) -> tuple[bytes, ...]:
    return tuple(topics[at : at + _TOPIC_BYTES] for at in range(0, len(topics), _TOPIC_BYTES))
