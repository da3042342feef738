"""What `otaniemi simulate` promises of a run."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from otaniemi.platform.community import bundled_community
from otaniemi.platform.simulation import SimulatedRun

from .conftest import TWO_HOMES, Command, Run, simulate

SUMMARY = {
    *("homes", "slots", "slot_seconds", "seed", "data_source", "orders", "trades", "traded_wh"),
    *("bought_wh", "sold_wh", "v2h_sold_wh", "cost_no_market_eur", "cost_market_eur"),
    *("cost_community_optimum_eur", "cost_perfect_foresight_eur", "forecast", "market_efficiency"),
    *(
        "imbalance_wh",
        "discomfort_kelvin_hours",
        "bills",
        "bills_sum_nano",
        "escrow_surplus_nano",
        "gas",
        "transactions",
        "wall_s",
        "audit",
    ),
}
PARTS = {
    "gas": {"total", "per_order", "per_home_day"},
    "wall_s": {"optimize", "chain", "settle", "total"},
    "audit": {"ok", "leaves"},
}
FILES = {"summary.json", "report.html", "deployment.json", "leaves", "store.db", "chain"}
CENT_EUR = 0.01
TANK = {
    "rated_kw": 3.0,
    "volume_l": 200,
    "resistance_k_per_kw": 600,
    "min_c": 45,
    "max_c": 70,
    "initial_c": 58,
    "inlet_c": 12,
    "ambient_c": 20,
    "draw_l": [0] * 6 + [30, 40] + [4] * 11 + [30, 20, 0, 0, 0],
}


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory, require_measured_data: Path) -> Run:
    """A day of four measured homes, one with a tank, under a community file of one's own."""
    folder = tmp_path_factory.mktemp("measured")
    community = json.loads(bundled_community().model_dump_json())
    community["homes"], community["name"] = community["homes"][4:8], "four-of-twelve"
    community["homes"][0]["water_heater"] = TANK
    (folder / "four.json").write_text(json.dumps(community))
    return simulate(
        folder / "run",
        *("--homes-data", require_measured_data / "citylearn2022_homes"),
        *("--prices", require_measured_data / "nordpool_fi_2023" / "spot_fi_hourly.csv.gz"),
        *("--community", folder / "four.json", "--slot", "60min", "--start", "2023-08-07"),
    )


@pytest.fixture(params=["small", "other_seed", "default_day", "measured"])
def run(request: pytest.FixtureRequest) -> Run:
    """Each run of the session."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Run)
    return found


def test_a_run_holds_its_files_and_every_field_of_its_summary(run: Run) -> None:
    assert {path.name for path in run.path.iterdir()} >= FILES
    assert run.summary.keys() >= SUMMARY
    for name, parts in PARTS.items():
        assert run.summary[name].keys() >= parts
    for name in SUMMARY - {"market_efficiency", *PARTS}:
        assert run.summary[name] is not None, name
    assert run.summary["audit"]["ok"] is True
    assert run.summary["bills"] == run.summary["homes"]
    assert run.summary["audit"]["leaves"] == 2 * run.summary["homes"] * run.summary["slots"]


def test_energy_and_money_are_conserved(run: Run) -> None:
    summary = run.summary
    assert summary["bills_sum_nano"] == summary["escrow_surplus_nano"] == 0
    assert summary["sold_wh"] == summary["bought_wh"] == summary["traded_wh"] > 0
    bills = [json.loads(line) for line in run.leaves("bills").splitlines()]
    assert sum(bill["trade_wh"] for bill in bills) == 0
    assert sum(bill["trade_money"] for bill in bills) == 0


def test_the_report_opens_without_a_network(run: Run) -> None:
    fetched = []

    class Fetches(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            for name, value in attributes:
                if name in ("src", "srcset", "data", "poster") or (tag, name) == ("link", "href"):
                    fetched.append((tag, value))

    html = (run.path / "report.html").read_text(encoding="utf-8")
    Fetches().feed(html)
    assert [(tag, value) for tag, value in fetched if not str(value).startswith("data:")] == []
    assert not re.search(
        r"@import|url\(\s*['\"]?(https?:)?//", "".join(re.findall(r"<style.*?</style>", html, re.S))
    )


def test_homes_keep_warm_water_and_the_report_draws_its_temperature(measured: Run, default_day: Run) -> None:
    for run in (measured, default_day):
        assert run.summary["discomfort_kelvin_hours"] < 0.1
        assert '"water_heater_reached"' in (run.path / "report.html").read_text(encoding="utf-8")


def test_progress_is_visible_from_founding_to_audit(small: Run) -> None:
    for task in ("founding the community", "trading", "yardsticks", "publishing and audit"):
        assert task in small.process.err


def test_the_same_seed_gives_the_same_summary_and_chain(small: Run, tmp_path: Path) -> None:
    again = simulate(tmp_path / "again", *TWO_HOMES)
    assert again.summary.pop("wall_s")
    assert again.summary == {name: value for name, value in small.summary.items() if name != "wall_s"}
    for kind in ("bills", "meters"):
        assert again.leaves(kind) == small.leaves(kind)
    names = {path.name for path in (small.path / "chain").iterdir()}
    for name in [f"chain/{name}" for name in names] + ["deployment.json"]:
        assert (again.path / name).read_bytes() == (small.path / name).read_bytes(), name


def test_another_seed_gives_another_chain(small: Run, other_seed: Run) -> None:
    assert other_seed.summary["head"] != small.summary["head"]
    assert json.loads((small.path / "deployment.json").read_text())["head"] == small.summary["head"]


def test_the_default_day_is_twelve_homes_of_quarter_hours(default_day: Run) -> None:
    names = ("homes", "slots", "slot_seconds", "seed", "data_source", "forecast")
    assert [default_day.summary[name] for name in names] == [12, 96, 900, 7, "synthetic", "perfect"]


def test_vehicle_energy_is_sold_on_the_default_day(default_day: Run) -> None:
    assert default_day.summary["v2h_sold_wh"] > 0


def test_with_a_perfect_forecast_the_market_lies_between_optimum_and_alone(default_day: Run) -> None:
    summary = default_day.summary
    alone, market = summary["cost_no_market_eur"], summary["cost_market_eur"]
    optimum = summary["cost_community_optimum_eur"]
    assert optimum <= market <= alone
    assert optimum == summary["cost_perfect_foresight_eur"]
    assert summary["market_efficiency"] == pytest.approx((alone - market) / (alone - optimum))
    assert summary["market_efficiency"] >= 0.90
    assert summary["imbalance_wh"] == 0


def test_with_a_perfect_forecast_no_home_loses_more_than_five_cents(default_day: Run) -> None:
    html = (default_day.path / "report.html").read_text(encoding="utf-8")
    assert "No home was worse off than alone." in html or "Worse off than alone:" in html
    for told in re.findall(r"Worse off than alone: ([^<]*)", html):
        losses = [float(cents) for cents in re.findall(r"home \d+ ([\d.]+) c", told)]
        assert losses
        assert max(losses) <= 5


def test_a_run_whose_audit_fails_is_told_by_the_exit_code(
    small: Run, otaniemi: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for ok in (True, False):
        finished = SimulatedRun(small.path, small.summary | {"audit": {"ok": ok, "leaves": 96}})
        monkeypatch.setattr("otaniemi.platform.simulation.simulate_run", lambda *_, run=finished: run)
        told, machine = otaniemi("simulate"), otaniemi("simulate", "--json")
        assert told.code == machine.code == (0 if ok else 1)
        assert ("FAILED" in told.out) is not ok
        assert str(small.path / "report.html") in told.out.replace("\n", "")
        assert json.loads(machine.out) == finished.summary


def test_measured_homes_trade_under_a_community_file(measured: Run, require_measured_data: Path) -> None:
    summary = measured.summary
    assert summary["data_source"] == str(require_measured_data / "citylearn2022_homes")
    assert (summary["community"], summary["homes"], summary["start"]) == ("four-of-twelve", 4, "2023-08-07")


MARK = "OTANIEMI_TEST_RUN"


def anvils(mark: str) -> list[int]:
    """The anvil processes in whose environment ``mark`` is."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and b"anvil" in (entry / "cmdline").read_bytes():
                variables = (entry / "environ").read_bytes().split(b"\0")
                found += [int(entry.name)] if f"{MARK}={mark}".encode() in variables else []
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")
def test_anvil_gives_the_same_bills_and_ends_with_the_run(
    other_seed: Run, require_anvil: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert require_anvil.exists()
    monkeypatch.setenv(MARK, str(tmp_path))
    run = simulate(tmp_path / "anvil", *TWO_HOMES, "--seed", 8, "--chain", "anvil")
    assert anvils(str(tmp_path)) == []
    for kind in ("bills", "meters"):
        assert run.leaves(kind) == other_seed.leaves(kind)
    assert run.summary["gas"] == other_seed.summary["gas"]
    assert run.summary["transactions"] == other_seed.summary["transactions"]


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")
def test_anvil_ends_after_an_error_too(
    require_anvil: Path, otaniemi: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert require_anvil.exists()
    running = []

    def fail(*_: object) -> None:
        running.extend(anvils(str(tmp_path)))
        raise OSError(28, "No space left on device", "leaves")

    monkeypatch.setenv(MARK, str(tmp_path))
    monkeypatch.setattr("otaniemi.platform.simulation._trade", fail)
    ended = otaniemi("simulate", *TWO_HOMES, "--chain", "anvil", "--out", tmp_path / "run")
    assert ended.code == 2
    assert ended.err.splitlines()[-1] == "error: leaves: No space left on device"
    assert running
    assert anvils(str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []
