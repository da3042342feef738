"""All homes planned as one: the yardstick of every market result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from otaniemi.optimizer.devices.thermal import Levels
from otaniemi.optimizer.errors import HouseDataError
from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.house import House
from otaniemi.optimizer.program.choices import Choices
from otaniemi.optimizer.program.comfort import within_reach
from otaniemi.optimizer.program.home_program import Flows, HomeProgram, State
from otaniemi.optimizer.program.infeasible import check_charges, explain
from otaniemi.optimizer.program.solver import KeptProgram
from otaniemi.optimizer.program.stack import Place, Stack
from otaniemi.optimizer.trading.community_relaxation import CommunityRelaxation, balanced, open_local
from otaniemi.optimizer.trading.shifting import Shifter

_ROUNDS = 5
"""Times that every home's levels are moved, as long as that pays."""


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
    choices : tuple of Choices
        Starts and levels by home.
    """

    cost_eur: float
    bound_eur: float
    net_kwh: Floats
    local_kwh: Floats
    flows: tuple[Flows, ...]
    choices: tuple[Choices, ...]

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
    choices : sequence of Choices, optional
        Starts and levels by home; needed when a home has appliances or thermal devices.

    Raises
    ------
    HouseDataError
        Houses that do not fit together, missing starts or levels.
    """

    def __init__(
        self,
        houses: Sequence[House],
        local_fee_eur_per_kwh: float,
        choices: Sequence[Choices] | None = None,
    ) -> None:
        _check_houses(houses, local_fee_eur_per_kwh)
        self._choices = list(choices or [Choices({}, {})] * len(houses))
        self._homes = [
            HomeProgram(house, chosen.device_kwh(house), own_export=True)
            for house, chosen in zip(houses, self._choices, strict=True)
        ]
        for home in self._homes:
            open_local(home, local_fee_eur_per_kwh)
        self._stack = Stack(self._homes, [1.0] * len(self._homes))
        self._stack.attach(balanced(self._stack).program())
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

    def home(self, index: int) -> HomeInCommunity:
        """A home whose levels can be moved."""
        return HomeInCommunity(self, index)

    def set_levels(self, index: int, levels: Mapping[str, Levels]) -> None:
        """Run the thermal devices of a home at these levels, by field; integer arrays of shape (slots,)."""
        home = self._homes[index]
        self._choices[index] = Choices(self._choices[index].starts, dict(levels))
        home.set_devices(self._choices[index].device_kwh(home.house))
        self._kept.rows_changed()

    def value(self) -> float:
        """Cost of the cheapest plan where nothing pays to be done both ways; inf where there is none. [EUR]"""
        return self._kept.value() if self._kept.solve() else np.inf

    def load_prices(self, index: int) -> tuple[Floats, Floats]:
        """See `HomeModel.load_prices`."""
        place = self._stack.places[index]
        return place.load_prices(self._kept.duals()), place.grid_kwh(self._kept.solution())

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
        return CommunityPlan(cost, min(bound, cost), net, local, flows, tuple(self._choices))

    def _close_detours(self, flows: Sequence[Flows]) -> bool:
        closed = [home.close_detours(own) for home, own in zip(self._homes, flows, strict=True)]
        return any(closed)

    def _solved(self) -> tuple[Flows, ...]:
        if not self._kept.solve():
            raise next(
                explain([Place.alone(home)], home.program) for home in self._homes if not _has_plan(home)
            )
        return self._stack.flows(self._kept.solution())


@dataclass(frozen=True)
class HomeInCommunity:
    """A home of a community whose thermal devices a `Shifter` moves."""

    community: CommunityModel
    index: int

    def set_levels(self, levels: Mapping[str, Levels]) -> None:
        """See `CommunityModel.set_levels`."""
        self.community.set_levels(self.index, levels)

    def value(self) -> float:
        """Cost of all homes. [EUR]"""
        return self.community.value()

    def load_prices(self) -> tuple[Floats, Floats]:
        """See `HomeModel.load_prices`."""
        return self.community.load_prices(self.index)


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
        Without appliances and thermal devices the optimum itself. With them the bound is that of a
        `CommunityRelaxation`; the plan has its starts and the levels nearest to its own, moved while that pays
        (`Shifter`). A band that no schedule keeps is widened (`within_reach`).

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
    if not any(house.appliances or house.thermal for house in houses):
        return CommunityModel(houses, local_fee_eur_per_kwh).solve()
    loads = [[within_reach(load) for load in house.thermal_loads] for house in houses]
    choices, bound = CommunityRelaxation(houses, loads, local_fee_eur_per_kwh).solve(node_limit)
    model = CommunityModel(houses, local_fee_eur_per_kwh, choices)
    shifters = [
        Shifter(model.home(k), house.tariff, house.slot_hours, loads[k], choices[k].levels)
        for k, house in enumerate(houses)
    ]
    for _ in range(_ROUNDS):
        for shifter in shifters:
            shifter.improve(1)
    plan = model.solve()
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
