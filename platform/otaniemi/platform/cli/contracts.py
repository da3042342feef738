"""Bilateral contracts from home: proposed to a neighbour, accepted, ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from otaniemi.platform.cli.output import console, print_json
from otaniemi.platform.cli.remote import (
    LOCAL,
    AccountNumber,
    Directly,
    Json,
    Side,
    SourceName,
    Url,
    Wallet,
    connect,
    date_of,
    day_of,
    open_key,
)
from otaniemi.platform.errors import OtaniemiError

if TYPE_CHECKING:
    from otaniemi.contracts.rules.calendar import Rules
    from otaniemi.platform.api.contracts.messages import BilateralTermsForm, ContractView
    from otaniemi.platform.client import MarketClient

app = typer.Typer(
    help="Bilateral contracts: energy of one neighbour for another, for weeks.", no_args_is_help=True
)

ContractText = Annotated[
    str,
    typer.Option("--contract", help="Number of a contract, or how its digest begins, as `list` shows it."),
]
SHOWN = 10
"""Letters of a digest in a table."""


def register(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="contract")


@app.command("list")
def list_contracts(account: AccountNumber, url: Url = LOCAL, json: Json = False) -> None:
    """List contracts and proposals of an account, newest first; done are days of a profile, slots of a share.

    Example: `otaniemi contract list --account 16`
    """
    with connect(url) as client:
        found = client.contracts(account)
    if json:
        print_json([view.model_dump(mode="json") for view in found])
        return
    narrow = [Column(name, no_wrap=True) for name in ("contract", "state", "energy", "price", "days")]
    table = Table(*narrow, "done")
    for view in found:
        terms = view.terms
        sells = terms.seller == account
        other = f"sold to {terms.buyer}" if sells else f"bought from {terms.seller}"
        last = terms.to_day if view.last_day is None else view.last_day
        table.add_row(
            _name(view),
            f"{view.state}\nby me" if (view.state, view.proposed_by) == ("proposed", account) else view.state,
            f"{other}\n{_energy(terms)}",
            f"spot {terms.price:+d}" if terms.spot else str(terms.price),
            f"{date_of(terms.from_day)}\n{date_of(last)}",
            str(view.delivered),
        )
    console.print(table)


@app.command()
def propose(
    account: AccountNumber,
    wallet: Wallet,
    partner: Annotated[int, typer.Option("--with", min=1, help="Account of the other party.")],
    side: Annotated[Side, typer.Option(help="buy or sell.")],
    price: Annotated[int, typer.Option(help="micro-token/kWh (100000 is 10 cent).")],
    to_day: Annotated[str, typer.Option("--to-day", help="Last day YYYY-MM-DD.")],
    profile: Annotated[
        str | None,
        typer.Option(help="Wh of each slot by time of day: 10:00-16:00=500,18:00-20:00=200."),
    ] = None,
    share: Annotated[
        float | None, typer.Option(min=0.1, max=100, help="Percent of the seller's metered surplus instead.")
    ] = None,
    spot: Annotated[bool, typer.Option("--spot", help="The price is added to the spot price.")] = False,
    from_day: Annotated[
        str | None, typer.Option("--from-day", help="First day YYYY-MM-DD; tomorrow when left out.")
    ] = None,
    notice: Annotated[int, typer.Option(min=0, max=65_535, help="Days until a notice ends it.")] = 7,
    fee: Annotated[
        float, typer.Option(min=0, help="EUR that both deposit; lost by who ends it without notice.")
    ] = 0,
    source: Annotated[SourceName, typer.Option(help="What the energy comes from.")] = SourceName.PV,
    hours: Annotated[float, typer.Option(min=0.1, help="How long it may be accepted.")] = 24,
    directly: Directly = False,
    salt: Annotated[int | None, typer.Option(min=0, help="To repeat a proposal safely: its number.")] = None,
    url: Url = LOCAL,
    json: Json = False,
) -> None:
    """Sign a contract at home and propose it; it is in force once the other party accepts.

    Example: `otaniemi contract propose --account 16 --wallet me.json --with 17 --side sell --share 50 --price 90000
    --to-day 2026-12-31`
    """
    from otaniemi.contracts.rules.calendar import Source, day_at
    from otaniemi.contracts.rules.units import micro_of_eur, nano_of_micro

    if (profile is None) == (share is None):
        raise OtaniemiError("--profile and --share: valid is exactly one of them")
    with connect(url) as client:
        now = int(client.community().now.timestamp())
        sells = side is Side.SELL
        view = client.propose_contract(
            open_key(wallet),
            seller=account if sells else partner,
            buyer=partner if sells else account,
            as_account=account,
            from_day=day_at(client.rules, now) + 1 if from_day is None else day_of(from_day, "--from-day"),
            to_day=day_of(to_day, "--to-day"),
            price=price,
            spot=spot,
            profile=() if profile is None else _profile(profile, client.rules),
            share_permille=0 if share is None else round(share * 10),
            source=Source[source.name],
            notice_days=notice,
            fee=nano_of_micro(micro_of_eur(fee)),
            salt=salt,
            valid_to=now + round(hours * 3600),
            directly=directly,
        )
    _tell(view, json)


@app.command()
def accept(
    account: AccountNumber,
    wallet: Wallet,
    contract: ContractText,
    directly: Directly = False,
    url: Url = LOCAL,
    json: Json = False,
) -> None:
    """Sign a proposed contract too: it is brought to the chain, and delivers by itself.

    Only what was proposed `--directly` can be accepted so.

    Example: `otaniemi contract accept --account 17 --wallet me.json --contract 0x5a17c0de`
    """
    with connect(url) as client:
        view = _contract(client, account, contract)
        _tell(client.accept_contract(open_key(wallet), account, view.digest, directly), json)


@app.command()
def revoke(
    account: AccountNumber, wallet: Wallet, contract: ContractText, url: Url = LOCAL, json: Json = False
) -> None:
    """Take a proposal back, or decline one, for good; a transaction, whose gas the wallet's key pays.

    Example: `otaniemi contract revoke --account 16 --wallet me.json --contract 0x5a17c0de`
    """
    with connect(url) as client:
        view = _contract(client, account, contract)
        _tell(client.revoke_contract(open_key(wallet), account, view.digest), json)


@app.command()
def end(
    account: AccountNumber,
    wallet: Wallet,
    contract: ContractText,
    early: Annotated[
        bool, typer.Option("--early", help="With today, at the cost of the own deposit, without notice.")
    ] = False,
    url: Url = LOCAL,
    json: Json = False,
) -> None:
    """End a contract by notice; a transaction, whose gas the wallet's key pays.

    Example: `otaniemi contract end --account 16 --wallet me.json --contract 3`
    """
    with connect(url) as client:
        view = _contract(client, account, contract)
        _tell(client.end_contract(open_key(wallet), account, view.digest, early), json)


def _contract(client: MarketClient, account: int, text: str) -> ContractView:
    """The contract of an account that ``text`` names."""
    found = client.contracts(account)
    matching = [
        view
        for view in found
        if text == str(view.deal) or (text.startswith("0x") and view.digest.startswith(text.lower()))
    ]
    if len(matching) != 1:
        known = ", ".join(_name(view) for view in found) or "none, as there is none"
        raise OtaniemiError(f"--contract is {text}; valid is one of account {account}: {known}")
    return matching[0]


def _tell(view: ContractView, json: bool) -> None:
    if json:
        print_json(view.model_dump(mode="json"))
        return
    line = f"contract {_name(view)}: {view.state}"
    if view.state == "proposed":
        line += f" until {view.valid_to:%Y-%m-%d %H:%M} UTC (salt {view.terms.salt})"
    elif view.last_day is not None:
        line += f", {_energy(view.terms)} until {date_of(view.last_day)}"
    console.print(line)


def _name(view: ContractView) -> str:
    return view.digest[:SHOWN] if view.deal is None else str(view.deal)


def _energy(terms: BilateralTermsForm) -> str:
    if terms.share_permille:
        return f"{terms.share_permille / 10:g} % of surplus"
    return f"{sum(terms.profile) / 1000:g} kWh a day"


def _profile(text: str, rules: Rules) -> tuple[int, ...]:
    """Energy of each slot of a day, from times of day with Wh."""
    valid = "times with Wh of each slot, such as 10:00-16:00=500,18:00-20:00=200"
    wh = [0] * rules.slots_per_day
    for part in text.split(","):
        times, _, energy = part.strip().partition("=")
        try:
            start, end = (_slot_of_day(time, rules) for time in times.split("-"))
            each = int(energy)
        except ValueError as error:
            raise OtaniemiError(f"--profile is {text}; valid are {valid}") from error
        if not 0 <= start < end <= rules.slots_per_day or each < 0 or any(wh[start:end]):
            raise OtaniemiError(f"--profile is {text}; valid are {valid}, each slot of the day once")
        wh[start:end] = [each] * (end - start)
    return tuple(wh)


def _slot_of_day(time: str, rules: Rules) -> int:
    """Number of the slot of a day that begins at ``time``."""
    hour, minute = map(int, time.split(":"))
    slot, rest = divmod((hour * 60 + minute) * 60, rules.slot_seconds)
    if rest:
        raise OtaniemiError(
            f"--profile has {time}; valid is the start of a slot, every {rules.slot_seconds // 60} minutes"
        )
    return slot
