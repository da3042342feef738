"""Agreements of all forms of trading but the call auction, as the chain has them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, Row, func, select

from otaniemi.contracts.rules.positions import Agreement, Position, pack_wh, unpack_wh
from otaniemi.platform.store.database import insert_new
from otaniemi.platform.store.schema import positions

_DEAL_BYTES = 8


def add_agreement(
    transaction: Connection,
    community: int,
    product: int,
    day: int,
    agreement: Agreement,
    origin: bytes,
    place: int,
    block: int,
) -> None:
    """Enter an agreement that the transaction ``origin`` in ``block`` recorded; the newest of all."""
    last = transaction.scalar(select(func.max(positions.c.sequence)))
    row = {
        "transaction": origin,
        "place": place,
        "sequence": 0 if last is None else last + 1,
        "community": community,
        "product": product,
        "day": day,
        "buyer": agreement.buyer,
        "seller": agreement.seller,
        "form": agreement.form,
        "deal": agreement.deal.to_bytes(_DEAL_BYTES, "big"),
        "price": agreement.price,
        "source": agreement.source,
        "slot": agreement.slot,
        "wh": pack_wh(agreement.wh),
        "block": block,
    }
    insert_new(transaction, positions, [row])


def agreements_of_day(transaction: Connection, community: int, product: int, day: int) -> list[Agreement]:
    """The agreements of a trading day, in the order in which the chain recorded them."""
    query = (
        select(positions)
        .where(positions.c.community == community, positions.c.product == product, positions.c.day == day)
        .order_by(positions.c.sequence)
    )
    return [_agreement(row) for row in transaction.execute(query)]


def positions_of_day(
    transaction: Connection, community: int, product: int, day: int
) -> dict[tuple[int, int], list[Position]]:
    """Positions of a trading day by product and account, in the order of the accounts' chains."""
    found: defaultdict[tuple[int, int], list[Position]] = defaultdict(list)
    for agreement in agreements_of_day(transaction, community, product, day):
        found[product, agreement.buyer].append(agreement.side(buy=True))
        found[product, agreement.seller].append(agreement.side(buy=False))
    return found


def _agreement(row: Row[Any]) -> Agreement:
    deal, wh = int.from_bytes(row.deal, "big"), unpack_wh(row.wh)
    return Agreement(row.buyer, row.seller, row.form, deal, row.price, row.source, row.slot, wh)
