"""What a plan says in words and figures, the same in the terminal and on its page."""

from __future__ import annotations

import numpy as np

from otaniemi.optimizer.devices.thermal import ThermalLoad
from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.house import House
from otaniemi.optimizer.savings import Savings
from otaniemi.optimizer.schedule import Schedule
from otaniemi.optimizer.stochastic import StochasticValue

_COST_PARTS = {
    "grid_import": "bought from the grid",
    "grid_export": "sold to the grid",
    "battery_wear": "battery wear",
    "ev_wear": "car wear",
    "peak": "highest power",
}
_NAMES = {"ev": "electric car", "pv": "PV", "load": "base load"}


def device_name(field: str) -> str:
    """What a device is called, from its field in the house file."""
    return _NAMES.get(field, field.replace("_", " "))


def status_words(schedule: Schedule) -> str:
    """How good the plan is known to be."""
    if schedule.method == "lp":
        return "relaxation: a lower bound, no plan to run"
    if schedule.status == "optimal":
        return "proven cheapest"
    return f"at most {max(schedule.gap_eur, 0.0):.2f} EUR above the cheapest"


def clock(house: House, slot: int) -> str:
    """Time of day at the start of a slot of a plan that begins at midnight; "+1d" on the day after."""
    minutes = round(slot * house.slot_hours * 60)
    days, minutes = divmod(minutes, 1440)
    if days and minutes == 0:
        days, minutes = days - 1, 1440
    return f"{minutes // 60:02d}:{minutes % 60:02d}" + (f" +{days}d" if days else "")


def span(house: House, start: int, end: int) -> str:
    """From the start of a slot to that of another."""
    return f"{clock(house, start)} - {clock(house, end)}"


def cost_rows(schedule: Schedule, alone: Schedule | None) -> list[tuple[str, float, float | None]]:
    """Part, cost of the plan, cost without a HEMS; parts that neither has are left out. [EUR]"""
    rows = []
    for part, words in _COST_PARTS.items():
        own, other = getattr(schedule.cost, part), None if alone is None else getattr(alone.cost, part)
        if abs(own) > 5e-7 or abs(other or 0.0) > 5e-7:
            rows.append((words, own, other))
    return [*rows, ("total", schedule.cost_eur, None if alone is None else alone.cost_eur)]


def gap_words(schedule: Schedule, savings: Savings | None) -> str:
    """How far above the cheapest plan this one can be."""
    words = f"{max(schedule.gap_eur, 0.0):z.4f} EUR"
    if savings is not None and savings.alone.cost_eur > 0.0:
        share = max(schedule.gap_eur, 0.0) / savings.alone.cost_eur
        words += f" ({100 * share:z.2f} % of the cost without a HEMS)"
    return words


def scenario_rows(value: StochasticValue) -> list[tuple[str, str]]:
    """Expected costs by what a plan knows, and what that is worth. [EUR]"""

    def euros(cost: float) -> str:
        return f"{cost:z.4f}" if cost < float("inf") else "beyond the import limit"

    return [
        ("planned for all scenarios", f"{euros(value.rp_eur)}, gap {value.gap_eur:z.4f}"),
        ("planned for the mean day, as comfortable", euros(value.eev_eur)),
        ("planned with the scenario known", euros(value.ws_eur)),
        ("worth of planning with scenarios", euros(value.vss_eur)),
        ("worth of knowing the scenario", euros(value.evpi_eur)),
    ]


def device_rows(house: House, schedule: Schedule) -> list[tuple[str, str]]:
    """Every device and what it does."""
    rows = []
    for appliance in house.appliances:
        if appliance.name in schedule.starts:
            start = schedule.starts[appliance.name]
            runs = span(house, start, start + appliance.run_slots(house.slot_hours))
            rows.append((appliance.name, f"{runs}, {appliance.rated_kw * appliance.hours:.1f} kWh"))
    for load in house.thermal_loads:
        rows.append((device_name(load.name), _thermal_words(house, load, schedule)))
    if house.battery:
        soc = schedule.battery_soc
        moved = _moved(house, schedule.battery_charge_kw, schedule.battery_discharge_kw)
        rows.append(
            (
                "battery",
                f"{moved}, {100 * soc.min():.0f} to {100 * soc.max():.0f} %, ends at {100 * soc[-1]:.0f} %",
            )
        )
    for session in house.ev.sessions if house.ev else ():
        stay = slice(session.arrival_slot, session.departure_slot)
        moved = _moved(house, schedule.ev_charge_kw[stay], schedule.ev_discharge_kw[stay])
        reached = schedule.ev_soc[session.departure_slot - 1]
        times = span(house, session.arrival_slot, session.departure_slot)
        rows.append(
            ("electric car", f"{times}: {moved}, {100 * session.initial_soc:.0f} % to {100 * reached:.0f} %")
        )
    if house.pv_kw.any():
        rows.append(("PV", sun_words(house, schedule)))
    return rows


def sun_kwh(house: House) -> Floats:
    """Expected sun of every slot, shape (slots,). [kWh]"""
    factor = sum(scenario.probability * scenario.pv_factor for scenario in house.scenarios)
    return factor * house.pv_kw * house.slot_hours


def sun_words(house: House, schedule: Schedule) -> str:
    """How much of the sun is used."""
    used, there = float(schedule.pv_used_kw.sum()) * house.slot_hours, float(sun_kwh(house).sum())
    return f"{used:.1f} of {there:.1f} kWh used"


def thermal_kw(load: ThermalLoad, schedule: Schedule) -> Floats:
    """Power of a thermal device in every slot, shape (slots,); a level of a relaxation lies between whole ones. [kW]"""
    return np.asarray(np.interp(schedule.levels[load.name], np.arange(load.level_kw.size), load.level_kw))


def _thermal_words(house: House, load: ThermalLoad, schedule: Schedule) -> str:
    power, temperature = thermal_kw(load, schedule), schedule.temperatures_c[load.name]
    hours = float(np.minimum(schedule.levels[load.name], 1.0).sum()) * house.slot_hours
    energy = float(power.sum()) * house.slot_hours
    return f"{hours:.1f} h on, {energy:.1f} kWh, {temperature.min():.1f} to {temperature.max():.1f} °C"


def _moved(house: House, charge: Floats, discharge: Floats) -> str:
    into, out = float(charge.sum()) * house.slot_hours, float(discharge.sum()) * house.slot_hours
    return f"{into:.1f} kWh in, {out:.1f} kWh out"
