"""A community that trades heat beside electricity: the same services relay, report, bill and pay both."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otaniemi.contracts.chain.node import open_chain
from otaniemi.contracts.rules.calendar import (
    Product,
    Source,
    direct_gate,
    nomination_batch_gate,
    relay_gate,
    slot_end,
    slots_of_day,
)
from otaniemi.contracts.rules.meters import Quality
from otaniemi.contracts.rules.orders import Market, Order
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.contracts.rules.signing import nomination_digest, order_digest, sign
from otaniemi.oracles.meters import Reading
from otaniemi.platform.audit.replay import Replay
from otaniemi.platform.audit.steps import steps_of
from otaniemi.platform.clock import SimulatedClock, Timeline
from otaniemi.platform.community_day import CommunityDay, enter_days
from otaniemi.platform.data.synthetic import synthetic_scenario
from otaniemi.platform.services import founding
from otaniemi.platform.services.exchange import Exchange, open_exchange
from otaniemi.platform.services.founding import found, founded_at
from otaniemi.platform.services.settlement import ledger_change
from otaniemi.platform.store.database import Store

SEED = 7
HOUR = 12
TRADED, BOUGHT, SOLD = 400, 500, 350
"""Heat that two homes trade in one slot, what the buyer uses and what the seller gives. [Wh]"""


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Exchange, CommunityDay]]:
    """Three homes after an hourly day; two of them have heat meters, of which one is silent but for one slot."""
    scenario = synthetic_scenario(3, 1, 3600, SEED)
    clock = SimulatedClock(founded_at(scenario))
    store = Store(tmp_path_factory.mktemp("heat") / "store.db")
    chain = open_chain("embedded", clock.now - 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(founding, "ELECTRICITY_ONLY", 0b11)
        exchange = open_exchange(found(chain, scenario, SEED, store, clock), scenario, SEED)
    timeline = Timeline(clock)
    [day] = enter_days(exchange, scenario, "perfect", SEED, timeline, lambda _, action: action())
    _warm(exchange, timeline, day.slots[HOUR])
    timeline.run()
    yield exchange, day
    chain.close()
    store.close()


def _warm(exchange: Exchange, timeline: Timeline, slot: int) -> None:
    """Enter the heat of two homes: a trade before the slot, a nomination, and readings after it."""
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


def test_heat_is_billed_and_paid_beside_electricity(lived: tuple[Exchange, CommunityDay]) -> None:
    exchange, day = lived
    bills, rules = day.outcome.bills, exchange.gateway.rules
    assert bills is not None
    slot, slots = day.slots[HOUR], slots_of_day(rules, day.day)
    buyer, seller, other = (home.account for home in exchange.founded.homes)
    heat = {(line.account, line.slot): line for line in bills.lines if line.product == Product.HEAT}
    assert set(heat) == {(account, at) for account in (buyer, seller) for at in slots}
    assert len([line for line in bills.lines if line.product == Product.ELECTRICITY]) == 3 * len(slots)
    assert (heat[buyer, slot].trade_wh, heat[seller, slot].trade_wh) == (TRADED, -TRADED)
    assert (heat[buyer, slot].schedule_wh, heat[buyer, slot].meter_wh) == (BOUGHT, BOUGHT)
    # Trades net to what the meters saw: the seller owes what it did not give.
    assert (heat[seller, slot].meter_wh, heat[seller, slot].imbalance > 0) == (-SOLD, True)
    assert {line.quality for line in heat.values() if line.slot != slot} == {Quality.ESTIMATED}
    assert other not in {account for account, _ in heat}
    assert bills.sums.trade_money == 0
    assert ledger_change(day.outcome.payments) == 0
    proposal = exchange.settlement.proposal(day.day)
    assert proposal is not None
    assert proposal.paid


def test_the_audit_follows_both_products(lived: tuple[Exchange, CommunityDay]) -> None:
    exchange, _ = lived
    chain, deployment = exchange.gateway.sender.chain, exchange.founded.deployment
    replay = Replay(deployment, None)
    replay.run(steps_of(chain.blocks(0, chain.head().number), deployment.addresses))
    assert replay.findings == []
    assert replay.counts["meter_reports"] == 2 * 24
