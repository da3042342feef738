"""`otaniemi bench NAME`: the claims about speed, gas and efficiency, each with the figures it is held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from otaniemi.platform.cli import options
from otaniemi.platform.cli.output import console, fail, print_json, progress

app = typer.Typer(help="Measure what the documentation claims.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.command()
def clearing(json: Json = False) -> None:
    """Seconds to clear a book, beside a plain numpy sort-and-sweep of the same book in the same run.

    Example: `otaniemi bench clearing --json`
    """
    from otaniemi.platform.benchmarks.clearing import bench_clearing

    _show("clearing", bench_clearing(), json)


@app.command()
def gas(
    orders: Annotated[int, typer.Option(min=2, max=1400, help="Signed orders in the one market.")] = 1000,
    json: Json = False,
) -> None:
    """Gas by receipts on anvil, beside the targets: signed orders really relayed and cleared, a home's day.

    Fails where a target is missed; those of an order hold for 1,000 of them.

    Example: `otaniemi bench gas --json`
    """
    from otaniemi.platform.benchmarks.gas import bench_gas

    with progress() as bars:
        result = bench_gas(orders, bars)
    _show("gas", result, json)
    missed = [row for row in result["rows"] if row["gas"] > row["target"]]
    for row in missed:
        fail(f"{row['what']} takes {row['gas']:,} gas, its target is {row['target']:,}")
    if missed:
        raise typer.Exit(1)


@app.command()
def efficiency(
    homes_data: Annotated[Path | None, typer.Option(help="Directory with measured homes.")] = None,
    prices: Annotated[Path | None, typer.Option(help="CSV of hourly spot prices.")] = None,
    forecast: Annotated[str, typer.Option(help="perfect, realistic, or both.")] = "both",
    json: Json = False,
) -> None:
    """Market efficiency on the 28 reference days of measured homes, day by day.

    Example: `otaniemi bench efficiency --homes-data DIR --prices FILE --json`
    """
    from otaniemi.platform.benchmarks.efficiency import bench_efficiency

    with progress() as bars:
        result = bench_efficiency(homes_data, prices, forecast, bars)
    _show("efficiency", result, json)


@app.command()
def mechanisms(
    homes: options.Homes = None,
    days: options.Days = 1,
    slot: options.Slot = options.SlotLength.QUARTER,
    seed: options.Seed = 7,
    community: options.CommunityFile = None,
    homes_data: options.HomesData = None,
    prices: options.PricesFile = None,
    start: options.Start = None,
    forecast: options.Forecast = options.ForecastKind.REALISTIC,
    json: Json = False,
) -> None:
    """Each form of trading alone on the same days, and all together: welfare, bills, self-consumption, fairness.

    Example: `otaniemi bench mechanisms --homes 12 --slot 60min --json`
    """
    from otaniemi.platform.benchmarks.mechanisms import bench_mechanisms
    from otaniemi.platform.data.settings import ScenarioSettings, scenario_of

    chosen = ScenarioSettings(homes, days, slot.seconds, seed, community, homes_data, prices, start)
    with progress() as bars:
        result = bench_mechanisms(scenario_of(chosen), forecast.value, seed, bars)
    _show("mechanisms", result, json)


@app.command()
def hems(
    homes: Annotated[int, typer.Option(min=1, help="Homes to plan with integers.")] = 12,
    fleet: Annotated[
        int, typer.Option(min=1, help="Homes of the fleets, planned by their relaxation.")
    ] = 2000,
    rival_python: Annotated[
        Path | None, typer.Option(help="Interpreter of an environment that has EMHASS, to run it beside us.")
    ] = None,
    json: Json = False,
) -> None:
    """CPU seconds to plans of certified gap, homes per second, and EMHASS on the homes that both can express.

    Example: `otaniemi bench hems --rival-python rival/bin/python --json`
    """
    from otaniemi.platform.benchmarks.hems import bench_hems

    with progress() as bars:
        result = bench_hems(homes, fleet, rival_python, bars)
    _show("hems", result, json)


@app.command()
def study(
    seeds: Annotated[int, typer.Option(min=1, help="Runs of the swarm.")] = 30,
    iterations: Annotated[int, typer.Option(min=0, help="Iterations of each run.")] = 3000,
    reading: Annotated[
        str, typer.Option(help="Of what the price thresholds are fractions: highest or range.")
    ] = "highest",
    time_limit: Annotated[float, typer.Option(min=0.01, help="Seconds for each exact plan.")] = 300.0,
    plot: Annotated[Path | None, typer.Option(help="Write the figures to this HTML file.")] = None,
    json: Json = False,
) -> None:
    """Cases 1 to 4 of the reference study by branch and bound and by its particle swarm, beside its figures.

    Example: `otaniemi bench study --seeds 2 --iterations 50 --plot study.html`
    """
    from otaniemi.platform.benchmarks.study import bench_study

    with progress() as bars:
        result = bench_study(seeds, iterations, reading, time_limit, bars)
    if plot is not None:
        from otaniemi.platform.report.document import write_whole
        from otaniemi.platform.report.study_page import render

        write_whole(render(result), plot)
    _show("study", result.to_dict(), json)


def _show(title: str, result: Mapping[str, Any], json: bool) -> None:
    if json:
        print_json(result)
        return
    for key, value in result.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            _show_rows(f"{title}: {key}", value)
        else:
            console.print(f"{key}: {value}", highlight=False)


def _show_rows(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """A table of the rows; a field that is a mapping gets a table of its own, led by the rows' first field."""
    lead, *_ = rows[0]
    nested = [name for name, cell in rows[0].items() if isinstance(cell, Mapping)]
    _table(title, [{name: cell for name, cell in row.items() if name not in nested} for row in rows])
    for name in nested:
        _table(f"{title}, {name}", [{lead: row[lead], **row[name]} for row in rows])


def _table(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    table = Table(*(name.replace("_", "\n") for name in rows[0]), title=title)
    for row in rows:
        table.add_row(*map(_cell, row.values()))
    console.print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
