"""Reading the house file: what is refused, and by which name."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from otaniemi.optimizer.errors import HouseDataError
from otaniemi.optimizer.house import House

STORE = {"capacity_kwh": 10, "power_kw": 2, "charge_efficiency": 0.95, "discharge_efficiency": 0.95}


def house(**fields: Any) -> dict[str, Any]:
    """Four hours of a home with everything that can be planned."""
    return {
        "name": "small",
        "slots": 4,
        "slot_hours": 1.0,
        "tariff": {"import_eur_per_kwh": [0.2] * 4, "export_eur_per_kwh": [0.05] * 4},
        "base_load_kw": [0.5] * 4,
        "pv_kw": [1.0] * 4,
        "appliances": [{"name": "washer", "rated_kw": 0.5, "hours": 2, "earliest_h": 0, "latest_h": 3}],
        "battery": STORE | {"initial_soc": 0.5, "final_soc": 0.5, "wear_eur_per_kwh": 0.01},
        "ev": STORE
        | {
            "min_soc": 0.2,
            "v2h": "sell",
            "wear_eur_per_kwh": 0.02,
            "sessions": [{"arrival_slot": 1, "departure_slot": 4, "initial_soc": 0.5, "target_soc": 0.6}],
        },
        **fields,
    }


def test_a_house_read_and_written_is_the_same_house() -> None:
    once = House.from_dict(house()).to_dict()
    assert House.from_dict(once).to_dict() == once
    assert once["ev"]["sessions"] == house()["ev"]["sessions"]
    assert once["tariff"] == house()["tariff"] | {"peak_eur_per_kw": 0.0}


def test_devices_may_be_left_out_or_null() -> None:
    data = house(battery=None, ev=None, import_limit_kw=None)
    del data["appliances"], data["pv_kw"]
    read = House.from_dict(data)
    assert read.battery is None
    assert read.ev is None
    assert read.pv_kw.tolist() == [0.0] * 4


def test_a_thermal_device_needs_its_fields_and_the_weather() -> None:
    room = {"rated_kw": 2.0, "cop": 3.0, "resistance_k_per_kw": 3.5, "capacity_kwh_per_k": 2.0}
    room |= {"min_c": 23.0, "max_c": 26.0, "initial_c": 24.0}
    read = House.from_dict(house(air_conditioner=room, outdoor_c=[20.0] * 4))
    assert read.to_dict()["air_conditioner"] == room | {"gain_kw": 0.0}
    with pytest.raises(HouseDataError, match=r"field 'air_conditioner\.cop' is missing"):
        House.from_dict(house(air_conditioner={"rated_kw": 2.4}, outdoor_c=[20.0] * 4))
    with pytest.raises(HouseDataError, match="field 'outdoor_c' is missing; 'air_conditioner' needs it"):
        House.from_dict(house(air_conditioner=room, outdoor_c=None))


def test_probabilities_of_scenarios_sum_to_one() -> None:
    with pytest.raises(HouseDataError, match=r"field 'scenarios' has probabilities of 0\.7 in all"):
        House.from_dict(house(scenarios=[{"probability": 0.3}, {"probability": 0.4}]))


BAD = [
    (("sauna",), {}, "field 'sauna' is unknown"),
    (("battery", "colour"), "red", "field 'battery.colour' is unknown"),
    (("ev", "sessions", 0, "driver"), "me", r"field 'ev.sessions\[0\].driver' is unknown"),
    (("slots",), 4.5, "field 'slots' is 4.5; a whole number"),
    (("slots",), True, "field 'slots' is True"),
    (("slot_hours",), 0, "field 'slot_hours' is 0"),
    (("base_load_kw",), [0.5] * 3, r"field 'base_load_kw' has shape \(3,\); one value per slot, 4"),
    (("base_load_kw", 2), -1.0, "field 'base_load_kw' is -1.0 in slot 2; a number of at least 0"),
    (("base_load_kw", 2), float("nan"), "field 'base_load_kw' is nan in slot 2"),
    (("pv_kw", 1), "sun", "field 'pv_kw' holds something else than numbers"),
    (("tariff", "import_eur_per_kwh", 0), float("inf"), "field 'tariff.import_eur_per_kwh' is inf in slot 0"),
    (("tariff",), [0.2], "field 'tariff' is .*; a JSON object"),
    (
        ("battery", "charge_efficiency"),
        1.05,
        "field 'battery.charge_efficiency' is 1.05; a number from 0 to 1",
    ),
    (("ev", "discharge_efficiency"), 0, "field 'ev.discharge_efficiency' is 0; more than 0"),
    (("battery", "capacity_kwh"), "ten", "field 'battery.capacity_kwh' is 'ten'; a number"),
    (("battery", "initial_soc"), 1.2, "field 'battery.initial_soc' is 1.2; a number from 0 to 1"),
    (("ev", "v2h"), "grid", "field 'ev.v2h' is 'grid'; one of no, home, sell"),
    (("ev", "sessions"), 7, "field 'ev.sessions' is 7; a list"),
    (
        ("ev", "sessions", 0, "departure_slot"),
        5,
        r"field 'ev.sessions\[0\].departure_slot' is 5; .* from 1 to 4",
    ),
    (
        ("ev", "sessions", 0, "departure_slot"),
        1,
        r"field 'ev.sessions\[0\].departure_slot' is 1; a slot after",
    ),
    (
        ("ev", "sessions", 0, "initial_soc"),
        0.1,
        r"field 'ev.sessions\[0\].initial_soc' is 0.1; .* from 0.2 to 1",
    ),
    (("appliances", 0, "hours"), 1.5, "field 'appliances.washer.hours' is 1.5; a whole number of slots"),
    (("appliances", 0, "latest_h"), 1, "field 'appliances.washer.latest_h' is 1; a window of at least 2 h"),
    (("appliances", 0, "earliest_h"), 3, "field 'appliances.washer.latest_h' is 3; a window"),
    (("import_limit_kw",), -1, "field 'import_limit_kw' is -1; a number of at least 0"),
]


@pytest.mark.parametrize(("path", "value", "message"), BAD)
def test_a_bad_field_is_refused_by_name(path: tuple[Any, ...], value: object, message: str) -> None:
    data = copy.deepcopy(house())
    place: Any = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(HouseDataError, match=message):
        House.from_dict(data)


@pytest.mark.parametrize("name", ["slots", "tariff", "base_load_kw"])
def test_a_missing_field_is_named(name: str) -> None:
    data = house()
    del data[name]
    with pytest.raises(HouseDataError, match=f"field '{name}' is missing"):
        House.from_dict(data)


def test_two_appliances_of_one_name_are_refused() -> None:
    data = house()
    data["appliances"] *= 2
    with pytest.raises(HouseDataError, match=r"field 'appliances.washer' is there twice"):
        House.from_dict(data)


def test_overlapping_sessions_are_refused() -> None:
    data = house()
    session = data["ev"]["sessions"][0]
    data["ev"]["sessions"] = [session, session | {"arrival_slot": 2}]
    with pytest.raises(HouseDataError, match=r"field 'ev.sessions\[1\].arrival_slot' is 2; sessions follow"):
        House.from_dict(data)
