"""The two houses of the measured data, without their thermal devices."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from otaniemi.optimizer.house import House
from otaniemi.optimizer.plan import plan

from .twin import faults, recost


def house_without_heat(folder: Path, name: str) -> dict[str, Any]:
    house: dict[str, Any] = json.loads((folder / "houses" / f"{name}.json").read_text(encoding="utf-8"))[
        "house"
    ]
    return {key: value for key, value in house.items() if key not in ("air_conditioner", "water_heater")}


def reduced(house: dict[str, Any], case: int) -> dict[str, Any]:
    """The house of a case, by the words of the house file."""
    changed = house | {"ev": house["ev"] | {"v2h": "home" if case == 4 else "no"}}
    if case <= 2:
        changed["export_limit_kw"] = 0.0
    if case == 1:
        changed |= {"battery": None, "pv_kw": [0.0] * house["slots"]}
    return changed


@pytest.mark.parametrize("name", ["random_96", "reference_120"])
def test_every_case_of_a_shared_house_is_planned_to_proof(require_measured_data: Path, name: str) -> None:
    house = house_without_heat(require_measured_data, name)
    costs = []
    for case in (1, 2, 3, 4):
        result = plan(House.from_dict(house), case=case).to_dict()
        rules = reduced(house, case)
        assert result["status"] == "optimal"
        assert faults(rules, result) == []
        assert recost(rules, result) == pytest.approx(result["cost_eur"], abs=1e-6)
        costs.append(result["cost_eur"])
        if case == 2:
            for t, charge in enumerate(result["battery_charge_kw"]):
                sun = max(house["pv_kw"][t] - house["base_load_kw"][t], 0.0)
                assert charge <= sun + 1e-6
                assert min(charge, result["import_kw"][t]) < 1e-6
    assert all(dearer >= cheaper - 1e-6 for dearer, cheaper in itertools.pairwise(costs))


@pytest.mark.parametrize("name", ["random_96", "reference_120"])
def test_without_time_a_shared_house_still_gets_a_plan(require_measured_data: Path, name: str) -> None:
    house = house_without_heat(require_measured_data, name)
    result = plan(House.from_dict(house), time_limit=0.0).to_dict()
    assert faults(house, result) == []
    assert result["bound_eur"] <= plan(House.from_dict(house)).cost_eur <= result["cost_eur"] + 1e-6
