"""A prosumer's own tools, over the API: the keys stay in wallet files at home."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from otaniemi.platform.cli.output import console, print_json
from otaniemi.platform.cli.remote import (
    LOCAL,
    NANO_PER_EUR,
    RECEIPTS,
    AccountNumber,
    DayText,
    Json,
    Receipts,
    Side,
    SlotText,
    SourceName,
    Url,
    Wallet,
    connect,
    day_of,
    open_key,
    slot_of,
    start_of,
)
from otaniemi.platform.errors import OtaniemiError

wallet = typer.Typer(help="Wallet files: encrypted keys.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(wallet, name="wallet")
    for command in (open_account, bid, receipts, orders, positions, meter, bill, withdraw):
        name = "register" if command is open_account else command.__name__
        app.command(name)(command)


@wallet.command()
def new(path: Annotated[Path, typer.Argument(help="The new wallet file.")]) -> None:
    """Create a key in an encrypted wallet file; the passphrase is asked for, or comes from OTANIEMI_PASSPHRASE.

    Example: `otaniemi wallet new me.json`
    """
    from otaniemi.platform.keys import ask_passphrase, create_wallet

    console.print(f"{create_wallet(path, ask_passphrase(confirm=True))} in {path}")


@wallet.command()
def show(path: Annotated[Path, typer.Argument(help="A wallet file.")]) -> None:
    """Print the address of a wallet file.

    Example: `otaniemi wallet show me.json`
    """
    from otaniemi.platform.keys import wallet_address

    console.print(wallet_address(path))


def open_account(
    owner: Annotated[Path, typer.Option(help="Wallet file of the owner, who can withdraw.")],
    device: Annotated[Path | None, typer.Option(help="Wallet file of the device key, which orders.")] = None,
    name: Annotated[str, typer.Option(help="What people call the home.")] = "my home",
    url: Url = LOCAL,
    json: Json = False,
) -> None:
    """Open an account with test tokens and a meter on a development market.

    Example: `otaniemi register --owner me.json --name "Aino's house"`
    """
    from otaniemi.platform.keys import wallet_address

    with connect(url) as client:
        address = None if device is None else wallet_address(device)
        account = client.register(open_key(owner), name, address)
    if json:
        print_json(account.model_dump(mode="json"))
    else:
        console.print(
            f"account {account.account}, {account.free_nano / NANO_PER_EUR:.2f} EUR free, meter approved"
        )


def bid(
    account: AccountNumber,
    wallet: Wallet,
    slot: SlotText,
    side: Annotated[Side, typer.Option(help="buy or sell.")],
    price: Annotated[int, typer.Option(help="Limit in micro-token/kWh (100000 is 10 cent).")],
    quantity: Annotated[int, typer.Option(min=1, help="Energy in Wh.")],
    session: Annotated[int, typer.Option(min=0, help="0, 1 day-ahead calls; 2 last call.")] = 2,
    source: Annotated[SourceName, typer.Option(help="What sold energy comes from.")] = SourceName.GRID,
    premium: Annotated[
        int | None,
        typer.Option(
            help="When buying: ask for local renewable energy, and pay up to this much more for what is labelled so; "
            "0 .. 63000 micro-token/kWh in steps of 1000."
        ),
    ] = None,
    nonce: Annotated[int | None, typer.Option(min=0, help="To repeat an order safely: its number.")] = None,
    receipts: Receipts = RECEIPTS,
    url: Url = LOCAL,
    json: Json = False,
) -> None:
    """Sign an order at home and send it to be relayed; the relayer's receipt is kept.

    Example: `otaniemi bid --account 16 --wallet me.json --slot 2026-08-17T18:00 --side buy --price 90000
    --quantity 500`
    """
    from otaniemi.contracts.rules.calendar import Source
    from otaniemi.contracts.rules.orders import preference

    if premium is not None and side is not Side.BUY:
        raise OtaniemiError("--premium is for buying; what is sold names its --source")
    if premium is not None and source is not SourceName.GRID:
        raise OtaniemiError(f"--source is {source}; a bid with --premium has none")
    with connect(url, receipts) as client:
        order = client.bid(
            open_key(wallet),
            account,
            slot_of(client.rules, slot),
            session,
            side is Side.BUY,
            price,
            quantity,
            Source[source.name] if premium is None else preference(premium),
            nonce=nonce,
        )
    if json:
        print_json(order.model_dump(mode="json"))
    else:
        console.print(f"order {order.nonce} of account {account}: {order.state}")


def receipts(
    receipts: Receipts = RECEIPTS,
    wallet: Annotated[
        Path | None, typer.Option("--wallet", help="Enter what is missing, signed by this wallet file's key.")
    ] = None,
    url: Url = LOCAL,
    json: Json = False,
) -> None:
    """List the orders sent from here with what became of them; with a wallet, enter directly what was held back.

    An order that a relayer took and that is not on the chain after the relay gate can be entered in a transaction of
    one's own until the direct gate. `otaniemi audit --receipts` shows afterwards that it was held back.

    Example: `otaniemi receipts --wallet device.json`
    """
    from otaniemi.platform.kept import read_kept

    kept = read_kept(receipts)
    with connect(url) as client:
        entered = [] if wallet is None else client.enter_missing(open_key(wallet), kept)
        states = [client.state_of(one) for one in kept]
    if json:
        found = [
            {"account": one.order.account, "nonce": one.order.nonce, "state": state}
            for one, state in zip(kept, states, strict=True)
        ]
        print_json({"orders": found, "entered": [sent.hash for sent in entered]})
        return
    table = Table("account", "order", "received", "state")
    for one, state in zip(kept, states, strict=True):
        received = dt.datetime.fromtimestamp(one.received_at, dt.UTC).strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(str(one.order.account), str(one.order.nonce), received, state)
    console.print(table)
    for sent in entered:
        console.print(f"entered directly in block {sent.block}: {sent.hash}")


def orders(account: AccountNumber, url: Url = LOCAL, json: Json = False) -> None:
    """List the latest orders with their fills, each checked against the root that its market is said to have.

    Example: `otaniemi orders --account 5`
    """
    with connect(url) as client:
        found, rules = client.orders(account), client.rules
    if json:
        print_json([order.model_dump(mode="json") for order in found])
        return
    slot = Column("slot", no_wrap=True)
    filled = ("filled", "price", "labelled", "premium")
    table = Table("order", "state", slot, "session", "side", "limit", "Wh", *filled)
    for order in found:
        reason = f" ({order.reason})" if order.reason else ""
        if not order.records:
            table.add_row(str(order.nonce), order.state + reason)
        for record in order.records:
            labels = record.result and record.result.labels
            table.add_row(
                str(order.nonce),
                order.state,
                start_of(rules, record.slot),
                str(record.session),
                "buy" if record.buy else "sell",
                str(record.price),
                str(record.quantity),
                "-" if record.fill_wh is None else str(record.fill_wh),
                str(record.result.price) if record.result and record.fill_wh else "-",
                str(record.labelled_wh) if record.labelled_wh else "-",
                str(labels.premium) if labels and record.labelled_wh else "-",
            )
    console.print(table)


def positions(account: AccountNumber, day: DayText = None, url: Url = LOCAL, json: Json = False) -> None:
    """Print trade and schedule of every slot of a day.

    Example: `otaniemi positions --account 5`
    """
    with connect(url) as client:
        found, rules = client.positions(account, None if day is None else day_of(day)), client.rules
    if json:
        print_json([position.model_dump(mode="json") for position in found])
        return
    table = Table("slot", "trade Wh", "paid EUR", "schedule Wh")
    for one in found:
        if one.trade_wh or one.nominated:
            paid = f"{one.trade_nano / NANO_PER_EUR:.4f}"
            table.add_row(start_of(rules, one.slot), str(one.trade_wh), paid, str(one.schedule_wh))
    console.print(table)


def meter(
    account: AccountNumber,
    wallet: Wallet,
    slot: SlotText,
    imported: Annotated[int, typer.Option("--import", min=0, help="Wh drawn in the slot.")] = 0,
    exported: Annotated[int, typer.Option("--export", min=0, help="Wh fed in during the slot.")] = 0,
    url: Url = LOCAL,
) -> None:
    """Sign and send the meter's reading of a slot that is over.

    Example: `otaniemi meter --account 5 --wallet me.json --slot 2026-08-17T18:00 --import 300`
    """
    with connect(url) as client:
        new = client.send_reading(open_key(wallet), account, slot_of(client.rules, slot), imported, exported)
    console.print("taken" if new else "taken before; nothing changed")


def bill(account: AccountNumber, day: DayText = None, url: Url = LOCAL, json: Json = False) -> None:
    """Print the bill of a trading day, checked up to the root that the market names; `otaniemi audit` reads the chain.

    Example: `otaniemi bill --account 5 --day 2026-08-17`
    """
    with connect(url) as client:
        today = (client.community().now + dt.timedelta(seconds=client.rules.utc_offset)).date()
        found = client.bill(account, day_of(day or today.isoformat()))
    if json:
        print_json(found.model_dump(mode="json"))
        return
    sums = found.sums
    table = Table(
        title=f"account {account}: {found.stage}, proven up to root {found.root.hash}", show_header=False
    )
    rows: list[tuple[str, int]] = [
        ("trades between homes", sums.trade_money),
        ("retail", sums.retail),
        ("imbalance", sums.imbalance),
        ("grid fee", sums.grid_fee),
        ("platform fee", sums.platform_fee),
    ]
    for name, nano in [
        *rows,
        ("to pay", sum(nano for _, nano in rows)),
        ("released locks", sums.lock_release),
    ]:
        table.add_row(name, f"{nano / NANO_PER_EUR:.6f} EUR")
    console.print(table)


def withdraw(
    account: AccountNumber,
    wallet: Annotated[Path, typer.Option("--wallet", help="Wallet file of the owner.")],
    eur: Annotated[
        float | None, typer.Option(min=0.000001, help="Ask for this much; without it, take what is due.")
    ] = None,
    url: Url = LOCAL,
) -> None:
    """Withdraw in two steps: ask for an amount, and after the delay take it.

    Example: `otaniemi withdraw --account 5 --wallet me.json --eur 20`, days later without `--eur`
    """
    from otaniemi.contracts.rules.units import micro_of_eur, nano_of_micro

    with connect(url) as client:
        if eur is None:
            sent = client.withdraw(open_key(wallet), account)
            console.print(f"sent to the owner's address in block {sent.block}")
            return
        client.request_withdrawal(open_key(wallet), account, nano_of_micro(micro_of_eur(eur)))
        pending = client.account(account).withdrawal
    assert pending is not None
    console.print(
        f"{pending.nano / NANO_PER_EUR:.6f} EUR can be taken from {pending.taken_from:%Y-%m-%d %H:%M} UTC on"
    )
