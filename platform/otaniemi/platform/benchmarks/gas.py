"""`otaniemi bench gas`: what the protocol costs, by receipts on anvil, beside its targets.

Communities are founded. In one, a market takes signed orders of as many accounts and clears them. In two others
100 homes live a day: in one they trade every slot in all three sessions, a profile in each of the first two and an
order per slot in the last call, and nominate every slot; in the other they trade the two sessions of the day ahead
and nominate the day at once. They are metered and billed, and a wrong line is challenged on the way. With all
sessions everybody is credited, on the other day everybody uses far more than was locked and is debited.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.progress import Progress

from otaniemi.contracts.chain import events
from otaniemi.contracts.chain.node import DEVNET_KEY, open_chain
from otaniemi.contracts.chain.refutation import LineChallenge, refutation
from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.bills import bill_day, bills_of
from otaniemi.contracts.rules.calendar import (
    Source,
    bills_due,
    day_of_slot,
    day_start,
    direct_gate,
    nomination_batch_gate,
    relay_gate,
    slot_end,
    slots_of_day,
)
from otaniemi.contracts.rules.openings import preimages
from otaniemi.contracts.rules.orders import Market, Order, ProfileOrder, Step
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.contracts.rules.signing import nomination_digest, order_digest, profile_digest, sign
from otaniemi.contracts.rules.tariffs import Feed
from otaniemi.oracles.meters import Reading
from otaniemi.platform.audit.leaves import content_hash
from otaniemi.platform.clock import SimulatedClock, Timeline
from otaniemi.platform.data.synthetic import synthetic_scenario
from otaniemi.platform.services.exchange import Exchange, open_exchange
from otaniemi.platform.services.founding import WEI_FOR_GAS, Wallet, found, founded_at
from otaniemi.platform.store.database import Store

TARGETS = {
    "direct_order": 55_000,
    "direct_order_of_owner": 55_000,
    "relay_per_order_1000": 15_000,
    "profile_per_step": 6_000,
    "clear_per_order_1000": 900,
    "bills_root": 300_000,
    "debit_per_account": 8_000,
    "credit_per_account": 8_000,
    "challenge_line": 500_000,
    "home_day": 3_500_000,
    "home_day_ahead": 1_500_000,
}
HOMES = 100
SLOT_SECONDS = 900
SEED = 7
PRICE, QUANTITY, FAR_MORE = 100_000, 500, 9_000
DAY_AHEAD, SECOND_CALL, LAST_CALL = 0, 1, 2
DAY_SLOTS = 86_400 // SLOT_SECONDS
PARTS = ("relay", "clear", "nominate", "report", "settle")


def bench_gas(orders: int, bars: Progress) -> dict[str, Any]:
    """Gas of each step of the protocol, its target, and their ratio.

    Parameters
    ----------
    orders : int
        Signed orders, each of another account, in the one large market.
    bars : Progress

    Raises
    ------
    NodeNotFoundError
        anvil is not installed.
    """
    every_slot, ahead = _one_day(bars, last_call=True), _one_day(bars, last_call=False)
    measured = _one_market(orders, bars) | {
        "profile_per_step": every_slot[f"relay {DAY_AHEAD}"] // (HOMES * DAY_SLOTS),
        "bills_root": every_slot["root"],
        "debit_per_account": ahead["debit"] // HOMES,
        "credit_per_account": every_slot["credit"] // HOMES,
        "challenge_line": every_slot["challenge"],
        "home_day": sum(every_slot[part] for part in PARTS) // HOMES,
        "home_day_ahead": sum(ahead[part] for part in PARTS) // HOMES,
    }
    parts = [
        {"home's day": name, **{part: day[part] // HOMES for part in PARTS}}
        for name, day in (("all sessions", every_slot), ("day ahead", ahead))
    ]
    rows = [
        {"what": name, "gas": measured[name], "target": target, "ratio": measured[name] / target}
        for name, target in TARGETS.items()
    ]
    return {**measured, "orders": orders, "homes": HOMES, "rows": rows, "parts": parts}


def _one_market(orders: int, bars: Progress) -> dict[str, int]:
    task = bars.add_task("one market", total=4, detail=f"opening {orders} accounts")
    with _community(orders) as (exchange, wallets):
        gateway, rules = exchange.gateway, exchange.gateway.rules
        slot = exchange.first_slot
        market = Market(gateway.community, gateway.product, slot, DAY_AHEAD)
        domain = gateway.contracts.call_auction.domain
        bars.update(task, advance=1, detail="signing")
        for index, wallet in enumerate(wallets):
            order = Order(
                *(wallet.account, gateway.community, gateway.product, slot, DAY_AHEAD),
                *(PRICE + (index * 7919) % 50_000, QUANTITY, Source.GRID if index % 2 else Source.PV),
                *(bool(index % 2), 0, relay_gate(rules, slot, DAY_AHEAD)),
            )
            exchange.market.submit(order, sign(wallet.device.secret, order_digest(domain, order)))
        bars.update(task, advance=1, detail="relaying")
        relay = _gas(exchange, lambda: exchange.market.relay(DAY_AHEAD))
        buyer = wallets[0]
        gateway.sender.fund(Key(DEVNET_KEY), [buyer.device.address], WEI_FOR_GAS)
        direct = []
        for nonce, key in enumerate((buyer.device, buyer.owner), start=1):
            placed = gateway.contracts.call_auction.place_order(
                market, buyer.account, PRICE, QUANTITY, Source.GRID, True, nonce
            )
            direct.append(_gas(exchange, partial(gateway.send, [(key, placed)])))
        exchange.clock.move_to(direct_gate(rules, slot, DAY_AHEAD))
        bars.update(task, advance=1, detail="clearing")
        clear = _gas(exchange, lambda: exchange.market.clear([market]))
        bars.update(task, advance=1, detail="")
    return {
        "direct_order": direct[0],
        "direct_order_of_owner": direct[1],
        "relay_per_order_1000": relay // orders,
        "clear_per_order_1000": clear // (orders + 2),
    }


def _one_day(bars: Progress, *, last_call: bool) -> dict[str, int]:
    """Gas of a day by parts, and of single steps; with or without the last call and a nomination per slot."""
    name = "a day in all sessions" if last_call else "a day ahead"
    task = bars.add_task(name, total=None, detail=f"opening {HOMES} accounts")
    with _community(HOMES) as (exchange, wallets):
        gateway, oracles = exchange.gateway, exchange.oracles
        rules, labels = gateway.rules, gateway.sender.gas
        day = day_of_slot(rules, exchange.first_slot)
        slots, timeline = slots_of_day(rules, day), Timeline(exchange.clock)
        before, measured = dict(labels), dict[str, int]()
        oracles.report_tariff(Feed.RETAIL, day)
        for session in (DAY_AHEAD, SECOND_CALL):
            gate = relay_gate(rules, slots[0], session)
            timeline.at(gate - 60, _offer_profiles, exchange, wallets, session, slots)
            timeline.at(gate - 30, _relay, exchange, session, measured)
            timeline.at(direct_gate(rules, slots[0], session), _clear, exchange, slots, session)
        if not last_call:
            timeline.at(nomination_batch_gate(rules, slots[0]) - 30, _nominate, exchange, wallets, slots)
        for slot in slots:
            if last_call:
                gate = relay_gate(rules, slot, LAST_CALL)
                timeline.at(gate - 60, _offer, exchange, wallets, slot, 2 + slot - slots[0])
                timeline.at(gate - 30, _relay, exchange, LAST_CALL, measured)
                timeline.at(direct_gate(rules, slot, LAST_CALL), _clear, exchange, [slot], LAST_CALL)
                timeline.at(nomination_batch_gate(rules, slot) - 30, _nominate, exchange, wallets, [slot])
            timeline.at(slot_end(rules, slot), _meter, exchange, wallets, slot, last_call)
        timeline.at(day_start(rules, day + 1), oracles.report_tariff, Feed.IMBALANCE, day)
        timeline.at(bills_due(rules, day) + 1, _bill, exchange, wallets[0], day, measured)
        bars.update(task, total=len(timeline), detail="sessions, nominations, meters, bills")
        while len(timeline):
            timeline.step()
            bars.update(task, advance=1)
        return measured | {part: labels[part] - before.get(part, 0) for part in PARTS}


def _bill(exchange: Exchange, challenger: Wallet, day: int, measured: dict[str, int]) -> None:
    """Note the gas of voiding a wrong proposal, of the right one, and of paying it."""
    gateway, settlement = exchange.gateway, exchange.gateway.contracts.settlement
    platform, number = exchange.founded.staff.parties[2], gateway.rules.platform
    facts = exchange.settlement.facts(day)
    bills = bill_day(facts)
    wrong = len(bills.lines) // 2
    altered = [*bills.lines]
    altered[wrong] = replace(altered[wrong], retail=altered[wrong].retail + 1)
    false = bills_of(gateway.rules, gateway.community, day, altered)
    call = settlement.propose_bills(false, number, content_hash(false.lines))
    proposed = gateway.send([(platform, call)])
    false_number = next(event.id for event in proposed if isinstance(event, events.BillsProposed))
    found = refutation(facts, bills, false.root, len(false.accounts), preimages(false))
    assert isinstance(found, LineChallenge)
    shown = gateway.contracts.court.challenge(false_number, found, challenger.account)
    measured["challenge"] = _gas(exchange, lambda: gateway.send([(challenger.owner, shown)]))
    numbers: list[int] = []
    measured["root"] = _gas(exchange, lambda: numbers.append(exchange.settlement.propose(bills)))
    exchange.clock.move_to(exchange.clock.now + gateway.rules.bill_window + 60)
    for name, calls in (
        ("final", [settlement.finalise(numbers[0])]),
        ("debit", [settlement.debit(numbers[0], chunk) for chunk in bills.chunks()]),
        ("parties", [settlement.pay_parties(numbers[0], bills.root)]),
        ("credit", [settlement.credit(numbers[0], *credits) for credits in bills.credits()]),
    ):
        measured[name] = _gas(exchange, partial(gateway.send, [(platform, call) for call in calls]))


def _offer_profiles(
    exchange: Exchange, wallets: Sequence[Wallet], session: int, slots: Sequence[int]
) -> None:
    """Every home offers one step per slot."""
    gateway = exchange.gateway
    domain = gateway.contracts.call_auction.domain
    valid_to = direct_gate(gateway.rules, slots[0], session)
    for wallet in wallets:
        price, quantity, source, buy = _terms(wallet)
        order = ProfileOrder(
            account=wallet.account,
            community=gateway.community,
            product=gateway.product,
            session=session,
            all_or_nothing=False,
            nonce=session,
            valid_to=valid_to,
            steps=tuple(Step(slot, price, quantity, source, buy) for slot in slots),
        )
        exchange.market.submit(order, sign(wallet.device.secret, profile_digest(domain, order)))


def _offer(exchange: Exchange, wallets: Sequence[Wallet], slot: int, nonce: int) -> None:
    """Every home offers in the last call of a slot."""
    gateway = exchange.gateway
    domain, where = (
        gateway.contracts.call_auction.domain,
        (gateway.community, gateway.product, slot, LAST_CALL),
    )
    valid_to = direct_gate(gateway.rules, slot, LAST_CALL)
    for wallet in wallets:
        order = Order(wallet.account, *where, *_terms(wallet), nonce, valid_to)
        exchange.market.submit(order, sign(wallet.device.secret, order_digest(domain, order)))


def _terms(wallet: Wallet) -> tuple[int, int, Source, bool]:
    """Price, quantity, source and side: odd accounts buy, even ones sell."""
    buy = bool(wallet.account % 2)
    return PRICE + (5_000 if buy else -wallet.account), QUANTITY + wallet.account, Source.PV, buy


def _relay(exchange: Exchange, session: int, measured: dict[str, int]) -> None:
    """Relay a session and note its gas; nothing may be skipped."""
    skipped: list[events.OrderSkipped] = []
    measured[f"relay {session}"] = _gas(exchange, lambda: skipped.extend(exchange.market.relay(session)))
    assert not skipped, skipped[0]


def _clear(exchange: Exchange, slots: Iterable[int], session: int) -> None:
    gateway = exchange.gateway
    exchange.market.clear(Market(gateway.community, gateway.product, slot, session) for slot in slots)


def _nominate(exchange: Exchange, wallets: Sequence[Wallet], slots: Sequence[int]) -> None:
    """Every home nominates consecutive slots; nothing may be skipped."""
    gateway = exchange.gateway
    domain, where = gateway.contracts.schedules.domain, (gateway.community, gateway.product, slots[0])
    for wallet in wallets:
        wh = (QUANTITY + wallet.account,) * len(slots)
        nomination = Nomination(wallet.account, *where, 1, wh)
        exchange.schedules.submit(
            nomination, sign(wallet.device.secret, nomination_digest(domain, nomination))
        )
    skipped = exchange.schedules.flush()
    assert not skipped, skipped[0]


def _meter(exchange: Exchange, wallets: Sequence[Wallet], slot: int, planned: bool) -> None:
    """Everybody takes what was planned, or far more."""
    product = exchange.gateway.product
    for wallet in wallets:
        exchange.oracles.take_reading(
            wallet.account, product, slot, Reading(QUANTITY if planned else FAR_MORE, 0)
        )
    exchange.oracles.report_meters(slot)


def _gas(exchange: Exchange, action: Callable[[], object]) -> int:
    """Gas of everything that ``action`` sends."""
    labels = exchange.gateway.sender.gas
    before = sum(labels.values())
    action()
    return sum(labels.values()) - before


@contextmanager
def _community(homes: int) -> Iterator[tuple[Exchange, Sequence[Wallet]]]:
    """A fresh community on anvil, with as many accounts."""
    scenario = synthetic_scenario(homes, 1, SLOT_SECONDS, SEED)
    opening = founded_at(scenario)
    with tempfile.TemporaryDirectory() as directory:
        store = Store(Path(directory) / "store.db")
        chain = open_chain("anvil", opening - 1)
        try:
            founded = found(chain, scenario, SEED, store, SimulatedClock(opening))
            yield open_exchange(founded, scenario, SEED), founded.homes
        finally:
            chain.close()
            store.close()
