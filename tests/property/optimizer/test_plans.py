"""Laws that hold for the plan of any home, judged by an independent reading of the house file."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otaniemi.optimizer.errors import InfeasibleHouseError
from otaniemi.optimizer.house import House
from otaniemi.optimizer.plan import plan

from .homes import homes
from .twin import faults, recost

any_home = homes(usual_prices=False)
few = settings(max_examples=60, deadline=None, derandomize=True)


def planned(house: dict[str, Any], **how: Any) -> dict[str, Any]:
    return plan(House.from_dict(house), **how).to_dict()


@few
@given(any_home)
def test_a_plan_keeps_every_rule_and_costs_what_it_says(house: dict[str, Any]) -> None:
    result = planned(house)
    assert faults(house, result) == []
    assert result["status"] == "optimal"
    assert recost(house, result) == pytest.approx(result["cost_eur"], abs=1e-6)
    assert 0.0 <= result["gap_eur"] <= 1e-6


@few
@given(any_home)
def test_without_time_there_still_is_a_plan_and_an_honest_bound(house: dict[str, Any]) -> None:
    best = planned(house)["cost_eur"]
    hasty = planned(house, time_limit=0.0)
    assert faults(house, hasty) == []
    assert hasty["bound_eur"] <= best + 1e-6 <= hasty["cost_eur"] + 2e-6


@few
@given(any_home)
def test_the_relaxation_is_a_lower_bound(house: dict[str, Any]) -> None:
    relaxed = planned(house, method="lp")
    assert relaxed["cost_eur"] <= planned(house)["cost_eur"] + 1e-6
    assert recost(house, relaxed) == pytest.approx(relaxed["cost_eur"], abs=1e-6)


@few
@given(any_home, st.floats(0.1, 10.0))
def test_scaling_prices_and_wear_scales_the_cost(house: dict[str, Any], factor: float) -> None:
    scaled = copy.deepcopy(house)
    for prices in scaled["tariff"].values():
        prices[:] = [price * factor for price in prices]
    for device in ("battery", "ev"):
        if device in scaled:
            scaled[device]["wear_eur_per_kwh"] *= factor
    assert planned(scaled)["cost_eur"] == pytest.approx(
        factor * planned(house)["cost_eur"], abs=2e-6 * (1 + factor)
    )


@few
@given(any_home)
def test_relaxing_a_limit_never_raises_the_cost(house: dict[str, Any]) -> None:
    before = planned(house | {"export_limit_kw": 1.0})["cost_eur"]
    assert planned(house | {"export_limit_kw": 2.0})["cost_eur"] <= before + 2e-6
    assert planned(house)["cost_eur"] <= before + 2e-6
    for device, field, value in (
        ("battery", "power_kw", 5.0),
        ("battery", "max_soc", 1.0),
        ("ev", "power_kw", 5.0),
        ("battery", "final_soc", 0.0),
    ):
        if device in house:
            wider = house | {device: house[device] | {field: value}}
            assert planned(wider)["cost_eur"] <= planned(house)["cost_eur"] + 2e-6


@few
@given(homes())
def test_every_case_gives_no_less_freedom_than_the_one_before(house: dict[str, Any]) -> None:
    costs = [planned(house, case=case)["cost_eur"] for case in (1, 2, 3, 4)]
    for dearer, cheaper in itertools.pairwise(costs):
        assert cheaper <= dearer + 2e-6


@few
@given(homes(usual_prices=False, v2h="sell"))
def test_vehicle_energy_never_reaches_the_grid(house: dict[str, Any]) -> None:
    house = house | {"pv_kw": [0.0] * house["slots"], "battery": None}
    result = planned(house)
    assert max(result["export_kw"]) <= 1e-6


@st.composite
def tiny_homes(draw: st.DrawFn) -> dict[str, Any]:
    """Three hours of whole kilowatts without losses, so that some best plan consists of whole numbers."""
    slots = 3

    def prices() -> list[float]:
        return draw(st.lists(st.sampled_from([-0.1, 0.0, 0.1, 0.2, 0.35]), min_size=slots, max_size=slots))

    def powers(high: int) -> list[int]:
        return draw(st.lists(st.integers(0, high), min_size=slots, max_size=slots))

    store = {
        "capacity_kwh": 4,
        "power_kw": 1,
        "min_soc": 0.0,
        "max_soc": 1.0,
        "charge_efficiency": 1.0,
        "discharge_efficiency": 1.0,
    }
    return {
        "slots": slots,
        "slot_hours": 1.0,
        "tariff": {"import_eur_per_kwh": prices(), "export_eur_per_kwh": prices()},
        "base_load_kw": powers(2),
        "pv_kw": powers(2),
        "battery": store | {"initial_soc": 0.25, "final_soc": 0.25, "wear_eur_per_kwh": 0.02},
        "ev": store
        | {
            "v2h": draw(st.sampled_from(["no", "home", "sell"])),
            "wear_eur_per_kwh": 0.03,
            "sessions": [{"arrival_slot": 1, "departure_slot": 3, "initial_soc": 0.25, "target_soc": 0.25}],
        },
        "appliances": [{"name": "washer", "rated_kw": 1, "hours": 1, "earliest_h": 0, "latest_h": 3}],
        "import_limit_kw": draw(st.sampled_from([None, 2])),
        "export_limit_kw": draw(st.sampled_from([None, 1])),
    }


def cheapest_by_trying(house: dict[str, Any]) -> float:
    """Lowest cost over all whole-numbered plans."""
    prices = house["tariff"]
    best = float("inf")
    for start in range(3):
        for battery in itertools.product((-1, 0, 1), repeat=3):
            stored = list(itertools.accumulate(battery, initial=1))
            if min(stored) < 0 or max(stored) > 4 or stored[-1] < 1:
                continue
            for ev in itertools.product((-1, 0, 1), repeat=2):
                charge = list(itertools.accumulate(ev, initial=1))
                if min(charge) < 0 or charge[-1] < 1:
                    continue
                cost = sum(0.02 * abs(b) for b in battery) + sum(0.03 for e in ev if e < 0)
                for t, (b, e) in enumerate(zip(battery, (0, *ev), strict=True)):
                    load = house["base_load_kw"][t] + (start == t)
                    if e < 0 and (house["ev"]["v2h"] == "no" or load < -e):
                        cost = float("inf")
                        break
                    nets = [load + b + e - pv for pv in range(house["pv_kw"][t] + 1)]
                    most, least = house["import_limit_kw"], house["export_limit_kw"]
                    slot_costs = [
                        net * prices["import_eur_per_kwh"][t]
                        if net > 0
                        else net * prices["export_eur_per_kwh"][t]
                        for net in nets
                        if (most is None or net <= most) and (least is None or -net <= least)
                    ]
                    cost += min(slot_costs, default=float("inf"))
                best = min(best, cost)
    return best


@settings(max_examples=80, deadline=None, derandomize=True)
@given(tiny_homes())
def test_no_plan_of_a_tiny_home_is_cheaper(house: dict[str, Any]) -> None:
    cheapest = cheapest_by_trying(house)
    if cheapest == float("inf"):
        with pytest.raises(InfeasibleHouseError, match="import_limit_kw"):
            planned(house)
        return
    result = planned(house)
    assert faults(house, result) == []
    assert result["cost_eur"] == pytest.approx(cheapest, abs=1e-6)
