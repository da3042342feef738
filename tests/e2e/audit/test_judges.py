"""The auditor's judges against the contracts: random batches full of faults, judged alike by both."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

from otaniemi.contracts.chain import events as e
from otaniemi.contracts.chain.bindings import Communities, Schedules
from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.calendar import DAY_SECONDS, day_start, relay_gate, slot_start
from otaniemi.contracts.rules.keys import DeviceLimits
from otaniemi.contracts.rules.orders import Market, Order, ProfileOrder, SkipReason, Step
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.contracts.rules.signing import nomination_digest, order_digest, profile_digest, sign
from otaniemi.platform.audit.replay import Replay
from otaniemi.platform.audit.steps import Step as ChainStep
from otaniemi.platform.audit.steps import steps_of

from .small_day import ADMIN, COMMUNITY, DAY, DEVICE, FIRST, HOMES, RULES, C, D, SmallDay

UNMETERED, ABSENT = 8, 99
KEYS = {4 + index: key for index, key in enumerate(HOMES)} | {UNMETERED: HOMES[0]}


def start() -> SmallDay:
    day = SmallDay.start()
    day.sender.send(ADMIN, day.accounts.register(HOMES[0].address, COMMUNITY))
    day.sender.send(HOMES[3], day.accounts.request_withdrawal(D, 99_900_000_000))
    limits = DeviceLimits(day_start(RULES, DAY) - 20_000, 3_000, -10_000, 200_000)
    day.sender.send(HOMES[2], day.accounts.set_limited_device_key(C, DEVICE.address, limits))
    assert day.accounts.limits_for(C, DEVICE.address) == limits
    assert day.accounts.limits_for(C, HOMES[2].address) is None
    return day


def walked(day: SmallDay) -> tuple[Replay, list[ChainStep]]:
    blocks = day.chain.blocks(0, day.chain.head().number)
    steps = list(steps_of(blocks, day.deployment.addresses))
    replay = Replay(day.deployment, None)
    replay.run(steps)
    return replay, steps


def reasons(steps: list[ChainStep]) -> Counter[int]:
    skipped = (e.OrderSkipped, e.NominationSkipped)
    return Counter(event.reason for step in steps for event in step.events if isinstance(event, skipped))


def faulty(draw: random.Random, key: object, account: int) -> tuple[object, int]:
    """Mostly the right key and account, sometimes another."""
    if draw.random() < 0.15:
        account = draw.choice([UNMETERED, ABSENT])
    if draw.random() < 0.1:
        key = draw.choice([*HOMES, DEVICE, ADMIN])
    return key, account


def test_orders_are_accepted_and_skipped_alike() -> None:
    draw, day = random.Random(5), start()
    domain, wires = day.auction.domain, []
    day.chain.set_time(day_start(RULES, DAY) - 60_000)
    for _ in range(32):
        slot = FIRST + draw.randrange(3) + draw.choice([0] * 9 + [24 * 12, -48])
        market = Market(COMMUNITY, draw.choice([0] * 9 + [1]), slot, draw.choice([0] * 5 + [1, 2]))
        batch = []
        for _ in range(draw.randrange(1, 9)):
            account = draw.choice([4, 5, 6, 7])
            key, account = faulty(draw, DEVICE if account == C else KEYS[account], account)
            order = Order(
                account,
                COMMUNITY,
                market.product,
                market.slot,
                market.session,
                price=draw.choice([50_000, -30_000, 120_000, 1_000_001]),
                quantity=draw.choice([1, 500, 3_000, 20_000, 20_001, 0]),
                source=draw.choice([0, 1, 2, 3, 4] * 3 + [5, 64, 67, 127]),
                buy=draw.random() < 0.5,
                nonce=draw.choice(
                    [draw.randrange(40), draw.randrange(100, 200), 2**16 - 150 + draw.randrange(300)]
                ),
                valid_to=draw.choice([2**40] * 9 + [5]),
            )
            batch.append(order.wire(sign(key.secret, order_digest(domain, order))))  # type: ignore[attr-defined]
        wires.append(draw.choices(batch, k=len(batch) + 2))
        day.sender.send(ADMIN, day.auction.relay_orders(market, b"".join(wires[-1])))
    replay, steps = walked(day)
    assert replay.findings == []
    assert replay.counts["orders"] > 5
    assert set(reasons(steps)) >= set(SkipReason) - {SkipReason.MARKET_FULL}


def test_profiles_are_accepted_and_skipped_alike() -> None:
    draw, day = random.Random(8), start()
    domain = day.auction.domain
    day.chain.set_time(day_start(RULES, DAY) - 60_000)
    for turn in range(32):
        batch = []
        for _ in range(draw.randrange(1, 6)):
            account = draw.choice([4, 5, 6, 7])
            key, account = faulty(draw, DEVICE if account == C else KEYS[account], account)
            slots = sorted(FIRST + draw.randrange(24) for _ in range(draw.randrange(0, 12)))
            slots = slots[::-1] if draw.random() < 0.05 else slots
            steps = tuple(
                Step(
                    slot + (48 if draw.random() < 0.01 else 0),
                    draw.choice([50_000, -30_000, 120_000] * 5 + [1_000_001]),
                    draw.choice([1, 500, 3_000, 9_000] * 5 + [20_001]),
                    draw.choice([0, 1, 2, 3, 4] * 10 + [5, 64, 67, 127]),
                    draw.random() < 0.5,
                )
                for slot in slots
            )
            terms = draw.random() < 0.4, draw.randrange(200), draw.choice([2**40] * 9 + [5])
            profile = ProfileOrder(account, COMMUNITY, 0, turn % 2, *terms, steps)
            wire = profile.wire(sign(key.secret, profile_digest(domain, profile)))  # type: ignore[attr-defined]
            if draw.random() < 0.05:
                wire = wire[:4] + b"\2" + wire[5:]
            batch.append(wire)
        day.sender.send(ADMIN, day.auction.relay_profiles(COMMUNITY, 0, turn % 2, b"".join(batch)))
        if turn == 20:
            day.chain.set_time(relay_gate(RULES, FIRST, 0) - 1)
        if turn == 25:
            day.chain.set_time(relay_gate(RULES, FIRST + 7, 1) - 1)
    replay, chain_steps = walked(day)
    assert replay.findings == []
    assert replay.counts["orders"] > 30
    expected = set(SkipReason) - {SkipReason.MARKET_FULL, SkipReason.TOO_FAR_AHEAD}
    assert set(reasons(chain_steps)) >= expected


def test_nominations_are_accepted_and_skipped_alike() -> None:
    draw, day = random.Random(7), start()
    schedules = Schedules(day.chain, day.deployment.addresses["Schedules"])
    day.chain.set_time(slot_start(RULES, FIRST + 5) - 600)
    for turn in range(25):
        batch = []
        for _ in range(draw.randrange(1, 6)):
            account = draw.choice([4, 5, 6, 7])
            key, account = faulty(draw, DEVICE if account == C else KEYS[account], account)
            first = FIRST + draw.randrange(23)
            values = [
                draw.choice([0, 500, -20_000, 20_000] * 6 + [20_001]) for _ in range(draw.randrange(0, 5))
            ]
            nomination = Nomination(account, COMMUNITY, 0, first, draw.randrange(0, 12), tuple(values))
            batch.append(nomination.wire(sign(key.secret, nomination_digest(schedules.domain, nomination))))  # type: ignore[attr-defined]
        day.sender.send(ADMIN, schedules.nominate_batch(COMMUNITY, 0, DAY, b"".join(batch)))
        if turn == 16:
            day.chain.set_time(slot_start(RULES, FIRST + 5) - 480)
    replay, steps = walked(day)
    assert replay.findings == []
    assert replay.counts["nominations"] > 5
    reasons_seen = set(reasons(steps))
    assert reasons_seen >= {
        SkipReason.MALFORMED,
        SkipReason.UNKNOWN_ACCOUNT,
        SkipReason.NO_METER,
        SkipReason.BAD_SIGNATURE,
        SkipReason.GATE_CLOSED,
        SkipReason.QUANTITY_OUT_OF_RANGE,
        SkipReason.KEY_LIMITED,
    }


def test_keys_and_closed_days_are_followed() -> None:
    day = start()
    domain, accounts = day.auction.domain, day.accounts
    communities = Communities(day.chain, day.deployment.addresses["Communities"])
    day.sender.send(HOMES[0], accounts.propose_owner(4, HOMES[1].address))
    moment = day_start(RULES, DAY) - 50_000
    day.chain.set_time(moment)

    def relay(key: Key, slot: int, nonce: int) -> None:
        order = Order(4, COMMUNITY, 0, slot, 0, 50_000, 100, 0, True, nonce, 2**40)
        wire = order.wire(sign(key.secret, order_digest(domain, order)))
        day.sender.send(ADMIN, day.auction.relay_orders(order.market, wire))

    relay(HOMES[0], FIRST, 0)
    day.sender.send(ADMIN, communities.close_day(COMMUNITY, DAY))
    relay(HOMES[0], FIRST, 1)
    relay(HOMES[0], FIRST + 1, 2)
    day.sender.send(ADMIN, communities.reopen_day(COMMUNITY, DAY))
    relay(HOMES[0], FIRST + 1, 2)
    day.chain.set_time(day.chain.head().timestamp + 2 * DAY_SECONDS)
    day.sender.send(HOMES[1], accounts.accept_owner(4))
    relay(HOMES[0], FIRST + 72, 3)
    relay(HOMES[1], FIRST + 72, 3)
    replay, steps = walked(day)
    assert replay.findings == []
    assert replay.counts["orders"] == 4
    assert reasons(steps) == {SkipReason.GATE_CLOSED: 1, SkipReason.BAD_SIGNATURE: 1}


def test_orders_and_nominations_too_far_ahead_wait_until_the_slot_is_near() -> None:
    day = start()
    schedules = Schedules(day.chain, day.deployment.addresses["Schedules"])
    domain = day.auction.domain
    far = FIRST + 12 * 24
    market = Market(COMMUNITY, 0, far, 0)
    order = Order(4, COMMUNITY, 0, far, 0, 50_000, 100, 0, True, 0, 2**40)
    near = slot_start(RULES, far) - 8 * DAY_SECONDS
    # Two transactions a turn, a second apart.
    for moment in (near - 2, near):
        day.chain.set_time(moment)
        wire = order.wire(sign(HOMES[0].secret, order_digest(domain, order)))
        day.sender.send(ADMIN, day.auction.relay_orders(market, wire))
        order = replace(order, nonce=1)
        nomination = Nomination(4, COMMUNITY, 0, far, 1, (100,))
        signature = sign(HOMES[0].secret, nomination_digest(schedules.domain, nomination))
        call = schedules.nominate_batch(COMMUNITY, 0, DAY + 12, nomination.wire(signature))
        day.sender.send(ADMIN, call)
    replay, steps = walked(day)
    assert replay.findings == []
    assert reasons(steps) == {SkipReason.TOO_FAR_AHEAD: 2}
    assert (replay.counts["orders"], replay.counts["nominations"]) == (1, 1)
