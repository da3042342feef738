"""What a plan of PV, battery and appliances costs, whoever made it: recomputed from its decisions alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.house import House
from otaniemi.platform.errors import OtaniemiError

_KW = 1e-5
"""Rounding that solvers may leave in a power, far below what a meter shows. [kW]"""


class BrokenPlanError(OtaniemiError):
    """A plan that its home could not run."""


def recost(house: House, battery_kw: Floats, appliance_kw: Mapping[str, Floats]) -> float:
    """Cost of a day with these decisions: import, less feed-in, and battery wear. [EUR]

    Parameters
    ----------
    house : House
        With a battery, and no devices but it, PV and appliances.
    battery_kw : array, shape (slots,)
        On the AC side, discharge positive. [kW]
    appliance_kw : mapping of arrays, shape (slots,)
        Power of every appliance. [kW]

    Raises
    ------
    BrokenPlanError
        A limit of the battery, or an appliance that does not run once, whole and within its window.
    """
    assert house.battery is not None
    battery, dt = house.battery, house.slot_hours
    for appliance in house.appliances:
        power, runs = appliance_kw[appliance.name], appliance.run_slots(dt)
        at = np.flatnonzero(power > _KW)
        allowed = appliance.start_slots(dt, house.slots)
        whole = at.size == runs and at[0] in allowed and at[-1] - at[0] == runs - 1
        if not whole or np.abs(power[at] - appliance.rated_kw).max() > _KW:
            raise BrokenPlanError(f"{house.name}: '{appliance.name}' does not run once within its window")
    charge, discharge = np.maximum(-battery_kw, 0.0), np.maximum(battery_kw, 0.0)
    if max(charge.max(), discharge.max()) > battery.power_kw + _KW:
        raise BrokenPlanError(f"{house.name}: the battery's power exceeds {battery.power_kw:g} kW")
    inflow = battery.charge_efficiency * charge - discharge / battery.discharge_efficiency
    soc = battery.initial_soc + np.cumsum(inflow) * dt / battery.capacity_kwh
    rounding = _KW * house.slots * dt / battery.capacity_kwh
    if soc.min() < battery.min_soc - rounding or soc.max() > battery.max_soc + rounding:
        raise BrokenPlanError(f"{house.name}: the battery leaves its range of charge")
    if soc[-1] < battery.final_soc - rounding:
        raise BrokenPlanError(f"{house.name}: the battery ends at {soc[-1]:.6f}, below its final charge")
    load = house.base_load_kw + np.sum([appliance_kw[a.name] for a in house.appliances], axis=0)
    net = load - house.pv_kw - battery_kw
    bought = house.tariff.import_eur_per_kwh @ np.maximum(net, 0.0)
    sold = house.tariff.export_eur_per_kwh @ np.maximum(-net, 0.0)
    wear = battery.wear_eur_per_kwh * np.abs(battery_kw).sum()
    return float(dt * (bought - sold + wear))
