"""On/off decisions added to a linear program: appliance starts, and exclusions of two flows."""

from __future__ import annotations

import numpy as np

from otaniemi.optimizer.devices.appliance import Appliance
from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.home_program import HomeProgram
from otaniemi.optimizer.solver import Ints, Program


class Extension:
    """A program with columns and rows added to it."""

    def __init__(self, base: Program) -> None:
        self._base = base
        self._columns, self._rows = base.cost.size, base.row_lower.size
        self._row_lower, self._row_upper = [base.row_lower], [base.row_upper]
        self._entries: list[tuple[Ints, Ints, Floats]] = [(base.rows, base.columns, base.values)]

    def add_binaries(self, count: int) -> Ints:
        """Columns of `count` new 0-or-1 decisions without cost."""
        self._columns += count
        return np.arange(self._columns - count, self._columns, dtype=np.int32)

    def add_rows(
        self, low: float | Floats, high: float | Floats, rows: Ints, columns: Ints, values: Floats, count: int
    ) -> None:
        """Add `count` rows; `rows` counts from the first of them."""
        self.add_entries(rows + self._rows, columns, values)
        self._rows += count
        self._row_lower.append(np.broadcast_to(np.asarray(low, float), count))
        self._row_upper.append(np.broadcast_to(np.asarray(high, float), count))

    def add_entries(self, rows: Ints, columns: Ints, values: Floats) -> None:
        """Add entries to rows and columns that are there."""
        self._entries.append((rows.astype(np.int32), columns, values))

    def program(self) -> Program:
        """The extended program."""
        base, added = self._base, self._columns - self._base.cost.size
        return Program(
            cost=np.concatenate([base.cost, np.zeros(added)]),
            lower=np.concatenate([base.lower, np.zeros(added)]),
            upper=np.concatenate([base.upper, np.ones(added)]),
            row_lower=np.concatenate(self._row_lower),
            row_upper=np.concatenate(self._row_upper),
            rows=np.concatenate([rows for rows, _, _ in self._entries]),
            columns=np.concatenate([columns for _, columns, _ in self._entries]),
            values=np.concatenate([values for _, _, values in self._entries]),
            integer=np.arange(base.cost.size, self._columns, dtype=np.int32),
        )

    def add_starts(self, home: HomeProgram, appliance: Appliance, allowed: range) -> Ints:
        """Columns of an appliance's possible starts, of which it takes one."""
        columns = self.add_binaries(len(allowed))
        self.add_rows(1.0, 1.0, np.zeros(columns.size, np.int32), columns, np.ones(columns.size), 1)
        energy = appliance.rated_kw * home.house.slot_hours
        runs = np.arange(appliance.run_slots(home.house.slot_hours))
        slots = (np.array(allowed)[:, None] + runs).ravel()
        running = np.repeat(columns, runs.size)
        self.add_entries(home.balance[slots], running, np.full(slots.size, -energy))
        at = np.isin(slots, home.v2h_slots)
        v2h_rows = home.v2h_rows[np.searchsorted(home.v2h_slots, slots[at])]
        self.add_entries(v2h_rows, running[at], np.full(v2h_rows.size, -energy))
        return columns

    def exclude(self, first: Ints, second: Ints) -> None:
        """Keep each pair of columns from both being above 0; both have finite upper bounds."""
        binary, rows = self.add_binaries(first.size), np.arange(first.size, dtype=np.int32)
        twice, ones = np.concatenate([rows, rows]), np.ones(first.size)
        most, most_other = self._base.upper[first], self._base.upper[second]
        # first <= most x binary; second <= most_other x (1 - binary)
        one = np.concatenate([first, binary]), np.concatenate([ones, -most])
        other = np.concatenate([second, binary]), np.concatenate([ones, most_other])
        self.add_rows(-np.inf, 0.0, twice, *one, rows.size)
        self.add_rows(-np.inf, most_other, twice, *other, rows.size)
