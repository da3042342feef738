"""Scenarios from past days: by hand, and the laws that hold for any past."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otaniemi.optimizer.errors import HouseDataError
from otaniemi.optimizer.house import House
from otaniemi.optimizer.scenarios import ForecastErrors, scenarios_of


def errors(*days: tuple[float, float]) -> ForecastErrors:
    return ForecastErrors(np.array([offset for offset, _ in days]), np.array([factor for _, factor in days]))


def test_a_day_is_its_mean_offset_and_its_share_of_the_forecast_sun() -> None:
    found = ForecastErrors.of_days(
        [[1.0, 3.0], [-1.0, 0.0]], [[0.0, 4.0], [2.0, 2.0]], [[0.0, 3.0], [1.5, 3.5]]
    )
    assert found.outdoor_offset_c.tolist() == [2.0, -0.5]
    assert found.pv_factor.tolist() == [0.75, 1.25]


def test_what_was_not_measured_counts_nowhere() -> None:
    nan = math.nan
    found = ForecastErrors.of_days(
        [[1.0, nan], [nan, nan], [2.0, 2.0], [3.0, 3.0]],
        [[2.0, 2.0]] * 3 + [[0.0, 2.0]],
        [[nan, 1.0], [1.0, 1.0], [nan, nan], [0.0, nan]],
    )
    assert found.outdoor_offset_c.tolist() == [1.0, 3.0]
    assert found.pv_factor.tolist() == [0.5, 1.0]


def test_two_kinds_of_days_are_two_scenarios_with_their_frequency() -> None:
    past = errors((-2.0, 0.5), (2.0, 1.2), (2.2, 1.1), (1.8, 1.3))
    first, second = scenarios_of(past, 2)
    assert (first.probability, second.probability) == (0.75, 0.25)
    assert (first.outdoor_offset_c, first.pv_factor) == pytest.approx((2.0, 1.2))
    assert (second.outdoor_offset_c, second.pv_factor) == (-2.0, 0.5)


def test_sun_and_warmth_stay_joined() -> None:
    """Dull days are cool here, and no scenario is dull and warm."""
    rng = np.random.default_rng(3)
    warmth = rng.normal(0.0, 1.0, 60)
    found = scenarios_of(ForecastErrors(warmth, 1.0 + 0.2 * warmth), 5)
    assert len(found) == 5
    for scenario in found:
        assert scenario.pv_factor == pytest.approx(1.0 + 0.2 * scenario.outdoor_offset_c)


def test_there_are_no_more_scenarios_than_kinds_of_days() -> None:
    assert len(scenarios_of(errors((1.0, 0.9)), 9)) == 1
    twice = scenarios_of(errors((0.0, 1.0), (1.0, 1.0), (0.0, 1.0)), 9)
    assert [s.probability for s in twice] == pytest.approx([2 / 3, 1 / 3])


def test_more_scenarios_tell_days_apart_better() -> None:
    rng = np.random.default_rng(8)
    past = ForecastErrors(rng.normal(0.0, 1.5, 90), rng.gamma(9.0, 1 / 9.0, 90))

    def unexplained(count: int) -> float:
        found = np.array([[s.outdoor_offset_c / 1.5, s.pv_factor * 3] for s in scenarios_of(past, count)])
        days = np.column_stack([past.outdoor_offset_c / 1.5, past.pv_factor * 3])
        return float(((days[:, None] - found) ** 2).sum(axis=2).min(axis=1).mean())

    left = [unexplained(count) for count in (1, 3, 5, 9)]
    assert left == sorted(left, reverse=True)
    assert left[-1] < 0.15 * left[0]


pasts = st.lists(st.tuples(st.floats(-8.0, 8.0), st.floats(0.0, 3.0)), min_size=1, max_size=40)


@settings(deadline=None, max_examples=100)
@given(days=pasts, count=st.integers(1, 9), order=st.randoms(use_true_random=False))
def test_scenarios_keep_the_mean_of_the_past_and_make_a_house(
    days: list[tuple[float, float]], count: int, order: object
) -> None:
    found = scenarios_of(errors(*days), count)
    assert 1 <= len(found) <= count
    assert math.fsum(s.probability for s in found) == 1.0
    for name, values in (("outdoor_offset_c", [d[0] for d in days]), ("pv_factor", [d[1] for d in days])):
        expected = sum(s.probability * getattr(s, name) for s in found)
        assert expected == pytest.approx(np.mean(values), abs=1e-9)
        assert all(min(values) - 1e-9 <= getattr(s, name) <= max(values) + 1e-9 for s in found)
    order.shuffle(days)  # type: ignore[attr-defined]
    assert scenarios_of(errors(*days), count) == found
    tariff = {"import_eur_per_kwh": [0.2], "export_eur_per_kwh": [0.1]}
    house = House.from_dict({"slots": 1, "slot_hours": 1.0, "tariff": tariff, "base_load_kw": [1.0]})
    assert replace(house, scenarios=found).scenarios == found


def test_an_impossible_past_is_refused_by_name() -> None:
    one = [[1.0, 1.0]]
    with pytest.raises(
        HouseDataError, match=r"pv_measured_kw has shape \(1, 3\); that of outdoor_error_c, \(1, 2\)"
    ):
        ForecastErrors.of_days(one, one, [[1.0, 1.0, 1.0]])
    with pytest.raises(HouseDataError, match="outdoor_error_c has shape"):
        ForecastErrors.of_days([1.0, 1.0], one, one)
    with pytest.raises(HouseDataError, match="pv_forecast_kw holds -1; finite numbers of at least 0"):
        ForecastErrors.of_days(one, [[-1.0, 1.0]], one)
    with pytest.raises(HouseDataError, match="share no day with values"):
        ForecastErrors.of_days(one, one, [[math.nan, math.nan]])
    with pytest.raises(HouseDataError, match="field 'count' is 0"):
        scenarios_of(errors((0.0, 1.0)), 0)
