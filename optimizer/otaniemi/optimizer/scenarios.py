"""Scenarios of a day: a handful of ways it may turn out, made from how past days differed from their forecasts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from otaniemi.optimizer.errors import HouseDataError
from otaniemi.optimizer.fields import Floats, whole
from otaniemi.optimizer.house import Scenario


@dataclass(frozen=True, eq=False)
class ForecastErrors:
    """How past days turned out against their forecasts.

    Attributes
    ----------
    outdoor_offset_c : array, shape (days,)
        Mean of the day: measured less forecast outdoor temperature. [K]
    pv_factor : array, shape (days,)
        Energy of the day: measured by forecast PV.
    """

    outdoor_offset_c: Floats
    pv_factor: Floats

    @classmethod
    def of_days(
        cls, outdoor_error_c: ArrayLike, pv_forecast_kw: ArrayLike, pv_measured_kw: ArrayLike
    ) -> ForecastErrors:
        """Errors of whole days from those of their slots, which stay joined: a dull day is also a cool one.

        Parameters
        ----------
        outdoor_error_c : array, shape (days, slots)
            Measured less forecast temperature, NaN where nothing was measured. [K]
        pv_forecast_kw, pv_measured_kw : array, shape (days, slots)
            Measured: NaN where nothing was; those slots count in neither sum. [kW]

        Returns
        -------
        ForecastErrors
            Without the days on which temperature or PV was not measured at all. Where nothing was forecast for
            the measured slots, the PV factor is 1.

        Raises
        ------
        HouseDataError
            Arrays of different shapes, infinite or negative values, or no day that was measured.
        """
        error = _days("outdoor_error_c", outdoor_error_c, -math.inf)
        forecast = _days("pv_forecast_kw", pv_forecast_kw, 0.0)
        measured = _days("pv_measured_kw", pv_measured_kw, 0.0)
        for name, array in (("pv_forecast_kw", forecast), ("pv_measured_kw", measured)):
            if array.shape != error.shape:
                raise HouseDataError(
                    f"{name} has shape {array.shape}; that of outdoor_error_c, {error.shape}, is needed"
                )
        if np.isnan(forecast).any():
            raise HouseDataError("pv_forecast_kw is NaN somewhere; a forecast of every slot is needed")
        warmth, sun = np.isfinite(error), np.isfinite(measured)
        whole_days = warmth.any(axis=1) & sun.any(axis=1)
        if not whole_days.any():
            raise HouseDataError("outdoor_error_c and pv_measured_kw share no day with values; one is needed")
        offset = np.where(warmth, error, 0.0).sum(axis=1) / np.maximum(warmth.sum(axis=1), 1)
        expected, came = np.where(sun, forecast, 0.0).sum(axis=1), np.where(sun, measured, 0.0).sum(axis=1)
        factor = np.divide(came, expected, out=np.ones_like(came), where=expected > 0.0)
        return cls(offset[whole_days], factor[whole_days])


def scenarios_of(errors: ForecastErrors, count: int = 5) -> tuple[Scenario, ...]:
    """Past days' errors reduced to a few scenarios for a `House`.

    Every past day is one equally likely point: its temperature offset and its PV factor, each in units of its
    standard deviation. The days are gathered around at most `count` of them, chosen one by one so that the sum
    of squared distances to the nearest falls most, and regrouped around the groups' means until none changes. A
    scenario is the mean of its group, its probability the group's share of days: the expected offset and factor
    are those of the past days, a steady error of the forecast included.

    Parameters
    ----------
    errors : ForecastErrors
    count : int
        Most scenarios, at least 1; there are fewer where fewer days differ.

    Returns
    -------
    tuple of Scenario
        Likeliest first; equal days give equal scenarios, their probabilities sum to 1.

    Raises
    ------
    HouseDataError
        A count below 1.

    References
    ----------
    docs/model.md, "Scenarios"; H. Heitsch and W. Römisch (2003), S. Lloyd (1982).
    """
    whole("count", count, 1, 10**6)
    days = np.column_stack([errors.outdoor_offset_c, errors.pv_factor])
    days = days[np.lexsort(days.T)]
    spread = days.std(axis=0)
    points = days / np.where(spread > 0.0, spread, 1.0)
    group = _grouped(points, points[_spread_out(points, count)])
    found = [days[group == k] for k in np.unique(group)]
    found.sort(key=lambda members: (-len(members), *members.mean(axis=0)))
    shares = [len(members) / len(days) for members in found]
    shares[0] = 1.0 - math.fsum(shares[1:])
    return tuple(
        Scenario(share, *(float(mean) for mean in members.mean(axis=0)))
        for share, members in zip(shares, found, strict=True)
    )


def _spread_out(points: Floats, count: int) -> list[int]:
    """Forward selection: at most `count` points, each the one that lowers the distance of all to them most."""
    distance = ((points[:, None] - points) ** 2).sum(axis=2)
    chosen: list[int] = []
    nearest = np.full(len(points), np.inf)
    while len(chosen) < count and nearest.max() > 0.0:
        chosen.append(int(np.minimum(distance, nearest).sum(axis=1).argmin()))
        nearest = np.minimum(nearest, distance[chosen[-1]])
    return chosen


def _grouped(points: Floats, centres: Floats) -> Floats:
    """Index of the nearest centre of every point, once centres are the means of their points (Lloyd)."""
    group = np.full(len(points), -1)
    while True:
        nearest = ((points[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
        if (nearest == group).all():
            return group
        group = nearest
        centres = np.array([points[group == k].mean(axis=0) for k in np.unique(group)])
        group = np.unique(group, return_inverse=True)[1]


def _days(name: str, values: ArrayLike, low: float) -> Floats:
    """Values of days x slots, NaN allowed."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or not array.size:
        raise HouseDataError(f"{name} has shape {array.shape}; days x slots are needed")
    bad = array[np.isinf(array) | (array < low)]
    if bad.size:
        raise HouseDataError(f"{name} holds {bad[0]:g}; finite numbers of at least {low:g} or NaN are needed")
    return array
