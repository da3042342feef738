"""A trading day beside its markets: the tariffs and nominations that the chain has, and the lines of its bills."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from otaniemi.contracts.rules.lines import Line, LineFields
from otaniemi.contracts.rules.references import Reference
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.contracts.rules.tariffs import Feed, TariffReport, unpack_prices
from otaniemi.platform.store.database import insert, insert_new
from otaniemi.platform.store.schema import bills, nominations, tariffs

_WAITING = 128
"""Added to the feed of prices in quarantine."""

_NUMBERS = tuple(LineFields.__dataclass_fields__)


def add_tariff(transaction: Connection, report: TariffReport, block: int) -> None:
    """Enter prices that the oracle took in ``block``; they count instead of those that it took before."""
    _put_tariff(transaction, report, report.feed, block)


def add_waiting_tariff(transaction: Connection, report: TariffReport, block: int) -> None:
    """Enter prices that went to quarantine in ``block``; they are not those of the day until they count."""
    _put_tariff(transaction, report, report.feed + _WAITING, block)


def count_waiting_tariff(transaction: Connection, community: int, feed: Feed, day: int, block: int) -> None:
    """The arbiter let the prices in quarantine count in ``block``."""
    prices = _prices(transaction, community, feed + _WAITING, day)
    if prices is not None:
        add_tariff(transaction, TariffReport(community, feed, day, unpack_prices(prices)), block)


def tariff(transaction: Connection, community: int, feed: Feed, day: int) -> TariffReport | None:
    """The latest prices of a feed and day that counted; None before there were any."""
    prices = _prices(transaction, community, feed, day)
    return None if prices is None else TariffReport(community, feed, day, unpack_prices(prices))


def _put_tariff(transaction: Connection, report: TariffReport, feed: int, block: int) -> None:
    key = {"community": report.community, "feed": feed, "day": report.day, "block": block}
    prices = {"prices": report.packed_prices()}
    statement = insert(tariffs).values(**key, **prices)
    transaction.execute(statement.on_conflict_do_update(index_elements=list(key), set_=prices))


def _prices(transaction: Connection, community: int, feed: int, day: int) -> bytes | None:
    rows = select(tariffs.c.prices).where(
        tariffs.c.community == community, tariffs.c.feed == int(feed), tariffs.c.day == day
    )
    return transaction.scalar(rows.order_by(tariffs.c.block.desc()).limit(1))


def add_nominations(
    transaction: Connection, day: int, batch: int, accepted: Sequence[Nomination], block: int
) -> None:
    """Enter the nominations of one batch that ``block`` accepted, in the order of its leaves."""
    rows = [
        {
            "community": entry.community,
            "product": entry.product,
            "day": day,
            "batch": batch,
            "leaf": leaf,
            "account": entry.account,
            "slot": entry.slot,
            "seq": entry.seq,
            "wh": entry.packed_wh(),
            "block": block,
        }
        for leaf, entry in enumerate(accepted)
    ]
    insert_new(transaction, nominations, rows)


def nomination_batches(
    transaction: Connection, community: int, product: int, day: int
) -> list[list[Nomination]]:
    """The accepted batches of a day, as `rules.schedules.schedules` takes them."""
    query = (
        select(nominations)
        .where(nominations.c.community == community)
        .where(nominations.c.product == product, nominations.c.day == day)
        .order_by(nominations.c.batch, nominations.c.leaf)
    )
    batches: list[list[Nomination]] = []
    for row in transaction.execute(query):
        while len(batches) <= row.batch:
            batches.append([])
        wh = tuple(int.from_bytes(row.wh[at : at + 4], "big", signed=True) for at in range(0, len(row.wh), 4))
        batches[row.batch].append(Nomination(row.account, community, product, row.slot, row.seq, wh))
    return batches


def keep_bills(transaction: Connection, community: int, day: int, lines: Iterable[Line]) -> None:
    """Keep the lines of a day's bills, in place of those kept before; the chain holds no more than their root."""
    rows = [
        {name: getattr(line, name) for name in _NUMBERS}
        | {
            "community": community,
            "day": day,
            "references": b"".join([reference.pack() for reference in line.references]),
        }
        for line in lines
    ]
    transaction.execute(delete(bills).where(bills.c.community == community, bills.c.day == day))
    insert_new(transaction, bills, rows)


def bill_lines(transaction: Connection, community: int, day: int, account: int | None = None) -> list[Line]:
    """The lines of a day, of one account or of all, by account, product and slot; empty before its bills."""
    query = select(bills).where(bills.c.community == community, bills.c.day == day)
    if account is not None:
        query = query.where(bills.c.account == account)
    ordered = query.order_by(bills.c.account, bills.c.product, bills.c.slot)
    return [_line(row) for row in transaction.execute(ordered)]


def _line(row: Row[Any]) -> Line:
    values = {name: getattr(row, name) for name in _NUMBERS}
    return Line(**values, references=Reference.unpack_all(row.references))
