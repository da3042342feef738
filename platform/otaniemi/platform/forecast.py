"""What a home expects of its load and its PV, without looking ahead except for a stated weather error.

Load ("realistic"): mean of the same hour on up to 7 days before, plus the error of the last observed hour,
decaying with a time constant of 6 h. PV ("realistic"): the truth times ``1 + error``; the error follows one
seeded AR(1) over the hours of the day, shared by the community as its weather is, scaled to a standard
deviation of 0.10 one hour ahead that grows to 0.25 at 12 h and more (day-ahead). Outdoor temperature: the truth plus
such an error of its own, 0.5 K one hour ahead and 1.5 K day-ahead. "perfect" is the truth.

Moments are slots counted from the day's midnight: ``known`` slots have ended and are observed, negative on
the day before.
"""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from otaniemi.platform.data.noise import ar1
from otaniemi.platform.data.scenario import HOUR, Floats, IntArray, TradingDay

Kind = Literal["realistic", "perfect"]

HISTORY = 7
"""Days that the mean of an hour looks back on."""
DECAY_H = 6.0
PV_SD = (0.10, 0.25)
"""One hour ahead and day-ahead, as a share of the truth."""
OUTDOOR_SD_K = (0.5, 1.5)
DAY_AHEAD_H = 12.0
HOURLY_CORRELATION = 0.9
UNKNOWN_HOME_WH_PER_HOUR = 500
"""Expected of a home that was never metered."""


class Forecaster(Protocol):
    """Gives one day's forecasts to every home."""

    def load_wh(self, home: int, known: int) -> IntArray:
        """Expected load of a home (an index) when ``known`` slots have ended, shape (slots,) [Wh]."""

    def pv_wh(self, home: int, known: int) -> IntArray:
        """Expected PV energy likewise, shape (slots,) [Wh]."""

    def outdoor_c(self, known: int) -> Floats:
        """Expected outdoor temperature likewise, shape (slots,) [°C]."""


def forecaster(day: TradingDay, kind: Kind, seed: int) -> Forecaster:
    """The forecasts of a day."""
    return Perfect(day) if kind == "perfect" else Realistic(day, seed)


def known_at(slot: int, seconds_before: int, slot_seconds: int) -> int:
    """Slots of the day that have ended so long before the start of ``slot``; negative on the day before."""
    return slot - -(-seconds_before // slot_seconds)


class Perfect:
    """Knows the truth."""

    def __init__(self, day: TradingDay) -> None:
        self._day = day

    def load_wh(self, home: int, known: int) -> IntArray:  # noqa: ARG002
        truth: IntArray = self._day.load_wh[home]
        return truth

    def pv_wh(self, home: int, known: int) -> IntArray:  # noqa: ARG002
        truth: IntArray = self._day.pv_wh[home]
        return truth

    def outdoor_c(self, known: int) -> Floats:  # noqa: ARG002
        return self._day.outdoor_c


class Realistic:
    """Knows the past and a noisy weather forecast."""

    def __init__(self, day: TradingDay, seed: int) -> None:
        self._day = day
        self._per_hour = HOUR // day.slot_seconds
        self._past = day.past_load_wh.shape[1]
        self._load = np.concatenate([day.past_load_wh, day.load_wh], axis=1)
        self._sun = self._error([seed, day.first_slot])
        self._warmth = self._error([seed, day.first_slot, 1])
        self._usual: dict[int, NDArray[np.float64]] = {}

    def load_wh(self, home: int, known: int) -> IntArray:
        usual = self._usual_load(known)[home]
        hours_since_seen = (np.arange(self._day.slots) - known + 1) / self._per_hour
        correction = self._last_error(home, known) * np.exp(-np.maximum(hours_since_seen, 0) / DECAY_H)
        expected = np.maximum(usual[-self._day.slots :] + correction, 0.0)
        return _whole(expected)

    def pv_wh(self, home: int, known: int) -> IntArray:
        factor = np.maximum(1 + self._growing(PV_SD, known) * self._sun, 0.0)
        return _whole(self._day.pv_wh[home] * factor)

    def outdoor_c(self, known: int) -> Floats:
        expected: Floats = self._day.outdoor_c + self._growing(OUTDOOR_SD_K, known) * self._warmth
        return expected

    def _error(self, seed: list[int]) -> Floats:
        """An error of unit variance over the slots of the day."""
        return np.repeat(ar1(np.random.default_rng(seed), 24, HOURLY_CORRELATION), self._per_hour)

    def _growing(self, deviation: tuple[float, float], known: int) -> Floats:
        """Standard deviation of every slot's error: from that one hour ahead to that of a day ahead."""
        ahead_h = np.maximum((np.arange(self._day.slots) - known) / self._per_hour, 1.0)
        growth: Floats = np.minimum((ahead_h - 1) / (DAY_AHEAD_H - 1), 1.0)
        return deviation[0] + (deviation[1] - deviation[0]) * growth

    def _last_error(self, home: int, known: int) -> float:
        """Observed less usual load per slot, over the last hour that was observed [Wh]."""
        hour = slice(known - self._per_hour, known)
        if self._past + hour.start < 0:
            return 0.0
        seen = self._load[home, self._past + hour.start : self._past + hour.stop]
        usual = self._usual_load(known)[home, self._day.slots + hour.start : self._day.slots + hour.stop]
        return float(seen.mean() - usual.mean())

    def _usual_load(self, known: int) -> NDArray[np.float64]:
        """Mean load per slot in the same hour of up to 7 days before, for the day before and the day.

        Only hours that have ended are looked at, so it is the same all day. Shape (homes, 2 x slots) [Wh].
        """
        known = min(known, 0)
        if known not in self._usual:
            self._usual[known] = self._mean_of_earlier_days(known)
        return self._usual[known]

    def _mean_of_earlier_days(self, known: int) -> NDArray[np.float64]:
        homes = self._load.shape[0]
        whole_hours = max(self._past + known, 0) // self._per_hour
        ended = self._load[:, : whole_hours * self._per_hour].reshape(homes, whole_hours, self._per_hour)
        unseen = np.full((homes, (HISTORY + 1) * 24), np.nan)
        hourly = np.concatenate([unseen, ended.mean(axis=2), unseen], axis=1)
        first = unseen.shape[1] + self._past // self._per_hour - 24
        back = np.stack([hourly[:, first - 24 * days :][:, :48] for days in range(1, HISTORY + 1)])
        seen = np.isfinite(back)
        total = np.where(seen, back, 0.0).sum(axis=0)
        count = seen.sum(axis=0)
        unknown = UNKNOWN_HOME_WH_PER_HOUR / self._per_hour
        usual = np.where(count > 0, total / np.maximum(count, 1), unknown)
        return np.repeat(usual, self._per_hour, axis=1)


def _whole(wh: NDArray[np.float64]) -> IntArray:
    return np.rint(wh).astype(np.int64)
