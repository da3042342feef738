"""The best energy flows of a home whose starts and levels are decided (docs/model.md)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.house import House
from otaniemi.optimizer.program.choices import Choices
from otaniemi.optimizer.program.day_program import Begun, DayProgram, not_begun
from otaniemi.optimizer.program.extension import Extension
from otaniemi.optimizer.program.home_program import Flows
from otaniemi.optimizer.program.infeasible import explain
from otaniemi.optimizer.program.solver import (
    PRECISE,
    PROVEN_EUR,
    KeptProgram,
    branch_and_bound,
    fixed,
    solve_linear,
)


@dataclass(frozen=True, eq=False)
class Found:
    """A plan as a solver finds it.

    Attributes
    ----------
    choices : Choices
    flows : tuple of Flows
        By scenario. [kWh]
    cost_eur : float
        Expected cost. [EUR]
    bound_eur : float
        Proven lower bound of what was asked: of a dispatch, the cost at these choices. [EUR]
    proven : bool
        Whether the plan is proven cheapest.
    """

    choices: Choices
    flows: tuple[Flows, ...]
    cost_eur: float
    bound_eur: float
    proven: bool


@dataclass(frozen=True, eq=False)
class Dispatch:
    """Energy flows for given device loads: by scenario [kWh], expected cost, its proven lower bound [EUR]."""

    flows: tuple[Flows, ...]
    cost_eur: float
    bound_eur: float
    proven: bool


class Dispatcher:
    """Best energy flows for one device load after another; the linear program is kept and hot-started.

    Parameters
    ----------
    house : House
        As its case leaves it (`house_of_case`).
    case : int or None
        2: the battery charges only in slots without import, and only from PV beyond the base load.
    begun : Begun, optional
        A day that has begun.
    """

    def __init__(self, house: House, case: int | None, begun: Begun | None = None) -> None:
        self.day = DayProgram(house, case, begun or not_begun(house))
        self._kept = KeptProgram(self.day.stack.program, PRECISE)

    def relaxed_eur(self, device_kwh: Floats) -> float:
        """Least cost if exclusions may be broken, a lower bound; infinite where there are no flows. [EUR]"""
        self.day.exclusions.let_go()
        self.day.set_devices(device_kwh)
        self._kept.rows_changed()
        if self.day.case == 2:
            self._kept.bounds_changed()
        return self._kept.value() if self._kept.solve() else np.inf

    def solve(
        self, device_kwh: Floats, deadline: float | None = None, node_limit: int | None = None
    ) -> Dispatch | None:
        """Cheapest flows, None where there are none.

        The linear program first; where its solution breaks an exclusion, branch and bound with binaries for those
        that pay to break and those that a solution broke, until none is broken.

        Parameters
        ----------
        device_kwh : array, shape (slots,)
            Energy of appliances and thermal devices. [kWh]
        deadline : float, optional
            Reading of `time.perf_counter` at which branch and bound stops. [s]
        node_limit : int, optional
        """
        day = self.day
        value = bound = self.relaxed_eur(device_kwh)
        if not np.isfinite(value):
            return None
        flows, finished = day.flows(self._kept.solution()), True
        first = True
        while day.exclusions.keep_broken(flows):
            if first:
                day.exclusions.keep_paying()
                first = False
            if not finished:
                # After the deadline every exclusion is decided at once, so that this is the last round.
                day.exclusions.keep_all()
            extended = Extension(day.stack.program)
            day.exclusions.extend(extended, day.stack.program)
            program = extended.program()
            search = branch_and_bound(program, deadline, node_limit)
            if search.feasible and search.solution is None:
                search = branch_and_bound(program, None, None, solutions=1)
            solved = None if search.solution is None else solve_linear(fixed(program, search.solution))
            if solved is None:
                return None
            solution, value = solved
            flows, finished, bound = day.flows(solution), search.finished, max(bound, search.bound)
        proven = finished and value - bound <= max(PROVEN_EUR, 1e-9 * abs(value))
        return Dispatch(flows, value, min(bound, value), proven)


def dispatch(
    house: House,
    case: int | None,
    choices: Choices,
    *,
    begun: Begun | None = None,
    deadline: float | None = None,
    node_limit: int | None = None,
) -> Found:
    """Cheapest energy flows with these starts and levels.

    Parameters
    ----------
    house : House
        As its case leaves it (`house_of_case`).
    case : int or None
    choices : Choices
        Taken as they are: whether temperatures keep their bands is not asked.
    begun, deadline, node_limit : see `Dispatcher`

    Raises
    ------
    HouseDataError
        A start outside its window.
    InfeasibleHouseError
        Limits that cannot hold with these choices; names the device, the slot and the missing energy.
    """
    dispatcher = Dispatcher(house, case, begun)
    device_kwh = choices.device_kwh(house)
    found = dispatcher.solve(device_kwh, deadline, node_limit)
    if found is None:
        raise explain(dispatcher.day.stack.places, dispatcher.day.stack.program)
    return Found(choices, found.flows, found.cost_eur, found.bound_eur, found.proven)
