"""Synthetic homes in Espoo: plausible loads, roofs, devices and prices from a seed; labelled "synthetic".

Load: the H25 household profile of demandlib, scaled to a home's yearly use, with lognormal variation over the
hours and single events (cooking, sauna). PV: pvlib's sun and Haurwitz clear sky on a tilted roof, under
clouds that the homes share. Prices: the oracles' example day, varied from day to day and hour to hour.
Outdoor temperature: what is usual (`weather`). Times are UTC+2 all year.

Some homes heat their water with electricity, and some have an air-to-air heat pump that cools in summer and heats
otherwise. Both come beside the profile, which is that of households that heat water and rooms without electricity.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
from demandlib.bdew import H25
from numpy.typing import NDArray
from pvlib import clearsky, irradiance, solarposition

from otaniemi.contracts.rules.units import price_of, whs_of
from otaniemi.oracles.sources import EXAMPLE_SPOT_DAY, SpotPrices
from otaniemi.oracles.tariffs import PriceRule, VatRate
from otaniemi.platform.community import Appliance, Battery, Ev, EvSession, Home
from otaniemi.platform.data.noise import ar1
from otaniemi.platform.data.scenario import DAY, HISTORY_DAYS, HOUR, DataError, Scenario, check_slot_seconds
from otaniemi.platform.data.tariff import prices_from_spot
from otaniemi.platform.data.weather import usual_outdoor_c

Floats = NDArray[np.float64]

SOURCE = "synthetic"
FIRST_DAY = dt.date(2026, 8, 17)
MOST_HOMES = 1000
UTC_OFFSET_S = 2 * HOUR
LATITUDE, LONGITUDE = 60.2, 24.7

TARIFF = PriceRule(
    import_margin=0.08,
    import_floor=0.04,
    feed_in_deduction=0.005,
    feed_in_floor=0.001,
    local_fee=0.02,
    least_spread=0.005,
    short_margin=0.03,
    long_margin=0.03,
    vat=(VatRate(0, 0.255),),
)
"""An example package: the rules of the bundled measured community with Finland's VAT since September 2024."""

PROFILE_KWH = 1_000_000.0
"""Yearly energy of demandlib's profile."""
YEARLY_KWH = (3000.0, 7000.0)
HOURLY_SPREAD, FLICKER = 0.25, 0.10
EVENTS = ((1.8, 0.6, 16, 20), (1.2, 0.4, 6, 9), (6.0, 0.25, 17, 21))
"""kW for one hour, chance per day, earliest and latest hour: cooking, breakfast, sauna."""

TILT = 35
ROOF_DIRECTIONS = (135, 180, 180, 225)
SYSTEM_EFFICIENCY = 0.85

PV, BATTERY, EV, MACHINES, TANK, HEAT_PUMP = 1, 2, 4, 8, 16, 32
MIX = (
    *(PV | BATTERY | TANK, EV | MACHINES, PV | BATTERY | MACHINES, TANK, PV | EV, PV | BATTERY | EV),
    *(PV | HEAT_PUMP, MACHINES, EV | MACHINES, PV | TANK | HEAT_PUMP, PV | EV | MACHINES, PV),
)
"""What a home owns, repeated every twelve homes."""

SUMMER_C = 15.0
"""Mean of the first day's outdoor temperature from which heat pumps cool."""
_HOURS = np.arange(24) + 0.5
MORNING_DRAW, EVENING_DRAW = (
    bump / bump.sum() for bump in (np.exp(-(((_HOURS - at) / 1.5) ** 2)) + 0.05 for at in (7.0, 20.0))
)
"""Share of a day's warm water drawn in every hour, shape (24,)."""


def synthetic_scenario(
    homes: int, days: int, slot_seconds: int, seed: int, start: dt.date = FIRST_DAY
) -> Scenario:
    """The truth of a run of synthetic homes; the same arguments give the same truth.

    Raises
    ------
    DataError
        The number of homes or the slot length is out of range.
    """
    check_slot_seconds(slot_seconds)
    if not 1 <= homes <= MOST_HOMES:
        raise DataError(f"homes is {homes}; valid: 1 to {MOST_HOMES}")
    midnight = dt.datetime.combine(start, dt.time(), dt.UTC) - dt.timedelta(seconds=UTC_OFFSET_S)
    first_slot = int(midnight.timestamp()) // slot_seconds
    past_slots = HISTORY_DAYS * DAY // slot_seconds
    outdoor = usual_outdoor_c(start, days, DAY // slot_seconds)
    summer = bool(outdoor[: DAY // slot_seconds].mean() >= SUMMER_C)
    community = [
        _home(number, np.random.default_rng([seed, number]), summer) for number in range(1, homes + 1)
    ]
    usual = _household_profile(start, days, slot_seconds)
    random = np.random.default_rng([seed, 0])
    spot = _spot(random, int(midnight.timestamp()), days)
    roofs = _Roofs(random, first_slot - past_slots, past_slots + days * DAY // slot_seconds, slot_seconds)
    load, pv = [], []
    for home in community:
        random = np.random.default_rng([seed, home.home, slot_seconds])
        load.append(_load_kwh(random, usual, slot_seconds))
        pv.append(roofs.kwh(random) * home.pv_scale)
    slots = range(first_slot, first_slot + days * DAY // slot_seconds)
    return Scenario(
        source=SOURCE,
        name=f"synthetic-espoo-{homes}",
        homes=tuple(community),
        first_day=start,
        utc_offset_s=UTC_OFFSET_S,
        slot_seconds=slot_seconds,
        first_slot=first_slot,
        past_slots=past_slots,
        load_wh=whs_of(np.array(load)),
        pv_wh=whs_of(np.array(pv)),
        outdoor_c=outdoor,
        prices=prices_from_spot(spot, TARIFF, slots, slot_seconds),
        local_fee_micro=price_of(TARIFF.local_fee),
    )


def _home(number: int, random: np.random.Generator, summer: bool) -> Home:
    """A home of the mix; ``pv_scale`` is the roof's rated power in kW."""
    owns = MIX[(number - 1) % len(MIX)]
    return Home(
        home=number,
        pv_scale=_pick(random, (3.0, 4.0, 5.0, 6.0)) if owns & PV else 0.0,
        battery=_battery(random) if owns & BATTERY else None,
        ev=_ev(random) if owns & EV else None,
        appliances=_machines(random) if owns & MACHINES else (),
        **({"water_heater": _tank(random)} if owns & TANK else {}),
        **(_cooling(random) if owns & HEAT_PUMP and summer else {}),
        **(_heating(random) if owns & HEAT_PUMP and not summer else {}),
    )


def _battery(random: np.random.Generator) -> Battery:
    return Battery(
        capacity_kwh=_pick(random, (6.4, 10.0, 13.4)),
        power_kw=_pick(random, (2.0, 2.5, 3.0)),
        initial_soc=0.5,
        final_soc=0.5,
        min_soc=0.1,
        max_soc=1.0,
        charge_efficiency=0.95,
        discharge_efficiency=0.95,
        wear_eur_per_kwh=_pick(random, (0.005, 0.0075, 0.01)),
    )


def _ev(random: np.random.Generator) -> Ev:
    return Ev(
        capacity_kwh=_pick(random, (40.0, 50.0, 60.0)),
        power_kw=7.0,
        min_soc=0.2,
        max_soc=1.0,
        charge_efficiency=0.95,
        discharge_efficiency=0.95,
        wear_eur_per_kwh=_pick(random, (0.02, 0.03, 0.04)),
        v2h="sell",
        sessions=(
            EvSession(arrival_h=0.0, departure_h=_pick(random, (7.0, 8.0)), initial_soc=0.65, target_soc=0.8),
            EvSession(
                arrival_h=_pick(random, (17.0, 18.0)), departure_h=24.0, initial_soc=0.5, target_soc=0.65
            ),
        ),
    )


def _machines(random: np.random.Generator) -> tuple[Appliance, ...]:
    return (
        Appliance(name="washer", rated_kw=0.5, hours=1.0, earliest_h=9.0, latest_h=19.0),
        Appliance(
            name="dryer", rated_kw=_pick(random, (1.0, 2.0)), hours=2.0, earliest_h=17.0, latest_h=24.0
        ),
        Appliance(name="dishwasher", rated_kw=1.0, hours=1.0, earliest_h=9.0, latest_h=22.0),
    )


def _tank(random: np.random.Generator) -> dict[str, Any]:
    """A water heater of 200 l, and a household that showers in the morning or in the evening."""
    morning = random.uniform(0.3, 0.7)
    draw = random.uniform(110.0, 190.0) * (morning * MORNING_DRAW + (1.0 - morning) * EVENING_DRAW)
    return {
        "rated_kw": 3.0,
        "volume_l": 200.0,
        "resistance_k_per_kw": 600.0,
        "min_c": 50.0,
        "max_c": 70.0,
        "initial_c": 58.0,
        "inlet_c": 8.0,
        "ambient_c": 20.0,
        "draw_l": draw.round(2).tolist(),
    }


def _cooling(random: np.random.Generator) -> dict[str, Any]:
    """The heat pump in summer: it cools rooms that sun, people and devices warm."""
    return {
        "air_conditioner": {
            "rated_kw": 0.8,
            "cop": 3.2,
            "resistance_k_per_kw": 4.0,
            "capacity_kwh_per_k": _pick(random, (2.5, 3.0, 3.5)),
            "gain_kw": 2.2,
            "min_c": 21.0,
            "max_c": 24.0,
            "initial_c": 22.5,
        }
    }


def _heating(random: np.random.Generator) -> dict[str, Any]:
    """The heat pump in the rest of the year, at part and at full load."""
    return {
        "heat_pump": {
            "part_kw": 1.0,
            "full_kw": 2.6,
            "part_cop": 3.2,
            "full_cop": 2.6,
            "resistance_k_per_kw": 5.0,
            "capacity_kwh_per_k": _pick(random, (5.0, 6.0, 7.0)),
            "gain_kw": 0.5,
            "min_c": 20.0,
            "max_c": 22.5,
            "initial_c": 21.0,
        }
    }


def _pick(random: np.random.Generator, values: tuple[float, ...]) -> float:
    return values[int(random.integers(len(values)))]


def _household_profile(start: dt.date, days: int, slot_seconds: int) -> Floats:
    """Usual load of a household as a share of its yearly use, shape (slots,) [1/slot]."""
    first = start - dt.timedelta(days=HISTORY_DAYS)
    quarters = pd.date_range(first, periods=(HISTORY_DAYS + days) * 96, freq="15min")
    share = H25(quarters).to_numpy(dtype=np.float64) / PROFILE_KWH * slot_seconds / HOUR
    centres = (np.arange((HISTORY_DAYS + days) * DAY // slot_seconds) + 0.5) * slot_seconds
    usual: Floats = np.interp(centres, (np.arange(share.size) + 0.5) * 900, share)
    return usual


def _load_kwh(random: np.random.Generator, usual: Floats, slot_seconds: int) -> Floats:
    """One home's load: the profile, varied from hour to hour, and single events, shape (slots,) [kWh]."""
    parts = HOUR // slot_seconds
    hours = usual.size // parts
    mood = np.repeat(ar1(random, hours, 0.6), parts) * HOURLY_SPREAD
    flicker = random.standard_normal(usual.size) * FLICKER
    load = usual * random.uniform(*YEARLY_KWH) * np.exp(mood + flicker - (HOURLY_SPREAD**2 + FLICKER**2) / 2)
    for kw, chance, earliest, latest in EVENTS:
        for midnight in range(0, hours, 24):
            if random.random() < chance:
                start = (midnight + int(random.integers(earliest, latest))) * parts
                load[start : start + parts] += kw * slot_seconds / HOUR
    return load


def _spot(random: np.random.Generator, start: int, days: int) -> SpotPrices:
    """The example day with its level drawn for each day, and some noise for each hour."""
    level = np.repeat(np.exp(0.2 * random.standard_normal(days)), 24)
    hourly = np.tile(EXAMPLE_SPOT_DAY, days) * level * np.exp(0.08 * random.standard_normal(24 * days))
    return SpotPrices(start, HOUR, tuple(hourly.tolist()), includes_vat=True, origin=SOURCE)


class _Roofs:
    """What a kW of rated PV yields on roofs of several directions under one sky."""

    def __init__(self, random: np.random.Generator, first_slot: int, slots: int, slot_seconds: int) -> None:
        centres = (first_slot + np.arange(slots)) * slot_seconds + slot_seconds // 2
        times = pd.to_datetime(centres, unit="s", utc=True)
        sun = solarposition.get_solarposition(times, LATITUDE, LONGITUDE)
        zenith = sun["apparent_zenith"].to_numpy()
        azimuth = sun["azimuth"].to_numpy()
        parts = HOUR // slot_seconds
        sky = 1 / (1 + np.exp(-1.2 - 1.2 * np.repeat(ar1(random, slots // parts, 0.85), parts)))
        horizontal = clearsky.haurwitz(pd.Series(zenith))["ghi"].to_numpy() * sky
        split = irradiance.erbs(horizontal, zenith, times.dayofyear.to_numpy())
        self._yield_kwh = [
            irradiance.get_total_irradiance(
                TILT, direction, zenith, azimuth, split["dni"], horizontal, split["dhi"]
            )["poa_global"]
            * (SYSTEM_EFFICIENCY / 1000 * slot_seconds / HOUR)
            for direction in ROOF_DIRECTIONS
        ]

    def kwh(self, random: np.random.Generator) -> Floats:
        """PV energy per kW on a random roof, shape (slots,) [kWh/kW]."""
        roof: Floats = np.maximum(self._yield_kwh[int(random.integers(len(self._yield_kwh)))], 0.0)
        return roof
