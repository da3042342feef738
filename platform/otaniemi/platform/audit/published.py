"""The published leaves of a run, read as the walk needs them and held against the roots on the chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from otaniemi.contracts.rules.calendar import Rules, day_of_slot
from otaniemi.contracts.rules.lines import Line
from otaniemi.contracts.rules.meters import MeterReport, meter_report
from otaniemi.platform.audit.findings import EvidenceMissingError, Finding, WrongLeafError
from otaniemi.platform.audit.leaves import Meters, bills_file, meters_file, read_bills, read_meters


class Published:
    """The leaves in a directory.

    A file that is wrong is a finding once, and None from then on; one that is missing ends the audit.

    Attributes
    ----------
    findings : list of Finding
        In order of discovery.
    """

    def __init__(self, directory: Path) -> None:
        if not directory.is_dir():
            raise EvidenceMissingError(f"{directory}: no such directory of leaves")
        self.findings: list[Finding] = []
        self._directory = directory
        self._meters: dict[int, Meters | None] = {}
        self._lines: dict[int, Sequence[Line] | None] = {}
        self._matched: set[tuple[int, int]] = set()

    def meters(self, day: int) -> Meters | None:
        """Meter leaves of a trading day by (product, slot)."""
        if day not in self._meters:
            try:
                self._meters[day] = read_meters(meters_file(self._directory, day))
            except WrongLeafError as error:
                self._meters[day] = None
                self.findings.append(Finding(error.where, error.why))
        return self._meters[day]

    def lines(self, day: int) -> Sequence[Line] | None:
        """Bill lines of a trading day."""
        if day not in self._lines:
            try:
                self._lines[day] = read_bills(bills_file(self._directory, day))
            except WrongLeafError as error:
                self._lines[day] = None
                self.findings.append(Finding(error.where, error.why))
        return self._lines[day]

    @property
    def leaf_count(self) -> int:
        """Number of leaves read."""
        meters = sum(len(leaves) for day in self._meters.values() if day for leaves in day.values())
        return meters + sum(len(lines) for lines in self._lines.values() if lines)

    def check_meters(self, rules: Rules, report: MeterReport) -> None:
        """Hold the leaves of one slot against their root on the chain."""
        day = day_of_slot(rules, report.slot)
        meters = self.meters(day)
        if meters is None:
            return
        key = report.product, report.slot
        self._matched.add(key)
        if meter_report(report.community, *key, meters.get(key, ())) != replace(report, round=0):
            where = f"{meters_file(self._directory, day).name} product {report.product} slot {report.slot}"
            self.findings.append(
                Finding(where, f"the leaves do not have the reported root 0x{report.root.hex()}")
            )

    def finish(self) -> list[Finding]:
        """Leaves that nothing on the chain commits to."""
        findings = []
        for day, meters in self._meters.items():
            for product, slot in sorted(set(meters or ()) - self._matched):
                where = f"{meters_file(self._directory, day).name} product {product} slot {slot}"
                findings.append(Finding(where, "no report on the chain commits to these leaves"))
        known = {meters_file(self._directory, day) for day in self._meters}
        known |= {bills_file(self._directory, day) for day in self._lines}
        for path in sorted(self._directory.iterdir()):
            if path not in known:
                findings.append(Finding(path.name, "nothing on the chain commits to this file"))
        return findings
