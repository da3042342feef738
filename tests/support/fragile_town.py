"""A town on a chain that can lose blocks, whose services can die between any two transactions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from otaniemi.contracts.chain.blocks import Receipt
from otaniemi.contracts.chain.embedded import EmbeddedChain
from otaniemi.contracts.chain.sender import Sender
from otaniemi.contracts.rules.calendar import (
    Product,
    Source,
    bills_due,
    direct_gate,
    nomination_batch_gate,
    relay_gate,
    slot_end,
)
from otaniemi.contracts.rules.orders import Market, Order
from otaniemi.contracts.rules.positions import Form
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.contracts.rules.signing import nomination_digest, order_digest, sign
from otaniemi.oracles.meters import Reading
from otaniemi.platform.clock import SimulatedClock, Timeline
from otaniemi.platform.community_day import BILL_SLACK, enter_days
from otaniemi.platform.data.scenario import Scenario
from otaniemi.platform.data.synthetic import synthetic_scenario
from otaniemi.platform.services import founding
from otaniemi.platform.services.exchange import Exchange, open_exchange
from otaniemi.platform.services.founding import Founded, found, founded_at
from otaniemi.platform.services.gateway import Gateway
from otaniemi.platform.store.database import Store

SEED = 7
HOUR = 12
TRADED, BOUGHT, SOLD = 400, 500, 350
"""Heat that two homes trade in one slot, what the buyer uses and what the seller gives. [Wh]"""


class Killed(BaseException):
    """The process ends here."""


class FragileChain(EmbeddedChain):
    """A chain whose user dies after so many more transactions, and never hears of the last one."""

    left: int | None = None

    def mine(self, transactions: Sequence[bytes]) -> list[Receipt]:
        if self.left is None:
            return super().mine(transactions)
        taken = transactions[: self.left]
        self.left -= len(taken)
        receipts = super().mine(taken) if taken else []
        if self.left == 0:
            raise Killed
        return receipts

    def reorganise(self, number: int) -> None:
        """Lose every block after block ``number``."""
        other = EmbeddedChain(self.block(0).timestamp)
        for block in self.blocks(1, number):
            other.set_time(block.timestamp)
            other.mine(block.transactions)
        assert other.head().hash == self.block(number).hash
        self.__dict__.update(other.__dict__)


class Town:
    """A community that trades electricity and heat, after a day that is not billed; its services can start anew."""

    def __init__(self, directory: Path) -> None:
        self.scenario: Scenario = synthetic_scenario(3, 1, 3600, SEED)
        self.clock = SimulatedClock(founded_at(self.scenario))
        self.path = directory / "store.db"
        self.store = Store(self.path)
        self.chain = FragileChain(self.clock.now - 1)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(founding, "ELECTRICITY_ONLY", 0b11)
            self.founded = found(self.chain, self.scenario, SEED, self.store, self.clock)
        exchange = open_exchange(self.founded, self.scenario, SEED)
        timeline = Timeline(self.clock)
        [day] = enter_days(
            exchange,
            self.scenario,
            "perfect",
            SEED,
            timeline,
            lambda _, action: action(),
            frozenset({Form.CALL}),
        )
        self.day, self.warm_slot = day.day, day.slots[HOUR]
        warm(exchange, timeline, self.warm_slot)
        due = bills_due(self.founded.gateway.rules, self.day) + BILL_SLACK
        while (moment := timeline.next_moment()) is not None and moment < due:
            timeline.step()
        self.clock.now = due
        self.over = self.chain.head().number

    def restart(self) -> Exchange:
        """The services as a new process opens them."""
        self.chain.left = None
        self.store.close()
        self.store = Store(self.path)
        old = self.founded.gateway
        gateway = Gateway(
            Sender(self.chain),
            old.contracts,
            old.rules,
            old.community,
            old.product,
            self.store,
            self.clock,
        )
        gateway.catch_up()
        self.founded = Founded(gateway, self.founded.deployment, self.founded.staff, self.founded.homes)
        return open_exchange(self.founded, self.scenario, SEED)

    def balances(self) -> list[int]:
        contract = self.founded.gateway.contracts.accounts
        parties = range(1, 4)
        return [contract.words(account)[0] for account in (*parties, *self.accounts)]

    @property
    def accounts(self) -> list[int]:
        return [home.account for home in self.founded.homes]


def warm(exchange: Exchange, timeline: Timeline, slot: int) -> None:
    """Two homes get heat meters; one buys heat of the other, nominates what it will use, and both are metered once."""
    gateway, rules, staff = exchange.gateway, exchange.gateway.rules, exchange.founded.staff
    approve = gateway.contracts.accounts.approve_meter
    homes = exchange.founded.homes[:2]
    gateway.send(
        [
            (staff.registrar, approve(home.account, Product.HEAT, home.account.to_bytes(32, "big")))
            for home in homes
        ]
    )
    market = Market(gateway.community, Product.HEAT, slot, 2)

    def order() -> None:
        domain, gate = gateway.contracts.call_auction.domain, relay_gate(rules, slot, 2)
        for home, buy in zip(homes, (True, False), strict=True):
            one = Order(home.account, *market, 60_000, TRADED, Source.GRID, buy, 120, gate)
            exchange.market.submit(one, sign(home.device.secret, order_digest(domain, one)))

    def nominate() -> None:
        domain = gateway.contracts.schedules.domain
        heat = Nomination(homes[0].account, gateway.community, Product.HEAT, slot, 1, (BOUGHT,))
        exchange.schedules.submit(heat, sign(homes[0].device.secret, nomination_digest(domain, heat)))

    def deliver() -> None:
        for home, reading in zip(homes, (Reading(BOUGHT, 0), Reading(0, SOLD)), strict=True):
            assert exchange.oracles.take_reading(home.account, Product.HEAT, slot, reading)

    timeline.at(relay_gate(rules, slot, 2) - 100, order)
    timeline.at(direct_gate(rules, slot, 2), exchange.market.clear, [market])
    timeline.at(nomination_batch_gate(rules, slot) - 100, nominate)
    timeline.at(slot_end(rules, slot) + 1, deliver)
