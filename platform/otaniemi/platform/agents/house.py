"""A home of a trading day as the optimizer sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from otaniemi.contracts.rules.packages import HomePackages, PackagePrice
from otaniemi.contracts.rules.units import MICRO_PER_TOKEN, WH_PER_KWH
from otaniemi.optimizer.devices.appliance import Appliance
from otaniemi.optimizer.devices.battery import Battery
from otaniemi.optimizer.devices.thermal import Surroundings, ThermalDevice, ThermalLoad
from otaniemi.optimizer.devices.vehicle import ElectricVehicle, EvSession
from otaniemi.optimizer.errors import InfeasibleHouseError
from otaniemi.optimizer.house import House, Tariff
from otaniemi.optimizer.plan import plan
from otaniemi.optimizer.program.choices import Choices
from otaniemi.platform.agents.record import HomeRecord
from otaniemi.platform.community import Ev, Home
from otaniemi.platform.data.scenario import Floats, IntArray, TradingDay
from otaniemi.platform.forecast import Forecaster

START_NODES = 100
"""Branch-and-bound nodes spent on a home's appliances."""
START_ROUNDS = 10
"""Rounds of pricing spent on a home with thermal devices."""


def house_of(day: TradingDay, home: int, load_wh: IntArray, pv_wh: IntArray, outdoor_c: Floats) -> House:
    """The house of home ``home`` (an index) at expected load and PV [Wh] and outdoor temperature [°C].

    All of shape (slots,).
    """
    devices = day.homes[home]
    return House(
        name=f"home {devices.home}",
        slots=day.slots,
        slot_hours=day.slot_hours,
        tariff=Tariff(eur(day.prices.import_micro), eur(day.prices.feed_in_micro)),
        base_load_kw=power(load_wh, day),
        pv_kw=power(pv_wh, day),
        outdoor_c=outdoor_c,
        thermal=thermal_devices(devices, day.slot_hours),
        battery=Battery(**devices.battery.model_dump()) if devices.battery else None,
        ev=_vehicle(devices.ev, day.slot_hours) if devices.ev else None,
        appliances=tuple(Appliance(**machine.model_dump()) for machine in devices.appliances),
    )


def expected_house(day: TradingDay, home: int, forecaster: Forecaster, known: int) -> House:
    """The house of home ``home`` as forecast when ``known`` slots have ended."""
    load, pv = forecaster.load_wh(home, known), forecaster.pv_wh(home, known)
    return house_of(day, home, load, pv, forecaster.outdoor_c(known))


def planned_day(day: TradingDay, packages: Sequence[HomePackages]) -> TradingDay:
    """The day as a home with packages plans it: their prices where they cover it."""
    prices = replace(
        day.prices,
        import_micro=_covered([slot.supply for slot in packages], day.prices.import_micro),
        feed_in_micro=_covered([slot.feed_in for slot in packages], day.prices.feed_in_micro),
    )
    return replace(day, prices=prices)


def thermal_devices(home: Home, slot_hours: float) -> tuple[ThermalDevice, ...]:
    """A home's thermal devices over slots of a day.

    What the community file gives by hour is shared evenly by the hour's slots. Where it says nothing else, the day
    ends at least as warm as it began where the device heats, at most where it cools, so that no plan gains by
    leaving rooms and tanks to the next day.
    """
    parts = round(1.0 / slot_hours)
    devices = []
    for device in home.thermal:
        amounts: dict[str, Any] = {
            name: np.repeat(np.asarray(getattr(device, name)) / parts, parts) for name in device.amounts
        }
        final = device.initial_c if device.final_c is None else device.final_c
        devices.append(replace(device, final_c=min(max(final, device.min_c), device.max_c), **amounts))
    return tuple(devices)


def loads_from(
    day: TradingDay,
    devices: Sequence[ThermalDevice],
    outdoor_c: Floats,
    record: HomeRecord,
    known: int,
    slot: int,
) -> list[ThermalLoad]:
    """What devices will do to their temperatures from ``slot`` on, the first one that is not set.

    They start from what was measured when ``known`` slots had ended, carried on by the expected outdoor temperature.
    """
    around = Surroundings(day.slots, day.slot_hours, outdoor_c)
    seen = min(max(known, 0), slot)
    loads = []
    for device in devices:
        load = device.thermal_load(around).ending(device.final_c)
        if seen:
            load = load.from_slot(seen, float(record.temperatures_c[load.name][seen - 1]))
        if slot > seen:
            load = load.from_slot(slot, float(load.temperatures(record.levels[load.name])[slot - 1]))
        loads.append(load)
    return loads


def true_loads(day: TradingDay, home: int) -> tuple[ThermalLoad, ...]:
    """What the devices of home ``home`` (an index) do to their temperatures, with the bands that its people want."""
    around = Surroundings(day.slots, day.slot_hours, day.outdoor_c)
    return tuple(device.thermal_load(around) for device in thermal_devices(day.homes[home], day.slot_hours))


def choose(house: House, prices: Tariff | None = None) -> Choices:
    """Starts and levels of a cheap plan at ``prices``, the house's own by default.

    Where no schedule of a thermal device keeps its band, the device is left off, for the agent to bring it near.
    """
    if not (house.appliances or house.thermal):
        return Choices({}, {})
    priced = house if prices is None else replace(house, tariff=prices)
    if not house.thermal:
        return plan(priced, node_limit=START_NODES).choices
    try:
        return plan(priced, "fast", node_limit=START_ROUNDS).choices
    except InfeasibleHouseError:
        cool = choose(replace(house, thermal=()), prices)
        return replace(
            cool, levels={load.name: np.zeros(house.slots, np.int8) for load in house.thermal_loads}
        )


def power(wh: IntArray, day: TradingDay) -> Floats:
    """Mean power of energies per slot [kW]."""
    kw: Floats = wh / (WH_PER_KWH * day.slot_hours)
    return kw


def eur(micro: IntArray) -> Floats:
    """Prices in EUR/kWh."""
    price: Floats = micro / MICRO_PER_TOKEN
    return price


def _vehicle(ev: Ev, slot_hours: float) -> ElectricVehicle:
    stays = tuple(
        EvSession(
            arrival_slot=int(np.ceil(stay.arrival_h / slot_hours - 1e-9)),
            departure_slot=int(np.floor(stay.departure_h / slot_hours + 1e-9)),
            initial_soc=stay.initial_soc,
            target_soc=stay.target_soc,
        )
        for stay in ev.sessions
    )
    return ElectricVehicle(**ev.model_dump(exclude={"sessions"}), sessions=stays)


def _covered(prices: Sequence[PackagePrice], standard: IntArray) -> IntArray:
    covered: IntArray = np.array(
        [
            price.price if price.volume else other
            for price, other in zip(prices, standard.tolist(), strict=True)
        ],
        np.int64,
    )
    return covered
