"""What packages are called: the chain has the hash of a name alone."""

from __future__ import annotations

from sqlalchemy import Connection, select

from otaniemi.contracts.rules.keccak import keccak
from otaniemi.platform.store.database import insert_new
from otaniemi.platform.store.schema import package_names


def add_name(transaction: Connection, name: str) -> None:
    """Note a name; every package with its hash is called so."""
    insert_new(transaction, package_names, [{"hash": keccak(name.encode()), "name": name}])


def names(transaction: Connection) -> dict[bytes, str]:
    """All names by their hash."""
    return {row.hash: row.name for row in transaction.execute(select(package_names))}
