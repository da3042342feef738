"""Exact plans with thermal devices, scenarios and a capacity tariff, worked out by hand."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from otaniemi.optimizer.devices.thermal import ThermalLoad
from otaniemi.optimizer.errors import InfeasibleHouseError
from otaniemi.optimizer.house import House
from otaniemi.optimizer.plan import plan
from otaniemi.optimizer.program.choices import Choices
from otaniemi.optimizer.program.counting import count_ranges
from otaniemi.optimizer.program.dispatch import Dispatcher, dispatch
from otaniemi.optimizer.program.home_program import State
from otaniemi.optimizer.replan import replan

from ...support.house_twin import judge
from ...support.random_houses import random_house

BATTERY = {"capacity_kwh": 10, "power_kw": 2, "initial_soc": 0.5, "final_soc": 0.5}


def tank(slots: int, **fields: Any) -> dict[str, Any]:
    """A tenth of the water is drawn every hour: 50 °C fall to 49, or to 49.9 if it is heated."""
    return {
        "rated_kw": 1.0,
        "volume_l": 100.0,
        "capacity_kwh_per_k": 1.0,
        "resistance_k_per_kw": 1e6,
        "min_c": 48.5,
        "max_c": 60.0,
        "initial_c": 50.0,
        "inlet_c": 40.0,
        "ambient_c": 40.0,
        "draw_l": [10.0] * slots,
        **fields,
    }


def home(prices: list[float], load: list[float], **fields: Any) -> House:
    """A home of hourly slots that sells nothing."""
    tariff = {"import_eur_per_kwh": prices, "export_eur_per_kwh": [0.0] * len(prices)}
    tariff |= fields.pop("tariff", {})
    data = {"slots": len(prices), "slot_hours": 1.0, "tariff": tariff, "base_load_kw": load, **fields}
    return House.from_dict(data)


def test_a_tank_is_heated_in_the_cheaper_hour_that_keeps_it_warm() -> None:
    early = plan(home([0.1, 0.3], [0.0, 0.0], water_heater=tank(2)))
    assert early.levels["water_heater"].tolist() == [1, 0]
    assert early.temperatures_c["water_heater"] == pytest.approx([49.9, 48.91])
    assert early.thermal_kw.tolist() == [1.0, 0.0]
    assert (early.cost_eur, early.status) == (pytest.approx(0.1), "optimal")
    late = plan(home([0.3, 0.1], [0.0, 0.0], water_heater=tank(2)))
    assert late.to_dict()["heater_on"] == [0, 1]
    assert late.to_dict()["tank_c"] == pytest.approx([49.0, 49.0])


def test_the_relaxation_heats_in_part_and_costs_less() -> None:
    relaxed = plan(home([0.1, 0.3], [0.0, 0.0], water_heater=tank(2)), "lp")
    # 0.81 K of each kWh in the first hour are left at the end of the second; 0.4 K are missing.
    assert relaxed.levels["water_heater"] == pytest.approx([0.4 / 0.81, 0.0], abs=1e-4)
    assert relaxed.cost_eur == pytest.approx(0.04 / 0.81, abs=1e-4)


def test_the_vehicle_may_serve_the_heater() -> None:
    ev = {"capacity_kwh": 10, "power_kw": 3, "v2h": "home"}
    ev["sessions"] = [{"arrival_slot": 0, "departure_slot": 1, "initial_soc": 0.5, "target_soc": 0.2}]
    day = plan(home([0.5], [0.5], water_heater=tank(1, min_c=49.5), ev=ev))
    assert day.ev_discharge_kw == pytest.approx([1.5])
    assert day.cost_eur == pytest.approx(0.0)


def test_a_capacity_tariff_is_shaved_by_the_battery() -> None:
    day = plan(home([0.1, 0.1], [1.0, 3.0], battery=BATTERY, tariff={"peak_eur_per_kw": 1.0}))
    assert day.import_kw == pytest.approx([2.0, 2.0])
    assert day.cost.peak == pytest.approx(2.0)
    assert day.cost_eur == pytest.approx(2.4)


def test_a_peak_that_has_been_is_paid_anyway() -> None:
    house = home([0.1, 0.1, 0.1], [2.0, 1.0, 3.0], battery=BATTERY, tariff={"peak_eur_per_kw": 1.0})
    after = replan(house, plan(house), 1, State(battery_kwh=5.0), np.zeros(3))
    assert after.cost.peak == pytest.approx(2.0)
    bare = home([0.1, 0.1, 0.1], [2.0, 1.0, 3.0], tariff={"peak_eur_per_kw": 1.0})
    bought = replan(bare, plan(bare), 1, State(), np.array([0.0, 1.0, 3.0]))
    # Traded energy passes the meter too, and is delivered whatever it costs.
    assert bought.cost.peak == pytest.approx(3.0)


def test_scenarios_share_choices_and_have_flows_of_their_own() -> None:
    weather = [{"probability": 0.25, "pv_factor": 0.5}, {"probability": 0.75, "pv_factor": 1.5}]
    washer = {"name": "washer", "rated_kw": 1.0, "hours": 1, "earliest_h": 0, "latest_h": 2}
    day = plan(
        home(
            [0.2, 0.2],
            [0.0, 0.0],
            pv_kw=[1.0, 0.0],
            appliances=[washer],
            scenarios=weather,
            tariff={"export_eur_per_kwh": [0.04, 0.04]},
        )
    )
    assert day.starts == {"washer": 0}
    dull, bright = day.scenarios
    assert dull.import_kw == pytest.approx([0.5, 0.0])
    assert bright.export_kw == pytest.approx([0.5, 0.0])
    assert day.import_kw == pytest.approx([0.125, 0.0])
    assert day.cost_eur == pytest.approx(0.25 * 0.5 * 0.2 - 0.75 * 0.5 * 0.04)


def test_the_band_holds_on_the_warmest_of_the_expected_days() -> None:
    # Half of the difference to outside is lost every hour: 24 °C rise to 26 at 28 °C outside.
    room = {"rated_kw": 1.0, "cop": 1.0, "resistance_k_per_kw": 2.0, "capacity_kwh_per_k": 0.5 / np.log(2)}
    room |= {"min_c": 20.0, "max_c": 26.1, "initial_c": 24.0}
    assert plan(home([0.1], [0.0], outdoor_c=[28.0], air_conditioner=room)).cost_eur == pytest.approx(0.0)
    weather = [{"probability": 0.9}, {"probability": 0.1, "outdoor_offset_c": 1.0}]
    careful = plan(home([0.1], [0.0], outdoor_c=[28.0], air_conditioner=room, scenarios=weather))
    assert careful.levels["air_conditioner"].tolist() == [1]
    # 26 less 1 by cooling, and half of the expected 0.1 K.
    assert careful.temperatures_c["air_conditioner"] == pytest.approx([25.05])


def test_a_tank_that_cannot_stay_warm_is_named_with_its_slot_and_kelvin() -> None:
    drained = tank(3, draw_l=[0.0, 50.0, 0.0], min_c=46.0, max_c=51.1)
    # 50 heated to 51, then to 52 before half is replaced by 40 °C: 46, and a kelvin more after that.
    with pytest.raises(InfeasibleHouseError, match=r"water_heater: .* slot 1; 0.250 K") as caught:
        plan(home([0.1] * 3, [0.0] * 3, water_heater=drained | {"min_c": 46.25}))
    assert (caught.value.device, caught.value.slot, caught.value.unit) == ("water_heater", 1, "K")
    assert caught.value.to_dict()["amount_k"] == pytest.approx(0.25, abs=1e-4)
    heated = plan(home([0.1] * 3, [0.0] * 3, water_heater=drained | {"min_c": 45.999}))
    assert heated.levels["water_heater"].tolist() == [1, 1, 0]


def test_a_band_between_on_and_off_is_infeasible_although_half_on_would_keep_it() -> None:
    narrow = tank(1, min_c=49.2, max_c=49.6)
    assert plan(home([0.1], [0.0], water_heater=narrow | {"min_c": 48.999})).status == "optimal"
    with pytest.raises(InfeasibleHouseError, match=r"slot 0; 0.200 K"):
        plan(home([0.1], [0.0], water_heater=narrow))


def test_a_connection_too_weak_for_whole_steps_of_a_heater_is_named() -> None:
    # 0.4 / 0.9 of an hour would do, and fit beside the load; a whole hour does not.
    with pytest.raises(
        InfeasibleHouseError, match=r"import_limit_kw: 1.5 kW cannot hold in slot 0; 0.500 kWh"
    ):
        plan(home([0.1], [1.0], water_heater=tank(1, min_c=49.4), import_limit_kw=1.5))


@pytest.mark.parametrize("limit", [{"time_limit": 0.0}, {"time_limit": 0.05}, {"node_limit": 0}])
@pytest.mark.parametrize("case", [None, 1, 2, 3, 4])
def test_at_any_limit_a_feasible_plan_and_a_bound_come_back(case: int | None, limit: dict[str, Any]) -> None:
    for seed in (3, 17):
        drawn = random_house(seed, slots=16)
        house = House.from_dict(drawn.house)
        day = plan(house, case=case, **limit)
        assert judge(drawn.house, day.to_dict()).findings == []
        assert day.bound_eur <= plan(house, case=case, node_limit=200).cost_eur + 1e-6


def test_a_dispatch_of_the_best_choices_is_the_best_plan() -> None:
    house = House.from_dict(random_house(11, slots=16).house)
    best = plan(house)
    found = dispatch(house, None, best.choices)
    assert found.cost_eur == pytest.approx(best.cost_eur, abs=1e-6)
    assert found.proven


def test_a_kept_dispatch_finds_what_a_fresh_one_finds() -> None:
    house = House.from_dict(random_house(17, slots=12, kinds=("negative", "feed_in_above")).house)
    kept = Dispatcher(house, None)
    rng = np.random.default_rng(1)
    for load in rng.uniform(0.0, 0.5, (4, 12)):
        again, fresh = kept.solve(load), Dispatcher(house, None).solve(load)
        assert (again is None) == (fresh is None)
        if again and fresh:
            assert again.cost_eur == pytest.approx(fresh.cost_eur, abs=2e-6)


def test_replanning_follows_the_thermometer() -> None:
    house = home([0.1, 0.2, 0.3, 0.1], [0.0] * 4, water_heater=tank(4))
    before = plan(house)
    # On at 49.9, or off at 49, in the first hour; the thermometer says 48.6: heating cannot wait.
    after = replan(house, before, 1, State(temperatures_c={"water_heater": 48.6}), np.zeros(4))
    assert after.levels["water_heater"][0] == before.levels["water_heater"][0]
    assert after.levels["water_heater"][1] == 1
    assert after.temperatures_c["water_heater"][1] == pytest.approx(0.9 * 49.6 + 4.0)


def test_a_tank_found_too_cold_is_brought_back_as_fast_as_it_can() -> None:
    house = home([0.1] * 4, [0.0] * 4, water_heater=tank(4, draw_l=[10.0, 0.0, 0.0, 0.0]))
    after = replan(house, plan(house), 1, State(temperatures_c={"water_heater": 46.0}), np.zeros(4))
    assert after.levels["water_heater"][1:].tolist() == [1, 1, 1]
    assert after.temperatures_c["water_heater"][1:] == pytest.approx([47.0, 48.0, 49.0])


def test_counts_of_every_schedule_within_the_band_are_in_their_range() -> None:
    rng = np.random.default_rng(4)
    for _ in range(20):
        steps = np.cumsum(rng.uniform(0.3, 1.0, 2))
        load = ThermalLoad(
            name="tank",
            level_kw=np.array([0.0, 1.0, 2.0]),
            keep=rng.uniform(0.6, 1.0, 7),
            drift=rng.uniform(-1.0, 0.0, 7),
            effect=np.column_stack([np.zeros(7), np.outer(np.ones(7), steps)]),
            outdoor_share=np.zeros(7),
            low_c=np.full(7, -1.5),
            high_c=np.full(7, 1.0),
            initial_c=0.0,
        )
        every = np.array(list(itertools.product(range(3), repeat=7)), np.int8)
        reached = load.temperatures(every)
        kept = every[((reached >= load.low_c) & (reached <= load.high_c)).all(axis=1)]
        assert kept.size
        least, most = count_ranges(load, np.zeros(0, np.int8))
        for level in (1, 2):
            counts = np.cumsum(kept == level, axis=1)
            assert (counts.min(axis=0) >= least[:, level - 1]).all()
            assert (counts.max(axis=0) <= most[:, level - 1]).all()
        past = kept[0][:3]
        least, most = count_ranges(load, past)
        assert least[2].tolist() == most[2].tolist() == [(past == 1).sum(), (past == 2).sum()]


def test_choices_know_what_their_devices_take() -> None:
    house = home([0.1, 0.1], [0.0, 0.0], water_heater=tank(2))
    assert Choices({}, {"water_heater": np.array([0, 1], np.int8)}).device_kwh(house).tolist() == [0.0, 1.0]
