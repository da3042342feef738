"""Scenarios of a home's next day from its own past days."""

from __future__ import annotations

import numpy as np
import pytest

from otaniemi.optimizer import HouseDataError, Scenario, scenarios_of
from otaniemi.platform.data.scenario import TradingDay
from otaniemi.platform.data.synthetic import synthetic_scenario
from otaniemi.platform.forecast import Kind, forecaster
from otaniemi.platform.forecast_errors import past_errors


def days() -> list[TradingDay]:
    run = synthetic_scenario(1, 12, 3600, 7)
    return [run.day(index) for index in range(run.days)]


def errors_of(kind: Kind, seeds: range) -> list[Scenario]:
    past = [(day, forecaster(day, kind, seed)) for seed in seeds for day in days()]
    return list(scenarios_of(past_errors(past, 0, -12), 5))


def test_who_knows_the_truth_needs_one_scenario() -> None:
    assert errors_of("perfect", range(1)) == [Scenario(1.0, 0.0, 1.0)]


def test_realistic_forecasts_leave_a_handful_of_joint_scenarios() -> None:
    found = errors_of("realistic", range(8))
    assert len(found) == 5
    offsets, factors = (
        np.array([getattr(s, name) for s in found]) for name in ("outdoor_offset_c", "pv_factor")
    )
    # The error of a slot day-ahead is 1.5 K and a quarter of the sun; the mean of a day varies less.
    assert -2.0 < offsets.min() < -0.3 < 0.3 < offsets.max() < 2.0
    assert 0.6 < factors.min() < 0.95 < 1.05 < factors.max() < 2.0


def test_the_factor_turns_the_forecast_sun_into_that_which_came() -> None:
    day = days()[0]
    known = forecaster(day, "realistic", 3)
    found = past_errors([(day, known)], 0, -12)
    assert known.pv_wh(0, -12).sum() * found.pv_factor[0] == pytest.approx(day.pv_wh[0].sum())
    assert (known.outdoor_c(-12) + found.outdoor_offset_c[0]).mean() == pytest.approx(day.outdoor_c.mean())


def test_without_a_past_there_are_no_scenarios() -> None:
    with pytest.raises(HouseDataError, match="outdoor_error_c has shape"):
        past_errors([], 0, -12)
