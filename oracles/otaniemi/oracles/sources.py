"""Where spot prices come from: a CSV file, or the bundled example day. No other oracle module opens files.

A price file has a time column and a price column, found by name:

- time: `hour_utc`, `time_utc` (ISO 8601, taken as UTC) or `time` (ISO 8601 with its offset);
- price: `price_eur_per_mwh`, `price_eur_per_kwh` or `price_c_per_kwh`, with `_incl_vat` appended where
  VAT is in it.

Rows are ascending and equally spaced, with no row missing. `.gz` files are read as they are.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from otaniemi.oracles.errors import TariffSourceError

_TIME_COLUMNS = ("hour_utc", "time_utc", "time")
_PER_EUR_AND_KWH = {"price_eur_per_mwh": 1000, "price_eur_per_kwh": 1, "price_c_per_kwh": 100}
_VAT_SUFFIX = "_incl_vat"

EXAMPLE_SPOT_DAY = (
    *(0.031, 0.027, 0.025, 0.024, 0.026, 0.036, 0.062, 0.104, 0.121, 0.090, 0.063, 0.046),
    *(0.036, 0.030, 0.029, 0.037, 0.056, 0.094, 0.142, 0.178, 0.161, 0.115, 0.074, 0.047),
)
"""An example of the shape that Finland sees on a summer working day, by hour of the day. [EUR/kWh incl. VAT]"""


@dataclass(frozen=True)
class SpotPrices:
    """A gapless series of spot prices.

    Attributes
    ----------
    start : int
        Unix time of the first period.
    step : int
        Length of a period. [s]
    eur_per_kwh : tuple of float
        One price per period. [EUR/kWh]
    includes_vat : bool
        Whether VAT is in the prices.
    origin : str
        Where they come from, for reports.
    """

    start: int
    step: int
    eur_per_kwh: tuple[float, ...]
    includes_vat: bool
    origin: str

    @property
    def end(self) -> int:
        """Unix time at which the series ends."""
        return self.start + self.step * len(self.eur_per_kwh)

    def at(self, instant: int) -> float:
        """Price of the period that holds ``instant`` (Unix time). [EUR/kWh]

        Raises
        ------
        TariffSourceError
            The series does not cover ``instant``.
        """
        if not self.start <= instant < self.end:
            raise TariffSourceError(
                f"{self.origin} has no price for {_iso(instant)}; "
                f"it covers {_iso(self.start)} to {_iso(self.end)}"
            )
        return self.eur_per_kwh[(instant - self.start) // self.step]


def read_spot_csv(path: Path) -> SpotPrices:
    """Read a price file (format: see the module).

    Raises
    ------
    TariffSourceError
        The file is missing or unreadable, a column is missing, or a row is bad, missing or out of order (the
        message names its line).
    """
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise TariffSourceError(f"{path}: cannot be read as a price file: {error}") from error
    reader = csv.DictReader(io.StringIO(text))
    columns = tuple(reader.fieldnames or ())
    time_column = _column(path, columns, _TIME_COLUMNS)
    price_column = _column(
        path, columns, tuple(name + vat for name in _PER_EUR_AND_KWH for vat in ("", _VAT_SUFFIX))
    )
    divisor = _PER_EUR_AND_KWH[price_column.removesuffix(_VAT_SUFFIX)]
    times, prices = [], []
    for line, row in _rows(reader):
        times.append(_instant(path, line, time_column, row[time_column]))
        prices.append(_price(path, line, price_column, row[price_column]) / divisor)
        if len(times) > 2 and times[-1] - times[-2] != times[1] - times[0]:
            raise TariffSourceError(
                f"{path}, line {line}, column {time_column}: {_iso(times[-1])} does not "
                f"follow {_iso(times[-2])}; "
                f"valid is {_iso(times[-2] + times[1] - times[0])}"
            )
    if len(times) < 2 or times[1] <= times[0]:
        raise TariffSourceError(
            f"{path}: holds {len(times)} usable rows; valid is two or more in ascending order"
        )
    return SpotPrices(
        times[0], times[1] - times[0], tuple(prices), price_column.endswith(_VAT_SUFFIX), str(path)
    )


def _rows(reader: csv.DictReader[str]) -> Iterator[tuple[int, dict[str, str | None]]]:
    for row in reader:
        yield reader.line_num, dict(row)


def _column(path: Path, columns: tuple[str, ...], known: tuple[str, ...]) -> str:
    found = [name for name in known if name in columns]
    if len(found) != 1:
        raise TariffSourceError(
            f"{path}: columns are {', '.join(columns)}; needs exactly one of {', '.join(known)}"
        )
    return found[0]


def _instant(path: Path, line: int, column: str, text: str | None) -> int:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        moment = None
    if moment is not None and moment.tzinfo is None and column.endswith("_utc"):
        moment = moment.replace(tzinfo=UTC)
    if moment is None or moment.tzinfo is None:
        raise TariffSourceError(
            f"{path}, line {line}, column {column}: {text!r} is not a time; valid is 2023-08-07T00:00:00Z"
        )
    return int(moment.timestamp())


def _price(path: Path, line: int, column: str, text: str | None) -> float:
    try:
        price = float(text or "")
    except ValueError:
        price = math.nan
    if not math.isfinite(price):
        raise TariffSourceError(
            f"{path}, line {line}, column {column}: {text!r} is not a price; valid is a number"
        )
    return price


def _iso(instant: int) -> str:
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
