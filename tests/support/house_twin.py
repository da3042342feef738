"""The equations of the house file once more, slot by slot in plain floats: the judge of every plan.

Nothing here comes from the optimizer. A house and a plan are the JSON objects of their files; powers in kW on the
AC side, energy in kWh, temperatures in °C, money in EUR.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]
SAME = 1e-6
"""Largest difference that rounding may leave."""

FLOWS = (
    "import_kw",
    "export_kw",
    "pv_used_kw",
    "battery_charge_kw",
    "battery_discharge_kw",
    "ev_charge_kw",
    "ev_discharge_kw",
)


@dataclass(frozen=True)
class Finding:
    """One broken equation: which, in which slot (None: the whole day), and by how much in its own unit."""

    equation: str
    slot: int | None
    by: float


@dataclass(frozen=True)
class Verdict:
    """What a plan breaks, and what it costs by its powers alone. [EUR]"""

    findings: list[Finding]
    cost_eur: float


@dataclass(frozen=True)
class Thermal:
    """A kind of device with a temperature.

    `level_kw` gives the power of every level of a device; `step(house, device, slot, temperature, level,
    outdoor_offset)` the temperature at the end of a slot. A level between two whole ones is a mix of them.
    """

    states: str
    temperature: str
    level_kw: Callable[[Json], list[float]]
    step: Callable[[Json, Json, int, float, int, float], float]


THERMAL: dict[str, Thermal] = {}
"""Kinds of thermal devices by their field in the house file."""


def _room(house: Json, device: Json, slot: int, before: float, level: int, offset: float) -> float:
    resistance = device["resistance_k_per_kw"]
    a = math.exp(-house["slot_hours"] / (resistance * device["capacity_kwh_per_k"]))
    outside = house["outdoor_c"][slot] + offset
    cooling = resistance * device["cop"] * device["rated_kw"] * level
    return a * before + (1 - a) * (outside + resistance * device.get("gain_kw", 0.0)) - (1 - a) * cooling


def _tank(house: Json, device: Json, slot: int, before: float, level: int, offset: float) -> float:
    del offset
    resistance = device["resistance_k_per_kw"]
    capacity = device.get("capacity_kwh_per_k") or 1.163e-3 * device["volume_l"]
    a = math.exp(-house["slot_hours"] / (resistance * capacity))
    f = 1 - device["draw_l"][slot] / device["volume_l"]
    heated = a * before + (1 - a) * (device["ambient_c"] + resistance * device["rated_kw"] * level)
    return f * heated + (1 - f) * device["inlet_c"]


def _heated(house: Json, device: Json, slot: int, before: float, level: int, offset: float) -> float:
    resistance = device["resistance_k_per_kw"]
    a = math.exp(-house["slot_hours"] / (resistance * device["capacity_kwh_per_k"]))
    outside = house["outdoor_c"][slot] + offset
    heat = (0.0, device["part_kw"] * device["part_cop"], device["full_kw"] * device["full_cop"])[level]
    return a * before + (1 - a) * (outside + resistance * (device.get("gain_kw", 0.0) + heat))


THERMAL["heat_pump"] = Thermal(
    "heat_pump_level", "heated_c", lambda device: [0.0, device["part_kw"], device["full_kw"]], _heated
)


def _heated(house: Json, device: Json, slot: int, before: float, level: int, offset: float) -> float:
    resistance = device["resistance_k_per_kw"]
    a = math.exp(-house["slot_hours"] / (resistance * device["capacity_kwh_per_k"]))
    heat = [0.0, device["part_cop"] * device["part_kw"], device["full_cop"] * device["full_kw"]][level]
    outside = house["outdoor_c"][slot] + offset
    return a * before + (1 - a) * (outside + resistance * (device.get("gain_kw", 0.0) + heat))


THERMAL["air_conditioner"] = Thermal("ac_on", "room_c", lambda device: [0.0, device["rated_kw"]], _room)
THERMAL["water_heater"] = Thermal("heater_on", "tank_c", lambda device: [0.0, device["rated_kw"]], _tank)

THERMAL["heat_pump"] = Thermal(
    "heat_pump_level", "heated_c", lambda device: [0.0, device["part_kw"], device["full_kw"]], _heated
)


def thermal_of(house: Json) -> dict[str, Thermal]:
    """The thermal devices that a house has."""
    return {name: kind for name, kind in THERMAL.items() if house.get(name)}


def scenarios_of(house: Json) -> list[dict[str, float]]:
    """The scenarios of a house, each with all of its fields."""
    usual = {"probability": 1.0, "outdoor_offset_c": 0.0, "pv_factor": 1.0}
    return [usual | scenario for scenario in house.get("scenarios") or [{}]]


def of_case(house: Json, case: int | None) -> dict[str, Any]:
    """The house with what a case leaves it; the battery rule of case 2 is no field and judged apart."""
    changed = dict(house)
    if case is None:
        return changed
    if house.get("ev"):
        changed["ev"] = house["ev"] | {"v2h": "home" if case == 4 else "no"}
    if case <= 2:
        changed["export_limit_kw"] = 0.0
    if case == 1:
        changed |= {"battery": None, "pv_kw": [0.0] * house["slots"]}
    return changed


def judge(house: Json, plan: Json, relaxed: bool = False) -> Verdict:
    """Everything that a plan breaks in the house (and case) that it is for, and its cost.

    Parameters
    ----------
    house, plan : JSON objects of the house file and of the plan file
    relaxed : bool
        Judge a relaxation: states may be parts, appliances need no starts (`appliance_kw` and `thermal_kw` are
        believed), and two opposite flows may share a slot.
    """
    judged = of_case(house, plan.get("case"))
    found = _Findings()
    load = _appliances(judged, plan, relaxed, found)
    heat = _temperatures(judged, plan, relaxed, found)
    found.same_series("appliance_kw", plan, load)
    if relaxed:
        heat = list(plan.get("thermal_kw") or heat)
    found.same_series("thermal_kw", plan, heat)
    scenarios = scenarios_of(judged)
    days = plan.get("scenarios") or [plan]
    if len(days) != len(scenarios):
        found.add("one day per scenario", None, len(scenarios) - len(days))
        return Verdict(found.items, math.nan)
    cost = 0.0
    for scenario, day in zip(scenarios, days, strict=True):
        if not _is_complete(judged, day, found):
            return Verdict(found.items, math.nan)
        _day(judged, day, plan, scenario["pv_factor"], load, heat, relaxed, found)
        cost += scenario["probability"] * day_cost(judged, day, plan.get("traded_kw"))
    if plan.get("scenarios"):
        for name in FLOWS:
            mean = [
                sum(s["probability"] * day[name][t] for s, day in zip(scenarios, days, strict=True))
                for t in range(judged["slots"])
            ]
            found.same_series(name, plan, mean)
    return Verdict(found.items, cost)


@dataclass
class _Findings:
    items: list[Finding] = field(default_factory=list)

    def add(self, equation: str, slot: int | None, by: float) -> None:
        self.items.append(Finding(equation, slot, by))

    def at_most(self, equation: str, slot: int | None, value: float, limit: float) -> None:
        if not value <= limit + SAME:
            self.add(equation, slot, value - limit)

    def equal(self, equation: str, slot: int | None, value: float, other: float) -> None:
        if not abs(value - other) <= SAME:
            self.add(equation, slot, value - other)

    def same_series(self, name: str, plan: Json, values: list[float]) -> None:
        """A series of the plan, where it has it, is what it should be."""
        for t, (stated, value) in enumerate(zip(plan.get(name) or values, values, strict=True)):
            self.equal(name, t, stated, value)


def _is_complete(house: Json, day: Json, found: _Findings) -> bool:
    """Whether every flow has a finite number of at least 0 for every slot."""
    before = len(found.items)
    for name in FLOWS:
        values = day.get(name)
        if values is None or len(values) != house["slots"]:
            found.add(f"{name} has one number per slot", None, math.nan)
            continue
        for t, value in enumerate(values):
            if not isinstance(value, (int, float)) or not math.isfinite(value):
                found.add(f"{name} is finite", t, math.nan)
            elif value < 0:
                found.add(f"{name} >= 0", t, -value)
    return not any(math.isnan(item.by) for item in found.items[before:])


def _appliances(house: Json, plan: Json, relaxed: bool, found: _Findings) -> list[float]:
    """Power of all appliances. [kW]"""
    slots, dt = house["slots"], house["slot_hours"]
    if relaxed and house.get("appliances"):
        wanted = sum(a["rated_kw"] * a["hours"] for a in house["appliances"])
        found.equal("energy of the appliances", None, dt * sum(plan["appliance_kw"]), wanted)
        return list(plan["appliance_kw"])
    load = [0.0] * slots
    starts = dict(plan.get("starts") or {})
    for appliance in house.get("appliances") or []:
        name = appliance["name"]
        start = starts.pop(name, None)
        if not isinstance(start, int) or isinstance(start, bool):
            found.add(f"{name} starts once", None, math.nan)
            continue
        end = start + round(appliance["hours"] / dt)
        found.at_most(f"{name} starts in its window", start, appliance["earliest_h"], start * dt)
        found.at_most(f"{name} ends in its window", start, end * dt, appliance["latest_h"])
        if start < 0 or end > slots:
            found.add(f"{name} runs within the day", start, max(-start, end - slots))
        for t in range(max(start, 0), min(end, slots)):
            load[t] += appliance["rated_kw"]
    for name, start in starts.items():
        found.add(f"{name} is an appliance of the house", start, math.nan)
    return load


def next_temperature(house: Json, name: str, slot: int, before: float, level: float, offset: float) -> float:
    """Temperature of a thermal device at the end of a slot; part levels mix the two levels around them. [°C]"""
    step, device, low = THERMAL[name].step, house[name], math.floor(level)
    share = level - low
    whole = step(house, device, slot, before, low, offset)
    return whole + share * (step(house, device, slot, before, low + 1, offset) - whole) if share else whole


def temperatures(house: Json, name: str, levels: list[float], offset: float = 0.0) -> list[float]:
    """Temperature of a thermal device at the end of every slot, at a changed outdoor temperature. [°C]"""
    found: list[float] = []
    for t, level in enumerate(levels):
        before = found[-1] if found else house[name]["initial_c"]
        found.append(next_temperature(house, name, t, before, level, offset))
    return found


def _temperatures(house: Json, plan: Json, relaxed: bool, found: _Findings) -> list[float]:
    """Power of all thermal devices [kW]; every scenario's temperature is judged."""
    slots = house["slots"]
    heat = [0.0] * slots
    scenarios = scenarios_of(house)
    expected = sum(s["probability"] * s["outdoor_offset_c"] for s in scenarios)
    for name, kind in thermal_of(house).items():
        device, powers = house[name], kind.level_kw(house[name])
        levels = plan.get(kind.states)
        if levels is None or len(levels) != slots:
            found.add(f"{kind.states} has one level per slot", None, math.nan)
            continue
        for t, level in enumerate(levels):
            whole = isinstance(level, int) and not isinstance(level, bool)
            if not (whole or relaxed) or not 0 <= level <= len(powers) - 1:
                found.add(f"{kind.states} is a level of the device", t, math.nan)
                return heat
            low = math.floor(level)
            high = min(low + 1, len(powers) - 1)
            heat[t] += powers[low] + (level - low) * (powers[high] - powers[low])
        if relaxed and len(powers) > 2:
            # A mix of three levels is not known by its mean; its band is judged by the temperature as stated.
            for t, value in enumerate(plan[kind.temperature]):
                found.at_most(f"{kind.temperature} >= min_c", t, device["min_c"], value)
                found.at_most(f"{kind.temperature} <= max_c", t, value, device["max_c"])
            continue
        for t, value in enumerate(temperatures(house, name, levels, expected)):
            stated = (plan.get(kind.temperature) or [math.nan] * slots)[t]
            found.equal(f"{kind.temperature} follows its equation", t, stated, value)
        for scenario in scenarios:
            values = temperatures(house, name, levels, scenario["outdoor_offset_c"])
            for t, value in enumerate(values):
                found.at_most(f"{kind.temperature} >= min_c", t, device["min_c"], value)
                found.at_most(f"{kind.temperature} <= max_c", t, value, device["max_c"])
    return heat


def _day(
    house: Json,
    day: Json,
    plan: Json,
    pv_factor: float,
    load: list[float],
    heat: list[float],
    relaxed: bool,
    found: _Findings,
) -> None:
    """One scenario's energy flows."""
    slots = house["slots"]
    battery, ev = house.get("battery"), house.get("ev")
    v2h = ev.get("v2h", "no") if ev else "no"
    stays = [range(s["arrival_slot"], s["departure_slot"]) for s in ev["sessions"]] if ev else []
    pv = house.get("pv_kw") or [0.0] * slots
    for t in range(slots):
        bought, sold = day["import_kw"][t], day["export_kw"][t]
        charge, discharge = day["battery_charge_kw"][t], day["battery_discharge_kw"][t]
        ev_charge, ev_discharge = day["ev_charge_kw"][t], day["ev_discharge_kw"][t]
        traded = (plan.get("traded_kw") or [0.0] * slots)[t]
        home = house["base_load_kw"][t] + load[t] + heat[t]
        brought = bought + day["pv_used_kw"][t] + discharge + ev_discharge + traded
        found.equal("balance", t, brought, home + charge + ev_charge + sold)
        found.at_most("pv_used <= pv", t, day["pv_used_kw"][t], pv_factor * pv[t])
        for name, power in (("import_limit_kw", bought), ("export_limit_kw", sold)):
            if house.get(name) is not None:
                found.at_most(name, t, power, house[name])
        for name, device, flows in (
            ("battery", battery, (charge, discharge)),
            ("ev", ev if any(t in stay for stay in stays) else None, (ev_charge, ev_discharge)),
        ):
            found.at_most(f"{name} within its power", t, max(flows), device["power_kw"] if device else 0.0)
            if not relaxed:
                found.at_most(f"{name} not both ways", t, min(flows), 0.0)
        if not relaxed:
            found.at_most("grid not both ways", t, min(bought, sold), 0.0)
        if plan.get("case") == 2:
            found.at_most(
                "case 2: stores PV only", t, charge, max(pv_factor * pv[t] - house["base_load_kw"][t], 0)
            )
            if not relaxed:
                found.at_most("case 2: stores without import", t, min(charge, bought), 0.0)
        if v2h == "no":
            found.at_most("v2h: no", t, ev_discharge, 0.0)
        else:
            trade_sold = max(-traded, 0.0) if v2h == "sell" else 0.0
            found.at_most(f"v2h: {v2h}, ev_discharge", t, ev_discharge, home + trade_sold)
        own = day["pv_used_kw"][t] + discharge + max(traded, 0.0)
        found.at_most("v2h: export", t, sold, own)
    if battery:
        _store("battery", battery, house, day, range(slots), "initial_soc", "final_soc", battery, found)
    for stay, session in zip(stays, ev["sessions"] if ev else [], strict=True):
        _store("ev", ev, house, day, stay, "initial_soc", "target_soc", session, found)
    for name, present in (
        ("battery_soc", range(slots) if battery else []),
        ("ev_soc", [t for stay in stays for t in stay]),
    ):
        for t in set(range(slots)) - set(present):
            if (day.get(name) or [None] * slots)[t] is not None:
                found.add(f"{name} is absent", t, math.nan)


def _store(
    name: str,
    device: Json,
    house: Json,
    day: Json,
    stay: range,
    first: str,
    last: str,
    terms: Json,
    found: _Findings,
) -> None:
    """State of charge over a stay; the stated one is followed from slot to slot, so that faults do not add up."""
    capacity, dt = device["capacity_kwh"], house["slot_hours"]
    soc = terms[first]
    for t in stay:
        energy = soc * capacity + device.get("charge_efficiency", 1.0) * dt * day[f"{name}_charge_kw"][t]
        energy -= dt * day[f"{name}_discharge_kw"][t] / device.get("discharge_efficiency", 1.0)
        stated = (day.get(f"{name}_soc") or [None] * house["slots"])[t]
        if stated is None or not math.isfinite(stated):
            found.add(f"{name}_soc is stated", t, math.nan)
            return
        found.equal(f"{name} energy", t, stated * capacity, energy)
        found.at_most(f"{name}_soc >= min_soc", t, device.get("min_soc", 0.0), stated)
        found.at_most(f"{name}_soc <= max_soc", t, stated, device.get("max_soc", 1.0))
        soc = stated
    found.at_most(f"{name}_soc >= {last}", stay[-1], terms[last], soc)


def day_cost(house: Json, day: Json, traded_kw: list[float] | None = None) -> float:
    """Cost of one scenario's flows: energy at retail prices, wear, and the peak at the meter. [EUR]"""
    dt, tariff = house["slot_hours"], house["tariff"]
    battery, ev = house.get("battery") or {}, house.get("ev") or {}
    cost, peak = 0.0, 0.0
    for t in range(house["slots"]):
        cost += dt * tariff["import_eur_per_kwh"][t] * day["import_kw"][t]
        cost -= dt * tariff["export_eur_per_kwh"][t] * day["export_kw"][t]
        moved = day["battery_charge_kw"][t] + day["battery_discharge_kw"][t]
        cost += dt * battery.get("wear_eur_per_kwh", 0.0) * moved
        cost += dt * ev.get("wear_eur_per_kwh", 0.0) * day["ev_discharge_kw"][t]
        peak = max(peak, day["import_kw"][t] - day["export_kw"][t] + (traded_kw[t] if traded_kw else 0.0))
    return float(cost + tariff.get("peak_eur_per_kw", 0.0) * peak)
