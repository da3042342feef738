"""What the reporters said: the number of their last round on each subject, and the leaves behind every meter root."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from otaniemi.contracts.rules.meters import MeterLeaf, MeterReport
from otaniemi.platform.store.database import insert, insert_new
from otaniemi.platform.store.schema import meter_leaves, report_rounds


def last_round(transaction: Connection, community: int, product: int, kind: int, at: int) -> int | None:
    """The last round that was begun on a feed and day, or on ``METER_KIND`` and a slot; None before the first."""
    key = {"community": community, "product": product, "kind": kind, "at": at}
    found = select(report_rounds.c.round)
    return transaction.scalar(found.where(*(report_rounds.c[name] == value for name, value in key.items())))


def note_round(
    transaction: Connection, community: int, product: int, kind: int, at: int, number: int
) -> None:
    """Note that round ``number`` began; see ``last_round``."""
    key = {"community": community, "product": product, "kind": kind, "at": at}
    statement = insert(report_rounds).values(**key, round=number)
    transaction.execute(statement.on_conflict_do_update(index_elements=list(key), set_={"round": number}))


def keep_leaves(transaction: Connection, report: MeterReport, leaves: Sequence[MeterLeaf]) -> None:
    """Keep the leaves under the root of ``report``; the chain holds no more than the root."""
    row = {
        "community": report.community,
        "product": report.product,
        "slot": report.slot,
        "root": report.root,
        "leaves": b"".join([leaf.pack() for leaf in leaves]),
    }
    insert_new(transaction, meter_leaves, [row])


def leaves_of(
    transaction: Connection, community: int, product: int, slot: int, root: bytes
) -> tuple[MeterLeaf, ...] | None:
    """The leaves under a ``root`` of a slot; None where they were not kept."""
    key = {"community": community, "product": product, "slot": slot, "root": root}
    found = select(meter_leaves.c.leaves)
    packed = transaction.scalar(found.where(*(meter_leaves.c[name] == value for name, value in key.items())))
    return None if packed is None else MeterLeaf.unpack_all(packed)
