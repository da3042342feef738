"""Random houses of all kinds in the format of the house file, each with a plan that shows it is feasible.

The plan is a thermostat's: it switches at the edges of the comfort band, appliances start at once, the car charges
evenly over its stay, PV and battery stand still. Bands are widened to what the thermostat reaches in every
scenario, and import limits leave room for the plan, so that every house is feasible by construction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from .house_twin import FLOWS, Json, day_cost, next_temperature, scenarios_of, temperatures, thermal_of

House = dict[str, Any]
DEVICES = ("air_conditioner", "water_heater", "heat_pump", "appliances", "ev", "battery", "pv")
OFTEN = dict.fromkeys(DEVICES, 0.7) | {"heat_pump": 0.3}
KINDS = ("scenarios", "negative", "feed_in_above", "import_limit", "export_limit", "peak")
"""What makes a house harder: several scenarios, negative prices, feed-in above the import price, ..."""

SLOT_HOURS = (0.1, 0.2, 0.25, 0.5, 1.0)


@dataclass(frozen=True)
class RandomHouse:
    """A house, and a plan that keeps all of its limits."""

    house: House
    witness: dict[str, Any]


def random_house(
    seed: int,
    slots: int | None = None,
    slot_hours: float | None = None,
    devices: tuple[str, ...] | None = None,
    kinds: tuple[str, ...] | None = None,
    v2h: str | None = None,
) -> RandomHouse:
    """A feasible house; devices and kinds that are not given are drawn. Equal seeds give equal houses."""
    rng = np.random.default_rng(seed)
    count = slots or int(rng.integers(6, 121))
    dt = slot_hours or float(rng.choice([h for h in SLOT_HOURS if h * count <= 36]))
    has = devices if devices is not None else tuple(d for d in DEVICES if rng.random() < OFTEN[d])
    hard = kinds if kinds is not None else tuple(k for k in KINDS if rng.random() < 0.3)
    hours = (rng.integers(0, 24) + dt * (np.arange(count) + 0.5)) % 24
    house: House = {
        "name": f"random {seed}",
        "slots": count,
        "slot_hours": dt,
        "tariff": _tariff(rng, hours, hard),
        "base_load_kw": _rounded(0.2 + rng.gamma(1.5, 0.3, count)),
        "pv_kw": [0.0] * count,
        "outdoor_c": _rounded(rng.uniform(24, 32) + 5 * np.cos(2 * np.pi * (hours - 16) / 24)),
    }
    if "pv" in has:
        sun = np.maximum(np.sin(np.pi * (hours - 6) / 12), 0.0) * (hours > 6) * (hours < 18)
        house["pv_kw"] = _rounded(rng.uniform(1, 6) * sun * rng.uniform(0.3, 1.0, count))
    if "scenarios" in hard:
        weights = rng.dirichlet(np.ones(int(rng.integers(2, 5))))
        house["scenarios"] = [
            {
                "probability": float(p),
                "outdoor_offset_c": round(float(rng.normal(0.0, 1.0)), 2),
                "pv_factor": round(float(rng.uniform(0.3, 1.3)), 2),
            }
            for p in weights
        ]
    if "air_conditioner" in has:
        house["air_conditioner"] = _air_conditioner(rng)
    if "water_heater" in has:
        house["water_heater"] = _water_heater(rng, count, dt)
    if "heat_pump" in has:
        house["heat_pump"] = _heat_pump(rng, float(np.mean(house["outdoor_c"])))
    if "appliances" in has:
        house["appliances"] = _appliances(rng, count, dt)
    if "battery" in has:
        house["battery"] = _store(rng) | {"initial_soc": 0.5, "final_soc": float(rng.choice([0.2, 0.4, 0.5]))}
    if "ev" in has:
        house["ev"] = _ev(rng, count, dt, v2h)
    levels = {name: _thermostat(house, name) for name in thermal_of(house)}
    witness = _witness(house, levels)
    if "import_limit" in hard:
        house["import_limit_kw"] = round(float(max(witness["import_kw"]) * rng.uniform(1.0, 1.3)) + 1e-3, 3)
    if "export_limit" in hard:
        house["export_limit_kw"] = round(float(rng.uniform(0.0, 2.0)), 2)
    return RandomHouse(house, witness)


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 4) for value in values]


def _tariff(rng: np.random.Generator, hours: np.ndarray, hard: tuple[str, ...]) -> House:
    bought = 0.15 + 0.1 * np.cos(2 * np.pi * (hours - 19) / 12) + 0.05 * rng.standard_normal(hours.size)
    bought = bought - 0.15 if "negative" in hard else np.maximum(bought, 0.02)
    sold = bought - rng.uniform(0.01, 0.12) * rng.uniform(0.5, 1.0, hours.size)
    if "feed_in_above" in hard:
        sold = np.where(rng.random(hours.size) < 0.2, bought + 0.05, sold)
    tariff: House = {"import_eur_per_kwh": _rounded(bought), "export_eur_per_kwh": _rounded(sold)}
    if "peak" in hard:
        tariff["peak_eur_per_kw"] = round(float(rng.uniform(0.05, 1.0)), 3)
    return tariff


def _air_conditioner(rng: np.random.Generator) -> House:
    return {
        "rated_kw": round(float(rng.uniform(1.5, 3.0)), 3),
        "cop": 2.8,
        "resistance_k_per_kw": round(float(rng.uniform(2.5, 4.5)), 3),
        "capacity_kwh_per_k": round(float(rng.uniform(1.5, 3.0)), 3),
        "gain_kw": round(float(rng.uniform(0.0, 0.8)), 3),
        "min_c": 23.0,
        "max_c": 26.0,
        "initial_c": round(float(rng.uniform(23.5, 25.5)), 2),
    }


def _water_heater(rng: np.random.Generator, slots: int, dt: float) -> House:
    volume = round(float(rng.uniform(120, 300)), 1)
    heater = {
        "rated_kw": round(float(rng.uniform(1.5, 4.5)), 3),
        "volume_l": volume,
        "resistance_k_per_kw": 500.0,
        "min_c": 42.0,
        "max_c": 52.0,
        "initial_c": round(float(rng.uniform(44, 50)), 2),
        "inlet_c": round(float(rng.uniform(6, 16)), 1),
        "ambient_c": 22.0,
        "draw_l": _rounded(np.minimum(rng.gamma(0.5, 12 * dt, slots), 0.5 * volume)),
    }
    if rng.random() < 0.5:
        heater["capacity_kwh_per_k"] = round(1.163e-3 * volume, 4)
    return heater


def _heat_pump(rng: np.random.Generator, outdoor_c: float) -> House:
    low = round(outdoor_c + float(rng.uniform(4, 12)), 1)
    return {
        "part_kw": round(float(rng.uniform(0.5, 1.0)), 3),
        "full_kw": round(float(rng.uniform(1.5, 3.0)), 3),
        "part_cop": 3.6,
        "full_cop": 2.9,
        "resistance_k_per_kw": round(float(rng.uniform(2.0, 4.0)), 3),
        "capacity_kwh_per_k": round(float(rng.uniform(2.0, 4.0)), 3),
        "gain_kw": 0.2,
        "min_c": low,
        "max_c": low + 3.0,
        "initial_c": low + 1.0,
    }


def _appliances(rng: np.random.Generator, slots: int, dt: float) -> list[House]:
    """One to three, and sometimes the first once more under another name."""
    found: list[House] = []
    for k in range(int(rng.integers(1, 4))):
        runs = int(rng.integers(1, max(2, min(slots // 2, round(2 / dt)) + 1)))
        first = int(rng.integers(0, slots - runs + 1))
        last = int(rng.integers(first + runs, slots + 1))
        found.append(
            {
                "name": f"machine {k}",
                "rated_kw": round(float(rng.uniform(0.3, 3.0)), 2),
                "hours": runs * dt,
                "earliest_h": first * dt,
                "latest_h": last * dt,
            }
        )
    if rng.random() < 0.4:
        found.append(found[0] | {"name": "machine 0 again"})
    return found


def _store(rng: np.random.Generator) -> House:
    return {
        "capacity_kwh": round(float(rng.uniform(4, 16)), 2),
        "power_kw": round(float(rng.uniform(1.0, 4.0)), 2),
        "min_soc": 0.2,
        "max_soc": 1.0,
        "charge_efficiency": float(rng.choice([0.9, 0.95, 1.0])),
        "discharge_efficiency": float(rng.choice([0.9, 0.95, 1.0])),
        "wear_eur_per_kwh": float(rng.choice([0.0, 0.014, 0.06])),
    }


def _ev(rng: np.random.Generator, slots: int, dt: float, v2h: str | None) -> House:
    """One stay, or one to the morning and one from the evening."""
    ev = _store(rng) | {"v2h": v2h or str(rng.choice(["no", "home", "sell"]))}
    if rng.random() < 0.5 and slots >= 4:
        leaves, comes = sorted(rng.choice(np.arange(1, slots), 2, replace=False).tolist())
        stays = [(0, leaves), (comes, slots)]
    else:
        arrives = int(rng.integers(0, slots - 1))
        stays = [(arrives, int(rng.integers(arrives + 1, slots + 1)))]
    ev["sessions"] = []
    for arrives, leaves in stays:
        initial = float(rng.choice([0.2, 0.4, 0.5]))
        most = (leaves - arrives) * dt * ev["power_kw"] * ev["charge_efficiency"] / ev["capacity_kwh"]
        target = min(initial + float(rng.uniform(-0.1, 0.95)) * most, 1.0)
        ev["sessions"].append(
            {
                "arrival_slot": arrives,
                "departure_slot": leaves,
                "initial_soc": initial,
                "target_soc": max(round(target - 1e-4, 4), 0.0),
            }
        )
    return ev


def _thermostat(house: House, name: str) -> list[int]:
    """Levels by which a thermostat keeps the band; where it cannot, the band is widened to what it reaches."""
    device, kind = house[name], thermal_of(house)[name]
    full = len(kind.level_kw(device)) - 1
    offsets = [s["outdoor_offset_c"] for s in scenarios_of(house)]
    now, level, levels = float(device["initial_c"]), 0, []
    for t in range(house["slots"]):
        idle, busy = (next_temperature(house, name, t, now, k, 0.0) for k in (0, full))
        cools = busy < idle
        if idle > device["max_c"] if cools else idle < device["min_c"]:
            level = full
        elif busy < device["min_c"] if cools else busy > device["max_c"]:
            level = 0
        now = busy if level else idle
        levels.append(level)
    reached = [value for offset in offsets for value in temperatures(house, name, levels, offset)]
    device["min_c"] = min(device["min_c"], round(min(reached) - 0.05, 3))
    device["max_c"] = max(device["max_c"], round(max(reached) + 0.05, 3))
    return levels


def _witness(house: House, levels: dict[str, list[int]]) -> dict[str, Any]:
    """A plan file with what a home without any planning would do."""
    slots, dt = house["slots"], house["slot_hours"]
    taken = np.array(house["base_load_kw"])
    flows = {name: np.zeros(slots) for name in FLOWS}
    plan: dict[str, Any] = {"status": "time_limit", "case": None, "method": "thermostat", "starts": {}}
    for name, kind in thermal_of(house).items():
        powers = kind.level_kw(house[name])
        taken += [powers[level] for level in levels[name]]
        mean = sum(s["probability"] * s["outdoor_offset_c"] for s in scenarios_of(house))
        plan[kind.states] = levels[name]
        plan[kind.temperature] = temperatures(house, name, levels[name], mean)
    for appliance in house.get("appliances", []):
        start = round(appliance["earliest_h"] / dt)
        taken[start : start + round(appliance["hours"] / dt)] += appliance["rated_kw"]
        plan["starts"][appliance["name"]] = start
    ev = house.get("ev")
    soc: list[float | None] = [None] * slots
    for session in ev["sessions"] if ev else []:
        stay = range(session["arrival_slot"], session["departure_slot"])
        gained = max(session["target_soc"] - session["initial_soc"], 0.0)
        power = gained * ev["capacity_kwh"] / (len(stay) * dt * ev["charge_efficiency"])
        for k, t in enumerate(stay):
            flows["ev_charge_kw"][t] = power
            soc[t] = session["initial_soc"] + gained * (k + 1) / len(stay)
    flows["import_kw"] = taken + flows["ev_charge_kw"]
    day = {name: values.tolist() for name, values in flows.items()}
    day["battery_soc"] = [house["battery"]["initial_soc"] if house.get("battery") else None] * slots
    day["ev_soc"] = soc
    plan |= day | {"cost_eur": day_cost(house, day)}
    if house.get("scenarios"):
        plan["scenarios"] = [day] * len(house["scenarios"])
    return plan


def small_houses(
    max_slots: int = 12, devices: tuple[str, ...] = DEVICES, kinds: tuple[str, ...] = KINDS
) -> st.SearchStrategy[RandomHouse]:
    """Small feasible houses for Hypothesis; the choice of devices and kinds shrinks, numbers come by a seed."""
    return st.builds(
        random_house,
        seed=st.integers(0, 2**20),
        slots=st.integers(6, max_slots),
        slot_hours=st.sampled_from([1.0, 0.5, 0.25]),
        devices=st.lists(st.sampled_from(devices), unique=True).map(tuple),
        kinds=st.lists(st.sampled_from(kinds), unique=True, max_size=3).map(tuple) if kinds else st.just(()),
        v2h=st.sampled_from(["no", "home", "sell"]),
    )


@dataclass(frozen=True)
class InfeasibleHouse:
    """A house that has no plan: which device fails first, at the end of which slot, and by how much.

    `amount` is in kWh for stores and the connection, in K for temperatures.
    """

    house: House
    device: str
    slot: int
    amount: float


def infeasible_houses() -> dict[str, InfeasibleHouse]:
    """One house for every kind of limit that can fail, by the reason."""
    flat: House = {
        "slots": 8,
        "slot_hours": 0.5,
        "tariff": {"import_eur_per_kwh": [0.2] * 8, "export_eur_per_kwh": [0.05] * 8},
        "base_load_kw": [0.5, 0.5, 0.5, 0.5, 2.0, 0.5, 0.5, 0.5],
        "outdoor_c": [45.0] * 8,
    }
    store = {"capacity_kwh": 10.0, "power_kw": 2.0, "charge_efficiency": 0.9, "discharge_efficiency": 0.9}
    session = {"arrival_slot": 2, "departure_slot": 6, "initial_soc": 0.5, "target_soc": 0.9}
    room = {"rated_kw": 0.5, "cop": 2.0, "resistance_k_per_kw": 3.5, "capacity_kwh_per_k": 2.0}
    room |= {"gain_kw": 0.5, "min_c": 23.0, "max_c": 26.0, "initial_c": 24.5}
    tank = {"rated_kw": 1.0, "volume_l": 200.0, "resistance_k_per_kw": 500.0, "min_c": 42.0, "max_c": 55.0}
    tank |= {"initial_c": 46.0, "inlet_c": 10.0, "ambient_c": 22.0, "draw_l": [0, 0, 0, 60.0, 0, 0, 0, 0]}
    cases = {
        # 4 slots x 0.5 h x 2 kW x 0.9 = 3.6 kWh of the 4.0 that are wanted.
        "the car leaves too early": (flat | {"ev": store | {"sessions": [session]}}, "ev", 5, 0.4),
        # 8 x 0.5 x 2 x 0.9 = 7.2 of 8 kWh.
        "the battery is to end too full": (
            flat | {"battery": store | {"initial_soc": 0.1, "final_soc": 0.9}},
            "battery",
            7,
            0.8,
        ),
        # 2.0 - 1.2 kW for half an hour.
        "the connection is too weak": (flat | {"import_limit_kw": 1.2}, "import_limit_kw", 4, 0.4),
    }
    found = {name: InfeasibleHouse(*case) for name, case in cases.items()}
    for name, device, house in (
        ("the air conditioner is too weak", "air_conditioner", flat | {"air_conditioner": room}),
        ("a bath cools the tank", "water_heater", flat | {"water_heater": tank}),
    ):
        # At full power all day the first slot outside the band is the first that must fail.
        best = temperatures(house, device, [1] * 8)
        low, high = house[device]["min_c"], house[device]["max_c"]
        for t, value in enumerate(best):
            missing = value - high if device == "air_conditioner" else low - value
            if missing > 0:
                found[name] = InfeasibleHouse(house, device, t, missing)
                break
    return found


def widened(house: Json, change: str) -> House | None:
    """The same house with one limit relaxed, None where it has no such limit."""
    wider = dict(house)
    if change in ("import_limit_kw", "export_limit_kw"):
        if wider.pop(change, None) is None:
            return None
    elif change == "window":
        if not house.get("appliances"):
            return None
        end = house["slots"] * house["slot_hours"]
        wider["appliances"] = [a | {"earliest_h": 0, "latest_h": end} for a in house["appliances"]]
    else:
        device, name, by = WIDER[change]
        if not house.get(device):
            return None
        wider[device] = house[device] | {name: house[device][name] + by}
    return wider


WIDER = {
    "warmer room": ("air_conditioner", "max_c", 1.0),
    "cooler room": ("air_conditioner", "min_c", -1.0),
    "hotter tank": ("water_heater", "max_c", 2.0),
    "warmer space": ("heat_pump", "max_c", 1.0),
    "cooler tank": ("water_heater", "min_c", -2.0),
    "battery power": ("battery", "power_kw", 1.0),
    "battery depth": ("battery", "min_soc", -0.1),
    "battery end": ("battery", "final_soc", -0.1),
    "car power": ("ev", "power_kw", 1.0),
    "car depth": ("ev", "min_soc", -0.1),
}
CHANGES = ("import_limit_kw", "export_limit_kw", "window", *WIDER)
