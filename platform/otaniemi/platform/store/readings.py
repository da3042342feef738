"""What meters said, slot by slot. [Wh]"""

from __future__ import annotations

from sqlalchemy import Connection, select

from otaniemi.oracles.meters import Reading
from otaniemi.platform.store.database import insert_new
from otaniemi.platform.store.schema import readings


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


def taken_since(transaction: Connection, product: int, first_slot: int) -> list[tuple[int, int, Reading]]:
    """Account, slot and reading of every reading of slots ``first_slot`` and later."""
    table = readings
    query = select(table.c.account, table.c.slot, table.c.import_wh, table.c.export_wh)
    found = transaction.execute(query.where(table.c.product == product, table.c.slot >= first_slot))
    return [(account, slot, Reading(import_wh, export_wh)) for account, slot, import_wh, export_wh in found]


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
