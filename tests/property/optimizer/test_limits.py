"""Plans that are cut short, and houses that have none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otaniemi.optimizer.errors import InfeasibleHouseError
from otaniemi.optimizer.house import House
from otaniemi.optimizer.plan import METHODS, plan

from ...support.random_houses import (
    RandomHouse,
    infeasible_houses,
    random_house,
    small_houses,
)
from .plans import PLANNING, assert_honest, examples, planned

HOUSES = infeasible_houses()


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("method", PLANNING)
def test_at_the_time_limit_there_is_a_plan_and_an_honest_gap(method: str, seconds: float) -> None:
    @examples(5)
    @given(st.builds(random_house, seed=st.integers(0, 2**20)))
    def holds(made: RandomHouse) -> None:
        result = planned(made.house, method, time_limit=seconds)
        assert_honest(made.house, result)
        assert result["status"] in ("optimal", "time_limit")
        assert result["bound_eur"] <= made.witness["cost_eur"] + 1e-6

    holds()


@pytest.mark.parametrize("method", PLANNING)
def test_without_time_a_tight_connection_still_has_a_plan(method: str) -> None:
    @examples(6)
    @given(small_houses(kinds=("scenarios", "peak")))
    def holds(made: RandomHouse) -> None:
        house = made.house | {"import_limit_kw": max(made.witness["import_kw"])}
        assert_honest(house, planned(house, method, time_limit=0.0))

    holds()


@pytest.mark.parametrize("case", [1, 2, 3, 4])
@pytest.mark.parametrize("name", ["random_96", "reference_120"])
def test_without_time_a_shared_house_has_a_plan_in_every_case(
    require_measured_data: Path, name: str, case: int
) -> None:
    data = json.loads((require_measured_data / "houses" / f"{name}.json").read_text(encoding="utf-8"))
    for method in PLANNING:
        result = planned(data["house"], method, case=case, time_limit=0.05)
        assert_honest(data["house"], result)
        assert result["bound_eur"] <= data["known"][str(case)]["cost_eur"] + 1e-6


@pytest.mark.parametrize("reason", HOUSES)
@pytest.mark.parametrize("method", METHODS)
def test_a_house_without_a_plan_names_device_slot_and_amount(method: str, reason: str) -> None:
    made = HOUSES[reason]
    with pytest.raises(InfeasibleHouseError) as caught:
        plan(House.from_dict(made.house), method)
    error = caught.value
    assert (error.device, error.slot) == (made.device, made.slot)
    assert made.device in str(error)
    assert f"slot {made.slot}" in str(error)
    assert f"{made.amount:.3f}" in str(error) or f"{made.amount:.2f}" in str(error)
