"""Reading the house file: what is refused, and by which name."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
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


ROOM = {"rated_kw": 2.0, "cop": 3.0, "resistance_k_per_kw": 3.5, "capacity_kwh_per_k": 2.0}
ROOM |= {"min_c": 23.0, "max_c": 26.0, "initial_c": 24.0}
TANK = {"rated_kw": 2.0, "volume_l": 200, "resistance_k_per_kw": 500, "min_c": 42, "max_c": 50}
TANK |= {"initial_c": 45, "inlet_c": 10, "ambient_c": 20, "draw_l": [5.0] * 4}


def warm_house(**fields: Any) -> dict[str, Any]:
    """The same with a room, a tank and two scenarios."""
    scenarios = [{"probability": 0.4, "outdoor_offset_c": 1.0}, {"probability": 0.6, "pv_factor": 0.8}]
    warm = {"air_conditioner": ROOM, "water_heater": TANK, "outdoor_c": [28.0] * 4, "scenarios": scenarios}
    return house(**warm | fields)


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
    read = House.from_dict(house(air_conditioner=ROOM, outdoor_c=[20.0] * 4))
    assert read.to_dict()["air_conditioner"] == ROOM | {"gain_kw": 0.0}
    with pytest.raises(HouseDataError, match=r"field 'air_conditioner\.cop' is missing"):
        House.from_dict(house(air_conditioner={"rated_kw": 2.4}, outdoor_c=[20.0] * 4))
    with pytest.raises(HouseDataError, match="field 'outdoor_c' is missing; 'air_conditioner' needs it"):
        House.from_dict(house(air_conditioner=ROOM, outdoor_c=None))


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
    (("base_load_kw", 2), -1.0, "field 'base_load_kw' is -1.0 in slot 2; a number from 0 to 1e\\+09"),
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
    (("battery", "power_kw"), True, "field 'battery.power_kw' is True; a number"),
    (("battery", "final_soc"), [0.5], r"field 'battery.final_soc' is \[0.5\]; a number"),
    (("battery", "wear_eur_per_kwh"), -0.1, "field 'battery.wear_eur_per_kwh' is -0.1; a number from 0"),
    (("battery", "max_soc"), 0.1, "field 'battery.initial_soc' is 0.5; a number from 0 to 0.1"),
    (("battery", "power_kw"), 10**400, "field 'battery.power_kw' is 10+; a number from 0 to 1e\\+09"),
    (("slot_hours",), 1e300, "field 'slot_hours' is 1e\\+300; a number from"),
    (("slot_hours",), "0.5", "field 'slot_hours' is '0.5'; a number"),
    (("slots",), "4", "field 'slots' is '4'; a whole number"),
    (("slots",), 0, "field 'slots' is 0; a whole number from 1"),
    (("name",), 7, "field 'name' is 7; a text"),
    (("pv_kw",), 1.0, r"field 'pv_kw' has shape \(\); one value per slot, 4"),
    (("pv_kw", 1), True, "field 'pv_kw' holds something else than numbers"),
    (("pv_kw", 1), None, "field 'pv_kw' holds something else than numbers"),
    (("pv_kw", 1), [1.0], "field 'pv_kw' holds something else than numbers"),
    (("pv_kw", 3), 1e300, r"field 'pv_kw' is 1e\+300 in slot 3; a number from 0 to 1e\+09"),
    (("tariff", "peak_eur_per_kw"), -1, "field 'tariff.peak_eur_per_kw' is -1; a number from 0"),
    (("tariff", "import_eur_per_kwh"), None, "field 'tariff.import_eur_per_kwh' is missing"),
    (("tariff", "sell"), [0.1], "field 'tariff.sell' is unknown"),
    (("ev", "v2h"), True, "field 'ev.v2h' is True; one of no, home, sell"),
    (("ev", "sessions"), None, "field 'ev.sessions' is None; a list"),
    (("ev", "sessions", 0), "morning", r"field 'ev.sessions\[0\]' is 'morning'; a JSON object"),
    (("ev", "sessions", 0, "arrival_slot"), 1.0, r"field 'ev.sessions\[0\].arrival_slot' is 1.0; a whole"),
    (("ev", "sessions", 0, "arrival_slot"), -1, r"field 'ev.sessions\[0\].arrival_slot' is -1; a whole"),
    (("ev", "sessions", 0, "target_soc"), 1.1, r"field 'ev.sessions\[0\].target_soc' is 1.1; .* 0 to 1"),
    (("appliances",), {"washer": 1}, "field 'appliances' is .*; a list"),
    (("appliances", 0, "name"), 5, "field 'appliances.name' is 5; a text"),
    (("appliances", 0, "rated_kw"), -0.5, "field 'appliances.washer.rated_kw' is -0.5; a number from 0"),
    (("appliances", 0, "hours"), 0, "field 'appliances.washer.hours' is 0; more than 0"),
    (("appliances", 0, "latest_h"), float("nan"), "field 'appliances.washer.latest_h' is nan"),
    (("appliances", 0, "earliest_h"), 10**308, "field 'appliances.washer.earliest_h' is 10+; a number"),
    (("import_limit_kw",), float("inf"), "field 'import_limit_kw' is inf; a number from 0"),
    (("import_limit_kw",), -1, "field 'import_limit_kw' is -1; a number from 0 to 1e\\+09"),
]


BAD_WARM = [
    (("air_conditioner", "cop"), 0, "field 'air_conditioner.cop' is 0; more than 0"),
    (("air_conditioner", "rated_kw"), float("nan"), "field 'air_conditioner.rated_kw' is nan; a number"),
    (("air_conditioner", "max_c"), 23.0, "field 'air_conditioner.max_c' is 23.0; more than min_c, 23.0"),
    (("air_conditioner", "min_c"), "cool", "field 'air_conditioner.min_c' is 'cool'; a number"),
    (("air_conditioner", "levels"), 2, "field 'air_conditioner.levels' is unknown"),
    (("outdoor_c",), [28.0] * 5, r"field 'outdoor_c' has shape \(5,\); one value per slot, 4"),
    (("outdoor_c", 0), float("-inf"), "field 'outdoor_c' is -inf in slot 0"),
    (("outdoor_c", 0), False, "field 'outdoor_c' holds something else than numbers"),
    (("water_heater", "draw_l", 2), -1.0, "field 'water_heater.draw_l' is -1.0 in slot 2; a number from 0"),
    (
        ("water_heater", "draw_l", 2),
        201.0,
        "field 'water_heater.draw_l' is 201 in slot 2; at most the volume",
    ),
    (("water_heater", "draw_l"), [1.0] * 3, r"field 'water_heater.draw_l' has shape \(3,\); one value"),
    (("water_heater", "draw_l", 0), "5", "field 'water_heater.draw_l' holds something else than numbers"),
    (("water_heater", "capacity_kwh_per_k"), 0, "field 'water_heater.capacity_kwh_per_k' is 0; more"),
    (("water_heater", "volume_l"), -200, "field 'water_heater.volume_l' is -200; a number from 0"),
    (("water_heater", "initial_c"), True, "field 'water_heater.initial_c' is True; a number"),
    (("scenarios", 0, "probability"), 0.0, r"field 'scenarios\[0\].probability' is 0; more than 0"),
    (("scenarios", 0, "probability"), 1.4, r"field 'scenarios\[0\].probability' is 1.4; .* from 0 to 1"),
    (("scenarios", 1, "pv_factor"), -0.1, r"field 'scenarios\[1\].pv_factor' is -0.1; a number from 0"),
    (("scenarios", 1, "outdoor_offset_c"), 99, r"field 'scenarios\[1\].outdoor_offset_c' is 99; .* to 60"),
    (("scenarios", 1, "wind"), 1, r"field 'scenarios\[1\].wind' is unknown"),
    (("scenarios",), [], "field 'scenarios' has probabilities of 0 in all"),
]


@pytest.mark.parametrize(("path", "value", "message"), BAD + BAD_WARM)
def test_a_bad_field_is_refused_by_name(path: tuple[Any, ...], value: object, message: str) -> None:
    data = copy.deepcopy(warm_house())
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


def places(part: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a JSON object; of lists the first and the last."""
    if path:
        yield path
    if isinstance(part, dict):
        for key, value in part.items():
            yield from places(value, (*path, key))
    elif isinstance(part, list):
        for k in {0, len(part) - 1}:
            yield from places(part[k], (*path, k))


NONSENSE = [True, math.nan, math.inf, "x", [], {}, [1], 10**400, -1e308, 1e308, [True] * 4, ["1"] * 4]


@pytest.mark.parametrize("value", NONSENSE, ids=lambda value: repr(value)[:12])
def test_nonsense_is_refused_by_name_wherever_it_stands(value: object) -> None:
    for path in places(warm_house()):
        data = copy.deepcopy(warm_house())
        place: Any = data
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        if value in ("x", [], {}) and path[-1] in ("name", "appliances", "sessions"):
            continue  # a name may be any text, and a home may have no appliances, a car no sessions
        names = [key for key in path if isinstance(key, str)]
        with pytest.raises(HouseDataError, match=f"field '.*{names[-1]}" if names[-1] != "name" else "field"):
            House.from_dict(data)
