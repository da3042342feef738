"""What every command shares: consoles, exit codes and the errors a user can mend."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

USAGE_ERROR = 2
console = Console()
error_console = Console(stderr=True)


def fail(message: str) -> None:
    """Print one line on stderr."""
    line = " ".join(message.split())
    error_console.print(f"[bold red]error:[/] {line}", soft_wrap=True, highlight=False, markup=True)


def print_json(value: Any) -> None:
    """Print for machines: one JSON document on stdout, nothing else."""
    print(json.dumps(value))


def progress() -> Progress:
    """A progress bar on stderr, so that stdout stays for results."""
    return Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[detail]}"),
        console=error_console,
    )


def usage_errors() -> tuple[type[Exception], ...]:
    """The base classes of errors that a user can mend; each is shown as one line."""
    from otaniemi.contracts.chain.errors import ChainError
    from otaniemi.contracts.rules.errors import RulesError
    from otaniemi.optimizer.errors import OptimizerError
    from otaniemi.oracles.errors import OracleError
    from otaniemi.platform.errors import OtaniemiError

    return (OtaniemiError, OptimizerError, OracleError, RulesError, ChainError, OSError)
