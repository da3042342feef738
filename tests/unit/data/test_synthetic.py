"""Synthetic homes: seeded, labelled, and plausible."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from otaniemi.optimizer.program.comfort import within_reach
from otaniemi.platform.agents.house import expected_house
from otaniemi.platform.data.scenario import DataError
from otaniemi.platform.data.synthetic import synthetic_scenario
from otaniemi.platform.forecast import Perfect


def test_the_seed_decides_everything() -> None:
    one, same, other = (synthetic_scenario(3, 1, 900, seed) for seed in (7, 7, 8))
    assert one.source == "synthetic"
    assert one.homes == same.homes
    assert (one.load_wh == same.load_wh).all()
    assert (one.pv_wh == same.pv_wh).all()
    assert (one.load_wh != other.load_wh).any()


def test_a_home_is_the_same_in_a_small_and_a_large_community() -> None:
    small, large = synthetic_scenario(2, 1, 900, 7), synthetic_scenario(30, 1, 900, 7)
    assert large.homes[:2] == small.homes
    assert (large.load_wh[:2] == small.load_wh).all()


def test_the_default_community_mixes_pv_batteries_selling_cars_and_machines() -> None:
    homes = synthetic_scenario(12, 1, 900, 7).homes
    assert sum(home.pv_scale > 0 for home in homes) >= 6
    assert sum(home.battery is not None for home in homes) >= 3
    assert sum(home.ev is not None and home.ev.v2h == "sell" for home in homes) >= 3
    assert sum(bool(home.appliances) for home in homes) >= 3


def test_some_homes_heat_water_and_have_heat_pumps_that_follow_the_season() -> None:
    summer = synthetic_scenario(12, 1, 900, 7).homes
    winter = synthetic_scenario(12, 1, 900, 7, dt.date(2026, 1, 20)).homes
    fields = [sorted(device.field for home in homes for device in home.thermal) for homes in (summer, winter)]
    assert fields[0] == ["air_conditioner"] * 2 + ["water_heater"] * 3
    assert fields[1] == ["heat_pump"] * 2 + ["water_heater"] * 3


@pytest.mark.parametrize("start", [dt.date(2026, month, 15) for month in range(1, 13, 2)])
def test_thermal_devices_keep_their_bands_all_year(start: dt.date) -> None:
    day = synthetic_scenario(12, 1, 900, 7, start).day(0)
    for home in range(12):
        for load in expected_house(day, home, Perfect(day), 0).thermal_loads:
            assert within_reach(load) is load


def test_the_sun_shines_by_day_and_a_week_of_history_is_there() -> None:
    scenario = synthetic_scenario(12, 1, 900, 7)
    day = scenario.day(0)
    pv = day.pv_wh.sum(axis=0).reshape(24, 4).sum(axis=1)
    assert pv[:3].sum() == 0
    assert pv[9:15].min() > 0
    assert day.past_load_wh.shape[1] >= 8 * 96
    assert (day.load_wh > 0).all()


@pytest.mark.parametrize("slot_seconds", [720, 900, 3600])
def test_any_slot_length_gives_the_same_kind_of_day(slot_seconds: int) -> None:
    scenario = synthetic_scenario(12, 2, slot_seconds, 7)
    assert scenario.days == 2
    daily = scenario.load_wh.sum() / 12 / 10
    assert 7_000 < daily < 25_000
    assert np.ptp(scenario.prices.import_micro) > 50_000


@pytest.mark.parametrize("homes", [0, 1001])
def test_too_few_or_too_many_homes_are_refused(homes: int) -> None:
    with pytest.raises(DataError, match=f"homes is {homes}; valid: 1 to 1000"):
        synthetic_scenario(homes, 1, 900, 7)
