"""The study's swarm on its house: what it searches, and that its best never worsens."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from otaniemi.optimizer.errors import HouseDataError
from otaniemi.optimizer.house import House
from otaniemi.optimizer.methods.swarm import SwarmOptions, SwarmRun, swarm
from otaniemi.optimizer.plan import CASES, house_of_case, plan
from otaniemi.optimizer.program.thermostat import Thermostat, degree_slots
from otaniemi.optimizer.study import STUDY_COSTS, STUDY_CUTS, study_house

SHORT = SwarmOptions(seeds=(3, 4), iterations=40)


def run(case: int = 4, options: SwarmOptions = SHORT) -> tuple[SwarmRun, ...]:
    return swarm(house_of_case(study_house(), case), case, options)


def same(one: SwarmRun, other: SwarmRun) -> bool:
    levels = all(np.array_equal(one.choices.levels[k], other.choices.levels[k]) for k in one.choices.levels)
    return levels and one.choices.starts == other.choices.starts and one.cost_eur == other.cost_eur


def test_the_study_searches_243_variables() -> None:
    house = study_house()
    bits = sum((load.level_kw.size - 1) * house.slots for load in house.thermal_loads)
    windows = [len(item.start_slots(house.slot_hours, house.slots)) for item in house.appliances]
    assert bits + len(windows) == 243
    assert windows == [46, 16, 56]


def test_the_best_never_worsens() -> None:
    for repair in (True, False):
        for found in run(options=replace(SHORT, repair=repair)):
            assert found.history.size == SHORT.iterations + 1
            assert (np.diff(found.history) <= 0.0).all()
            assert found.history[-1] < found.history[0]


def test_a_seed_gives_the_same_result_whatever_runs_beside_it() -> None:
    alone, beside = run(options=replace(SHORT, seeds=(4,))), run()
    assert same(alone[0], beside[1])
    assert not same(beside[0], beside[1])


def test_the_repaired_swarm_keeps_every_band() -> None:
    house = study_house()
    for found in run():
        assert found.feasible
        assert found.history[-1] == pytest.approx(found.cost_eur)
        for load in house.thermal_loads:
            reached = load.temperatures(found.choices.levels[load.name])
            assert (reached >= load.low_c).all()
            assert (reached <= load.high_c).all()


def test_the_plain_swarm_says_by_how_much_it_misses_the_bands() -> None:
    house = study_house()
    for found in run(options=replace(SHORT, repair=False)):
        missed = 0.0
        for load in house.thermal_loads:
            reached = load.temperatures(found.choices.levels[load.name])
            missed += float(
                np.maximum(load.low_c - reached, 0).sum() + np.maximum(reached - load.high_c, 0).sum()
            )
        assert missed > 1.0
        assert found.degree_slots == pytest.approx(missed)
        assert not found.feasible
        assert found.history[-1] == pytest.approx(found.cost_eur + found.degree_slots)


def test_the_swarm_shows_the_order_of_the_cases() -> None:
    costs = [np.mean([found.cost_eur for found in run(case)]) for case in CASES]
    assert costs == sorted(costs, reverse=True)
    assert costs[3] < 0.25 * costs[0]


def test_no_iteration_begins_after_the_deadline() -> None:
    house = house_of_case(study_house(), 4)
    (found,) = swarm(house, 4, SwarmOptions(), deadline=time.perf_counter())
    assert found.history.size == 1
    assert found.feasible


def test_every_iteration_is_reported() -> None:
    seen: list[int] = []
    swarm(house_of_case(study_house(), 1), 1, SwarmOptions(iterations=3), progress=seen.append)
    assert seen == [1, 2, 3]


def test_the_plan_of_a_swarm_owns_to_be_unproven() -> None:
    house = study_house()
    found = plan(house, "pso", case=4, node_limit=5)
    assert (found.status, found.method) == ("time_limit", "pso")
    assert found.bound_eur == pytest.approx(plan(house, "lp", case=4).cost_eur, abs=1e-6)


def test_a_home_without_thermal_devices_or_appliances_is_planned_too() -> None:
    bare = replace(study_house(), thermal=(), appliances=())
    assert plan(bare, "pso", case=4, node_limit=2).cost_eur < plan(bare, "pso", case=1, node_limit=2).cost_eur


def test_options_that_cannot_be_are_refused_by_name() -> None:
    with pytest.raises(HouseDataError, match="population"):
        SwarmOptions(population=0)
    with pytest.raises(HouseDataError, match="iterations"):
        SwarmOptions(iterations=-1)


def test_a_thermostat_changes_nothing_that_keeps_the_band() -> None:
    rng = np.random.default_rng(5)
    for load in study_house().thermal_loads:
        wished = (rng.random((20, load.slots)) < 0.3).astype(np.int8)
        thermostat = Thermostat(load)
        kept = thermostat.keep(wished)
        assert (degree_slots(load, kept) == 0.0).all()
        assert np.array_equal(thermostat.keep(kept), kept)


def test_a_thermostat_looks_ahead_to_a_draw_that_one_slot_cannot_heat() -> None:
    house = study_house()
    heater = next(device for device in house.thermal if device.field == "water_heater")
    # 50 l drawn at once cool the tank by about 7.6 K, more than the band leaves to a tank that is not warm before.
    draw = np.zeros(house.slots)
    draw[60] = 50.0
    (load,) = replace(house, thermal=(replace(heater, draw_l=draw),)).thermal_loads
    off = np.zeros((1, house.slots), np.int8)
    kept = Thermostat(load).keep(off)
    assert degree_slots(load, kept)[0] == 0.0
    assert kept[0, 50:61].any()


def test_our_constants_bring_the_cases_near_the_study() -> None:
    house = study_house()
    plans = {case: plan(house, "fast", case=case) for case in CASES}
    first = plans[1].cost_eur
    assert first == pytest.approx(STUDY_COSTS[1], rel=0.01)
    for case, found in plans.items():
        assert found.cost_eur / first == pytest.approx(STUDY_COSTS[case] / STUDY_COSTS[1], abs=0.005)
    for (low, high), cut in STUDY_CUTS.items():
        assert 1 - plans[low].cost_eur / plans[high].cost_eur == pytest.approx(cut, abs=0.04)


def test_the_study_house_is_a_house_file() -> None:
    house = study_house()
    assert House.from_dict(house.to_dict()).to_dict() == house.to_dict()
