"""Continuous trading from home: limit orders, books, and the engine's log."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from otaniemi.platform.cli.output import console, print_json
from otaniemi.platform.cli.remote import (
    LOCAL,
    RECEIPTS,
    AccountNumber,
    Json,
    Receipts,
    Side,
    SlotText,
    SourceName,
    Url,
    Wallet,
    connect,
    open_key,
    slot_of,
    start_of,
)

app = typer.Typer(help="Continuous trading: limit orders, books, the engine's log.", no_args_is_help=True)


def register(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="limit")


@app.command()
def place(
    account: AccountNumber,
    wallet: Wallet,
    slot: SlotText,
    side: Annotated[Side, typer.Option(help="buy or sell.")],
    price: Annotated[int, typer.Option(help="Limit in micro-token/kWh (100000 is 10 cent).")],
    quantity: Annotated[int, typer.Option(min=1, help="Energy in Wh.")],
    least: Annotated[
        int | None,
        typer.Option(min=0, help="Smallest part to trade at once, in Wh; a twentieth when left out."),
    ] = None,
    source: Annotated[
        SourceName, typer.Option(help="What sold energy comes from; a buy takes only that.")
    ] = SourceName.GRID,
    nonce: Annotated[int | None, typer.Option(min=0, help="To repeat an order safely: its number.")] = None,
    receipts: Receipts = RECEIPTS,
    url: Url = LOCAL,
    json: Json = False,
) -> None:
    """Sign a limit order at home and send it to the engine, which matches it at once; its receipt is kept.

    Example: `otaniemi limit place --account 16 --wallet me.json --slot 2026-08-17T18:00 --side buy --price 90000
    --quantity 500`
    """
    from otaniemi.contracts.rules.calendar import Source

    with connect(url, receipts) as client:
        order = client.place_limit(
            open_key(wallet),
            account,
            slot_of(client.rules, slot),
            side is Side.BUY,
            price,
            quantity,
            least,
            Source[source.name],
            nonce=nonce,
        )
    if json:
        print_json(order.model_dump(mode="json"))
        return
    traded = ", ".join(f"{match.quantity} Wh at {match.price}" for match in order.matches) or "nothing yet"
    console.print(
        f"order {order.receipt.sequence} (nonce {order.terms.nonce}): {order.state}, {order.rest} Wh stand; "
        f"traded {traded}"
    )


@app.command("list")
def list_orders(account: AccountNumber, url: Url = LOCAL, json: Json = False) -> None:
    """List the latest limit orders with what they traded, in Wh, of a series in lots; +: on its way to the chain.

    Example: `otaniemi limit list --account 16`
    """
    from otaniemi.contracts.rules.continuous import SERIES

    with connect(url) as client:
        found, rules = client.limits(account), client.rules
    if json:
        print_json([order.model_dump(mode="json") for order in found])
        return
    table = Table(
        "order", "nonce", "state", Column("slot", no_wrap=True), "side", "limit", "quantity", "traded"
    )
    for order in found:
        terms = order.terms
        table.add_row(
            str(order.receipt.sequence),
            str(terms.nonce),
            order.state + (f" ({order.removed})" if order.removed else ""),
            f"series {terms.instrument ^ SERIES}"
            if terms.instrument & SERIES
            else start_of(rules, terms.instrument),
            "buy" if terms.buy else "sell",
            str(terms.price),
            str(terms.quantity),
            f"{order.settled} +{order.waiting}" if order.waiting else str(order.settled),
        )
    console.print(table)


@app.command()
def cancel(
    account: AccountNumber,
    wallet: Wallet,
    nonce: Annotated[int, typer.Option(min=0, help="Nonce of the orders, as `list` shows it.")],
    on_chain: Annotated[
        bool,
        typer.Option("--on-chain", help="In a transaction, which binds everybody and not the engine alone."),
    ] = False,
    url: Url = LOCAL,
) -> None:
    """Drop the limit orders with a nonce; what is matched stays matched.

    Example: `otaniemi limit cancel --account 16 --wallet me.json --nonce 7`
    """
    with connect(url) as client:
        if on_chain:
            sent = client.cancel_limits_on_chain(open_key(wallet), account, nonce)
            console.print(f"cancelled on the chain in block {sent.block}")
            return
        for order in client.cancel_limits(open_key(wallet), account, nonce):
            console.print(
                f"order {order.receipt.sequence} left; {order.waiting + order.settled} Wh were matched"
            )


@app.command()
def book(
    slot: SlotText,
    levels: Annotated[int, typer.Option(min=1, max=100, help="Prices of each side.")] = 10,
    history: Annotated[bool, typer.Option("--history", help="Minute by minute instead.")] = False,
    url: Url = LOCAL,
    json: Json = False,
) -> None:
    """Print what stands in the book of a slot.

    Example: `otaniemi limit book --slot 2026-08-17T18:00`
    """
    with connect(url) as client:
        number = slot_of(client.rules, slot)
        if history:
            print_json([one.model_dump(mode="json") for one in client.book_history(number)])
            return
        found = client.book(number, levels=levels)
    if json:
        print_json(found.model_dump(mode="json"))
        return
    table = Table("", "price", "Wh", "orders")
    for name, side in (("sell", found.sells[::-1]), ("buy", found.buys)):
        for level in side:
            table.add_row(name, str(level.price), str(level.quantity), str(level.orders))
    console.print(table)


@app.command()
def log(
    out: Annotated[Path, typer.Argument(help="File to write, one entry a line.")],
    url: Url = LOCAL,
) -> None:
    """Save the engine's log, which `otaniemi audit --engine-log` judges.

    Example: `otaniemi limit log engine.jsonl`
    """
    with connect(url) as client, out.open("w", encoding="utf-8") as file:
        count = 0
        for entry in client.engine_log():
            file.write(entry.model_dump_json() + "\n")
            count += 1
    console.print(f"{count} entries up to {dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC in {out}")
