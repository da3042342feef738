"""What the laws of plans share: planning as a user of files would, and the judge's verdict."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings

from otaniemi.optimizer.house import House
from otaniemi.optimizer.plan import METHODS, plan

from ...support.house_twin import judge

PLANNING = tuple(method for method in METHODS if method != "lp")
"""Methods that give plans to run; "lp" gives a relaxation."""

EUR = 2e-6
"""Largest difference of two costs proven to 1e-6 EUR each."""


def examples(count: int) -> settings:
    """So many houses, the same in every run."""
    return settings(max_examples=count, deadline=None, derandomize=True)


def planned(house: dict[str, Any], method: str = "milp", **how: Any) -> dict[str, Any]:
    """The plan file of a house file; the swarm stops early."""
    if method == "pso":
        how = {"node_limit": 20} | how
    return plan(House.from_dict(house), method, **how).to_dict()


def assert_honest(house: dict[str, Any], result: dict[str, Any], relaxed: bool = False) -> None:
    """The plan keeps every equation, costs what it says, and its bound is below its cost."""
    verdict = judge(house, result, relaxed)
    assert verdict.findings == []
    assert verdict.cost_eur == pytest.approx(result["cost_eur"], abs=1e-6)
    assert result["bound_eur"] <= result["cost_eur"]
    assert result["gap_eur"] == pytest.approx(result["cost_eur"] - result["bound_eur"], abs=1e-9)
    if result["status"] == "optimal" and not relaxed:
        assert result["gap_eur"] <= 1e-6 + 1e-9


def same_plan(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two plan files agree in everything but the time they took."""
    return one | {"seconds": 0.0} == other | {"seconds": 0.0}
