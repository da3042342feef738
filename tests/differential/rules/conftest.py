"""A small community on the embedded chain, with the contracts as they are committed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from otaniemi.contracts.chain import bindings
from otaniemi.contracts.chain.artifacts import explain
from otaniemi.contracts.chain.bindings import Accounts, CallAuction
from otaniemi.contracts.chain.blocks import Receipt
from otaniemi.contracts.chain.deploy import MARKET_MODULE, Deployment, Parties, deploy
from otaniemi.contracts.chain.embedded import EmbeddedChain
from otaniemi.contracts.chain.errors import RevertedError
from otaniemi.contracts.chain.events import Event
from otaniemi.contracts.chain.logs import EventDecoder
from otaniemi.contracts.chain.node import DEVNET_KEY
from otaniemi.contracts.chain.sender import Call, Key, Sender
from otaniemi.contracts.rules import signing
from otaniemi.contracts.rules.calendar import Rules, Session
from otaniemi.contracts.rules.keys import EXIT_WINDOW
from otaniemi.contracts.rules.orders import Market, Order

GENESIS = 1_700_000_000
HOMES = 7
DEPOSIT_MICRO = 10**10


@dataclass
class Town:
    """Homes with meters, money and keys; ``nonces`` counts each account's orders."""

    chain: EmbeddedChain
    sender: Sender
    keeper: Key
    reporters: list[Key]
    deployment: Deployment
    homes: dict[int, Key]
    nonces: dict[int, int] = field(default_factory=dict)

    @property
    def rules(self) -> Rules:
        return self.deployment.rules

    def address(self, name: str) -> str:
        """Where contract ``name`` stands."""
        return self.deployment.addresses[name]

    @property
    def auction(self) -> CallAuction:
        return CallAuction(self.chain, self.address("CallAuction"))

    @property
    def accounts(self) -> Accounts:
        return Accounts(self.chain, self.address("Accounts"))

    @property
    def euro(self) -> bindings.TestEuro:
        return bindings.TestEuro(self.chain, self.address("TestEuro"))

    def wire(self, market: Market, rows: Sequence[tuple[int, bool, int, int, int]]) -> bytes:
        """Signed orders (account, buy, price, quantity, source), ready to relay."""
        parts = []
        for account, buy, price, quantity, source in rows:
            nonce = self.nonces[account] = self.nonces.get(account, -1) + 1
            community, product, slot, session = market
            order = Order(
                account, community, product, slot, session, price, quantity, source, buy, nonce, 2**40
            )
            digest = signing.order_digest(self.auction.domain, order)
            parts.append(order.wire(signing.sign(self.homes[account].secret, digest)))
        return b"".join(parts)

    def send(self, call: Call) -> list[Event]:
        """Mine ``call`` and return its events."""
        return self.events(self.sender.send(self.keeper, call))

    def events(self, receipt: Receipt) -> list[Event]:
        """The events of a transaction."""
        return list(EventDecoder(self.deployment.addresses).decode_all(receipt.logs))

    def refusal(self, call: Call) -> str | None:
        """Name of the error with which ``call`` would revert now; None if it would pass."""
        assert call.to is not None
        try:
            self.chain.call(call.to, call.data, self.keeper.raw_address)
        except RevertedError as error:
            return explain(call.label, error.data).name
        return None


def build_town() -> Town:
    """Deploy, register and fund."""
    chain = EmbeddedChain(GENESIS)
    sender, keeper = Sender(chain), Key(DEVNET_KEY)
    reporters = sorted(
        (Key(bytes([9]) * 31 + bytes([i])) for i in range(1, 4)), key=lambda key: key.raw_address
    )
    rules = Rules(
        slot_seconds=3_600, utc_offset=7_200, products=1, price_min=-4_000_000, price_max=4_000_000,
        grid_fee=20_000, platform_fee=1_000, short_cap=2_000_000, connection_limit_wh=20_000,
        retailer=0, grid_operator=0, platform=0, nomination_batch_lead=480, nomination_direct_lead=300,
        meter_window=2 * 86_400, bill_delay=3 * 86_400, bill_window=86_400, deviation_limit=500_000,
        challenge_window=7_200,
        bond=10**9,
        reporters=tuple(key.address for key in reporters), quorum=2,
        sessions=(Session(False, -39_600, -39_000), Session(True, -1_200, -900)),
    )  # fmt: skip
    parties = Parties(keeper.address, keeper.address, keeper.address)
    deployment = deploy(sender, keeper, keeper, parties, rules, withdrawal_delay=3_600)
    accounts = Accounts(chain, deployment.addresses["Accounts"])
    euro = bindings.TestEuro(chain, deployment.addresses["TestEuro"])
    first = accounts.account_count() + 1
    homes = {account: Key(account.to_bytes(32, "big")) for account in range(first, first + HOMES)}
    everyone = [deployment.rules.retailer, *homes]
    calls = [euro.mint(keeper.address, DEPOSIT_MICRO * len(everyone))]
    calls.append(euro.approve(accounts.address, DEPOSIT_MICRO * len(everyone)))
    for account, key in homes.items():
        calls.append(accounts.register(key.address, deployment.community))
        calls.append(accounts.approve_meter(account, 0, account.to_bytes(32, "big")))
    calls += [accounts.deposit(account, DEPOSIT_MICRO) for account in everyone]
    # The keeper records positions as if it were a market.
    calls.append(accounts.grant_module(keeper.address, MARKET_MODULE))
    sender.send_all([(keeper, call) for call in calls])
    chain.set_time(chain.head().timestamp + EXIT_WINDOW)
    sender.send(keeper, euro.mint(keeper.address, 0))
    return Town(chain, sender, keeper, reporters, deployment, homes)


@pytest.fixture(scope="session")
def town() -> Town:
    """One chain for all differential tests; each takes slots of its own."""
    return build_town()
