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
from otaniemi.optimizer.program.thermostat import Thermostat

_SLACK_C = 1e-6
"""Added to the band of the bound, since plans may miss a limit by rounding. [K]"""
_LEAST_STEP_C = 1e-9
_MOST_JOINED = 64


class ThermalPricing:
    """Schedules of a thermal load at prices, and bounds.

    Parameters
    ----------
    load : ThermalLoad

    Raises
    ------
    InfeasibleHouseError
        No schedule keeps the band; names the device and the slot.
    """

    def __init__(self, load: ThermalLoad) -> None:
        self.load = load
        self._viable = Thermostat(load).viable
        start = self._viable[0]
        if not ((start[0] <= load.initial_c) & (load.initial_c <= start[1])).any():
            slot = max((t for t in range(load.slots) if not self._viable[t + 1].size), default=0)
            raise InfeasibleHouseError(
                load.name, slot, 0.0, f"{load.name}: no schedule keeps its band from slot {slot} to the end"
            )
        self._grids: dict[int, _Grid] = {}

    def schedules(self, prices: Floats, cells: int, ends: int = 1) -> Levels:
        """The cheapest schedule for each of several equal parts of the range of final temperatures.

        Parameters
        ----------
        prices : array, shape (slots, levels)
            Of a slot at a level. [EUR]
        cells : int
            Temperature cells of a slot; with more of them fewer schedules are forgotten.
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
            width = max((reached.max() - low) / (cells - 1), _LEAST_STEP_C)
            cell = ((reached - low) * (1.0 / width)).astype(np.intp)
            least = np.full(cells, np.inf)
            np.minimum.at(least, cell, costs)
            cheapest = np.flatnonzero(costs == least[cell])
            winner = np.full(cells, -1, np.intp)
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
            Grid points of a slot, at least; more of them tighten the bound.
        """
        if points not in self._grids:
            self._grids[points] = _Grid(self.load, self._viable, points)
        return self._grids[points].least(prices)


class _Grid:
    """Grid points of every slot, and the points to which each level leads.

    The step shrinks with the temperatures, by `keep`, so that a level leads from point i to point i + shift; groups of
    points are joined, two to a power, where it gets too small.

    Attributes
    ----------
    sizes : list of int
        Points before slot 0 and at the end of every slot.
    joined : list of int
        Points of the shrunk grid that make one at the end of the slot; 0 where all points lead to one.
    shifts : list of lists of int
        By slot and level.
    """

    def __init__(self, load: ThermalLoad, viable: list[Floats], points: int) -> None:
        ranges = _reachable(load, viable)
        wanted = max(float((ranges[1] - ranges[0]).max()) / points, _LEAST_STEP_C)
        first, step, error = load.initial_c, wanted, 0.0
        self.sizes, self.joined, self.shifts = [1], [], []
        for slot, (low, high) in enumerate(ranges.T):
            keep, added = float(load.keep[slot]), load.drift[slot] + load.effect[slot]
            shrunk, before, error = keep * step, keep * first, keep * error
            if shrunk < wanted / _MOST_JOINED:
                # Nearly nothing of the temperature is kept: all points lead to one, the middle of theirs.
                half = shrunk * (self.sizes[-1] - 1) / 2
                shrunk, before, error = wanted, before + half, error + half
                joined = 0
            else:
                joined = 1 << max(int(np.log2(wanted / shrunk)), 0)
            step = shrunk * max(joined, 1)
            error += step / 2
            first = low - error
            finest = first - (step - shrunk) / 2
            self.sizes.append(int(np.ceil((high + error - first) / step)) + 1)
            self.joined.append(joined)
            self.shifts.append([int(shift) for shift in np.rint((before + added - finest) / shrunk)])

    def least(self, prices: Floats) -> float:
        """Least cost from the first temperature to the end. [EUR]"""
        after = np.zeros(self.sizes[-1])
        for slot in range(prices.shape[0] - 1, -1, -1):
            if self.joined[slot] > 1:
                after = np.repeat(after, self.joined[slot])
            best = np.full(self.sizes[slot] if self.joined[slot] else 1, np.inf)
            for price, shift in zip(prices[slot], self.shifts[slot], strict=True):
                start, end = max(-shift, 0), min(best.size, after.size - shift)
                if start < end:
                    own = best[start:end]
                    np.minimum(own, after[start + shift : end + shift] + price, out=own)
            after = best if self.joined[slot] else np.repeat(best, self.sizes[slot])
        return float(after[0])


def _reachable(load: ThermalLoad, viable: list[Floats]) -> Floats:
    """Least and greatest temperature at the end of every slot that keep the band, shape (2, slots). [°C]"""
    low = high = load.initial_c
    found = np.empty((2, load.slots))
    for slot in range(load.slots):
        added = load.drift[slot] + load.effect[slot]
        low = max(load.keep[slot] * low + added.min(), viable[slot + 1][0].min() - _SLACK_C)
        high = min(load.keep[slot] * high + added.max(), viable[slot + 1][1].max() + _SLACK_C)
        found[:, slot] = low, high
    return found


def _within(temperatures: Floats, intervals: Floats) -> NDArray[np.bool_]:
    """Whether each temperature is in one of the intervals, shape (2, intervals)."""
    if intervals.shape[1] == 1:
        low, high = intervals[:, 0]
        inside: NDArray[np.bool_] = (temperatures >= low) & (temperatures <= high)
        return inside
    each = temperatures[:, None]
    return np.asarray(((each >= intervals[0]) & (each <= intervals[1])).any(axis=1))
