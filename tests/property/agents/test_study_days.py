"""The market on measured homes: three of the study days that leave it least room."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from otaniemi.platform.agents.trading import LocalVenue
from otaniemi.platform.benchmarks.efficiency import HOMES_DATA, PRICES, trade_and_measure
from otaniemi.platform.community import bundled_community
from otaniemi.platform.data.measured import load_measured

HARD_DAYS = [dt.date(2023, 1, 20), dt.date(2023, 4, 16), dt.date(2023, 9, 13)]


@pytest.mark.parametrize("date", HARD_DAYS, ids=str)
def test_nine_tenths_of_the_possible_gain_are_reached_with_a_perfect_forecast(
    require_measured_data: Path, date: dt.date
) -> None:
    data = require_measured_data
    scenario = load_measured(bundled_community(), data / HOMES_DATA, data / PRICES, date, 1, 3600)
    row = trade_and_measure(scenario.day(0), date, "perfect", LocalVenue())
    assert row["efficiency"] is not None
    assert 0.90 <= row["efficiency"] <= 1
    assert row["optimum_eur"] <= row["market_eur"] <= row["alone_eur"]
    assert row["worst_loss_eur"] <= 0.05
    assert row["imbalance_kwh"] == 0


def test_a_sunny_day_with_forecast_errors_reaches_nine_tenths_too(require_measured_data: Path) -> None:
    data, date = require_measured_data, dt.date(2023, 8, 9)
    scenario = load_measured(bundled_community(), data / HOMES_DATA, data / PRICES, date, 1, 3600)
    row = trade_and_measure(scenario.day(0), date, "realistic", LocalVenue())
    assert row["efficiency"] is not None
    assert 0.90 <= row["efficiency"] <= 1
    assert row["perfect_foresight_eur"] < row["optimum_eur"]
    assert row["imbalance_kwh"] > 0
