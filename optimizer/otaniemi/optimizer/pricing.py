"""The cheapest schedules of a thermal load at given prices of its levels, and a proven lower bound of their cost.

Two dynamic programmes over temperature, slot by slot:

- Schedules: cells of equal width, of which each keeps its cheapest label **with its real temperature**. Whatever a
  cell forgets, the labels that it keeps are true, so every schedule is feasible.
- Bound: temperatures rounded to a grid. Let e be how far the grid may be from the true temperature of a schedule
  that it follows: 0 at the start, and after a slot ``e' = keep e + d/2`` with the grid's step d. As the grid reaches
  e beyond the band, it follows every feasible schedule at that schedule's cost: its minimum is never above theirs.

Docs: docs/model.md, "Fast".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from otaniemi.optimizer.devices.thermal import Levels, ThermalLoad
from otaniemi.optimizer.errors import InfeasibleHouseError
from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.thermostat import Thermostat

_SLACK_C = 1e-6
"""Added to the band of the bound, since plans may miss a limit by rounding. [K]"""
_LEAST_STEP_C = 1e-9


class ThermalPricing:
    """Schedules of a thermal load at prices, and bounds.

    Parameters
    ----------
    load : ThermalLoad
    cells : int
        Temperature cells of a slot, for schedules.

    Raises
    ------
    InfeasibleHouseError
        No schedule keeps the band; names the device and the slot.
    """

    def __init__(self, load: ThermalLoad, cells: int) -> None:
        self.load, self._cells = load, cells
        self._viable = Thermostat(load).viable
        start = self._viable[0]
        if not ((start[0] <= load.initial_c) & (load.initial_c <= start[1])).any():
            slot = max((t for t in range(load.slots) if not self._viable[t + 1].size), default=0)
            raise InfeasibleHouseError(
                load.name, slot, 0.0, f"{load.name}: no schedule keeps its band from slot {slot} to the end"
            )
        self._grids: dict[int, _Grid] = {}

    def schedules(self, prices: Floats, ends: int = 1) -> Levels:
        """The cheapest schedule for each of several equal parts of the range of final temperatures.

        Parameters
        ----------
        prices : array, shape (slots, levels)
            Of a slot at a level. [EUR]
        ends : int
            Number of those parts; a part that no schedule reaches gives none.

        Returns
        -------
        integer array, shape (at most ends, slots)
            Level of every slot, the cheapest schedule first; each keeps the band.
        """
        load = self.load
        now, cost = np.array([load.initial_c]), np.zeros(1)
        came_from: list[NDArray[np.intp]] = []
        labels = [1]
        for slot in range(load.slots):
            added = load.drift[slot] + load.effect[slot]
            reached = (load.keep[slot] * now + added[:, None]).ravel()
            costs = (cost + prices[slot][:, None]).ravel()
            kept = np.flatnonzero(_within(reached, self._viable[slot + 1]))
            reached, costs = reached[kept], costs[kept]
            low = reached.min()
            width = max((reached.max() - low) / (self._cells - 1), _LEAST_STEP_C)
            cell = ((reached - low) * (1.0 / width)).astype(np.intp)
            least = np.full(self._cells, np.inf)
            np.minimum.at(least, cell, costs)
            cheapest = np.flatnonzero(costs == least[cell])
            winner = np.full(self._cells, -1, np.intp)
            winner[cell[cheapest]] = cheapest
            winner = winner[winner >= 0]
            now, cost = reached[winner], costs[winner]
            came_from.append(kept[winner])
            labels.append(now.size)
        span = max(now[-1] - now[0], _LEAST_STEP_C)
        part = np.minimum((now - now[0]) / span * ends, ends - 1).astype(np.intp)
        # The first label of each part in order of cost is its cheapest.
        order = np.argsort(cost, kind="stable")
        label = order[np.sort(np.unique(part[order], return_index=True)[1])]
        levels = np.empty((label.size, load.slots), np.int8)
        for slot in range(load.slots - 1, -1, -1):
            levels[:, slot], label = np.divmod(came_from[slot][label], labels[slot])
        return levels

    def bound(self, prices: Floats, points: int) -> float:
        """Lower bound of what any schedule costs that keeps the band. [EUR]

        Parameters
        ----------
        prices : array, shape (slots, levels)
            Of a slot at a level. [EUR]
        points : int
            Grid points of a slot; more of them tighten the bound.
        """
        if points not in self._grids:
            self._grids[points] = _Grid(self.load, self._viable, points)
        return self._grids[points].least(prices)


class _Grid:
    """Grid points of every slot, and the point to which each level leads from each of them.

    Attributes
    ----------
    points : int
        Points of every slot.
    successors : integer array, shape (slots, levels, points)
        Point at the end of the slot; `points` where it is out of reach or beyond the band.
    """

    def __init__(self, load: ThermalLoad, viable: list[Floats], points: int) -> None:
        self.points = points
        self.successors = np.empty((load.slots, load.level_kw.size, points), np.intp)
        count = np.arange(points)
        first = low = high = load.initial_c
        step, error = _LEAST_STEP_C, _LEAST_STEP_C * points
        for slot in range(load.slots):
            keep, added = load.keep[slot], load.drift[slot] + load.effect[slot]
            ends = keep * (first + step * count) + added[:, None]
            low = max(keep * low + added.min(), viable[slot + 1][0].min() - _SLACK_C)
            high = min(keep * high + added.max(), viable[slot + 1][1].max() + _SLACK_C)
            # The grid spans low - error to high + error, of which its step, and so the error, depends.
            error = (keep * error + (high - low) / (2 * (points - 1))) / (
                1 - 1 / (points - 1)
            ) + _LEAST_STEP_C
            first, step = low - error, (high - low + 2 * error) / (points - 1)
            np.rint((ends - first) / step, out=ends)
            ends[(ends < 0) | (ends > points - 1)] = points
            self.successors[slot] = ends

    def least(self, prices: Floats) -> float:
        """Least cost from the first temperature to the end. [EUR]"""
        after = np.append(np.zeros(self.points), np.inf)
        taken = np.empty(self.points)
        for successors, price in zip(self.successors[::-1], prices[::-1], strict=True):
            best = np.full(self.points + 1, np.inf)
            for successor, level_price in zip(successors, price, strict=True):
                np.take(after, successor, out=taken, mode="clip")
                taken += level_price
                np.minimum(best[:-1], taken, out=best[:-1])
            after = best
        return float(after[0])


def _within(temperatures: Floats, intervals: Floats) -> NDArray[np.bool_]:
    """Whether each temperature is in one of the intervals, shape (2, intervals)."""
    if intervals.shape[1] == 1:
        low, high = intervals[:, 0]
        inside: NDArray[np.bool_] = (temperatures >= low) & (temperatures <= high)
        return inside
    each = temperatures[:, None]
    return np.asarray(((each >= intervals[0]) & (each <= intervals[1])).any(axis=1))
