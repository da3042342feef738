"""Fast plans: certified, feasible, repeatable, and as cheap as exact ones on small houses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from otaniemi.optimizer.house import House
from otaniemi.optimizer.methods.hull import Bends, Switched, configurations
from otaniemi.optimizer.plan import house_of_case, plan
from otaniemi.optimizer.program.day_program import DayProgram, not_begun

from ...support.house_twin import judge
from ...support.random_houses import random_house

SMALL = [
    {"seed": 1, "slots": 14},
    {"seed": 4, "slots": 16},
    {"seed": 9, "slots": 12, "kinds": ("scenarios", "import_limit")},
    {"seed": 11, "slots": 12, "kinds": ("peak",)},
    {"seed": 17, "slots": 14, "kinds": ("negative", "feed_in_above")},
]


def small(**how: Any) -> dict[str, Any]:
    return random_house(slot_hours=1.0, **how).house


@pytest.mark.parametrize("how", SMALL)
def test_the_optimum_of_a_small_house_is_between_bound_and_cost(how: dict[str, Any]) -> None:
    data = small(**how)
    house = House.from_dict(data)
    fast, exact = plan(house, "fast"), plan(house, "milp")
    assert judge(data, fast.to_dict()).findings == []
    assert fast.bound_eur - 1e-6 <= exact.cost_eur <= fast.cost_eur + 1e-6


@pytest.mark.parametrize("case", [1, 2, 3, 4])
def test_cases_are_certified_without_thermal_devices_too(case: int) -> None:
    house = House.from_dict(small(seed=3, slots=20, devices=("appliances", "ev", "battery", "pv"), kinds=()))
    fast, exact = plan(house, "fast", case=case), plan(house, "milp", case=case)
    assert fast.bound_eur - 1e-6 <= exact.cost_eur <= fast.cost_eur + 1e-6
    assert fast.cost_eur - exact.cost_eur <= 1e-3


def test_a_house_without_choices_is_proven_optimal() -> None:
    house = House.from_dict(small(seed=5, slots=24, devices=("ev", "battery", "pv"), kinds=()))
    found = plan(house, "fast")
    assert found.status == "optimal"
    assert found.cost_eur == pytest.approx(plan(house, "milp").cost_eur, abs=2e-6)


def test_equal_requests_give_equal_plans() -> None:
    house = House.from_dict(small(seed=4, slots=24))
    one, other = (plan(house, "fast").to_dict() | {"seconds": 0.0} for _ in range(2))
    assert one == other


def test_a_wide_gap_ends_the_search_early_and_is_kept() -> None:
    house = House.from_dict(random_house(4, slots=48, slot_hours=0.5, kinds=()).house)
    found = plan(house, "fast", gap_eur=0.5)
    assert found.cost_eur - found.bound_eur <= 0.5


def test_without_time_there_is_a_plan_by_rules_with_its_gap() -> None:
    data = random_house(4, slots=48, slot_hours=0.5, kinds=()).house
    found = plan(House.from_dict(data), "fast", time_limit=0.0)
    assert judge(data, found.to_dict()).findings == []
    assert found.status == "time_limit"
    assert np.isfinite(found.bound_eur)


def test_slots_have_configurations_only_where_the_cost_bends() -> None:
    house = house_of_case(
        House.from_dict(small(seed=2, slots=24, devices=("air_conditioner", "pv"), kinds=())), None
    )
    bends = Bends(DayProgram(house, None, not_begun(house)))
    power = float(house.thermal_loads[0].level_kw[-1])
    found = configurations([Switched(np.array([0.0, power]), np.ones(24, bool))], bends)
    # With the sun as only other source the cost bends where the device takes more than is left of it.
    left = house.pv_kw - house.base_load_kw
    expected = np.flatnonzero((left > 1e-4) & (left < power - 1e-4))
    assert np.array_equal(np.unique(found.slot), expected)
    assert np.array_equal(found.load_kwh, np.tile([0.0, power], expected.size))
