"""Receipts of the relayer: kept, checked, and used when it holds an order back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from otaniemi.contracts.chain.artifacts import artifact
from otaniemi.contracts.chain.blocks import decode_transaction
from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.calendar import direct_gate, relay_gate
from otaniemi.contracts.rules.orders import Market, Step
from otaniemi.contracts.rules.signing import Domain
from otaniemi.platform.client import MarketClient, WrongProofError
from otaniemi.platform.kept import KeptFileError, read_kept
from otaniemi.platform.keys import derive_key

from ...support.rules import HOURLY as RULES


@pytest.fixture
def receipts(tmp_path: Path) -> Path:
    return tmp_path / "receipts.jsonl"


@pytest.fixture
def home(http: TestClient, receipts: Path) -> MarketClient:
    return MarketClient("", http, receipts)


def test_every_order_sent_is_kept_with_a_receipt_that_holds(
    home: MarketClient, place: Any, keys: tuple[Key, Key], slot: int, receipts: Path
) -> None:
    account = home.register(keys[0], "Aino").account
    home.bid(keys[0], account, slot, 0, True, 90_000, 800)
    home.bid_profile(keys[0], account, 1, [Step(slot, 50_000, 10, 0, False), Step(slot + 1, 5, 10, 0, True)])
    home.bid(keys[0], account, slot, 0, True, 90_000, 800, nonce=0)
    kept = read_kept(receipts)
    assert [(one.order.kind, one.order.nonce) for one in kept] == [("order", 0), ("profile", 1)]
    assert [one.received_at for one in kept] == [place.now, place.now]
    assert all(one.relayer == place.relayer and one.holds(place.domain("CallAuction")) for one in kept)
    elsewhere = Domain(1, place.deployment.addresses["CallAuction"])
    later = kept[0].model_copy(update={"received_at": place.now + 1})
    assert not kept[0].holds(elsewhere)
    assert not later.holds(place.domain("CallAuction"))


def test_an_order_without_a_receipt_of_the_relayer_is_not_trusted(
    home: MarketClient, place: Any, keys: tuple[Key, Key], slot: int, receipts: Path
) -> None:
    account = home.register(keys[0], "Aino").account
    place.relayer = derive_key(7, "another relayer", 0).address
    with pytest.raises(WrongProofError, match=f"order 0 of account {account} was taken without a receipt"):
        home.bid(keys[0], account, slot, 0, True, 90_000, 800)
    assert not receipts.exists()


def test_what_a_relayer_holds_back_is_entered_directly_and_once(
    home: MarketClient, place: Any, keys: tuple[Key, Key], slot: int, receipts: Path
) -> None:
    account = home.register(keys[0], "Aino").account
    steps = [Step(slot + 1, 70_000, 30, 1, False), Step(slot, 60_000, 20, 0, True)]
    home.bid_profile(keys[0], account, 0, steps)
    kept = read_kept(receipts)
    assert home.state_of(kept[0]) == "received"
    assert home.enter_missing(keys[0], kept) == []
    place.now = relay_gate(RULES, slot, 0)
    assert home.state_of(kept[0]) == "missing"
    assert len(home.enter_missing(keys[0], kept)) == 2
    sent = [artifact("CallAuction").abi.decode_call(decode_transaction(raw).data) for raw in place.sent]
    names = ("market", "account", "price", "quantity", "source", "buy", "nonce")
    assert [tuple(call[1][name] for name in names) for call in sent if call] == [
        (Market(1, 0, slot, 0).key, account, 60_000, 20, 0, True, 0),
        (Market(1, 0, slot + 1, 0).key, account, 70_000, 30, 1, False, 1),
    ]
    place.relay(0)
    assert home.state_of(kept[0]) == "accepted"
    assert home.enter_missing(keys[0], kept) == []


def test_after_the_direct_gate_nothing_can_be_entered(
    home: MarketClient, place: Any, keys: tuple[Key, Key], slot: int, receipts: Path
) -> None:
    account = home.register(keys[0], "Aino").account
    home.bid(keys[0], account, slot, 0, True, 90_000, 800)
    place.now = direct_gate(RULES, slot, 0)
    assert home.enter_missing(keys[0], read_kept(receipts)) == []


def test_a_file_that_is_no_file_of_receipts_is_named(
    home: MarketClient, keys: tuple[Key, Key], slot: int, receipts: Path
) -> None:
    account = home.register(keys[0], "Aino").account
    home.bid(keys[0], account, slot, 0, True, 90_000, 800)
    line = json.loads(receipts.read_text())
    del line["relayer"]
    receipts.write_text("\n" + json.dumps(line))
    with pytest.raises(KeptFileError, match=r"receipts.jsonl line 2: relayer: Field required"):
        read_kept(receipts)
    with pytest.raises(KeptFileError, match="cannot be read"):
        read_kept(receipts / "nothing")
