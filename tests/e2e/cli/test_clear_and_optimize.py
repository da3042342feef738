"""`otaniemi clear` and `otaniemi optimize`: what they print, and what they refuse."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from otaniemi.optimizer.plan import METHODS
from otaniemi.platform.cli.home import Method

from .conftest import Command, Ended

HEADER = "id,side,price,quantity\n"
BOOK = HEADER + "ann,buy,200000,500\nbob,sell,100000,300\ncid,sell,150000,100\ndan,sell,250000,9\n"
PLAN = {
    *("status", "case", "method", "cost_eur", "bound_eur", "gap_eur", "seconds", "import_kw", "export_kw"),
    *("pv_used_kw", "battery_charge_kw", "battery_discharge_kw", "battery_soc", "ev_charge_kw"),
    *("ev_discharge_kw", "ev_soc", "starts"),
}
STORE = {"capacity_kwh": 10, "power_kw": 2, "charge_efficiency": 0.95, "discharge_efficiency": 0.95}


@pytest.fixture
def clear(tmp_path: Path, otaniemi: Command) -> Command:
    """Clear a book given as text."""

    def run(text: str, *options: str) -> Ended:
        book = tmp_path / "book.csv"
        book.write_text(text)
        return otaniemi("clear", book, *options)

    return run


@pytest.fixture
def optimize(tmp_path: Path, otaniemi: Command) -> Command:
    """Plan a house given as text or as an object."""

    def run(house: Any, *options: str) -> Ended:
        file = tmp_path / "house.json"
        file.write_text(house if isinstance(house, str) else json.dumps(house))
        return otaniemi("optimize", file, *options)

    return run


def house(**fields: Any) -> dict[str, Any]:
    """Four hours, the second of them dear."""
    return {
        "name": "small",
        "slots": 4,
        "slot_hours": 1.0,
        "tariff": {"import_eur_per_kwh": [0.1, 0.9, 0.2, 0.2], "export_eur_per_kwh": [0.05] * 4},
        "base_load_kw": [0.5] * 4,
        "pv_kw": [1.0, 0.0, 0.0, 0.0],
        "appliances": [{"name": "washer", "rated_kw": 0.5, "hours": 1, "earliest_h": 1, "latest_h": 3}],
        "battery": STORE | {"initial_soc": 0.5, "final_soc": 0.5, "wear_eur_per_kwh": 0.01},
        "ev": STORE
        | {
            "min_soc": 0.2,
            "v2h": "home",
            "wear_eur_per_kwh": 0.02,
            "sessions": [{"arrival_slot": 1, "departure_slot": 4, "initial_soc": 0.5, "target_soc": 0.6}],
        },
        **fields,
    }


def test_a_cleared_book_is_there_for_machines(clear: Command) -> None:
    ended = clear(BOOK, "--json")
    result = json.loads(ended.out)
    assert ended.code == 0
    assert list(result) == ["price", "lo", "hi", "volume", "fills", "seconds"]
    assert result.pop("seconds") >= 0
    assert result == {
        "price": 200_000,
        "lo": 200_000,
        "hi": 200_000,
        "volume": 400,
        "fills": {"ann": 400, "bob": 300, "cid": 100},
    }


def test_a_cleared_book_is_there_for_people(clear: Command) -> None:
    ended = clear(BOOK)
    assert ended.code == 0
    assert "price 200000 micro-token/kWh" in ended.out
    assert "bob" in ended.out
    assert "dan" not in ended.out


def test_where_nothing_crosses_there_is_no_price(clear: Command) -> None:
    result = json.loads(clear(HEADER + "a,buy,90,5\nb,sell,110,5\n", "--json").out)
    assert (result["price"], result["lo"], result["hi"], result["volume"], result["fills"]) == (
        None,
        None,
        None,
        0,
        {},
    )
    assert "nothing trades" in clear(HEADER).out


def test_prices_reach_to_both_ends_of_the_band(clear: Command) -> None:
    result = json.loads(clear(HEADER + "a,buy,-3999999,5\nb,sell,-4000000,5\n", "--json").out)
    assert (result["lo"], result["hi"], result["volume"]) == (-4_000_000, -3_999_999, 5)
    assert (
        json.loads(clear(HEADER + "a,buy,4000000,5\nb,sell,4000000,5\n", "--json").out)["price"] == 4_000_000
    )


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a,buy,1,2\nb,byu,1,2\n", "line 3, column side: 'byu'"),
        ("a,buy,4000001,2\n", "line 2, column price: '4000001'"),
        ("a,buy,-4000001,2\n", "line 2, column price: '-4000001'"),
        ("a,buy,nan,2\n", "line 2, column price: 'nan'"),
        ("a,buy,1.5,2\n", "line 2, column price: '1.5'"),
        ("a,buy,1,0\n", "line 2, column quantity: '0'"),
        ("a,buy,1,-5\n", "line 2, column quantity: '-5'"),
        ("a,buy,1,\n", "line 2, column quantity: ''"),
        ("a,buy,1,2\na,buy,1,2\n", "line 3, column id: 'a'"),
        ("a,buy,1\n", "line 2, column quantity"),
    ],
)
def test_a_bad_row_is_refused_by_line_and_column(clear: Command, rows: str, message: str) -> None:
    for option in ((), ("--json",)):
        assert message in clear(HEADER + rows, *option).error


def test_a_book_without_a_column_is_refused(clear: Command) -> None:
    assert "there is no column quantity" in clear("id,side,price\n").error


@pytest.mark.parametrize("command", ["clear", "optimize"])
def test_a_file_that_cannot_be_read_is_named(otaniemi: Command, tmp_path: Path, command: str) -> None:
    assert f"{tmp_path / 'none'} cannot be read: No such file" in otaniemi(command, tmp_path / "none").error
    folder = "cannot be read: Is a directory" if command == "clear" else "has no house files"
    assert f"{tmp_path} {folder}" in otaniemi(command, tmp_path).error
    (tmp_path / "packed").write_bytes(b"\x1f\x8b\x08")
    assert f"{tmp_path / 'packed'} is not UTF-8 text" in otaniemi(command, tmp_path / "packed").error
    assert "Missing argument" in otaniemi(command).error


def test_a_plan_is_there_for_machines(optimize: Command) -> None:
    ended = optimize(house(), "--json")
    plan = json.loads(ended.out)
    assert ended.code == 0
    assert plan.keys() >= PLAN
    assert (plan["status"], plan["method"]) == ("optimal", "milp")
    assert plan["cost_eur"] - plan["bound_eur"] == pytest.approx(plan["gap_eur"], abs=1e-9)
    assert all(len(plan[name]) == 4 for name in PLAN if name.endswith(("_kw", "_soc")))
    assert plan["starts"].keys() == {"washer"}
    assert plan["starts"]["washer"] in (1, 2)
    assert plan["ev_soc"][3] >= 0.6 - 1e-9
    assert plan["import_kw"][1] == pytest.approx(0)


def test_a_plan_is_there_for_people(optimize: Command) -> None:
    ended = optimize(house())
    lines = [re.split(r"\s*[│┃]\s*", line.strip())[1:-1] for line in ended.out.splitlines()]
    rows = {line[0]: line[1:] for line in reversed(lines) if len(line) > 1}
    assert ended.code == 0
    assert "small: proven cheapest" in ended.out
    assert re.fullmatch(r"0\.0000 EUR \(0\.00 % of the cost without a HEMS\)", rows["gap"][0])
    assert re.fullmatch(r"0[12]:00 - 0[23]:00, 0\.5 kWh", rows["washer"][0])
    assert rows["electric car"][0].startswith("01:00 - 04:00:")
    plan, alone, saved = (float(eur) for eur in rows["total"])
    assert rows["cost"] == [f"{plan:.4f} EUR"]
    assert rows["saved"] == [f"{saved:.4f} EUR"]
    assert alone - plan == pytest.approx(saved, abs=2e-4)
    assert saved > 0


def test_a_plan_is_written_as_a_page(optimize: Command, tmp_path: Path) -> None:
    ended = optimize(house(), "--plot", str(tmp_path / "plan.html"))
    page = (tmp_path / "plan.html").read_text(encoding="utf-8")
    assert ended.code == 0
    assert "proven cheapest" in ended.out
    assert "<h1>Plan of small</h1>" in page
    assert "What each device saved" in page


def test_a_page_and_a_plan_for_machines_come_together(optimize: Command, tmp_path: Path) -> None:
    ended = optimize(house(), "--json", "--case", "1", "--plot", str(tmp_path / "plan.html"))
    assert json.loads(ended.out)["case"] == 1
    assert "case 1" in (tmp_path / "plan.html").read_text(encoding="utf-8")


def test_a_page_that_cannot_be_written_is_named(optimize: Command, tmp_path: Path) -> None:
    ended = optimize(house(), "--json", "--plot", str(tmp_path / "none" / "plan.html"))
    assert ended.code == 2
    assert f"{tmp_path / 'none'}" in ended.err
    assert "No such file" in ended.err


def test_a_folder_has_no_page(otaniemi: Command, tmp_path: Path) -> None:
    assert "--plot is for one house" in otaniemi("optimize", tmp_path, "--plot", "plan.html").error


def test_a_home_that_needs_its_hems_is_told_so(optimize: Command) -> None:
    # Nothing charges the battery before the second hour, whose load is above the limit.
    ended = optimize(house(import_limit_kw=1.2, base_load_kw=[0.5, 1.5, 0.5, 0.5], pv_kw=[0.0] * 4))
    assert ended.code == 0
    assert re.search(r"in slot \d without a HEMS; [\d.]+ kWh are missing", re.sub(r"[│\s]+", " ", ended.out))
    assert "saved" not in ended.out


def test_every_method_can_be_asked_for() -> None:
    assert {method.value for method in Method} == set(METHODS)


def test_the_relaxation_is_a_bound_and_cases_take_devices_away(optimize: Command) -> None:
    exact = json.loads(optimize(house(), "--json").out)
    relaxed = json.loads(optimize(house(), "--method", "lp", "--json").out)
    bare = json.loads(optimize(house(), "--case", "1", "--json").out)
    assert relaxed["bound_eur"] <= exact["cost_eur"] + 1e-9
    assert bare["cost_eur"] > exact["cost_eur"]
    assert not any(bare["battery_charge_kw"])


def test_a_house_without_a_plan_names_what_cannot_hold(optimize: Command) -> None:
    impossible = house(import_limit_kw=0.1, pv_kw=[0.0] * 4, battery=None, ev=None, appliances=[])
    assert "import_limit_kw" in optimize(impossible).error
    ended = optimize(impossible, "--json")
    assert ended.code == 2
    assert json.loads(ended.out)["status"] == "infeasible"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("{", "not a JSON file"),
        ("[]", "house"),
        ("3", "house"),
        ('{"name": "x"}', "is missing"),
        (house(pool={"volume_l": 9}), "'pool' is unknown"),
        (house(battery=STORE | {"colour": "red"}), "'battery.colour' is unknown"),
        (house(base_load_kw=[0.5, float("nan"), 0.5, 0.5]), "base_load_kw"),
        (house(base_load_kw=[0.5, -0.5, 0.5, 0.5]), "base_load_kw"),
        (house(base_load_kw=[0.5] * 3), "base_load_kw"),
        (house(pv_kw="much"), "pv_kw"),
        (house(slots=0), "slots"),
        (house(slots=4.5), "slots"),
        (house(slot_hours=float("inf")), "slot_hours"),
        (
            house(tariff={"import_eur_per_kwh": [float("nan")] * 4, "export_eur_per_kwh": [0] * 4}),
            "import_eur",
        ),
        (house(battery=STORE | {"initial_soc": 1.5, "final_soc": 0.5}), "initial_soc"),
    ],
)
def test_a_bad_house_is_refused_by_field(optimize: Command, given: Any, message: str) -> None:
    assert message in optimize(given).error
