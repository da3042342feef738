"""Bad input gets one line that names it, exit code 2, and leaves nothing behind."""

from __future__ import annotations

import datetime as dt
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from otaniemi.platform.community import bundled_community

from .conftest import Command

FIRST = dt.datetime(2023, 7, 31, 21, tzinfo=dt.UTC)
"""Midnight of 1 August in Helsinki; row 1 of the home data starts then."""
HOURS = 12 * 24


@dataclass
class Input:
    """Files of a community of one's own, and the options that name them."""

    folder: Path
    options: dict[str, object]

    @property
    def homes(self) -> Path:
        return self.folder / "homes" / "load_pv.csv"

    @property
    def prices(self) -> Path:
        return self.folder / "prices.csv"

    @property
    def community(self) -> Path:
        return self.folder / "community.json"

    def arguments(self) -> list[object]:
        """The command's arguments; an option that is None is left out."""
        given = [(name, value) for name, value in self.options.items() if value is not None]
        return ["simulate", "--slot", "60min", *(part for pair in given for part in pair)]


@pytest.fixture
def given(tmp_path: Path) -> Input:
    """Twelve good days of two homes."""
    found = Input(tmp_path, {})
    found.options = {
        "--homes-data": tmp_path / "homes",
        "--prices": found.prices,
        "--community": found.community,
        "--start": "2023-08-09",
        "--out": tmp_path / "runs" / "mine",
    }
    found.homes.parent.mkdir()
    rows = ["row,month,hour,home,load_kwh,pv_kwh"]
    for home in (1, 2):
        for hour in range(HOURS):
            month, label = (7, 24) if hour == 0 else (8, (hour - 1) % 24 + 1)
            rows.append(f"{hour},{month},{label},{home},0.5,0.25")
    found.homes.write_text("\n".join(rows) + "\n")
    times = [FIRST + dt.timedelta(hours=hour) for hour in range(HOURS)]
    found.prices.write_text(
        "hour_utc,price_c_per_kwh_incl_vat\n" + "".join(f"{time:%Y-%m-%dT%H:%M:%SZ},5.0\n" for time in times)
    )
    community = json.loads(bundled_community().model_dump_json())
    community["homes"] = community["homes"][:2]
    found.community.write_text(json.dumps(community))
    return found


def replaced(file: Path, old: str, new: str) -> None:
    """Replace the one occurrence of ``old``."""
    text = file.read_text()
    assert text.count(old) == 1, (old, text.count(old))
    file.write_text(text.replace(old, new))


def changed(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a JSON file."""
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))


def test_good_input_gets_as_far_as_the_chain(given: Input, otaniemi: Command) -> None:
    given.options["--chain"] = "nowhere"
    assert "'nowhere' is no chain; valid are embedded, anvil, or the URL of a node" in refused(
        given, otaniemi
    )


def refused(given: Input, otaniemi: Command) -> str:
    """The error of the command, which must leave no file."""
    before = {path: path.read_bytes() for path in given.folder.rglob("*") if path.is_file()}
    folders = sorted(path for path in given.folder.rglob("*") if path.is_dir())
    error = otaniemi(*given.arguments()).error
    assert sorted(path for path in given.folder.rglob("*") if path.is_dir()) == folders
    assert {path: path.read_bytes() for path in given.folder.rglob("*") if path.is_file()} == before
    return error


OPTIONS: list[tuple[str, dict[str, object], str]] = [
    ("unknown home data", {"--homes-data": "/nowhere"}, "/nowhere is no directory"),
    ("unknown prices", {"--prices": "/nowhere.csv"}, "/nowhere.csv"),
    ("unknown community file", {"--community": "/nowhere.json"}, "/nowhere.json cannot be read"),
    ("homes without prices", {"--prices": None}, "--homes-data needs --prices FILE and --start YYYY-MM-DD"),
    ("homes without a start", {"--start": None}, "--homes-data needs --prices FILE and --start YYYY-MM-DD"),
    ("prices without homes", {"--homes-data": None, "--community": None}, "it goes with --homes-data DIR"),
    ("a number of measured homes", {"--homes": 3}, "--homes is 3; with --homes-data the community file says"),
    ("a start that is no date", {"--start": "monday"}, "--start is monday; valid is a date"),
    (
        "a start before all time",
        {"--start": "0001-01-01"},
        "--start is 0001-01-01; valid is a date from 1971",
    ),
    ("days before the home data", {"--start": "2023-07-30"}, "home data in"),
    ("days far before the data", {"--start": "2023-01-30"}, "have no hour"),
    ("days beyond the data", {"--days": 9}, "have no hour"),
    ("no days", {"--days": 0}, "--days"),
    ("half a home", {"--homes": "1.5"}, "--homes"),
    ("a slot of seven minutes", {"--slot": "7min"}, "'15min', '12min', '60min'"),
    ("a forecast unheard of", {"--forecast": "lucky"}, "'realistic', 'perfect'"),
    ("a chain without a node", {"--chain": "http://127.0.0.1:9"}, "http://127.0.0.1:9: no node answers"),
    ("a chain of no scheme", {"--chain": "ftp://127.0.0.1:9"}, "ftp://127.0.0.1:9"),
    ("an option unheard of", {"--colour": "red"}, "--colour"),
    ("a place below a file", {"--out": "prices.csv/run"}, "--out prices.csv/run: cannot write there"),
    ("a place of no name", {"--out": "."}, "--out .: "),
]


@pytest.mark.parametrize(
    ("change", "message"), [case[1:] for case in OPTIONS], ids=[case[0] for case in OPTIONS]
)
def test_options_are_refused(
    given: Input, otaniemi: Command, monkeypatch: pytest.MonkeyPatch, change: dict[str, object], message: str
) -> None:
    monkeypatch.chdir(given.folder)
    given.options |= change
    assert message in refused(given, otaniemi)


HOME_FAULTS = [
    ("a missing hour", "100,8,4,2,0.5,0.25\n", "", "home 2 has no row 100 (08-05, hour 4)"),
    (
        "a load of NaN",
        "100,8,4,2,0.5",
        "100,8,4,2,nan",
        "line 390: load_kwh is 'nan'; valid: a finite number",
    ),
    ("a load of infinity", "100,8,4,2,0.5", "100,8,4,2,inf", "load_kwh is 'inf'"),
    ("a negative load", "100,8,4,2,0.5", "100,8,4,2,-0.5", "load_kwh is -0.5; valid: 0 or more, in kWh"),
    ("a negative PV", "100,8,4,2,0.5,0.25", "100,8,4,2,0.5,-1", "pv_kwh is -1; valid: 0 or more"),
    ("a word for a load", "100,8,4,2,0.5", "100,8,4,2,much", "load_kwh is 'much'"),
    ("an hour twice", "100,8,4,2,", "99,8,3,2,", "row 99 of home 2 occurs twice"),
    ("an hour out of the calendar", "100,8,4,2,", "100,8,5,2,", "month 8, hour 5 does not fit row 100"),
    ("a row cut short", "100,8,4,2,0.5,0.25", "100,8,4,2", "line 390: 4 fields"),
    ("a missing column", "load_kwh", "load", "load_kwh"),
]


@pytest.mark.parametrize(
    ("old", "new", "message"), [case[1:] for case in HOME_FAULTS], ids=[case[0] for case in HOME_FAULTS]
)
def test_home_data_are_refused(given: Input, otaniemi: Command, old: str, new: str, message: str) -> None:
    replaced(given.homes, old, new)
    error = refused(given, otaniemi)
    assert str(given.homes) in error
    assert message in error


PRICE_FAULTS = [
    ("a missing hour", "2023-08-09T05:00:00Z,5.0\n", "", "2023-08-09T05:00"),
    (
        "a price of NaN",
        "2023-08-09T05:00:00Z,5.0",
        "2023-08-09T05:00:00Z,NaN",
        "line 202, column price_c_per_kwh_incl_vat: 'NaN'",
    ),
    (
        "an empty price",
        "2023-08-09T05:00:00Z,5.0",
        "2023-08-09T05:00:00Z,",
        "line 202, column price_c_per_kwh_incl_vat: ''",
    ),
    (
        "a time in words",
        "2023-08-09T05:00:00Z",
        "9 August",
        "line 202, column hour_utc: '9 August'",
    ),
    ("an hour twice", "2023-08-09T05:00:00Z", "2023-08-09T04:00:00Z", "line 202, column hour_utc"),
    ("a missing column", "hour_utc", "hour", "hour_utc"),
]


@pytest.mark.parametrize(
    ("old", "new", "message"), [case[1:] for case in PRICE_FAULTS], ids=[case[0] for case in PRICE_FAULTS]
)
def test_prices_are_refused(given: Input, otaniemi: Command, old: str, new: str, message: str) -> None:
    replaced(given.prices, old, new)
    error = refused(given, otaniemi)
    assert str(given.prices) in error
    assert message in error


def test_prices_that_end_early_are_refused(given: Input, otaniemi: Command) -> None:
    text = given.prices.read_text()
    given.prices.write_text(text[: text.index("2023-08-09T20:00:00Z")])
    error = refused(given, otaniemi)
    assert f"{given.prices} has no price for 2023-08-09T20:00:00Z" in error


def test_files_that_are_no_text_are_refused(given: Input, otaniemi: Command) -> None:
    packed = given.prices.with_suffix(".csv.gz")
    packed.write_bytes(b"\x1f\x8b\x08not really")
    given.options["--prices"] = packed
    assert str(packed) in refused(given, otaniemi)


COMMUNITY_FAULTS: list[tuple[str, Callable[[dict[str, Any]], object], str]] = [
    ("an unknown field", lambda data: data.update(colour="red"), "colour is not a field of this format"),
    (
        "an unknown field of a home",
        lambda data: data["homes"][1].update(pool=1),
        "homes[1].pool is not a field",
    ),
    ("a missing field", lambda data: data.pop("tariff"), "tariff is missing"),
    (
        "a battery beyond its size",
        lambda data: data["homes"][0]["battery"].update(initial_soc=1.5),
        "initial_soc",
    ),
    ("a price of NaN", lambda data: data["tariff"].update(local_fee_eur_per_kwh=float("nan")), "local_fee"),
    ("a home that has no data", lambda data: data["homes"][1].update(home=9), "has no home 9"),
    ("a zone unheard of", lambda data: data["calendar"].update(zone="Mars/Base"), "Mars/Base"),
]


@pytest.mark.parametrize(
    ("change", "message"), [case[1:] for case in COMMUNITY_FAULTS], ids=[case[0] for case in COMMUNITY_FAULTS]
)
def test_community_files_are_refused(
    given: Input, otaniemi: Command, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    changed(given.community, change)
    assert message in refused(given, otaniemi)


def test_a_community_file_that_is_no_json_is_refused(given: Input, otaniemi: Command) -> None:
    given.community.write_text("{")
    assert f"community file {given.community}: no JSON" in refused(given, otaniemi)


def test_files_of_another_run_are_never_overwritten(given: Input, otaniemi: Command) -> None:
    out = given.folder / "runs" / "mine"
    out.mkdir(parents=True)
    (out / "summary.json").write_text("{}")
    assert f"--out {out}: already holds files" in refused(given, otaniemi)


def test_leftovers_of_an_interrupted_run_are_named(given: Input, otaniemi: Command) -> None:
    left = given.folder / "runs" / "mine.partial"
    left.mkdir(parents=True)
    (left / "store.db").write_text("half")
    assert f"an interrupted run left {left}" in refused(given, otaniemi)


def test_a_port_in_use_is_said_so(otaniemi: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        error = otaniemi("serve", "--port", port).error
        assert str(port) in error
        assert "in use" in error


def test_a_traceback_is_shown_to_who_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from otaniemi.platform.cli import main

    monkeypatch.setattr("sys.argv", ["otaniemi", "--debug", "clear", "/nowhere.csv"])
    with pytest.raises(Exception, match=r"/nowhere\.csv cannot be read"):
        main()
