"""Two people trade a slot continuously while homes live their day: over HTTP, onto the chain, under audit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from otaniemi.contracts.chain.export import export_blocks
from otaniemi.contracts.chain.node import open_chain
from otaniemi.contracts.rules.calendar import nomination_direct_gate
from otaniemi.platform import cli
from otaniemi.platform.api import create_app
from otaniemi.platform.client import MarketClient
from otaniemi.platform.clock import SimulatedClock, Timeline
from otaniemi.platform.data.synthetic import synthetic_scenario
from otaniemi.platform.keys import derive_key
from otaniemi.platform.marketplace import LiveMarketPlace
from otaniemi.platform.services.exchange import Exchange, open_exchange
from otaniemi.platform.services.founding import found, founded_at
from otaniemi.platform.store import Store

SEED = 7
AINO, EINO = derive_key(99, "owner", 0), derive_key(99, "owner", 1)


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    scenario = synthetic_scenario(1, 1, 3600, SEED)
    clock = SimulatedClock(founded_at(scenario))
    store = Store(tmp_path_factory.mktemp("market") / "store.db")
    chain = open_chain("embedded", clock.now - 1)
    yield open_exchange(found(chain, scenario, SEED, store, clock), scenario, SEED)
    chain.close()
    store.close()


def test_what_people_trade_continuously_stands_on_the_chain_and_holds(
    exchange: Exchange, tmp_path: Path
) -> None:
    place = LiveMarketPlace(exchange, Timeline(exchange.clock))
    with TestClient(create_app(place)) as http:
        client = MarketClient("", http, tmp_path / "receipts.jsonl")
        aino, eino = (client.register(key, name).account for key, name in ((AINO, "Aino"), (EINO, "Eino")))
        slot = exchange.first_slot + 12
        exchange.clock.move_to(nomination_direct_gate(client.rules, slot) - 3_600)
        client.place_limit(EINO, eino, slot, False, 70_000, 700, source=1)
        client.place_limit(EINO, eino, slot, False, 60_000, 200, source=2)
        bought = client.place_limit(AINO, aino, slot, True, 80_000, 500)
        assert (bought.state, bought.settled) == ("filled", 500)
        assert [(match.quantity, match.price) for match in bought.matches] == [(200, 60_000), (300, 70_000)]
        sold = client.limit(1)
        client.cancel_limits(EINO, eino, sold.terms.nonce)
        log = tmp_path / "engine.jsonl"
        log.write_text("\n".join(entry.model_dump_json() for entry in client.engine_log()))
    locked = 500 * client.rules.grid_fee + 200 * 60_000 + 300 * 70_000
    assert exchange.gateway.contracts.accounts.free_of(aino) == 5_000 * 10**9 - locked
    run = tmp_path / "run"
    save(exchange, run)
    report = audit(run, log, tmp_path / "receipts.jsonl")
    assert report["findings"] == []
    assert (report["counts"]["limit_orders"], report["counts"]["trades"], report["counts"]["receipts"]) == (
        3,
        2,
        3,
    )
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    swapped = [*entries[:3], entries[4] | {"place": 4}, entries[3] | {"place": 5}, *entries[5:]]
    log.write_text("\n".join(map(json.dumps, swapped)))
    assert not audit(run, log, tmp_path / "receipts.jsonl")["ok"]


def save(exchange: Exchange, run: Path) -> None:
    """The record of the chain, as a run's directory holds it."""
    chain = exchange.gateway.sender.chain
    (run / "chain").mkdir(parents=True)
    (run / "leaves").mkdir()
    head = chain.head()
    export_blocks(chain.blocks(0, head.number), run / "chain")
    data = exchange.founded.deployment.to_json() | {"head": "0x" + head.hash.hex()}
    (run / "deployment.json").write_text(json.dumps(data))


def audit(run: Path, log: Path, receipts: Path) -> Any:
    words = ["audit", str(run), "--engine-log", str(log), "--receipts", str(receipts), "--json"]
    result = CliRunner().invoke(cli.app, words)
    assert result.exit_code in (0, 1), result.output
    return json.loads(result.output)
