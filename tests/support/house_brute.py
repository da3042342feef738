"""The cheapest plan of a tiny house by trying everything: the yardstick of the exact methods.

All schedules of every thermal device that keep their bands, all starts, and for each the cheapest energy flows: a
linear program per scenario, branched on whatever may not share a slot.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.optimize import linprog

from .house_twin import FLOWS, Json, next_temperature, of_case, scenarios_of, thermal_of

_BOTH = 1e-7
Excluded = frozenset[tuple[str, int]]


def cheapest(house: Json, case: int | None = None) -> float | None:
    """Lowest expected cost of any plan, None where there is none. [EUR]"""
    judged = of_case(house, case)
    scenarios = scenarios_of(judged)
    day = _Day(judged, case)
    best = math.inf
    for load in _loads(judged):
        cost = 0.0
        for scenario in scenarios:
            # What the other scenarios cost is not known yet, so only the last one may be cut off.
            limit = (best - cost) / scenario["probability"] if scenario is scenarios[-1] else math.inf
            found = day.cheapest(load, scenario["pv_factor"], frozenset(), limit)
            cost += scenario["probability"] * found
            if not cost < math.inf:
                break
        best = min(best, cost)
    return best if best < math.inf else None


def _loads(house: Json) -> Iterator[np.ndarray]:
    """Load without storages for every choice of levels and starts. [kW]"""
    slots, dt = house["slots"], house["slot_hours"]
    choices = [list(_schedules(house, name)) for name in thermal_of(house)]
    for appliance in house.get("appliances") or []:
        runs = round(appliance["hours"] / dt)
        choices.append(
            [
                np.array([appliance["rated_kw"] * (start <= t < start + runs) for t in range(slots)])
                for start in range(slots - runs + 1)
                if start * dt >= appliance["earliest_h"] - 1e-9
                and (start + runs) * dt <= appliance["latest_h"] + 1e-9
            ]
        )
    seen = set()
    for combination in itertools.product(*choices):
        load = np.sum([np.array(house["base_load_kw"]), *combination], axis=0)
        if (key := tuple(np.round(load, 9))) not in seen:
            seen.add(key)
            yield load


def _schedules(house: Json, name: str) -> Iterator[np.ndarray]:
    """Power of every schedule of a thermal device that keeps its band in all scenarios. [kW]"""
    device, powers = house[name], thermal_of(house)[name].level_kw(house[name])
    offsets = [s["outdoor_offset_c"] for s in scenarios_of(house)]

    def extend(levels: tuple[int, ...], now: list[float]) -> Iterator[np.ndarray]:
        t = len(levels)
        if t == house["slots"]:
            yield np.array([powers[level] for level in levels])
            return
        for level in range(len(powers)):
            then = [
                next_temperature(house, name, t, before, level, offset)
                for before, offset in zip(now, offsets, strict=True)
            ]
            if device["min_c"] <= min(then) and max(then) <= device["max_c"]:
                yield from extend((*levels, level), then)

    return extend((), [device["initial_c"]] * len(offsets))


class _Day:
    """Energy flows of one day and scenario as a linear program: the seven flows slot by slot, then the peak."""

    def __init__(self, house: Json, case: int | None) -> None:
        self.house, self.case = house, case
        self.slots, self.dt = house["slots"], house["slot_hours"]
        self.at = {name: np.arange(k * self.slots, (k + 1) * self.slots) for k, name in enumerate(FLOWS)}
        self.count = len(FLOWS) * self.slots + 1
        self.pairs = [("import_kw", "export_kw"), ("battery_charge_kw", "battery_discharge_kw")]
        self.pairs.append(("ev_charge_kw", "ev_discharge_kw"))
        if case == 2:
            self.pairs.append(("battery_charge_kw", "import_kw"))
        tariff, battery, ev = house["tariff"], house.get("battery") or {}, house.get("ev") or {}
        self.cost = np.zeros(self.count)
        self.cost[self.at["import_kw"]] = self.dt * np.array(tariff["import_eur_per_kwh"])
        self.cost[self.at["export_kw"]] = -self.dt * np.array(tariff["export_eur_per_kwh"])
        for name in ("battery_charge_kw", "battery_discharge_kw"):
            self.cost[self.at[name]] = self.dt * battery.get("wear_eur_per_kwh", 0.0)
        self.cost[self.at["ev_discharge_kw"]] = self.dt * ev.get("wear_eur_per_kwh", 0.0)
        self.cost[-1] = tariff.get("peak_eur_per_kw", 0.0)

    def cheapest(self, load: np.ndarray, pv_factor: float, off: Excluded, limit: float) -> float:
        """Lowest cost with some flows switched off, or the limit where nothing is cheaper. [EUR]"""
        rows, rights = self._inequalities(load)
        equal = np.zeros((self.slots, self.count))
        for name, sign in (
            ("import_kw", 1),
            ("pv_used_kw", 1),
            ("battery_discharge_kw", 1),
            ("ev_discharge_kw", 1),
            ("battery_charge_kw", -1),
            ("ev_charge_kw", -1),
            ("export_kw", -1),
        ):
            equal[np.arange(self.slots), self.at[name]] = sign
        upper = self._upper(pv_factor)
        for name, slot in off:
            upper[self.at[name][slot]] = 0.0
        solved = linprog(
            self.cost, rows, rights, equal, load, np.column_stack([np.zeros(self.count), upper]), "highs-ds"
        )
        if solved.status == 3:
            raise AssertionError("a day cannot pay without end")
        if solved.status != 0 or solved.fun >= limit:
            return limit
        for first, second in self.pairs:
            both = np.minimum(solved.x[self.at[first]], solved.x[self.at[second]])
            if both.max() > _BOTH:
                slot = int(both.argmax())
                for name in (first, second):
                    limit = min(limit, self.cheapest(load, pv_factor, off | {(name, slot)}, limit))
                return limit
        return float(solved.fun)

    def _upper(self, pv_factor: float) -> np.ndarray:
        house = self.house
        upper = np.full(self.count, np.inf)
        pv = pv_factor * np.array(house.get("pv_kw") or [0.0] * self.slots)
        upper[self.at["pv_used_kw"]] = pv
        for name in ("import", "export"):
            if house.get(f"{name}_limit_kw") is not None:
                upper[self.at[f"{name}_kw"]] = house[f"{name}_limit_kw"]
        battery, ev = house.get("battery") or {}, house.get("ev") or {}
        for way in ("charge", "discharge"):
            upper[self.at[f"battery_{way}_kw"]] = battery.get("power_kw", 0.0)
            upper[self.at[f"ev_{way}_kw"]] = 0.0
            for session in ev.get("sessions", []):
                stay = np.arange(session["arrival_slot"], session["departure_slot"])
                upper[self.at[f"ev_{way}_kw"][stay]] = ev["power_kw"]
        if ev.get("v2h", "no") == "no":
            upper[self.at["ev_discharge_kw"]] = 0.0
        if self.case == 2:
            charge = self.at["battery_charge_kw"]
            upper[charge] = np.minimum(upper[charge], np.maximum(pv - np.array(house["base_load_kw"]), 0.0))
        return upper

    def _inequalities(self, load: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows that are at most their right sides."""
        rows: list[np.ndarray] = []
        rights: list[float] = []

        def at_most(terms: dict[tuple[str, int], float], right: float, peak: float = 0.0) -> None:
            row = np.zeros(self.count)
            for (name, slot), value in terms.items():
                row[self.at[name][slot]] += value
            row[-1] = peak
            rows.append(row)
            rights.append(right)

        house = self.house
        for t in range(self.slots):
            at_most({("ev_discharge_kw", t): 1.0}, load[t])
            own = {("pv_used_kw", t): -1.0, ("battery_discharge_kw", t): -1.0}
            at_most({("export_kw", t): 1.0, **own}, 0.0)
            at_most({("import_kw", t): 1.0}, 0.0, peak=-1.0)
        stays: list[tuple[str, Any, range, float, float]] = []
        if battery := house.get("battery"):
            whole = range(self.slots)
            stays.append(("battery", battery, whole, battery["initial_soc"], battery["final_soc"]))
        if ev := house.get("ev"):
            for s in ev["sessions"]:
                stay = range(s["arrival_slot"], s["departure_slot"])
                stays.append(("ev", ev, stay, s["initial_soc"], s["target_soc"]))
        for name, device, stay, initial, target in stays:
            gains: dict[tuple[str, int], float] = {}
            for t in stay:
                gains[f"{name}_charge_kw", t] = self.dt * device.get("charge_efficiency", 1.0)
                gains[f"{name}_discharge_kw", t] = -self.dt / device.get("discharge_efficiency", 1.0)
                least = max(device.get("min_soc", 0.0), target if t == stay[-1] else 0.0)
                at_most(gains, (device.get("max_soc", 1.0) - initial) * device["capacity_kwh"])
                at_most({k: -v for k, v in gains.items()}, (initial - least) * device["capacity_kwh"])
        return np.array(rows), np.array(rights)
