"""Markets with their gates, accepted records and results, as the chain has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from otaniemi.contracts.rules.orders import RECORD_BYTES, Book, Market
from otaniemi.platform.store.database import insert_new
from otaniemi.platform.store.schema import markets, orders


@dataclass(frozen=True, slots=True)
class MarketLabels:
    """What giving out labels stored: their price [micro-token/kWh], the energy that can be labelled, and what bids
    with a higher premium bought [Wh]."""

    premium: int
    green_wh: int
    above_wh: int


@dataclass(frozen=True, slots=True)
class MarketResult:
    """What clearing stored: price [micro-token/kWh], energies [Wh], number of orders, root of the fill tree.

    ``price`` is None for a market that is void, as nobody cleared it before its slot began. ``labels`` is None before
    labels are given out; ``root`` holds their prefixes then.
    """

    price: int | None
    volume_wh: int
    demand_above_wh: int
    supply_below_wh: int
    count: int
    root: bytes
    labels: MarketLabels | None = None


@dataclass(frozen=True, slots=True)
class MarketState:
    """A market, its gates [Unix s], and its result once it is cleared."""

    market: Market
    relay_gate: int
    direct_gate: int
    result: MarketResult | None


@dataclass(frozen=True, slots=True)
class AcceptedOrder:
    """A record that a market accepted: its place, what it says, and its fill once the market is cleared [Wh].

    ``labelled_wh`` is the part that pays or receives the price of labels, None before labels are given out.
    ``nonce_low`` holds the low 24 bits of the nonce; ``transaction`` is the hash of the one that brought it.
    """

    market: Market
    index: int
    account: int
    price: int
    quantity: int
    nonce_low: int
    source: int
    buy: bool
    fill_wh: int | None
    labelled_wh: int | None
    transaction: bytes


def open_markets(transaction: Connection, gates: Iterable[tuple[Market, int, int]]) -> None:
    """Enter markets with their (relay gate, direct gate); those entered already stay as they are."""
    rows = [
        {**market._asdict(), "relay_gate": relay_gate, "direct_gate": direct_gate}
        for market, relay_gate, direct_gate in gates
    ]
    insert_new(transaction, markets, rows)


def add_records(
    transaction: Connection, market: Market, first_index: int, records: bytes, origin: bytes, block: int
) -> None:
    """Enter the records of one accepted batch.

    Parameters
    ----------
    first_index : int
        Place of the first record in the market.
    records : bytes
        16 bytes each, as the chain emitted them.
    origin : bytes
        Hash of the transaction.
    block : int
        Its block.
    """
    book = Book.of_records(records)
    rows = [
        {
            **market._asdict(),
            "place": first_index + place,
            "batch_start": first_index,
            "account": account,
            "nonce_low": nonce,
            "record": records[place * RECORD_BYTES : (place + 1) * RECORD_BYTES],
            "transaction": origin,
            "block": block,
        }
        for place, (account, nonce) in enumerate(zip(book.account.tolist(), book.nonce.tolist(), strict=True))
    ]
    insert_new(transaction, orders, rows)


def set_result(
    transaction: Connection, market: Market, result: MarketResult, fills: Sequence[int], block: int
) -> None:
    """Enter the result of a market that was cleared or void in ``block``, with the fill of each record [Wh]."""
    values = {
        "price": result.price,
        "volume_wh": result.volume_wh,
        "demand_above_wh": result.demand_above_wh,
        "supply_below_wh": result.supply_below_wh,
        "order_count": result.count,
        "root": result.root,
        "block": block,
    }
    transaction.execute(update(markets).where(*_is(markets, market)).values(values))
    if fills:
        statement = update(orders).where(*_is(orders, market), orders.c.place == bindparam("b_place"))
        rows = [{"b_place": place, "b_fill": fill} for place, fill in enumerate(fills)]
        transaction.execute(statement.values(fill_wh=bindparam("b_fill")), rows)


def set_labels(
    transaction: Connection,
    market: Market,
    labels: MarketLabels,
    root: bytes,
    labelled: Sequence[int],
    block: int,
) -> None:
    """Enter the labels of a cleared market that were given out in ``block``, with the part of each record [Wh]."""
    values = {
        "label_premium": labels.premium,
        "green_wh": labels.green_wh,
        "labels_above_wh": labels.above_wh,
        "label_root": root,
        "label_block": block,
    }
    transaction.execute(update(markets).where(*_is(markets, market)).values(values))
    statement = update(orders).where(*_is(orders, market), orders.c.place == bindparam("b_place"))
    rows = [{"b_place": place, "b_wh": wh} for place, wh in enumerate(labelled)]
    transaction.execute(statement.values(labelled_wh=bindparam("b_wh")), rows)


def get(transaction: Connection, market: Market) -> MarketState | None:
    """One market; None when it was not opened."""
    row = transaction.execute(select(markets).where(*_is(markets, market))).first()
    return _state(row) if row else None


def between(
    transaction: Connection, community: int, product: int, first_slot: int, end_slot: int
) -> list[MarketState]:
    """The markets of slots ``first_slot`` .. ``end_slot - 1``, by slot and session."""
    query = (
        select(markets)
        .where(markets.c.community == community, markets.c.product == product)
        .where(markets.c.slot >= first_slot, markets.c.slot < end_slot)
        .order_by(markets.c.slot, markets.c.session)
    )
    return [_state(row) for row in transaction.execute(query)]


def records_of(transaction: Connection, market: Market) -> bytes:
    """Every record of a market in order of arrival, concatenated; `Book.of_records` reads them."""
    query = select(orders.c.record).where(*_is(orders, market)).order_by(orders.c.place)
    return b"".join(transaction.scalars(query))


def batches_of(transaction: Connection, market: Market) -> list[bytes]:
    """The records of a market batch by batch, as the chain hashed them."""
    query = select(orders.c.batch_start, orders.c.record).where(*_is(orders, market)).order_by(orders.c.place)
    batches: dict[int, list[bytes]] = {}
    for start, record in transaction.execute(query):
        batches.setdefault(start, []).append(record)
    return [b"".join(batch) for batch in batches.values()]


def orders_of(transaction: Connection, account: int, first_slot: int, end_slot: int) -> list[AcceptedOrder]:
    """The accepted records of an account for slots ``first_slot`` .. ``end_slot - 1``, by slot and session."""
    query = (
        select(orders)
        .where(orders.c.account == account, orders.c.slot >= first_slot, orders.c.slot < end_slot)
        .order_by(orders.c.product, orders.c.slot, orders.c.session, orders.c.place)
    )
    return [_accepted(row) for row in transaction.execute(query)]


def orders_by_nonce(transaction: Connection, account: int, nonce: int) -> list[AcceptedOrder]:
    """The records that one signed order left on the chain, by slot; a profile leaves one a step."""
    query = (
        select(orders)
        .where(orders.c.account == account, orders.c.nonce_low == nonce & 0xFFFFFF)
        .order_by(orders.c.slot, orders.c.session, orders.c.place)
    )
    return [_accepted(row) for row in transaction.execute(query)]


def _is(table: Any, market: Market) -> list[Any]:
    return [table.c[name] == value for name, value in market._asdict().items()]


def _state(row: Row[Any]) -> MarketState:
    result = None
    if row.block is not None:
        labels, root = None, row.root
        if row.label_block is not None:
            labels = MarketLabels(row.label_premium, row.green_wh, row.labels_above_wh)
            root = row.label_root
        totals = row.price, row.volume_wh, row.demand_above_wh, row.supply_below_wh, row.order_count
        result = MarketResult(*totals, root, labels)
    market = Market(row.community, row.product, row.slot, row.session)
    return MarketState(market, row.relay_gate, row.direct_gate, result)


def _accepted(row: Row[Any]) -> AcceptedOrder:
    book = Book.of_records(row.record)
    return AcceptedOrder(
        market=Market(row.community, row.product, row.slot, row.session),
        index=row.place,
        account=row.account,
        price=int(book.price[0]),
        quantity=int(book.quantity[0]),
        nonce_low=row.nonce_low,
        source=int(book.source[0]),
        buy=bool(book.buy[0]),
        fill_wh=row.fill_wh,
        labelled_wh=row.labelled_wh,
        transaction=row.transaction,
    )
