"""Price packages in a served community: published, chosen with a signature made at home, billed."""

from __future__ import annotations

import re
from typing import Any

import pytest
from typer.testing import CliRunner

from otaniemi.contracts.rules.calendar import bills_due, day_start, slot_end
from otaniemi.contracts.rules.errors import FieldError
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.price_packages import Band, PackageTerms
from otaniemi.platform import cli
from otaniemi.platform.api.packages.messages import NameForm, PackageView
from otaniemi.platform.cli.remote import date_of
from otaniemi.platform.client import RefusedByServerError, TransactionFailedError
from otaniemi.platform.keys import derive_key

from .conftest import RETAILER, Served

AINO, AINO_DEVICE, EINO = (derive_key(99, role, 5) for role in ("owner", "device", "neighbour"))
HOUR = 3_600


def flat(served: Served, name: str, **changed: Any) -> PackageTerms:
    """A flat package at 10 cent for one home, from the second day on."""
    terms: dict[str, Any] = {
        "community": served.exchange.gateway.community, "product": 0, "feed_in": False, "spot": False,
        "bands": (Band(24, 100_000),), "volume": 0, "homes": 1, "first_day": served.day + 1,
        "last_day": served.day + 2, "daily_fee": 20_000_000, "notice_days": 1, "green_permille": 500,
        "name_hash": keccak(name.encode()),
    }  # fmt: skip
    return PackageTerms(**terms | changed)


@pytest.fixture(scope="module")
def homes(served: Served) -> tuple[int, int]:
    """Two people who join at 8:00 of the first day."""
    served.live_until(day_start(served.rules, served.day) + 8 * HOUR)
    aino = served.client.register(AINO, "Aino", device=AINO_DEVICE.address).account
    return aino, served.client.register(EINO, "Eino").account


def test_the_retailers_range_is_listed_with_prices_and_places(served: Served, homes: tuple[int, int]) -> None:
    views = {view.name: view for view in served.client.packages(homes[0])}
    assert set(views) == {"spot", "bands", "sun"}
    assert [band.until_slot for band in views["bands"].bands] == [7, 22, 24]
    assert (views["sun"].feed_in, views["sun"].green_permille, views["sun"].places_left) == (True, 1000, 1000)
    assert (views["spot"].spot, views["spot"].from_day) == (True, served.day + 1)


@pytest.mark.usefixtures("homes")
def test_a_package_is_published_once_however_often_it_is_sent(served: Served) -> None:
    client = served.client
    first, again = (client.publish_package(RETAILER, flat(served, "Flat"), "Flat") for _ in range(2))
    assert (first.package, first.name, first.places_left) == (4, "Flat", 1)
    assert again == first
    assert len(client.packages()) == 4
    with pytest.raises(TransactionFailedError, match="NotRetailer"):
        client.publish_package(EINO, flat(served, "Mine"), "Mine")
    with pytest.raises(FieldError, match="name_hash"):
        client.publish_package(RETAILER, flat(served, "Flat"), "Round")
    with pytest.raises(RefusedByServerError, match="package with the name Round") as refusal:
        served.client._post(list[PackageView], "packages/names", NameForm(name="Round"))
    assert refusal.value.status == 404


def test_a_choice_signed_at_home_stands_on_the_chain_once(served: Served, homes: tuple[int, int]) -> None:
    client, (aino, _) = served.client, homes
    head = client.community().block
    side, feed_in = client.choose_package(AINO_DEVICE, aino, 4)
    assert (side.package, side.next_package, side.next_from) == (0, 4, served.day + 1)
    assert (feed_in.next_package, feed_in.package) == (0, 0)
    assert client.choose_package(AINO_DEVICE, aino, 4)[0] == side
    assert client.choose_package(AINO_DEVICE, aino, 4, served.day + 1)[0] == side
    assert client.community().block == head + 1
    contract = served.exchange.gateway.contracts.price_packages
    assert contract.package_at(aino, 0, False, served.day + 1) == 4


def test_refusals_name_field_value_and_what_is_valid(served: Served, homes: tuple[int, int]) -> None:
    client, (aino, eino) = served.client, homes
    cases = [
        (EINO, eino, 4, None, "package", "a place left"),  # Aino has the only one
        (EINO, eino, 2, served.day, "from_day", rf"{served.day + 1} \.\. {served.day + 2}"),
        (EINO, eino, 2, served.day + 3, "from_day", rf"{served.day + 1} \.\. {served.day + 2}"),
        (AINO, aino, 2, served.day + 2, "from_day", f"made on day {served.day + 1} or later"),
        (AINO, eino, 2, None, "signature", "signed by the device key"),
    ]
    for key, account, package, day, field, valid in cases:
        with pytest.raises(RefusedByServerError, match=valid) as refusal:
            client.choose_package(key, account, package, day)
        assert (refusal.value.status, refusal.value.field) == (422, field)
    with pytest.raises(FieldError, match="package is 9; valid is one of 1, 2, 3, 4"):
        client.choose_package(EINO, eino, 9)
    with pytest.raises(RefusedByServerError, match="package is 0; valid is another"):
        client.leave_package(EINO, eino, from_day=served.day + 1)
    assert client.leave_package(EINO, eino)[0].next_package == 0
    with pytest.raises(RefusedByServerError, match="no account 99"):
        client.packages_of(99)


def test_the_command_line_lists_chooses_leaves_publishes_and_withdraws(
    served: Served, homes: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("httpx.Client", lambda **_options: served.http)
    monkeypatch.setattr(served.http, "close", lambda: None)
    keys = {"me.json": EINO, "shop.json": RETAILER}
    monkeypatch.setattr("otaniemi.platform.cli.packages.open_key", lambda path: keys[str(path)])

    def run(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(cli.app, ["package", *words, "--url", "http://x"])
        assert result.exit_code == code, result.output
        return result.output if code == 0 else str(result.exception)

    eino = str(homes[1])
    mine = ["--account", eino, "--wallet", "me.json"]
    shown = run("list", "--account", eino)
    assert "07:00" in shown
    assert "import: standard tariff today" in shown
    shop = ["--wallet", "shop.json", "--name", "Nights", "--to-day", date_of(served.day + 2)]
    times = "00:00=60000,07:00=150000,22:00=60000"
    published = run("publish", *shop, "--price", times, "--fee", "0.03", "--green", "40")
    assert "package 5, Nights: can be chosen" in published
    assert run("publish", *shop, "--price", times, "--fee", "0.03", "--green", "40") == published
    assert "package 5 from" in run("choose", *mine, "--package", "5")
    assert "withdrawn" in run("withdraw", "--wallet", "shop.json", "--package", "5")
    assert "withdrawn" in run("withdraw", "--wallet", "shop.json", "--package", "5")
    assert re.search(r"Nights.*none", run("list"))
    assert "--price is 07:00=1; valid are ascending" in run("publish", *shop, "--price", "07:00=1", code=1)
    assert "every 60 minutes" in run("publish", *shop, "--price", "00:00=1,07:30=2", code=1)
    assert "valid is 90000" in run("publish", *shop, "--price", "cheap", code=1)
    assert "--from-day is soon" in run("choose", *mine, "--package", "4", "--from-day", "soon", code=1)
    assert "feed-in: standard tariff today" in run("leave", *mine, "--feed-in")


def test_the_bill_of_the_day_counts_the_packages(served: Served, homes: tuple[int, int]) -> None:
    client, (aino, eino) = served.client, homes
    midnight, *_, noon = served.slots(served.day + 1)[:13]
    served.live_until(noon * HOUR - HOUR)
    assert [client.packages_of(account)[0].package for account in homes] == [4, 5]
    for key, account in ((AINO_DEVICE, aino), (EINO, eino)):
        client.nominate(key, account, noon, [700])
    served.live_until(slot_end(served.rules, noon))
    for key, account in ((AINO_DEVICE, aino), (EINO, eino)):
        assert client.send_reading(key, account, noon, 700, 0)
    served.live_until(bills_due(served.rules, served.day + 1) + HOUR)
    for account, price, fee in ((aino, 100_000, 20_000_000), (eino, 150_000, 30_000_000)):
        retail = {line.slot: line.retail for line in client.bill(account, served.day + 1).lines}
        assert (retail[noon], retail[midnight]) == (700 * price, fee)
