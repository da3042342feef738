"""`otaniemi optimize`: plan one home's day, or those of a folder."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from otaniemi.platform.cli.fleet import optimize_folder, read_house
from otaniemi.platform.cli.output import InputFileError, console, print_json

if TYPE_CHECKING:
    from otaniemi.optimizer.house import House
    from otaniemi.optimizer.savings import Savings
    from otaniemi.optimizer.schedule import Schedule


class Method(StrEnum):
    """How the plan is found."""

    MILP = "milp"
    FAST = "fast"
    LP = "lp"
    PSO = "pso"


def register(app: typer.Typer) -> None:
    app.command()(optimize)


def optimize(
    house: Annotated[Path, typer.Argument(help="House file (JSON), or a folder of them.")],
    method: Annotated[
        Method, typer.Option(help="milp: exact; fast: certified; lp: a bound; pso: the study's swarm.")
    ] = Method.MILP,
    case: Annotated[
        int | None, typer.Option(min=1, max=4, help="Study case; without it as the file says.")
    ] = None,
    time_limit: Annotated[
        float, typer.Option(min=0.01, help="Seconds; the best plan so far comes back.")
    ] = 30.0,
    json: Annotated[
        bool, typer.Option("--json", help="Print the whole plan as JSON; of a folder, a line per home.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Write the plan as a web page to this file.", show_default=False)
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes that plan a folder; by default one per processor.")
    ] = None,
) -> None:
    """Plan one home's devices at least cost, or those of every *.json of a folder.

    Of a house with scenarios, also what planning with them is worth, which takes a plan of each.
    Of a folder, each home is planned whatever becomes of the others; the exit code is 1 if any has no plan.

    Example: `otaniemi optimize house.json --plot plan.html`

    Example: `otaniemi optimize house.json --case 4 --json`

    Example: `otaniemi optimize houses/ --method lp --jobs 2`
    """
    if house.is_dir():
        if plot is not None:
            raise InputFileError(f"{house} is a folder; --plot is for one house")
        optimize_folder(house, jobs, json, method=method.value, case=case, time_limit=time_limit)
    if jobs is not None:
        raise InputFileError(f"{house} is one house; --jobs is for a folder of them")
    from otaniemi.optimizer.errors import InfeasibleHouseError
    from otaniemi.optimizer.house import House
    from otaniemi.optimizer.plan import house_of_case, plan

    try:
        home = House.from_dict(read_house(house))
        schedule = plan(home, method=method.value, case=case, time_limit=time_limit)
    except InfeasibleHouseError as error:
        if json:
            print_json(error.to_dict())
        raise
    if json:
        print_json(schedule.to_dict())
    if json and plot is None:
        return
    home = house_of_case(home, case)
    saved, why_not = _savings(home, schedule)
    if plot is not None:
        from otaniemi.platform.report.document import write_whole
        from otaniemi.platform.report.plan_page import render

        write_whole(render(home, schedule, saved), plot)
    if not json:
        _show(home, schedule, saved, why_not)
        if len(home.scenarios) > 1 and schedule.method != "lp":
            _show_scenarios(home, schedule, time_limit)


def _savings(home: House, schedule: Schedule) -> tuple[Savings | None, str]:
    """What the plan saves; else why there is nothing to compare it with."""
    from otaniemi.optimizer.errors import InfeasibleHouseError
    from otaniemi.optimizer.savings import savings

    if schedule.method == "lp":
        return None, "a relaxation is no plan to compare"
    try:
        return savings(home, schedule), ""
    except InfeasibleHouseError as error:
        return None, error.reason


def _show(home: House, schedule: Schedule, saved: Savings | None, why_not: str) -> None:
    """The plan for people."""
    from otaniemi.platform import plan_words

    result = Table(title=f"{escape(home.name)}: {plan_words.status_words(schedule)}", show_header=False)
    result.add_row("cost", f"{schedule.cost_eur:z.4f} EUR")
    result.add_row("no plan is below", f"{schedule.bound_eur:z.4f} EUR")
    if schedule.method != "lp":
        result.add_row("gap", plan_words.gap_words(schedule, saved))
    if saved is not None:
        result.add_row("without a HEMS", f"{saved.alone.cost_eur:z.4f} EUR")
        result.add_row("saved", f"{saved.total_eur:z.4f} EUR")
    else:
        result.add_row("without a HEMS", why_not)
    result.add_row("planned in", f"{schedule.seconds:z.2f} s")
    console.print(result)

    alone = None if saved is None else saved.alone
    costs = Table("cost, EUR", "plan", *([] if alone is None else ["without a HEMS", "saved"]))
    for column in costs.columns[1:]:
        column.justify = "right"
    for words, own, other in plan_words.cost_rows(schedule, alone):
        more = [] if other is None else [f"{other:z.4f}", f"{other - own:z.4f}"]
        costs.add_row(words, f"{own:z.4f}", *more)
    console.print(costs)

    rows = plan_words.device_rows(home, schedule)
    if rows:
        devices = Table("device", "plan")
        for name, words in rows:
            devices.add_row(escape(name), words)
        console.print(devices)
    if saved is not None and saved.by_device:
        shares = Table("saved by, EUR", "")
        shares.columns[1].justify = "right"
        for device, eur in sorted(saved.by_device.items(), key=lambda item: -item[1]):
            shares.add_row(plan_words.device_name(device), f"{eur:z.4f}")
        console.print(shares)


def _show_scenarios(home: House, schedule: Schedule, time_limit: float) -> None:
    """What planning with the house's scenarios is worth, for people."""
    from otaniemi.optimizer.stochastic import value_of_stochastic_solution
    from otaniemi.platform import plan_words

    known = schedule if schedule.method == "fast" else None
    value = value_of_stochastic_solution(home, "fast", schedule.case, time_limit, here_and_now=known)
    table = Table(f"{len(home.scenarios)} scenarios, method fast", "EUR")
    table.columns[1].justify = "right"
    for words, eur in plan_words.scenario_rows(value):
        table.add_row(words, eur)
    console.print(table)
