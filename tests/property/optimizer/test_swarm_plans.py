"""Whatever the house: the swarm's plan keeps every equation of the house file, by both readings of the rules."""

from __future__ import annotations

import numpy as np
import pytest

from otaniemi.optimizer.house import House
from otaniemi.optimizer.methods.allocation import Rules
from otaniemi.optimizer.methods.swarm import SwarmOptions, swarm, swarm_plan
from otaniemi.optimizer.plan import house_of_case
from otaniemi.optimizer.program.thermostat import Thermostat, degree_slots
from otaniemi.optimizer.schedule import schedule_of

from ...support.house_twin import judge
from ...support.random_houses import random_house


@pytest.mark.parametrize("reading", ["highest", "range"])
@pytest.mark.parametrize("seed", range(24))
def test_a_swarms_plan_keeps_every_equation_and_costs_what_it_says(seed: int, reading: str) -> None:
    data = random_house(seed).house
    case = (None, 1, 2, 3, 4)[seed % 5]
    house = house_of_case(House.from_dict(data), case)
    options = SwarmOptions(seeds=(seed,), iterations=5, population=6, rules=Rules(reading=reading))
    found = swarm_plan(house, case, options)
    schedule = schedule_of(house, found, status="time_limit", case=case, method="pso", seconds=0.0)
    verdict = judge(data, schedule.to_dict())
    assert verdict.findings == []
    assert verdict.cost_eur == pytest.approx(schedule.cost_eur, abs=1e-6)
    assert schedule.cost_eur == pytest.approx(found.cost_eur, abs=1e-6)
    assert found.bound_eur <= found.cost_eur
    assert not found.proven


@pytest.mark.parametrize("seed", range(24, 40))
def test_what_a_swarm_calls_feasible_misses_nothing_and_the_rest_says_how_much(seed: int) -> None:
    house = House.from_dict(random_house(seed).house)
    for repair in (True, False):
        for found in swarm(
            house, None, SwarmOptions(seeds=(1, 2), iterations=3, population=4, repair=repair)
        ):
            missed = sum(degree_slots(load, found.choices.levels[load.name]) for load in house.thermal_loads)
            assert found.degree_slots == pytest.approx(float(missed), abs=1e-6)
            if repair:
                assert found.degree_slots == 0.0


@pytest.mark.parametrize("seed", range(40, 56))
def test_a_thermostat_keeps_any_band_from_any_wish(seed: int) -> None:
    rng = np.random.default_rng(seed)
    house = House.from_dict(
        random_house(seed, devices=("air_conditioner", "water_heater", "heat_pump")).house
    )
    for load in house.thermal_loads:
        wished = rng.integers(0, load.level_kw.size, (8, load.slots)).astype(np.int8)
        assert (degree_slots(load, Thermostat(load).keep(wished)) == 0.0).all()
