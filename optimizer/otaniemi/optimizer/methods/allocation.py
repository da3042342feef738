"""The reference study's rules: who gets and gives energy in a slot, once the loads of the day are known.

Slot by slot, and the same for any number of days at once. The vehicle is unplugged; or a load only; or a load and a
source; or, when the slots left are as few as charging takes, forced to charge. It charges in whole slots at full
power while the price is low. The battery charges from the grid while the price is low and sells while it is high;
in between it stores sun that is left over and serves the home. Home load takes sun, then battery, then vehicle.
What the study leaves open is marked in docs/model.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from otaniemi.optimizer.errors import HouseDataError
from otaniemi.optimizer.fields import Floats, number
from otaniemi.optimizer.house import House
from otaniemi.optimizer.methods.stores import BatteryDays, VehicleDays
from otaniemi.optimizer.program.home_program import Flows

READINGS = ("highest", "range")


@dataclass(frozen=True)
class Rules:
    """Parameters of the battery and vehicle rules.

    Attributes
    ----------
    sell_from, charge_up_to : float
        The lowest price at which stored energy is sold and the highest at which the grid charges, as fractions.
    reading : "highest" or "range"
        Of what they are fractions: of the day's highest import price, or of the range from lowest to highest.
    guard_soc : float
        Margin that the battery and a discharging vehicle keep from their lowest and highest state of charge.
    """

    sell_from: float = 0.8
    charge_up_to: float = 0.6
    reading: str = "highest"
    guard_soc: float = 0.01

    def __post_init__(self) -> None:
        number("charge_up_to", self.charge_up_to, 0.0, 1.0)
        number("sell_from", self.sell_from, self.charge_up_to, 1.0)
        number("guard_soc", self.guard_soc, 0.0, 0.5)
        if self.reading not in READINGS:
            raise HouseDataError(f"reading is {self.reading!r}; one of {', '.join(READINGS)} is needed")

    def prices(self, import_eur_per_kwh: Floats) -> tuple[float, float]:
        """Lowest price for selling and highest for grid charging. [EUR/kWh]"""
        highest = float(import_eur_per_kwh.max())
        zero = float(import_eur_per_kwh.min()) if self.reading == "range" else 0.0
        return zero + self.sell_from * (highest - zero), zero + self.charge_up_to * (highest - zero)


@dataclass(frozen=True, eq=False)
class Allocated:
    """Energy of every slot, shape (slots, days), where a day is a row of loads in one scenario. [kWh]

    Attributes
    ----------
    missing_kwh : array, shape (days,)
        Energy above the import limit or short of a final or target charge: 0 where the rules suffice.
    """

    grid_import: Floats
    grid_export: Floats
    pv_used: Floats
    battery_charge: Floats
    battery_discharge: Floats
    battery_stored: Floats
    ev_charge: Floats
    ev_discharge: Floats
    ev_stored: Floats
    missing_kwh: Floats


class Allocation:
    """The rules for one house.

    Parameters
    ----------
    house : House
        As its case leaves it (`house_of_case`).
    case : 1 to 4, or None
        2: the battery charges in slots without import, from sun beyond the base load.
    rules : Rules
    """

    def __init__(self, house: House, case: int | None, rules: Rules) -> None:
        self.house, self.rules = house, rules
        tariff, dt, slots = house.tariff, house.slot_hours, house.slots
        buy, sell = tariff.import_eur_per_kwh, tariff.export_eur_per_kwh
        sell_from, charge_up_to = rules.prices(buy)
        self._cheap = buy <= charge_up_to
        self._dear = (buy >= sell_from) & ~self._cheap
        exports = house.export_limit_kw != 0.0
        self._feeds = (sell > 0.0) & exports
        self._sells = self._feeds & (sell >= sell_from) & ~self._cheap & (case != 2)
        self._smooths = case == 2
        self._export_cap = np.inf if house.export_limit_kw is None else house.export_limit_kw * dt
        self._import_cap = np.inf if house.import_limit_kw is None else house.import_limit_kw * dt
        self._pv_kwh = np.outer(house.pv_kw * dt, [scenario.pv_factor for scenario in house.scenarios])
        self._weights = np.array([scenario.probability for scenario in house.scenarios])
        self._sun_cap = (
            np.maximum(self._pv_kwh - house.base_load_kw[:, None] * dt, 0.0)
            if self._smooths
            else np.full((slots, 1), np.inf)
        )
        self._session = np.full(slots, -1)
        for k, session in enumerate(house.ev.sessions if house.ev else ()):
            self._session[session.arrival_slot : session.departure_slot] = k
        later = np.append(~self._cheap, False)[::-1].cumsum()[::-1][1:]
        self._useful_later = later > 0

    def costs(self, load_kwh: Floats) -> tuple[Floats, Floats]:
        """Expected cost of each day, with wear and peak, and the energy that it misses.

        Parameters
        ----------
        load_kwh : array, shape (..., slots)
            Home load: base load, appliances and thermal devices. [kWh]

        Returns
        -------
        cost_eur, missing_kwh : arrays, shape (...)
            [EUR], [kWh]
        """
        house, tariff = self.house, self.house.tariff
        found = self.allocate(load_kwh)
        buy, sell = tariff.import_eur_per_kwh[:, None], tariff.export_eur_per_kwh[:, None]
        spent = buy * found.grid_import - sell * found.grid_export
        if house.battery:
            spent += house.battery.wear_eur_per_kwh * (found.battery_charge + found.battery_discharge)
        if house.ev:
            spent += house.ev.wear_eur_per_kwh * found.ev_discharge
        cost = _total(spent)
        if tariff.peak_eur_per_kw:
            cost += tariff.peak_eur_per_kw * found.grid_import.max(axis=0) / house.slot_hours
        days = (-1, self._weights.size)
        shape = load_kwh.shape[:-1]
        expected = _total((cost.reshape(days) * self._weights).T).reshape(shape)
        return expected, _total((found.missing_kwh.reshape(days) * self._weights).T).reshape(shape)

    def flows(self, load_kwh: Floats) -> tuple[Flows, ...]:
        """Energy flows of one day in each scenario; `load_kwh` has shape (slots,)."""
        found, none = self.allocate(load_kwh), np.zeros(self.house.slots)
        return tuple(
            Flows(
                grid_import=found.grid_import[:, k],
                grid_export=found.grid_export[:, k],
                local_buy=none,
                local_sell=none,
                pv_used=found.pv_used[:, k],
                battery_charge=found.battery_charge[:, k],
                battery_discharge=found.battery_discharge[:, k],
                battery_stored=found.battery_stored[:, k],
                ev_charge=found.ev_charge[:, k],
                ev_discharge=found.ev_discharge[:, k],
                ev_stored=found.ev_stored[:, k],
            )
            for k in range(self._weights.size)
        )

    def allocate(self, load_kwh: Floats) -> Allocated:
        """Follow the rules through the day; see `costs` for the loads."""
        slots = self.house.slots
        load = np.ascontiguousarray(load_kwh.reshape(-1, slots).T)
        load = np.repeat(load, self._weights.size, axis=1)
        days = load.shape[1]
        pv = np.tile(self._pv_kwh, days // self._weights.size)
        sun_cap = np.tile(self._sun_cap, days // self._sun_cap.shape[1])
        charge, discharge, ev_charge, ev_discharge = np.zeros((4, slots, days))
        ev_stored, stored = np.full((slots, days), np.nan), np.full((slots, days), np.nan)
        missing = np.zeros(days)
        net = load - pv
        headroom = np.maximum(self._import_cap - net, 0.0)
        vehicle = self._vehicle(headroom)
        store = self._store(net, headroom, sun_cap)
        for slot in range(slots):
            now, plugged = net[slot], vehicle is not None and self._session[slot] >= 0
            if plugged:
                assert vehicle is not None
                ev_charge[slot] = vehicle.charge(slot, bool(self._cheap[slot]), headroom[slot])
                now = now + ev_charge[slot]
            if store:
                discharge[slot], charge[slot] = self._battery(store, slot, now, sun_cap[slot])
                now = now + charge[slot] - discharge[slot]
                stored[slot] = store.stored
            if plugged:
                assert vehicle is not None
                if self._dear[slot] and vehicle.is_source:
                    lacking = np.where(ev_charge[slot] > 0.0, 0.0, np.minimum(now, load[slot]))
                    ev_discharge[slot] = vehicle.discharge(slot, lacking)
                    now = now - ev_discharge[slot]
                ev_stored[slot] = vehicle.stored
                missing += vehicle.short_at(slot)
            net[slot] = now
        if store:
            missing += np.maximum(store.final - store.stored, 0.0)
        spare = np.maximum(-net, 0.0)
        fed = np.where(self._feeds[:, None], np.minimum(spare, self._export_cap), 0.0)
        grid_import = np.maximum(net, 0.0)
        if np.isfinite(self._import_cap):
            missing += _total(np.maximum(grid_import - self._import_cap, 0.0))
        return Allocated(
            grid_import=grid_import,
            grid_export=fed,
            pv_used=np.maximum(pv - (spare - fed), 0.0),
            battery_charge=charge,
            battery_discharge=discharge,
            battery_stored=stored,
            ev_charge=ev_charge,
            ev_discharge=ev_discharge,
            ev_stored=ev_stored,
            missing_kwh=np.where(missing > 1e-9, missing, 0.0),
        )

    def _vehicle(self, headroom: Floats) -> VehicleDays | None:
        house = self.house
        if house.ev is None:
            return None
        return VehicleDays(house.ev, self._session, house.slot_hours, self.rules.guard_soc, headroom)

    def _store(self, net: Floats, headroom: Floats, sun_cap: Floats) -> BatteryDays | None:
        """The battery, which knows what it can surely still charge when the vehicle takes full power."""
        house = self.house
        if house.battery is None:
            return None
        store = BatteryDays(house.battery, house.slot_hours, self.rules.guard_soc, net.shape[1])
        vehicle_kwh = house.ev.power_kw * house.slot_hours if house.ev else 0.0
        taken = np.where(self._session >= 0, vehicle_kwh, 0.0)[:, None]
        sure = np.minimum(-net - taken, sun_cap) if self._smooths else headroom - taken
        store.plan_final(np.clip(sure, 0.0, store.full))
        return store

    def _battery(self, store: BatteryDays, slot: int, net: Floats, sun_cap: Floats) -> tuple[Floats, Floats]:
        """What the battery gives and takes in a slot; `net` is what the home lacks."""
        lacking, spare = np.maximum(net, 0.0), np.maximum(-net, 0.0)
        if self._smooths:
            spare = np.minimum(spare, sun_cap)
            return store.give(slot, lacking), store.take(slot, spare, spare)
        room = np.maximum(self._import_cap - net, 0.0)
        if self._cheap[slot]:
            useful = bool(self._useful_later[slot])
            return np.zeros_like(net), store.take(slot, room, room, useful=useful)
        if self._sells[slot]:
            lacking, spare = np.maximum(net + self._export_cap, 0.0), np.zeros_like(net)
        return store.give(slot, lacking), store.take(slot, spare, room)


def _total(values: Floats) -> Floats:
    """Sum over the first axis, one after the other: a day's does not depend on how many days are beside it."""
    return np.asarray(np.add.accumulate(values, axis=0)[-1])
