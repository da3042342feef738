"""Measured homes and spot prices, set side by side by the clock of one time zone.

Home data carry no year: their month, day and clock hour (the label is the end of the hour) are set beside the
same month, day and clock hour of the prices. A trading day has a fixed offset, the zone's offset at midnight
of the first day; in a run across a clock change both data follow the instants.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from otaniemi.contracts.rules.units import price_of, whs_of
from otaniemi.oracles.sources import read_spot_csv
from otaniemi.platform.community import Community, RowZero
from otaniemi.platform.data.scenario import (
    HISTORY_DAYS,
    HOUR,
    DataError,
    Floats,
    Scenario,
    check_slot_seconds,
    split_hours,
)
from otaniemi.platform.data.tariff import price_rule, prices_from_spot
from otaniemi.platform.data.weather import usual_outdoor_c

HOME_COLUMNS = ("row", "month", "hour", "home", "load_kwh", "pv_kwh")
OUTDOOR_COLUMNS = ("outdoor_c", "outdoor_dry_bulb_temperature")
"""Names of the outdoor temperature's column; the second is CityLearn's."""
_YEAR = 2001
"""Any year without a leap day: home data have none."""


@dataclass(frozen=True)
class _Meters:
    """What the home file says: arrays of shape (homes, rows) [kWh], unbroken from ``first_row``."""

    first_row: int
    load_kwh: NDArray[np.float64]
    pv_kwh: NDArray[np.float64]

    def has(self, row: int) -> bool:
        return 0 <= row - self.first_row < int(self.load_kwh.shape[1])


def load_measured(
    community: Community, homes_dir: Path, prices_file: Path, start: dt.date, days: int, slot_seconds: int
) -> Scenario:
    """The truth of ``days`` trading days from ``start``, from files.

    Parameters
    ----------
    homes_dir : Path
        Holds ``load_pv.csv.gz`` or ``load_pv.csv`` with the columns of `HOME_COLUMNS`, hourly. May hold
        ``weather.csv.gz`` or ``weather.csv`` with ``row`` and one of `OUTDOOR_COLUMNS`; what is usual in Espoo takes
        its place.
    prices_file : Path
        CSV of spot prices in the format of `otaniemi.oracles.sources`.

    Raises
    ------
    DataError
        A file, column, home or hour of the home data is missing, or a value is impossible.
    TariffSourceError
        The price file cannot be used, or prices or VAT rates do not cover the days.
    """
    check_slot_seconds(slot_seconds)
    zone = ZoneInfo(community.calendar.zone)
    midnight = dt.datetime.combine(start, dt.time(), zone)
    first_hour = int(midnight.timestamp()) // HOUR
    times = [
        dt.datetime.fromtimestamp(hour * HOUR, zone) for hour in range(first_hour, first_hour + 24 * days)
    ]
    meters = _read_homes(_file(homes_dir, "load_pv"), community)
    rule = price_rule(community.tariff, zone)
    rows = _past_rows(meters, midnight, community.calendar.row_zero)
    past_hours = len(rows)
    for time in times:
        row = _row(time, community.calendar.row_zero)
        if row is None or not meters.has(row):
            raise DataError(
                f"home data in {homes_dir} have no hour {time.hour + 1} of {time:%m-%d}; "
                "valid: start and days that the data cover"
            )
        rows.append(row)

    index = np.array(rows) - meters.first_row
    scale = np.array([home.pv_scale for home in community.homes])[:, None]
    parts = HOUR // slot_seconds
    slots = range(first_hour * parts, (first_hour + len(times)) * parts)
    return Scenario(
        source=str(homes_dir),
        name=community.name,
        homes=community.homes,
        first_day=start,
        utc_offset_s=int((midnight.utcoffset() or dt.timedelta()).total_seconds()),
        slot_seconds=slot_seconds,
        first_slot=slots.start,
        past_slots=past_hours * parts,
        load_wh=split_hours(whs_of(meters.load_kwh[:, index]), parts),
        pv_wh=split_hours(whs_of(meters.pv_kwh[:, index] * scale), parts),
        outdoor_c=_outdoor_c(homes_dir, rows[past_hours:], start, parts),
        prices=prices_from_spot(read_spot_csv(prices_file), rule, slots, slot_seconds),
        local_fee_micro=price_of(rule.local_fee),
    )


def _row(time: dt.datetime, zero: RowZero) -> int | None:
    """The row of the home data whose hour starts at this clock hour; None on 29 February."""
    if (time.month, time.day) == (2, 29):
        return None
    first = dt.datetime(_YEAR, zero.month, zero.day, zero.hour - 1)
    place = dt.datetime(_YEAR, time.month, time.day, time.hour)
    if place < first:
        place = place.replace(year=_YEAR + 1)
    return int((place - first) / dt.timedelta(hours=1))


def _past_rows(meters: _Meters, midnight: dt.datetime, zero: RowZero) -> list[int]:
    """The rows before the first day, as far back as they are there and earlier, at most `HISTORY_DAYS`."""
    rows: list[int] = []
    latest = _row(midnight, zero)
    for hour in range(1, HISTORY_DAYS * 24 + 1):
        time = dt.datetime.fromtimestamp(midnight.timestamp() - hour * HOUR, midnight.tzinfo)
        row = _row(time, zero)
        if row is None or latest is None or row > latest or not meters.has(row):
            break
        rows.append(row)
        latest = row
    return rows[::-1]


def _outdoor_c(homes_dir: Path, rows: Sequence[int], start: dt.date, parts: int) -> Floats:
    """Outdoor temperature of every slot: the hour's, measured where there is a file."""
    if not any((homes_dir / name).is_file() for name in _names("weather")):
        return usual_outdoor_c(start, len(rows) // 24, 24 * parts)
    file = _file(homes_dir, "weather")
    column = next((name for name in OUTDOOR_COLUMNS if name in _header(file)), OUTDOOR_COLUMNS[0])
    measured = {}
    for line, (row, outdoor) in _rows(file, ("row", column)):
        at = f"{file}, line {line}"
        measured[_whole(row, "row", at)] = _temperature(outdoor, column, at)
    for wanted in rows:
        if wanted not in measured:
            raise DataError(f"{file} has no row {wanted}; valid: every hour of the days that are asked for")
    return np.repeat([measured[row] for row in rows], parts)


def _names(stem: str) -> tuple[str, str]:
    return f"{stem}.csv.gz", f"{stem}.csv"


def _file(homes_dir: Path, stem: str) -> Path:
    if not homes_dir.is_dir():
        raise DataError(f"home data {homes_dir} is no directory; valid: a directory with load_pv.csv.gz")
    for name in _names(stem):
        if (homes_dir / name).is_file():
            return homes_dir / name
    raise DataError(
        f"home data directory {homes_dir} has no {stem}.csv.gz; valid: {stem}.csv.gz or {stem}.csv"
    )


def _read_homes(file: Path, community: Community) -> _Meters:
    zero = community.calendar.row_zero
    wanted = {home.home: {} for home in community.homes}  # type: dict[int, dict[int, tuple[float, float]]]
    for line, (row, month, hour, home, load, pv) in _rows(file, HOME_COLUMNS):
        at = f"{file}, line {line}"
        readings = wanted.get(_whole(home, "home", at))
        if readings is None:
            continue
        number = _whole(row, "row", at)
        if number in readings:
            raise DataError(f"{at}: row {number} of home {home} occurs twice; valid: every row once")
        _check_label(number, _whole(month, "month", at), _whole(hour, "hour", at), zero, at)
        readings[number] = (_energy(load, "load_kwh", at), _energy(pv, "pv_kwh", at))
    for home_number, readings in wanted.items():
        if not readings:
            raise DataError(
                f"{file} has no home {home_number}; valid: the homes that the community file names"
            )
    first, last = _common_span(wanted)
    for home_number, readings in wanted.items():
        for number in range(first, last + 1):
            if number not in readings:
                raise DataError(
                    f"{file}: home {home_number} has no row {number} ({_label(number, zero)}); "
                    "valid: every hour between the first and the last"
                )
    values = np.array(
        [[wanted[home.home][number] for number in range(first, last + 1)] for home in community.homes]
    )
    return _Meters(first, values[:, :, 0], values[:, :, 1])


def _common_span(wanted: dict[int, dict[int, tuple[float, float]]]) -> tuple[int, int]:
    return min(min(rows) for rows in wanted.values()), max(max(rows) for rows in wanted.values())


def _check_label(row: int, month: int, hour: int, zero: RowZero, at: str) -> None:
    time = _start_of(row, zero)
    if (month, hour) != (time.month, time.hour + 1):
        raise DataError(
            f"{at}: month {month}, hour {hour} does not fit row {row}; valid: {_label(row, zero)}, "
            "an unbroken hourly calendar from calendar.row_zero of the community"
        )


def _start_of(row: int, zero: RowZero) -> dt.datetime:
    return dt.datetime(_YEAR, zero.month, zero.day, zero.hour - 1) + dt.timedelta(hours=row)


def _label(row: int, zero: RowZero) -> str:
    time = _start_of(row, zero)
    return f"{time:%m-%d}, hour {time.hour + 1}"


def _lines(file: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and fields of every line of a CSV file, gzipped or not; the header first."""
    try:
        with gzip.open(file, "rt", newline="") if file.suffix == ".gz" else file.open(newline="") as stream:
            reader = csv.reader(stream)
            for fields in reader:
                yield reader.line_num, fields
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _header(file: Path) -> list[str]:
    return next(_lines(file), (1, []))[1]


def _rows(file: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Line number and the wanted columns of every row."""
    lines = _lines(file)
    _, header = next(lines, (1, []))
    absent = [column for column in columns if column not in header]
    if absent:
        raise DataError(f"{file} has no column {absent[0]}; valid columns: {', '.join(columns)}")
    places = [header.index(column) for column in columns]
    for line, fields in lines:
        if len(fields) < len(header):
            raise DataError(f"{file}, line {line}: {len(fields)} fields; valid: the {len(header)} of line 1")
        yield line, [fields[place] for place in places]


def _whole(text: str, field: str, at: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise DataError(f"{at}: {field} is {text!r}; valid: a whole number") from error


def _number(text: str, field: str, at: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{at}: {field} is {text!r}; valid: a finite number")
    return value


def _energy(text: str, field: str, at: str) -> float:
    value = _number(text, field, at)
    if value < 0:
        raise DataError(f"{at}: {field} is {text}; valid: 0 or more, in kWh")
    return value


def _temperature(text: str, field: str, at: str) -> float:
    value = _number(text, field, at)
    if not -60.0 <= value <= 60.0:
        raise DataError(f"{at}: {field} is {text}; valid: -60 to 60, in °C")
    return value
