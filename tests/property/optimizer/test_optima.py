"""Laws of proven optima: what more freedom, other prices and other cases may do to them."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ...support.house_twin import judge
from ...support.random_houses import CHANGES, KINDS, RandomHouse, random_house, small_houses, widened
from .plans import EUR, examples, planned

SCENARIOS = ("scenarios",)


@examples(8)
@given(small_houses(), st.data())
def test_relaxing_a_limit_never_raises_the_optimum(made: RandomHouse, data: st.DataObject) -> None:
    possible = [change for change in CHANGES if widened(made.house, change)]
    before = planned(made.house)["cost_eur"]
    for change in data.draw(
        st.lists(st.sampled_from(possible), max_size=3, unique=True) if possible else st.just([])
    ):
        wider = widened(made.house, change)
        assert wider is not None
        assert planned(wider)["cost_eur"] <= before + EUR


@pytest.mark.parametrize("change", CHANGES)
def test_a_limit_that_binds_costs_something_or_nothing_when_relaxed(change: str) -> None:
    made = random_house(11, slots=12, slot_hours=1.0, kinds=("import_limit", "export_limit"), v2h="home")
    house = made.house
    wider = widened(house, change)
    assert wider is None or planned(wider)["cost_eur"] <= planned(house)["cost_eur"] + EUR


@examples(8)
@given(small_houses(), st.floats(0.1, 10.0))
def test_scaling_prices_and_wear_scales_the_optimum(made: RandomHouse, factor: float) -> None:
    scaled = scale(made.house, factor)
    assert planned(scaled)["cost_eur"] == pytest.approx(
        factor * planned(made.house)["cost_eur"], abs=EUR * (1 + factor)
    )


def scale(house: dict[str, Any], factor: float) -> dict[str, Any]:
    """The house with all prices and wear times a factor."""
    scaled = copy.deepcopy(house)
    for name, price in scaled["tariff"].items():
        scaled["tariff"][name] = [p * factor for p in price] if isinstance(price, list) else price * factor
    for device in ("battery", "ev"):
        if device in scaled:
            scaled[device]["wear_eur_per_kwh"] *= factor
    return scaled


@examples(8)
@given(small_houses())
def test_every_case_gives_no_less_freedom_than_the_one_before(made: RandomHouse) -> None:
    costs = [planned(made.house, case=case)["cost_eur"] for case in (1, 2, 3, 4)]
    assert all(cheaper <= dearer + EUR for dearer, cheaper in itertools.pairwise(costs))


@examples(8)
@given(small_houses(kinds=SCENARIOS))
def test_knowing_the_scenario_never_costs_more(made: RandomHouse) -> None:
    """Every scenario planned alone (wait and see) is a lower bound of planning for all of them."""
    house = made.house
    alone = 0.0
    for scenario in house.get("scenarios", [{"probability": 1.0}]):
        known = dict(house) | {"scenarios": [scenario | {"probability": 1.0}]}
        alone += scenario["probability"] * planned(known)["cost_eur"]
    assert alone <= planned(house)["cost_eur"] + EUR


@examples(8)
@given(small_houses(devices=("air_conditioner", "heat_pump", "battery"), kinds=SCENARIOS))
def test_bands_hold_in_every_scenario(made: RandomHouse) -> None:
    result = planned(made.house)
    for scenario in made.house.get("scenarios", []):
        known = dict(made.house) | {"scenarios": [scenario | {"probability": 1.0, "pv_factor": 1.0}]}
        alone = {k: v for k, v in result.items() if k not in ("scenarios",)}
        broken = {
            f.equation for f in judge(known, alone).findings if "min_c" in f.equation or "max_c" in f.equation
        }
        assert broken == set()


@examples(8)
@given(small_houses(kinds=tuple(kind for kind in KINDS if kind != "scenarios")))
def test_equal_scenarios_are_as_good_as_one(made: RandomHouse) -> None:
    twice = made.house | {"scenarios": [{"probability": 0.25}, {"probability": 0.75}]}
    assert planned(twice)["cost_eur"] == pytest.approx(planned(made.house)["cost_eur"], abs=EUR)


@examples(8)
@given(
    small_houses(devices=("ev", "battery", "appliances"), kinds=("negative", "feed_in_above")), st.booleans()
)
def test_vehicle_energy_never_reaches_the_grid(made: RandomHouse, sell: bool) -> None:
    house = made.house | {"pv_kw": [0.0] * made.house["slots"], "battery": None}
    if "ev" in house:
        house["ev"] = house["ev"] | {"v2h": "sell" if sell else "home"}
    assert max(planned(house)["export_kw"]) <= 1e-6


@examples(8)
@given(small_houses(), st.floats(0.0, 2.0))
def test_a_higher_peak_tariff_never_lowers_the_cost_nor_raises_the_peak(
    made: RandomHouse, more: float
) -> None:
    house = {k: v for k, v in made.house.items() if k != "scenarios"}
    low = planned(house | {"tariff": house["tariff"] | {"peak_eur_per_kw": 0.1}})
    high = planned(house | {"tariff": house["tariff"] | {"peak_eur_per_kw": 0.1 + more}})
    assert high["cost_eur"] >= low["cost_eur"] - EUR
    if more > 0.01:
        assert max(high["import_kw"]) <= max(low["import_kw"]) + 2 * EUR / more
