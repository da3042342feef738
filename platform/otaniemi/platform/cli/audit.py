"""`otaniemi audit`: rebuild the settlement from the chain and the published leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from otaniemi.platform.cli.output import console, print_json


def register(app: typer.Typer) -> None:
    app.command()(audit)


def audit(
    run_dir: Annotated[Path | None, typer.Argument(help="Directory of a run.")] = None,
    rpc: Annotated[str | None, typer.Option(help="Read from this node instead of RUN_DIR/chain.")] = None,
    deployment: Annotated[Path | None, typer.Option(help="deployment.json, with --rpc.")] = None,
    leaves: Annotated[Path | None, typer.Option(help="Directory of published leaves, with --rpc.")] = None,
    head: Annotated[str | None, typer.Option(help="Head hash known from elsewhere.")] = None,
    account: Annotated[int | None, typer.Option(help="Prove this account's bills alone.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Re-derive orders, clearing, fills, schedules, meters, bills and balances; trust no server.

    Exit code 0: everything holds; 1: something is wrong, and the first wrong leaf, block or transaction is named; 2: could not look.

    Example: `otaniemi audit runs/001 --account 5`
    """
    from otaniemi.platform.audit import audit_node, audit_run
    from otaniemi.platform.errors import OtaniemiError

    if run_dir is not None and rpc is None:
        report = audit_run(run_dir, head=head, account=account)
    elif run_dir is None and rpc and deployment and leaves:
        report = audit_node(rpc, deployment, leaves, head=head, account=account)
    else:
        raise OtaniemiError("audit: give RUN_DIR, or --rpc, --deployment and --leaves together")
    if json:
        print_json(report.as_dict())
    else:
        console.print(report.as_text(), highlight=False, markup=False)
    raise typer.Exit(0 if report.ok else 1)
