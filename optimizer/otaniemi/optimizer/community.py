"""All homes planned as one: the yardstick of every market result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import highspy
import numpy as np
from numpy.typing import ArrayLike

from otaniemi.optimizer.errors import HouseDataError
from otaniemi.optimizer.extension import Extension
from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.home_program import Flows, HomeProgram, State, appliance_load
from otaniemi.optimizer.house import House
from otaniemi.optimizer.infeasible import check_charges, explain
from otaniemi.optimizer.plan import plan
from otaniemi.optimizer.solver import INFINITY, KeptProgram, exact_solver
from otaniemi.optimizer.stack import Place, Stack


@dataclass(frozen=True, eq=False)
class CommunityPlan:
    """One plan of all homes.

    Attributes
    ----------
    cost_eur : float
        Retail, wear and local fee of the open slots, all homes together. [EUR]
    bound_eur : float
        Proven lower bound of it. [EUR]
    net_kwh : array, shape (homes, slots)
        At every home's meter, import positive. [kWh]
    local_kwh : array, shape (slots,)
        Moved between homes. [kWh]
    flows : tuple of Flows
        By home.
    starts : tuple of dict
        Appliance starts by home.
    """

    cost_eur: float
    bound_eur: float
    net_kwh: Floats
    local_kwh: Floats
    flows: tuple[Flows, ...]
    starts: tuple[Mapping[str, int], ...]

    @property
    def gap_eur(self) -> float:
        """Most that a better plan could save. [EUR]"""
        return self.cost_eur - self.bound_eur


class CommunityModel:
    """All homes as one linear program, kept and hot-started; deterministic.

    Every home imports and feeds in at its own retail prices; a kWh moved between homes pays the local fee.
    A home feeds into the grid no more than its PV and battery give, so vehicle energy never gets there.

    Parameters
    ----------
    houses : sequence of House
        With the same slots; no feed-in price above the import price.
    local_fee_eur_per_kwh : float
        At least 0. [EUR/kWh]
    starts : sequence of mappings, optional
        Appliance starts by home; needed when a home has appliances.

    Raises
    ------
    HouseDataError
        Houses that do not fit together, missing starts.
    """

    def __init__(
        self,
        houses: Sequence[House],
        local_fee_eur_per_kwh: float,
        starts: Sequence[Mapping[str, int]] | None = None,
    ) -> None:
        _check_houses(houses, local_fee_eur_per_kwh)
        self._starts = tuple(starts or [{}] * len(houses))
        self._homes = [
            HomeProgram(house, appliance_load(house, start), own_export=True)
            for house, start in zip(houses, self._starts, strict=True)
        ]
        for home in self._homes:
            _open_local(home, local_fee_eur_per_kwh)
        self._stack = Stack(self._homes, [1.0] * len(self._homes))
        self._stack.attach(_balanced(self._stack).program())
        self._kept = KeptProgram(self._stack.program)

    def set_forecast(self, base_kw: ArrayLike, pv_kw: ArrayLike) -> None:
        """Plan with this load and sun, shape (homes, slots). [kW]"""
        shape = (len(self._homes), self._homes[0].house.slots)
        base, pv = np.asarray(base_kw, float), np.asarray(pv_kw, float)
        for name, array in (("base_kw", base), ("pv_kw", pv)):
            if array.shape != shape or not np.isfinite(array).all() or (array < 0.0).any():
                raise HouseDataError(f"{name} is not an array of {shape} finite numbers of at least 0")
        for home, home_base, home_pv in zip(self._homes, base, pv, strict=True):
            home.set_forecast(home_base, home_pv)
        self._changed()

    def fix_past(self, until_slot: int, states: Sequence[State]) -> None:
        """Freeze the slots before `until_slot`; stored energies by home are those measured at its start."""
        for home, state in zip(self._homes, states, strict=True):
            home.set_past(until_slot, state)
        self._changed()

    def _changed(self) -> None:
        self._kept.bounds_changed()
        self._kept.rows_changed()

    def solve(self) -> CommunityPlan:
        """Cheapest plan of the open slots.

        Raises
        ------
        InfeasibleHouseError
            An import limit cannot hold.
        """
        flows = self._solved()
        bound = self._kept.value()
        closed = False
        while self._close_detours(flows):
            closed = True
            self._kept.bounds_changed()
            flows = self._solved()
        cost = self._kept.value()
        if closed:
            for home in self._homes:
                home.reopen()
            self._kept.bounds_changed()
        net = np.array([f.grid_import - f.grid_export + f.local_buy - f.local_sell for f in flows])
        local = np.sum([f.local_buy for f in flows], axis=0)
        return CommunityPlan(cost, min(bound, cost), net, local, flows, self._starts)

    def _close_detours(self, flows: Sequence[Flows]) -> bool:
        closed = [home.close_detours(own) for home, own in zip(self._homes, flows, strict=True)]
        return any(closed)

    def _solved(self) -> tuple[Flows, ...]:
        if not self._kept.solve():
            raise next(
                explain([Place.alone(home)], home.program) for home in self._homes if not _has_plan(home)
            )
        return self._stack.flows(self._kept.solution())


def community_optimum(
    houses: Sequence[House], local_fee_eur_per_kwh: float, node_limit: int = 100
) -> CommunityPlan:
    """Cost if all homes were one, with a proven bound.

    Parameters
    ----------
    houses : sequence of House
    local_fee_eur_per_kwh : float
        Paid for every kWh moved between homes. [EUR/kWh]
    node_limit : int
        Branch-and-bound nodes spent on the appliances' starts; the bound tells what more could bring.

    Returns
    -------
    CommunityPlan
        Without appliances the optimum itself.

    Raises
    ------
    HouseDataError
        Houses that do not fit together.
    InfeasibleHouseError
        A home whose limits cannot hold together.
    """
    _check_houses(houses, local_fee_eur_per_kwh)
    for house in houses:
        check_charges(house)
    if not any(house.appliances for house in houses):
        return CommunityModel(houses, local_fee_eur_per_kwh).solve()
    starts, bound = _best_starts(houses, local_fee_eur_per_kwh, node_limit)
    plan = CommunityModel(houses, local_fee_eur_per_kwh, starts).solve()
    return replace(plan, bound_eur=min(bound, plan.cost_eur))


def _check_houses(houses: Sequence[House], fee: float) -> None:
    if not houses:
        raise HouseDataError("a community needs at least one house")
    if not (np.isfinite(fee) and fee >= 0.0):
        raise HouseDataError(f"local_fee_eur_per_kwh is {fee}; at least 0 is needed")
    first = houses[0]
    for house in houses:
        if (house.slots, house.slot_hours) != (first.slots, first.slot_hours):
            raise HouseDataError(
                f"house '{house.name}' has {house.slots} slots of {house.slot_hours:g} h; "
                f"{first.slots} of {first.slot_hours:g} h as in '{first.name}' are needed"
            )
        dear = np.flatnonzero(house.tariff.export_eur_per_kwh > house.tariff.import_eur_per_kwh)
        if dear.size:
            raise HouseDataError(
                f"house '{house.name}': field 'tariff.export_eur_per_kwh' exceeds the import price in slot {dear[0]}"
            )


def _has_plan(home: HomeProgram) -> bool:
    """Whether a home keeps its limits on its own; neighbours do not help, they come through the same connection."""
    return KeptProgram(home.program).solve()


def _open_local(home: HomeProgram, fee: float) -> None:
    """Let a home trade freely: what is moved costs the fee, paid where it arrives."""
    slots = home.house.slots
    home.set_local_prices(np.full(slots, fee), np.zeros(slots))
    home.set_local_caps(np.full(slots, INFINITY), np.full(slots, INFINITY))


def _balanced(stack: Stack) -> Extension:
    """The homes' program in which local purchases equal local sales."""
    extended = Extension(stack.program)
    slots = stack.places[0].home.house.slots
    rows, ones = np.arange(slots, dtype=np.int32), np.ones(slots)
    bought = [place.column("local_buy") for place in stack.places]
    sold = [place.column("local_sell") for place in stack.places]
    count = len(stack.places)
    extended.add_rows(
        0.0,
        0.0,
        np.tile(rows, 2 * count),
        np.concatenate([*bought, *sold]),
        np.concatenate([np.tile(ones, count), np.tile(-ones, count)]),
        slots,
    )
    return extended


def _best_starts(houses: Sequence[House], fee: float, node_limit: int) -> tuple[list[dict[str, int]], float]:
    """Appliance starts by home, and a proven bound of the whole."""
    homes = [HomeProgram(house, np.zeros(house.slots), own_export=True) for house in houses]
    for home in homes:
        _open_local(home, fee)
    stack = Stack(homes, [1.0] * len(homes))
    extended = _balanced(stack)
    choices = []
    for house, place in zip(houses, stack.places, strict=True):
        allowed = [appliance.start_slots(house.slot_hours, house.slots) for appliance in house.appliances]
        columns = [
            extended.add_starts([place], a, starts, house.slot_hours)
            for a, starts in zip(house.appliances, allowed, strict=True)
        ]
        choices.append(list(zip(house.appliances, allowed, columns, strict=True)))
    program = extended.program()
    solver = exact_solver(program)
    solver.setOptionValue("mip_max_nodes", node_limit)
    solver.run()
    info = solver.getInfo()
    if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        # The nodes did not suffice for a plan of all: each home's own starts are one, the relaxation a bound.
        relaxed = KeptProgram(replace(program, integer=None))
        bound = relaxed.value() if relaxed.solve() else -np.inf
        return [dict(plan(house, node_limit=node_limit).starts) for house in houses], bound
    solution = np.array(solver.getSolution().col_value)
    starts = [
        {a.name: allowed[int(solution[columns].argmax())] for a, allowed, columns in home_choices}
        for home_choices in choices
    ]
    return starts, float(info.mip_dual_bound)
