"""`otaniemi optimize DIRECTORY`: plan every home of a folder."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.table import Table

from otaniemi.platform.cli.output import (
    InputFileError,
    console,
    message_of,
    print_json,
    progress,
    read_text,
)


def read_house(path: Path) -> Mapping[str, Any]:
    """The JSON object of a house file.

    Raises
    ------
    InputFileError
        The file cannot be read or is no JSON.
    """
    try:
        found: Mapping[str, Any] = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise InputFileError(f"{path}: not a JSON file ({error})") from error
    return found


def optimize_folder(folder: Path, jobs: int | None, as_json: bool, **request: Any) -> NoReturn:
    """Plan every ``*.json`` of a folder and show how it went; exit code 1 where a home has no plan.

    Parameters
    ----------
    folder : Path
    jobs : int, optional
        Processes; one per processor where it is left out.
    as_json : bool
        A line per home as it is planned, instead of a table at the end.
    **request
        As in `otaniemi.optimizer.plan.plan`.
    """
    from otaniemi.optimizer.errors import InfeasibleHouseError
    from otaniemi.optimizer.fleet import plan_many

    files = sorted(folder.glob("*.json"))
    if not files:
        raise InputFileError(f"{folder} has no house files; a folder with *.json files is needed")
    failed: dict[str, str] = {}
    cost = gap = 0.0
    started = time.perf_counter()
    with progress() as bars:
        task = bars.add_task("planning homes", total=len(files), detail="")
        homes = [partial(read_house, file) for file in files]
        for home in plan_many(homes, jobs=jobs or os.cpu_count() or 1, **request):
            file = files[home.index].name
            if home.schedule is not None:
                cost, gap = cost + home.schedule.cost_eur, gap + home.schedule.gap_eur
                line = home.schedule.to_dict()
            elif isinstance(home.error, InfeasibleHouseError):
                line = home.error.to_dict()
            else:
                line = {"status": "error", "reason": message_of(home.error or RuntimeError())}
            if home.schedule is None:
                failed[file] = line["reason"]
            if as_json:
                print_json({"file": file, "name": home.name} | line)
            detail = f"{len(failed)} failed" if failed else ""
            bars.update(task, advance=1, detail=detail)
    if not as_json:
        _show(len(files), failed, cost, gap, time.perf_counter() - started)
    raise typer.Exit(1 if failed else 0)


def _show(homes: int, failed: Mapping[str, str], cost: float, gap: float, seconds: float) -> None:
    table = Table(title="fleet", show_header=False)
    table.add_row("homes planned", str(homes - len(failed)))
    table.add_row("homes failed", str(len(failed)))
    table.add_row("cost_eur", f"{cost:.4f}")
    table.add_row("gap_eur", f"{gap:.4f}")
    table.add_row("homes per second", f"{homes / seconds:.1f}")
    console.print(table)
    if failed:
        reasons = Table("file", "why it has no plan", title="failed")
        for file, reason in failed.items():
            reasons.add_row(file, " ".join(reason.split()))
        console.print(reasons)
