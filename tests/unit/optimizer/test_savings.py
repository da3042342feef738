from __future__ import annotations

from typing import Any

import pytest

from otaniemi.optimizer.errors import InfeasibleHouseError
from otaniemi.optimizer.house import House
from otaniemi.optimizer.plan import plan
from otaniemi.optimizer.savings import savings

STAY = {"arrival_slot": 0, "departure_slot": 4, "initial_soc": 0.5, "target_soc": 0.7}
VEHICLE = {"capacity_kwh": 10.0, "power_kw": 2.0, "sessions": [STAY]}
BATTERY = {"capacity_kwh": 10.0, "power_kw": 1.0, "initial_soc": 0.5, "final_soc": 0.5}
WASHER = {"name": "washer", "rated_kw": 1.0, "hours": 1, "earliest_h": 0, "latest_h": 4}


def make_house(**fields: Any) -> House:
    """Four hours: dear, cheap, cheapest, dear."""
    usual = {
        "slots": 4,
        "slot_hours": 1.0,
        "tariff": {"import_eur_per_kwh": [0.5, 0.2, 0.1, 0.4], "export_eur_per_kwh": [0.05] * 4},
        "base_load_kw": [1.0] * 4,
    }
    return House.from_dict(usual | fields)


def saved(house: House) -> dict[str, float]:
    found = savings(house, plan(house))
    assert sum(found.by_device.values()) == pytest.approx(found.total_eur, abs=1e-9)
    return dict(found.by_device)


def test_one_device_saves_all_of_it() -> None:
    assert saved(make_house(ev=VEHICLE)) == pytest.approx({"ev": 2 * (0.5 - 0.1)})


def test_devices_that_do_not_meet_save_what_each_saves_alone() -> None:
    assert saved(make_house(ev=VEHICLE, appliances=[WASHER])) == pytest.approx({"ev": 0.8, "appliances": 0.4})


def test_a_device_that_cannot_do_otherwise_saves_nothing() -> None:
    fixed = WASHER | {"latest_h": 1}
    assert saved(make_house(ev=VEHICLE, appliances=[fixed])) == pytest.approx({"ev": 0.8, "appliances": 0.0})


def test_devices_that_stand_in_for_each_other_share_alike() -> None:
    # One free kWh of sun in slot 2, exported at 0.05 without a HEMS: whoever runs first then saves 0.05 more.
    pair = [WASHER, WASHER | {"name": "dryer"}]
    found = saved(make_house(appliances=pair, ev=VEHICLE, pv_kw=[0.0, 0.0, 2.0, 0.0]))
    alone = saved(make_house(ev=VEHICLE, pv_kw=[0.0, 0.0, 2.0, 0.0]))["ev"]
    # The vehicle alone takes the sun; after the appliances it does not: on average half the time.
    assert found["ev"] == pytest.approx(alone - 0.5 * 0.05)
    assert found["appliances"] == pytest.approx(2 * 0.4 + 0.05 - 0.5 * 0.05)


def test_sun_that_would_cost_money_to_feed_in_counts_for_the_sun() -> None:
    tariff = {"import_eur_per_kwh": [0.2] * 4, "export_eur_per_kwh": [0.05, -0.1, -0.1, 0.05]}
    assert saved(make_house(tariff=tariff, pv_kw=[0.0, 2.0, 3.0, 0.0])) == pytest.approx({"pv": 0.3})


def test_a_home_without_devices_saves_nothing() -> None:
    found = savings(make_house(), plan(make_house()))
    assert (found.by_device, found.total_eur) == ({}, pytest.approx(0.0))


def test_all_scenarios_count_by_their_probability() -> None:
    tariff = {"import_eur_per_kwh": [0.2] * 4, "export_eur_per_kwh": [0.05, -0.1, -0.1, 0.05]}
    scenarios = [{"probability": 0.25, "pv_factor": 2.0}, {"probability": 0.75, "pv_factor": 0.5}]
    sunny = make_house(tariff=tariff, pv_kw=[0.0, 2.0, 3.0, 0.0], scenarios=scenarios)
    assert saved(sunny) == pytest.approx({"pv": 0.25 * 0.8 + 0.75 * 0.05})


def test_a_home_that_cannot_do_without_a_hems_is_told() -> None:
    # The washer must run beside 1 kW of base load; only the battery keeps the import below 1.5 kW.
    house = make_house(appliances=[WASHER], battery=BATTERY, import_limit_kw=1.5)
    with pytest.raises(InfeasibleHouseError, match="without a HEMS"):
        savings(house, plan(house))


def test_where_limits_tie_devices_together_only_the_sum_is_told() -> None:
    # By its rule the room is cooled in slots 2 to 4; there is no power for the washer then, and it is planned for 3.
    room = {
        "rated_kw": 1.0,
        "cop": 3.0,
        "resistance_k_per_kw": 1e6,
        "capacity_kwh_per_k": 1.0,
        "gain_kw": 1.0,
    }
    house = House.from_dict(
        {
            "slots": 6,
            "slot_hours": 1.0,
            "tariff": {
                "import_eur_per_kwh": [0.5, 0.5, 0.2, 0.1, 0.5, 0.2],
                "export_eur_per_kwh": [0.0] * 6,
            },
            "base_load_kw": [0.5] * 6,
            "outdoor_c": [25.0] * 6,
            "air_conditioner": room | {"min_c": 19.9, "max_c": 26.1, "initial_c": 24.0},
            "appliances": [WASHER | {"latest_h": 5}],
            "import_limit_kw": 2.0,
        }
    )
    schedule = plan(house)
    found = savings(house, schedule)
    assert schedule.starts == {"washer": 3}
    assert found.by_device == {}
    assert found.total_eur == pytest.approx((0.5 + 0.2 + 0.1 + 0.5) - (0.1 + 0.2 + 0.2))
