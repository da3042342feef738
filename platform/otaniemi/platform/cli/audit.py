"""`otaniemi audit`: rebuild the settlement from the chain and the published leaves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from otaniemi.platform.cli.output import console, print_json
from otaniemi.platform.errors import OtaniemiError

if TYPE_CHECKING:
    from otaniemi.platform.audit.audit import Evidence
    from otaniemi.platform.audit.findings import AuditReport, Finding


class AuditOptionsError(OtaniemiError):
    """Options do not fit together, or one has no valid value."""


def register(app: typer.Typer) -> None:
    app.command()(audit)


def audit(
    run_dir: Annotated[Path | None, typer.Argument(help="Directory of a run.")] = None,
    rpc: Annotated[
        str | None, typer.Option(help="Read from this node instead of RUN_DIR/chain.", metavar="URL")
    ] = None,
    deployment: Annotated[Path | None, typer.Option(help="deployment.json, with --rpc.")] = None,
    leaves: Annotated[Path | None, typer.Option(help="Directory of published leaves, with --rpc.")] = None,
    head: Annotated[str | None, typer.Option(help="Head hash known from elsewhere.", metavar="HASH")] = None,
    account: Annotated[int | None, typer.Option(help="Prove this account's bills alone.")] = None,
    receipts: Annotated[
        Path | None, typer.Option(help="File of kept receipts: did their relayer bring those orders?")
    ] = None,
    engine_log: Annotated[
        Path | None, typer.Option(help="Saved log of a matching engine: did it keep price and time?")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Re-derive orders, clearing, fills, schedules, meters, bills and balances; trust no server.

    Exit code 0: everything holds; 1: something is wrong, and the first wrong leaf, block or transaction
    is named; 2: could not look. With receipts, only the relayer who signed them is judged; with an
    engine's log, only that engine, by the receipts for limit orders too.

    Example: `otaniemi audit runs/001 --account 5`
    """
    from otaniemi.platform.audit import audit as auditor

    pinned = None if head is None else _hash(head)
    if run_dir is not None and (rpc, deployment, leaves) == (None, None, None):
        evidence = auditor.evidence_of_run(run_dir, pinned)
    elif run_dir is None and rpc and deployment and leaves:
        evidence = auditor.evidence_of_node(rpc, deployment, leaves, pinned)
    else:
        raise AuditOptionsError("audit: give RUN_DIR, or --rpc, --deployment and --leaves together")
    if account is not None and (receipts or engine_log):
        raise AuditOptionsError("audit: give --account, or --receipts and --engine-log, not both")
    if engine_log is not None:
        report = _audit_engine(evidence, engine_log, receipts)
        data, lines = report.to_json(), report.as_lines()
    elif receipts is not None:
        report = _audit_receipts(evidence, receipts)
        data, lines = report.to_json(), report.as_lines()
    elif account is None:
        report = auditor.audit(evidence)
        data, lines = report.to_json(), report.as_lines()
    else:
        proven = auditor.audit_account(evidence, account)
        report, data, lines = proven.report, proven.to_json(), proven.as_lines()
    if json:
        print_json(data)
    else:
        for line in lines:
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(0 if report.ok else 1)


def _audit_receipts(evidence: Evidence | Finding, path: Path) -> AuditReport:
    from otaniemi.platform.audit.findings import AuditReport, Finding
    from otaniemi.platform.audit.receipts import censorship
    from otaniemi.platform.kept import read_kept

    if isinstance(evidence, Finding):
        return AuditReport((evidence,), {})
    kept = read_kept(path)
    counts = {"blocks": len(evidence.blocks), "receipts": len(kept)}
    return AuditReport(tuple(censorship(evidence, kept)), counts)


def _audit_engine(evidence: Evidence | Finding, log: Path, receipts: Path | None) -> AuditReport:
    from otaniemi.platform.audit.findings import AuditReport, Finding
    from otaniemi.platform.audit.priority import judge_engine
    from otaniemi.platform.kept import read_engine_log, read_kept_limits

    if isinstance(evidence, Finding):
        return AuditReport((evidence,), {})
    held = [] if receipts is None else [kept.held for kept in read_kept_limits(receipts)]
    return judge_engine(evidence, read_engine_log(log), held)


def _hash(text: str) -> bytes:
    try:
        value = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        value = b""
    if len(value) != 32:
        raise AuditOptionsError(f"--head is {text}; valid: a block's hash, 64 hexadecimal digits after 0x")
    return value
