"""The judge of plans: it accepts what keeps the equations, and names what does not."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest

from ...support.house_twin import judge, temperatures
from ...support.random_houses import DEVICES, KINDS, infeasible_houses, random_house

SOME = random_house(3, slots=24, slot_hours=0.5, devices=DEVICES, kinds=("scenarios", "peak"), v2h="home")


@pytest.mark.parametrize("seed", range(60))
def test_a_thermostat_plan_keeps_every_equation(seed: int) -> None:
    made = random_house(seed)
    verdict = judge(made.house, made.witness)
    assert verdict.findings == []
    assert verdict.cost_eur == pytest.approx(made.witness["cost_eur"], abs=1e-9)


def test_random_houses_come_in_all_kinds() -> None:
    houses = [random_house(seed).house for seed in range(60)]
    for field in ("air_conditioner", "water_heater", "heat_pump", "appliances", "ev", "battery"):
        assert 10 < sum(bool(house.get(field)) for house in houses) < 55
    assert 10 < sum("scenarios" in house for house in houses) < 30
    assert any(len(house["ev"]["sessions"]) == 2 for house in houses if house.get("ev"))
    assert any(min(house["tariff"]["import_eur_per_kwh"]) < 0 for house in houses)
    assert {house["slot_hours"] for house in houses} == {0.1, 0.2, 0.25, 0.5, 1.0}
    assert min(house["slots"] for house in houses) < 12
    assert max(house["slots"] for house in houses) > 100
    assert len(KINDS) == 6


def test_the_room_follows_its_equation() -> None:
    # a = exp(-1 / (2 x 5)); off: 30 + 2 x 1 = 32 outside; on: 2 x 3 x 2 = 12 K less.
    room = {"rated_kw": 2, "cop": 3, "resistance_k_per_kw": 2, "capacity_kwh_per_k": 5, "gain_kw": 1}
    house = {"slot_hours": 1.0, "outdoor_c": [30, 30], "air_conditioner": room | {"initial_c": 25}}
    a = math.exp(-0.1)
    first = 32 - 7 * a
    assert temperatures(house, "air_conditioner", [0, 1]) == pytest.approx([first, 20 + a * (first - 20)])


def test_the_tank_follows_its_equation() -> None:
    # A quarter is drawn after heating; 100 l hold 0.1163 kWh/K.
    tank = {"rated_kw": 2, "volume_l": 100, "resistance_k_per_kw": 500, "inlet_c": 10, "ambient_c": 20}
    house = {"slot_hours": 0.5, "water_heater": tank | {"initial_c": 45, "draw_l": [25]}}
    a = math.exp(-0.5 / 58.15)
    heated = 1020 - 975 * a
    assert temperatures(house, "water_heater", [1]) == pytest.approx([0.75 * heated + 2.5])


def test_the_heated_space_follows_its_equation_at_every_level() -> None:
    # a = exp(-1 / (2 x 5)); heat 0, 3 x 1 = 3 and 2 x 2 = 4 kW: 0, 6 and 8 K above 0 °C outside.
    pump = {"part_kw": 1, "full_kw": 2, "part_cop": 3, "full_cop": 2}
    pump |= {"resistance_k_per_kw": 2, "capacity_kwh_per_k": 5, "initial_c": 20}
    house = {"slot_hours": 1.0, "outdoor_c": [0, 0, 0], "heat_pump": pump}
    a = math.exp(-0.1)
    part, full = 6 + 14 * a, 8 + (6 + 14 * a - 8) * a
    assert temperatures(house, "heat_pump", [1, 2, 0]) == pytest.approx([part, full, full * a])


BREACHES: list[tuple[tuple[Any, ...], Any, str]] = [
    (("import_kw", 3), 0.5, "balance"),
    (("export_kw", 3), 0.5, "grid not both ways"),
    (("pv_used_kw", 0), 99.0, "pv_used <= pv"),
    (("battery_charge_kw", 2), 99.0, "battery within its power"),
    (("battery_discharge_kw", 2), 0.2, "battery energy"),
    (("battery_soc", 5), -0.4, "battery_soc >= min_soc"),
    (("battery_soc", 23), -0.4, "battery_soc >= final_soc"),
    (("ev_soc", -1), 0.3, "ev energy"),
    (("import_kw", 3), -99.0, "import_kw >= 0"),
    (("import_kw", 3), math.nan, "import_kw is finite"),
]


@pytest.mark.parametrize(("place", "more", "equation"), BREACHES)
def test_a_broken_flow_is_found_by_equation_and_slot(
    place: tuple[str, int], more: float, equation: str
) -> None:
    name, slot = place
    made = random_house(7, slots=24, slot_hours=0.5, devices=("battery", "ev", "pv"), kinds=())
    broken = copy.deepcopy(made.witness)
    if slot == -1:
        slot = next(t for t, value in enumerate(broken[name]) if value is not None)
    broken[name][slot] += more
    assert (equation, slot) in [(f.equation, f.slot) for f in judge(made.house, broken).findings]


def test_shared_choices_are_judged_in_every_scenario() -> None:
    plan = copy.deepcopy(SOME.witness)
    assert judge(SOME.house, plan).findings == []
    plan["ac_on"][4] = 1 - plan["ac_on"][4]
    equations = {finding.equation for finding in judge(SOME.house, plan).findings}
    assert {"room_c follows its equation", "balance"} <= equations
    house = copy.deepcopy(SOME.house)
    house["scenarios"][0]["outdoor_offset_c"] += 8.0
    assert "room_c <= max_c" in {finding.equation for finding in judge(house, SOME.witness).findings}


@pytest.mark.parametrize("start", [None, -1, 30, 1.0])
def test_a_start_outside_the_window_is_found(start: object) -> None:
    plan = copy.deepcopy(SOME.witness)
    plan["starts"]["machine 0"] = start
    assert any("machine 0" in f.equation for f in judge(SOME.house, plan).findings if f.equation != "balance")


@pytest.mark.parametrize(
    ("case", "equation"), [(1, "v2h: no"), (2, "case 2: stores without import"), (3, "v2h: no")]
)
def test_a_case_takes_its_freedoms_away(case: int, equation: str) -> None:
    made = random_house(5, slots=24, slot_hours=0.5, devices=("battery", "ev", "pv"), kinds=(), v2h="home")
    plan = copy.deepcopy(made.witness) | {"case": case}
    if case == 1:
        plan["battery_soc"] = [None] * 24
    assert judge(made.house, plan).findings == []
    plan["ev_discharge_kw"] = [0.1] * 24
    plan["battery_charge_kw"] = [0.1] * 24
    assert equation in {f.equation for f in judge(made.house, plan).findings}


def test_houses_without_a_plan_fail_where_they_say() -> None:
    houses = infeasible_houses()
    assert {made.device for made in houses.values()} == {
        "ev",
        "battery",
        "import_limit_kw",
        "air_conditioner",
        "water_heater",
    }
    assert all(made.amount > 0.01 for made in houses.values())
