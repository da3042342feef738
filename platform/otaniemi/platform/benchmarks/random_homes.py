"""Random homes to measure with: the devices of the reference study, every number drawn anew for each home."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.random import Generator

from otaniemi.optimizer.devices.air_conditioner import AirConditioner
from otaniemi.optimizer.devices.appliance import Appliance
from otaniemi.optimizer.devices.battery import Battery
from otaniemi.optimizer.devices.vehicle import ElectricVehicle, EvSession
from otaniemi.optimizer.devices.water_heater import WaterHeater
from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.house import House, Tariff

DAY_H = 24.0
_PANEL_NOISE, _PRICE_NOISE = 0.15, 0.02


def random_homes(count: int, slots: int = 96, seed: int = 7, *, thermal: bool = True) -> Iterator[House]:
    """Homes one after the other, all different; see `numbered_home`."""
    return (numbered_home(seed, k, slots, thermal=thermal) for k in range(count))


def numbered_home(seed: int, number: int, slots: int = 96, *, thermal: bool = True) -> House:
    """Home `number` of a seed, always the same one.

    Parameters
    ----------
    seed, number : int
    slots : int
        Slots of the day, whose length follows; appliances need it to divide an hour.
    thermal : bool
        Whether it has an air conditioner and a water heater.
    """
    return random_home(np.random.default_rng((seed, number)), slots, name=f"home-{number}", thermal=thermal)


def random_home(rng: Generator, slots: int, *, name: str = "home", thermal: bool = True) -> House:
    """One home with three appliances, an electric vehicle that comes home, a battery and PV.

    Every draw of slots up to a quarter of an hour can be planned: bands are wider than one slot of a device at full
    power, which has some to spare, and no night is too cold for a home that can only be cooled.
    """
    dt = DAY_H / slots
    hours = np.arange(slots, dtype=np.float64) * dt + dt / 2
    buy = _prices(rng, hours)
    devices: dict[str, Any] = {}
    if thermal:
        devices["outdoor_c"] = rng.uniform(26.0, 28.0) + rng.uniform(2.0, 3.5) * _peak(hours, 15.0)
        devices["thermal"] = (_air_conditioner(rng), _water_heater(rng, hours, dt))
    return House(
        name=name,
        slots=slots,
        slot_hours=dt,
        tariff=Tariff(buy, buy * rng.uniform(0.3, 0.9)),
        base_load_kw=_base_load(rng, hours),
        pv_kw=rng.uniform(2.0, 6.0) * _sun(rng, hours),
        appliances=_appliances(rng),
        ev=_vehicle(rng, slots),
        battery=_battery(rng),
        **devices,
    )


def _peak(hours: Floats, at_h: float) -> Floats:
    """A wave of one day, 1 at an hour and -1 half a day away, shape (slots,)."""
    wave: Floats = np.cos((hours - at_h) * (2.0 * np.pi / DAY_H))
    return wave


def _bump(hours: Floats, at_h: float, width_h: float) -> Floats:
    bump: Floats = np.exp(-0.5 * ((hours - at_h) / width_h) ** 2)
    return bump


def _prices(rng: Generator, hours: Floats) -> Floats:
    """Import prices with a morning and an evening peak, [EUR/kWh]."""
    morning, evening = rng.uniform(0.05, 0.3), rng.uniform(0.1, 0.4)
    wave = morning * _bump(hours, rng.uniform(7.0, 9.0), 1.5) + evening * _bump(
        hours, rng.uniform(17.0, 20.0), 2.0
    )
    hourly = rng.normal(0.0, _PRICE_NOISE, int(DAY_H))[np.minimum(hours.astype(int), int(DAY_H) - 1)]
    prices: Floats = np.maximum(rng.uniform(0.1, 0.3) + wave + hourly, 0.02)
    return prices


def _base_load(rng: Generator, hours: Floats) -> Floats:
    """Load that nobody shifts, [kW]."""
    shape = 0.3 + _bump(hours, rng.uniform(7.0, 9.0), 1.0) + 1.5 * _bump(hours, rng.uniform(18.0, 21.0), 2.0)
    return rng.uniform(0.4, 1.2) * shape * rng.uniform(0.7, 1.3, hours.size)


def _sun(rng: Generator, hours: Floats) -> Floats:
    """Share of its peak that PV gives."""
    clear = np.maximum(np.sin((hours - 6.0) * (np.pi / 12.0)), 0.0)
    share: Floats = np.clip(rng.uniform(0.5, 1.0) + rng.normal(0.0, _PANEL_NOISE, hours.size), 0.0, 1.0)
    return clear * share


def _air_conditioner(rng: Generator) -> AirConditioner:
    return AirConditioner(
        rated_kw=2.352,
        cop=2.8,
        resistance_k_per_kw=rng.uniform(3.0, 4.0),
        capacity_kwh_per_k=rng.uniform(1.6, 2.4),
        gain_kw=rng.uniform(0.3, 0.6),
        min_c=23.0,
        max_c=26.0,
        initial_c=rng.uniform(24.0, 25.0),
    )


def _water_heater(rng: Generator, hours: Floats, dt: float) -> WaterHeater:
    litres = _bump(hours, rng.uniform(6.5, 8.0), 0.7) + _bump(hours, rng.uniform(19.0, 21.5), 1.2) + 0.02
    litres *= rng.uniform(0.5, 1.5, hours.size)
    return WaterHeater(
        rated_kw=4.5,
        volume_l=200.0,
        resistance_k_per_kw=500.0,
        min_c=42.0,
        max_c=50.0,
        initial_c=rng.uniform(45.0, 47.0),
        inlet_c=15.5,
        ambient_c=24.0,
        # In no slot more than the heater makes good: half of what warms 15.5 to 46 degrees.
        draw_l=np.minimum(litres / litres.sum() * rng.uniform(120.0, 220.0), 63.0 * dt),
    )


def _appliances(rng: Generator) -> tuple[Appliance, ...]:
    first = int(rng.integers(8, 11))
    return (
        Appliance("washer", rng.uniform(0.4, 0.7), 1.0, first, 19),
        Appliance("dryer", rng.uniform(2.0, 4.0), float(rng.integers(1, 3)), int(rng.integers(17, 20)), 24),
        Appliance("dishwasher", rng.uniform(0.8, 1.4), 1.0, first, 21 + int(rng.integers(0, 4))),
    )


def _vehicle(rng: Generator, slots: int) -> ElectricVehicle:
    arrival = round(slots * rng.uniform(16.0, 19.0) / DAY_H)
    return ElectricVehicle(
        capacity_kwh=16.0,
        power_kw=3.3,
        min_soc=0.2,
        max_soc=1.0,
        charge_efficiency=0.95,
        discharge_efficiency=0.95,
        wear_eur_per_kwh=rng.uniform(0.03, 0.07),
        v2h="home",
        sessions=(EvSession(arrival, slots, rng.uniform(0.4, 0.65), 0.9),),
    )


def _battery(rng: Generator) -> Battery:
    return Battery(
        capacity_kwh=rng.uniform(6.0, 14.0),
        power_kw=rng.uniform(1.5, 3.5),
        initial_soc=0.5,
        final_soc=0.5,
        min_soc=0.2,
        max_soc=1.0,
        charge_efficiency=0.95,
        discharge_efficiency=0.95,
        wear_eur_per_kwh=rng.uniform(0.01, 0.03),
    )
