"""A day's plan of one home: powers, stored energy, starts, cost by part, and how good it is proven to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.home_program import Flows
from otaniemi.optimizer.house import House


@dataclass(frozen=True)
class Cost:
    """Cost of a plan by part, income negative. [EUR]"""

    grid_import: float
    grid_export: float
    battery_wear: float
    ev_wear: float

    def total(self) -> float:
        """Sum of the parts."""
        return self.grid_import + self.grid_export + self.battery_wear + self.ev_wear


@dataclass(frozen=True, eq=False)
class Schedule:
    """Plan of one home; arrays have shape (slots,), powers are means of the slot on the AC side, at least 0.

    Attributes
    ----------
    status : "optimal" or "time_limit"
        Whether the plan is proven cheapest, or the best one when time or nodes ran out.
    case : int or None
        Case 1 to 4 that was asked for, None for the house as it is.
    method : "milp" or "lp"
        "lp" is the relaxation: a lower bound with fractional starts (none are listed), not a plan to run.
    cost : Cost
        Cost by part; `cost_eur` is their sum. [EUR]
    bound_eur : float
        Proven lower bound of the cost. [EUR]
    seconds : float
        Time the planning took. [s]
    battery_soc, ev_soc : array
        State of charge at the end of the slot; NaN where there is none.
    appliance_kw : array
        Power of all appliances. [kW]
    traded_kw : array
        Power already traded with others, import positive; not part of import and export. [kW]
    starts : dict
        Start slot of every appliance.
    """

    status: str
    case: int | None
    method: str
    cost: Cost
    bound_eur: float
    seconds: float
    import_kw: Floats
    export_kw: Floats
    pv_used_kw: Floats
    battery_charge_kw: Floats
    battery_discharge_kw: Floats
    battery_soc: Floats
    ev_charge_kw: Floats
    ev_discharge_kw: Floats
    ev_soc: Floats
    appliance_kw: Floats
    traded_kw: Floats
    starts: Mapping[str, int]

    @property
    def cost_eur(self) -> float:
        """Cost of the plan at retail prices, with wear. [EUR]"""
        return self.cost.total()

    @property
    def gap_eur(self) -> float:
        """Most that a better plan could save. [EUR]"""
        return self.cost_eur - self.bound_eur

    def to_dict(self) -> dict[str, Any]:
        """The plan as the JSON object of a plan file; null where a state of charge does not exist."""
        arrays = {
            name: [None if np.isnan(value) else float(value) for value in getattr(self, name)]
            for name in (*_POWERS, "battery_soc", "ev_soc", "appliance_kw", "traded_kw")
        }
        head: dict[str, Any] = {
            "status": self.status,
            "case": self.case,
            "method": self.method,
            "cost_eur": self.cost_eur,
            "bound_eur": self.bound_eur,
            "gap_eur": self.gap_eur,
            "seconds": self.seconds,
        }
        return head | arrays | {"starts": dict(self.starts)}


_POWERS = {
    "import_kw": "grid_import",
    "export_kw": "grid_export",
    "pv_used_kw": "pv_used",
    "battery_charge_kw": "battery_charge",
    "battery_discharge_kw": "battery_discharge",
    "ev_charge_kw": "ev_charge",
    "ev_discharge_kw": "ev_discharge",
}


def cost_of(house: House, flows: Flows) -> Cost:
    """Cost of energy flows at the house's retail prices and wear."""
    battery = house.battery.wear_eur_per_kwh if house.battery else 0.0
    ev = house.ev.wear_eur_per_kwh if house.ev else 0.0
    return Cost(
        grid_import=float(house.tariff.import_eur_per_kwh @ flows.grid_import),
        grid_export=-float(house.tariff.export_eur_per_kwh @ flows.grid_export),
        battery_wear=battery * float(flows.battery_charge.sum() + flows.battery_discharge.sum()),
        ev_wear=ev * float(flows.ev_discharge.sum()),
    )


def schedule_from(
    house: House,
    flows: Flows,
    *,
    status: str,
    case: int | None,
    method: str,
    bound_eur: float,
    seconds: float,
    appliance_kwh: Floats,
    traded_kwh: Floats,
    starts: Mapping[str, int],
) -> Schedule:
    """Schedule from energy flows; the bound is lowered to the cost where rounding put it above."""
    cost = cost_of(house, flows)
    dt = house.slot_hours
    away = np.full(house.slots, np.nan)
    return Schedule(
        status=status,
        case=case,
        method=method,
        cost=cost,
        bound_eur=min(bound_eur, cost.total()),
        seconds=seconds,
        **{name: getattr(flows, flow) / dt for name, flow in _POWERS.items()},
        battery_soc=flows.battery_stored / house.battery.capacity_kwh if house.battery else away,
        ev_soc=flows.ev_stored / house.ev.capacity_kwh if house.ev else away,
        appliance_kw=appliance_kwh / dt,
        traded_kw=traded_kwh / dt,
        starts=dict(starts),
    )


def flows_of(house: House, schedule: Schedule) -> Flows:
    """Energy flows of a schedule; without local trade, which schedules carry as traded power."""
    dt, none = house.slot_hours, np.zeros(house.slots)
    return Flows(
        local_buy=none,
        local_sell=none,
        **{flow: getattr(schedule, name) * dt for name, flow in _POWERS.items()},
        battery_stored=schedule.battery_soc * (house.battery.capacity_kwh if house.battery else 1.0),
        ev_stored=schedule.ev_soc * (house.ev.capacity_kwh if house.ev else 1.0),
    )
