from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from otaniemi.platform.report import write_report
from otaniemi.platform.results import RunRecord

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


@pytest.fixture
def opened(record: RunRecord, tmp_path: Path, require_chromium: Path) -> tuple[str, str]:
    """The report's document after its script ran, and what the browser had to say."""
    write_report(record, tmp_path / "report.html")
    flags = [f"--{flag.strip()}" for flag in FLAGS.replace("\n", " ").split("--") if flag.strip()]
    command = [str(require_chromium), *flags, f"--user-data-dir={tmp_path / 'profile'}"]
    done = subprocess.run(
        [*command, (tmp_path / "report.html").as_uri()],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout, done.stderr


def test_a_browser_without_network_draws_every_chart(opened: tuple[str, str]) -> None:
    document, log = opened
    for name in CHARTS:
        chart = re.search(rf'id="chart-{name}".*?</svg>', document, re.DOTALL)
        assert chart, name
        assert 'class="main-svg"' in chart.group(0), name
    assert "cost with the market" in document  # the chosen home's table
    assert not re.findall(r"CONSOLE.*", log)
