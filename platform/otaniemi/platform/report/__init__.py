"""The report of a run: a web page that opens without a network, and a picture of the day."""

from __future__ import annotations

from pathlib import Path

from otaniemi.platform.report.page import render
from otaniemi.platform.report.picture import flow_svg
from otaniemi.platform.results import RunRecord

__all__ = ["flow_svg", "render", "write_report"]


def write_report(record: RunRecord, path: Path) -> None:
    """Write the report of a run to `path`, whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(render(record), encoding="utf-8")
    part.replace(path)
