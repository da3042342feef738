"""Private series: what meters said, and what a home planned, scheduled or measured, slot by slot. [Wh]"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, select

from otaniemi.oracles.meters import Reading
from otaniemi.platform.store.database import insert, insert_new
from otaniemi.platform.store.schema import readings, series


def add_reading(
    transaction: Connection, product: int, slot: int, account: int, reading: Reading, now: int
) -> bool:
    """Keep the reading of an account's meter; True when it is the first of its slot, which stands."""
    row = {
        "product": product,
        "slot": slot,
        "account": account,
        "import_wh": reading.import_wh,
        "export_wh": reading.export_wh,
        "received_at": now,
    }
    return insert_new(transaction, readings, [row]) == 1


def readings_of(
    transaction: Connection, product: int, account: int, first_slot: int, end_slot: int
) -> dict[int, Reading]:
    """The readings of an account for slots ``first_slot`` .. ``end_slot - 1``; a silent slot is not listed."""
    table = readings
    query = (
        select(table.c.slot, table.c.import_wh, table.c.export_wh)
        .where(table.c.product == product, table.c.account == account)
        .where(table.c.slot >= first_slot, table.c.slot < end_slot)
        .order_by(table.c.slot)
    )
    return {slot: Reading(import_wh, export_wh) for slot, import_wh, export_wh in transaction.execute(query)}


def put_series(transaction: Connection, account: int, name: str, values: Mapping[int, int]) -> None:
    """Keep the values of a series by slot; a newer value takes the place of an older one."""
    rows = [{"account": account, "name": name, "slot": slot, "wh": wh} for slot, wh in values.items()]
    if rows:
        statement = insert(series)
        changed = {"wh": statement.excluded.wh}
        transaction.execute(
            statement.on_conflict_do_update(index_elements=["account", "name", "slot"], set_=changed), rows
        )


def get_series(
    transaction: Connection, account: int, name: str, first_slot: int, end_slot: int
) -> dict[int, int]:
    """The values of a series for slots ``first_slot`` .. ``end_slot - 1``, ascending."""
    query = (
        select(series.c.slot, series.c.wh)
        .where(series.c.account == account, series.c.name == name)
        .where(series.c.slot >= first_slot, series.c.slot < end_slot)
        .order_by(series.c.slot)
    )
    return {row.slot: row.wh for row in transaction.execute(query)}
