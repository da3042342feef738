"""Outdoor temperature where no measured one is there: what is usual in Espoo on that day and hour.

A year's wave and a day's wave, fitted by eye to the 1991-2020 normals of southern Finland (monthly means from -5 °C
at the end of January to 18 °C at the end of July; a day varies by 2 K in midwinter and 10 K in midsummer, warmest
at 15 h). No two years are like that; it is climate, not weather.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

YEAR_MEAN_C, YEAR_SWING_K, WARMEST_DAY = 6.5, 11.5, 207
DAY_SWING_K, DAY_SWING_CHANGE_K, LONGEST_DAY, WARMEST_HOUR = 3.0, 2.0, 172, 15.0


def usual_outdoor_c(first_day: dt.date, days: int, slots_per_day: int) -> Floats:
    """Usual outdoor temperature of every slot, at its middle, shape (days * slots_per_day,). [°C]"""
    hours = np.tile((np.arange(slots_per_day) + 0.5) * (24.0 / slots_per_day), days)
    date = first_day.timetuple().tm_yday + np.repeat(np.arange(days, dtype=np.float64), slots_per_day)
    mean = YEAR_MEAN_C + YEAR_SWING_K * _wave(date - WARMEST_DAY, 365.25)
    swing = DAY_SWING_K + DAY_SWING_CHANGE_K * _wave(date - LONGEST_DAY, 365.25)
    usual: Floats = mean + swing * _wave(hours - WARMEST_HOUR, 24.0)
    return usual


def _wave(since_peak: Floats, period: float) -> Floats:
    wave: Floats = np.cos(2.0 * np.pi * since_peak / period)
    return wave
