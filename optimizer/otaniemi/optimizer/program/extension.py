"""Decisions added to a linear program: appliance starts, levels of thermal devices, and exclusions of two flows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from otaniemi.optimizer.devices.appliance import Appliance
from otaniemi.optimizer.devices.thermal import Levels, ThermalLoad
from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.program.counting import count_ranges
from otaniemi.optimizer.program.solver import Ints, Program
from otaniemi.optimizer.program.stack import Place


class Extension:
    """A program with columns and rows added to it."""

    def __init__(self, base: Program) -> None:
        self._base = base
        self._columns, self._rows = base.cost.size, base.row_lower.size
        self._lower, self._upper = [base.lower], [base.upper]
        self._row_lower, self._row_upper = [base.row_lower], [base.row_upper]
        self._entries: list[tuple[Ints, Ints, Floats]] = [(base.rows, base.columns, base.values)]
        self._determined = base.determined
        self._integer = [np.zeros(0, np.int32) if base.integer is None else base.integer]

    def add_columns(self, lower: Floats, upper: Floats, *, integer: bool = False) -> Ints:
        """New columns within these bounds, without cost."""
        columns = np.arange(self._columns, self._columns + lower.size, dtype=np.int32)
        self._columns += lower.size
        self._lower.append(lower)
        self._upper.append(upper)
        if integer:
            self._integer.append(columns)
        return columns

    def add_binaries(self, count: int) -> Ints:
        """Columns of `count` new 0-or-1 decisions."""
        return self.add_columns(np.zeros(count), np.ones(count), integer=True)

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
        return Program(
            cost=np.concatenate([self._base.cost, np.zeros(self._columns - self._base.cost.size)]),
            lower=np.concatenate(self._lower),
            upper=np.concatenate(self._upper),
            row_lower=np.concatenate(self._row_lower),
            row_upper=np.concatenate(self._row_upper),
            rows=np.concatenate([rows for rows, _, _ in self._entries]),
            columns=np.concatenate([columns for _, columns, _ in self._entries]),
            values=np.concatenate([values for _, _, values in self._entries]),
            integer=np.concatenate(self._integer),
            determined=self._determined,
        )

    def add_load(self, places: Sequence[Place], columns: Ints, slots: Ints, energy_kwh: Floats) -> None:
        """Energy that a home takes in `slots[i]` for each unit of `columns[i]`, in all places alike. [kWh]"""
        order = np.argsort(slots, kind="stable")
        columns, slots, energy_kwh = columns[order], slots[order], energy_kwh[order]
        for place in places:
            rows, row_slots = place.load_rows()
            first = np.searchsorted(slots, row_slots, "left")
            count = np.searchsorted(slots, row_slots, "right") - first
            # Entry by entry: every row takes all columns of its slot.
            at = np.repeat(first - np.cumsum(count) + count, count) + np.arange(count.sum())
            self.add_entries(np.repeat(rows, count), columns[at], -energy_kwh[at])

    def add_starts(
        self, places: Sequence[Place], appliance: Appliance, allowed: range, slot_hours: float
    ) -> Ints:
        """Columns of an appliance's possible starts, of which it takes one in all places."""
        columns = self.add_binaries(len(allowed))
        self.add_rows(1.0, 1.0, np.zeros(columns.size, np.int32), columns, np.ones(columns.size), 1)
        runs = np.arange(appliance.run_slots(slot_hours))
        slots = (np.array(allowed)[:, None] + runs).ravel().astype(np.int32)
        energy = np.full(slots.size, appliance.rated_kw * slot_hours)
        self.add_load(places, np.repeat(columns, runs.size), slots, energy)
        return columns

    def add_levels(
        self,
        places: Sequence[Place],
        load: ThermalLoad,
        slot_hours: float,
        past: Levels,
        *,
        integer: bool = True,
    ) -> Ints:
        """Columns of the levels above 0 of a thermal device.

        As whole numbers they count how often each level was chosen up to and including a slot: branching on such
        a count moves a run in time instead of one slot of it, which makes the proof some ten times shorter. The
        choice of a slot is the difference of two counts and has no column of its own: HiGHS 1.15 takes a
        continuous difference of whole numbers for a whole number, keeps it instead of the counts, and then lets
        it be broken, which proved plans optimal that were not.

        Parameters
        ----------
        places : sequence of Place
            The device takes the same in all of them.
        load : ThermalLoad
        slot_hours : float
        past : integer array, shape (past slots,)
            Levels of the slots that are over.
        integer : bool
            False: the columns are the share of every slot spent at each level, as a relaxation needs no counts.

        Returns
        -------
        array, shape (slots, levels - 1)
        """
        slots, levels = load.slots, load.level_kw.size - 1
        fixed = (past[:, None] == np.arange(1, levels + 1)).astype(float)
        lower, upper = np.zeros((slots, levels)), np.ones((slots, levels))
        lower[: past.size], upper[: past.size] = fixed, fixed
        least, most = count_ranges(load, past) if integer else (lower, upper)
        columns = self.add_columns(least.ravel(), most.ravel(), integer=integer).reshape(slots, levels)
        one, each = np.ones((slots, levels)), np.arange(slots, dtype=np.int32)
        slot, column, energy = _chosen(columns, one * load.level_kw[1:] * slot_hours, counted=integer)
        self.add_load(places, column, slot, energy)
        if integer:
            row, column, value = _chosen(columns, one, counted=True)
            level = (column - columns[0, 0]) % levels
            self.add_rows(lower.ravel(), upper.ravel(), row * levels + level, column, value, slots * levels)
        if levels > 1:
            row, column, value = _chosen(columns, one, counted=integer)
            self.add_rows(-np.inf, 1.0, row, column, value, slots)
        # T[t] - keep T[t-1] - effect of the level = drift
        warmth = self.add_columns(load.low_c, load.high_c)
        right = load.drift.copy()
        right[0] += load.keep[0] * load.initial_c
        row, column, value = _chosen(columns, -load.effect[:, 1:], counted=integer)
        rows = np.concatenate([each, each[1:], row])
        columns_of_rows = np.concatenate([warmth, warmth[:-1], column])
        values = np.concatenate([np.ones(slots), -load.keep[1:], value])
        known_rows, known_columns = self._determined
        self._determined = (
            np.concatenate([known_rows, each + np.int32(self._rows)]),
            np.concatenate([known_columns, warmth]),
        )
        self.add_rows(right, right, rows, columns_of_rows, values, slots)
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


def _chosen(columns: Ints, values: Floats, *, counted: bool) -> tuple[Ints, Ints, Floats]:
    """Slots, columns and entries of what is chosen in a slot times `values`, all given by (slots, levels).

    A share stands for itself; of counts it is the difference to the slot before.
    """
    slots = np.repeat(np.arange(len(columns), dtype=np.int32), columns.shape[1]).reshape(columns.shape)
    if not counted:
        return slots.ravel(), columns.ravel(), values.ravel()
    return (
        np.concatenate([slots.ravel(), slots[1:].ravel()]),
        np.concatenate([columns.ravel(), columns[:-1].ravel()]),
        np.concatenate([values.ravel(), -values[1:].ravel()]),
    )
