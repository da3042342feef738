"""Days planned one after the other come closer to two days planned at once when each knows where to end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from otaniemi.optimizer.devices.battery import Battery
from otaniemi.optimizer.devices.heat_pump import HeatPump
from otaniemi.optimizer.devices.water_heater import WaterHeater
from otaniemi.optimizer.errors import HouseDataError
from otaniemi.optimizer.horizon import ending_for, joined
from otaniemi.optimizer.house import House, Tariff
from otaniemi.optimizer.plan import plan
from otaniemi.optimizer.schedule import Schedule

SLOTS = 48
HOURS = (np.arange(SLOTS) + 0.5) / 2


def winter_day(seed: int, *, thermal: bool = True) -> House:
    """Dear small hours after cheap evenings, a battery that may be empty, a tank and a heat pump."""
    rng = np.random.default_rng(seed)
    price = 0.08 + rng.uniform(0.15, 0.3) * np.exp(-(((HOURS - 3.0) / 3.0) ** 2)) + 0.02 * rng.random(SLOTS)
    draw = np.where((HOURS > 4) & (HOURS < 7), rng.uniform(8.0, 12.0), 0.5)
    tank = WaterHeater(
        rated_kw=3.0,
        volume_l=200.0,
        resistance_k_per_kw=600.0,
        min_c=45.0,
        max_c=75.0,
        initial_c=60.0,
        inlet_c=8.0,
        ambient_c=20.0,
        draw_l=draw,
    )
    pump = HeatPump(
        part_kw=1.0,
        full_kw=2.0,
        part_cop=3.0,
        full_cop=2.5,
        resistance_k_per_kw=6.0,
        capacity_kwh_per_k=6.0,
        min_c=20.0,
        max_c=23.0,
        initial_c=21.5,
    )
    return House(
        slots=SLOTS,
        slot_hours=0.5,
        tariff=Tariff(price, 0.3 * price),
        base_load_kw=rng.uniform(0.3, 1.0, SLOTS),
        pv_kw=np.zeros(SLOTS),
        outdoor_c=rng.uniform(-5.0, 5.0) + np.zeros(SLOTS),
        thermal=(tank, pump) if thermal else (),
        battery=Battery(10.0, 2.5, 0.5, 0.1, 0.1, 1.0, 0.95, 0.95, 0.005),
    )


def next_morning(house: House, evening: Schedule) -> House:
    """The house of the day after, as the day before left it."""
    assert house.battery is not None
    thermal = tuple(
        replace(device, initial_c=float(evening.temperatures_c[device.field][-1])) for device in house.thermal
    )
    soc = float(np.clip(evening.battery_soc[-1], house.battery.min_soc, house.battery.max_soc))
    return replace(house, battery=replace(house.battery, initial_soc=soc), thermal=thermal)


def rolled(today: House, tomorrow: House) -> float:
    first = plan(today, "fast")
    return first.cost_eur + plan(next_morning(tomorrow, first), "fast").cost_eur


@pytest.mark.parametrize("seed", range(2))
def test_rolling_days_come_closer_to_the_two_day_optimum_when_they_know_where_to_end(seed: int) -> None:
    today, tomorrow = winter_day(2 * seed), winter_day(2 * seed + 1)
    best = plan(joined(today, tomorrow), "fast")
    careless, careful = rolled(today, tomorrow), rolled(ending_for(today, tomorrow), tomorrow)
    assert best.bound_eur <= careful + 1e-6
    assert careful - best.bound_eur < 0.5 * (careless - best.bound_eur)


def test_without_whole_decisions_rolling_days_reach_the_two_day_optimum() -> None:
    today, tomorrow = winter_day(1, thermal=False), winter_day(2, thermal=False)
    best = plan(joined(today, tomorrow)).cost_eur
    assert rolled(today, tomorrow) > best + 0.1
    assert rolled(ending_for(today, tomorrow), tomorrow) == pytest.approx(best, abs=1e-6)


def test_a_day_held_to_an_end_recosts_as_any_other() -> None:
    today = ending_for(winter_day(3), winter_day(4))
    found = plan(today, "fast")
    spent = 0.5 * float((found.import_kw * today.tariff.import_eur_per_kwh).sum())
    earned = 0.5 * float((found.export_kw * today.tariff.export_eur_per_kwh).sum())
    wear = 0.5 * 0.005 * float((found.battery_charge_kw + found.battery_discharge_kw).sum())
    assert found.cost_eur == pytest.approx(spent - earned + wear, abs=1e-9)
    for device in today.thermal:
        assert device.final_c is not None
        assert found.temperatures_c[device.field][-1] >= device.final_c - 1e-6


def test_days_of_different_homes_are_not_joined() -> None:
    with pytest.raises(HouseDataError, match="thermal devices are not today's"):
        joined(winter_day(1), winter_day(2, thermal=False))
    with pytest.raises(HouseDataError, match=r"import_limit_kw.* of tomorrow is 5; None as today"):
        joined(winter_day(1), replace(winter_day(2), import_limit_kw=5))
