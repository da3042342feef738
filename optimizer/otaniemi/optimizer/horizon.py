"""Where a day should end: stores filled and rooms conditioned as the day after wants them.

A plan that ends at midnight leaves the battery as empty and the tank as cold as it may. What a stored kWh is worth then
is what tomorrow saves by it; the best place to end is where that equals what it costs today. The linear program of
both days finds that place, and today's plan is held to it by `final_soc` and `final_c`. No price is invented, so a plan
re-costs as before. Docs: docs/model.md, "End of the horizon".
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from otaniemi.optimizer.devices.appliance import Appliance
from otaniemi.optimizer.devices.thermal import ThermalDevice, ThermalLoad
from otaniemi.optimizer.devices.vehicle import ElectricVehicle
from otaniemi.optimizer.errors import HouseDataError
from otaniemi.optimizer.house import House, Tariff
from otaniemi.optimizer.plan import plan


def ending_for(today: House, tomorrow: House) -> House:
    """The house of today, held to end the day as the cheapest two days would.

    Parameters
    ----------
    today, tomorrow : House
        The same home; tomorrow as expected, its first states of charge and temperatures do not matter.

    Returns
    -------
    House
        With `final_soc` of the battery and `final_c` of every thermal device at the midnight of the relaxation of both
        days (method "lp"). A device that runs at whole levels cannot end at a given temperature, so its end may fall
        short by half of what a slot at full power changes, and is far enough inside the band to be reached.

    Raises
    ------
    HouseDataError
        Houses that are not the same home.
    InfeasibleHouseError
        Two days whose limits cannot hold together.
    """
    both = plan(joined(today, tomorrow), "lp")
    midnight = today.slots - 1
    battery = today.battery
    if battery is not None:
        soc = float(np.clip(both.battery_soc[midnight], battery.min_soc, battery.max_soc))
        battery = replace(battery, final_soc=soc)
    thermal = tuple(
        replace(device, final_c=_reachable(device, load, float(both.temperatures_c[device.field][midnight])))
        for device, load in zip(today.thermal, today.thermal_loads, strict=True)
    )
    return replace(today, battery=battery, thermal=thermal)


def joined(today: House, tomorrow: House) -> House:
    """Both days of a home as one horizon; tomorrow's appliances are called "... (tomorrow)".

    Raises
    ------
    HouseDataError
        Houses that are not the same home.
    """
    for name in ("slot_hours", "import_limit_kw", "export_limit_kw", "scenarios"):
        ours, theirs = getattr(today, name), getattr(tomorrow, name)
        if ours != theirs:
            raise HouseDataError(f"field '{name}' of tomorrow is {theirs}; {ours} as today is needed")
    if [device.field for device in today.thermal] != [device.field for device in tomorrow.thermal]:
        raise HouseDataError("tomorrow's thermal devices are not today's")
    outdoor = None
    if today.outdoor_c is not None and tomorrow.outdoor_c is not None:
        outdoor = np.concatenate([today.outdoor_c, tomorrow.outdoor_c])
    hours = today.slots * today.slot_hours
    later = tuple(
        Appliance(f"{a.name} (tomorrow)", a.rated_kw, a.hours, a.earliest_h + hours, a.latest_h + hours)
        for a in tomorrow.appliances
    )
    battery = today.battery
    if battery is not None and tomorrow.battery is not None:
        battery = replace(battery, final_soc=tomorrow.battery.final_soc)
    return House(
        name=today.name,
        slots=today.slots + tomorrow.slots,
        slot_hours=today.slot_hours,
        tariff=Tariff(
            np.concatenate([today.tariff.import_eur_per_kwh, tomorrow.tariff.import_eur_per_kwh]),
            np.concatenate([today.tariff.export_eur_per_kwh, tomorrow.tariff.export_eur_per_kwh]),
            today.tariff.peak_eur_per_kw,
        ),
        base_load_kw=np.concatenate([today.base_load_kw, tomorrow.base_load_kw]),
        pv_kw=np.concatenate([today.pv_kw, tomorrow.pv_kw]),
        outdoor_c=outdoor,
        appliances=today.appliances + later,
        thermal=tuple(map(_joined_device, today.thermal, tomorrow.thermal)),
        ev=_joined_vehicle(today, tomorrow),
        battery=battery,
        import_limit_kw=today.import_limit_kw,
        export_limit_kw=today.export_limit_kw,
        scenarios=today.scenarios,
    )


def _joined_device(today: ThermalDevice, tomorrow: ThermalDevice) -> ThermalDevice:
    amounts: dict[str, Any] = {
        name: np.concatenate([getattr(today, name), getattr(tomorrow, name)]) for name in today.amounts
    }
    return replace(today, final_c=tomorrow.final_c, **amounts)


def _joined_vehicle(today: House, tomorrow: House) -> ElectricVehicle | None:
    if today.ev is None or tomorrow.ev is None:
        return today.ev
    later = tuple(
        replace(
            stay,
            arrival_slot=stay.arrival_slot + today.slots,
            departure_slot=stay.departure_slot + today.slots,
        )
        for stay in tomorrow.ev.sessions
    )
    return replace(today.ev, sessions=today.ev.sessions + later)


def _reachable(device: ThermalDevice, load: ThermalLoad, wanted_c: float) -> float:
    """A temperature to end at that whole levels can keep to."""
    step = float(np.abs(load.effect[-1]).max())
    if load.effect.min() < 0.0:
        return min(max(wanted_c + step / 2, device.min_c + step), device.max_c)
    return max(min(wanted_c - step / 2, device.max_c - step), device.min_c)
