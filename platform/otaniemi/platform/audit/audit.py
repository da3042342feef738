"""The audit of a run: from its directory, or from a node and the leaves that someone published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otaniemi.contracts.chain.blocks import RawBlock
from otaniemi.contracts.chain.deploy import Deployment
from otaniemi.contracts.chain.errors import (
    ChainDataMissingError,
    ChainError,
    DeploymentError,
    WrongChainDataError,
)
from otaniemi.contracts.chain.read import read_verified, verify
from otaniemi.contracts.chain.rpc import RpcClient, read_block, read_blocks
from otaniemi.contracts.rules.bills import bills_of
from otaniemi.contracts.rules.errors import RulesError
from otaniemi.platform.audit.days import bills_file_name
from otaniemi.platform.audit.findings import AuditReport, EvidenceMissingError, Finding
from otaniemi.platform.audit.proof import ProvenBill, faults_of, prove
from otaniemi.platform.audit.published import Published
from otaniemi.platform.audit.replay import Replay
from otaniemi.platform.audit.steps import steps_of


@dataclass(frozen=True)
class Evidence:
    """What an audit looks at: verified blocks, where the contracts are, and the published leaves."""

    blocks: Sequence[RawBlock]
    deployment: Deployment
    leaves: Path


def evidence_of_run(run_dir: Path, head: bytes | None = None) -> Evidence | Finding:
    """Read ``deployment.json``, ``chain/`` and ``leaves/`` of a run; a finding where the chain does not hold.

    Parameters
    ----------
    run_dir : Path
    head : bytes, optional
        Hash of the newest block as known from elsewhere; by default the one in ``deployment.json``.

    Raises
    ------
    EvidenceMissingError
        A file is missing or unreadable, so that the audit could not look.
    """
    deployment = _deployment(run_dir / "deployment.json")
    try:
        blocks = read_verified(run_dir / "chain", head or deployment.head)
    except ChainDataMissingError as error:
        raise EvidenceMissingError(str(error)) from error
    except WrongChainDataError as error:
        return Finding(error.where, error.why)
    return Evidence(blocks, deployment, run_dir / "leaves")


def evidence_of_node(
    url: str, deployment_file: Path, leaves: Path, head: bytes | None = None
) -> Evidence | Finding:
    """Read the chain behind ``url`` up to ``head``, by default that of the deployment, else the newest block.

    Raises
    ------
    EvidenceMissingError
        The node does not answer, or the deployment file is missing or unreadable.
    """
    deployment = _deployment(deployment_file)
    pinned = head or deployment.head
    try:
        rpc = RpcClient(url)
        blocks = read_blocks(rpc, 0, read_block(rpc, "latest").number)
    except ChainError as error:
        raise EvidenceMissingError(str(error)) from error
    if any(pinned):
        numbers = {block.hash: block.number for block in blocks}
        if pinned not in numbers:
            return Finding(f"block 0x{pinned.hex()}", "is not on the node's chain")
        blocks = blocks[: numbers[pinned] + 1]
    try:
        verify(blocks, blocks[-1].hash)
    except WrongChainDataError as error:
        return Finding(error.where, error.why)
    return Evidence(blocks, deployment, leaves)


def audit(evidence: Evidence | Finding) -> AuditReport:
    """Hold everything in ``evidence`` against the rules.

    Raises
    ------
    EvidenceMissingError
        A file of leaves is missing or unreadable.
    """
    if isinstance(evidence, Finding):
        return AuditReport((evidence,), {})
    published = Published(evidence.leaves)
    replay = _replay(evidence, published)
    counts = {"blocks": len(evidence.blocks), **replay.counts, "leaves": published.leaf_count}
    return AuditReport(tuple(replay.findings), counts)


def audit_run(run_dir: Path, head: bytes | None = None) -> AuditReport:
    """Audit the run in a directory; see ``evidence_of_run`` and ``audit``."""
    return audit(evidence_of_run(run_dir, head))


@dataclass(frozen=True)
class AccountAudit:
    """The outcome for one account: its bills with their proofs."""

    account: int
    report: AuditReport
    bills: tuple[ProvenBill, ...]

    def to_json(self) -> dict[str, Any]:
        """Report and bills as a machine reads them."""
        return {
            "account": self.account,
            **self.report.to_json(),
            "bills": [bill.to_json() for bill in self.bills],
        }

    def as_lines(self) -> list[str]:
        """Report and bills as people read them; money in nano-token."""
        lines = [] if self.bills else [f"account {self.account} has no bill"]
        for bill in self.bills:
            sums, proposal = bill.sums, bill.proposal
            parts = ", ".join(
                f"{name} {value:,}"
                for name, value in sums._asdict().items()
                if name not in ("lock_release", "debit")
            )
            paid = "not paid yet" if bill.settled is None else f"settled {bill.settled:,}"
            charges = sums.due + sums.lock_release
            lines.append(
                f"day {proposal.day}: {charges:,} nano-token to pay, {sums.lock_release:,} unlocked ({paid})"
            )
            lines.append(f"  {parts}")
            lines.append(
                f"  {len(bill.lines)} lines lead to root 0x{proposal.root.hex()} of bills {proposal.id}"
            )
        return [*lines, *self.report.as_lines()]


def audit_account(evidence: Evidence | Finding, account: int) -> AccountAudit:
    """Prove the bills of one account by the leaves that lead to it, without deriving anyone else's.

    Raises
    ------
    EvidenceMissingError
        A file of leaves is missing or unreadable, or the account is unknown.
    """
    if isinstance(evidence, Finding):
        return AccountAudit(account, AuditReport((evidence,), {}), ())
    replay = _replay(evidence, None)
    if account not in replay.state.accounts:
        known = f"1 to {len(replay.state.accounts)}"
        raise EvidenceMissingError(f"account {account}: there is none; accounts are {known}")
    published, community = Published(evidence.leaves), evidence.deployment.community
    bills, findings = [], replay.findings
    for (place, day), number in sorted(replay.payouts.final.items()):
        rules = replay.state.rules_at(place, day)
        meters, lines = published.meters(day), published.lines(day)
        if place != community or rules is None or meters is None or lines is None:
            continue
        proposal = replay.payouts.proposals[number].event
        if all(line.account != account for line in lines):
            if bills_of(rules, place, day, lines).root.hash != proposal.root:
                findings.append(
                    Finding(bills_file_name(day), f"its lines do not have the root of bills {number}")
                )
            continue
        settled = replay.payouts.settled[place, day].get(account)
        try:
            bill = prove(replay.state, rules, proposal, account, meters, lines, settled)
            faults = list(faults_of(bill, replay.state, rules))
        except (RulesError, LookupError) as error:
            findings.append(Finding(f"day {day} account {account}", str(error)))
            continue
        bills.append(bill)
        findings += [Finding(f"day {day} account {account} slot {line.slot}", why) for line, why in faults]
        if settled is not None and settled > bill.sums.due:
            why = f"paid {settled:,} of a bill over {bill.sums.due:,} nano-token"
            findings.append(Finding(f"day {day} account {account}", why))
    proven = sum(len(bill.lines) for bill in bills)
    report = AuditReport((*published.findings, *findings), {"blocks": len(evidence.blocks), "lines": proven})
    return AccountAudit(account, report, tuple(bills))


def _replay(evidence: Evidence, published: Published | None) -> Replay:
    replay = Replay(evidence.deployment, published)
    try:
        replay.run(steps_of(evidence.blocks, evidence.deployment.addresses))
    except ValueError as error:
        where, _, why = str(error).partition(": ")
        replay.findings.append(Finding(where, why))
    return replay


def _deployment(path: Path) -> Deployment:
    try:
        return Deployment.read(path)
    except DeploymentError as error:
        raise EvidenceMissingError(str(error)) from error
