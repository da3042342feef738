"""Several homes' programs, or one home's scenarios, laid side by side in one linear program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.program.home_program import FLOW_NAMES, Flows, HomeProgram
from otaniemi.optimizer.program.solver import Ints, Program


class Place(NamedTuple):
    """Where a home's columns and rows lie in the whole."""

    home: HomeProgram
    columns: slice
    rows: slice

    @classmethod
    def alone(cls, home: HomeProgram) -> Place:
        """A home that is the whole."""
        program = home.program
        return cls(home, slice(0, program.cost.size), slice(0, program.row_lower.size))

    def column(self, name: str) -> Ints:
        """Column of a flow in every slot, -1 where it cannot flow; shape (slots,)."""
        found = np.full(self.home.house.slots, -1, np.int32)
        slots = self.home.ev_slots if name.startswith("ev") else slice(None)
        own = self.home.column[name]
        if own.size:
            found[slots] = own + self.columns.start
        return found

    def load_rows(self) -> tuple[Ints, Ints]:
        """Rows that count the home's load, and the slot of each: the balance, and the bound of vehicle to home."""
        home = self.home
        rows = np.concatenate([home.balance, home.v2h_rows]) + self.rows.start
        return rows.astype(np.int32), np.concatenate([home.balance, home.v2h_slots])

    def flows(self, solution: Floats) -> Flows:
        """The home's flows in a solution of the whole."""
        return self.home.flows(solution[self.columns])

    def load_prices(self, duals: Floats) -> Floats:
        """What one more kWh of the home's load costs the whole, by its rows' duals, shape (slots,). [EUR/kWh]"""
        rows, slots = self.load_rows()
        prices: Floats = np.bincount(slots, duals[rows], self.home.house.slots).astype(np.float64)
        return prices

    def grid_kwh(self, solution: Floats) -> Floats:
        """What the home takes from the grid, export negative, shape (slots,). [kWh]"""
        grid: Floats = solution[self.column("grid_import")] - solution[self.column("grid_export")]
        return grid


class Stack:
    """One program made of homes; a home's changes of its forecast, past, trades or load change it in place.

    Parameters
    ----------
    homes : sequence of HomeProgram
    weights : sequence of float
        Each home's cost counts so many times.

    Attributes
    ----------
    program : Program
    places : tuple of Place
        By home.
    """

    def __init__(self, homes: Sequence[HomeProgram], weights: Sequence[float]) -> None:
        programs = [home.program for home in homes]
        columns = _parts([program.cost.size for program in programs])
        rows = _parts([program.row_lower.size for program in programs])
        self.places = tuple(map(Place, homes, columns, rows))
        program = Program(
            cost=np.concatenate([p.cost * weight for p, weight in zip(programs, weights, strict=True)]),
            lower=np.concatenate([program.lower for program in programs]),
            upper=np.concatenate([program.upper for program in programs]),
            row_lower=np.concatenate([program.row_lower for program in programs]),
            row_upper=np.concatenate([program.row_upper for program in programs]),
            rows=np.concatenate([p.rows + own.start for p, own in zip(programs, rows, strict=True)]),
            columns=np.concatenate([p.columns + own.start for p, own in zip(programs, columns, strict=True)]),
            values=np.concatenate([program.values for program in programs]),
            determined=(
                np.concatenate([p.determined[0] + own.start for p, own in zip(programs, rows, strict=True)]),
                np.concatenate(
                    [p.determined[1] + own.start for p, own in zip(programs, columns, strict=True)]
                ),
            ),
        )
        self.attach(program)

    def attach(self, program: Program) -> None:
        """Let this program, which begins with the stack's columns and rows, be the one that homes change."""
        self.program = program
        for place in self.places:
            own = place.home.program
            own.cost = program.cost[place.columns]
            own.lower, own.upper = program.lower[place.columns], program.upper[place.columns]
            own.row_lower, own.row_upper = program.row_lower[place.rows], program.row_upper[place.rows]

    def flows(self, solution: Floats) -> tuple[Flows, ...]:
        """Flows of every home in a solution."""
        return tuple(place.flows(solution) for place in self.places)


def mean_flows(flows: Sequence[Flows], weights: Sequence[float]) -> Flows:
    """The weighted sum of flows."""
    if len(flows) == 1 and weights[0] == 1.0:
        return flows[0]
    return Flows(
        **{
            name: np.sum([w * getattr(f, name) for w, f in zip(weights, flows, strict=True)], axis=0)
            for name in FLOW_NAMES
        }
    )


def _parts(sizes: Sequence[int]) -> list[slice]:
    """Where each of several arrays lies when they are laid end to end."""
    ends = np.cumsum(sizes)
    return [slice(int(end - size), int(end)) for size, end in zip(sizes, ends, strict=True)]
