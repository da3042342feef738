"""The exact model of one home's day: start choices, and exclusions where a plan could gain from breaking them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import highspy
import numpy as np

from otaniemi.optimizer.devices.appliance import Appliance
from otaniemi.optimizer.extension import Extension
from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.home_program import Flows, HomeProgram, State, appliance_load
from otaniemi.optimizer.house import House
from otaniemi.optimizer.infeasible import explain
from otaniemi.optimizer.solver import PROVEN_EUR, Ints, Program, exact_solver, pass_program, quiet_solver

_SAME_KWH = 1e-7

Pair = tuple[str, str]
_BATTERY: Pair = ("battery_charge", "battery_discharge")
_EV: Pair = ("ev_charge", "ev_discharge")
_GRID: Pair = ("grid_import", "grid_export")
_STORED_SUN: Pair = ("battery_charge", "grid_import")


@dataclass(frozen=True, eq=False)
class Found:
    """A plan, its starts and its proven bound."""

    flows: Flows
    starts: Mapping[str, int]
    appliance_kwh: Floats
    bound_eur: float
    proven: bool


@dataclass(frozen=True, eq=False)
class Begun:
    """A day that has begun.

    Attributes
    ----------
    now : int
        First open slot.
    state : State
        Stored energy at its start.
    trades_kwh : array, shape (slots,)
        Committed trades, import positive. [kWh]
    starts : mapping
        Planned starts; those before `now` are history.
    """

    now: int
    state: State
    trades_kwh: Floats
    starts: Mapping[str, int]


class DayModel:
    """The home's linear program with start choices and, where they bind, exclusions of two flows in one slot.

    Wasting energy seldom pays, so the linear program keeps most exclusions by itself. Those that it could
    gain from breaking get a binary at once, others when a solution breaks them; every round is a relaxation
    of the stated problem, so a solution that breaks none is its optimum.
    """

    def __init__(self, house: House, case: int | None, begun: Begun | None = None) -> None:
        self.house = house
        self._begun = begun or Begun(0, State(), np.zeros(house.slots), {})
        self._home = HomeProgram(house, np.zeros(house.slots))
        self._home.set_trades(self._begun.trades_kwh)
        self._home.set_past(self._begun.now, self._begun.state)
        self._starts_allowed = [self._allowed(appliance) for appliance in house.appliances]
        self._bound_grid()
        self._pairs: dict[Pair, Ints] = {pair: np.zeros(0, np.int32) for pair in self._pairs_to_keep(case)}
        self._choose_binaries()

    def _pairs_to_keep(self, case: int | None) -> list[Pair]:
        pairs = [_GRID]
        if self.house.battery:
            pairs.append(_BATTERY)
        if self.house.ev:
            pairs.append(_EV)
        if self.house.battery and case == 2:
            pairs.append(_STORED_SUN)
            surplus = np.maximum(self.house.pv_kw - self.house.base_load_kw, 0.0) * self.house.slot_hours
            charge = self._home.column["battery_charge"]
            self._home.program.upper[charge] = np.minimum(self._home.program.upper[charge], surplus)
        return pairs

    def _bound_grid(self) -> None:
        """Import no more than load and chargers take, export no more than sources give."""
        house, dt, upper, column = (
            self.house,
            self.house.slot_hours,
            self._home.program.upper,
            self._home.column,
        )
        take = self._home.load_kwh + np.maximum(-self._begun.trades_kwh, 0.0)
        give = self._home.pv_kwh + np.maximum(self._begun.trades_kwh, 0.0)
        for appliance, starts in zip(house.appliances, self._starts_allowed, strict=True):
            take[starts[0] : starts[-1] + appliance.run_slots(dt)] += appliance.rated_kw * dt
        if house.battery:
            take += house.battery.power_kw * dt
            give += house.battery.power_kw * dt
        if house.ev:
            take[self._home.ev_slots] += house.ev.power_kw * dt
            give[self._home.ev_slots] += house.ev.power_kw * dt
        take[: self._begun.now] = give[: self._begun.now] = 0.0
        upper[column["grid_import"]], upper[column["grid_export"]] = take, give

    def _choose_binaries(self) -> None:
        """Exclusions that pay to break: both ways at once when energy is worth less than nothing, and the like."""
        buy, sell = self.house.tariff.import_eur_per_kwh, self.house.tariff.export_eur_per_kwh
        pays = {_GRID: sell > buy, _BATTERY: buy < 0.0, _EV: buy < 0.0, _STORED_SUN: np.ones(buy.size, bool)}
        for pair in self._pairs:
            self._pairs[pair] = self._usable(pair, np.flatnonzero(pays[pair]).astype(np.int32))

    def _columns(self, name: str, slots: Ints) -> Ints:
        """Columns of a flow in these slots."""
        at = np.searchsorted(self._home.ev_slots, slots) if name.startswith("ev_") else slots
        return self._home.column[name][at]

    def _usable(self, pair: Pair, slots: Ints) -> Ints:
        """Those slots in which both flows are possible."""
        if pair == _EV:
            slots = np.intersect1d(slots, self._home.ev_slots).astype(np.int32)
        upper = self._home.program.upper
        usable = (upper[self._columns(pair[0], slots)] > 0.0) & (upper[self._columns(pair[1], slots)] > 0.0)
        return slots[usable].astype(np.int32)

    def relax(self) -> Found:
        """The relaxation: its cost is a lower bound."""
        program, start_columns = self._program()
        solution, value = self._solve_linear(program)
        load = np.zeros(self.house.slots)
        for appliance, allowed, columns in self._choices(start_columns):
            for start, weight in zip(allowed, solution[columns], strict=True):
                load[start : start + appliance.run_slots(self.house.slot_hours)] += (
                    weight * appliance.rated_kw
                )
        return Found(self._home.flows(solution), {}, load * self.house.slot_hours, value, proven=True)

    def optimise(self, deadline: float | None, node_limit: int | None) -> Found:
        """The exact optimum, or the best plan at the deadline or node limit."""
        bound = -np.inf
        while True:
            program, start_columns = self._program()
            if program.integer is None or not program.integer.size:
                solution, value = self._solve_linear(program)
                bound, finished = max(bound, value), True
            else:
                best, round_bound, finished = self._solve_integer(program, deadline, node_limit)
                bound = max(bound, round_bound)
                if best is None:
                    best = self._first_plan(program)
                solution, value = self._solve_linear(_fixed(program, best))
            flows = _cancelled(self.house, self._home.flows(solution))
            broken = self._broken(flows)
            if not broken:
                starts = self._starts(solution, start_columns)
                proven = finished and value - bound <= max(PROVEN_EUR, 1e-9 * abs(value))
                return Found(flows, starts, appliance_load(self.house, starts), bound, proven)
            for pair, slots in broken.items():
                # After the deadline every exclusion is decided at once, so that this is the last round.
                more = (
                    self._usable(pair, np.arange(self.house.slots, dtype=np.int32)) if not finished else slots
                )
                self._pairs[pair] = np.union1d(self._pairs[pair], more).astype(np.int32)

    def _program(self) -> tuple[Program, list[Ints]]:
        """The program with start and exclusion binaries, and each appliance's start columns."""
        home, base = self._home, self._home.program
        extended = Extension(base)
        start_columns = []
        for appliance, allowed in zip(self.house.appliances, self._starts_allowed, strict=True):
            start_columns.append(extended.add_starts(home, appliance, allowed))
        for (first, second), slots in self._pairs.items():
            extended.exclude(self._columns(first, slots), self._columns(second, slots))
        return extended.program(), start_columns

    def _solve_linear(self, program: Program) -> tuple[Floats, float]:
        solver = quiet_solver()
        solver.setOptionValue("primal_feasibility_tolerance", 1e-9)
        solver.setOptionValue("dual_feasibility_tolerance", 1e-9)
        pass_program(solver, replace(program, integer=None))
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            raise explain(self._home, program)
        return np.array(solver.getSolution().col_value), float(solver.getInfo().objective_function_value)

    def _solve_integer(
        self, program: Program, deadline: float | None, node_limit: int | None
    ) -> tuple[Floats | None, float, bool]:
        """Best solution (None where none was found), proven bound, and whether no limit was hit."""
        solver = exact_solver(program)
        if deadline is not None:
            solver.setOptionValue("time_limit", max(deadline - time.perf_counter(), 0.0))
        if node_limit is not None:
            solver.setOptionValue("mip_max_nodes", node_limit)
        solver.run()
        status = solver.getModelStatus()
        if status == highspy.HighsModelStatus.kInfeasible:
            raise explain(self._home, program)
        info = solver.getInfo()
        finished = status == highspy.HighsModelStatus.kOptimal
        solution = np.array(solver.getSolution().col_value) if info.primal_solution_status == 2 else None
        bound = float(info.mip_dual_bound) if np.isfinite(info.mip_dual_bound) else -np.inf
        if not finished:
            # Stopped before the root was solved, HiGHS knows no bound; the relaxation always gives one.
            bound = max(bound, self._solve_linear(program)[1])
        return solution, bound, finished

    def _first_plan(self, program: Program) -> Floats:
        """Some feasible solution, when the limits left no time for a good one.

        A rule first: appliances start where they are cheapest to run, exclusions follow the relaxation. Where
        an import limit forbids that, the first solution that branch and bound meets.
        """
        assert program.integer is not None
        relaxed, _ = self._solve_linear(program)
        ruled = relaxed.copy()
        ruled[program.integer] = np.round(relaxed[program.integer])
        count = self._home.program.cost.size
        for appliance, allowed in zip(self.house.appliances, self._starts_allowed, strict=True):
            runs = appliance.run_slots(self.house.slot_hours)
            prices = np.convolve(self.house.tariff.import_eur_per_kwh, np.ones(runs), "valid")[allowed]
            ruled[count : count + len(allowed)] = 0.0
            ruled[count + int(prices.argmin())] = 1.0
            count += len(allowed)
        solver = quiet_solver()
        pass_program(solver, replace(_fixed(program, ruled), integer=None))
        solver.run()
        if solver.getModelStatus() == highspy.HighsModelStatus.kOptimal:
            return ruled
        solver = exact_solver(program)
        solver.setOptionValue("mip_max_improving_sols", 1)
        solver.run()
        if solver.getInfo().primal_solution_status != 2:
            raise explain(self._home, program)
        return np.array(solver.getSolution().col_value)

    def _broken(self, flows: Flows) -> dict[Pair, Ints]:
        """Slots in which both flows of a pair run, by pair."""
        broken = {}
        for pair in self._pairs:
            first, second = getattr(flows, pair[0]), getattr(flows, pair[1])
            both = np.flatnonzero(np.minimum(first, second) > _SAME_KWH)
            both = np.setdiff1d(both, self._pairs[pair])
            if both.size:
                broken[pair] = both.astype(np.int32)
        return broken

    def _starts(self, solution: Floats, start_columns: list[Ints]) -> dict[str, int]:
        choices = self._choices(start_columns)
        return {
            appliance.name: allowed[int(solution[columns].argmax())]
            for appliance, allowed, columns in choices
        }

    def _choices(self, start_columns: list[Ints]) -> Iterator[tuple[Appliance, range, Ints]]:
        """Every appliance with its possible starts and their columns."""
        return zip(self.house.appliances, self._starts_allowed, start_columns, strict=True)

    def _allowed(self, appliance: Appliance) -> range:
        """Slots in which an appliance may start, given the day so far."""
        allowed = appliance.start_slots(self.house.slot_hours, self.house.slots)
        start = self._begun.starts.get(appliance.name)
        if start is not None and start < self._begun.now:
            return range(start, start + 1)
        return range(max(allowed.start, self._begun.now), allowed.stop)


def _fixed(program: Program, solution: Floats) -> Program:
    """The program with its integers at the values of a solution."""
    assert program.integer is not None
    lower, upper = program.lower.copy(), program.upper.copy()
    lower[program.integer] = upper[program.integer] = np.round(solution[program.integer])
    return replace(program, lower=lower, upper=upper)


def _cancelled(house: House, flows: Flows) -> Flows:
    """The same plan without two opposite flows in one slot where cancelling them changes nothing else."""
    both = np.minimum(flows.grid_import, flows.grid_export)
    flows = replace(flows, grid_import=flows.grid_import - both, grid_export=flows.grid_export - both)
    if house.battery and house.battery.charge_efficiency * house.battery.discharge_efficiency == 1.0:
        both = np.minimum(flows.battery_charge, flows.battery_discharge)
        flows = replace(
            flows,
            battery_charge=flows.battery_charge - both,
            battery_discharge=flows.battery_discharge - both,
        )
    if house.ev and house.ev.charge_efficiency * house.ev.discharge_efficiency == 1.0:
        both = np.minimum(flows.ev_charge, flows.ev_discharge)
        flows = replace(flows, ev_charge=flows.ev_charge - both, ev_discharge=flows.ev_discharge - both)
    return flows
