"""The index of a lived day is dropped and read from the chain again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Table, select

from otaniemi.contracts.chain.node import open_chain
from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.positions import Form
from otaniemi.platform.clock import SimulatedClock, Timeline
from otaniemi.platform.community_day import enter_days
from otaniemi.platform.data.synthetic import synthetic_scenario
from otaniemi.platform.services.exchange import Exchange, open_exchange
from otaniemi.platform.services.founding import found, founded_at
from otaniemi.platform.store import chain_index, members, schema
from otaniemi.platform.store.database import Store

SEED = 7


def at_once(_part: str, action: Callable[[], object]) -> None:
    action()


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """Three homes after an hourly day; later one changed its device key, and a stranger got ether."""
    scenario = synthetic_scenario(3, 1, 3600, SEED)
    clock = SimulatedClock(founded_at(scenario))
    store = Store(tmp_path_factory.mktemp("rebuild") / "store.db")
    chain = open_chain("embedded", clock.now - 1)
    exchange = open_exchange(found(chain, scenario, SEED, store, clock), scenario, SEED)
    timeline = Timeline(clock)
    homes = exchange.founded.homes
    enter_days(exchange, scenario, "perfect", SEED, timeline, at_once, frozenset({Form.CALL}))
    while len(timeline):
        timeline.step()
    gateway, home = exchange.gateway, homes[0]
    with store.begin() as transaction:
        members.rename(transaction, home.account, "Aino")
    gateway.sender.fund(exchange.founded.staff.admin, [Key(b"\x07" * 32).address], 1)
    gateway.send([(home.owner, gateway.contracts.accounts.set_device_key(home.account, home.owner.address))])
    yield exchange
    chain.close()
    store.close()


def rows(store: Store, *tables: Table) -> dict[str, list[tuple[Any, ...]]]:
    with store.read() as transaction:
        return {
            table.name: [
                tuple(row) for row in transaction.execute(select(table).order_by(*table.primary_key))
            ]
            for table in tables
        }


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_the_store_is_the_same_after_the_index_was_read_again(exchange: Exchange, share: float) -> None:
    gateway = exchange.gateway
    before = rows(gateway.store, *schema.metadata.sorted_tables)
    assert all(before[name] for name in ("members", "orders", "nominations", "tariffs", "order_intake"))
    first = int(gateway.sender.chain.head().number * share)
    with gateway.store.begin() as transaction:
        chain_index.forget_from(transaction, first)
    assert rows(gateway.store, schema.orders) != {"orders": before["orders"]}
    gateway.catch_up()
    assert rows(gateway.store, *schema.metadata.sorted_tables) == before
