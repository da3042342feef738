"""Where spot prices come from: the bundled example, or a CSV file. No other oracle module opens files.

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
from importlib import resources
from pathlib import Path

from otaniemi.oracles.errors import TariffSourceError

_TIME_COLUMNS = ("hour_utc", "time_utc", "time")
_EUR_PER_KWH = {"price_eur_per_mwh": 1e-3, "price_eur_per_kwh": 1.0, "price_c_per_kwh": 1e-2}
_VAT_SUFFIX = "_incl_vat"


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


def example_spot_prices(start: int, days: int) -> SpotPrices:
    """The bundled example (synthetic, one summer day by the hour without VAT), repeated over ``days`` days.

    Parameters
    ----------
    start : int
        Unix time of the first local midnight.
    days : int
        How many days to cover, at least 1.
    """
    if days < 1:
        raise TariffSourceError(f"days is {days}; valid is 1 or more")
    text = (resources.files("otaniemi.oracles") / "data" / "example_spot_day.csv").read_text(encoding="utf-8")
    day = tuple(float(row["price_eur_per_kwh"]) for row in csv.DictReader(io.StringIO(text)))
    return SpotPrices(start, 86_400 // len(day), day * days, False, "the bundled example prices (synthetic)")


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
        path, columns, tuple(name + vat for name in _EUR_PER_KWH for vat in ("", _VAT_SUFFIX))
    )
    factor = _EUR_PER_KWH[price_column.removesuffix(_VAT_SUFFIX)]
    times, prices = [], []
    for line, row in _rows(reader):
        times.append(_instant(path, line, time_column, row[time_column]))
        prices.append(_price(path, line, price_column, row[price_column]) * factor)
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
