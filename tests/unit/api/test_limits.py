"""Continuous trading through the client and the API."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from otaniemi.contracts.chain.artifacts import artifact
from otaniemi.contracts.chain.blocks import decode_transaction
from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.calendar import nomination_direct_gate
from otaniemi.platform import cli
from otaniemi.platform.client import MarketClient, RefusedByServerError, WrongProofError
from otaniemi.platform.engine_log import LogKind
from otaniemi.platform.kept import read_engine_log, read_kept, read_kept_limits, told_of
from otaniemi.platform.keys import derive_key

from ...support.rules import HOURLY as RULES

BUY, SELL = True, False


@dataclass
class Street:
    """Two homes at the API, with a file of receipts."""

    client: MarketClient
    keys: tuple[Key, Key]
    accounts: tuple[int, int]
    receipts: Path


@pytest.fixture
def street(http: TestClient, keys: tuple[Key, Key], tmp_path: Path) -> Street:
    receipts = tmp_path / "receipts.jsonl"
    client = MarketClient("", http, receipts)
    accounts = client.register(keys[0], "Aino").account, client.register(keys[1], "Eino").account
    return Street(client, keys, accounts, receipts)


def test_a_limit_order_trades_with_what_stands_and_both_sides_see_it(street: Street, slot: int) -> None:
    client, (aino, eino) = street.client, street.accounts
    asked = client.place_limit(street.keys[0], aino, slot, SELL, 70_000, 300, source=1, nonce=5)
    assert (asked.state, asked.rest, asked.receipt.sequence) == ("standing", 300, 1)
    assert asked.terms.min_fill == 15
    bought = client.place_limit(street.keys[1], eino, slot, BUY, 80_000, 500, min_fill=100)
    assert (bought.state, bought.rest, bought.settled, bought.receipt.sequence) == ("standing", 200, 300, 2)
    [match] = client.limits(aino)[0].matches
    assert (match.buy, match.sell, match.quantity, match.price, match.status) == (
        2,
        1,
        300,
        70_000,
        "settled",
    )
    assert client.limit(1).state == "filled"
    book = client.book(slot)
    assert [level.model_dump() for level in book.buys] == [{"price": 80_000, "quantity": 200, "orders": 1}]
    assert (book.sells, book.sequence) == ((), 2)
    [snapshot] = client.book_history(slot)
    assert (snapshot.sequence, snapshot.buys) == (2, book.buys)
    assert (
        client.place_limit(street.keys[0], aino, slot, SELL, 70_000, 300, source=1, nonce=5).receipt.sequence
        == 1
    )


def test_receipts_of_limit_orders_are_kept_beside_those_of_the_auction(
    street: Street, place: Any, slot: int
) -> None:
    street.client.bid(street.keys[0], street.accounts[0], slot, 0, BUY, 90_000, 800)
    street.client.place_limit(street.keys[0], street.accounts[0], slot, SELL, 70_000, 300)
    assert len(read_kept(street.receipts)) == 1
    [kept] = read_kept_limits(street.receipts)
    domain = place.domain("ContinuousMarket")
    assert kept.holds(domain)
    assert kept.held.sequence == 1
    assert not kept.holds(place.domain("CallAuction"))
    forged = kept.receipt.model_copy(update={"sequence": 2})
    assert not kept.model_copy(update={"receipt": forged}).holds(domain)


def test_a_receipt_of_another_engine_is_not_believed(
    street: Street, place: Any, slot: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place.continuous._engine, "secret", derive_key(7, "another engine", 0).secret)
    with pytest.raises(WrongProofError, match=f"is no receipt of {place.limits.engine}"):
        street.client.place_limit(street.keys[0], street.accounts[0], slot, SELL, 70_000, 300)
    assert not street.receipts.exists()


def test_an_order_is_refused_by_field(street: Street, place: Any, slot: int) -> None:
    with pytest.raises(RefusedByServerError, match="price is 4000001") as refusal:
        street.client.place_limit(street.keys[0], street.accounts[0], slot, SELL, 4_000_001, 300)
    assert (refusal.value.status, refusal.value.field) == (422, "price")
    place.now = nomination_direct_gate(RULES, slot)
    with pytest.raises(RefusedByServerError) as refusal:
        street.client.place_limit(street.keys[0], street.accounts[0], slot, SELL, 70_000, 300)
    assert refusal.value.field == "instrument"
    with pytest.raises(RefusedByServerError) as refusal:
        street.client.limit(9)
    assert refusal.value.status == 404


def test_cancelling_takes_a_word_to_the_engine_or_a_transaction(
    street: Street, place: Any, slot: int
) -> None:
    client, key, account = street.client, street.keys[0], street.accounts[0]
    client.place_limit(key, account, slot, SELL, 70_000, 300, nonce=5)
    [left] = client.cancel_limits(key, account, 5)
    assert (left.state, left.removed, left.rest) == ("removed", "cancelled", 0)
    with pytest.raises(RefusedByServerError, match="no limit order") as refusal:
        client.cancel_limits(key, account, 5)
    assert refusal.value.status == 404
    client.cancel_limits_on_chain(key, account, 6)
    call = artifact("ContinuousMarket").abi.decode_call(decode_transaction(place.sent[-1]).data)
    assert call == ("cancel", {"account": account, "nonce": 6})


def test_the_log_comes_page_by_page_without_signatures_of_accounts(
    street: Street, slot: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otaniemi.platform.client.limits.LOG_PAGE", 2)
    street.client.place_limit(street.keys[0], street.accounts[0], slot, SELL, 70_000, 300)
    street.client.place_limit(street.keys[1], street.accounts[1], slot, BUY, 80_000, 100)
    views = list(street.client.engine_log())
    assert [told_of(view).entry.kind for view in views] == [
        LogKind.RECEIVED,
        LogKind.RECEIVED,
        LogKind.MATCHED,
    ]
    [kept, _] = read_kept_limits(street.receipts)
    assert kept.limit.signature not in "".join(view.model_dump_json() for view in views)


def test_the_command_line_places_lists_shows_and_cancels(
    street: Street, slot: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = street.client._http
    monkeypatch.setattr("httpx.Client", lambda **_options: connection)
    monkeypatch.setattr(connection, "close", lambda: None)
    monkeypatch.setattr("otaniemi.platform.cli.limits.open_key", lambda _: street.keys[0])
    account, wallet = str(street.accounts[0]), str(tmp_path / "me.json")

    def run(*words: str) -> str:
        result = CliRunner().invoke(cli.app, ["limit", *words, "--url", "http://x"], catch_exceptions=False)
        assert result.exit_code == 0
        return result.output

    order = ["--slot", str(slot), "--side", "sell", "--price", "70000", "--quantity", "300", "--nonce", "5"]
    receipts = ["--receipts", str(street.receipts)]
    shown = run("place", "--account", account, "--wallet", wallet, *order, *receipts)
    assert "order 1 (nonce 5): standing, 300 Wh stand; traded nothing yet" in shown
    assert "70000" in run("book", "--slot", str(slot))
    assert "stand" in run("list", "--account", account)
    assert "order 1 left; 0 Wh were matched" in run(
        "cancel", "--account", account, "--wallet", wallet, "--nonce", "5"
    )
    log = tmp_path / "engine.jsonl"
    assert "2 entries" in run("log", str(log))
    assert [told.entry.kind for told in read_engine_log(log)] == [LogKind.RECEIVED, LogKind.REMOVED]
