"""What a plan saves against the home without a HEMS, and how much of that each device brought (docs/model.md).

Devices work together: the battery is worth more where the vehicle needs energy in the evening. Each gets its Shapley
value: what it adds when it joins those that are managed already, averaged over all orders in which devices could
join. The values sum to the saving.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import comb

import numpy as np

from otaniemi.optimizer.errors import InfeasibleHouseError
from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.house import House, Tariff
from otaniemi.optimizer.methods.rules import at_meter, rule_flows, rule_plan, self_consumption
from otaniemi.optimizer.program.choices import Choices
from otaniemi.optimizer.program.day_program import DayProgram, not_begun
from otaniemi.optimizer.program.home_program import Flows
from otaniemi.optimizer.program.solver import PRECISE, KeptProgram
from otaniemi.optimizer.schedule import Schedule, cost_of


@dataclass(frozen=True, eq=False)
class Savings:
    """What a plan saves.

    Attributes
    ----------
    alone : Schedule
        The home without a HEMS (`rule_plan`).
    by_device : dict
        Saved by each device: "battery", "ev", "pv", "appliances" and thermal devices by their field in the house file;
        negative where it makes room for the others. Empty where limits let no device do without the others. [EUR]
    total_eur : float
        Their sum. [EUR]
    """

    alone: Schedule
    by_device: Mapping[str, float]
    total_eur: float


def savings(house: House, schedule: Schedule) -> Savings:
    """What each device saves by following the plan instead of its rule.

    A managed thermal device runs at the plan's levels, managed appliances start as planned; a managed battery or
    vehicle gets the cheapest energy flows for what the others do. What is not managed follows its rule
    (`rules`). Sun is managed where feeding in would cost money. Flows of all but the plan are those of the linear
    program at prices that do not pay for two opposite flows in a slot (import at least 0, feed-in at most import),
    at their cost at the real ones.

    Parameters
    ----------
    house : House
        As the plan's case leaves it (`house_of_case`).
    schedule : Schedule
        Of this house, for the whole day; no relaxation.

    Raises
    ------
    InfeasibleHouseError
        The home cannot do without a HEMS: its import limit does not hold.
    """
    alone = rule_plan(house, schedule.case, schedule.bound_eur)
    total = alone.cost_eur - schedule.cost_eur
    coalitions = _Coalitions(house, schedule, alone)
    costs = coalitions.costs(alone.cost_eur, schedule.cost_eur)
    shares = {} if costs is None else dict(zip(coalitions.devices, _shapley(costs), strict=True))
    return Savings(alone, shares, total)


class _Coalitions:
    """Costs of the home with some of its devices managed."""

    def __init__(self, house: House, schedule: Schedule, alone: Schedule) -> None:
        self._house, self._case = house, schedule.case
        self._plan, self._rules = schedule, alone
        self._programs: dict[tuple[bool, bytes], _FlowProgram] = {}
        self.devices = [load.name for load in house.thermal_loads]
        self.devices += ["appliances"] if house.appliances else []
        self.devices += ["battery"] if house.battery else []
        self.devices += ["ev"] if house.ev and house.ev.sessions else []
        if (house.pv_kw * (house.tariff.export_eur_per_kwh < 0.0)).any():
            self.devices.append("pv")

    def costs(self, nobody_eur: float, everybody_eur: float) -> Floats | None:
        """Cost of every set of managed devices, shape (2 ** devices,); bit k of its number is device k. [EUR]

        None where one of them breaks a limit.
        """
        found = np.empty(2 ** len(self.devices))
        found[0], found[-1] = nobody_eur, everybody_eur
        for number in range(1, found.size - 1):
            managed = {device for k, device in enumerate(self.devices) if number >> k & 1}
            try:
                flows = self._flows(managed)
            except InfeasibleHouseError:
                return None
            found[number] = cost_of(self._house, flows, np.zeros(self._house.slots)).total()
        return found

    def _flows(self, managed: set[str]) -> Sequence[Flows]:
        """Flows by scenario, with these devices managed."""
        house, scenarios = self._house, self._house.scenarios
        device_kwh = self._choices(managed).device_kwh(house)
        load = house.base_load_kw * house.slot_hours + device_kwh
        by_rule = [
            rule_flows(house, load, scenario.pv_factor, self._case, curtails="pv" in managed)
            for scenario in scenarios
        ]
        if not managed & {"battery", "ev"}:
            return by_rule
        # What an unmanaged vehicle does is the same in all scenarios: as its rule has it under the least sun.
        ev = None if "ev" in managed else by_rule[int(np.argmin([s.pv_factor for s in scenarios]))]
        dispatched = self._program("battery" in managed, ev).flows(device_kwh)
        flows = [own if ev is None else _with_vehicle(own, ev) for own in dispatched]
        if house.battery is None or "battery" in managed:
            return flows
        return [
            self._with_battery(own, scenario.pv_factor)
            for own, scenario in zip(flows, scenarios, strict=True)
        ]

    def _choices(self, managed: set[str]) -> Choices:
        plan, rules = self._plan, self._rules
        starts = plan.starts if "appliances" in managed else rules.starts
        levels = {name: (plan if name in managed else rules).levels[name] for name in rules.levels}
        return Choices(starts, levels)

    def _program(self, battery: bool, ev: Flows | None) -> _FlowProgram:
        """Of the home whose battery is dispatched or left out, and whose vehicle is a load where `ev` says which."""
        house = self._house
        key = battery, b"" if ev is None else ev.ev_charge.tobytes()
        if key not in self._programs:
            reduced = house if battery else replace(house, battery=None)
            if ev is not None:
                base = house.base_load_kw + ev.ev_charge / house.slot_hours
                reduced = replace(reduced, ev=None, base_load_kw=base)
            self._programs[key] = _FlowProgram(reduced, self._case)
        return self._programs[key]

    def _with_battery(self, flows: Flows, pv_factor: float) -> Flows:
        """The flows of a home without its battery, and this by its rule."""
        house, dt = self._house, self._house.slot_hours
        assert house.battery is not None
        sun = pv_factor * house.pv_kw * dt
        net = flows.grid_import - flows.grid_export - (sun - flows.pv_used)
        most = np.inf if house.import_limit_kw is None else house.import_limit_kw * dt
        grid = np.zeros(house.slots) if self._case == 2 else np.maximum(most - net, 0.0)
        charge, discharge, stored = self_consumption(house.battery, dt, net, grid)
        grid_import, grid_export, pv_used = at_meter(house, sun, net + charge - discharge, curtails=True)
        return replace(
            flows,
            grid_import=grid_import,
            grid_export=grid_export,
            pv_used=pv_used,
            battery_charge=charge,
            battery_discharge=discharge,
            battery_stored=stored,
        )


class _FlowProgram:
    """Flows of a home by linear program, for one device load after another."""

    def __init__(self, house: House, case: int | None) -> None:
        buy = np.maximum(house.tariff.import_eur_per_kwh, 0.0)
        sell = np.minimum(house.tariff.export_eur_per_kwh, buy)
        tame = replace(house, tariff=Tariff(buy, sell, house.tariff.peak_eur_per_kw))
        self._day = DayProgram(tame, case, not_begun(tame))
        self._kept = KeptProgram(self._day.stack.program, PRECISE)

    def flows(self, device_kwh: Floats) -> Sequence[Flows]:
        """Flows by scenario; `device_kwh` as in `Dispatcher.solve`.

        Raises
        ------
        InfeasibleHouseError
            There are none.
        """
        self._day.set_devices(device_kwh)
        self._kept.rows_changed()
        self._kept.bounds_changed()
        if not self._kept.solve():
            raise InfeasibleHouseError("house", 0, 0.0, "the limits of the house do not hold with this load")
        return self._day.flows(self._kept.solution())


def _with_vehicle(flows: Flows, ev: Flows) -> Flows:
    """The flows with the vehicle's of others."""
    return replace(flows, ev_charge=ev.ev_charge, ev_discharge=ev.ev_discharge, ev_stored=ev.ev_stored)


def _shapley(costs: Floats) -> list[float]:
    """Shapley value of every player, as saving, from the costs of all sets."""
    count = costs.size.bit_length() - 1
    numbers = np.arange(costs.size)
    sizes = np.array([int(number).bit_count() for number in numbers])
    values = []
    for player in range(count):
        without = numbers[numbers >> player & 1 == 0]
        weights = np.array([1.0 / (count * comb(count - 1, size)) for size in sizes[without]])
        values.append(float(weights @ (costs[without] - costs[without | 1 << player])))
    return values
