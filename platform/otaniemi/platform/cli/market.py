"""`otaniemi clear`: clear one order book."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from otaniemi.platform.cli.output import console, print_json, read_text


def register(app: typer.Typer) -> None:
    app.command()(clear)


def clear(
    book: Annotated[Path, typer.Argument(help="CSV with columns id,side,price,quantity[,source][,premium].")],
    json: Annotated[
        bool, typer.Option("--json", help="Print price, lo, hi, volume, fills, labels and seconds as JSON.")
    ] = False,
) -> None:
    """Clear a book at one price: the row order is the arrival order, prices in micro-token/kWh, quantities in Wh.

    Example: `otaniemi clear book.csv --json`
    """
    from otaniemi.contracts.rules.books import clear_book, read_book

    result = clear_book(read_book(read_text(book)))
    if json:
        print_json(result)
        return
    if result["price"] is None:
        console.print("nothing trades: no buy meets a sell")
        return
    console.print(
        f"price {result['price']} micro-token/kWh (any of {result['lo']} .. {result['hi']} clears), "
        f"volume {result['volume']} Wh"
    )
    labels = result.get("labels")
    if labels is None:
        table = Table("order", "filled Wh")
        for identity, fill in result["fills"].items():
            table.add_row(identity, str(fill))
    else:
        console.print(f"labels for {labels['green']} Wh at {labels['premium']} micro-token/kWh")
        table = Table("order", "filled Wh", "labelled Wh")
        for identity, fill in result["fills"].items():
            table.add_row(identity, str(fill), str(labels["labelled"].get(identity, 0)))
    console.print(table)
