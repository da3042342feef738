"""Price files: what is read, and how a bad one is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from otaniemi.oracles.errors import TariffSourceError
from otaniemi.oracles.sources import read_spot_csv

HOUR = 3600
START = 1_691_366_400  # 2023-08-07T00:00:00Z


def file_of(tmp_path: Path, *lines: str, name: str = "prices.csv") -> Path:
    path = tmp_path / name
    text = "\n".join(lines) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def test_a_file_in_cents_with_vat_is_read_as_eur_per_kwh(tmp_path: Path) -> None:
    path = file_of(
        tmp_path,
        "hour_utc,price_c_per_kwh_incl_vat",
        "2023-08-07T00:00:00.000Z,10",
        "2023-08-07T01:00:00.000Z,-2.5",
        name="prices.csv.gz",
    )
    spot = read_spot_csv(path)
    assert (spot.start, spot.step, spot.includes_vat) == (START, HOUR, True)
    assert spot.eur_per_kwh == (0.1, -0.025)


def test_a_price_holds_from_its_instant_up_to_the_next(tmp_path: Path) -> None:
    rows = ("time,price_eur_per_mwh", "2023-08-07T02:00:00+02:00,50", "2023-08-07T03:00:00+02:00,70")
    spot = read_spot_csv(file_of(tmp_path, *rows))
    assert [spot.at(START), spot.at(START + HOUR - 1), spot.at(START + HOUR)] == [0.05, 0.05, 0.07]


@pytest.mark.parametrize("instant", [START - 1, START + 2 * HOUR])
def test_an_instant_outside_the_series_is_named_with_what_is_covered(tmp_path: Path, instant: int) -> None:
    rows = ("time_utc,price_eur_per_kwh", "2023-08-07T00:00,0.05", "2023-08-07T01:00,0.07")
    spot = read_spot_csv(file_of(tmp_path, *rows))
    with pytest.raises(TariffSourceError, match="covers 2023-08-07T00:00:00Z to 2023-08-07T02:00:00Z"):
        spot.at(instant)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["time_utc,price", "2023-08-07T00:00,1"], "needs exactly one of price_eur_per_mwh"),
        (["price_eur_per_kwh", "1"], "needs exactly one of hour_utc, time_utc, time"),
        (
            ["time_utc,price_eur_per_kwh", "2023-08-07T00:00,1", "2023-08-07T01:00,nan"],
            "line 3.*'nan' is not a price",
        ),
        (
            ["time_utc,price_eur_per_kwh", "2023-08-07T00:00,1", "2023-08-07T01:00"],
            "line 3.*None is not a price",
        ),
        (["time,price_eur_per_kwh", "2023-08-07T00:00,1"], "line 2, column time: .* is not a time"),
        (["time_utc,price_eur_per_kwh", "yesterday,1"], "line 2, column time_utc: 'yesterday' is not a time"),
        (
            ["time_utc,price_eur_per_kwh", "2023-08-07T00:00,1", "2023-08-07T01:00,1", "2023-08-07T03:00,1"],
            "line 4.*2023-08-07T03:00:00Z does not follow .*valid is 2023-08-07T02:00:00Z",
        ),
        (["time_utc,price_eur_per_kwh", "2023-08-07T01:00,1", "2023-08-07T00:00,1"], "ascending"),
        (["time_utc,price_eur_per_kwh", "2023-08-07T01:00,1"], "1 usable rows"),
        (["time_utc,price_eur_per_kwh"], "0 usable rows"),
    ],
)
def test_a_bad_file_is_refused_by_line_and_column(tmp_path: Path, rows: list[str], message: str) -> None:
    with pytest.raises(TariffSourceError, match=message):
        read_spot_csv(file_of(tmp_path, *rows))


def test_a_missing_or_broken_file_is_refused_by_its_name(tmp_path: Path) -> None:
    broken = tmp_path / "broken.csv.gz"
    broken.write_bytes(b"\x1f\x8b broken")
    for path in (tmp_path / "absent.csv", tmp_path, broken):
        with pytest.raises(TariffSourceError, match=str(path)):
            read_spot_csv(path)
