"""The rules of the house file once more, slot by slot, to judge plans without trusting the optimizer."""

from __future__ import annotations

import math
from typing import Any

SAME = 1e-6


def recost(house: dict[str, Any], plan: dict[str, Any]) -> float:
    """Cost of a plan from its powers alone. [EUR]"""
    dt = house["slot_hours"]
    battery_wear = house["battery"]["wear_eur_per_kwh"] if house.get("battery") else 0.0
    ev_wear = house["ev"]["wear_eur_per_kwh"] if house.get("ev") else 0.0
    cost = 0.0
    for t in range(house["slots"]):
        cost += dt * house["tariff"]["import_eur_per_kwh"][t] * plan["import_kw"][t]
        cost -= dt * house["tariff"]["export_eur_per_kwh"][t] * plan["export_kw"][t]
        cost += dt * battery_wear * (plan["battery_charge_kw"][t] + plan["battery_discharge_kw"][t])
        cost += dt * ev_wear * plan["ev_discharge_kw"][t]
    return cost


def faults(house: dict[str, Any], plan: dict[str, Any], exclusive: bool = True) -> list[str]:
    """Rules of the house file that a plan breaks; empty when it keeps them all.

    `exclusive` False leaves out "never both in one slot", which relaxations may break.
    """
    slots, dt = house["slots"], house["slot_hours"]
    running = [0.0] * slots
    found: list[str] = []

    def claim(holds: bool, text: str) -> None:
        if not holds:
            found.append(text)

    claim(
        set(plan["starts"]) == {a["name"] for a in house.get("appliances", [])}, "every appliance starts once"
    )
    for appliance in house.get("appliances", []):
        start = plan["starts"].get(appliance["name"], -1)
        length = round(appliance["hours"] / dt)
        claim(start * dt >= appliance["earliest_h"] - SAME, f"{appliance['name']} starts too early")
        claim((start + length) * dt <= appliance["latest_h"] + SAME, f"{appliance['name']} ends too late")
        for t in range(start, start + length):
            running[t] += appliance["rated_kw"]
    ev = house.get("ev")
    battery = house.get("battery")
    power = {
        "battery": battery["power_kw"] if battery else 0.0,
        "ev": ev["power_kw"] if ev else 0.0,
    }
    home_slots = {
        t for s in (ev or {}).get("sessions", []) for t in range(s["arrival_slot"], s["departure_slot"])
    }
    for t in range(slots):
        flow = {key: plan[f"{key}_kw"][t] for key in FLOWS}
        load = house["base_load_kw"][t] + running[t]
        for key, value in flow.items():
            claim(value >= 0.0 and math.isfinite(value), f"slot {t}: {key} is {value}")
        brought = flow["import"] + flow["pv_used"] + flow["battery_discharge"] + flow["ev_discharge"]
        taken = load + flow["battery_charge"] + flow["ev_charge"] + flow["export"]
        claim(abs(brought + plan["traded_kw"][t] - taken) < SAME, f"slot {t}: balance")
        claim(flow["pv_used"] <= house["pv_kw"][t] + SAME, f"slot {t}: more sun than there is")
        for device, limit in power.items():
            both = flow[f"{device}_charge"], flow[f"{device}_discharge"]
            claim(max(both) <= limit + SAME, f"slot {t}: {device} power")
            claim(min(both) < SAME or not exclusive, f"slot {t}: {device} charges and discharges")
        claim(min(flow["import"], flow["export"]) < SAME or not exclusive, f"slot {t}: imports and exports")
        claim(
            t in home_slots or flow["ev_charge"] + flow["ev_discharge"] < SAME, f"slot {t}: vehicle is away"
        )
        for name, key in (("import_limit_kw", "import"), ("export_limit_kw", "export")):
            limit = house.get(name)
            claim(limit is None or flow[key] <= limit + SAME, f"slot {t}: {name}")
        if flow["ev_discharge"] > SAME:
            sold = max(-plan["traded_kw"][t], 0.0) if ev["v2h"] == "sell" else 0.0
            claim(ev["v2h"] != "no", f"slot {t}: vehicle discharges")
            claim(flow["ev_discharge"] <= load + sold + SAME, f"slot {t}: vehicle beyond load and sale")
            own = flow["pv_used"] + flow["battery_discharge"] + max(plan["traded_kw"][t], 0.0)
            claim(flow["export"] <= own + SAME, f"slot {t}: vehicle energy into the grid")
    if battery:
        _store(claim, "battery", battery, plan, dt, 0, slots, battery["initial_soc"], battery["final_soc"])
    for session in (ev or {}).get("sessions", []):
        stay = session["arrival_slot"], session["departure_slot"]
        _store(claim, "ev", ev, plan, dt, *stay, session["initial_soc"], session["target_soc"])
    return found


FLOWS = (
    "import",
    "export",
    "pv_used",
    "battery_charge",
    "battery_discharge",
    "ev_charge",
    "ev_discharge",
)


def _store(claim, name, device, plan, dt, start, end, soc, target) -> None:
    capacity = device["capacity_kwh"]
    for t in range(start, end):
        stored = soc * capacity + dt * device["charge_efficiency"] * plan[f"{name}_charge_kw"][t]
        stored -= dt * plan[f"{name}_discharge_kw"][t] / device["discharge_efficiency"]
        soc = plan[f"{name}_soc"][t]
        claim(abs(stored - soc * capacity) < SAME, f"slot {t}: {name} charge does not follow")
        low, high = device.get("min_soc", 0.0), device.get("max_soc", 1.0)
        claim(low - SAME <= soc <= high + SAME, f"slot {t}: {name} charge {soc}")
    claim(soc >= target - SAME, f"{name} ends at {soc}, not {target}")
