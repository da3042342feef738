"""Opening, migrating, sharing."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Connection, delete, inspect, select, text

from otaniemi.oracles.meters import Reading
from otaniemi.platform.store import Store, StoreError, members, readings, schema
from otaniemi.platform.store.database import migration_config
from otaniemi.platform.store.members import Member


def test_the_migrations_give_exactly_the_tables_of_the_schema(store: Store) -> None:
    with store.begin() as transaction:
        command.check(migration_config(transaction))
        assert set(inspect(transaction).get_table_names()) == {*schema.metadata.tables, "alembic_version"}


def test_the_last_migration_can_be_undone(store: Store) -> None:
    with store.begin() as transaction:
        command.downgrade(migration_config(transaction), "base")
        assert inspect(transaction).get_table_names() == ["alembic_version"]


def test_rows_keep_what_they_say_when_the_schema_changes(store: Store) -> None:
    key, meter, prices = (1, 2, 3), bytes(range(32)), b"\x01\x02"
    with store.begin() as transaction:
        command.downgrade(migration_config(transaction), "0009")
        for account, known in ((7, meter), (8, bytes(32))):
            row = {
                "account": account,
                "block": 5,
                "community": 1,
                "owner": "o",
                "device": "d",
                "meter": known,
            }
            _insert(transaction, "members", row)
        named = dict(zip(("community", "feed", "day"), key, strict=True))
        _insert(transaction, "tariffs", {**named, "prices": prices, "block": 4})
        command.upgrade(migration_config(transaction), "head")
        assert members.of_community(transaction, 1) == [
            Member(7, 1, "o", "d", {0: meter}, "account 7"),
            Member(8, 1, "o", "d", {}, "account 8"),
        ]
        assert transaction.execute(select(schema.tariffs)).all() == [(*key, 4, prices)]
        command.downgrade(migration_config(transaction), "0009")
        assert transaction.scalars(text("SELECT meter FROM members ORDER BY account")).all() == [
            meter,
            bytes(32),
        ]


def _insert(transaction: Connection, table: str, row: dict[str, object]) -> None:
    columns, values = ", ".join(row), ", ".join(f":{name}" for name in row)
    transaction.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({values})"), row)


def test_what_was_written_is_there_when_opened_again(store: Store) -> None:
    with store.begin() as transaction:
        readings.add_reading(transaction, 0, 5, 7, Reading(1, 0), 99)
    store.close()
    again = Store(store.path)
    with again.read() as transaction:
        assert readings.readings_of(transaction, 0, 7, 0, 9) == {5: Reading(1, 0)}
    again.close()


def test_an_exception_undoes_the_transaction(store: Store) -> None:
    def fail() -> None:
        with store.begin() as transaction:
            readings.add_reading(transaction, 0, 5, 7, Reading(1, 0), 99)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with store.read() as transaction:
        assert readings.readings_of(transaction, 0, 7, 0, 9) == {}


def test_a_durable_transaction_waits_for_the_disk_and_the_next_one_does_not(store: Store) -> None:
    for durable, mode in ((True, 2), (False, 1), (True, 2)):
        with store.begin(durable=durable) as transaction:
            assert transaction.exec_driver_sql("PRAGMA synchronous").scalar() == mode


def test_a_reader_sees_one_state_while_another_thread_writes(store: Store) -> None:
    def write() -> None:
        with store.begin() as transaction:
            readings.add_reading(transaction, 0, 5, 7, Reading(1, 0), 99)

    with store.read() as reader:
        before = readings.readings_of(reader, 0, 7, 0, 9)
        thread = threading.Thread(target=write)
        thread.start()
        thread.join(timeout=10)
        assert not thread.is_alive()
        assert readings.readings_of(reader, 0, 7, 0, 9) == before == {}
    with store.read() as reader:
        assert readings.readings_of(reader, 0, 7, 0, 9) == {5: Reading(1, 0)}


def test_writers_wait_for_each_other(store: Store) -> None:
    def add(account: int) -> None:
        for slot in range(9):
            with store.begin() as transaction:
                seen = readings.readings_of(transaction, 0, 7, 0, 9)
                total = seen.get(slot, Reading(0, 0)).import_wh + account
                transaction.execute(delete(schema.readings).where(schema.readings.c.slot == slot))
                readings.add_reading(transaction, 0, slot, 7, Reading(total, 0), 99)

    threads = [threading.Thread(target=add, args=(account,)) for account in (1, 10, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as reader:
        seen = readings.readings_of(reader, 0, 7, 0, 9)
        assert seen == {slot: Reading(111, 0) for slot in range(9)}


@pytest.mark.parametrize("kind", ["directory", "no database", "no such directory"])
def test_a_path_that_is_no_store_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "absent" / "store.db" if kind == "no such directory" else tmp_path / "store.db"
    if kind == "directory":
        path.mkdir()
    if kind == "no database":
        path.write_text("something else entirely, long enough to be taken for a header" * 20)
    with pytest.raises(StoreError, match=r"store\.db cannot be used as a store"):
        Store(path)
