"""A market of ten thousand signed orders on anvil, relayed in batches and cleared in parts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from otaniemi.contracts.chain import bindings
from otaniemi.contracts.chain.anvil import find_anvil
from otaniemi.contracts.chain.deploy import Deployment, Parties, deploy
from otaniemi.contracts.chain.events import Cleared, Event, OrdersAccepted
from otaniemi.contracts.chain.logs import EventDecoder
from otaniemi.contracts.chain.node import DEVNET_KEY, open_chain
from otaniemi.contracts.chain.sender import Call, Key, Sender
from otaniemi.contracts.rules.calendar import day_at, direct_gate, first_slot
from otaniemi.contracts.rules.clearing import clear, fill_root
from otaniemi.contracts.rules.orders import RECORD_BYTES, Book, Market, Order
from otaniemi.contracts.rules.resume import START, advance
from otaniemi.contracts.rules.signing import order_digest, sign

from ...support.rules import HOURLY

GENESIS = 1_700_000_000
HOMES, EACH, BATCH = 100, 100, 700
KEEPER = Key(DEVNET_KEY)
FOREVER = 2**40
RULES = replace(HOURLY, reporters=(KEEPER.address,), quorum=1)

pytestmark = pytest.mark.skipif(find_anvil() is None, reason="anvil is not installed (npm ci)")


class Town:
    """A community with a hundred homes that have much money."""

    def __init__(self) -> None:
        self.chain = open_chain("anvil", GENESIS)
        self.sender = Sender(self.chain)
        parties = Parties(KEEPER.address, KEEPER.address, KEEPER.address)
        self.deployment: Deployment = deploy(self.sender, KEEPER, KEEPER, parties, RULES, 3600)
        addresses = self.deployment.addresses
        self.auction = bindings.CallAuction(self.chain, addresses["CallAuction"])
        accounts = bindings.Accounts(self.chain, addresses["Accounts"])
        euro = bindings.TestEuro(self.chain, addresses["TestEuro"])
        first = accounts.account_count() + 1
        self.homes = {first + k: Key((k + 1).to_bytes(32, "big")) for k in range(HOMES)}
        calls: list[Call] = [euro.mint(KEEPER.address, 10**13), euro.approve(accounts.address, 10**13)]
        for account, key in self.homes.items():
            calls.append(accounts.register(key.address, self.deployment.community))
            calls.append(accounts.approve_meter(account, 0, account.to_bytes(32, "big")))
            calls.append(accounts.deposit(account, 10**10))
        self.sender.send_all([(KEEPER, call) for call in calls])

    def send(self, call: Call) -> Event:
        (event,) = EventDecoder(self.deployment.addresses).decode_all(self.sender.send(KEEPER, call).logs)
        return event

    def wire(self, market: Market, count: int, nonce: int) -> list[bytes]:
        """Signed orders of all homes in turn, with nonces from `nonce` on."""
        draw, parts = random.Random(nonce), []
        accounts = list(self.homes)
        for k in range(count):
            account = accounts[k % HOMES]
            price, quantity = draw.randint(40_000, 400_000), draw.randint(1, 999)
            order = Order(
                account, *market, price, quantity, 1, draw.random() < 0.5, nonce + k // HOMES, FOREVER
            )
            digest = order_digest(self.auction.domain, order)
            parts.append(order.wire(sign(self.homes[account].secret, digest)))
        return parts


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    town = Town()
    yield town
    town.chain.close()


def relayed(town: Town, market: Market, count: int, nonce: int) -> list[bytes]:
    """Relay orders in batches; the records of every batch as the chain accepted them."""
    wire, batches = town.wire(market, count, nonce), []
    for start in range(0, count, BATCH):
        event = town.send(town.auction.relay_orders(market, b"".join(wire[start : start + BATCH])))
        assert isinstance(event, OrdersAccepted)
        batches.append(event.records)
    assert sum(map(len, batches)) == count * RECORD_BYTES
    return batches


def test_ten_thousand_orders_clear_in_parts_as_at_once(town: Town) -> None:
    slot = first_slot(RULES, day_at(RULES, GENESIS) + 2)
    large = Market(town.deployment.community, 0, slot, 0)
    small = large._replace(slot=slot + 1)
    many, few = relayed(town, large, HOMES * EACH, 0), relayed(town, small, 1_000, EACH)
    town.chain.set_time(direct_gate(RULES, slot, 0))

    book = Book.of_records(b"".join(few))
    result = clear(book, RULES.price_min, RULES.price_max)
    sizes = [len(batch) // RECORD_BYTES for batch in few]
    event = town.send(town.auction.clear(small, result.lo, result.hi, b"".join(few), sizes))
    assert isinstance(event, Cleared)
    assert (event.volume, event.root, event.count) == (result.volume, fill_root(book, result), 1_000)

    book = Book.of_records(b"".join(many))
    result = clear(book, RULES.price_min, RULES.price_max)
    progress = START
    for part in (many[:5], many[5:10]):
        sizes = [len(batch) // RECORD_BYTES for batch in part]
        call = town.auction.advance(large, result.lo, result.hi, progress, b"".join(part), sizes)
        assert town.sender.send(KEEPER, call).ok
        progress = advance(progress, part, result.lo, result.hi)
    sizes = [len(batch) // RECORD_BYTES for batch in many[10:]]
    call = town.auction.clear_from(large, result.lo, result.hi, progress, b"".join(many[10:]), sizes)
    event = town.send(call)
    assert isinstance(event, Cleared)
    assert event == Cleared(
        large, result.price, result.lo, result.hi, result.volume, result.demand_above, result.supply_below,
        HOMES * EACH, fill_root(book, result),
    )  # fmt: skip
