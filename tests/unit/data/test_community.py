"""Community files: the bundled facts, and errors that name field, value and what would be valid."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from otaniemi.platform.community import (
    CommunityError,
    bundled_community,
    load_community,
    parse_community,
)


def changed(path: tuple[str | int, ...], value: object) -> str:
    """The bundled file with one value replaced."""
    data = json.loads(bundled_community().model_dump_json())
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return json.dumps(data)


def test_the_bundled_file_carries_the_facts_of_the_shared_one(require_measured_data: Path) -> None:
    facts = json.loads((require_measured_data / "communities" / "citylearn12_pv8.json").read_text())
    ours = bundled_community()
    for fact, home in zip(facts["homes"], ours.homes, strict=True):
        assert (fact["home"], fact["pv"]) == (home.home, home.pv_scale == 1.0)
        battery = home.battery.model_dump() if home.battery else None
        assert fact.get("battery") == battery
        assert ("ev" in fact) == (home.ev is not None)
        if home.ev:
            ev = home.ev.model_dump()
            assert list(ev.pop("sessions")) == fact["ev"].pop("sessions_h")
            assert ev.pop("max_soc") == 1.0
            assert ev == fact["ev"]
        assert home.appliances == ()
    spans = [f"{span.first:%m-%d}..{span.last:%m-%d}" for span in ours.study_days]
    assert spans == facts["days"]
    assert ours.tariff.local_fee_eur_per_kwh == facts["tariff"]["local_fee_eur_per_kwh"]


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("homes", 0, "battery", "power_kw"), 0, ["homes[0].battery.power_kw", "0", "greater than 0"]),
        (
            ("homes", 0, "battery", "initial_soc"),
            0.05,
            ["homes[0].battery", "initial_soc is 0.05", "0.1 to 1"],
        ),
        (("homes", 0, "battery", "capacity_kwh"), "6", ["capacity_kwh", '"6"', "number"]),
        (("homes", 1, "ev", "v2h"), "grid", ["homes[1].ev.v2h", '"grid"', "'no', 'home' or 'sell'"]),
        (("homes", 1, "ev", "sessions", 0, "target_soc"), 0.1, ["sessions[0].target_soc is 0.1", "0.2 to 1"]),
        (("homes", 1, "ev", "sessions", 1, "arrival_h"), 5, ["sessions[1].arrival_h is 5", "7 to 24"]),
        (("homes", 1, "pv_scale"), -1, ["homes[1].pv_scale", "-1", "greater than or equal to 0"]),
        (("homes", 1, "home"), 1, ["home 1 occurs twice"]),
        (("homes", 1, "chp"), {}, ["homes[1].chp", "not a field"]),
        (("calendar", "zone"), "Finland/Espoo", ["Finland/Espoo", "IANA"]),
        (("tariff", "vat", 1, "start"), "2020-01-01", ["2020-01-01", "ascending"]),
        (("tariff", "local_fee_paid_by"), "seller", ["local_fee_paid_by", '"seller"', "'buyer'"]),
        (("study_days", 0, "last"), "2023-08-06", ["study_days[0]", "2023-08-06", "2023-08-07 or later"]),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_valid(path, value, says) -> None:
    with pytest.raises(CommunityError) as error:
        parse_community(changed(path, value), "mine.json")
    for part in ["mine.json", *says]:
        assert part in str(error.value)


def test_a_target_out_of_the_chargers_reach_is_refused() -> None:
    with pytest.raises(CommunityError, match=r"target_soc is 1; valid: at most 0\.\d+, what the charger can"):
        parse_community(changed(("homes", 1, "ev", "power_kw"), 1.0).replace("0.8", "1.0"), "mine.json")


def test_a_missing_field_a_missing_file_and_a_file_that_is_no_json_are_named(tmp_path: Path) -> None:
    data = json.loads(bundled_community().model_dump_json())
    del data["tariff"]["feed_in"]["floor_eur_per_kwh"]
    with pytest.raises(CommunityError, match=r"tariff\.feed_in\.floor_eur_per_kwh is missing"):
        parse_community(json.dumps(data), "mine.json")
    with pytest.raises(CommunityError, match=r"nowhere\.json cannot be read: No such file"):
        load_community(tmp_path / "nowhere.json")
    (tmp_path / "half.json").write_text('{"name": ')
    with pytest.raises(CommunityError, match=r"half\.json: no JSON"):
        load_community(tmp_path / "half.json")


def test_not_a_number_is_refused() -> None:
    text = bundled_community().model_dump_json().replace("6.4", "NaN", 1)
    with pytest.raises(CommunityError):
        parse_community(text, "mine.json")


TANK = {
    "rated_kw": 3.0,
    "volume_l": 200,
    "resistance_k_per_kw": 600,
    "min_c": 50,
    "max_c": 70,
    "initial_c": 58,
    "inlet_c": 8,
    "ambient_c": 20,
    "draw_l": [0] * 6 + [40, 40] + [2] * 16,
}


def test_thermal_devices_are_written_as_in_the_house_file_with_amounts_by_hour() -> None:
    home = parse_community(changed(("homes", 0, "water_heater"), TANK), "test").homes[0]
    (device,) = home.thermal
    assert (device.field, device.min_c, device.max_c) == ("water_heater", 50, 70)
    assert bundled_community().homes[0].thermal == ()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"draw_l": [1.0] * 23}, "field 'water_heater.draw_l' has shape (23,); one value per slot, 24"),
        (
            {"draw_l": [0.0] * 23 + [500]},
            "field 'water_heater.draw_l' is 500 in slot 23; at most the volume, 200 l",
        ),
        ({"max_c": 40}, "field 'water_heater.max_c' is 40; more than min_c, 50"),
        ({"final_c": 80}, "field 'water_heater.final_c' is 80"),
        ({"colour": "red"}, "field 'water_heater.colour' is unknown"),
    ],
)
def test_a_thermal_device_that_cannot_be_is_refused_by_home_and_field(
    change: dict[str, object], says: str
) -> None:
    with pytest.raises(CommunityError) as refusal:
        parse_community(changed(("homes", 3, "water_heater"), TANK | change), "test")
    assert "homes[3]: " in str(refusal.value)
    assert says in str(refusal.value)
