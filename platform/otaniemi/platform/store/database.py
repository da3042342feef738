"""Opening the store: one SQLite file in WAL mode, brought to the newest schema by its migrations.

The only module that knows which database it is; the others take ``insert``, which can settle conflicts, from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import SQLAlchemyError

from otaniemi.platform.errors import OtaniemiError

__all__ = ["Store", "StoreError", "insert", "insert_new", "migration_config"]

MIGRATIONS = Path(__file__).parent / "migrations"


class StoreError(OtaniemiError):
    """The store cannot be opened or brought to the newest schema."""


class Store:
    """One open database. Several threads may use it; each takes its own transaction.

    Parameters
    ----------
    path : Path
        The SQLite file; created when it does not exist.

    Raises
    ------
    StoreError
        The file cannot be written or is no database of this program.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = _engine(path)
        try:
            with self.begin() as transaction:
                command.upgrade(migration_config(transaction), "head")
        except (SQLAlchemyError, OSError, CommandError) as error:
            self._engine.dispose()
            raise StoreError(f"{path} cannot be used as a store: {error}") from error

    @contextmanager
    def begin(self, durable: bool = False) -> Iterator[Connection]:
        """A transaction that may write: committed at the end, undone on an exception. One at a time.

        A ``durable`` one outlives even a power failure once it is committed, for the price of a wait for the disk.
        """
        with self._engine.connect() as connection:
            connection = connection.execution_options(begin="BEGIN IMMEDIATE")
            _wait_for_disk(connection, durable)
            try:
                with connection.begin():
                    yield connection
            finally:
                _wait_for_disk(connection, False)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the store, whatever others write meanwhile."""
        with self._engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def migration_config(connection: Connection) -> Config:
    """Alembic's configuration for an open connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def insert_new(connection: Connection, table: Table, rows: Iterable[Mapping[str, Any]]) -> int:
    """Insert rows in bulk, leaving those whose key is there already as they are; how many were new."""
    batch = [dict(row) for row in rows]
    if not batch:
        return 0
    return connection.execute(insert(table).on_conflict_do_nothing(), batch).rowcount


def _wait_for_disk(connection: Connection, wait: bool) -> None:
    # Set on the driver's own connection, as within a transaction it would do nothing.
    driver: Any = connection.connection.driver_connection
    driver.execute(f"PRAGMA synchronous={'FULL' if wait else 'NORMAL'}").close()


def _engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver's own implicit BEGIN would leave migrations half-done
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    return engine
