"""The cheapest day of one home: starts and on/off decisions exact, everything else linear."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import highspy
import numpy as np

from otaniemi.optimizer.errors import HouseDataError
from otaniemi.optimizer.home_program import Flows, HomeProgram, appliance_load
from otaniemi.optimizer.house import Floats, House
from otaniemi.optimizer.infeasible import check_charges, explain
from otaniemi.optimizer.schedule import Schedule, schedule_from
from otaniemi.optimizer.solver import Ints, Program, pass_program, quiet_solver

METHODS = ("milp", "lp")
CASES = (1, 2, 3, 4)
_SAME_KWH = 1e-7
_PROVEN_EUR = 1e-6

Pair = tuple[str, str]
_BATTERY: Pair = ("battery_charge", "battery_discharge")
_EV: Pair = ("ev_charge", "ev_discharge")
_GRID: Pair = ("grid_import", "grid_export")
_STORED_SUN: Pair = ("battery_charge", "grid_import")


def plan(
    house: House,
    method: str = "milp",
    case: int | None = None,
    time_limit: float | None = None,
    node_limit: int | None = None,
) -> Schedule:
    """Cheapest schedule of a home at retail prices.

    Parameters
    ----------
    house : House
    method : "milp" or "lp"
        Exact, or the relaxation (appliances run in parts, exclusions may be broken), which is a lower bound.
    case : 1 to 4, optional
        1: no PV, battery, V2H, export. 2: PV and battery, which charges only in slots without import and only
        from PV beyond the base load; no V2H, no export. 3: no V2H. 4: all, V2H to the home. None: as the house says.
    time_limit : float, optional
        Seconds after which the best plan so far is returned with its gap. [s]
    node_limit : int, optional
        The same after so many branch-and-bound nodes; deterministic.

    Returns
    -------
    Schedule
        Always a feasible plan (method "milp").

    Raises
    ------
    HouseDataError
        Unknown method or case, a limit below 0.
    InfeasibleHouseError
        Limits that cannot hold together; names the device, the slot and the missing energy.

    References
    ----------
    docs/model.md
    """
    if method not in METHODS:
        raise HouseDataError(f"method is {method!r}; one of {', '.join(METHODS)} is needed")
    for name, limit in (("time_limit", time_limit), ("node_limit", node_limit)):
        if limit is not None and not limit >= 0:
            raise HouseDataError(f"{name} is {limit}; at least 0 is needed")
    started = time.perf_counter()
    planned = house_of_case(house, case)
    check_charges(planned)
    model = DayModel(planned, case)
    if method == "lp":
        found = model.relax()
    else:
        found = model.optimise(None if time_limit is None else started + time_limit, node_limit)
    return schedule_from(
        planned,
        found.flows,
        status="optimal" if found.proven else "time_limit",
        case=case,
        method=method,
        bound_eur=found.bound_eur,
        seconds=time.perf_counter() - started,
        appliance_kwh=found.appliance_kwh,
        traded_kwh=np.zeros(planned.slots),
        starts=found.starts,
    )


def house_of_case(house: House, case: int | None) -> House:
    """The house with the devices and freedoms of a case."""
    if case is not None and case not in CASES:
        raise HouseDataError(f"case is {case!r}; one of {', '.join(map(str, CASES))} is needed")
    if case is None:
        return house
    v2h = "home" if case == 4 else "no"
    reduced = replace(house, ev=replace(house.ev, v2h=v2h) if house.ev else None)
    if case in (1, 2):
        reduced = replace(reduced, export_limit_kw=0.0)
    if case == 1:
        reduced = replace(reduced, pv_kw=np.zeros(house.slots), battery=None)
    return reduced


@dataclass(frozen=True, eq=False)
class Found:
    """A plan, its starts and its proven bound."""

    flows: Flows
    starts: Mapping[str, int]
    appliance_kwh: Floats
    bound_eur: float
    proven: bool


class DayModel:
    """The home's linear program with start choices and, where they bind, exclusions of two flows in one slot.

    Wasting energy seldom pays, so the linear program keeps most exclusions by itself. Those that it could
    gain from breaking get a binary at once, others when a solution breaks them; every round is a relaxation
    of the stated problem, so a solution that breaks none is its optimum.
    """

    def __init__(self, house: House, case: int | None) -> None:
        self.house = house
        self._home = HomeProgram(house, np.zeros(house.slots))
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
        take = self._home.load_kwh.copy()
        give = self._home.pv_kwh.copy()
        for appliance in house.appliances:
            starts = appliance.start_slots(dt, house.slots)
            take[starts[0] : starts[-1] + appliance.run_slots(dt)] += appliance.rated_kw * dt
        if house.battery:
            take += house.battery.power_kw * dt
            give += house.battery.power_kw * dt
        if house.ev:
            take[self._home.ev_slots] += house.ev.power_kw * dt
            give[self._home.ev_slots] += house.ev.power_kw * dt
        if house.import_limit_kw is not None:
            take = np.minimum(take, house.import_limit_kw * dt)
        if house.export_limit_kw is not None:
            give = np.minimum(give, house.export_limit_kw * dt)
        self._most_import = take
        upper[column["grid_import"]], upper[column["grid_export"]] = take, give

    def _choose_binaries(self) -> None:
        """Exclusions that pay to break: both ways at once when energy is worth less than nothing, and the like."""
        buy, sell = self.house.tariff.import_eur_per_kwh, self.house.tariff.export_eur_per_kwh
        pays = {_GRID: sell > buy, _BATTERY: buy < 0.0, _EV: buy < 0.0, _STORED_SUN: np.ones(buy.size, bool)}
        for pair in self._pairs:
            self._pairs[pair] = self._usable(pair, np.flatnonzero(pays[pair]))

    def _columns(self, name: str, slots: Ints) -> Ints:
        """Columns of a flow in these slots."""
        if name.startswith("ev_"):
            slots = np.searchsorted(self._home.ev_slots, slots).astype(np.int32)
        return self._home.column[name][slots]

    def _usable(self, pair: Pair, slots: Ints) -> Ints:
        """Those slots in which both flows are possible."""
        if pair == _EV:
            slots = slots[np.isin(slots, self._home.ev_slots)]
        upper = self._home.program.upper
        usable = (upper[self._columns(pair[0], slots)] > 0.0) & (upper[self._columns(pair[1], slots)] > 0.0)
        return slots[usable].astype(np.int32)

    def relax(self) -> Found:
        """The relaxation: its cost is a lower bound."""
        program, start_columns = self._program()
        solution, value = self._solve_linear(program)
        load = np.zeros(self.house.slots)
        for appliance, columns in zip(self.house.appliances, start_columns, strict=True):
            allowed = appliance.start_slots(self.house.slot_hours, self.house.slots)
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
                proven = finished and value - bound <= max(_PROVEN_EUR, 1e-9 * abs(value))
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
        extended = _Extension(base)
        start_columns = []
        for appliance in self.house.appliances:
            allowed = appliance.start_slots(self.house.slot_hours, self.house.slots)
            columns = extended.add_binaries(len(allowed))
            start_columns.append(columns)
            extended.add_rows(1.0, 1.0, np.zeros(columns.size, np.int32), columns, np.ones(columns.size), 1)
            energy = appliance.rated_kw * self.house.slot_hours
            runs = np.arange(appliance.run_slots(self.house.slot_hours))
            slots = (np.array(allowed)[:, None] + runs).ravel()
            running = np.repeat(columns, runs.size)
            extended.add_entries(home.balance[slots], running, np.full(slots.size, -energy))
            at = np.isin(slots, home.v2h_slots)
            v2h_rows = home.v2h_rows[np.searchsorted(home.v2h_slots, slots[at])]
            extended.add_entries(v2h_rows, running[at], np.full(v2h_rows.size, -energy))
        for (first, second), slots in self._pairs.items():
            one, other = self._columns(first, slots), self._columns(second, slots)
            binary, rows = extended.add_binaries(slots.size), np.arange(slots.size, dtype=np.int32)
            twice = np.concatenate([rows, rows])
            ones, most, most_other = np.ones(slots.size), base.upper[one], base.upper[other]
            # first <= most x binary; second <= most x (1 - binary)
            extended.add_rows(
                -np.inf, 0.0, twice, np.concatenate([one, binary]), np.concatenate([ones, -most]), slots.size
            )
            extended.add_rows(
                -np.inf,
                most_other,
                twice,
                np.concatenate([other, binary]),
                np.concatenate([ones, most_other]),
                slots.size,
            )
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
        solver = _exact_solver(program)
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
        for appliance in self.house.appliances:
            allowed = appliance.start_slots(self.house.slot_hours, self.house.slots)
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
        solver = _exact_solver(program)
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
        starts = {}
        for appliance, columns in zip(self.house.appliances, start_columns, strict=True):
            allowed = appliance.start_slots(self.house.slot_hours, self.house.slots)
            starts[appliance.name] = allowed[int(solution[columns].argmax())]
        return starts


class _Extension:
    """A program with columns and rows added to it."""

    def __init__(self, base: Program) -> None:
        self._base = base
        self._columns, self._rows = base.cost.size, base.row_lower.size
        self._row_lower, self._row_upper = [base.row_lower], [base.row_upper]
        self._entries: list[tuple[Ints, Ints, Floats]] = [(base.rows, base.columns, base.values)]

    def add_binaries(self, count: int) -> Ints:
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
        self._entries.append((rows.astype(np.int32), columns, values))

    def program(self) -> Program:
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


def _exact_solver(program: Program) -> Any:
    solver = quiet_solver()
    solver.setOptionValue("mip_rel_gap", 0.0)
    solver.setOptionValue("mip_abs_gap", _PROVEN_EUR / 2)
    pass_program(solver, program)
    return solver


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
