"""The home without a HEMS: its plan keeps every equation of the house file, on random houses of all kinds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otaniemi.optimizer.errors import InfeasibleHouseError
from otaniemi.optimizer.house import House
from otaniemi.optimizer.methods.rules import rule_plan
from otaniemi.optimizer.plan import house_of_case, plan
from otaniemi.optimizer.savings import savings

from ...support.house_twin import judge
from ...support.random_houses import DEVICES, KINDS, random_house
from .plans import EUR, examples

CASES = st.sampled_from((None, 1, 2, 3, 4))
WITHOUT_LIMIT = tuple(kind for kind in KINDS if kind != "import_limit")


@examples(150)
@given(st.integers(0, 10**6), CASES)
def test_a_rule_plan_keeps_every_equation_and_costs_what_it_says(seed: int, case: int | None) -> None:
    data = random_house(seed).house
    house = house_of_case(House.from_dict(data), case)
    try:
        schedule = rule_plan(house, case)
    except InfeasibleHouseError:
        # Only a limit that binds is beyond the rules: the rest is feasible by construction.
        assert house.import_limit_kw is not None
        return
    verdict = judge(data, schedule.to_dict())
    assert verdict.findings == []
    assert schedule.cost_eur == pytest.approx(verdict.cost_eur, abs=1e-9)


@examples(8)
@given(st.integers(0, 10**6), CASES)
def test_devices_share_the_whole_saving(seed: int, case: int | None) -> None:
    made = random_house(seed, slots=12, slot_hours=0.5, devices=DEVICES, kinds=WITHOUT_LIMIT)
    house = House.from_dict(made.house)
    schedule = plan(house, case=case, node_limit=1)
    found = savings(house_of_case(house, case), schedule)
    assert found.alone.cost_eur >= schedule.bound_eur - EUR
    assert found.total_eur == pytest.approx(found.alone.cost_eur - schedule.cost_eur)
    assert sum(found.by_device.values()) == pytest.approx(found.total_eur, abs=1e-6)
