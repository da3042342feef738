"""Standard contracts from home: series, lots, deals and their margins."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table

from otaniemi.platform.cli.output import console, print_json
from otaniemi.platform.cli.remote import (
    LOCAL,
    NANO_PER_EUR,
    RECEIPTS,
    AccountNumber,
    Json,
    Receipts,
    Side,
    SourceName,
    Url,
    Wallet,
    connect,
    date_of,
    local_time,
    open_key,
)
from otaniemi.platform.errors import OtaniemiError

if TYPE_CHECKING:
    from otaniemi.contracts.rules.calendar import Rules
    from otaniemi.platform.api.limits.messages import BookView, LimitView
    from otaniemi.platform.api.series.messages import DealSideView, DealView, SeriesView

SeriesNumber = Annotated[
    int, typer.Option("--series", min=1, help="Number of the series, as `list` shows it.")
]
Price = Annotated[int, typer.Option("--price", help="Limit in micro-token/kWh (100000 is 10 cent).")]
Lots = Annotated[int, typer.Option("--lots", min=1, help="Number of lots.")]
Source = Annotated[
    SourceName, typer.Option("--source", help="What sold energy comes from; a buy takes only that.")
]
Nonce = Annotated[int | None, typer.Option("--nonce", min=0, help="To repeat an order safely: its number.")]

app = typer.Typer(help="Standard contracts: the same power on every day of a calendar.", no_args_is_help=True)


def register(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="series")


@app.command("list")
def list_series(
    every: Annotated[bool, typer.Option("--all", help="Also those that are no longer traded.")] = False,
    url: Url = LOCAL,
    json: Json = False,
) -> None:
    """List the series that can be traded: Wh of a lot in all, mark and best standing prices in micro-token/kWh.

    Example: `otaniemi series list`
    """
    with connect(url) as client:
        found = [view for view in client.series() if every or view.state == "open"]
        rules = client.rules
        books = [client.book(view.instrument, view.product, levels=1) for view in found]
    if json:
        print_json([view.model_dump(mode="json") for view in found])
        return
    table = Table("series", "days", "hours", "Wh", "mark", "buy", "sell", "until", box=box.SIMPLE)
    for view, book in zip(found, books, strict=True):
        mark = "-" if view.mark is None else str(view.mark)
        until = local_time(rules, view.last_trading)[5:16]
        best = _best(book, buy=True), _best(book, buy=False)
        table.add_row(
            str(view.series), _days(view), _hours(view, rules), str(view.total_wh), mark, *best, until
        )
    console.print(table)


@app.command()
def buy(
    account: AccountNumber,
    wallet: Wallet,
    series: SeriesNumber,
    price: Price,
    lots: Lots = 1,
    source: Source = SourceName.GRID,
    nonce: Nonce = None,
    receipts: Receipts = RECEIPTS,
    url: Url = LOCAL,
    json: Json = False,
) -> None:
    """Buy lots of a series: a limit order, good for a day or until the last trading time, matched at once.

    Example: `otaniemi series buy --account 16 --wallet me.json --series 2 --price 90000 --lots 3`
    """
    _order(Side.BUY, account, wallet, series, price, lots, source, nonce, receipts, url, json)


@app.command()
def sell(
    account: AccountNumber,
    wallet: Wallet,
    series: SeriesNumber,
    price: Price,
    lots: Lots = 1,
    source: Source = SourceName.GRID,
    nonce: Nonce = None,
    receipts: Receipts = RECEIPTS,
    url: Url = LOCAL,
    json: Json = False,
) -> None:
    """Sell lots of a series, as `buy`; to leave a deal, trade the other way.

    Example: `otaniemi series sell --account 16 --wallet me.json --series 2 --price 60000 --lots 3 --source pv`
    """
    _order(Side.SELL, account, wallet, series, price, lots, source, nonce, receipts, url, json)


@app.command()
def deals(account: AccountNumber, url: Url = LOCAL, json: Json = False) -> None:
    """List an account's deals with its margin in EUR, and what that must not fall below.

    Example: `otaniemi series deals --account 16`
    """
    with connect(url) as client:
        found, rules = client.deals(account), client.rules
    if json:
        print_json([view.model_dump(mode="json") for view in found])
        return
    table = Table(
        "deal", "series", "side", "lots", "price", "next", "margin", "at least", "state", box=box.SIMPLE
    )
    for view in found:
        side = view.side_of(account)
        table.add_row(
            str(view.deal),
            str(view.series),
            "buy" if side is view.buyer else "sell",
            str(view.lots),
            str(view.price),
            "-" if view.next_day is None else date_of(view.next_day),
            f"{side.margin / NANO_PER_EUR:.4f}",
            f"{side.maintenance / NANO_PER_EUR:.4f}",
            _state(view, side, rules),
        )
    console.print(table)


@app.command()
def margin(
    deal: Annotated[int, typer.Option("--deal", min=1, help="Number of the deal, as `deals` shows it.")],
    wallet: Annotated[
        Path | None,
        typer.Option("--wallet", help="In a transaction of this wallet file's key, the owner's of one side."),
    ] = None,
    url: Url = LOCAL,
    json: Json = False,
) -> None:
    """Top a deal's margins up to what the mark asks for, from the free balances; what is above comes back.

    The market does this by itself whenever the mark moves; do it when money has come in after a margin call.

    Example: `otaniemi series margin --deal 4`
    """
    with connect(url) as client:
        if wallet is None:
            view = client.top_up_margin(deal)
        else:
            key, view = open_key(wallet), client.deal(deal)
            own = client.accounts_of(key.address)
            if not {view.buyer.account, view.seller.account} & set(own):
                raise OtaniemiError(
                    f"--deal is {deal}; valid is one of your accounts {', '.join(map(str, own))}"
                )
            client.top_up_margin_directly(key, deal, view.buyer.account in own)
            view = client.deal(deal)
        rules = client.rules
    if json:
        print_json(view.model_dump(mode="json"))
        return
    for name, side in (("buyer", view.buyer), ("seller", view.seller)):
        console.print(
            f"{name} {side.account}: {side.margin / NANO_PER_EUR:.4f} EUR, "
            f"at least {side.maintenance / NANO_PER_EUR:.4f}; {_state(view, side, rules)}"
        )


def _order(
    side: Side,
    account: int,
    wallet: Path,
    series: int,
    price: int,
    lots: int,
    source: SourceName,
    nonce: int | None,
    receipts: Path,
    url: str,
    json: bool,
) -> None:
    from otaniemi.contracts.rules.calendar import Source

    with connect(url, receipts) as client:
        instrument = client.one_series(series).instrument
        order = client.place_limit(
            open_key(wallet), account, instrument, side is Side.BUY, price, lots, 0, Source[source.name],
            nonce=nonce,
        )  # fmt: skip
    if json:
        print_json(order.model_dump(mode="json"))
        return
    console.print(_told(order))


def _told(order: LimitView) -> str:
    traded = ", ".join(f"{match.quantity} at {match.price}" for match in order.matches) or "nothing yet"
    name = f"order {order.receipt.sequence} (nonce {order.terms.nonce})"
    return f"{name}: {order.state}, {order.rest} lots stand; traded {traded}"


def _best(book: BookView, buy: bool) -> str:
    side = book.buys if buy else book.sells
    return str(side[0].price) if side else "-"


def _days(view: SeriesView) -> str:
    """First and last day, and the weekdays where they are not all."""
    first, last = date_of(view.first_day)[5:], date_of(view.last_day)[5:]
    span = first if first == last else f"{first}..{last}"
    return span if len(view.weekdays) == 7 else f"{span} {','.join(view.weekdays)}"


def _hours(view: SeriesView, rules: Rules) -> str:
    """From and to, local time; what ends with the day ends at 24:00."""
    end = local_time(rules, view.starts + dt.timedelta(seconds=view.slots * rules.slot_seconds))[11:16]
    return f"{local_time(rules, view.starts)[11:16]}-{'24:00' if end == '00:00' else end}"


def _state(view: DealView, side: DealSideView, rules: Rules) -> str:
    if side.failed:
        return "failed"
    if side.deadline is not None:
        return f"called until {local_time(rules, side.deadline)[5:16]}"
    return view.state
