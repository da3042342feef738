"""What the commands over the API share: how they name a market, a home, a slot and a day."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from otaniemi.platform.errors import OtaniemiError

if TYPE_CHECKING:
    from otaniemi.contracts.chain.sender import Key
    from otaniemi.contracts.rules.calendar import Rules
    from otaniemi.platform.client import MarketClient

NANO_PER_EUR = 10**9

Url = Annotated[str, typer.Option(envvar="OTANIEMI_URL", help="Where the market's API is.")]
AccountNumber = Annotated[int, typer.Option("--account", min=1, help="Account number.")]
Wallet = Annotated[Path, typer.Option("--wallet", help="Wallet file of the device key, or the owner's.")]
SlotText = Annotated[str, typer.Option("--slot", help="Slot number, or local start like 2026-08-17T18:00.")]
DayText = Annotated[str | None, typer.Option("--day", help="Trading day YYYY-MM-DD; today when left out.")]
Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
Receipts = Annotated[
    Path, typer.Option(envvar="OTANIEMI_RECEIPTS", help="File of sent orders with the relayer's receipts.")
]
Directly = Annotated[
    bool,
    typer.Option(
        "--directly", help="In a transaction that nobody can hold back; the wallet's key pays its gas."
    ),
]
LOCAL = "http://127.0.0.1:8000"
RECEIPTS = Path("receipts.jsonl")


class Side(StrEnum):
    """What an order does."""

    BUY = "buy"
    SELL = "sell"


class SourceName(StrEnum):
    """What sold energy comes from."""

    GRID = "grid"
    PV = "pv"
    BATTERY = "battery"
    V2H = "v2h"
    CHP = "chp"


def connect(url: str, receipts: Path | None = None) -> MarketClient:
    """The market at ``url``; orders sent are kept in the file ``receipts``."""
    from otaniemi.platform.client import MarketClient

    return MarketClient(url, receipts=receipts)


def open_key(path: Path) -> Key:
    """The key of a wallet file; its passphrase is asked for."""
    from otaniemi.platform.keys import ask_passphrase, open_wallet

    return open_wallet(path, ask_passphrase(confirm=False))


def slot_of(rules: Rules, text: str) -> int:
    """A slot by its number or its local start."""
    if text.isdigit():
        return int(text)
    try:
        local = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise OtaniemiError(
            f"--slot is {text}; valid is a number or a start like 2026-08-17T18:00"
        ) from error
    if local.tzinfo is None:
        local = local.replace(tzinfo=dt.timezone(dt.timedelta(seconds=rules.utc_offset)))
    slot, rest = divmod(int(local.timestamp()), rules.slot_seconds)
    if rest:
        raise OtaniemiError(
            f"--slot is {text}; valid is the start of a slot, every {rules.slot_seconds // 60} minutes"
        )
    return slot


def start_of(rules: Rules, slot: int) -> str:
    """The local start of a slot as people read it, to the minute."""
    return local_time(rules, dt.datetime.fromtimestamp(slot * rules.slot_seconds, dt.UTC))[:16]


def local_time(rules: Rules, moment: dt.datetime) -> str:
    """An instant on the community's clock as people read it."""
    zone = dt.timezone(dt.timedelta(seconds=rules.utc_offset))
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def date_of(day: int) -> str:
    """The local date of a trading day."""
    return (dt.date(1970, 1, 1) + dt.timedelta(days=day)).isoformat()


def day_of(text: str, option: str = "--day") -> int:
    """A trading day by its local date, in days since 1970."""
    try:
        return (dt.date.fromisoformat(text) - dt.date(1970, 1, 1)).days
    except ValueError as error:
        raise OtaniemiError(f"{option} is {text}; valid is a date such as 2026-08-17") from error
