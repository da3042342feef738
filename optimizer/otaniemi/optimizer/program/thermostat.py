"""The thermostat of a thermal load: which temperatures can still be kept in the band, and schedules made to keep it."""

from __future__ import annotations

import numpy as np

from otaniemi.optimizer.devices.thermal import Levels, ThermalLoad
from otaniemi.optimizer.fields import Floats

MARGIN_C = 1e-9
"""Kept from the limits, so that rounding does not leave the band. [K]"""


class Thermostat:
    """A schedule of levels made feasible: in each slot the wished level, else the nearest one that keeps the band.

    A level keeps the band if the temperature it leads to is in it and some schedule keeps it there until the end.
    Those temperatures are found backwards, slot by slot: a union of intervals, mostly one.

    Attributes
    ----------
    load : ThermalLoad
    viable : list of arrays, shape (2, intervals)
        Lower and upper ends of the temperatures from which the band can be kept, after every slot; the first
        entry is that before slot 0. [°C]
    """

    def __init__(self, load: ThermalLoad) -> None:
        self.load = load
        after = np.array([[load.low_c[-1] + MARGIN_C], [load.high_c[-1] - MARGIN_C]])
        self.viable = [after]
        for slot in range(load.slots - 1, -1, -1):
            before = _reaching(after, load, slot)
            if slot:
                low, high = load.low_c[slot - 1] + MARGIN_C, load.high_c[slot - 1] - MARGIN_C
                before = np.array([np.maximum(before[0], low), np.minimum(before[1], high)])
                before = before[:, before[0] <= before[1]]
            self.viable.append(before)
            after = before
        self.viable.reverse()

    def keep(self, wished: Levels) -> Levels:
        """Levels nearest to the wished ones that keep the band, slot by slot.

        Parameters
        ----------
        wished : integer array, shape (..., slots)

        Returns
        -------
        integer array, shape (..., slots)
            Where no level keeps the band any more, the one that ends nearest to it.
        """
        load = self.load
        levels = np.arange(load.level_kw.size, dtype=np.int8)[:, None]
        rows = np.ascontiguousarray(wished.reshape(-1, load.slots).T)
        kept = np.empty_like(rows)
        now = np.full(rows.shape[1], load.initial_c)
        each = np.arange(rows.shape[1])
        for slot in range(load.slots):
            ends = (load.keep[slot] * now + load.drift[slot]) + load.effect[slot][:, None]
            # A missed band outweighs every distance between levels.
            worth = 1e6 * _outside(ends, self.viable[slot + 1]) + np.abs(levels - rows[slot])
            kept[slot] = worth.argmin(axis=0)
            now = ends[kept[slot], each]
        return np.ascontiguousarray(kept.T).reshape(wished.shape)


def degree_slots(load: ThermalLoad, levels: Levels) -> Floats:
    """By how much schedules miss the band, summed over the slots, shape (...). [K]

    Parameters
    ----------
    load : ThermalLoad
    levels : integer array, shape (..., slots)
    """
    reached = load.temperatures(levels)
    missed = np.maximum(load.low_c - reached, 0.0) + np.maximum(reached - load.high_c, 0.0)
    return np.asarray(missed.sum(axis=-1))


def _reaching(after: Floats, load: ThermalLoad, slot: int) -> Floats:
    """Temperatures from which some level of the slot leads into `after`, overlapping intervals joined."""
    if load.keep[slot] == 0.0:
        ends = load.drift[slot] + load.effect[slot]
        reached = (_outside(ends, after) == 0.0).any()
        return np.array([[-np.inf], [np.inf]]) if reached else np.zeros((2, 0))
    shifted = (after[:, None, :] - (load.drift[slot] + load.effect[slot])[:, None]) / load.keep[slot]
    low, high = shifted[0].ravel(), shifted[1].ravel()
    order = low.argsort()
    joined: list[list[float]] = []
    for start, end in zip(low[order], high[order], strict=True):
        if joined and start <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    return np.array(joined).reshape(-1, 2).T


def _outside(temperatures: Floats, intervals: Floats) -> Floats:
    """Distance to the nearest interval, 0 within one; infinite where there is none. [K]"""
    if intervals.shape[1] == 1:
        low, high = intervals[:, 0]
        return np.asarray(np.maximum(np.maximum(low - temperatures, temperatures - high), 0.0))
    distance = np.full(temperatures.shape, np.inf)
    for low, high in intervals.T:
        distance = np.minimum(distance, np.maximum(np.maximum(low - temperatures, temperatures - high), 0.0))
    return distance
