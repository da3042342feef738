"""A linear program that stays in the solver: HiGHS through arrays, hot-started by its last basis."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray

from otaniemi.optimizer.fields import Floats

Ints = NDArray[np.int32]
INFINITY = highspy.kHighsInf
PROVEN_EUR = 1e-6
PRECISE = 1e-9
"""Feasibility to which plans are solved, so that they re-cost to `PROVEN_EUR`."""
_DUAL, _PRIMAL, _DEVEX = 1, 4, 1
_AT_LOWER, _BASIC = highspy.HighsBasisStatus.kLower, highspy.HighsBasisStatus.kBasic


def _none() -> tuple[Ints, Ints]:
    return np.zeros(0, np.int32), np.zeros(0, np.int32)


@dataclass
class Program:
    """minimise cost x, lower <= x <= upper, row_lower <= A x <= row_upper; A entry by entry.

    `determined` holds equations (rows), each with the column that it gives once the others are chosen: stored
    energy, temperature, import. Where the simplex method may start.
    """

    cost: Floats
    lower: Floats
    upper: Floats
    row_lower: Floats
    row_upper: Floats
    rows: Ints
    columns: Ints
    values: Floats
    integer: Ints | None = None
    determined: tuple[Ints, Ints] = field(default_factory=_none)


def quiet_solver() -> Any:
    """HiGHS without output, on one thread."""
    solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    return solver


def pass_program(solver: Any, program: Program) -> None:
    """Hand the program over column by column, which HiGHS then need not transpose."""
    order = np.lexsort((program.rows, program.columns))
    counts = np.bincount(program.columns, minlength=program.cost.size)
    kinds = np.full(program.cost.size, int(highspy.HighsVarType.kContinuous), np.int32)
    if program.integer is not None:
        kinds[program.integer] = int(highspy.HighsVarType.kInteger)
    solver.passModel(
        program.cost.size,
        program.row_lower.size,
        order.size,
        int(highspy.MatrixFormat.kColwise),
        int(highspy.ObjSense.kMinimize),
        0.0,
        program.cost,
        program.lower,
        program.upper,
        program.row_lower,
        program.row_upper,
        np.concatenate(([0], np.cumsum(counts))).astype(np.int32),
        program.rows[order],
        program.values[order],
        kinds,
    )


def exact_solver(program: Program) -> Any:
    """HiGHS with a program whose integers it is to prove to less than `PROVEN_EUR`."""
    solver = quiet_solver()
    solver.setOptionValue("mip_rel_gap", 0.0)
    solver.setOptionValue("mip_abs_gap", PROVEN_EUR / 2)
    pass_program(solver, program)
    return solver


_kept = threading.local()


def _kept_simplex() -> Any:
    """This thread's solver for one linear program after another: the dual simplex method without presolve."""
    if not hasattr(_kept, "solver"):
        _kept.solver = quiet_solver()
        _kept.solver.setOptionValue("primal_feasibility_tolerance", PRECISE)
        _kept.solver.setOptionValue("dual_feasibility_tolerance", PRECISE)
        _kept.solver.setOptionValue("presolve", "off")
        _kept.solver.setOptionValue("solver", "simplex")
        _kept.solver.setOptionValue("simplex_strategy", _DUAL)
        # Entries lie within a few powers of ten, so scaling costs more than it brings.
        _kept.solver.setOptionValue("simplex_scale_strategy", 0)
        # Steepest edge needs weights of its own for a first basis that is not of slacks; Devex starts at 1.
        _kept.solver.setOptionValue("simplex_dual_edge_weight_strategy", _DEVEX)
    return _kept.solver


def solve_linear(program: Program) -> tuple[Floats, float] | None:
    """Columns at the optimum of the program without its integers, to 1e-9, and its value; None if there is none.

    Depends on the program alone, not on what was solved before. Starts with the determined columns in the basis,
    which takes a third of the steps that a start from slacks takes, and half of those from another home's optimum.
    """
    solver = _kept_simplex()
    pass_program(solver, replace(program, integer=None))
    solver.setBasis(_first_basis(program))
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        # Another way tells numerical trouble from a program without solution.
        solver = quiet_solver()
        pass_program(solver, replace(program, integer=None))
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
    return np.array(solver.getSolution().col_value), float(solver.getInfo().objective_function_value)


def _first_basis(program: Program) -> Any:
    """The determined columns instead of the slacks of their rows."""
    rows, columns = program.determined
    equations = program.row_lower[rows] == program.row_upper[rows]
    at_columns = np.full(program.cost.size, _AT_LOWER)
    at_columns[columns[equations]] = _BASIC
    at_rows = np.full(program.row_lower.size, _BASIC)
    at_rows[rows[equations]] = _AT_LOWER
    basis = highspy.HighsBasis()
    basis.valid, basis.alien = True, False
    basis.col_status, basis.row_status = at_columns.tolist(), at_rows.tolist()
    return basis


@dataclass(frozen=True, eq=False)
class Search:
    """What branch and bound came to.

    Attributes
    ----------
    solution : array or None
        Best columns; None where none were found.
    bound : float
        Proven lower bound, -inf where there is none yet.
    finished : bool
        Whether no limit was hit.
    feasible : bool
        False where it is proven that there is no solution.
    """

    solution: Floats | None
    bound: float
    finished: bool
    feasible: bool = True


def branch_and_bound(
    program: Program, deadline: float | None, node_limit: int | None, solutions: int | None = None
) -> Search:
    """Search for the optimum until the deadline (of `time.perf_counter`), so many nodes, or so many solutions."""
    if program.integer is None or not program.integer.size:
        solved = solve_linear(program)
        return (
            Search(None, np.inf, True, feasible=False) if solved is None else Search(*solved, finished=True)
        )
    if deadline is not None and time.perf_counter() >= deadline:
        return Search(None, -np.inf, False)
    solver = exact_solver(program)
    if deadline is not None:
        solver.setOptionValue("time_limit", max(deadline - time.perf_counter(), 0.0))
    if node_limit is not None:
        solver.setOptionValue("mip_max_nodes", node_limit)
    if solutions is not None:
        solver.setOptionValue("mip_max_improving_sols", solutions)
    solver.run()
    status, info = solver.getModelStatus(), solver.getInfo()
    if status == highspy.HighsModelStatus.kInfeasible:
        return Search(None, np.inf, True, feasible=False)
    found = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    solution = np.array(solver.getSolution().col_value) if found else None
    bound = float(info.mip_dual_bound) if np.isfinite(info.mip_dual_bound) else -np.inf
    return Search(solution, bound, bool(status == highspy.HighsModelStatus.kOptimal))


def fixed(program: Program, solution: Floats) -> Program:
    """The program with its integers at the values of a solution."""
    assert program.integer is not None
    lower, upper = program.lower.copy(), program.upper.copy()
    lower[program.integer] = upper[program.integer] = np.round(solution[program.integer])
    return replace(program, lower=lower, upper=upper)


class KeptProgram:
    """A program kept in HiGHS; change its arrays, say which, and solve again from the last basis.

    The caller owns `program` and changes its arrays in place; `costs_changed`, `bounds_changed` and
    `rows_changed` hand the change to the solver. Deterministic: the simplex method on one thread, no clock.

    Parameters
    ----------
    program : Program
    tolerance : float
        Of primal and dual feasibility.
    """

    def __init__(self, program: Program, tolerance: float = 1e-7) -> None:
        self.program = program
        self._solver = quiet_solver()
        self._solver.setOptionValue("primal_feasibility_tolerance", tolerance)
        self._solver.setOptionValue("dual_feasibility_tolerance", tolerance)
        self._solver.setOptionValue("presolve", "off")
        self._solver.setOptionValue("solver", "simplex")
        self._solver.setOptionValue("primal_simplex_bound_perturbation_multiplier", 0.0)
        self._feasible = False
        pass_program(self._solver, program)
        self._all_columns = np.arange(program.cost.size, dtype=np.int32)
        self._all_rows = np.arange(program.row_lower.size, dtype=np.int32)

    def costs_changed(self) -> None:
        self._solver.changeColsCost(self._all_columns.size, self._all_columns, self.program.cost)

    def bounds_changed(self) -> None:
        program = self.program
        self._feasible = False
        self._solver.changeColsBounds(self._all_columns.size, self._all_columns, program.lower, program.upper)

    def rows_changed(self) -> None:
        program = self.program
        self._feasible = False
        self._solver.changeRowsBounds(
            self._all_rows.size, self._all_rows, program.row_lower, program.row_upper
        )

    def set_cost(self, column: int, cost: float) -> None:
        """Change one cost in the solver and in the program."""
        self.program.cost[column] = cost
        self._solver.changeColCost(column, cost)

    def solve(self) -> bool:
        """Whether there is an optimum."""
        # Changed costs leave the last plan feasible, which suits the primal method, changed bounds the dual one.
        self._solver.setOptionValue("simplex_strategy", _PRIMAL if self._feasible else _DUAL)
        self._solver.run()
        self._feasible = bool(self._solver.getModelStatus() == highspy.HighsModelStatus.kOptimal)
        if self._feasible:
            return True
        # A hot start from another day's basis can end in numerical trouble; a cold one tells that apart.
        self._solver.clearSolver()
        self._solver.setOptionValue("simplex_strategy", _DUAL)
        self._solver.run()
        self._feasible = bool(self._solver.getModelStatus() == highspy.HighsModelStatus.kOptimal)
        return self._feasible

    def value(self) -> float:
        """Objective at the optimum."""
        return float(self._solver.getObjectiveValue())

    def solution(self) -> Floats:
        """Columns at the optimum, shape (columns,)."""
        return np.array(self.columns())

    def duals(self) -> Floats:
        """What one more of every row's right-hand side costs at the optimum, shape (rows,)."""
        return np.array(self._solver.getSolution().row_dual)

    def columns(self) -> list[float]:
        """The same as a list, which is quicker where a few of them are read."""
        columns: list[float] = self._solver.getSolution().col_value
        return columns
