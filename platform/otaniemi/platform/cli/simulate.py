"""`otaniemi simulate`: a trading day on a chain, from forecasts to bills."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from otaniemi.platform.cli import options
from otaniemi.platform.cli.output import console, print_json, progress


def register(app: typer.Typer) -> None:
    app.command()(simulate)


def simulate(
    homes: options.Homes = None,
    days: options.Days = 1,
    slot: options.Slot = options.SlotLength.QUARTER,
    seed: options.Seed = 7,
    community: options.CommunityFile = None,
    homes_data: options.HomesData = None,
    prices: options.PricesFile = None,
    start: options.Start = None,
    forecast: options.Forecast = options.ForecastKind.REALISTIC,
    forms: Annotated[
        str | None,
        typer.Option(
            help="Forms of trading with commas between (all): call, continuous, package, bilateral, block, "
            "sealed, dutch."
        ),
    ] = None,
    chain: Annotated[str, typer.Option(help="embedded, anvil, or the URL of a node.")] = "embedded",
    out: Annotated[
        Path | None, typer.Option(help="Where the run goes; default the next free runs/NNN.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Trade a day of solar and vehicle-to-home energy between homes, on a chain that starts by itself.

    Exit code 0: the run is published and its audit holds; 1: the audit found something wrong; 2: bad input.

    Example: `otaniemi simulate --homes 12 --seed 7`
    """
    from otaniemi.platform.data.settings import ScenarioSettings, forms_of
    from otaniemi.platform.run_directory import next_free
    from otaniemi.platform.simulation import SimulationSettings, simulate_run

    settings = SimulationSettings(
        scenario=ScenarioSettings(homes, days, slot.seconds, seed, community, homes_data, prices, start),
        forms=forms_of(forms),
        forecast=forecast.value,
        chain=chain,
        out=out if out is not None else next_free(Path("runs")),
    )
    with progress() as bars:
        result = simulate_run(settings, bars)
    if json:
        print_json(result.summary)
    else:
        console.print(_table(result.summary))
        console.print(f"report   {result.path / 'report.html'}")
        console.print(f"audit    otaniemi audit {result.path}")
    raise typer.Exit(0 if result.summary["audit"]["ok"] else 1)


def _table(summary: dict[str, Any]) -> Table:
    table = Table(
        title=f"{summary['homes']} homes, {summary['slots']} slots, data: {summary['data_source']}",
        show_header=False,
    )
    table.add_column(style="dim")
    table.add_column(justify="right")

    def eur(key: str) -> str:
        return f"{summary[key]:.2f} EUR"

    def kwh(key: str) -> str:
        return f"{summary[key] / 1000:.1f} kWh"

    efficiency = summary["market_efficiency"]
    rows = [
        ("orders / trades", f"{summary['orders']} / {summary['trades']}"),
        ("traded between homes", kwh("traded_wh")),
        ("of it vehicle-to-home", kwh("v2h_sold_wh")),
        *(
            (f"  {name}", f"{summary['trades_by_form'][name]}, {wh / 1000:.1f} kWh")
            for name, wh in summary["wh_by_form"].items()
        ),
        ("cost, homes alone", eur("cost_no_market_eur")),
        ("cost, with the market", eur("cost_market_eur")),
        ("cost, planned as one home", eur("cost_community_optimum_eur")),
        ("market efficiency", "nothing to gain" if efficiency is None else f"{efficiency:.3f}"),
        ("imbalance", kwh("imbalance_wh")),
        (
            "bills",
            f"{summary['bills']}, sum {summary['bills_sum_nano']} nano, "
            f"escrow surplus {summary['escrow_surplus_nano']} nano",
        ),
        ("transactions / gas", f"{summary['transactions']} / {summary['gas']['total']:,}"),
        ("audit", "every bill proven from the chain" if summary["audit"]["ok"] else "FAILED"),
        ("time", f"{summary['wall_s']['total']:.1f} s"),
    ]
    for name, value in rows:
        table.add_row(name, value)
    return table
