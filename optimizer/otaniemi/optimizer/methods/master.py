"""The linear program over whole-day schedules: energy flows, and a convex combination of each device's schedules.

Docs: docs/model.md, "Fast".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray

from otaniemi.optimizer.devices.thermal import Levels, ThermalLoad
from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.methods.hull import Bends, Configurations, Cuts, Switched, configurations
from otaniemi.optimizer.program.day_program import DayProgram
from otaniemi.optimizer.program.solver import INFINITY, Ints, Program, pass_program, quiet_solver

_DUAL, _PRIMAL = 1, 4
_NOWHERE_EUR_PER_KWH = 1e3
"""Price of energy from nowhere, which keeps the program feasible under an import limit."""
_WASTE_KWH = 1e-9


class _Rows:
    """Columns and rows added to a program, entry by entry."""

    def __init__(self, base: Program) -> None:
        self.columns, self.rows = base.cost.size, base.row_lower.size
        self.cost, self.lower, self.upper = [base.cost], [base.lower], [base.upper]
        self.row_lower, self.row_upper = [base.row_lower], [base.row_upper]
        self.entries = [(base.rows, base.columns, base.values)]

    def add_columns(self, count: int, cost: float, upper: float) -> Ints:
        found = np.arange(self.columns, self.columns + count, dtype=np.int32)
        self.columns += count
        self.cost.append(np.full(count, cost))
        self.lower.append(np.zeros(count))
        self.upper.append(np.full(count, upper))
        return found

    def add_rows(self, count: int, low: float | Floats, high: float | Floats) -> Ints:
        found = np.arange(self.rows, self.rows + count, dtype=np.int32)
        self.rows += count
        self.row_lower.append(np.broadcast_to(np.asarray(low, float), count))
        self.row_upper.append(np.broadcast_to(np.asarray(high, float), count))
        return found

    def add_entries(self, rows: Ints, columns: Ints, values: float | Floats) -> None:
        self.entries.append((rows, columns, np.broadcast_to(np.asarray(values, float), rows.shape)))

    def program(self) -> Program:
        rows, columns, values = (np.concatenate([entry[i] for entry in self.entries]) for i in range(3))
        return Program(
            cost=np.concatenate(self.cost),
            lower=np.concatenate(self.lower),
            upper=np.concatenate(self.upper),
            row_lower=np.concatenate(self.row_lower),
            row_upper=np.concatenate(self.row_upper),
            rows=rows.astype(np.int32),
            columns=columns.astype(np.int32),
            values=values,
        )


class Master:
    """The program, kept hot in HiGHS while schedules and inequalities are added.

    Every optimum over a device's schedules is in it once all of them are; with fewer, the prices that it gives
    say which one to add (`prices`), and by how much it can still fall.

    Parameters
    ----------
    day : DayProgram
        Without devices' energy.

    Attributes
    ----------
    value : float
        At the last optimum. [EUR]
    solution : array
        Columns there.
    """

    def __init__(self, day: DayProgram) -> None:
        self._day = day
        dt, slots = day.house.slot_hours, day.house.slots
        self.level_kwh = [load.level_kw * dt for load in day.thermal_loads]
        self.level_kwh += [np.array([0.0, appliance.rated_kw * dt]) for appliance in day.house.appliances]
        open_ = np.arange(slots) >= day.begun.now
        active = [open_ for _ in day.thermal_loads]
        for appliance, starts in zip(day.house.appliances, day.starts_allowed, strict=True):
            last = starts[-1] + appliance.run_slots(dt)
            active.append(open_ & (np.arange(slots) >= starts[0]) & (np.arange(slots) < last))
        devices = [Switched(energy, where) for energy, where in zip(self.level_kwh, active, strict=True)]
        bends = Bends(day)
        found = configurations(devices, bends)
        self._lay_out(day, found)
        self._cuts = Cuts(bends, found, self._first_weight, self._slack)
        self._known: list[dict[bytes, int]] = [{} for _ in devices]
        self.schedules: list[list[Levels]] = [[] for _ in devices]
        self._column: list[list[int]] = [[] for _ in devices]
        self.value = np.inf
        self._strategy = _DUAL

    def _lay_out(self, day: DayProgram, found: Configurations) -> None:
        places, slots = day.stack.places, day.house.slots
        rows = _Rows(day.stack.program)
        limited = day.house.import_limit_kw is not None
        self._slack = np.full((len(places), slots), -1, np.int32)
        for p, place in enumerate(places if limited else ()):
            self._slack[p] = rows.add_columns(slots, _NOWHERE_EUR_PER_KWH, INFINITY)
            rows.add_entries(place.home.balance + place.rows.start, self._slack[p], 1.0)
        weights = rows.add_columns(found.slot.size, 0.0, 1.0)
        self._first_weight = int(weights[0]) if weights.size else rows.columns
        self._add_load(rows, weights, found.slot, found.load_kwh)
        bending, of_slot = np.unique(found.slot, return_inverse=True)
        one = rows.add_rows(bending.size, 1.0, 1.0)
        rows.add_entries(one[of_slot], weights, 1.0)
        self._add_limits(rows, found, weights, bending, of_slot)
        self._uses = []
        for d, energy in enumerate(self.level_kwh):
            # The row and factor by which a slot at a level counts: through the slot's configurations, or as load.
            at, row, value = [], [], []
            for level in range(1, energy.size):
                chosen = np.flatnonzero(found.level[:, d] == level)
                linked = np.unique(found.slot[chosen])
                link = rows.add_rows(linked.size, 0.0, 0.0)
                rows.add_entries(link[np.searchsorted(linked, found.slot[chosen])], weights[chosen], 1.0)
                at.append(linked * energy.size + level)
                row.append(link)
                value.append(np.full(linked.size, -1.0))
                for place in places:
                    load_rows, load_slots = place.load_rows()
                    plain = ~np.isin(load_slots, linked)
                    at.append(load_slots[plain] * energy.size + level)
                    row.append(load_rows[plain])
                    value.append(np.full(int(plain.sum()), -energy[level]))
            self._uses.append((np.concatenate(at), np.concatenate(row), np.concatenate(value)))
        self._one = rows.add_rows(len(self.level_kwh), 1.0, 1.0)
        self._relaxed = [
            self._add_relaxed(rows, load, *self._uses[d], self._one[d])
            for d, load in enumerate(day.thermal_loads)
        ]
        self._program = rows.program()
        self._columns, self._row_count = rows.columns, rows.rows
        self._highs = quiet_solver()
        self._highs.setOptionValue("solver", "simplex")
        pass_program(self._highs, self._program)

    def _add_load(self, rows: _Rows, columns: Ints, slots: Ints, energy: Floats) -> None:
        for place in self._day.stack.places:
            load_rows, load_slots = place.load_rows()
            for row, slot in zip(load_rows, load_slots, strict=True):
                first, end = np.searchsorted(slots, [slot, slot + 1])
                rows.add_entries(np.full(end - first, row, np.int32), columns[first:end], -energy[first:end])

    def _add_limits(
        self, rows: _Rows, found: Configurations, weights: Ints, bending: Ints, of_slot: NDArray[np.intp]
    ) -> None:
        """What the vehicle gives the home is no more than its load; in case 2 only left-over sun is stored."""
        day, house = self._day, self._day.house
        for place in day.stack.places:
            home, upper = place.home, day.stack.program.upper
            base = home.load_kwh[found.slot]
            limits = []
            if home.v2h_rows.size:
                sold = np.maximum(-day.begun.trades_kwh, 0.0) if house.ev and house.ev.v2h == "sell" else 0.0
                limits.append(("ev_discharge", (home.load_kwh + sold)[found.slot] + found.load_kwh))
            if day.case == 2 and house.battery:
                sun = home.pv_kwh + np.maximum(day.begun.trades_kwh, 0.0)
                limits.append(("battery_charge", np.maximum(sun[found.slot] - base - found.load_kwh, 0.0)))
            for name, most in limits:
                column = place.column(name)[bending]
                flowing = (column >= 0) & (upper[column] > 0.0)
                row = np.full(bending.size, -1, np.int32)
                row[flowing] = rows.add_rows(int(flowing.sum()), -INFINITY, 0.0)
                rows.add_entries(row[flowing], column[flowing], 1.0)
                here = row[of_slot] >= 0
                cap = np.minimum(most, upper[column[of_slot]])
                rows.add_entries(row[of_slot][here], weights[here], -cap[here])

    def _add_relaxed(
        self, rows: _Rows, load: ThermalLoad, at: Ints, row: Ints, value: Floats, one: np.int32
    ) -> Ints:
        """A schedule whose slots are spent at several levels; returns the column of how much it is used."""
        slots, levels, now = load.slots, load.level_kw.size, self._day.begun.now
        used = rows.add_columns(1, 0.0, INFINITY)
        rows.add_entries(np.array([one]), used, 1.0)
        shares = rows.add_columns(slots * levels, 0.0, INFINITY)
        rows.add_entries(row, shares[at], value)
        shares = shares.reshape(slots, levels)
        whole = rows.add_rows(slots, 0.0, 0.0)
        rows.add_entries(np.repeat(whole, levels), shares.ravel(), 1.0)
        rows.add_entries(whole, np.repeat(used, slots), -1.0)
        # Temperatures above the least one possible, as columns have no lower bound other than 0.
        open_ = np.arange(now, slots)
        low, high = load.low_c, load.high_c
        warmth = rows.add_columns(slots, 0.0, INFINITY)
        rows.lower[-1][:] = -INFINITY
        step = rows.add_rows(slots - now, 0.0, 0.0)
        rows.add_entries(step, warmth[now:], 1.0)
        rows.add_entries(step[1:], warmth[now:-1], -load.keep[now + 1 :])
        constant = load.drift[now:].copy()
        constant[0] += load.keep[now] * (load.drift[now - 1] if now else load.initial_c)
        rows.add_entries(step, np.repeat(used, step.size), -constant)
        rows.add_entries(np.repeat(step, levels), shares[now:].ravel(), -load.effect[now:].ravel())
        for bound, least, most in ((low, 0.0, INFINITY), (high, -INFINITY, 0.0)):
            kept = rows.add_rows(open_.size, least, most)
            rows.add_entries(kept, warmth[now:], 1.0)
            rows.add_entries(kept, np.repeat(used, open_.size), -bound[now:])
        return used

    def drop_relaxed(self) -> None:
        """Allow schedules only."""
        columns = np.concatenate([np.zeros(0, np.int32), *self._relaxed])
        self._highs.changeColsBounds(columns.size, columns, np.zeros(columns.size), np.zeros(columns.size))
        self._strategy = _DUAL

    def add(self, device: int, levels: Levels) -> int:
        """Add schedules, shape (schedules, slots); returns how many are new."""
        known = self._known[device]
        new: list[Levels] = []
        for schedule in levels:
            key = schedule.tobytes()
            if key not in known:
                known[key] = len(known)
                new.append(schedule)
        if not new:
            return 0
        at, row, value = self._uses[device]
        count, slots, size = len(new), self._day.house.slots, self.level_kwh[device].size
        taken = np.zeros((count, slots * size), np.bool_)
        taken[np.arange(count)[:, None], np.arange(slots) * size + np.array(new)] = True
        column, use = np.nonzero(taken[:, at])
        sizes = np.bincount(column, minlength=count)
        first = np.cumsum(sizes) - sizes
        self._highs.addCols(
            count,
            np.zeros(count),
            np.zeros(count),
            np.full(count, INFINITY),
            use.size + count,
            (first + np.arange(count)).astype(np.int32),
            np.insert(row[use], first, self._one[device]),
            np.insert(value[use], first, 1.0),
        )
        self._column[device] += range(self._columns, self._columns + count)
        self.schedules[device] += new
        self._columns += count
        return count

    def add_cuts(self) -> int:
        """Add the inequalities that the last solution breaks; returns how many."""
        cuts = self._cuts.broken(self.solution)
        if cuts:
            sizes = [columns.size for columns, _, _ in cuts]
            self._highs.addRows(
                len(cuts),
                np.array([least for _, _, least in cuts]),
                np.full(len(cuts), INFINITY),
                sum(sizes),
                np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32),
                np.concatenate([columns for columns, _, _ in cuts]),
                np.concatenate([values for _, values, _ in cuts]),
            )
            self._strategy = _DUAL
        return len(cuts)

    def solve(self) -> bool:
        """Whether there is an optimum; finds it."""
        self._highs.setOptionValue("simplex_strategy", self._strategy)
        self._highs.run()
        if self._highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            self._highs.clearSolver()
            self._highs.setOptionValue("simplex_strategy", _DUAL)
            self._highs.run()
            if self._highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
                return False
        # Only the first solve, from nothing, gains by presolve.
        self._highs.setOptionValue("presolve", "off")
        # New columns leave the last solution feasible, which suits the primal method.
        self._strategy = _PRIMAL
        found: Any = self._highs.getSolution()
        self.solution, self._dual = np.array(found.col_value), np.array(found.row_dual)[: self._row_count]
        self.value = float(self._highs.getObjectiveValue())
        return True

    def duals(self) -> Floats:
        """Duals of the rows of flows and devices at the last optimum."""
        return self._dual

    def prices(self, device: int, duals: Floats) -> Floats:
        """What a device's slots at each level cost by these duals, shape (slots, levels). [EUR]"""
        at, row, value = self._uses[device]
        shape = self._day.house.slots, self.level_kwh[device].size
        priced: Floats = np.bincount(at, -value * duals[row], shape[0] * shape[1]).astype(float)
        return priced.reshape(shape)

    def least(self, device: int, duals: Floats) -> float:
        """What the schedules in use cost by the last duals; cheaper ones would lower the value. [EUR]"""
        return float(duals[self._one[device]])

    def weights(self, device: int) -> Floats:
        """Weight of each of a device's schedules in the last solution; 0 for those added since."""
        columns = np.array(self._column[device])
        found = np.zeros(columns.size)
        solved = columns < self.solution.size
        found[solved] = self.solution[columns[solved]]
        return found

    def index(self, device: int, levels: Levels) -> int:
        """Which of a device's schedules this one is."""
        return self._known[device][levels.tobytes()]

    def costs(self, device: int, prices: Floats) -> Floats:
        """What each of a device's schedules costs at prices of shape (slots, levels), shape (schedules,). [EUR]"""
        found: Floats = prices[np.arange(prices.shape[0]), np.array(self.schedules[device])].sum(axis=1)
        return found

    def allow(self, device: int, schedules: Sequence[int] | Ints | None) -> None:
        """Allow only these of a device's schedules, or all of them (None)."""
        columns = np.array(self._column[device], np.int32)
        upper = np.full(columns.size, INFINITY if schedules is None else 0.0)
        if schedules is not None:
            upper[schedules] = INFINITY
        self._highs.changeColsBounds(columns.size, columns, np.zeros(columns.size), upper)
        self._strategy = _DUAL
