"""Laws of every method: feasible houses get plans that keep every equation, and bounds that hold."""

from __future__ import annotations

import pytest
from hypothesis import given

from ...support.house_twin import judge
from ...support.random_houses import RandomHouse, small_houses
from .plans import PLANNING, assert_honest, examples, planned, same_plan

CASES = (None, 1, 2, 3, 4)
COUNT = {"pso": 3, "fast": 5}
"""Houses per method where it is slow."""


@pytest.mark.parametrize("method", PLANNING)
@pytest.mark.parametrize("case", CASES)
def test_a_plan_keeps_every_equation_and_costs_what_it_says(method: str, case: int | None) -> None:
    @examples(COUNT.get(method, 8))
    @given(small_houses())
    def holds(made: RandomHouse) -> None:
        assert_honest(made.house, planned(made.house, method, case=case))

    holds()


@pytest.mark.parametrize("method", [*PLANNING, "lp"])
def test_no_bound_is_above_a_plan_known_to_be_feasible(method: str) -> None:
    @examples(COUNT.get(method, 12))
    @given(small_houses())
    def holds(made: RandomHouse) -> None:
        assert judge(made.house, made.witness).findings == []
        assert planned(made.house, method)["bound_eur"] <= made.witness["cost_eur"] + 1e-6

    holds()


@pytest.mark.parametrize("method", [*PLANNING, "lp"])
def test_no_bound_is_above_the_proven_optimum(method: str) -> None:
    @examples(COUNT.get(method, 12))
    @given(small_houses())
    def holds(made: RandomHouse) -> None:
        best = planned(made.house)
        found = planned(made.house, method)
        assert found["bound_eur"] <= best["cost_eur"] + 1e-6
        assert method == "lp" or best["bound_eur"] <= found["cost_eur"] + 1e-6

    holds()


@examples(15)
@given(small_houses())
def test_the_relaxation_keeps_every_linear_equation(made: RandomHouse) -> None:
    assert_honest(made.house, planned(made.house, "lp"), relaxed=True)


@pytest.mark.parametrize("method", [*PLANNING, "lp"])
def test_one_house_has_one_plan(method: str) -> None:
    @examples(COUNT.get(method, 4))
    @given(small_houses())
    def holds(made: RandomHouse) -> None:
        assert same_plan(planned(made.house, method), planned(made.house, method))

    holds()
