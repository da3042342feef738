"""Relaxations: the quick start from determined columns finds what a plain solver finds, whatever came before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import highspy
import numpy as np
import pytest

from otaniemi.optimizer import House, plan
from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.house import Scenario
from otaniemi.optimizer.methods import exact as under_test
from otaniemi.optimizer.program.solver import Program, pass_program, quiet_solver, solve_linear
from otaniemi.platform.benchmarks.random_homes import random_homes

NINE = tuple(Scenario(1 / 9, offset, factor) for offset in (-0.3, 0.0, 0.3) for factor in (0.8, 1.0, 1.2))


def plain(program: Program) -> float:
    """Optimum by the solver's own ways: presolve, and a start from slacks."""
    solver = quiet_solver()
    pass_program(solver, replace(program, integer=None))
    solver.run()
    assert solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return float(solver.getInfo().objective_function_value)


def kinds_of_homes() -> Iterator[tuple[House, int | None]]:
    """All devices in every case; scenarios; a tariff that pays for import and dear feed-in; limits; a dear peak."""
    yield from zip(random_homes(5), (None, 1, 2, 3, 4), strict=True)
    first, second, third, fourth = random_homes(4, seed=8)
    yield replace(first, scenarios=NINE), None
    prices = second.tariff.import_eur_per_kwh
    odd = replace(second.tariff, import_eur_per_kwh=prices - 0.25, export_eur_per_kwh=prices - 0.2)
    yield replace(second, tariff=odd), None
    yield replace(third, import_limit_kw=9.0, export_limit_kw=1.5), None
    yield replace(fourth, tariff=replace(fourth.tariff, peak_eur_per_kw=0.5)), 4


def test_a_relaxation_is_what_a_plain_solver_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    solved: list[tuple[Program, float]] = []

    def watched(program: Program) -> tuple[Floats, float] | None:
        found = solve_linear(program)
        assert found is not None
        solved.append((program, found[1]))
        return found

    monkeypatch.setattr(under_test, "solve_linear", watched)
    for home, case in kinds_of_homes():
        schedule = plan(home, "lp", case=case)
        program, value = solved[-1]
        assert schedule.bound_eur == pytest.approx(value, abs=1e-6)
        assert value == pytest.approx(plain(program), abs=1e-6)
    assert len(solved) >= 9


def test_a_relaxation_does_not_depend_on_what_was_solved_before() -> None:
    homes = list(random_homes(6))
    there = [plan(home, "lp").to_dict() | {"seconds": 0.0} for home in homes]
    back = [plan(home, "lp").to_dict() | {"seconds": 0.0} for home in reversed(homes)]
    np.testing.assert_equal(there, back[::-1])


def test_a_program_without_solution_has_none() -> None:
    none = np.zeros(0, np.int32)
    one = np.zeros(1, np.int32)
    program = Program(
        cost=np.zeros(1),
        lower=np.zeros(1),
        upper=np.ones(1),
        row_lower=np.full(1, 2.0),
        row_upper=np.full(1, 2.0),
        rows=one,
        columns=one,
        values=np.ones(1),
    )
    assert solve_linear(program) is None
    assert solve_linear(replace(program, determined=(one, one))) is None
    assert solve_linear(replace(program, upper=np.full(1, 3.0), determined=(none, none))) is not None
