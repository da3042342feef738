from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from otaniemi.platform.report import write_report
from otaniemi.platform.report.document import write_whole
from otaniemi.platform.report.plan_page import render
from otaniemi.platform.results import RunRecord

from .a_plan import full_plan

FLAGS = """--headless --no-sandbox --disable-gpu --no-first-run --disable-sync --disable-background-networking
--disable-component-update --host-resolver-rules=MAP * ~NOTFOUND --window-size=1200,900 --virtual-time-budget=5000
--enable-logging=stderr --dump-dom"""
CHARTS = (
    "community",
    "prices",
    "worth",
    "homes",
    "imbalance",
    "gas",
    "home_devices",
    "home_energy",
    "home_storage",
    "home_temperatures",
    "book",
)
PLAN_CHARTS = (
    "power",
    "prices",
    "grid",
    "air_conditioner",
    "water_heater",
    "charge",
    "appliances",
    "savings",
)


Open = Callable[[Path], tuple[str, str]]


@pytest.fixture
def opened(tmp_path: Path, require_chromium: Path) -> Open:
    """Opens a page: its document after its script ran, and what the browser had to say."""

    def run(page: Path) -> tuple[str, str]:
        flags = [f"--{flag.strip()}" for flag in FLAGS.replace("\n", " ").split("--") if flag.strip()]
        command = [str(require_chromium), *flags, f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout, done.stderr

    return run


def assert_drawn(document: str, charts: Sequence[str]) -> None:
    for name in charts:
        chart = re.search(rf'id="chart-{name}".*?</svg>', document, re.DOTALL)
        assert chart, name
        assert 'class="main-svg"' in chart.group(0), name


def test_a_browser_without_network_draws_every_chart(record: RunRecord, opened: Open, tmp_path: Path) -> None:
    write_report(record, tmp_path / "report.html")
    document, log = opened(tmp_path / "report.html")
    assert_drawn(document, CHARTS)
    assert "cost with the market" in document  # the chosen home's table
    assert not re.findall(r"CONSOLE.*", log)


def test_a_browser_draws_every_chart_of_a_plan(opened: Open, tmp_path: Path) -> None:
    write_whole(render(*full_plan()), tmp_path / "plan.html")
    document, log = opened(tmp_path / "plan.html")
    assert_drawn(document, PLAN_CHARTS)
    assert not re.findall(r"CONSOLE.*", log)
