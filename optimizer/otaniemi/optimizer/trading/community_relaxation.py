"""A lower bound of what all homes as one must cost, and decisions to begin with (docs/model.md, "All homes as one")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from otaniemi.optimizer.devices.thermal import Levels, ThermalLoad
from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.house import House, Tariff
from otaniemi.optimizer.plan import plan
from otaniemi.optimizer.program.choices import Choices
from otaniemi.optimizer.program.extension import Extension
from otaniemi.optimizer.program.home_program import HomeProgram
from otaniemi.optimizer.program.infeasible import explain
from otaniemi.optimizer.program.solver import INFINITY, Ints, KeptProgram, branch_and_bound
from otaniemi.optimizer.program.stack import Stack


class CommunityRelaxation:
    """All homes with starts to choose and thermal devices that run at any power between their levels.

    Parameters
    ----------
    houses : sequence of House
    loads : sequence of sequences of ThermalLoad
        Of every home, with bands that can be kept.
    fee : float
        Paid for every kWh moved between homes. [EUR/kWh]
    """

    def __init__(self, houses: Sequence[House], loads: Sequence[Sequence[ThermalLoad]], fee: float) -> None:
        self._houses, self._loads, self._fee = houses, loads, fee
        homes = [HomeProgram(house, np.zeros(house.slots), own_export=True) for house in houses]
        for home in homes:
            open_local(home, fee)
        self._stack = Stack(homes, [1.0] * len(homes))
        extended = balanced(self._stack)
        self._starts: list[list[Ints]] = []
        self._levels: list[list[Ints]] = []
        for house, own, place in zip(houses, loads, self._stack.places, strict=True):
            dt, none = house.slot_hours, np.zeros(0, np.int8)
            self._starts.append(
                [
                    extended.add_starts([place], appliance, appliance.start_slots(dt, house.slots), dt)
                    for appliance in house.appliances
                ]
            )
            self._levels.append([extended.add_levels([place], load, dt, none, integer=False) for load in own])
        self._program = extended.program()

    def solve(self, node_limit: int) -> tuple[list[Choices], float]:
        """Starts and levels by home to begin with, and a proven bound of the whole with whole levels.

        Raises
        ------
        InfeasibleHouseError
            Limits that cannot hold together.
        """
        search = branch_and_bound(self._program, None, node_limit)
        solution, bound = search.solution, search.bound
        if solution is None and search.feasible:
            # The nodes did not suffice for a plan of all; the first one is where to start.
            first = branch_and_bound(self._program, None, None, solutions=1)
            solution, bound = first.solution, max(bound, first.bound)
        if solution is None:
            raise explain(self._stack.places, self._program)
        choices = [self._choices(solution, k) for k in range(len(self._houses))]
        if any(house.thermal for house in self._houses):
            bound = max(bound, self._bound_by_homes(node_limit))
        return choices, bound

    def _bound_by_homes(self, node_limit: int) -> float:
        """Bound of all homes, each for itself at local prices.

        Where homes pay a price for local energy instead of balancing it, the whole falls apart into homes, and the
        sum of their cheapest costs never exceeds that of the whole, whatever the price (Lagrange). At prices from the
        relaxation's duals it is about the relaxation's value, to which whole levels of a home add what `plan` proves
        of it alone.
        """
        linear = KeptProgram(replace(self._program, integer=None))
        if not linear.solve():
            return -np.inf
        first = self._stack.places[-1].rows.stop
        slots = self._houses[0].slots
        balance = slice(first, first + slots)
        dear = np.max([house.tariff.export_eur_per_kwh for house in self._houses], axis=0)
        cheap = np.min([house.tariff.import_eur_per_kwh for house in self._houses], axis=0)
        price = np.clip(-linear.duals()[balance], dear, np.maximum(cheap, dear))
        apart = replace(
            self._program,
            cost=self._program.cost.copy(),
            row_lower=self._program.row_lower.copy(),
            row_upper=self._program.row_upper.copy(),
        )
        apart.row_lower[balance], apart.row_upper[balance] = -INFINITY, INFINITY
        for place in self._stack.places:
            apart.cost[place.column("local_buy")] += price
            apart.cost[place.column("local_sell")] -= price
        search = branch_and_bound(apart, None, node_limit)
        if search.solution is None:
            return -np.inf
        bound = search.bound
        for house, loads, place in zip(self._houses, self._loads, self._stack.places, strict=True):
            if _is_planned_alone(house, loads):
                own = float(apart.cost[place.columns] @ search.solution[place.columns])
                bound += max(plan(_at_local_price(house, price, self._fee), "fast").bound_eur - own, 0.0)
        return bound

    def _choices(self, solution: Floats, index: int) -> Choices:
        house = self._houses[index]
        starts = {
            appliance.name: appliance.start_slots(house.slot_hours, house.slots)[int(solution[own].argmax())]
            for appliance, own in zip(house.appliances, self._starts[index], strict=True)
        }
        levels = {
            load.name: _nearest(load, solution[own])
            for load, own in zip(self._loads[index], self._levels[index], strict=True)
        }
        return Choices(starts, levels)


def _nearest(load: ThermalLoad, shares: Floats) -> Levels:
    """Whole levels that have used about as much energy at the end of every slot as shares of levels above 0."""
    energy = np.cumsum(shares @ load.level_kw[1:])
    levels = np.zeros(load.slots, np.int8)
    used = 0.0
    for slot in range(load.slots):
        levels[slot] = np.abs(used + load.level_kw - energy[slot]).argmin()
        used += load.level_kw[levels[slot]]
    return levels


def _is_planned_alone(house: House, loads: Sequence[ThermalLoad]) -> bool:
    """Whether `plan` knows all that a home may do at a local price: not what a vehicle sells, nor a widened band."""
    sells = house.ev is not None and house.ev.v2h == "sell"
    as_wanted = all(own is load for own, load in zip(house.thermal_loads, loads, strict=True))
    return bool(house.thermal) and as_wanted and not sells and len(house.scenarios) == 1


def _at_local_price(house: House, price: Floats, fee: float) -> House:
    """The home with what is cheaper to buy and what brings more, grid or neighbours, as its tariff."""
    tariff = house.tariff
    buy = np.minimum(tariff.import_eur_per_kwh, price + fee)
    sell = np.minimum(np.maximum(tariff.export_eur_per_kwh, price), buy)
    return replace(house, tariff=Tariff(buy, sell, tariff.peak_eur_per_kw))


def open_local(home: HomeProgram, fee: float) -> None:
    """Let a home trade freely: what is moved costs the fee, paid where it arrives."""
    slots = home.house.slots
    home.set_local_prices(np.full(slots, fee), np.zeros(slots))
    home.set_local_caps(np.full(slots, INFINITY), np.full(slots, INFINITY))


def balanced(stack: Stack) -> Extension:
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
