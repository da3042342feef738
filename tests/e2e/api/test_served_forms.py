"""Packages and contracts in a served community: signed at home, on the chain once, delivered by the service, billed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from otaniemi.contracts.rules.calendar import bills_due, day_start, slot_end
from otaniemi.contracts.rules.errors import FieldError
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.price_packages import Band, PackageTerms
from otaniemi.contracts.rules.tariffs import Feed
from otaniemi.platform import cli
from otaniemi.platform.api.contracts.messages import ContractView
from otaniemi.platform.api.packages.messages import NameForm, PackageView
from otaniemi.platform.cli.remote import date_of
from otaniemi.platform.client import RefusedByServerError, TransactionFailedError, WrongProofError
from otaniemi.platform.keys import derive_key
from otaniemi.platform.store import days

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
    assert [band.until_slot for band in views["bands"].bands] == [7, 10, 18, 22, 24]
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
    assert client.choose_package(AINO_DEVICE, aino, 4, served.day + 1, directly=True)[0] == side
    assert client.community().block == head + 1
    contract = served.exchange.gateway.contracts.price_packages
    assert contract.package_at(aino, 0, False, served.day + 1) == 4


def test_refusals_name_field_value_and_what_is_valid(served: Served, homes: tuple[int, int]) -> None:
    client, (aino, eino) = served.client, homes
    cases = [
        (EINO, eino, 4, None, "package", "a place left"),  # Aino has the only one
        (EINO, eino, 2, served.day, "from_day", rf"{served.day + 1} \.\. {served.day + 1}"),
        (EINO, eino, 2, served.day + 3, "from_day", rf"{served.day + 1} \.\. {served.day + 1}"),
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
    run = commands(served, "packages", monkeypatch)
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
    assert "package 3 from" in run("choose", *mine, "--package", "3", "--directly")


def share(served: Served, homes: tuple[int, int], **changed: Any) -> ContractView:
    """Aino proposes half of her surplus to Eino at 9 cent, from the second day on."""
    terms: dict[str, Any] = {
        "seller": homes[0], "buyer": homes[1], "as_account": homes[0], "from_day": served.day + 1,
        "to_day": served.day + 2, "price": 90_000, "share_permille": 500, "notice_days": 1,
    }  # fmt: skip
    return served.client.propose_contract(changed.pop("key", AINO_DEVICE), **terms | changed)


def test_a_proposal_waits_for_the_other_party_once_however_often_it_is_sent(
    served: Served, homes: tuple[int, int]
) -> None:
    first = share(served, homes, salt=1)
    again = share(served, homes, salt=1, valid_to=served.now + 60)
    assert (first.state, first.proposed_by, first.deal) == ("proposed", homes[0], None)
    assert again == first
    for account in homes:
        assert served.client.contracts(account) == [first]
    with pytest.raises(RefusedByServerError, match="salt is 1") as refusal:
        share(served, homes, salt=1, price=95_000)
    assert refusal.value.status == 409


def test_both_signatures_make_one_contract(served: Served, homes: tuple[int, int]) -> None:
    client, (aino, eino) = served.client, homes
    digest = share(served, homes, salt=1).digest
    with pytest.raises(RefusedByServerError, match=f"account is {aino}; valid is {eino}"):
        client.accept_contract(AINO, aino, digest)
    with pytest.raises(RefusedByServerError, match="signature"):
        client.accept_contract(AINO, eino, digest)
    agreed, again = (client.accept_contract(EINO, eino, digest) for _ in range(2))
    assert (agreed.state, agreed.deal, agreed.last_day) == ("agreed", 1, served.day + 2)
    assert again == agreed
    assert served.exchange.gateway.contracts.bilateral_contracts.deal_of(bytes.fromhex(digest[2:])) == 1


def test_terms_that_are_not_those_of_the_digest_are_not_signed(
    served: Served, homes: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    view = share(served, homes, salt=2)
    dearer = view.terms.model_copy(update={"price": 190_000})
    monkeypatch.setattr(served.client, "_get", lambda *_: view.model_copy(update={"terms": dearer}))
    with pytest.raises(WrongProofError, match="the terms that are said to be contract"):
        served.client.accept_contract(EINO, homes[1], view.digest)


def test_refused_terms_name_field_value_and_what_is_valid(served: Served, homes: tuple[int, int]) -> None:
    nobody, short = homes[1] + 9, (500,) * 23
    cases: list[tuple[dict[str, Any], int, str]] = [
        ({"from_day": served.day}, 422, f"from_day is {served.day}; valid is {served.day + 1} or later"),
        ({"price": 4_000_001}, 422, "price is 4000001"),
        ({"fee": 6_000 * 10**9}, 422, "fee is 6000000000000; valid is at most"),
        ({"valid_to": 5}, 422, "valid_to is 5"),
        ({"share_permille": 0, "profile": short}, 422, "slots of the profile is 23"),
        ({"buyer": nobody}, 404, f"no account {nobody}"),
        ({"as_account": nobody}, 422, f"account is {nobody}; valid is {homes[0]} or {homes[1]}"),
        ({"key": EINO}, 422, "signature"),
    ]
    for changed, status, told in cases:
        with pytest.raises(RefusedByServerError, match=told) as refusal:
            share(served, homes, **changed)
        assert refusal.value.status == status
    with pytest.raises(FieldError, match="buyer is"):
        share(served, homes, buyer=homes[0])
    with pytest.raises(RefusedByServerError, match="no contract 0x00") as refusal:
        served.client.contract("0x" + "00" * 32)
    assert refusal.value.status == 404


def test_a_proposal_of_the_chain_is_accepted_here_and_a_revoked_one_never(
    served: Served, homes: tuple[int, int]
) -> None:
    client, (aino, eino) = served.client, homes
    revoked = share(served, homes, salt=3)
    assert [client.revoke_contract(AINO, aino, revoked.digest).state for _ in range(2)] == ["revoked"] * 2
    with pytest.raises(RefusedByServerError, match="contract is revoked; valid is one that is proposed"):
        client.accept_contract(EINO, eino, revoked.digest)
    with pytest.raises(FieldError, match="contract is 'revoked'"):
        client.end_contract(AINO, aino, revoked.digest)
    spot: dict[str, Any] = {"spot": True, "price": 1_000, "share_permille": 0, "key": AINO, "salt": 4}
    profile = (*(0,) * 15, 500, *(0,) * 8)
    first, open_one = (
        share(served, homes, profile=profile, directly=True, valid_to=served.now + wait, **spot)
        for wait in (600, 900)
    )
    assert (open_one.state, open_one.proposed_by) == ("proposed", aino)
    assert first == open_one
    assert open_one in client.contracts(eino)
    # The prices of the next day can still be challenged, so nothing is delivered yet.
    for _ in range(2):
        agreed = client.accept_contract(EINO, eino, open_one.digest, directly=True)
        assert (agreed.state, agreed.deal, agreed.delivered) == ("agreed", 2, 0)


def test_the_command_line_proposes_accepts_lists_and_ends(
    served: Served, homes: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    aino, eino = map(str, homes)
    run = commands(served, "contracts", monkeypatch)
    mine, theirs = ["--account", aino, "--wallet", "aino.json"], ["--account", eino, "--wallet", "me.json"]
    last = ["--to-day", date_of(served.day + 2)]
    new = ["propose", *mine, "--with", eino, "--side", "sell", "--price", "80000", *last]
    profile = ["--profile", "10:00-12:00=300, 20:00-21:00=100", "--notice", "0", "--fee", "2", "--salt", "5"]
    told = run(*new, *profile)
    assert "proposed until" in told
    assert run(*new, *profile) == told
    digest = re.findall("0x[0-9a-f]{8}", told)[0]
    shown = run("list", "--account", aino)
    assert re.search(rf"{digest} │ proposed │ sold to {eino} .*\n.* by me .* 0.7 kWh a day ", shown), shown
    free = served.client.account(homes[0]).free_nano
    assert "contract 3: agreed, 0.7 kWh a day until" in run("accept", *theirs, "--contract", digest)
    # Both deposited the fee; the first day was delivered at once, and locks.
    rules = served.rules
    assert served.client.account(homes[0]).free_nano == free - 2 * 10**9 - 700 * rules.short_cap
    assert re.search(
        rf"3 +│ agreed +│ bought from {aino} +│ 80000 +│ .* │ 1 ", run("list", "--account", eino)
    )
    for _ in range(2):
        assert f"until {date_of(served.day)}" in run("end", *theirs, "--contract", "3", "--early")
    assert served.client.account(homes[0]).free_nano == free + 2 * 10**9 - 700 * rules.short_cap
    for _ in range(2):
        assert f"until {date_of(served.day + 1)}" in run("end", *mine, "--contract", "1")
    assert "0x" in run(*new, "--share", "25")
    assert "valid is exactly one" in run(*new, code=1)
    assert "each slot of the day once" in run(*new, "--profile", "10:00-12:00=3,11:00-13:00=3", code=1)
    assert "every 60 minutes" in run(*new, "--profile", "10:30-12:00=3", code=1)
    assert "18:00-20:00=200" in run(*new, "--profile", "noon", code=1)
    assert "--contract is 9; valid is one of account" in run("end", *mine, "--contract", "9", code=1)
    assert "0x" in run("revoke", *theirs, "--contract", share(served, homes, salt=6).digest)


def test_the_bill_of_the_day_counts_packages_and_contracts(served: Served, homes: tuple[int, int]) -> None:
    client, (aino, eino) = served.client, homes
    midnight, *_, noon, one, two, three = served.slots(served.day + 1)[:16]
    served.live_until(noon * HOUR - HOUR)
    assert [client.packages_of(account)[0].package for account in homes] == [4, 5]
    for key, account in ((AINO_DEVICE, aino), (EINO, eino)):
        client.nominate(key, account, noon, [700])
    served.live_until(slot_end(served.rules, noon))
    for key, account in ((AINO_DEVICE, aino), (EINO, eino)):
        assert client.send_reading(key, account, noon, 700, 0)
    served.live_until(slot_end(served.rules, one))
    assert client.send_reading(AINO_DEVICE, aino, one, 10, 811)
    served.live_until(bills_due(served.rules, served.day + 1) + HOUR)
    with served.exchange.gateway.store.read() as transaction:
        reported = days.tariff(transaction, served.exchange.gateway.community, Feed.REFERENCE, served.day + 1)
    assert reported is not None
    spot, _ = reported.prices[15]
    for account, price, fee, sign in ((aino, 100_000, 20_000_000, -1), (eino, 150_000, 30_000_000, 1)):
        lines = {line.slot: line for line in client.bill(account, served.day + 1).lines}
        assert (lines[noon].retail, lines[midnight].retail) == (700 * price, fee)
        assert (lines[one].trade_wh, lines[one].trade_money) == (sign * 400, sign * 400 * 90_000)
        assert (lines[three].trade_wh, lines[three].trade_money) == (sign * 500, sign * 500 * (spot + 1_000))
        assert lines[two].trade_wh == 0
    states = {view.deal: (view.state, view.delivered) for view in client.contracts(aino) if view.deal}
    assert states == {1: ("ended", 1), 2: ("agreed", 1), 3: ("ended", 1)}


def commands(served: Served, group: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """The commands of a group, over the served community's API: their output, or with ``code`` what went wrong."""
    monkeypatch.setattr("httpx.Client", lambda **_options: served.http)
    monkeypatch.setattr(served.http, "close", lambda: None)
    keys = {"me.json": EINO, "aino.json": AINO, "shop.json": RETAILER}
    monkeypatch.setattr(f"otaniemi.platform.cli.{group}.open_key", lambda path: keys[str(path)])

    def run(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(cli.app, [group.removesuffix("s"), *words, "--url", "http://x"])
        assert result.exit_code == code, f"{result.output} {result.exception}"
        return str(result.exception) if code else result.output

    return run
