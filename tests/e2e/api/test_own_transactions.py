"""Over a socket and against the real contracts: what an owner signs at home takes effect on the chain."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn

from otaniemi.contracts.chain import bindings
from otaniemi.contracts.chain.artifacts import explain
from otaniemi.contracts.chain.bindings import Accounts, CallAuction
from otaniemi.contracts.chain.deploy import Parties, deploy
from otaniemi.contracts.chain.embedded import EmbeddedChain
from otaniemi.contracts.chain.node import DEVNET_KEY
from otaniemi.contracts.chain.sender import Call, Key, Sender
from otaniemi.contracts.rules.calendar import first_slot
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.orders import Market, NonceWindow
from otaniemi.platform.api import create_app
from otaniemi.platform.api.services import AccountState, Present, SentTransaction
from otaniemi.platform.client import MarketClient, TransactionFailedError
from otaniemi.platform.keys import derive_key
from otaniemi.platform.store.members import Member

from ...support.rules import HOURLY

DAY = 19_576
DELAY = 3_600
EUR = 10**9
ADMIN, OWNER, DEVICE, STRANGER = (
    Key(DEVNET_KEY),
    *(derive_key(1, role, 0) for role in ("owner", "device", "other")),
)
RULES = replace(HOURLY, reporters=(OWNER.address,))


class Place:
    """The part of a `MarketPlace` that owners' transactions need, on an embedded chain."""

    devnet = True
    relayer = STRANGER.address

    def __init__(self) -> None:
        self.now = first_slot(RULES, DAY) * 3_600 - 43_200
        self.chain = EmbeddedChain(self.now - 60)
        self.sender = Sender(self.chain)
        parties = Parties(*[ADMIN.address] * 3)
        self.deployment = deploy(self.sender, ADMIN, ADMIN, parties, RULES, DELAY)
        self.accounts = Accounts(self.chain, self.deployment.addresses["Accounts"])
        self.auction = CallAuction(self.chain, self.deployment.addresses["CallAuction"])
        self.token = bindings.TestEuro(self.chain, self.deployment.addresses["TestEuro"])

    def __getattr__(self, _desk: str) -> Any:
        """The desks of the forms, of which the client asks for the engine's name alone."""
        return SimpleNamespace(engine=STRANGER.address)

    def present(self) -> Present:
        head = self.chain.head()
        return Present(self.now, head.number, head.hash)

    def register(self, owner: str, name: str) -> AccountState:
        account = self.accounts.account_count() + 1
        self.sender.send_all(
            [
                (ADMIN, call)
                for call in (
                    self.accounts.register(owner, self.deployment.community),
                    self.accounts.approve_meter(account, 0, keccak(name.encode())),
                    self.token.mint(ADMIN.address, 100 * 10**6),
                    self.token.approve(self.accounts.address, 100 * 10**6),
                    self.accounts.deposit(account, 100 * 10**6),
                    Call(bytes.fromhex(owner[2:]), b"", "ether", value=10**18),
                )
            ]
        )
        return self.account(account)

    def account(self, account: int) -> AccountState:
        owner = self.accounts.owner_of(account)
        device = DEVICE.address if self.accounts.may_order(account, DEVICE.address) else owner
        pending, taken_from = self.accounts.withdrawal_of(account)
        member = Member(account, self.deployment.community, owner, device, {}, "Aino")
        free = self.accounts.free_of(account)
        return AccountState(member, free, pending, taken_from, NonceWindow(), 0, 1)

    def accounts_of(self, _owner: str) -> list[int]:
        return []

    def transactions_of(self, address: str) -> int:
        return self.chain.nonce(bytes.fromhex(address[2:]))

    def send_transaction(self, raw: bytes) -> SentTransaction:
        (receipt,) = self.chain.mine([raw])
        error = "" if receipt.ok else str(explain("the transaction", receipt.revert_data))
        return SentTransaction(keccak(raw), receipt.block, receipt.ok, error)


@pytest.fixture(scope="module")
def place() -> Place:
    return Place()


@pytest.fixture(scope="module")
def client(place: Place) -> Iterator[MarketClient]:
    app: Any = create_app(place)  # type: ignore[arg-type]
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    with MarketClient(f"http://127.0.0.1:{port}") as client:
        yield client
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def account(client: MarketClient) -> int:
    return client.register(OWNER, "Aino", device=DEVICE.address).account


def test_the_owner_appoints_and_revokes_the_device_key(client: MarketClient, account: int) -> None:
    assert client.account(account).device == DEVICE.address
    client.revoke_device_key(OWNER, account)
    assert client.account(account).device == OWNER.address
    client.set_device_key(OWNER, account, DEVICE.address)
    assert client.account(account).device == DEVICE.address


def test_a_direct_order_stands_on_the_chain(client: MarketClient, place: Place, account: int) -> None:
    slot = first_slot(RULES, DAY) + 18
    free = client.account(account).free_nano
    client.bid_directly(OWNER, account, slot, 0, True, 90_000, 800)
    assert place.auction.status_of(Market(place.deployment.community, 0, slot, 0)) == (1, False)
    assert client.account(account).free_nano == free - 800 * (90_000 + 20_000)


def test_a_strangers_withdrawal_fails_with_the_contracts_reason(
    client: MarketClient, place: Place, account: int
) -> None:
    place.sender.send(ADMIN, Call(STRANGER.raw_address, b"", "ether", value=10**18))
    with pytest.raises(TransactionFailedError, match="NotOwner"):
        client.request_withdrawal(STRANGER, account, EUR)


def test_the_owner_withdraws_in_two_steps(client: MarketClient, place: Place, account: int) -> None:
    client.request_withdrawal(OWNER, account, 3 * EUR)
    pending = client.account(account).withdrawal
    assert pending is not None
    assert pending.nano == 3 * EUR
    with pytest.raises(TransactionFailedError, match="NothingToWithdraw"):
        client.withdraw(OWNER, account)
    place.chain.set_time(int(pending.taken_from.timestamp()))
    client.withdraw(OWNER, account)
    assert client.account(account).withdrawal is None
    assert place.token.balance_of(OWNER.address) == 3 * 10**6
