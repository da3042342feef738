"""Tiny houses by trying everything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otaniemi.optimizer.errors import InfeasibleHouseError

from ...support.house_brute import cheapest
from ...support.random_houses import DEVICES, KINDS, RandomHouse, random_house
from .plans import PLANNING, assert_honest, examples, planned

tiny_houses = st.builds(
    random_house,
    seed=st.integers(0, 2**20),
    slots=st.integers(3, 5),
    slot_hours=st.sampled_from([1.0, 0.5]),
    devices=st.lists(st.sampled_from(DEVICES), unique=True, max_size=3).map(tuple),
    kinds=st.lists(st.sampled_from(KINDS), unique=True, max_size=3).map(tuple),
)


@pytest.mark.parametrize("case", [None, 2, 4])
def test_no_plan_of_a_tiny_house_is_cheaper_than_the_optimum(case: int | None) -> None:
    @examples(15)
    @given(tiny_houses)
    def holds(made: RandomHouse) -> None:
        result = planned(made.house, case=case)
        assert_honest(made.house, result)
        assert result["cost_eur"] == pytest.approx(cheapest(made.house, case), abs=2e-6)

    holds()


MISLEADING = [(2, 6, 1.0, 1), (2, 6, 1.0, 3), (139, 5, 1.0, None), (139, 5, 1.0, 1)]
"""Houses for which the solver once proved a plan that was not the cheapest: seed, slots, hours, case."""


@pytest.mark.parametrize(("seed", "slots", "hours", "case"), MISLEADING)
def test_no_presolve_hides_the_optimum(seed: int, slots: int, hours: float, case: int | None) -> None:
    house = random_house(seed, slots=slots, slot_hours=hours).house
    assert planned(house, case=case)["cost_eur"] == pytest.approx(cheapest(house, case), abs=2e-6)


@pytest.mark.parametrize("method", [m for m in PLANNING if m != "milp"])
def test_trying_everything_is_between_bound_and_cost(method: str) -> None:
    @examples(4 if method == "pso" else 10)
    @given(tiny_houses)
    def holds(made: RandomHouse) -> None:
        result, best = planned(made.house, method), cheapest(made.house)
        assert best is not None
        assert result["bound_eur"] - 1e-6 <= best <= result["cost_eur"] + 1e-6

    holds()


@examples(12)
@given(tiny_houses, st.floats(0.0, 1.0))
def test_a_tiny_house_is_infeasible_where_nothing_works(made: RandomHouse, share: float) -> None:
    house = made.house | {"import_limit_kw": round(share * max(made.witness["import_kw"]), 3)}
    best = cheapest(house)
    if best is None:
        with pytest.raises(InfeasibleHouseError):
            planned(house)
    else:
        assert planned(house)["cost_eur"] == pytest.approx(best, abs=2e-6)
