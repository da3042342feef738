"""Measured homes beside prices: the calendar, whole Wh, and what is refused."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path

import numpy as np
import pytest

from otaniemi.oracles.errors import OracleError
from otaniemi.platform.community import Community, bundled_community, parse_community
from otaniemi.platform.data.measured import load_measured
from otaniemi.platform.data.scenario import DataError, Scenario
from otaniemi.platform.data.weather import usual_outdoor_c

HOURS = 24 * 20 + 1
"""31 July hour 24 and twenty days of August."""


class Files:
    """A community of two homes, whose load tells row and home, beside prices that tell the hour."""

    def __init__(self, folder: Path) -> None:
        self.homes, self.prices = folder / "homes", folder / "prices.csv"
        self.homes.mkdir()
        data = json.loads(bundled_community().model_dump_json())
        data["homes"] = [{"home": 1, "pv_scale": 1.0}, {"home": 2, "pv_scale": 0.0}]
        self.community: Community = parse_community(json.dumps(data), "two homes")
        self.rows = [
            [row, *self.label(row), home, f"{home}.{row:03d}", "0.5"]
            for home in (1, 2)
            for row in range(HOURS)
        ]
        first = dt.datetime(2023, 7, 31, 20, tzinfo=dt.UTC)
        self.spot = [(first + dt.timedelta(hours=hour), hour) for hour in range(HOURS)]

    @staticmethod
    def label(row: int) -> tuple[int, int]:
        return (7, 24) if row == 0 else (8, (row - 1) % 24 + 1)

    def weather(self, column: str, text: str | None = None, rows: range = range(HOURS)) -> None:
        """Temperatures that tell their row, or all the same text."""
        lines = [f"{row},{row / 10 if text is None else text}" for row in rows]
        (self.homes / "weather.csv").write_text("\n".join([f"row,{column}", *lines]) + "\n")

    def load(self, start: str = "2023-08-10", days: int = 1, slot_seconds: int = 3600) -> Scenario:
        lines = ["row,month,hour,home,load_kwh,pv_kwh", *(",".join(map(str, row)) for row in self.rows)]
        (self.homes / "load_pv.csv").write_text("\n".join(lines) + "\n")
        spot = [f"{time:%Y-%m-%dT%H:%M:%SZ},{cents}" for time, cents in self.spot]
        self.prices.write_text("\n".join(["hour_utc,price_c_per_kwh_incl_vat", *spot]) + "\n")
        date = dt.date.fromisoformat(start)
        return load_measured(self.community, self.homes, self.prices, date, days, slot_seconds)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_hour_one_of_a_day_stands_beside_the_price_of_helsinkis_first_hour(files: Files) -> None:
    day = files.load("2023-08-10").day(0)
    # Row 0 ends at midnight of 31 July, so hour 1 of 10 August is row 1 + 9 days.
    row = 1 + 24 * 9
    assert day.load_wh[:, 0].tolist() == [1000 + row, 2000 + row]
    # The price file starts with the last hour of July in Helsinki and counts cents up by the hour.
    assert day.prices.import_micro[0] == row * 10_000 + 80_000
    assert day.first_slot * 3600 == dt.datetime(2023, 8, 9, 21, tzinfo=dt.UTC).timestamp()


def test_the_offset_is_the_zones_at_the_first_midnight(files: Files) -> None:
    assert files.load("2023-08-10").utc_offset_s == 3 * 3600


def test_the_week_before_is_known_and_more_is_not_kept(files: Files) -> None:
    assert files.load("2023-08-15").past_slots == 8 * 24
    assert files.load("2023-08-03").past_slots == 2 * 24 + 1


def test_pv_belongs_to_the_homes_that_have_it(files: Files) -> None:
    assert files.load().day(0).pv_wh.sum(axis=1).tolist() == [24 * 500, 0]


@pytest.mark.parametrize("slot_seconds", [720, 900, 1800])
def test_shorter_slots_share_the_hour_and_keep_its_energy(files: Files, slot_seconds: int) -> None:
    hourly, finer = files.load().day(0), files.load(slot_seconds=slot_seconds).day(0)
    parts = 3600 // slot_seconds
    assert finer.slots == 24 * parts
    assert (finer.load_wh.reshape(2, 24, parts).sum(axis=2) == hourly.load_wh).all()
    assert np.ptp(finer.load_wh.reshape(2, 24, parts), axis=2).max() <= 1
    assert (finer.prices.import_micro.reshape(24, parts) == hourly.prices.import_micro[:, None]).all()


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        (4, "nan", "load_kwh is 'nan'; valid: a finite number"),
        (4, "-0.1", "load_kwh is -0.1; valid: 0 or more"),
        (5, "many", "pv_kwh is 'many'; valid: a finite number"),
        (0, "ten", "row is 'ten'; valid: a whole number"),
        (2, "7", "month 8, hour 7 does not fit row 17; valid: 08-01, hour 17"),
    ],
)
def test_an_impossible_reading_is_refused_with_its_line(
    files: Files, column: int, value: str, says: str
) -> None:
    files.rows[17][column] = value
    with pytest.raises(DataError) as error:
        files.load()
    assert f"load_pv.csv, line 19: {says}" in str(error.value)


def test_a_missing_hour_is_named_wherever_it_is(files: Files) -> None:
    del files.rows[100]
    with pytest.raises(DataError, match=r"home 1 has no row 100 \(08-05, hour 4\)"):
        files.load()


def test_a_row_that_occurs_twice_is_refused(files: Files) -> None:
    files.rows.append(files.rows[5])
    with pytest.raises(DataError, match="row 5 of home 1 occurs twice"):
        files.load()


def test_days_that_the_homes_do_not_cover_are_refused(files: Files) -> None:
    with pytest.raises(DataError, match=r"no hour 1 of 08-21; valid: start and days that the data cover"):
        files.load("2023-08-20", days=2)


def test_prices_that_end_early_are_refused(files: Files) -> None:
    files.spot = files.spot[: 24 * 9 + 5]
    with pytest.raises(OracleError, match=r"2023-08-1"):
        files.load("2023-08-10")


def test_a_home_without_data_is_named(files: Files) -> None:
    files.rows = [row for row in files.rows if row[3] == 1]
    with pytest.raises(DataError, match="has no home 2; valid: the homes that the community file names"):
        files.load()


def test_a_missing_directory_file_or_column_is_named(files: Files, tmp_path: Path) -> None:
    files.load()
    for homes, says in (
        (tmp_path / "nowhere", "nowhere is no directory"),
        (tmp_path, r"has no load_pv\.csv\.gz"),
    ):
        with pytest.raises(DataError, match=says):
            load_measured(files.community, homes, files.prices, dt.date(2023, 8, 10), 1, 3600)
    (files.homes / "load_pv.csv").write_text("row,month,hour,home,load_kwh\n")
    with pytest.raises(DataError, match="has no column pv_kwh"):
        load_measured(files.community, files.homes, files.prices, dt.date(2023, 8, 10), 1, 3600)


def test_a_slot_that_does_not_divide_the_hour_is_refused(files: Files) -> None:
    with pytest.raises(DataError, match="slot is 1000 s; valid: a divisor of one hour"):
        files.load(slot_seconds=1000)


def test_a_truncated_archive_is_one_clear_error(files: Files) -> None:
    files.load()
    (files.homes / "load_pv.csv.gz").write_bytes(b"\x1f\x8b\x08\x00broken")
    with pytest.raises(DataError, match=r"load_pv\.csv\.gz cannot be read"):
        load_measured(files.community, files.homes, files.prices, dt.date(2023, 8, 10), 1, 3600)


def test_measured_temperatures_stand_beside_their_hours(files: Files) -> None:
    files.weather("outdoor_c")
    scenario = files.load("2023-08-10", slot_seconds=900)
    row = 1 + 24 * 9
    assert scenario.outdoor_c[:5].tolist() == [row / 10] * 4 + [(row + 1) / 10]
    assert scenario.day(0).outdoor_c.shape == (96,)


def test_citylearns_name_of_the_temperature_is_known(files: Files) -> None:
    files.weather("outdoor_dry_bulb_temperature")
    assert files.load("2023-08-10").outdoor_c[0] == (1 + 24 * 9) / 10


def test_without_weather_it_is_as_warm_as_usual_in_espoo(files: Files) -> None:
    assert files.load("2023-08-10").outdoor_c == pytest.approx(usual_outdoor_c(dt.date(2023, 8, 10), 1, 24))


@pytest.mark.parametrize(
    ("column", "text", "says"),
    [
        ("temperature", "20.0", "has no column outdoor_c"),
        ("outdoor_c", "warm", "outdoor_c is 'warm'; valid: a finite number"),
        ("outdoor_c", "300", "outdoor_c is 300; valid: -60 to 60"),
    ],
)
def test_impossible_weather_is_refused(files: Files, column: str, text: str, says: str) -> None:
    files.weather(column, text)
    with pytest.raises(DataError, match=re.escape(says)):
        files.load("2023-08-10")


def test_a_missing_hour_of_weather_is_refused(files: Files) -> None:
    files.weather("outdoor_c", rows=range(200))
    with pytest.raises(DataError, match="has no row 217"):
        files.load("2023-08-10")
