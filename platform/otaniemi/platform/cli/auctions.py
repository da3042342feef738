"""Auctions from home: offer lots, bid unseen and reveal in time, take at a falling price."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table

from otaniemi.platform.cli.auction_words import own_part, row_of
from otaniemi.platform.cli.output import console, error_console, print_json
from otaniemi.platform.cli.remote import (
    LOCAL,
    NANO_PER_EUR,
    AccountNumber,
    Json,
    Side,
    SlotText,
    SourceName,
    Url,
    Wallet,
    connect,
    local_time,
    open_key,
    slot_of,
)
from otaniemi.platform.errors import OtaniemiError

if TYPE_CHECKING:
    from otaniemi.contracts.rules.lots import Lots
    from otaniemi.platform.api.auctions.messages import DutchView, SealedView
    from otaniemi.platform.client import MarketClient
    from otaniemi.platform.kept_bids import BidFile

POLL_S = 1.0
"""How often a waiting command asks the market. [s]"""

OVER = ("settled", "sold", "ended", "closed")
BIDS = Path("bids.jsonl")

AuctionNumber = Annotated[
    int, typer.Option("--auction", min=1, help="Number of the auction, as `list` shows it.")
]
OfferSide = Annotated[Side, typer.Option("--side", help="sell or buy the energy.")]
Slots = Annotated[int, typer.Option("--slots", min=1, help="Slots in a row, from --slot on.")]
Quantity = Annotated[int, typer.Option("--quantity", min=1, help="Energy of a lot in each slot, in Wh.")]
Count = Annotated[int, typer.Option("--lots", min=1, max=65_535, help="Number of equal lots.")]
OfferSource = Annotated[SourceName, typer.Option("--source", help="What sold energy comes from.")]
Again = Annotated[bool, typer.Option("--again", help="Offer lots of which an equal offer stands once more.")]
Bids = Annotated[
    Path,
    typer.Option(
        "--bids",
        envvar="OTANIEMI_BIDS",
        help="File of your sealed bids. Keep it: without it a bid cannot be revealed, and its deposit is lost.",
    ),
]

app = typer.Typer(help="Auctions of lots: sealed, or at a falling price.", no_args_is_help=True)


def register(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="auction")


@app.command("list")
def list_auctions(
    account: Annotated[
        int | None, typer.Option("--account", min=1, help="Those that it offers, bids or takes lots in.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    url: Url = LOCAL,
    json: Json = False,
) -> None:
    """List the auctions that are going on; with --account, all that the account has a part in.

    Example: `otaniemi auction list`
    """
    with connect(url) as client:
        found = client.auctions() if account is None else client.auctions_of(account)
        rules = client.rules
    if account is None and not every:
        found = [view for view in found if view.state not in OVER]
    if json:
        print_json([view.model_dump(mode="json") for view in found])
        return
    table = Table(
        "auction", "state", "side", "lots left", "Wh", "from slot", "price", "until", box=box.SIMPLE
    )
    for view in found:
        table.add_row(*row_of(view, rules))
    console.print(table)
    if account is not None:
        for view in found:
            for line in own_part(view, account):
                console.print(line)


@app.command()
def sealed(
    account: AccountNumber,
    wallet: Wallet,
    side: OfferSide,
    slot: SlotText,
    quantity: Quantity,
    reserve: Annotated[
        int, typer.Option(help="Worst price for you, in micro-token/kWh (100000 is 10 cent).")
    ],
    slots: Slots = 1,
    lots: Count = 1,
    deposit: Annotated[float, typer.Option(min=0.000001, help="What each bid puts up, in EUR.")] = 1.0,
    minutes: Annotated[int, typer.Option(min=1, help="How long bids are taken.")] = 10,
    reveal_minutes: Annotated[int, typer.Option(min=5, help="How long bids are revealed after that.")] = 5,
    pay_as_bid: Annotated[
        bool, typer.Option("--pay-as-bid", help="Winners pay their bid, not the first one that goes without.")
    ] = False,
    source: OfferSource = SourceName.GRID,
    again: Again = False,
    url: Url = LOCAL,
    json: Json = False,
) -> None:
    """Offer lots for sealed bids, in a transaction of the wallet's key; what they can lock at most is put up.

    Example: `otaniemi auction sealed --account 16 --wallet me.json --side sell --slot 2026-08-17T18:00 --slots 3
    --quantity 250 --lots 2 --reserve 60000 --source battery`
    """
    from otaniemi.contracts.rules.sealed_auction import SealedTerms
    from otaniemi.contracts.rules.units import micro_of_eur, nano_of_micro

    with connect(url) as client:
        key, offered = open_key(wallet), _lots(client, account, side, slot, slots, quantity, lots, source)
        until = int(client.community().now.timestamp()) + 60 * minutes
        nano = nano_of_micro(micro_of_eur(deposit))
        terms = SealedTerms(offered, pay_as_bid, reserve, nano, until, until + 60 * reveal_minutes)
        view = client.offer_sealed(key, terms, again)
    _print_offer(view, json, f"takes bids until {local_time(client.rules, view.commit_until)}")


@app.command()
def dutch(
    account: AccountNumber,
    wallet: Wallet,
    side: OfferSide,
    slot: SlotText,
    quantity: Quantity,
    start_price: Annotated[int, typer.Option(help="First price, in micro-token/kWh (100000 is 10 cent).")],
    end_price: Annotated[int, typer.Option(help="Last price: lower when you sell, higher when you buy.")],
    slots: Slots = 1,
    lots: Count = 1,
    begin_in: Annotated[int, typer.Option(min=1, help="Minutes until the first price.")] = 5,
    minutes: Annotated[int, typer.Option(min=1, help="From the first to the last price.")] = 10,
    source: OfferSource = SourceName.GRID,
    again: Again = False,
    url: Url = LOCAL,
    json: Json = False,
) -> None:
    """Offer lots at a falling price (rising when you buy), in a transaction of the wallet's key.

    Example: `otaniemi auction dutch --account 16 --wallet me.json --side sell --slot 2026-08-17T11:00 --slots 4
    --quantity 100 --lots 4 --start-price 120000 --end-price 40000 --source pv`
    """
    from otaniemi.contracts.rules.dutch_auction import DutchTerms

    with connect(url) as client:
        key, offered = open_key(wallet), _lots(client, account, side, slot, slots, quantity, lots, source)
        begin = int(client.community().now.timestamp()) + 60 * begin_in
        terms = DutchTerms(offered, start_price, end_price, begin, begin + 60 * minutes)
        view = client.offer_dutch(key, terms, again)
    _print_offer(view, json, f"begins at {local_time(client.rules, view.begin)}")


@app.command()
def bid(
    account: AccountNumber,
    wallet: Wallet,
    auction: AuctionNumber,
    price: Annotated[int, typer.Option(help="What a lot is worth to you, in micro-token/kWh.")],
    lots: Annotated[int, typer.Option(min=1, max=65_535, help="How many you want.")] = 1,
    wait: Annotated[
        bool, typer.Option("--wait", help="Stay, reveal the bid in time, and tell what it won.")
    ] = False,
    bids: Bids = BIDS,
    url: Url = LOCAL,
    json: Json = False,
) -> None:
    """Bid unseen in a sealed auction. The bid is kept in a file at home first; only its hash is sent, and a deposit.

    Reveal it with `otaniemi auction reveal` once bidding has ended, or let --wait do it: else the deposit is lost.

    Example: `otaniemi auction bid --account 16 --wallet me.json --auction 3 --price 90000 --lots 2 --wait`
    """
    from otaniemi.platform.kept_bids import BidFile

    kept = BidFile(bids)
    with connect(url) as client:
        view = client.bid_sealed(open_key(wallet), account, auction, price, lots, kept)
        rules = client.rules
        if not json:
            begin, end = local_time(rules, view.commit_until), local_time(rules, view.reveal_until)
            at_stake = (
                f"reveal it from {begin} to {end}, or {view.deposit_nano / NANO_PER_EUR:.2f} EUR are lost"
            )
            console.print(f"bid kept in {bids} and committed; {at_stake}", soft_wrap=True)
        while wait and view.state != "settled":
            time.sleep(POLL_S)
            view = _revealed(client, kept, view)
    if json:
        print_json(view.model_dump(mode="json"))
    elif wait:
        for line in own_part(view, account):
            console.print(line)


@app.command()
def reveal(
    bids: Bids = BIDS,
    auction: Annotated[int | None, typer.Option("--auction", min=1, help="This auction alone.")] = None,
    wallet: Annotated[
        Path | None,
        typer.Option(
            "--wallet", help="Reveal in transactions of this wallet file's key, without the market."
        ),
    ] = None,
    url: Url = LOCAL,
    json: Json = False,
) -> None:
    """Reveal every kept bid whose time it is; run it as often as you like, every minute by cron for instance.

    Example: `otaniemi auction reveal`
    """
    from otaniemi.platform.kept_bids import BidFile

    key = None if wallet is None else open_key(wallet)
    with connect(url) as client:
        found = client.reveal_bids(BidFile(bids), key, auction)
        rules = client.rules
    if json:
        print_json(
            [
                {
                    "auction": one.auction.auction,
                    "account": one.bid.account,
                    "state": one.bid.state,
                    "refused": one.refused,
                }
                for one in found
            ]
        )
    else:
        table = Table("auction", "account", "bid", "reveal from", "to")
        for one in found:
            times = local_time(rules, one.auction.commit_until), local_time(rules, one.auction.reveal_until)
            table.add_row(str(one.auction.auction), str(one.bid.account), one.bid.state, *times)
        console.print(table)
    refused = [f"sealed auction {one.auction.auction}: {one.refused}" for one in found if one.refused]
    if refused:
        raise OtaniemiError("; ".join(refused))


@app.command()
def take(
    account: AccountNumber,
    wallet: Wallet,
    auction: AuctionNumber,
    limit: Annotated[int, typer.Option(help="Worst price, in micro-token/kWh.")],
    lots: Annotated[int, typer.Option(min=1, max=65_535, help="How many you take.")] = 1,
    wait: Annotated[
        bool, typer.Option("--wait", help="Stay until the price has come to your limit.")
    ] = False,
    nonce: Annotated[int | None, typer.Option(min=0, help="To repeat a take safely: its number.")] = None,
    url: Url = LOCAL,
    json: Json = False,
) -> None:
    """Take lots of a Dutch auction at its price of now, if that is no worse than your limit.

    Example: `otaniemi auction take --account 16 --wallet me.json --auction 2 --limit 80000 --lots 1 --wait`
    """
    with connect(url) as client:
        key, rules = open_key(wallet), client.rules
        while wait and not _reached(view := client.dutch_auction(auction), limit):
            _check_reachable(view, limit)
            time.sleep(POLL_S)
        view = client.take_lots(key, account, auction, lots, limit, nonce)
    if json:
        print_json(view.model_dump(mode="json"))
        return
    for line in own_part(view, account):
        console.print(line)
    console.print(f"{view.left} of {view.lots.count} lots are left, until {local_time(rules, view.until)}")


@app.command()
def close(wallet: Wallet, auction: AuctionNumber, url: Url = LOCAL) -> None:
    """End a Dutch auction of your own before its time; what was put up for the lots that are left returns.

    Example: `otaniemi auction close --wallet me.json --auction 2`
    """
    with connect(url) as client:
        sent = client.close_auction(open_key(wallet), auction)
    console.print(f"closed in block {sent.block}")


def _lots(
    client: MarketClient,
    account: int,
    side: Side,
    slot: str,
    slots: int,
    quantity: int,
    count: int,
    source: SourceName,
) -> Lots:
    from otaniemi.contracts.rules.calendar import Source

    first = slot_of(client.rules, slot)
    wh = (quantity,) * slots
    return client.lots(account, first, wh, count, side is Side.SELL, Source[source.name])


def _revealed(client: MarketClient, kept: BidFile, view: SealedView) -> SealedView:
    """A sealed auction after the bids were revealed whose time it is; as before while the market does not answer."""
    from otaniemi.platform.client import UnreachableError

    try:
        refused = [one.refused for one in client.reveal_bids(kept, auction=view.auction) if one.refused]
        view = client.sealed_auction(view.auction)
    except UnreachableError as error:
        # The deposit hangs on this; the market may come back in time.
        error_console.print(f"{error}; trying again", soft_wrap=True, highlight=False)
        return view
    if refused:
        raise OtaniemiError(f"the bid was not revealed: {refused[0]}")
    return view


def _reached(view: DutchView, limit: int) -> bool:
    """Whether a Dutch auction's price has come to a limit."""
    if view.price is None:
        return False
    return view.price <= limit if view.lots.selling else view.price >= limit


def _check_reachable(view: DutchView, limit: int) -> None:
    """Refuse to wait for a price that never comes."""
    never = view.end_price > limit if view.lots.selling else view.end_price < limit
    if never:
        valid = f"{view.end_price} or {'more' if view.lots.selling else 'less'}, where the price ends"
        raise OtaniemiError(f"--limit is {limit}; valid is {valid}")
    if view.state in OVER:
        raise OtaniemiError(
            f"--auction is {view.auction}; valid is one that is open: this one is {view.state}"
        )


def _print_offer(view: SealedView | DutchView, json: bool, what: str) -> None:
    if json:
        print_json(view.model_dump(mode="json"))
        return
    put_up = view.put_up_nano / NANO_PER_EUR
    console.print(f"{view.kind} auction {view.auction} {what}; {put_up:.6f} EUR put up")
