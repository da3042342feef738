"""The engine on the real contracts: limits in, trades on the chain, and the auditor's view of both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from otaniemi.contracts.chain import bindings
from otaniemi.contracts.chain.artifacts import artifact
from otaniemi.contracts.chain.deploy import Deployment
from otaniemi.contracts.chain.embedded import EmbeddedChain
from otaniemi.contracts.chain.forms.blocks import BlockSeries
from otaniemi.contracts.chain.forms.continuous import ContinuousMarket, Fill, SignedLimit
from otaniemi.contracts.chain.node import DEVNET_KEY
from otaniemi.contracts.chain.sender import Key, Sender
from otaniemi.contracts.rules.calendar import first_slot, nomination_direct_gate
from otaniemi.contracts.rules.continuous import Limit
from otaniemi.contracts.rules.signing import checksum, sign
from otaniemi.platform.api.limits.messages import LogView
from otaniemi.platform.audit.audit import Evidence
from otaniemi.platform.audit.priority import GRACE, judge_engine
from otaniemi.platform.clock import SimulatedClock
from otaniemi.platform.engine_log import HeldReceipt, Told, cancel_digest
from otaniemi.platform.kept import told_of
from otaniemi.platform.services.continuous import ContinuousService, LimitState
from otaniemi.platform.services.gateway import Gateway
from otaniemi.platform.store import Store

from ...support.rules import HOURLY

ADMIN, ENGINE = Key(DEVNET_KEY), Key(b"\x51" * 32)
HOMES = {account: Key(account.to_bytes(32, "big")) for account in range(4, 8)}
RULES = replace(HOURLY, reporters=(ADMIN.address,), quorum=1)
SLOT = first_slot(RULES, 19_577) + 18
GATE = nomination_direct_gate(RULES, SLOT)
NOW = GATE - 36_000
CREATED = {
    "TestEuro": (),
    "AccessManager": ("admin",),
    "Accounts": ("AccessManager", "TestEuro", "delay"),
    "Communities": ("AccessManager", "Accounts"),
    "Positions": ("AccessManager", "Accounts", "Communities"),
    "Oracle": ("AccessManager", "Accounts", "Communities"),
    "BlockSeries": ("AccessManager", "Accounts", "Communities", "Positions", "Oracle"),
    "ContinuousMarket": ("Accounts", "Communities", "Positions", "BlockSeries"),
}
BUY, SELL = True, False


@dataclass
class Town:
    """Four homes and an engine on an embedded chain."""

    chain: EmbeddedChain
    sender: Sender
    deployment: Deployment
    gateway: Gateway
    market: ContinuousMarket
    service: ContinuousService

    def limit(self, account: int, buy: bool, price: int, quantity: int, nonce: int = 0) -> Limit:
        terms = price, quantity, 0, 0, buy, nonce
        return Limit(account, 1, 0, SLOT, *terms, valid_to=GATE, engine=ENGINE.address)

    def place(self, account: int, buy: bool, price: int, quantity: int, nonce: int = 0) -> LimitState:
        limit = self.limit(account, buy, price, quantity, nonce)
        return self.service.submit(limit, sign(HOMES[account].secret, limit.digest(self.market.domain)))

    def settled(self) -> list[int]:
        count = self.service.log(1, 10_000)[-1][0].first
        return [self.service.limit(number).settled for number in range(1, count + 1)]

    def log(self) -> list[Told]:
        """The log as it comes out of the API."""
        views = [LogView.of(entry, kept) for entry, kept in self.service.log(1, 10_000)]
        return [told_of(LogView.model_validate_json(view.model_dump_json())) for view in views]

    def findings(self, log: list[Told] | None = None, held: list[HeldReceipt] | None = None) -> list[str]:
        evidence = Evidence(self.chain.blocks(0, self.chain.head().number), self.deployment, Path())
        report = judge_engine(evidence, self.log() if log is None else log, held or [])
        return [str(finding) for finding in report.findings]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    chain = EmbeddedChain(NOW - 100)
    sender = Sender(chain)
    values: dict[str, Any] = {"admin": ADMIN.address, "delay": 0}
    for name, names in CREATED.items():
        code = artifact(name).creation_code + artifact(name).abi.construct(*(values[key] for key in names))
        values[name] = checksum(sender.create(ADMIN, code, "deploy"))
    addresses = {name: values[name] for name in CREATED}
    accounts = bindings.Accounts(chain, addresses["Accounts"])
    manager = bindings.AccessManager(chain, addresses["AccessManager"])
    euro = bindings.TestEuro(chain, addresses["TestEuro"])
    modules = ("Positions", "BlockSeries", "ContinuousMarket")
    calls = [accounts.grant_module(addresses[name], 1) for name in modules]
    calls.append(manager.set_target_function_role(accounts, ("register", "approveMeter"), 1))
    calls.append(manager.grant_role(1, ADMIN.address))
    calls += [accounts.register(ADMIN.address, 1) for _ in range(3)]
    calls.append(bindings.Communities(chain, addresses["Communities"]).create(RULES))
    calls += [euro.mint(ADMIN.address, 10**9), euro.approve(accounts.address, 10**9)]
    for account, key in HOMES.items():
        calls.append(accounts.register(key.address, 1))
        calls.append(accounts.approve_meter(account, 0, account.to_bytes(32, "big")))
        calls.append(accounts.deposit(account, 100_000_000))
    sender.send_all([(ADMIN, call) for call in calls])
    sender.fund(ADMIN, [ENGINE.address, *(key.address for key in HOMES.values())], 10**18)
    store = Store(tmp_path_factory.mktemp("town") / "store.db")
    contracts: Any = SimpleNamespace(accounts=accounts, addresses=addresses)
    gateway = Gateway(sender, contracts, RULES, 1, 0, store, SimulatedClock(NOW))
    gateway.catch_up()
    market = ContinuousMarket(chain, addresses["ContinuousMarket"])
    service = ContinuousService(gateway, market, BlockSeries(chain, addresses["BlockSeries"]), ENGINE)
    deployment = Deployment(chain.chain_id, chain.head().hash, addresses, 1, RULES)
    yield Town(chain, sender, deployment, gateway, market, service)
    store.close()


def test_orders_trade_on_the_chain_and_the_audit_holds(town: Town) -> None:
    first = town.place(4, SELL, 80_000, 300).kept
    town.place(5, SELL, 70_000, 300)
    town.place(6, BUY, 90_000, 500)
    assert town.service.deliver() == 2
    assert town.settled() == [200, 300, 500]
    assert [town.market.filled(town.service.limit(number).kept.digest) for number in (1, 2, 3)] == [
        200,
        300,
        500,
    ]
    # Order 5 finds a seller whose money has left meanwhile; the chain refuses, and it trades with the next one.
    town.place(7, SELL, 60_000, 400)
    accounts = bindings.Accounts(town.chain, town.deployment.addresses["Accounts"])
    town.gateway.send([(HOMES[7], accounts.request_withdrawal(7, 99_000_000_000))])
    town.place(5, BUY, 85_000, 400, nonce=1)
    assert town.service.deliver() == 1
    assert town.settled() == [300, 300, 500, 0, 100]
    assert town.service.limit(4).kept.removed == "rejected"
    word = cancel_digest(town.market.domain, 5, 1)
    town.service.cancel(5, 1, sign(HOMES[5].secret, word))
    town.place(6, SELL, 95_000, 100, nonce=2)
    town.gateway.send([(HOMES[6], town.market.cancel(6, 2))])
    town.service.deliver()
    assert town.service.limit(6).kept.removed == "cancelled on chain"
    # A chain that goes on shows that nothing waits.
    town.gateway.clock.move_to(NOW + GRACE + 60)
    town.gateway.send([(ADMIN, accounts.register(ADMIN.address, 1))])
    held = HeldReceipt(first.limit, first.sequence, first.received_at, first.receipt)
    assert town.findings(held=[held]) == []


def test_a_trade_past_the_queue_is_found_on_the_chain(town: Town) -> None:
    town.place(4, SELL, 40_000, 100, nonce=8)
    later = town.place(7, SELL, 40_000, 100, nonce=9).kept
    buyer = town.limit(6, BUY, 90_000, 100, nonce=10)
    signed = SignedLimit(buyer, sign(HOMES[6].secret, buyer.digest(town.market.domain)))
    seller = SignedLimit(later.limit, later.signature, later.sequence, later.received_at, later.receipt)
    honest = town.findings()
    assert honest == []
    # The engine lets a buyer, whom its log does not tell, pass the seller who stood first.
    town.gateway.send([(ENGINE, town.market.match_batch([signed, seller], [Fill(0, 1, 100)]))])
    [finding] = town.findings()
    number = town.chain.head().number
    assert finding == (
        f"block {number} transaction 0: orders 0 and {later.sequence} of accounts 6 and 7 trade 100, which the "
        "engine's log does not tell"
    )
