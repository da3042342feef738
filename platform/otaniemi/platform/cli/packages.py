"""Price packages from home: what is offered, what the home has, and the retailer's own commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from otaniemi.platform.cli.output import console, print_json
from otaniemi.platform.cli.remote import (
    LOCAL,
    NANO_PER_EUR,
    AccountNumber,
    Directly,
    Json,
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
    from otaniemi.contracts.rules.price_packages import Band
    from otaniemi.platform.api.packages.messages import HomeSideView, PackageView

app = typer.Typer(help="Price packages: tariffs of the retailer, chosen days ahead.", no_args_is_help=True)

PackageNumber = Annotated[int, typer.Option("--package", min=1, help="Number of the package.")]
FromDay = Annotated[
    str | None, typer.Option("--from-day", help="First day YYYY-MM-DD; the first possible when left out.")
]
Direction = Annotated[bool, typer.Option("--feed-in", help="For what is fed in, not for what is drawn.")]


def register(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="package")


@app.command("list")
def list_packages(
    account: Annotated[
        int | None, typer.Option("--account", min=1, help="Show what this account has, and can have when.")
    ] = None,
    url: Url = LOCAL,
    json: Json = False,
) -> None:
    """List the published packages; prices in micro-token/kWh, each from its time of day on.

    `left` are places on the first of the `days`, the first on which it can be had; none of a withdrawn package.

    Example: `otaniemi package list --account 16`
    """
    with connect(url) as client:
        found, rules = client.packages(account), client.rules
        sides = [] if account is None else client.packages_of(account)
    if json:
        print_json([view.model_dump(mode="json") for view in found])
        return
    narrow = [Column(name, no_wrap=True) for name in ("prices", "EUR/day", "notice", "left", "days")]
    table = Table("no", "package", *narrow)
    for view in found:
        direction = "feed-in" if view.feed_in else "import"
        table.add_row(
            str(view.package),
            f"{view.name or '-'}\n{direction}, {view.green_permille / 10:g} % green",
            _prices(view, rules),
            f"{view.daily_fee / NANO_PER_EUR:.2f}",
            f"{view.notice_days} d",
            "none" if view.withdrawn else str(view.places_left),
            f"{date_of(view.from_day)}\n{date_of(view.last_day)}",
        )
    console.print(table)
    _print_sides(sides)


@app.command()
def choose(
    account: AccountNumber,
    wallet: Wallet,
    package: PackageNumber,
    from_day: FromDay = None,
    directly: Directly = False,
    url: Url = LOCAL,
    json: Json = False,
) -> None:
    """Take a package, or another instead of the present one, with a signature made here.

    What the home has chosen already is not chosen again.

    Example: `otaniemi package choose --account 16 --wallet me.json --package 2`
    """
    with connect(url) as client:
        day = None if from_day is None else day_of(from_day, "--from-day")
        _tell(client.choose_package(open_key(wallet), account, package, day, directly), json)


@app.command()
def leave(
    account: AccountNumber,
    wallet: Wallet,
    feed_in: Direction = False,
    from_day: FromDay = None,
    directly: Directly = False,
    url: Url = LOCAL,
    json: Json = False,
) -> None:
    """Give the package up, and pay the standard tariff again.

    Example: `otaniemi package leave --account 16 --wallet me.json`
    """
    with connect(url) as client:
        day = None if from_day is None else day_of(from_day, "--from-day")
        _tell(client.leave_package(open_key(wallet), account, feed_in, day, directly), json)


@app.command()
def publish(
    wallet: Wallet,
    name: Annotated[str, typer.Option(help="What the package is called, at most 80 letters.")],
    price: Annotated[
        str,
        typer.Option(
            help="micro-token/kWh: one for all day, or each from its time on: 00:00=90000,07:00=150000,22:00=90000."
        ),
    ],
    to_day: Annotated[str, typer.Option("--to-day", help="Last day YYYY-MM-DD.")],
    from_day: Annotated[
        str | None, typer.Option("--from-day", help="First day YYYY-MM-DD; tomorrow when left out.")
    ] = None,
    spot: Annotated[bool, typer.Option("--spot", help="The price is added to the spot price.")] = False,
    feed_in: Direction = False,
    homes: Annotated[int, typer.Option(min=1, help="How many homes can have it at a time.")] = 100,
    volume: Annotated[int, typer.Option(min=0, help="Wh of a slot and home that it covers; 0 for any.")] = 0,
    fee: Annotated[float, typer.Option(min=0, help="EUR that each home pays for each day.")] = 0,
    notice: Annotated[
        int, typer.Option(min=1, max=60, help="Days before a change to it or from it counts.")
    ] = 1,
    green: Annotated[float, typer.Option(min=0, max=100, help="Renewable share in percent.")] = 0,
    url: Url = LOCAL,
    json: Json = False,
) -> None:
    """Publish a package, which never changes; the wallet is the retailer's and pays the gas.

    What is offered already with the same terms is not published again.

    Example: `otaniemi package publish --wallet shop.json --name Sun --feed-in --price 60000 --to-day 2026-12-31`
    """
    from otaniemi.contracts.rules.calendar import Product, day_at
    from otaniemi.contracts.rules.keccak import keccak
    from otaniemi.contracts.rules.price_packages import PackageTerms
    from otaniemi.contracts.rules.units import micro_of_eur, nano_of_micro

    with connect(url) as client:
        tomorrow = day_at(client.rules, int(client.community().now.timestamp())) + 1
        terms = PackageTerms(
            community=client.deployment.community,
            product=Product.ELECTRICITY,
            feed_in=feed_in,
            spot=spot,
            bands=_bands(price, client.rules),
            volume=volume,
            homes=homes,
            first_day=tomorrow if from_day is None else day_of(from_day, "--from-day"),
            last_day=day_of(to_day, "--to-day"),
            daily_fee=nano_of_micro(micro_of_eur(fee)),
            notice_days=notice,
            green_permille=round(green * 10),
            name_hash=keccak(name.encode()),
        )
        terms.check(client.rules)
        view = client.publish_package(open_key(wallet), terms, name)
    if json:
        print_json(view.model_dump(mode="json"))
    else:
        console.print(f"package {view.package}, {view.name}: can be chosen from {date_of(view.from_day)} on")


@app.command()
def withdraw(wallet: Wallet, package: PackageNumber, url: Url = LOCAL) -> None:
    """Take a package off the market; who has it keeps it. The wallet is the retailer's and pays the gas.

    Example: `otaniemi package withdraw --wallet shop.json --package 2`
    """
    with connect(url) as client:
        view = client.withdraw_package(open_key(wallet), package)
    console.print(f"package {view.package} is withdrawn")


def _tell(sides: list[HomeSideView], json: bool) -> None:
    if json:
        print_json([side.model_dump(mode="json") for side in sides])
    else:
        _print_sides(sides)


def _print_sides(sides: list[HomeSideView]) -> None:
    """What a home has, a line for each direction."""
    from otaniemi.contracts.rules.calendar import Product

    for side in sides:
        of = f"{Product(side.product).name.lower()} " if side.product else ""
        line = f"{of}{'feed-in' if side.feed_in else 'import'}: {_named(side.package)} today"
        if side.next_package != side.package:
            line += f", {_named(side.next_package)} from {date_of(side.next_from)} on"
        console.print(line)


def _named(package: int) -> str:
    return f"package {package}" if package else "standard tariff"


def _prices(view: PackageView, rules: Rules) -> str:
    """The prices of a package, each from its time of day on."""
    starts = [0, *(band.until_slot for band in view.bands[:-1])]
    sign = "spot %+d" if view.spot else "%d"
    shown = [sign % band.price for band in view.bands]
    if len(shown) == 1:
        return shown[0]
    times = [
        f"{start * rules.slot_seconds // 60 // 60:02}:{start * rules.slot_seconds // 60 % 60:02}"
        for start in starts
    ]
    return "\n".join(f"{time} {price}" for time, price in zip(times, shown, strict=True))


def _bands(text: str, rules: Rules) -> tuple[Band, ...]:
    """Prices that each count from a time of day on, or one for all day."""
    from otaniemi.contracts.rules.price_packages import Band

    parts = text.split(",") if "=" in text else [f"00:00={text}"]
    starts, prices = [], []
    for part in parts:
        time, _, price = part.strip().partition("=")
        try:
            hour, minute = map(int, time.split(":"))
            starts.append((hour * 60 + minute) * 60)
            prices.append(int(price))
        except ValueError as error:
            raise OtaniemiError(
                f"--price is {text}; valid is 90000, or times with prices like 00:00=90000,07:00=150000"
            ) from error
    ends = [*starts[1:], 86_400]
    if starts[0] or starts != sorted(set(starts)) or starts[-1] >= 86_400:
        raise OtaniemiError(f"--price is {text}; valid are ascending times of a day, the first one 00:00")
    if any(end % rules.slot_seconds for end in ends):
        raise OtaniemiError(
            f"--price is {text}; valid are times at the start of a slot, every {rules.slot_seconds // 60} minutes"
        )
    return tuple(Band(end // rules.slot_seconds, price) for end, price in zip(ends, prices, strict=True))
