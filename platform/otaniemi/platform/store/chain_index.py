"""How far the index follows the chain, and how it forgets blocks that a reorganisation undid."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, and_, delete, exists, func, select, update

from otaniemi.platform.store import schema
from otaniemi.platform.store.database import insert_new
from otaniemi.platform.store.intake import Status
from otaniemi.platform.store.limits import MatchStatus


class IndexedBlock(NamedTuple):
    """A block whose events are in the index."""

    number: int
    hash: bytes


def add_block(transaction: Connection, block: IndexedBlock) -> None:
    """Note that the events of ``block`` are in the index."""
    insert_new(transaction, schema.blocks, [block._asdict()])


def last_block(transaction: Connection) -> IndexedBlock | None:
    """The newest block in the index; None when it is empty."""
    newest = select(func.max(schema.blocks.c.number)).scalar_subquery()
    row = transaction.execute(select(schema.blocks).where(schema.blocks.c.number == newest)).first()
    return IndexedBlock(*row) if row else None


def hash_of_block(transaction: Connection, number: int) -> bytes | None:
    """The hash that block ``number`` had when its events were read; None for one that was not."""
    return transaction.scalar(select(schema.blocks.c.hash).where(schema.blocks.c.number == number))


def forget_from(transaction: Connection, number: int) -> None:
    """Forget what block ``number`` and later ones brought; 0 empties the index, and nothing private is lost.

    Signed orders and nominations that those blocks took or skipped wait to be relayed again, and matches that they
    settled to be brought again.
    """
    markets, orders = schema.markets, schema.orders
    same_market = and_(*(markets.c[key.name] == orders.c[key.name] for key in markets.primary_key))
    undone = exists().where(same_market, markets.c.block >= number)
    transaction.execute(update(orders).where(undone).values(fill_wh=None))
    unlabelled = exists().where(same_market, markets.c.label_block >= number)
    transaction.execute(update(orders).where(unlabelled).values(labelled_wh=None))
    labels = ("label_premium", "green_wh", "labels_above_wh", "label_root", "label_block")
    transaction.execute(update(markets).where(markets.c.label_block >= number).values(dict.fromkeys(labels)))
    columns = ("price", "volume_wh", "demand_above_wh", "supply_below_wh", "order_count", "root", "block")
    transaction.execute(update(markets).where(markets.c.block >= number).values(dict.fromkeys(columns)))
    matches = schema.limit_matches
    again = {"status": MatchStatus.WAITING.value, "transaction": None, "place": None, "block": None}
    transaction.execute(update(matches).where(matches.c.block >= number).values(again))
    for intake in (schema.order_intake, schema.nomination_intake):
        waiting = {"status": Status.RECEIVED.value, "reason": None, "block": None}
        transaction.execute(update(intake).where(intake.c.block >= number).values(waiting))
    transaction.execute(delete(schema.blocks).where(schema.blocks.c.number >= number))
    for table in schema.INDEX:
        transaction.execute(delete(table).where(table.c.block >= number))
