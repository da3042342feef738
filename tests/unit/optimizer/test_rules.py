from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from otaniemi.optimizer.errors import InfeasibleHouseError
from otaniemi.optimizer.house import House
from otaniemi.optimizer.methods.rules import rule_choices, rule_flows

STORE = {"capacity_kwh": 10.0, "power_kw": 2.0}
BATTERY = STORE | {"initial_soc": 0.5, "final_soc": 0.5, "min_soc": 0.2}


def make_house(slots: int = 6, **fields: Any) -> House:
    """A home of one-hour slots."""
    usual = {
        "slots": slots,
        "slot_hours": 1.0,
        "tariff": {"import_eur_per_kwh": [0.3] * slots, "export_eur_per_kwh": [0.1] * slots},
        "base_load_kw": [0.5] * slots,
    }
    return House.from_dict(usual | fields)


def cooled(slots: int, **fields: Any) -> House:
    """A room that warms by 1 K in an hour and cools by 2 K where the device runs."""
    device = {
        "rated_kw": 1.0,
        "cop": 3.0,
        "resistance_k_per_kw": 1e6,
        "capacity_kwh_per_k": 1.0,
        "gain_kw": 1.0,
    }
    device |= {"min_c": 19.9, "max_c": 26.1, "initial_c": 24.0}
    return make_house(slots, outdoor_c=[25.0] * slots, air_conditioner=device, **fields)


def test_a_thermostat_switches_at_the_edges_of_its_band() -> None:
    levels = rule_choices(cooled(13)).levels["air_conditioner"]
    # 24 25 26 | 24 22 20 | 21 22 23 24 25 26 | 24
    assert levels.tolist() == [0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1]


def test_a_tank_is_heated_ahead_of_a_draw_that_the_heater_cannot_follow() -> None:
    heater = {
        "rated_kw": 2.0,
        "volume_l": 100.0,
        "resistance_k_per_kw": 1e6,
        "capacity_kwh_per_k": 1.0,
        "min_c": 40.0,
        "max_c": 60.0,
        "initial_c": 50.0,
        "inlet_c": 10.0,
        "ambient_c": 20.0,
        "draw_l": [0.0, 0.0, 0.0, 30.0, 0.0, 0.0],
    }
    house = make_house(water_heater=heater)
    [load] = house.thermal_loads
    levels = rule_choices(house).levels["water_heater"]
    temperatures = load.temperatures(levels)
    assert temperatures.min() >= 40.0
    # Cold until the draw it would end at 0.7 x 52 + 0.3 x 10 = 39.4: one hour of heating ahead is needed.
    assert levels[:3].sum() >= 1
    assert load.temperatures(np.array([0, 0, 0, 1, 0, 0], np.int8)).min() < 40.0


def test_a_band_that_nothing_keeps_is_named() -> None:
    hot = cooled(4).thermal[0].to_dict() | {"rated_kw": 0.1}
    with pytest.raises(InfeasibleHouseError, match="air_conditioner") as caught:
        rule_choices(make_house(4, outdoor_c=[25.0] * 4, air_conditioner=hot))
    assert caught.value.device == "air_conditioner"


def test_appliances_start_at_once() -> None:
    machines = [
        {"name": "washer", "rated_kw": 1.0, "hours": 2, "earliest_h": 1, "latest_h": 6},
        {"name": "dryer", "rated_kw": 2.0, "hours": 1, "earliest_h": 1, "latest_h": 6},
    ]
    assert rule_choices(make_house(appliances=machines)).starts == {"washer": 1, "dryer": 1}


def test_an_appliance_waits_where_the_import_limit_leaves_too_little() -> None:
    machines = [
        {"name": "washer", "rated_kw": 1.0, "hours": 2, "earliest_h": 1, "latest_h": 6},
        {"name": "dryer", "rated_kw": 2.0, "hours": 1, "earliest_h": 1, "latest_h": 6},
    ]
    house = make_house(appliances=machines, import_limit_kw=2.5)
    assert rule_choices(house).starts == {"washer": 1, "dryer": 3}


def test_a_thermostat_keeps_out_of_the_way_of_an_import_limit() -> None:
    free = rule_choices(cooled(6)).levels["air_conditioner"]
    base = [0.5, 0.5, 0.5, 2.0, 0.5, 0.5]
    limited = rule_choices(cooled(6, base_load_kw=base, import_limit_kw=2.5)).levels["air_conditioner"]
    assert free[3] == 1
    assert limited[3] == 0


def test_a_vehicle_charges_at_full_power_from_its_arrival() -> None:
    stay = {"arrival_slot": 1, "departure_slot": 6, "initial_soc": 0.3, "target_soc": 0.8}
    house = make_house(ev=STORE | {"v2h": "home", "sessions": [stay]})
    flows = rule_flows(house, house.base_load_kw)
    assert flows.ev_charge == pytest.approx([0, 2, 2, 1, 0, 0])
    assert flows.ev_stored[1:] == pytest.approx([5, 7, 8, 8, 8])
    assert not flows.ev_discharge.any()


def test_a_vehicle_takes_what_the_import_limit_leaves() -> None:
    stay = {"arrival_slot": 0, "departure_slot": 6, "initial_soc": 0.3, "target_soc": 0.8}
    house = make_house(ev=STORE | {"sessions": [stay]}, import_limit_kw=2.0)
    flows = rule_flows(house, house.base_load_kw)
    assert flows.ev_charge == pytest.approx([1.5, 1.5, 1.5, 0.5, 0, 0])
    with pytest.raises(InfeasibleHouseError, match=r"ev: .* in slot 5 .* 0\.800 kWh"):
        rule_flows(make_house(ev=STORE | {"sessions": [stay]}, import_limit_kw=1.2), house.base_load_kw)


def test_a_load_above_the_import_limit_is_named() -> None:
    house = make_house(import_limit_kw=2.0)
    with pytest.raises(InfeasibleHouseError, match=r"slot 2 .* 0\.500 kWh") as caught:
        rule_flows(house, np.array([1.0, 1.0, 2.5, 1.0, 1.0, 1.0]))
    assert (caught.value.device, caught.value.slot) == ("import_limit_kw", 2)


def test_a_battery_stores_left_over_sun_and_covers_the_evening() -> None:
    house = make_house(battery=BATTERY, pv_kw=[0, 2, 3, 0, 0, 0])
    flows = rule_flows(house, house.base_load_kw)
    # The morning's load is covered because the sun will refill; then 1.5 and 2 kWh are stored, the rest exported.
    assert flows.battery_discharge == pytest.approx([0.5, 0, 0, 0.5, 0.5, 0.5])
    assert flows.battery_charge == pytest.approx([0, 1.5, 2, 0, 0, 0])
    assert flows.grid_export == pytest.approx([0, 0, 0.5, 0, 0, 0])
    assert not flows.grid_import.any()


def test_a_battery_without_sun_keeps_its_final_charge() -> None:
    house = make_house(battery=BATTERY)
    flows = rule_flows(house, house.base_load_kw)
    assert not flows.battery_discharge.any()
    assert not flows.battery_charge.any()


def test_the_grid_charges_a_battery_only_for_its_final_charge_and_at_the_end() -> None:
    house = make_house(battery=BATTERY | {"final_soc": 0.9})
    flows = rule_flows(house, house.base_load_kw)
    assert flows.battery_charge == pytest.approx([0, 0, 0, 0, 2, 2])
    assert flows.grid_import == pytest.approx([0.5, 0.5, 0.5, 0.5, 2.5, 2.5])


def test_in_case_2_only_sun_charges_the_battery() -> None:
    house = make_house(battery=BATTERY | {"final_soc": 0.6}, pv_kw=[0, 1, 0, 0, 0, 0])
    with pytest.raises(InfeasibleHouseError, match=r"battery: .* 0\.500 kWh"):
        rule_flows(house, house.base_load_kw, case=2)


def test_sun_above_the_export_limit_stays_unused() -> None:
    house = make_house(pv_kw=[0, 2, 3, 0, 0, 0], export_limit_kw=2.0)
    flows = rule_flows(house, house.base_load_kw)
    assert flows.grid_export == pytest.approx([0, 1.5, 2, 0, 0, 0])
    assert flows.pv_used == pytest.approx([0, 2, 2.5, 0, 0, 0])
    assert rule_flows(house, house.base_load_kw, pv_factor=0.5).pv_used == pytest.approx([0, 1, 1.5, 0, 0, 0])
