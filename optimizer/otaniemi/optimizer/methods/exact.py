"""The exact model of one home's day: starts and levels, the same in every scenario, and the flows of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from otaniemi.optimizer.devices.thermal import Levels
from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.house import House, expected_offset
from otaniemi.optimizer.methods.rules import rule_choices
from otaniemi.optimizer.program.choices import Choices
from otaniemi.optimizer.program.day_program import Begun, DayProgram, not_begun
from otaniemi.optimizer.program.dispatch import Dispatcher, Found
from otaniemi.optimizer.program.extension import Extension
from otaniemi.optimizer.program.home_program import Flows
from otaniemi.optimizer.program.infeasible import explain
from otaniemi.optimizer.program.solver import (
    PROVEN_EUR,
    Ints,
    Program,
    branch_and_bound,
    fixed,
    solve_linear,
)
from otaniemi.optimizer.program.thermostat import Thermostat


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
        upper = program.upper.copy()
        for place in self._day.stack.places:
            # Import at once with export could pass the limit, which bounds their difference.
            imports = place.column("grid_import")
            upper[imports] = np.minimum(upper[imports], self._day.most_import)
        solved = solve_linear(replace(program, upper=upper))
        if solved is None:
            raise explain(self._day.stack.places, program)
        solution, value = solved
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
            levels[load.name] = np.minimum(shares @ np.arange(load.level_kw.size), load.level_kw.size - 1)
            temperatures[load.name] = load.temperatures(shares, expected_offset(self.house))
        return Relaxed(self._day.flows(solution), appliances, heat, levels, temperatures, value)

    def optimise(self, deadline: float | None, node_limit: int | None) -> Found:
        """The exact optimum, or the best plan at the deadline or node limit.

        Parameters
        ----------
        deadline : float, optional
            Reading of `time.perf_counter`. [s]
        node_limit : int, optional
            Of every round of branch and bound.
        """
        best: Found | None = None
        bound = -np.inf
        program, columns = self._program()
        if deadline is not None or node_limit is not None:
            relaxed, bound = self._linear(program)
            best = self._dispatched(self._rounded(relaxed, columns), deadline) or self._ruled(deadline)
        while True:
            search = branch_and_bound(program, deadline, node_limit)
            if not search.feasible:
                raise explain(self._day.stack.places, program)
            bound = max(bound, search.bound)
            if search.solution is not None:
                solution, value = self._linear(fixed(program, search.solution))
                flows, choices = self._day.flows(solution), self._choices(solution, columns)
                broken = self._day.exclusions.keep_broken(flows)
                if search.finished and not broken:
                    proven = value - bound <= max(PROVEN_EUR, 1e-9 * abs(value))
                    return Found(choices, flows, value, bound, proven)
                found = (
                    self._dispatched(choices, deadline)
                    if broken
                    else Found(choices, flows, value, bound, False)
                )
                best = found if found and (best is None or found.cost_eur < best.cost_eur) else best
            if not search.finished:
                return replace(best or self._first_plan(program, columns), bound_eur=bound, proven=False)
            program, columns = self._program()

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

    def _dispatched(self, choices: Choices, deadline: float | None) -> Found | None:
        """The best plan with these choices, None where there is none."""
        found = self._dispatcher.solve(choices.device_kwh(self.house), deadline)
        if found is None:
            return None
        return Found(choices, found.flows, found.cost_eur, found.bound_eur, found.proven)

    @cached_property
    def _dispatcher(self) -> Dispatcher:
        return Dispatcher(self.house, self._day.case, self._day.begun)

    def _rounded(self, relaxed: Floats, columns: _Columns) -> Choices:
        """Whole choices near the relaxation: counts of levels rounded slot by slot, then kept in their bands."""
        levels = {}
        for load, own in zip(self._day.thermal_loads, columns.levels, strict=True):
            count = np.cumsum(_counted(relaxed[own]) @ np.arange(load.level_kw.size))
            levels[load.name] = Thermostat(load).keep(np.diff(np.round(count), prepend=0.0).astype(np.int8))
        return Choices(self._starts(relaxed, columns), levels)

    def _ruled(self, deadline: float | None) -> Found | None:
        """The plan of a home without energy management, which may fit where an import limit refuses the rounded one."""
        return None if self._day.begun.now else self._dispatched(rule_choices(self.house), deadline)

    def _first_plan(self, program: Program, columns: _Columns) -> Found:
        """The first solution that branch and bound meets, however long it takes."""
        search = branch_and_bound(program, None, None, solutions=1)
        found = None
        if search.solution is not None:
            found = self._dispatched(self._choices(search.solution, columns), None)
        if found is None:
            raise explain(self._day.stack.places, program)
        return found

    def _choices(self, solution: Floats, columns: _Columns) -> Choices:
        levels: dict[str, Levels] = {
            load.name: _counted(solution[own]).argmax(axis=1).astype(np.int8)
            for load, own in zip(self._day.thermal_loads, columns.levels, strict=True)
        }
        return Choices(self._starts(solution, columns), levels)

    def _starts(self, solution: Floats, columns: _Columns) -> dict[str, int]:
        return {
            appliance.name: allowed[int(solution[own].argmax())]
            for appliance, allowed, own in zip(
                self.house.appliances, self._day.starts_allowed, columns.starts, strict=True
            )
        }


@dataclass(frozen=True, eq=False)
class _Columns:
    """Columns of the starts of every appliance, and of the levels above 0 of every thermal device: (slots, levels)."""

    starts: list[Ints]
    levels: list[Ints]


def _shares(above: Floats) -> Floats:
    """Share of every level, from those of the levels above 0; shape (slots, levels)."""
    above = np.clip(above, 0.0, 1.0)
    return np.column_stack([1.0 - above.sum(axis=1), above])


def _counted(counts: Floats) -> Floats:
    """The same from how often each level above 0 was chosen up to and including a slot."""
    return _shares(np.diff(counts, axis=0, prepend=0.0))
