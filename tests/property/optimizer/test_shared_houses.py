"""The houses of the measured data: every method against the best known costs and bounds."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from .plans import assert_honest, planned

NAMES = ("random_96", "reference_120")


def shared(folder: Path, name: str) -> tuple[dict[str, Any], dict[int, dict[str, float]]]:
    """A house, and by case its best known cost and bound."""
    data = json.loads((folder / "houses" / f"{name}.json").read_text(encoding="utf-8"))
    return data["house"], {int(case): known for case, known in data["known"].items()}


@pytest.mark.parametrize("name", NAMES)
def test_fast_plans_are_certified_and_close_to_the_best_known(require_measured_data: Path, name: str) -> None:
    house, known = shared(require_measured_data, name)
    costs = []
    for case in (1, 2, 3, 4):
        result = planned(house, "fast", case=case)
        assert_honest(house, result)
        # Certified to 1 % of the cost of case 1, and no bound above a plan nor plan below a bound.
        assert result["gap_eur"] <= 0.01 * known[1]["cost_eur"]
        assert result["bound_eur"] <= known[case]["cost_eur"] + 1e-6
        assert result["cost_eur"] >= known[case]["bound_eur"] - 1e-6
        assert result["cost_eur"] - known[case]["bound_eur"] <= 0.003 * known[1]["cost_eur"]
        costs.append(result["cost_eur"])
    assert all(dearer >= cheaper - 1e-6 for dearer, cheaper in itertools.pairwise(costs))


def test_a_shared_house_is_planned_to_proof(require_measured_data: Path) -> None:
    house, known = shared(require_measured_data, "random_96")
    result = planned(house, case=4)
    assert_honest(house, result)
    assert result["status"] == "optimal"
    assert known[4]["bound_eur"] - 1e-6 <= result["cost_eur"] <= known[4]["cost_eur"] + 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_relaxations_of_shared_houses_are_below_the_known_costs(
    require_measured_data: Path, name: str
) -> None:
    house, known = shared(require_measured_data, name)
    for case in (1, 2, 3, 4):
        result = planned(house, "lp", case=case)
        assert_honest(house, result, relaxed=True)
        assert result["cost_eur"] <= known[case]["cost_eur"] + 1e-6
