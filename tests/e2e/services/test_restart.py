"""Services that die between any two transactions: new ones on the same store and chain go on where they stopped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from otaniemi.contracts.chain import events as e
from otaniemi.contracts.chain.billing import BillsState, PayoutStep
from otaniemi.contracts.chain.sender import Sender
from otaniemi.contracts.rules.bills import Bills
from otaniemi.contracts.rules.calendar import (
    Product,
    Source,
    direct_gate,
    relay_gate,
    slot_at,
    slot_end,
    slots_of_day,
)
from otaniemi.contracts.rules.meters import Quality
from otaniemi.contracts.rules.orders import RECORD_BYTES, Market, Order, preference
from otaniemi.contracts.rules.reports import METER_KIND
from otaniemi.contracts.rules.signing import order_digest, sign
from otaniemi.oracles.errors import ConflictingReadingError
from otaniemi.oracles.meters import Reading
from otaniemi.platform.audit.replay import Replay
from otaniemi.platform.audit.steps import steps_of
from otaniemi.platform.community_day import BILL_SLACK
from otaniemi.platform.services import settlement as service
from otaniemi.platform.services.exchange import Exchange
from otaniemi.platform.services.gateway import Gateway
from otaniemi.platform.services.settlement import SettlementService, ledger_change
from otaniemi.platform.store import intake, markets, reports, schema
from otaniemi.platform.store.database import Store

from ...support.fragile_town import BOUGHT, SOLD, TRADED, Killed, Town


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service, "ACCOUNTS_POWER", 0)  # an account a transaction
        town = Town(tmp_path_factory.mktemp("restart"))
        yield town
        town.store.close()


def settle(settlement: SettlementService, town: Town) -> Bills:
    """What a service does about a day that is over, whatever was done before."""
    bills = settlement.bill(town.day)
    number = settlement.propose(bills)
    town.clock.now = max(town.clock.now, settlement.closes_at(number) + BILL_SLACK)
    settlement.pay(number, bills)
    return bills


def test_a_service_that_dies_after_every_transaction_bills_and_pays_a_day_once(town: Town) -> None:
    began, before = town.chain.head().number, town.balances()
    deaths, seen, left = 0, set(), set[bytes]()
    while True:
        settlement = town.restart().settlement
        proposal = settlement.proposal(town.day)
        if proposal is not None:
            standing = town.founded.gateway.contracts.settlement.standing(proposal.number)
            seen.add((standing.state, standing.next, standing.cursor))
            left.add(standing.credits)
        town.chain.left = 1
        try:
            bills = settle(settlement, town)
        except Killed:
            deaths += 1
        else:
            break
    # Proposal, final, debits, parties, credits: it died after each of them, the last one too.
    count = len(bills.accounts)
    receiving = sum(bill.sums.due < 0 for bill in bills.accounts)
    assert receiving > 1
    assert deaths == 3 + count + receiving
    assert {(BillsState.OPEN, 0, 0), (BillsState.FINAL, PayoutStep.DEBITS, 1)} < seen
    assert {
        (BillsState.FINAL, PayoutStep.PARTIES, count),
        (BillsState.FINAL, PayoutStep.CREDITS, count),
    } < seen
    assert {before for before, _ in bills.credits(0)} <= left
    told = events_since(town, began + 1)
    kinds = Counter(type(event) for event in told)
    assert [kinds[kind] for kind in (e.BillsProposed, e.BillsFinal, e.PartiesPaid)] == [1, 1, 1]
    assert (kinds[e.Debited], kinds[e.Credited]) == (count, receiving)
    assert ledger_change(told) == 0
    paid = settlement.proposal(town.day)
    assert paid is not None
    assert paid.paid
    # Every account has what its bill says, once; the bond is back.
    assert [-bill.sums.due for bill in bills.accounts] == difference(town.balances()[3:], before[3:])
    # Asked again, a paid day costs no transaction.
    settle(town.restart().settlement, town)
    assert town.chain.head().number == began + deaths


def test_a_new_reporter_goes_on_with_the_readings_and_rounds_of_the_old(town: Town) -> None:
    exchange = town.restart()
    gateway, slot = exchange.gateway, exchange.first_slot
    with gateway.store.read() as transaction:
        subject = gateway.community, gateway.product, METER_KIND, slot
        assert reports.last_round(transaction, *subject) == 0
    home = town.accounts[0]
    assert not exchange.oracles.take_reading(home, 0, slot, reading_of(town, home, slot))
    with pytest.raises(ConflictingReadingError):
        exchange.oracles.take_reading(home, 0, slot, Reading(12_345, 0))


def test_a_keeper_that_died_between_clearing_and_labels_gives_them_out_when_it_is_back(town: Town) -> None:
    exchange = town.restart()
    slot = slot_at(exchange.gateway.rules, town.clock.now) + 2
    market = offer(exchange, slot)
    # Relayed, but the service never heard of it: nothing is relayed again, nothing counts as skipped.
    town.chain.left = 1
    with pytest.raises(Killed):
        exchange.market.relay(market.session)
    exchange = town.restart()
    assert exchange.market.relay(market.session) == []
    with town.store.read() as transaction:
        assert len(markets.records_of(transaction, market)) == 2 * RECORD_BYTES
    town.clock.now = direct_gate(exchange.gateway.rules, slot, market.session)
    town.chain.left = 1
    with pytest.raises(Killed):
        exchange.market.clear([market])
    with town.store.read() as transaction:
        state = markets.get(transaction, market)
    assert state is not None
    assert state.result is None
    exchange = town.restart()
    [labelled] = exchange.market.clear([market])
    assert labelled.clearing.labels is not None
    with town.store.read() as transaction:
        state = markets.get(transaction, market)
    assert state is not None
    assert state.result is not None
    assert state.result.labels == markets.MarketLabels(premium=0, green_wh=400, above_wh=400)
    assert exchange.market.clear([market]) == town.restart().market.clear([market]) == []


def test_heat_is_billed_and_paid_beside_electricity(town: Town) -> None:
    settlement = town.restart().settlement
    bills = settle(settlement, town)
    slot, slots = town.warm_slot, slots_of_day(town.founded.gateway.rules, town.day)
    buyer, seller, _ = town.accounts
    heat = {(line.account, line.slot): line for line in bills.lines if line.product == Product.HEAT}
    assert set(heat) == {(account, at) for account in (buyer, seller) for at in slots}
    assert len([line for line in bills.lines if line.product == Product.ELECTRICITY]) == 3 * len(slots)
    assert (heat[buyer, slot].trade_wh, heat[seller, slot].trade_wh) == (TRADED, -TRADED)
    assert (heat[buyer, slot].schedule_wh, heat[buyer, slot].meter_wh) == (BOUGHT, BOUGHT)
    # The seller owes the heat that it did not give; silent meters are estimated.
    assert (heat[seller, slot].meter_wh, heat[seller, slot].imbalance > 0) == (-SOLD, True)
    assert {line.quality for line in heat.values() if line.slot != slot} == {Quality.ESTIMATED}
    assert bills.sums.trade_money == 0
    proposal = settlement.proposal(town.day)
    assert proposal is not None
    assert proposal.paid


def test_the_audit_follows_both_products(town: Town) -> None:
    deployment, blocks = town.founded.deployment, town.chain.blocks(0, town.chain.head().number)
    replay = Replay(deployment, None)
    replay.run(steps_of(blocks, deployment.addresses))
    assert replay.findings == []
    assert replay.counts["meter_reports"] == 2 * 24


def test_a_payment_that_the_chain_lost_is_made_again_through_the_bills_that_are_final_first(
    town: Town,
) -> None:
    exchange = town.restart()
    settlement, gateway = exchange.settlement, exchange.gateway
    bills = settle(settlement, town)
    town.chain.reorganise(town.over)
    # The same services go on. Another home proposes the same bills and makes them final first.
    gateway.catch_up()
    assert settlement.proposal(town.day) is None
    free, contract = town.balances(), gateway.contracts.settlement
    number, home = settlement.propose(bills), exchange.founded.homes[0]
    copied = gateway.send([(home.owner, contract.propose_bills(bills, home.account, bytes(32)))])
    [copy] = [event.id for event in copied if isinstance(event, e.BillsProposed)]
    town.clock.now = settlement.closes_at(copy) + BILL_SLACK
    gateway.send([(home.owner, contract.finalise(copy))])
    settlement.pay(number, bills)
    paid = settlement.proposal(town.day)
    assert paid is not None
    assert (paid.number, paid.paid) == (copy, True)
    assert contract.standing(number).state == BillsState.SUPERSEDED
    assert [-bill.sums.due for bill in bills.accounts] == difference(town.balances()[3:], free[3:])
    assert sum(town.balances()) == sum(free) + bills.sums.lock_release
    assert settlement.pay(number, bills) == []


def test_lost_blocks_are_undone_and_what_they_held_is_done_again(town: Town, tmp_path: Path) -> None:
    exchange = town.restart()
    gateway = exchange.gateway
    # A chain that lost half of the day is shorter than the index.
    orders = len(indexed(town.store)["orders"])
    town.chain.reorganise(town.over // 2)
    gateway.catch_up()
    found = indexed(town.store)
    assert found == indexed(read_anew(town, tmp_path / "half.db"))
    assert 0 < len(found["orders"]) < orders
    with town.store.read() as transaction:
        waiting = intake.waiting_nominations(transaction, gateway.community, gateway.product)
    assert waiting
    # A meter report that was lost comes again with the next one.
    oracle, place = gateway.contracts.oracle, (gateway.community, gateway.product)
    day = slots_of_day(gateway.rules, town.day)
    slot = next(slot for slot in day if oracle.meter_mark(*place, slot) is None)
    town.clock.now = slot_end(gateway.rules, slot + 1) + 1800
    exchange.oracles.report_meters(slot + 1)
    again_reported = [oracle.meter_root(*place, at) for at in (slot, slot + 1)]
    assert [report and report.round for report in again_reported] == [1, 1]


def difference(after: list[int], before: list[int]) -> list[int]:
    return [now - was for now, was in zip(after, before, strict=True)]


def indexed(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Every row that came from the chain."""
    with store.read() as transaction:
        return {
            table.name: [
                tuple(row) for row in transaction.execute(select(table).order_by(*table.primary_key))
            ]
            for table in (*schema.INDEX, schema.blocks)
        }


def read_anew(town: Town, path: Path) -> Store:
    """The index of a store that never saw another chain."""
    gateway, store = town.founded.gateway, Store(path)
    Gateway(
        Sender(town.chain),
        gateway.contracts,
        gateway.rules,
        gateway.community,
        gateway.product,
        store,
        town.clock,
    ).catch_up()
    store.close()
    return store


def offer(exchange: Exchange, slot: int) -> Market:
    """A home offers its PV, and another one wants local energy."""
    gateway, homes = exchange.gateway, exchange.founded.homes
    market = Market(gateway.community, gateway.product, slot, session=2)
    domain, gate = gateway.contracts.call_auction.domain, relay_gate(gateway.rules, slot, market.session)
    exchange.market.open([slot])
    for wallet, source, buy in ((homes[0], Source.PV, False), (homes[1], preference(20_000), True)):
        order = Order(wallet.account, *market, 100_000, 400, source, buy, 1_000, gate)
        exchange.market.submit(order, sign(wallet.device.secret, order_digest(domain, order)))
    return market


def reading_of(town: Town, account: int, slot: int) -> Reading:
    leaves = town.restart().settlement.leaves(town.day)[0, slot]
    [leaf] = [leaf for leaf in leaves if leaf.account == account]
    return Reading(leaf.import_wh, leaf.export_wh)


def events_since(town: Town, block: int) -> list[e.Event]:
    return town.founded.gateway.events_since(town.chain.block(block).timestamp)
