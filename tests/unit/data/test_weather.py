"""What is usual in Espoo: cold winters, mild summers, warm afternoons; and what a forecast of it misses."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from otaniemi.platform.data.synthetic import synthetic_scenario
from otaniemi.platform.data.weather import usual_outdoor_c
from otaniemi.platform.forecast import OUTDOOR_SD_K, Perfect, Realistic


@pytest.mark.parametrize(("month", "mean"), [(1, -5.0), (4, 5.0), (7, 18.0), (10, 7.0)])
def test_monthly_means_are_near_the_normals_of_southern_finland(month: int, mean: float) -> None:
    assert usual_outdoor_c(dt.date(2026, month, 1), 30, 24).mean() == pytest.approx(mean, abs=2.0)


def test_a_summers_day_swings_more_than_a_winters_day_and_is_warmest_at_three() -> None:
    summer, winter = (usual_outdoor_c(dt.date(2026, month, 21), 1, 24) for month in (6, 12))
    assert np.ptp(summer) > 2 * np.ptp(winter)
    assert int(summer.argmax()) in (14, 15)


def test_the_day_goes_on_where_the_one_before_ended() -> None:
    two = usual_outdoor_c(dt.date(2026, 4, 10), 2, 96)
    assert np.abs(np.diff(two)).max() < 0.5
    assert usual_outdoor_c(dt.date(2026, 4, 11), 1, 96) == pytest.approx(two[96:])


def test_the_expected_temperature_is_nearer_the_truth_an_hour_ahead_than_a_day_ahead() -> None:
    errors = []
    for seed in range(200):
        day = synthetic_scenario(1, 1, 3600, 1).day(0)
        forecaster = Realistic(day, seed)
        assert (Perfect(day).outdoor_c(0) == day.outdoor_c).all()
        errors.append([forecaster.outdoor_c(known)[12] - day.outdoor_c[12] for known in (11, -12)])
    assert np.std(errors, axis=0) == pytest.approx(OUTDOOR_SD_K, rel=0.2)
