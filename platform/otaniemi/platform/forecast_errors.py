"""How a home's past days turned out against what it had expected: where scenarios of the next day come from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from otaniemi.optimizer.scenarios import ForecastErrors
from otaniemi.platform.data.scenario import TradingDay
from otaniemi.platform.forecast import Forecaster


def past_errors(past: Sequence[tuple[TradingDay, Forecaster]], home: int, known: int) -> ForecastErrors:
    """Errors of whole days of a home's weather, for `otaniemi.optimizer.scenarios_of`.

    Parameters
    ----------
    past : sequence of (day, its forecasts)
        Days that are over, at least one; all with slots of the same length.
    home : int
        Index of the home.
    known : int
        Slots of the day that had ended when it was forecast; negative on the day before.

    Raises
    ------
    HouseDataError
        No day at all.
    """
    warmer = [day.outdoor_c - forecasts.outdoor_c(known) for day, forecasts in past]
    wh_per_kw = np.array([[1000.0 * day.slot_hours] for day, _ in past])
    expected = np.array([forecasts.pv_wh(home, known) for _, forecasts in past]) / wh_per_kw
    came = np.array([day.pv_wh[home] for day, _ in past]) / wh_per_kw
    return ForecastErrors.of_days(warmer, expected, came)
