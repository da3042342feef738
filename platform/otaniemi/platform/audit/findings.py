"""What the auditor says: findings rather than exceptions, so that one wrong bill does not hide the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from otaniemi.platform.errors import OtaniemiError

WALLETS = "wallet_signatures"
"""Count of signatures that only the code of their wallets can judge (EIP-1271)."""
HIDDEN = "hidden_events"
"""Count of events of calls through other contracts, so that no calldata shows what was signed."""

_TRUSTED = {WALLETS: "signatures of wallets", HIDDEN: "events of calls through other contracts"}


class EvidenceMissingError(OtaniemiError):
    """The auditor cannot look: a file is missing or unreadable, or a node does not answer."""


class WrongLeafError(Exception):
    """A published leaf is not what it was; ``where`` names it, ``why`` says how."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where, self.why = where, why


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong: the leaf, block or transaction that it was first seen in, and what does not hold."""

    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.why}"


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The outcome of an audit.

    Attributes
    ----------
    findings : tuple of Finding
        Empty when everything holds; the first wrong leaf, block or transaction comes first.
    counts : mapping
        How much was checked, by name.
    """

    findings: tuple[Finding, ...]
    counts: Mapping[str, int]

    @property
    def ok(self) -> bool:
        """Whether everything holds."""
        return not self.findings

    def to_json(self) -> dict[str, Any]:
        """The report as a machine reads it."""
        findings = [{"where": finding.where, "why": finding.why} for finding in self.findings]
        return {"ok": self.ok, "findings": findings, "counts": dict(self.counts)}

    def as_lines(self) -> list[str]:
        """The report as people read it."""
        checked = ", ".join(
            f"{count:,} {name.replace('_', ' ')}"
            for name, count in self.counts.items()
            if name not in _TRUSTED
        )
        trusted = ", ".join(
            f"{self.counts[name]:,} {words}" for name, words in _TRUSTED.items() if self.counts.get(name)
        )
        last = [f"Taken from the contracts' code, not shown by the chain: {trusted}."] if trusted else []
        if self.ok:
            return [f"Everything holds: {checked}.", *last]
        head = f"{len(self.findings)} wrong; the first: {self.findings[0]}"
        rest = [f"  {finding}" for finding in self.findings[1:]]
        end = f"Checked: {checked}." if checked else "Nothing else could be checked."
        return [head, *rest, end, *last]
