"""A day whose keeper clears in small parts and misses a market: the market is void, the day is billed and audited."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from rich.progress import Progress

from otaniemi.contracts.rules.calendar import slot_start
from otaniemi.contracts.rules.orders import Market
from otaniemi.contracts.rules.positions import Form
from otaniemi.platform.audit.audit import audit_run, evidence_of_run
from otaniemi.platform.audit.findings import Finding
from otaniemi.platform.audit.steps import steps_of
from otaniemi.platform.data.settings import ScenarioSettings
from otaniemi.platform.services import batches
from otaniemi.platform.services import market as service
from otaniemi.platform.services.market import ClearedMarket, MarketService
from otaniemi.platform.simulation import SimulationSettings, simulate_run
from otaniemi.platform.store import markets
from otaniemi.platform.store.database import Store

NOON = 12


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Four homes and hourly slots; nobody looks at noon's first market while it could be cleared."""
    clear = MarketService.clear

    def forgetful(self: MarketService, wanted: Iterable[Market]) -> list[ClearedMarket]:
        rules, now = self._gateway.rules, self._gateway.clock.now
        return clear(self, [m for m in wanted if not _is_missed(m) or slot_start(rules, m.slot) <= now])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "MOST_GAS", 1)
        patch.setattr(service, "RECORDS_PER_TRANSACTION", 1)
        patch.setattr(MarketService, "clear", forgetful)
        settings = SimulationSettings(
            scenario=ScenarioSettings(4, 1, 3600, 7, None, None, None, None),
            forms=frozenset({Form.CALL}),
            forecast="perfect",
            chain="embedded",
            out=tmp_path_factory.mktemp("late") / "run",
        )
        done = simulate_run(settings, Progress(disable=True))
    return done.path, done.summary


def _is_missed(market: Market) -> bool:
    # Slots are hours of UTC, the community's noon is two hours before.
    return market.slot % 24 == NOON - 2 and market.session == 0


def test_the_missed_market_is_void_and_the_day_is_billed(run: tuple[Path, dict[str, Any]]) -> None:
    directory, summary = run
    assert (summary["bills_sum_nano"], summary["escrow_surplus_nano"]) == (0, 0)
    deployment = json.loads((directory / "deployment.json").read_text())
    store = Store(directory / "store.db")
    with store.read() as transaction:
        found = markets.between(transaction, deployment["community"], 0, 0, 2**32 - 1)
        missed = [state for state in found if _is_missed(state.market)]
        orders = markets.records_of(transaction, missed[0].market)
    store.close()
    assert len(missed) == 1
    result = missed[0].result
    assert result is not None
    assert (result.price, result.volume_wh, result.count) == (None, 0, len(orders) // 16)
    assert result.count > 1
    priced = [state.result for state in found if state.result and state.result.price is not None]
    assert sum(result.volume_wh for result in priced) > 0


def test_the_audit_follows_parts_and_void_markets(run: tuple[Path, dict[str, Any]]) -> None:
    directory, _ = run
    assert audit_run(directory).ok
    evidence = evidence_of_run(directory, None)
    assert not isinstance(evidence, Finding)
    called = {step.function for step in steps_of(evidence.blocks, evidence.deployment.addresses)}
    assert {"advance", "clearFrom", "voidSlot"} <= called
