"""A day's plan of one home: powers, temperatures, starts, cost by part, and how good it is proven to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otaniemi.optimizer.devices.thermal import ThermalDevice
from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.house import House, expected_offset
from otaniemi.optimizer.program.choices import Choices, thermal_load
from otaniemi.optimizer.program.dispatch import Found
from otaniemi.optimizer.program.home_program import Flows, appliance_load
from otaniemi.optimizer.program.stack import mean_flows


@dataclass(frozen=True)
class Cost:
    """Cost of a plan by part, income negative; expected over the scenarios. [EUR]"""

    grid_import: float
    grid_export: float
    battery_wear: float
    ev_wear: float
    peak: float = 0.0

    def total(self) -> float:
        """Sum of the parts."""
        return self.grid_import + self.grid_export + self.battery_wear + self.ev_wear + self.peak


@dataclass(frozen=True, eq=False, kw_only=True)
class Powers:
    """Energy flows as powers: means of the slot on the AC side, at least 0; arrays have shape (slots,). [kW]

    Attributes
    ----------
    battery_soc, ev_soc : array
        State of charge at the end of the slot; NaN where there is none.
    """

    import_kw: Floats
    export_kw: Floats
    pv_used_kw: Floats
    battery_charge_kw: Floats
    battery_discharge_kw: Floats
    battery_soc: Floats
    ev_charge_kw: Floats
    ev_discharge_kw: Floats
    ev_soc: Floats

    def lists(self) -> dict[str, list[float | None]]:
        """As they stand in a plan file; null where a state of charge does not exist."""
        return {name: _listed(getattr(self, name)) for name in (*_POWERS, "battery_soc", "ev_soc")}


@dataclass(frozen=True, eq=False, kw_only=True)
class Schedule(Powers):
    """Plan of one home; with several scenarios its powers and states of charge are expected values.

    Attributes
    ----------
    status : "optimal" or "time_limit"
        Whether the plan is proven cheapest, or the best one when time or nodes ran out.
    case : int or None
        Case 1 to 4 that was asked for, None for the house as it is.
    method : str
        As asked of `plan`. "lp" is the relaxation: a lower bound with fractional starts (none are listed) and
        levels, not a plan to run.
    cost : Cost
        Cost by part; `cost_eur` is their sum. [EUR]
    bound_eur : float
        Proven lower bound of the cost. [EUR]
    seconds : float
        Time the planning took. [s]
    appliance_kw, thermal_kw : array
        Power of all appliances, and of all thermal devices. [kW]
    traded_kw : array
        Power already traded with others, import positive; not part of import and export. [kW]
    starts : dict
        Start slot of every appliance.
    levels : dict of integer arrays
        Level of every thermal device in every slot, by its field in the house file; of a relaxation the mean level.
    temperatures_c : dict of arrays
        Temperature at the end of the slot, by the same names; expected. [°C]
    scenarios : tuple of Powers
        By scenario, where there are several.
    """

    status: str
    case: int | None
    method: str
    cost: Cost
    bound_eur: float
    seconds: float
    appliance_kw: Floats
    thermal_kw: Floats
    traded_kw: Floats
    starts: Mapping[str, int]
    levels: Mapping[str, NDArray[Any]]
    temperatures_c: Mapping[str, Floats]
    scenarios: tuple[Powers, ...] = ()

    @property
    def cost_eur(self) -> float:
        """Cost of the plan at retail prices, with wear. [EUR]"""
        return self.cost.total()

    @property
    def gap_eur(self) -> float:
        """Most that a better plan could save. [EUR]"""
        return self.cost_eur - self.bound_eur

    @property
    def choices(self) -> Choices:
        """Its starts and levels; there are none to run in a relaxation."""
        return Choices(self.starts, {name: levels.astype(np.int8) for name, levels in self.levels.items()})

    def to_dict(self) -> dict[str, Any]:
        """The plan as the JSON object of a plan file; null where a state of charge does not exist."""
        found: dict[str, Any] = {
            "status": self.status,
            "case": self.case,
            "method": self.method,
            "cost_eur": self.cost_eur,
            "bound_eur": self.bound_eur,
            "gap_eur": self.gap_eur,
            "seconds": self.seconds,
            **self.lists(),
            **{name: _listed(getattr(self, name)) for name in ("appliance_kw", "thermal_kw", "traded_kw")},
        }
        for name, levels in self.levels.items():
            kind = ThermalDevice.kinds[name]
            found[kind.states_field] = levels.tolist()
            found[kind.temperature_field] = _listed(self.temperatures_c[name])
        found["starts"] = dict(self.starts)
        if self.scenarios:
            found["scenarios"] = [scenario.lists() for scenario in self.scenarios]
        return found


_POWERS = {
    "import_kw": "grid_import",
    "export_kw": "grid_export",
    "pv_used_kw": "pv_used",
    "battery_charge_kw": "battery_charge",
    "battery_discharge_kw": "battery_discharge",
    "ev_charge_kw": "ev_charge",
    "ev_discharge_kw": "ev_discharge",
}


def _listed(values: Floats) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def cost_of(house: House, flows: Sequence[Flows], traded_kwh: Floats) -> Cost:
    """Expected cost of energy flows at the house's retail prices, wear and capacity tariff.

    Parameters
    ----------
    house : House
    flows : sequence of Flows
        By scenario.
    traded_kwh : array, shape (slots,)
        Energy already traded, import positive; it passes the meter. [kWh]
    """
    battery = house.battery.wear_eur_per_kwh if house.battery else 0.0
    ev = house.ev.wear_eur_per_kwh if house.ev else 0.0
    weights = [scenario.probability for scenario in house.scenarios]
    mean = mean_flows(flows, weights)
    return Cost(
        grid_import=float(house.tariff.import_eur_per_kwh @ mean.grid_import),
        grid_export=-float(house.tariff.export_eur_per_kwh @ mean.grid_export),
        battery_wear=battery * float(mean.battery_charge.sum() + mean.battery_discharge.sum()),
        ev_wear=ev * float(mean.ev_discharge.sum()),
        peak=sum(
            weight * house.tariff.peak_eur_per_kw * peak_kwh(own, traded_kwh) / house.slot_hours
            for weight, own in zip(weights, flows, strict=True)
        ),
    )


def peak_kwh(flows: Flows, traded_kwh: Floats) -> float:
    """Highest net import of a slot at the meter, at least 0. [kWh]"""
    return float(np.maximum(flows.grid_import - flows.grid_export + traded_kwh, 0.0).max())


def schedule_of(
    house: House, found: Found, *, status: str, case: int | None, method: str, seconds: float
) -> Schedule:
    """Schedule of a plan for the whole day."""
    expected = expected_offset(house)
    levels = found.choices.levels
    return schedule_from(
        house,
        found.flows,
        status=status,
        case=case,
        method=method,
        bound_eur=found.bound_eur,
        seconds=seconds,
        appliance_kwh=appliance_load(house, found.choices.starts),
        thermal_kwh=thermal_load(house, levels),
        traded_kwh=np.zeros(house.slots),
        starts=found.choices.starts,
        levels=levels,
        temperatures_c={
            load.name: load.temperatures(levels[load.name], expected) for load in house.thermal_loads
        },
    )


def schedule_from(
    house: House,
    flows: Sequence[Flows],
    *,
    status: str,
    case: int | None,
    method: str,
    bound_eur: float,
    seconds: float,
    appliance_kwh: Floats,
    thermal_kwh: Floats,
    traded_kwh: Floats,
    starts: Mapping[str, int],
    levels: Mapping[str, NDArray[Any]],
    temperatures_c: Mapping[str, Floats],
) -> Schedule:
    """Schedule from energy flows by scenario; the bound is lowered to the cost where rounding put it above."""
    cost = cost_of(house, flows, traded_kwh)
    dt = house.slot_hours
    mean = mean_flows(flows, [scenario.probability for scenario in house.scenarios])
    return Schedule(
        status=status,
        case=case,
        method=method,
        cost=cost,
        bound_eur=min(bound_eur, cost.total()),
        seconds=seconds,
        appliance_kw=appliance_kwh / dt,
        thermal_kw=thermal_kwh / dt,
        traded_kw=traded_kwh / dt,
        starts=dict(starts),
        levels=dict(levels),
        temperatures_c=dict(temperatures_c),
        scenarios=tuple(Powers(**_powers(house, own)) for own in flows) if len(flows) > 1 else (),
        **_powers(house, mean),
    )


def _powers(house: House, flows: Flows) -> dict[str, Floats]:
    away = np.full(house.slots, np.nan)
    powers = {name: getattr(flows, flow) / house.slot_hours for name, flow in _POWERS.items()}
    powers["battery_soc"] = flows.battery_stored / house.battery.capacity_kwh if house.battery else away
    powers["ev_soc"] = flows.ev_stored / house.ev.capacity_kwh if house.ev else away
    return powers


def flows_of(house: House, powers: Powers) -> Flows:
    """Energy flows of a schedule; without local trade, which schedules carry as traded power."""
    dt, none = house.slot_hours, np.zeros(house.slots)
    return Flows(
        local_buy=none,
        local_sell=none,
        **{flow: getattr(powers, name) * dt for name, flow in _POWERS.items()},
        battery_stored=powers.battery_soc * (house.battery.capacity_kwh if house.battery else 1.0),
        ev_stored=powers.ev_soc * (house.ev.capacity_kwh if house.ev else 1.0),
    )
