"""`otaniemi optimize`: plan one home's day."""

from __future__ import annotations

import json as json_library
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from otaniemi.platform.cli.output import InputFileError, console, print_json, read_text


class Method(StrEnum):
    """How the plan is found."""

    MILP = "milp"
    LP = "lp"


def register(app: typer.Typer) -> None:
    app.command()(optimize)


def optimize(
    house: Annotated[Path, typer.Argument(help="House file (JSON).")],
    method: Annotated[Method, typer.Option(help="milp: exact; lp: the relaxation's bound.")] = Method.MILP,
    case: Annotated[
        int | None, typer.Option(min=1, max=4, help="Study case; without it as the file says.")
    ] = None,
    time_limit: Annotated[
        float, typer.Option(min=0.01, help="Seconds; the best plan so far comes back.")
    ] = 30.0,
    json: Annotated[bool, typer.Option("--json", help="Print the whole plan as JSON.")] = False,
) -> None:
    """Plan battery, car and appliances of one home at least cost.

    Example: `otaniemi optimize house.json --json`
    """
    from otaniemi.optimizer.errors import InfeasibleHouseError
    from otaniemi.optimizer.house import House
    from otaniemi.optimizer.plan import plan

    try:
        description = json_library.loads(read_text(house))
    except (ValueError, RecursionError) as error:
        raise InputFileError(f"{house}: not a JSON file ({error})") from error
    try:
        schedule = plan(House.from_dict(description), method=method.value, case=case, time_limit=time_limit)
    except InfeasibleHouseError as error:
        if json:
            print_json(error.to_dict())
        raise
    result = schedule.to_dict()
    if json:
        print_json(result)
        return
    table = Table(title=f"{house.name}: {result['status']}", show_header=False)
    for key in ("cost_eur", "bound_eur", "gap_eur", "seconds"):
        table.add_row(key, f"{result[key]:.4f}")
    for name, start in result.get("starts", {}).items():
        table.add_row(f"{name} starts in slot", str(start))
    console.print(table)
