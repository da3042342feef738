"""The report of a run: a web page that opens without a network, and a picture of the day."""

from __future__ import annotations

from pathlib import Path

from otaniemi.platform.report.document import write_whole
from otaniemi.platform.report.page import render
from otaniemi.platform.report.picture import flow_svg
from otaniemi.platform.results import RunRecord

__all__ = ["flow_svg", "render", "write_report"]


def write_report(record: RunRecord, path: Path) -> None:
    """Write the report of a run to `path`, whole or not at all."""
    write_whole(render(record), path)
