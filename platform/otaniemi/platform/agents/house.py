"""A home of a trading day as the optimizer sees it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from otaniemi.contracts.rules.units import MICRO_PER_TOKEN, WH_PER_KWH
from otaniemi.optimizer.devices.appliance import Appliance
from otaniemi.optimizer.devices.battery import Battery
from otaniemi.optimizer.devices.vehicle import ElectricVehicle, EvSession
from otaniemi.optimizer.house import House, Tariff
from otaniemi.optimizer.plan import plan
from otaniemi.platform.community import Ev
from otaniemi.platform.data.scenario import IntArray, TradingDay

Floats = NDArray[np.float64]

START_NODES = 100
"""Branch-and-bound nodes spent on a home's appliances."""


def house_of(day: TradingDay, home: int, load_wh: IntArray, pv_wh: IntArray) -> House:
    """The house of home ``home`` (an index) at expected load and PV, shape (slots,) [Wh]."""
    devices = day.homes[home]
    return House(
        name=f"home {devices.home}",
        slots=day.slots,
        slot_hours=day.slot_hours,
        tariff=Tariff(eur(day.prices.import_micro), eur(day.prices.feed_in_micro)),
        base_load_kw=power(load_wh, day),
        pv_kw=power(pv_wh, day),
        battery=Battery(**devices.battery.model_dump()) if devices.battery else None,
        ev=_vehicle(devices.ev, day.slot_hours) if devices.ev else None,
        appliances=tuple(Appliance(**machine.model_dump()) for machine in devices.appliances),
    )


def appliance_starts(house: House, prices: Tariff | None = None) -> dict[str, int]:
    """The start slots of the appliances in the cheapest plan at ``prices``, the house's own by default."""
    if not house.appliances:
        return {}
    priced = house if prices is None else replace(house, tariff=prices)
    return dict(plan(priced, node_limit=START_NODES).starts)


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
