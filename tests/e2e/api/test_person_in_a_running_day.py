"""A person joins a day that simulated homes live: every arrow from a signed order to a withdrawal, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from otaniemi.contracts.chain.node import open_chain
from otaniemi.contracts.rules.calendar import day_of_slot, relay_gate, slot_end
from otaniemi.contracts.rules.positions import Form
from otaniemi.platform.api import create_app
from otaniemi.platform.client import MarketClient, RefusedByServerError
from otaniemi.platform.clock import SimulatedClock, Timeline
from otaniemi.platform.community_day import enter_days
from otaniemi.platform.data.synthetic import synthetic_scenario
from otaniemi.platform.keys import derive_key
from otaniemi.platform.marketplace import LiveMarketPlace
from otaniemi.platform.services.exchange import Exchange, open_exchange
from otaniemi.platform.services.founding import WITHDRAWAL_DELAY, found, founded_at
from otaniemi.platform.store import Store

SEED, LAST_CALL = 7, 2
OWNER, DEVICE = derive_key(99, "owner", 0), derive_key(99, "device", 0)
NEIGHBOUR = derive_key(99, "owner", 1)


class RunningDay:
    """Three homes over one day of hourly slots; the test moves the time."""

    def __init__(self, exchange: Exchange, timeline: Timeline, client: MarketClient) -> None:
        self.exchange, self.timeline, self.client = exchange, timeline, client
        self.rules, self.first_slot = exchange.gateway.rules, exchange.first_slot

    def live_until(self, moment: int) -> None:
        while (due := self.timeline.next_moment()) is not None and due <= moment:
            self.timeline.step()
        self.timeline.clock.move_to(moment)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDay]:
    scenario = synthetic_scenario(3, 1, 3600, SEED)
    clock = SimulatedClock(founded_at(scenario))
    store = Store(Path(tmp_path_factory.mktemp("market")) / "store.db")
    chain = open_chain("embedded", clock.now - 1)
    exchange = open_exchange(found(chain, scenario, SEED, store, clock), scenario, SEED)
    timeline = Timeline(clock)
    enter_days(
        exchange, scenario, "perfect", SEED, timeline, lambda _, action: action(), frozenset({Form.CALL})
    )
    with TestClient(create_app(LiveMarketPlace(exchange, timeline)), raise_server_exceptions=False) as http:
        yield RunningDay(exchange, timeline, MarketClient("", http))
    store.close()


def test_a_person_trades_delivers_pays_and_withdraws(day: RunningDay) -> None:
    client, rules = day.client, day.rules
    slot = day.first_slot + 12
    gate = relay_gate(rules, slot, LAST_CALL)
    day.live_until(gate - 3600)
    home = client.register(OWNER, "Aino's house", device=DEVICE.address)
    free_before = home.free_nano
    neighbour = client.register(NEIGHBOUR, "Eino's roof")
    client.bid(
        NEIGHBOUR, neighbour.account, slot, LAST_CALL, buy=False, price=-50_000, quantity=700, source=1
    )

    bought = client.bid(DEVICE, home.account, slot, LAST_CALL, buy=True, price=900_000, quantity=700)
    again = client.bid(
        DEVICE, home.account, slot, LAST_CALL, buy=True, price=900_000, quantity=700, nonce=bought.nonce
    )
    assert (bought.state, again.nonce) == ("received", bought.nonce)
    # In the next slot they trade continuously.
    client.place_limit(
        NEIGHBOUR, neighbour.account, slot + 1, buy=False, price=60_000, quantity=400, source=1
    )
    taken = client.place_limit(DEVICE, home.account, slot + 1, buy=True, price=70_000, quantity=300)
    assert (taken.state, taken.settled) == ("filled", 300)

    day.live_until(slot_end(rules, slot))
    order = client.order(home.account, bought.nonce)
    assert order.state == "filled"
    assert order.records[0].fill_wh == 700
    paid = order.records[0].result
    assert paid is not None
    assert [
        (position.slot, position.trade_wh, position.trade_nano)
        for position in client.positions(home.account)
        if position.trade_wh
    ] == [(slot, 700, 700 * paid.price), (slot + 1, 300, 300 * 60_000)]

    assert client.send_reading(DEVICE, home.account, slot, import_wh=650, export_wh=0)
    assert not client.send_reading(DEVICE, home.account, slot, import_wh=650, export_wh=0)
    with pytest.raises(RefusedByServerError, match="gate"):
        client.bid(DEVICE, home.account, slot, LAST_CALL, buy=True, price=900_000, quantity=1)

    trading_day = day_of_slot(rules, slot)
    with pytest.raises(RefusedByServerError, match="bill"):
        client.bill(home.account, trading_day)
    day.live_until(day.timeline.clock.now + 4 * 86_400)
    bill = client.bill(home.account, trading_day)
    assert bill.stage == "paid"
    [line, next_line] = [line for line in bill.lines if line.slot in (slot, slot + 1)]
    assert (next_line.trade_wh, next_line.trade_money) == (300, 300 * 60_000)
    assert (line.trade_wh, line.meter_wh, line.quality) == (700, 650, 0)
    assert line.trade_money == 700 * paid.price
    tariffs = client.tariffs(trading_day)
    assert tariffs.imbalance is not None
    assert tariffs.retail is not None
    index = slot - tariffs.first_slot
    long = min(tariffs.imbalance[index].long, tariffs.retail[index].feed_in)
    assert line.imbalance == -50 * long  # bought and not used: sold on at the long price
    charged = bill.due_nano + bill.sums.lock_release
    assert client.account(home.account).free_nano == free_before - charged

    asked = free_before - charged
    client.request_withdrawal(OWNER, home.account, asked)
    day.timeline.clock.move_to(day.timeline.clock.now + WITHDRAWAL_DELAY + 60)
    client.withdraw(OWNER, home.account)
    token = day.exchange.gateway.contracts.test_euro
    assert token.balance_of(OWNER.address) == asked // 1000
    assert client.account(home.account).free_nano == asked % 1000


def test_silence_of_the_meter_is_billed_as_an_estimate(day: RunningDay) -> None:
    [account] = day.client.accounts_of(OWNER.address)
    bill = day.client.bill(account, day_of_slot(day.rules, day.first_slot))
    silent = [line for line in bill.lines if line.quality == 1]
    assert silent
    assert all(line.meter_wh >= 0 for line in silent)
