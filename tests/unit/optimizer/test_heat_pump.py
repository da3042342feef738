"""A device in one file: the heat pump's temperatures, what it refuses, and that every method plans it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from otaniemi.optimizer import House, HouseDataError, State, offers, plan, replan
from otaniemi.optimizer.plan import METHODS
from otaniemi.optimizer.savings import savings
from otaniemi.platform.report.plan_page import render

from ...support.house_brute import cheapest
from ...support.house_twin import judge

PUMP = {
    "part_kw": 1.0,
    "full_kw": 2.5,
    "part_cop": 4.0,
    "full_cop": 3.0,
    "resistance_k_per_kw": 5.0,
    "capacity_kwh_per_k": 3.0,
    "gain_kw": 0.2,
    "min_c": 20.0,
    "max_c": 22.0,
    "initial_c": 21.0,
}


def cold_house(**changes: Any) -> dict[str, Any]:
    """Eight cold hours, dear in the middle, with some sun."""
    return {
        "slots": 8,
        "slot_hours": 1.0,
        "tariff": {
            "import_eur_per_kwh": [0.1, 0.1, 0.3, 0.4, 0.4, 0.3, 0.1, 0.2],
            "export_eur_per_kwh": [0.03] * 8,
        },
        "base_load_kw": [0.3] * 8,
        "pv_kw": [0.0, 0.0, 0.5, 1.5, 2.0, 1.0, 0.0, 0.0],
        "outdoor_c": [-8.0, -6.0, -2.0, 2.0, 4.0, 4.0, 0.0, -4.0],
        "heat_pump": PUMP | changes,
    }


def test_a_level_warms_by_its_heat_and_the_envelope_cools() -> None:
    (load,) = House.from_dict(cold_house()).thermal_loads
    keep = math.exp(-1.0 / 15.0)
    rests = {0: -8.0 + 5.0 * 0.2, 1: -8.0 + 5.0 * 4.2, 2: -8.0 + 5.0 * 7.7}
    for level, rest in rests.items():
        reached = load.temperatures(np.full(8, level))[0]
        assert reached == pytest.approx(keep * 21.0 + (1 - keep) * rest)
    assert load.level_kw.tolist() == [0.0, 1.0, 2.5]


def test_what_a_heat_pump_cannot_be_is_refused_by_field() -> None:
    with pytest.raises(HouseDataError, match=r"field 'heat_pump\.full_kw' is 0\.5; more than part_kw, 1, is"):
        House.from_dict(cold_house(full_kw=0.5))
    with pytest.raises(HouseDataError, match=r"field 'heat_pump\.part_cop' is 0; more than 0"):
        House.from_dict(cold_house(part_cop=0))
    with pytest.raises(HouseDataError, match=r"field 'heat_pump\.heat_cop' is unknown; known are capacity"):
        House.from_dict(cold_house(heat_cop=3.0))
    with pytest.raises(HouseDataError, match=r"field 'outdoor_c' is missing; 'heat_pump' needs it"):
        House.from_dict(cold_house() | {"outdoor_c": None})


def test_the_exact_plan_of_a_heat_pump_is_the_cheapest_of_all() -> None:
    data = cold_house()
    best = cheapest(data)
    exact = plan(House.from_dict(data))
    assert best is not None
    assert exact.cost_eur == pytest.approx(best, abs=1e-6)
    assert set(exact.to_dict()["heat_pump_level"]) == {0, 1, 2}


# The swarm takes seconds whatever the house, so that one case has to do.
ASKED = [(method, None) for method in METHODS if method != "lp"] + [("milp", 2), ("fast", 2), ("fast", 4)]


@pytest.mark.parametrize(("method", "case"), [asked for asked in ASKED if asked[0] in METHODS])
def test_every_method_plans_a_house_with_a_heat_pump(method: str, case: int | None) -> None:
    data = cold_house() | {
        "battery": {"capacity_kwh": 5, "power_kw": 1.5, "initial_soc": 0.5, "final_soc": 0.5},
        "scenarios": [
            {"probability": 0.5, "outdoor_offset_c": 1.0, "pv_factor": 1.2},
            {"probability": 0.5, "outdoor_offset_c": -1.0, "pv_factor": 0.6},
        ],
    }
    house = House.from_dict(data)
    found = plan(house, method=method, case=case)
    verdict = judge(data, found.to_dict())
    assert verdict.findings == []
    assert verdict.cost_eur == pytest.approx(found.cost_eur, abs=1e-6)
    best = cheapest(data, case)
    assert best is not None
    assert found.bound_eur - 1e-6 <= best <= found.cost_eur + 1e-6
    if method == "milp":
        assert found.cost_eur == pytest.approx(best, abs=1e-6)


def test_a_heat_pump_is_replanned_offered_and_credited_like_any_device() -> None:
    house = House.from_dict(cold_house())
    planned = plan(house)
    colder = replan(house, planned, 3, State(temperatures_c={"heat_pump": 20.1}), np.zeros(8))
    assert colder.levels["heat_pump"][:3].tolist() == planned.levels["heat_pump"][:3].tolist()
    assert (colder.temperatures_c["heat_pump"][3:] >= 20.0 - 1e-9).all()
    heat_kw = np.array([0.0, 4.0, 7.5])
    assert heat_kw[colder.levels["heat_pump"]][3:].sum() > heat_kw[planned.levels["heat_pump"]][3:].sum()
    assert any(offer.energy_kwh > 0.99 for offer in offers(house, planned, np.full(8, 0.09), 0.01))
    assert savings(house, planned).by_device["heat_pump"] > 0.0
    assert "heat pump" in render(house, planned, None)
