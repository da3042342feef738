"""`otaniemi optimize`: plan one home's day, or those of a folder."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from otaniemi.platform.cli.fleet import optimize_folder, read_house
from otaniemi.platform.cli.output import InputFileError, console, print_json


class Method(StrEnum):
    """How the plan is found."""

    MILP = "milp"
    LP = "lp"


def register(app: typer.Typer) -> None:
    app.command()(optimize)


def optimize(
    house: Annotated[Path, typer.Argument(help="House file (JSON), or a folder of them.")],
    method: Annotated[Method, typer.Option(help="milp: exact; lp: the relaxation's bound.")] = Method.MILP,
    case: Annotated[
        int | None, typer.Option(min=1, max=4, help="Study case; without it as the file says.")
    ] = None,
    time_limit: Annotated[
        float, typer.Option(min=0.01, help="Seconds; the best plan so far comes back.")
    ] = 30.0,
    json: Annotated[
        bool, typer.Option("--json", help="Print the whole plan as JSON; of a folder, a line per home.")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes that plan a folder; by default one per processor.")
    ] = None,
) -> None:
    """Plan battery, car and appliances of one home at least cost, or of every *.json of a folder.

    Of a folder, each home is planned whatever becomes of the others; the exit code is 1 if any has no plan.

    Example: `otaniemi optimize house.json --json`

    Example: `otaniemi optimize houses/ --method lp --jobs 2`
    """
    if house.is_dir():
        optimize_folder(house, jobs, json, method=method.value, case=case, time_limit=time_limit)
    if jobs is not None:
        raise InputFileError(f"{house} is one house; --jobs is for a folder of them")
    from otaniemi.optimizer.errors import InfeasibleHouseError
    from otaniemi.optimizer.house import House
    from otaniemi.optimizer.plan import plan

    try:
        schedule = plan(
            House.from_dict(read_house(house)), method=method.value, case=case, time_limit=time_limit
        )
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
