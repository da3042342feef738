"""Forecasts: what they are made of, and that they never look ahead."""

from __future__ import annotations

import numpy as np
import pytest

from otaniemi.platform.data.scenario import Prices, TradingDay
from otaniemi.platform.data.synthetic import synthetic_scenario
from otaniemi.platform.forecast import UNKNOWN_HOME_WH_PER_HOUR, Realistic, forecaster, known_at


def day_of(past: np.ndarray, today: np.ndarray, slot_seconds: int = 3600) -> TradingDay:
    nothing = np.zeros(today.size, np.int64)
    return TradingDay(
        index=0,
        first_slot=100,
        slot_seconds=slot_seconds,
        homes=(),
        load_wh=today[None, :],
        pv_wh=nothing[None, :],
        outdoor_c=np.zeros(24),
        past_load_wh=past[None, :],
        prices=Prices(nothing, nothing, nothing, nothing, nothing),
        local_fee_micro=0,
    )


def test_load_is_the_mean_of_the_same_hour_of_seven_days() -> None:
    past = np.concatenate([np.full(24, 100 * day) for day in range(9)])
    # Days 2..8 before: mean of 200 .. 800; the last hour was 300 above the mean of the 7 days before it (400).
    forecast = Realistic(day_of(past, np.zeros(24, np.int64)), 7).load_wh(0, 0)
    expected = 500 + 400 * np.exp(-np.arange(1, 25) / 6)
    assert forecast.tolist() == np.rint(expected).astype(int).tolist()


def test_the_last_error_decays_over_six_hours() -> None:
    today = np.full(24, 500)
    today[9] = 1100
    forecast = Realistic(day_of(np.full(24 * 7, 500), today), 7).load_wh(0, 10)
    assert forecast[10] == round(500 + 600 * np.exp(-1 / 6))
    assert forecast[16] == round(500 + 600 * np.exp(-7 / 6))


def test_a_home_without_a_past_is_expected_at_a_stated_load() -> None:
    forecast = Realistic(day_of(np.zeros(0, np.int64), np.zeros(24, np.int64)), 7).load_wh(0, -12)
    assert (forecast == UNKNOWN_HOME_WH_PER_HOUR).all()


@pytest.mark.parametrize("known", [-44, -1, 0, 3, 40, 95])
def test_load_to_come_changes_no_forecast(known: int) -> None:
    scenario = synthetic_scenario(2, 1, 900, 7)
    seen = Realistic(scenario.day(0), 7).load_wh(0, known)
    scenario.load_wh[:, scenario.past_slots + known :] = 9_999
    assert (Realistic(scenario.day(0), 7).load_wh(0, known) == seen).all()


def test_the_weather_error_is_a_quarter_day_ahead_and_a_tenth_an_hour_ahead() -> None:
    day = synthetic_scenario(1, 1, 3600, 7).day(0)
    sunny = day.pv_wh[0] > 100
    ratios = []
    for seed in range(400):
        forecast = Realistic(day, seed)
        ratios.append(
            (
                forecast.pv_wh(0, -12)[sunny] / day.pv_wh[0, sunny] - 1,
                np.array([forecast.pv_wh(0, slot - 1)[slot] for slot in np.flatnonzero(sunny)])
                / day.pv_wh[0, sunny]
                - 1,
            )
        )
    day_ahead, hour_ahead = np.array(ratios).transpose(1, 0, 2)
    assert np.sqrt((day_ahead**2).mean()) == pytest.approx(0.25, abs=0.02)
    assert np.sqrt((hour_ahead**2).mean()) == pytest.approx(0.10, abs=0.01)


def test_the_same_seed_gives_the_same_weather_error_and_homes_share_it() -> None:
    day = synthetic_scenario(12, 1, 3600, 7).day(0)
    owners = [index for index, home in enumerate(day.homes) if home.pv_scale][:2]
    noon = 12
    one, same, other = (forecaster(day, "realistic", seed) for seed in (1, 1, 2))
    assert (one.pv_wh(owners[0], -12) == same.pv_wh(owners[0], -12)).all()
    assert (one.pv_wh(owners[0], -12) != other.pv_wh(owners[0], -12)).any()
    ratio = [one.pv_wh(home, -12)[noon] / day.pv_wh[home, noon] for home in owners]
    assert ratio[0] == pytest.approx(ratio[1], abs=0.01)


def test_a_perfect_forecast_is_the_truth() -> None:
    day = synthetic_scenario(2, 1, 900, 7).day(0)
    perfect = forecaster(day, "perfect", 7)
    assert (perfect.load_wh(0, -48) == day.load_wh[0]).all()
    assert (perfect.pv_wh(0, -48) == day.pv_wh[0]).all()


def test_slots_count_as_known_when_they_have_ended() -> None:
    assert known_at(5, 20 * 60, 3600) == 4
    assert known_at(5, 20 * 60, 900) == 3
    assert known_at(5, 8 * 60, 900) == 4
    assert known_at(0, 12 * 3600, 900) == -48
