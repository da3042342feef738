"""What scenarios are worth: worked by hand, and ordered on any house."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from otaniemi.optimizer import House, HouseDataError, Scenario, plan, value_of_stochastic_solution

from ...support.random_houses import random_house

DULL_OR_BRIGHT = [{"probability": 0.5, "pv_factor": 0.0}, {"probability": 0.5, "pv_factor": 2.0}]


def machine_house(**fields: Any) -> House:
    """One machine of 1 kW, now for 20 ct from the grid, or in an hour from 1 kW of sun or for 60 ct."""
    return House.from_dict(
        {
            "slots": 2,
            "slot_hours": 1.0,
            "tariff": {"import_eur_per_kwh": [0.2, 0.6], "export_eur_per_kwh": [0.0, 0.0]},
            "base_load_kw": [0.0, 0.0],
            "pv_kw": [0.0, 1.0],
            "appliances": [{"name": "washer", "rated_kw": 1.0, "hours": 1, "earliest_h": 0, "latest_h": 2}],
            "scenarios": DULL_OR_BRIGHT,
            **fields,
        }
    )


def test_the_mean_day_waits_for_a_sun_that_may_not_come() -> None:
    """Mean sun is 1 kW, so it waits: free or 60 ct. All scenarios: 20 ct now. Known: 20 ct or free."""
    found = value_of_stochastic_solution(machine_house(), method="milp")
    assert (found.rp_eur, found.eev_eur, found.ws_eur) == pytest.approx((0.2, 0.3, 0.1))
    assert (found.vss_eur, found.evpi_eur) == pytest.approx((0.1, 0.1))
    assert found.mean_day_kelvin_hours == 0.0
    assert found.to_dict()["vss_eur"] == found.vss_eur


def test_a_battery_that_can_wait_hedges_by_itself() -> None:
    battery = {"capacity_kwh": 2, "power_kw": 1, "initial_soc": 0.5, "final_soc": 0.0}
    found = value_of_stochastic_solution(machine_house(battery=battery), method="milp")
    assert found.vss_eur == pytest.approx(0.0, abs=1e-9)


def test_choices_that_break_an_import_limit_in_a_scenario_cost_without_end() -> None:
    tariff = {"import_eur_per_kwh": [0.4, 0.6], "export_eur_per_kwh": [0.0, 0.0]}
    house = machine_house(tariff=tariff, base_load_kw=[0, 0.5], import_limit_kw=1.2)
    found = value_of_stochastic_solution(house, method="milp")
    assert found.eev_eur == found.vss_eur == math.inf
    assert found.rp_eur == pytest.approx(0.4 + 0.5 * 0.6 * 0.5)


def test_trusting_the_mean_temperature_is_cheaper_and_leaves_the_band() -> None:
    """No drift inside: the mean day stays off at 25.5 °C, half a kelvin too warm on the warmer day."""
    room = {"rated_kw": 1.0, "cop": 3.0, "resistance_k_per_kw": 1.0, "capacity_kwh_per_k": 0.01}
    room |= {"min_c": 15.0, "max_c": 26.0, "initial_c": 25.5}
    house = House.from_dict(
        {
            "slots": 2,
            "slot_hours": 1.0,
            "tariff": {"import_eur_per_kwh": [0.2, 0.2], "export_eur_per_kwh": [0.0, 0.0]},
            "base_load_kw": [0.0, 0.0],
            "outdoor_c": [25.5, 25.5],
            "air_conditioner": room,
            "scenarios": [
                {"probability": 0.5, "outdoor_offset_c": 1.0},
                {"probability": 0.5, "outdoor_offset_c": -1.0},
            ],
        }
    )
    found = value_of_stochastic_solution(house, method="milp")
    assert (found.mean_day_eur, found.mean_day_kelvin_hours) == pytest.approx((0.0, 0.5 * 2 * 0.5))
    assert (found.rp_eur, found.eev_eur, found.ws_eur) == pytest.approx((0.4, 0.4, 0.2))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("case", [None, 2])
def test_foresight_never_costs_and_the_mean_day_never_pays(seed: int, case: int | None) -> None:
    made = random_house(seed, slots=10, slot_hours=1.0, kinds=("scenarios",))
    house = House.from_dict(made.house)
    found = value_of_stochastic_solution(house, method="milp", case=case)
    assert found.gap_eur < 1e-6
    assert found.ws_eur <= found.rp_eur + 1e-6
    assert found.rp_eur <= found.eev_eur + 1e-6
    known = [
        replace(house, scenarios=(Scenario(1.0, s.outdoor_offset_c, s.pv_factor),)) for s in house.scenarios
    ]
    costs = [
        s.probability * plan(one, case=case).cost_eur for s, one in zip(house.scenarios, known, strict=True)
    ]
    assert found.ws_eur == pytest.approx(sum(costs), abs=1e-6)


def test_a_certain_day_leaves_nothing_to_know() -> None:
    found = value_of_stochastic_solution(machine_house(scenarios=None), method="milp")
    assert found.rp_eur == found.eev_eur == found.ws_eur == 0.0


def test_a_relaxation_has_nothing_to_run() -> None:
    with pytest.raises(HouseDataError, match="method is 'lp'; a relaxation has no choices to run"):
        value_of_stochastic_solution(machine_house(), method="lp")


def test_nearly_cheapest_plans_say_within_what_the_value_holds() -> None:
    house = House.from_dict(random_house(4, slots=24, slot_hours=1.0, kinds=("scenarios",)).house)
    exact = value_of_stochastic_solution(house, method="milp")
    found = value_of_stochastic_solution(house, method="fast")
    assert found.rp_eur - found.gap_eur - 1e-6 <= exact.rp_eur <= found.rp_eur + 1e-6
    assert exact.rp_eur - 1e-6 <= found.eev_eur
    assert exact.ws_eur <= found.ws_eur + 1e-6
