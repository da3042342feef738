"""The exact model of one home's day: starts and levels, the same in every scenario, and the flows of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from otaniemi.optimizer.choices import Choices
from otaniemi.optimizer.day_program import Begun, DayProgram, not_begun
from otaniemi.optimizer.devices.thermal import Levels
from otaniemi.optimizer.dispatch import Found
from otaniemi.optimizer.extension import Extension
from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.home_program import Flows
from otaniemi.optimizer.house import House, expected_offset
from otaniemi.optimizer.infeasible import explain
from otaniemi.optimizer.solver import (
    PROVEN_EUR,
    Ints,
    Program,
    branch_and_bound,
    fixed,
    solve_linear,
)


@dataclass(frozen=True, eq=False)
class Relaxed:
    """Solution of the relaxation: flows by scenario, what appliances and thermal devices take [kWh], mean levels,
    temperatures, and its value, which is a lower bound of the cost [EUR]."""

    flows: tuple[Flows, ...]
    appliance_kwh: Floats
    thermal_kwh: Floats
    levels: dict[str, Floats]
    temperatures_c: dict[str, Floats]
    bound_eur: float


class DayModel:
    """A home's day with start choices, levels and, where they bind, exclusions of two flows in one slot.

    Every round is a relaxation of the stated problem, so a solution that breaks no exclusion is its optimum.
    """

    def __init__(self, house: House, case: int | None, begun: Begun | None = None) -> None:
        self.house = house
        self._day = DayProgram(house, case, begun or not_begun(house))
        self._day.exclusions.keep_paying()

    def relax(self) -> Relaxed:
        """The relaxation: its cost is a lower bound."""
        program, columns = self._program(integer=False)
        solution, value = self._linear(program)
        appliances = np.zeros(self.house.slots)
        for appliance, allowed, own in zip(
            self.house.appliances, self._day.starts_allowed, columns.starts, strict=True
        ):
            runs = np.ones(appliance.run_slots(self.house.slot_hours))
            energy = appliance.rated_kw * self.house.slot_hours * np.convolve(solution[own], runs)
            appliances[allowed.start : allowed.start + energy.size] += energy
        heat = np.zeros(self.house.slots)
        levels, temperatures = {}, {}
        for load, own in zip(self._day.thermal_loads, columns.levels, strict=True):
            shares = _shares(solution[own])
            heat += shares @ load.level_kw * self.house.slot_hours
            levels[load.name] = shares @ np.arange(load.level_kw.size)
            temperatures[load.name] = load.temperatures(shares, expected_offset(self.house))
        return Relaxed(self._day.flows(solution), appliances, heat, levels, temperatures, value)

    def optimise(self, deadline: float | None, node_limit: int | None) -> Found:
        """The exact optimum, or the best plan at the deadline or node limit."""
        bound = -np.inf
        while True:
            program, columns = self._program()
            if program.integer is None or not program.integer.size:
                solution, value = self._linear(program)
                bound, finished = max(bound, value), True
            else:
                search = branch_and_bound(program, deadline, node_limit)
                if not search.feasible:
                    raise explain(self._day.stack.places, program)
                best, finished = search.solution, search.finished
                bound = max(bound, search.bound)
                if not finished:
                    # Stopped before the root was solved, HiGHS knows no bound; the relaxation always gives one.
                    bound = max(bound, self._linear(program)[1])
                if best is None:
                    best = self._first_plan(program)
                solution, value = self._linear(fixed(program, best))
            flows = self._day.flows(solution)
            if not self._day.exclusions.keep_broken(flows):
                choices = self._choices(solution, columns)
                proven = finished and value - bound <= max(PROVEN_EUR, 1e-9 * abs(value))
                return Found(choices, flows, value, bound, proven)
            if not finished:
                # After the deadline every exclusion is decided at once, so that this is the last round.
                self._day.exclusions.keep_all()

    def _program(self, *, integer: bool = True) -> tuple[Program, _Columns]:
        """The program with starts, levels and exclusion binaries, and the columns of what is chosen."""
        day, dt = self._day, self.house.slot_hours
        extended = Extension(day.stack.program)
        starts = [
            extended.add_starts(day.stack.places, appliance, allowed, dt)
            for appliance, allowed in zip(self.house.appliances, day.starts_allowed, strict=True)
        ]
        levels = [
            extended.add_levels(day.stack.places, load, dt, day.begun.past_levels(load), integer=integer)
            for load in day.thermal_loads
        ]
        day.exclusions.extend(extended, day.stack.program)
        return extended.program(), _Columns(starts, levels)

    def _linear(self, program: Program) -> tuple[Floats, float]:
        solved = solve_linear(program)
        if solved is None:
            raise explain(self._day.stack.places, program)
        return solved

    def _first_plan(self, program: Program) -> Floats:
        """The first solution that branch and bound meets."""
        search = branch_and_bound(program, None, None, solutions=1)
        if search.solution is None:
            raise explain(self._day.stack.places, program)
        return search.solution

    def _choices(self, solution: Floats, columns: _Columns) -> Choices:
        starts = {
            appliance.name: allowed[int(solution[own].argmax())]
            for appliance, allowed, own in zip(
                self.house.appliances, self._day.starts_allowed, columns.starts, strict=True
            )
        }
        levels: dict[str, Levels] = {
            load.name: _shares(solution[own]).argmax(axis=1).astype(np.int8)
            for load, own in zip(self._day.thermal_loads, columns.levels, strict=True)
        }
        return Choices(starts, levels)


@dataclass(frozen=True, eq=False)
class _Columns:
    """Columns of the starts of every appliance, and of the levels above 0 of every thermal device: (slots, levels)."""

    starts: list[Ints]
    levels: list[Ints]


def _shares(above: Floats) -> Floats:
    """Share of every level, from those of the levels above 0; shape (slots, levels)."""
    above = np.clip(above, 0.0, 1.0)
    return np.column_stack([1.0 - above.sum(axis=1), above])
