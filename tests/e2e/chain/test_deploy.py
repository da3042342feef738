"""Deployment and bindings on the embedded chain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from otaniemi.contracts.chain import events as e
from otaniemi.contracts.chain.billing import Settlement
from otaniemi.contracts.chain.bindings import (
    Accounts,
    CallAuction,
    Communities,
)
from otaniemi.contracts.chain.bindings import (
    TestEuro as Token,
)
from otaniemi.contracts.chain.deploy import Deployment, Parties, deploy
from otaniemi.contracts.chain.embedded import EmbeddedChain
from otaniemi.contracts.chain.errors import DeploymentError, NodeError, RevertedError
from otaniemi.contracts.chain.logs import EventDecoder
from otaniemi.contracts.chain.node import DEVNET_KEY
from otaniemi.contracts.chain.sender import Key, Sender
from otaniemi.contracts.rules.calendar import Rules, Session
from otaniemi.contracts.rules.orders import Market

ADMIN = Key(DEVNET_KEY)
STRANGER = Key(b"\7" * 32)
REPORTERS = sorted((Key(bytes([number]) * 32).address for number in (1, 2, 3)), key=lambda a: int(a, 16))
RULES = Rules(
    slot_seconds=900,
    utc_offset=7200,
    products=1,
    price_min=-500_000,
    price_max=4_000_000,
    grid_fee=20_000,
    platform_fee=3_000,
    short_cap=900_000,
    connection_limit_wh=20_000,
    retailer=1,
    grid_operator=1,
    platform=1,
    nomination_batch_lead=480,
    nomination_direct_lead=300,
    meter_window=7200,
    bill_delay=21_600,
    bill_window=86_400,
    deviation_limit=500_000,
    challenge_window=7_200,
    bond=5_000_000,
    reporters=tuple(REPORTERS),
    quorum=2,
    sessions=(Session(False, -39_600, -39_000), Session(True, -1200, -900)),
)


def deployed() -> tuple[Sender, Deployment]:
    sender = Sender(EmbeddedChain(1_700_000_000))
    sender.fund(ADMIN, [STRANGER.address], 10**18)
    parties = Parties(ADMIN.address, STRANGER.address, ADMIN.address)
    return sender, deploy(sender, ADMIN, ADMIN, parties, RULES, withdrawal_delay=3600)


@pytest.fixture(scope="module")
def both() -> tuple[Sender, Deployment]:
    return deployed()


def test_the_community_has_its_rules_and_its_parties_accounts(both: tuple[Sender, Deployment]) -> None:
    sender, deployment = both
    chain, addresses = sender.chain, deployment.addresses
    assert (deployment.rules.retailer, deployment.rules.grid_operator, deployment.rules.platform) == (1, 2, 3)
    assert Communities(chain, addresses["Communities"]).rules_at(1, 20_000) == deployment.rules
    accounts = Accounts(chain, addresses["Accounts"])
    assert accounts.owner_of(2) == STRANGER.address
    assert accounts.withdrawal_delay() == 3600
    assert Settlement(chain, addresses["Settlement"]).proposal_count() == 0


def test_who_has_no_role_is_refused_by_name(both: tuple[Sender, Deployment]) -> None:
    sender, deployment = both
    accounts = Accounts(sender.chain, deployment.addresses["Accounts"])
    with pytest.raises(RevertedError, match="AccessManagedUnauthorized") as caught:
        sender.send(STRANGER, accounts.register(STRANGER.address, 1))
    assert caught.value.arguments == {"caller": STRANGER.address}
    for call in (accounts.grant_module(STRANGER.address, 2), accounts.approve_meter(1, 0, bytes(32))):
        with pytest.raises(RevertedError, match="AccessManagedUnauthorized"):
            sender.send(STRANGER, call)


def test_money_moves_in_and_shows_in_views_and_events(both: tuple[Sender, Deployment]) -> None:
    sender, deployment = both
    accounts = Accounts(sender.chain, deployment.addresses["Accounts"])
    token = Token(sender.chain, deployment.addresses["TestEuro"])
    calls = [token.mint(STRANGER.address, 5_000), token.approve(accounts.address, 5_000)]
    receipts = sender.send_all([(STRANGER, call) for call in [*calls, accounts.deposit(2, 4_000)]])
    decoder = EventDecoder(deployment.addresses)
    moved = [event for receipt in receipts for event in decoder.decode_all(receipt.logs)]
    zero = "0x" + 40 * "0"
    assert moved == [
        e.Transfer(zero, STRANGER.address, 5_000),
        e.Transfer(STRANGER.address, accounts.address, 4_000),
        e.Deposited(2, STRANGER.address, 4_000_000),
    ]
    assert accounts.free_of(2) == accounts.owed() == 4_000_000
    assert token.balance_of(STRANGER.address) == 1_000


def test_a_direct_order_to_a_closed_market_says_so(both: tuple[Sender, Deployment]) -> None:
    sender, deployment = both
    auction = CallAuction(sender.chain, deployment.addresses["CallAuction"])
    market = Market(1, 0, 5, 0)
    with pytest.raises(RevertedError, match="NoMeter"):
        sender.send(STRANGER, auction.place_order(market, 2, 100, 5, 0, True, 0))
    assert auction.status_of(market) == (0, False)
    assert auction.head_of(market) == bytes(32)


def test_a_view_of_no_contract_is_no_zero(both: tuple[Sender, Deployment]) -> None:
    sender, _ = both
    with pytest.raises(NodeError, match="Accounts does not answer at"):
        Accounts(sender.chain, STRANGER.address).free_of(1)


def test_deploying_twice_gives_the_same_addresses_and_head(both: tuple[Sender, Deployment]) -> None:
    one, other = deployed(), deployed()
    assert one[1] == other[1] == both[1]
    assert one[0].chain.head().hash == other[0].chain.head().hash


def test_a_deployment_file_comes_back(both: tuple[Sender, Deployment], tmp_path: Path) -> None:
    path = tmp_path / "deployment.json"
    path.write_text(json.dumps(both[1].to_json()))
    assert Deployment.read(path) == both[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"head": "0x12"}, "head: has 1 bytes"),
        ({"head": 5}, "not a deployment"),
        ({"more": 1}, "more: missing or unknown"),
        ({"addresses": {"Accounts": "0x1"}}, "addresses: must name exactly"),
        ({"rules": {}}, "not a deployment"),
        ({"chain_id": None}, "not a deployment"),
    ],
)
def test_a_damaged_deployment_file_is_refused(
    both: tuple[Sender, Deployment], tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = tmp_path / "deployment.json"
    path.write_text(json.dumps(both[1].to_json() | change))
    with pytest.raises(DeploymentError, match=message):
        Deployment.read(path)


@pytest.mark.parametrize("text", ["", "[]", "{", "\xff"])
def test_a_file_that_is_no_deployment_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "deployment.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DeploymentError, match="deployment"):
        Deployment.read(path)
