"""People trade lots over HTTP in a community that lives its day, in auctions and standard contracts, up to audit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.block_series import margins
from otaniemi.contracts.rules.calendar import Source, tariff_deadline
from otaniemi.contracts.rules.dutch_auction import DutchTerms
from otaniemi.contracts.rules.errors import FieldError
from otaniemi.contracts.rules.sealed_auction import SealedBid, SealedTerms
from otaniemi.platform import cli
from otaniemi.platform.api.auctions.messages import SealedView
from otaniemi.platform.api.form import to_hex
from otaniemi.platform.client import MarketClient, RefusedByServerError, UnreachableError
from otaniemi.platform.forms.block import standard_series
from otaniemi.platform.kept_bids import BidFile
from otaniemi.platform.keys import derive_key

from ...support.served import Served, served

PANEL = derive_key(99, "device", 1)
SELL, EUR = True, 10**9


@dataclass
class Street:
    """Three people in a served community; ``PANEL`` is the second one's device key."""

    day: Served
    keys: tuple[Key, ...]
    accounts: tuple[int, ...]


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    with served(tmp_path_factory.mktemp("market"), days=2) as day:
        joined = [day.join(0, "Aino"), day.join(1, "Eino", PANEL.address), day.join(2, "Veera")]
        yield Street(day, tuple(key for key, _ in joined), tuple(account for _, account in joined))


def test_a_standard_contract_is_traded_and_delivered_day_by_day(
    street: Street, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day, (aino, eino, _) = street.day, street.accounts
    client, exchange = day.client, day.exchange
    [number] = exchange.series.list_series([standard_series(exchange, (13, 16), day.number, day.number + 1)])
    owners = {f"{account}.json": key for account, key in zip(street.accounts, street.keys, strict=True)}
    monkeypatch.setattr("httpx.Client", lambda **_options: client._http)
    monkeypatch.setattr(client._http, "close", lambda: None)
    monkeypatch.setattr("otaniemi.platform.cli.series.open_key", lambda path: owners[path.name])
    monkeypatch.setenv("OTANIEMI_RECEIPTS", str(tmp_path / "receipts.jsonl"))

    def run(*words: str, account: int | None = None) -> str:
        whose = [] if account is None else ["--account", str(account), "--wallet", f"{account}.json"]
        result = CliRunner().invoke(cli.app, [*words, *whose, "--url", "http://x"])
        assert result.exit_code == 0, result.output
        return result.output

    [view] = client.series()
    assert (view.series, view.state, view.total_wh, view.mark_day) == (number, "open", 600, day.number)
    lots = ["--series", str(number), "--lots", "3"]
    sold = run("series", "sell", *lots, "--price", "60000", "--source", "pv", account=aino)
    assert "standing, 3 lots stand; traded nothing yet" in sold
    listed = " ".join(run("series", "list").split())
    assert f"13:00-16:00 600 {view.mark} - 60000" in listed
    bought = run("series", "buy", *lots, "--price", "70000", account=eino)
    assert "filled, 0 lots stand; traded 3 at 60000" in bought
    assert f"series {number}" in run("limit", "list", "--account", str(aino))

    [deal] = client.deals(eino)
    secured = margins(exchange.series.series(number).terms, 60_000, view.mark or 0, 1_800)
    assert (deal.state, deal.next_day, deal.lots, deal.price) == ("open", day.number, 3, 60_000)
    assert (deal.buyer.margin, deal.seller.margin) == (secured.initial(True), secured.initial(False))
    assert "buy" in run("series", "deals", "--account", str(eino))
    assert client.top_up_margin(deal.deal) == deal
    topped = run("series", "margin", "--deal", str(deal.deal), "--wallet", f"{eino}.json")
    assert f"buyer {eino}: {deal.buyer.margin / EUR:.4f} EUR" in topped
    day.live_until(day.now + 3600)
    delivered = client.deal(deal.deal)
    assert (delivered.state, delivered.delivered, delivered.next_day) == (
        "open",
        day.number,
        day.number + 1,
    )
    assert delivered.buyer.margin == deal.buyer.margin // 2
    first = exchange.first_slot + 13
    assert day.traded(aino, day.number) == {first: -300, first + 1: -300, first + 2: -300}


def test_a_sealed_auction_goes_from_the_offer_to_the_instruction(street: Street, tmp_path: Path) -> None:
    day, (aino, eino, veera) = street.day, street.accounts
    client, kept = day.client, BidFile(tmp_path / "bids.jsonl")
    free = day.free(eino)
    slot = day.exchange.first_slot + 17
    lots = client.lots(aino, slot, (250, 300), 3, SELL, Source.BATTERY)
    terms = SealedTerms(lots, False, 40_000, EUR, day.now + 300, day.now + 600)
    offered = client.offer_sealed(street.keys[0], terms)
    later = replace(terms, commit_until=day.now + 400, reveal_until=day.now + 700)
    assert client.offer_sealed(street.keys[0], later) == offered
    assert (offered.state, offered.terms()) == ("open", terms)

    with pytest.raises(RefusedByServerError) as refusal:
        client.bid_sealed(street.keys[0], aino, offered.auction, 90_000, 1, kept)
    assert refusal.value.field == "account"
    for price, lots, field in ((90_000, 4, "lots"), (39_999, 1, "price")):
        with pytest.raises(FieldError, match=rf"^{field} is"):
            client.bid_sealed(PANEL, eino, offered.auction, price, lots, kept)
    client.bid_sealed(PANEL, eino, offered.auction, 90_000, 2, kept)
    assert client.bid_sealed(PANEL, eino, offered.auction, 90_000, 2, kept).bids == (
        client.sealed_auction(offered.auction).bids
    )
    with pytest.raises(RefusedByServerError) as refusal:
        client.bid_sealed(PANEL, eino, offered.auction, 91_000, 2, kept)
    assert refusal.value.field == "commitment"
    view = client.bid_sealed(street.keys[2], veera, offered.auction, 70_000, 2, kept)
    assert [(bid.account, bid.state, bid.price) for bid in view.bids] == [
        (eino, "committed", None),
        (veera, "committed", None),
    ]
    assert day.free(eino) == free - EUR
    assert [one.refused for one in client.reveal_bids(kept)] == [None, None]
    assert {bid.state for bid in client.sealed_auction(offered.auction).bids} == {"committed"}

    day.live_until(terms.commit_until)
    for _ in range(2):
        assert [one.refused for one in client.reveal_bids(kept)] == [None, None]
    assert {bid.state for bid in client.sealed_auction(offered.auction).bids} == {"revealed"}
    day.live_until(terms.reveal_until)
    view = client.sealed_auction(offered.auction)
    assert (view.state, view.price, view.sold) == ("settled", 70_000, 3)
    assert [(bid.account, bid.state, bid.won, bid.due) for bid in view.bids] == [
        (eino, "won", 2, 70_000),
        (veera, "won", 1, 70_000),
    ]
    assert [one.auction for one in client.auctions_of(veera)] == [offered.auction]
    traded = day.traded(eino, day.number)
    assert (traded[slot], traded[slot + 1]) == (500, 600)


def test_who_does_not_reveal_loses_the_deposit_half_to_who_offers(street: Street, tmp_path: Path) -> None:
    day, (aino, _, veera) = street.day, street.accounts
    client, kept = day.client, BidFile(tmp_path / "bids.jsonl")
    lots = client.lots(aino, day.exchange.first_slot + 20, (100,), 1, SELL, Source.BATTERY)
    terms = SealedTerms(lots, True, 40_000, EUR, day.now + 300, day.now + 600)
    auction = client.offer_sealed(street.keys[0], terms).auction
    client.bid_sealed(street.keys[2], veera, auction, 50_000, 1, kept)
    free = day.free(aino), day.free(veera)
    day.live_until(terms.reveal_until)
    assert [one.bid.state for one in client.reveal_bids(kept)] == ["unrevealed"]
    put_up = client.sealed_auction(auction).put_up_nano
    assert (day.free(aino), day.free(veera)) == (free[0] + put_up + EUR // 2, free[1])


def test_lots_of_a_dutch_auction_go_at_the_price_of_the_moment(street: Street) -> None:
    day, (_, eino, veera) = street.day, street.accounts
    client = day.client
    lots = client.lots(veera, day.exchange.first_slot + 12, (400,), 3, not SELL)
    terms = DutchTerms(lots, 30_000, 90_000, day.now + 60, day.now + 660)
    offered = client.offer_dutch(street.keys[2], terms)
    assert client.offer_dutch(street.keys[2], replace(terms, until=terms.until + 60)) == offered
    assert (offered.state, offered.price) == ("coming", None)
    with pytest.raises(RefusedByServerError) as refusal:
        client.take_lots(PANEL, eino, offered.auction, 1, 30_000)
    assert refusal.value.field == "auction"
    day.live_until(terms.begin + 300)
    with pytest.raises(RefusedByServerError) as refusal:
        client.take_lots(PANEL, eino, offered.auction, 1, 61_000)
    assert (refusal.value.field, refusal.value.valid) == ("limit", f"60000 or less, the price at {day.now}")
    for _ in range(2):
        taken = client.take_lots(PANEL, eino, offered.auction, 1, 60_000, nonce=5)
        assert [(take.account, take.lots, take.price) for take in taken.takes] == [(eino, 1, 60_000)]
    with pytest.raises(RefusedByServerError) as refusal:
        client.take_lots(PANEL, eino, offered.auction, 3, 60_000)
    assert refusal.value.valid == "1 .. 2, what is left"
    client.take_lots_directly(street.keys[1], eino, offered.auction, 1, 60_000)
    day.live_until(terms.until + 1)
    ended = client.dutch_auction(offered.auction)
    assert [take.lots for take in ended.takes] == [1, 1]
    assert (ended.state, ended.left) == ("closed", 0)


def test_a_bid_that_a_crash_interrupted_is_sent_again_as_the_same_bid(
    street: Street, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day, (aino, eino, _) = street.day, street.accounts
    client, kept = day.client, BidFile(tmp_path / "bids.jsonl")
    lots = client.lots(aino, day.exchange.first_slot + 21, (100,), 1, SELL, Source.BATTERY)
    auction = client.offer_sealed(
        street.keys[0], SealedTerms(lots, False, 40_000, EUR, day.now + 300, day.now + 600)
    ).auction
    post = MarketClient._post

    def bid() -> SealedView:
        return client.bid_sealed(PANEL, eino, auction, 60_000, 1, kept)

    def before_sending(*_: Any) -> Any:
        raise KeyboardInterrupt

    def after_sending(*arguments: Any) -> Any:
        post(*arguments)
        raise KeyboardInterrupt

    for crash, sent in ((before_sending, 0), (after_sending, 1)):
        with monkeypatch.context() as patched:
            patched.setattr(MarketClient, "_post", crash)
            with pytest.raises(KeyboardInterrupt):
                bid()
        assert len(client.sealed_auction(auction).bids) == sent
        assert len(kept.path.read_text().splitlines()) == 1
    free = day.free(eino)
    [own] = bid().bids
    assert day.free(eino) == free
    domain = client._domain("SealedAuction")
    kept.keep(domain, SealedBid(99, eino, 1, 1, bytes(32)))  # of an auction that is gone with its chain
    assert [to_hex(one.commitment(domain)) for one in kept.bids(domain)][:1] == [own.commitment]
    day.live_until(day.now + 300)
    assert [one.bid.state for one in client.reveal_bids(kept, street.keys[1])] == ["revealed"]
    day.live_until(day.now + 300)
    assert [one.bid.state for one in client.reveal_bids(kept)] == ["won"]


REVEAL = MarketClient.reveal_bids


def _answer(away: Iterator[Exception], given: Any, named: Any) -> Any:
    """What the market answers once it is back."""
    for error in away:
        raise error
    return REVEAL(*given, **named)


def test_the_command_line_offers_bids_waits_and_takes(
    street: Street, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day, http = street.day, street.day.client._http
    owners = {f"{account}.json": key for account, key in zip(street.accounts, street.keys, strict=True)}
    monkeypatch.setattr("httpx.Client", lambda **_options: http)
    monkeypatch.setattr(http, "close", lambda: None)
    monkeypatch.setattr("otaniemi.platform.cli.auctions.open_key", lambda path: owners[path.name])
    monkeypatch.setattr("time.sleep", lambda _: day.live_until(day.now + 61))
    monkeypatch.setenv("OTANIEMI_BIDS", str(tmp_path / "bids.jsonl"))
    aino, eino, veera = map(str, street.accounts)
    slot = str(day.exchange.first_slot + 22)

    def run(*words: str, account: str | None = None) -> Result:
        whose = [] if account is None else ["--account", account, "--wallet", f"{account}.json"]
        return CliRunner().invoke(cli.app, ["auction", *words, *whose, "--url", "http://x"])

    lots = ["--slot", slot, "--quantity", "200", "--lots", "2"]
    offered = run("sealed", "--side", "buy", "--reserve", "90000", *lots, account=aino)
    assert "takes bids until" in offered.output, offered.output
    number = offered.output.split()[2]
    assert f"sealed {number} open buy 2/2 200" in " ".join(run("list").output.split())
    away = iter([UnreachableError("no market answers")])
    with monkeypatch.context() as patched:
        patched.setattr(MarketClient, "reveal_bids", lambda *given, **named: _answer(away, given, named))
        ended = run("bid", "--auction", number, "--price", "50000", "--lots", "1", "--wait", account=veera)
    assert "no market answers; trying again" in ended.output
    assert ended.output.splitlines()[-1] == f"sealed auction {number}: your bid is won, 1 lots at 90000"
    assert "won" in run("reveal").output

    falling = ["--start-price", "80000", "--end-price", "20000", "--source", "pv"]
    offered = run("dutch", "--side", "sell", *lots, *falling, account=veera)
    number = offered.output.split()[2]
    never = run("take", "--auction", number, "--limit", "19999", "--wait", account=eino)
    assert str(never.exception) == "--limit is 19999; valid is 20000 or more, where the price ends"
    taken = run("take", "--auction", number, "--limit", "50000", "--wait", account=eino)
    assert "lots at 4" in taken.output or "lots at 5" in taken.output, taken.output
    assert "1 of 2 lots are left" in taken.output
    assert "closed in block" in run("close", "--auction", number, "--wallet", f"{veera}.json").output
    assert f"dutch auction {number}: 1 lots at" in run("list", "--account", eino).output


def test_what_was_traded_is_billed_and_holds(street: Street, tmp_path: Path) -> None:
    day, (aino, eino, veera) = street.day, street.accounts
    client = day.client
    [deal] = client.deals(eino)
    day.live_until(tariff_deadline(client.rules, day.number + 1) - 3_600)
    # The mark has risen toward what the buyer pays, and gives some of its margin back.
    assert client.one_series(deal.series).mark_day == day.number + 1
    remarked = client.deal(deal.deal).buyer
    assert remarked.margin == remarked.initial < deal.buyer.margin
    day.live_until(day.now + 4 * 86_400)
    assert client.deal(deal.deal).state == "over"
    assert sum(line.trade_wh for line in client.bill(eino, day.number + 1).lines) == 900
    bills = {account: client.bill(account, day.number) for account in (aino, eino, veera)}
    assert {bill.stage for bill in bills.values()} == {"paid"}
    traded = {
        account: {
            line.slot - day.exchange.first_slot: (line.trade_wh, line.trade_money)
            for line in bill.lines
            if line.slot - day.exchange.first_slot in (12, 13, 17, 18)
        }
        for account, bill in bills.items()
    }
    taken = sum(400 * take.price for take in client.auctions_of(veera)[-1].takes)
    assert traded == {
        aino: {12: (0, 0), 13: (-300, -300 * 60_000), 17: (-750, -750 * 70_000), 18: (-900, -900 * 70_000)},
        eino: {
            12: (-800, -taken),
            13: (300, 300 * 60_000),
            17: (500, 500 * 70_000),
            18: (600, 600 * 70_000),
        },
        veera: {12: (800, taken), 13: (0, 0), 17: (250, 250 * 70_000), 18: (300, 300 * 70_000)},
    }
    assert day.findings(tmp_path / "run") == []
