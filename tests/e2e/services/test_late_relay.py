"""A full batch of profile orders that the relayer sends too late: every step is skipped, and the gas lasts."""

from __future__ import annotations

from pathlib import Path

from otaniemi.contracts.chain.node import open_chain
from otaniemi.contracts.chain.sender import TRANSACTION_GAS
from otaniemi.contracts.rules.calendar import Source, day_of_slot, direct_gate, relay_gate, slots_of_day
from otaniemi.contracts.rules.orders import ProfileOrder, SkipReason, Step
from otaniemi.contracts.rules.signing import profile_digest, sign
from otaniemi.platform.clock import SimulatedClock
from otaniemi.platform.data.synthetic import synthetic_scenario
from otaniemi.platform.services.batches import has_gas
from otaniemi.platform.services.exchange import open_exchange
from otaniemi.platform.services.founding import found, founded_at
from otaniemi.platform.store.database import Store

SLOT_SECONDS, SEED, SESSION = 900, 7, 0
SLOTS = 86_400 // SLOT_SECONDS
HOMES = max(homes for homes in range(100) if has_gas(SLOTS, homes, homes * SLOTS))


def test_a_full_batch_that_comes_too_late_is_skipped_step_by_step(tmp_path: Path) -> None:
    scenario = synthetic_scenario(HOMES, 1, SLOT_SECONDS, SEED)
    opening = founded_at(scenario)
    store, chain = Store(tmp_path / "store.db"), open_chain("embedded", opening - 1)
    founded = found(chain, scenario, SEED, store, SimulatedClock(opening))
    exchange = open_exchange(founded, scenario, SEED)
    gateway, rules = exchange.gateway, exchange.gateway.rules
    slots = slots_of_day(rules, day_of_slot(rules, exchange.first_slot))
    gate = relay_gate(rules, slots[0], SESSION)
    exchange.clock.move_to(gate - 60)
    for home in founded.homes:
        order = ProfileOrder(
            *(home.account, gateway.community, gateway.product, SESSION, False, 0),
            direct_gate(rules, slots[0], SESSION),
            tuple(Step(slot, 100_000, 500, Source.PV, False) for slot in slots),
        )
        domain = gateway.contracts.call_auction.domain
        exchange.market.submit(order, sign(home.device.secret, profile_digest(domain, order)))
    exchange.clock.move_to(gate + 5)
    skipped = exchange.market.relay(SESSION)
    assert len(skipped) == HOMES * SLOTS
    assert {event.reason for event in skipped} == {SkipReason.GATE_CLOSED}
    assert 0.9 * TRANSACTION_GAS < gateway.sender.gas["relay"] < TRANSACTION_GAS
    chain.close()
    store.close()
