"""`otaniemi bench gas` fails where a target is missed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from otaniemi.platform.benchmarks import gas
from otaniemi.platform.cli.bench import app


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """What the benchmark finds: every target just met."""
    found = dict(gas.TARGETS)

    def bench_gas(orders: int, _bars: object) -> dict[str, Any]:
        rows = [{"what": what, "gas": found[what], "target": target} for what, target in gas.TARGETS.items()]
        return {"orders": orders, "rows": rows}

    monkeypatch.setattr(gas, "bench_gas", bench_gas)
    return found


@pytest.mark.usefixtures("measured")
def test_met_targets_are_a_success() -> None:
    result = CliRunner().invoke(app, ["gas", "--json"])
    assert result.exit_code == 0
    assert [row["what"] for row in json.loads(result.stdout)["rows"]] == list(gas.TARGETS)
    assert not result.stderr


def test_a_missed_target_fails_and_is_named(measured: dict[str, int]) -> None:
    measured["home_day"] += 1
    result = CliRunner().invoke(app, ["gas", "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["orders"] == 1000
    assert "home_day takes 3,500,001 gas, its target is 3,500,000" in " ".join(result.stderr.split())
