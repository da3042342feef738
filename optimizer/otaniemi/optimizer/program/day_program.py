"""One home's day in all its scenarios as a linear program, at any point of the day."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from otaniemi.optimizer.devices.appliance import Appliance
from otaniemi.optimizer.devices.thermal import Levels, ThermalLoad
from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.house import House, Scenario
from otaniemi.optimizer.program.choices import Choices
from otaniemi.optimizer.program.exclusions import Exclusions
from otaniemi.optimizer.program.home_program import Flows, HomeProgram, State
from otaniemi.optimizer.program.stack import Stack
from otaniemi.optimizer.program.thermostat import Thermostat

_MARGIN_C = 1e-8
"""By which a widened band contains the temperatures that it was widened for. [K]"""


@dataclass(frozen=True, eq=False)
class Begun:
    """A day that has begun.

    Attributes
    ----------
    now : int
        First open slot.
    state : State
        What is measured at its start.
    trades_kwh : array, shape (slots,)
        Committed trades, import positive. [kWh]
    choices : Choices
        As planned; what comes before `now` is history.
    peak_kwh : float
        Highest net import of a slot so far. [kWh]
    """

    now: int
    state: State
    trades_kwh: Floats
    choices: Choices
    peak_kwh: float = 0.0

    def past_levels(self, load: ThermalLoad) -> Levels:
        """Levels at which a device has run, shape (now,)."""
        return self.choices.levels[load.name][: self.now] if self.now else np.zeros(0, np.int8)

    def thermal_load(self, load: ThermalLoad) -> ThermalLoad:
        """A thermal load from its temperature now on: the measured one, else the planned one.

        Where the band is out of reach from there, it is widened to what comes nearest to it.
        """
        if self.now == 0:
            return load
        planned = self.choices.levels[load.name]
        measured = self.state.temperatures_c.get(load.name)
        if measured is None:
            measured = float(load.temperatures(planned)[self.now - 1])
        ahead = load.from_slot(self.now, measured)
        nearest = ahead.temperatures(Thermostat(ahead).keep(planned))
        return replace(
            ahead,
            low_c=np.minimum(ahead.low_c, nearest - _MARGIN_C),
            high_c=np.maximum(ahead.high_c, nearest + _MARGIN_C),
        )


def not_begun(house: House) -> Begun:
    """The day before it begins."""
    return Begun(0, State(), np.zeros(house.slots), Choices({}, {}))


class DayProgram:
    """A home's scenarios stacked, each with its probability; costs are expected costs.

    Parameters
    ----------
    house : House
        As its case leaves it.
    case : int or None
    begun : Begun

    Attributes
    ----------
    starts_allowed : tuple of range
        Slots in which each appliance may start, given the day so far.
    thermal_loads : tuple of ThermalLoad
        Given the day so far.
    stack : Stack
    exclusions : Exclusions
    most_import : array, shape (slots,)
        What the import limit leaves beside committed trades. [kWh]
    """

    def __init__(self, house: House, case: int | None, begun: Begun) -> None:
        self.house, self.case, self.begun = house, case, begun
        self.starts_allowed = tuple(self._allowed(appliance) for appliance in house.appliances)
        self.thermal_loads = tuple(begun.thermal_load(load) for load in house.thermal_loads)
        homes = [self._home(scenario) for scenario in house.scenarios]
        self.stack = Stack(homes, [scenario.probability for scenario in house.scenarios])
        self.exclusions = Exclusions(house, case, self.stack.places)
        limit = np.inf if house.import_limit_kw is None else house.import_limit_kw * house.slot_hours
        self.most_import = np.maximum(limit - begun.trades_kwh, 0.0)
        self._most_charge = [home.program.upper[home.column["battery_charge"]] for home in homes]

    def _home(self, scenario: Scenario) -> HomeProgram:
        house, begun = self.house, self.begun
        prices = house.tariff
        earns = bool((prices.export_eur_per_kwh > prices.import_eur_per_kwh).any())
        home = HomeProgram(house, np.zeros(house.slots), own_export=earns)
        if scenario.pv_factor != 1.0:
            home.set_forecast(house.base_load_kw, house.pv_kw * scenario.pv_factor)
        if begun.trades_kwh.any():
            home.set_trades(begun.trades_kwh)
        if begun.now or begun.peak_kwh:
            home.set_past(begun.now, begun.state, begun.peak_kwh)
        upper, column = home.program.upper, home.column
        upper[column["grid_import"]], upper[column["grid_export"]] = self._most_at_meter(home)
        if self.case == 2:
            surplus = np.maximum(home.pv_kwh - house.base_load_kw * house.slot_hours, 0.0)
            charge = column["battery_charge"]
            upper[charge] = np.minimum(upper[charge], surplus[: charge.size])
        return home

    def _most_at_meter(self, home: HomeProgram) -> tuple[Floats, Floats]:
        """Most import and export where one of them is 0, shape (slots,). [kWh]

        Import is no more than loads and chargers take, export no more than sources give and the limit lets out.
        """
        house, dt, trades = self.house, self.house.slot_hours, self.begun.trades_kwh
        take = home.load_kwh + np.maximum(-trades, 0.0)
        give = home.pv_kwh + np.maximum(trades, 0.0)
        for appliance, starts in zip(house.appliances, self.starts_allowed, strict=True):
            take[starts[0] : starts[-1] + appliance.run_slots(dt)] += appliance.rated_kw * dt
        for load in self.thermal_loads:
            take += load.level_kw[-1] * dt
        if house.battery:
            take += house.battery.power_kw * dt
            give += house.battery.power_kw * dt
        if house.ev:
            take[home.ev_slots] += house.ev.power_kw * dt
            give[home.ev_slots] += house.ev.power_kw * dt
        if house.export_limit_kw is not None:
            give = np.minimum(give, np.maximum(house.export_limit_kw * dt + trades, 0.0))
        take[: self.begun.now] = give[: self.begun.now] = 0.0
        return take, give

    def _allowed(self, appliance: Appliance) -> range:
        allowed = appliance.start_slots(self.house.slot_hours, self.house.slots)
        start = self.begun.choices.starts.get(appliance.name)
        if start is not None and start < self.begun.now:
            return range(start, start + 1)
        return range(max(allowed.start, self.begun.now), allowed.stop)

    def set_devices(self, device_kwh: Floats) -> None:
        """Plan with this energy of appliances and thermal devices in every scenario, shape (slots,). [kWh]"""
        for place, most in zip(self.stack.places, self._most_charge, strict=True):
            home = place.home
            home.set_devices(device_kwh)
            if self.case == 2 and self.house.battery:
                # Charged without import means charged from what sun and trades leave beside the loads.
                left = home.pv_kwh + np.maximum(self.begun.trades_kwh, 0.0) - home.load_kwh
                home.program.upper[home.column["battery_charge"]] = np.clip(left, 0.0, most)

    def flows(self, solution: Floats) -> tuple[Flows, ...]:
        """Flows of every scenario in a solution, without opposite flows that cancel."""
        return tuple(self.exclusions.cancelled(flows) for flows in self.stack.flows(solution))
