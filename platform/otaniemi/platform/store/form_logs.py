"""What the contracts of the forms of trading said, as they said it: books are replayed from it."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, func, select

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


def logs_of(transaction: Connection, address: bytes) -> list[Log]:
    """Everything that the contract at ``address`` said, in order."""
    query = select(form_logs).where(form_logs.c.address == address).order_by(form_logs.c.sequence)
    return [Log(row.address, _split(row.topics), row.data) for row in transaction.execute(query)]


def _split(topics: bytes) -> tuple[bytes, ...]:
    return tuple(topics[at : at + _TOPIC_BYTES] for at in range(0, len(topics), _TOPIC_BYTES))
