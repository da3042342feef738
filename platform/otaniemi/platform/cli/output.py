"""What every command shares: consoles, exit codes and the errors a user can mend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from otaniemi.platform.errors import OtaniemiError

USAGE_ERROR, INTERRUPTED = 2, 130
console = Console()
error_console = Console(stderr=True)


class InputFileError(OtaniemiError):
    """A file that a command was given cannot be used."""


def fail(message: str) -> None:
    """Print one line on stderr."""
    line = Text.assemble(("error:", "bold red"), " ", " ".join(message.split()))
    error_console.print(line, soft_wrap=True, highlight=False)


def message_of(error: Exception) -> str:
    """What ``error`` says; of the operating system's errors, which file and why."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__


def read_text(path: Path) -> str:
    """The text of a file.

    Raises
    ------
    InputFileError
        It is missing, unreadable or no text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputFileError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputFileError(f"{path} is not UTF-8 text (byte {error.start})") from error


def print_json(value: Any) -> None:
    """Print for machines: one JSON document on stdout, nothing else."""
    print(json.dumps(value), flush=True)


class Bars(Progress):
    """Progress bars that show from the first task on, so that an early error stands alone.

    Where stderr is no terminal, every tenth of a task is a line instead.
    """

    def start(self) -> None:
        if self.tasks and self.console.is_terminal:
            super().start()

    def add_task(self, *args: Any, **kwargs: Any) -> TaskID:
        task = super().add_task(*args, **kwargs)
        self.start()
        return task

    def update(self, task_id: TaskID, *args: Any, **kwargs: Any) -> None:
        task = self._tasks[task_id]
        before = _tenths(task)
        super().update(task_id, *args, **kwargs)
        after = _tenths(task)
        if not self.console.is_terminal and after > before:
            detail = f"  {task.fields['detail']}" if task.fields.get("detail") else ""
            self.console.print(f"{task.description}: {after * 10} %{detail}", soft_wrap=True, highlight=False)

    def stop(self) -> None:
        if self.tasks and self.console.is_terminal:
            super().stop()


def _tenths(task: Task) -> int:
    return int(task.completed * 10 / task.total) if task.total else 0


def progress() -> Bars:
    """Progress bars on stderr, so that stdout stays for results."""
    return Bars(
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
