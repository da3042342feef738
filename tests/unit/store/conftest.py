"""An open store in a fresh file, and a transaction on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from otaniemi.platform.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "store.db")
    yield store
    store.close()


@pytest.fixture
def transaction(store: Store) -> Iterator[Connection]:
    with store.begin() as connection:
        yield connection
