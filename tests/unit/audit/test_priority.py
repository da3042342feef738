"""An engine's log, followed by the auditor: an honest one holds, every altered one names the orders."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from otaniemi.contracts.chain.artifacts import explain
from otaniemi.contracts.chain.events import Registered, RulesSet
from otaniemi.contracts.chain.forms.continuous import Cancelled, Fill, Matched, SignedLimit
from otaniemi.contracts.rules.continuous import NO_ENGINE, Receipt
from otaniemi.contracts.rules.signing import recover, sign
from otaniemi.platform.audit.priority import GRACE, PriorityJudge, hidden_orders
from otaniemi.platform.audit.trades import ContinuousFacts, Refusal, Trade
from otaniemi.platform.clock import SimulatedClock
from otaniemi.platform.engine_log import (
    NO_HEAD,
    HeldReceipt,
    LogEntry,
    LogKind,
    Told,
    cancel_digest,
    head_digest,
)
from otaniemi.platform.store import Store

from ...support.limit_chain import COMMUNITY, DOMAIN, LimitChain
from ...support.limit_world import BUY, ENGINE, GATE, NOW, SELL, World
from ...support.rules import HOURLY as RULES

Log = list[Told]
STRANGER = "0x" + "99" * 20


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = Store(tmp_path / "store.db")
    yield World(LimitChain(RULES), store, SimulatedClock(NOW))
    store.close()


def log_of(world: World) -> Log:
    return [
        Told(entry, kept.limit, Receipt(kept.digest, kept.sequence, kept.received_at), kept.receipt)
        if kept
        else Told(entry, None, None, b"")
        for entry, kept in world.service.log(1, 10_000)
    ]


def facts_of(world: World, sender: str = ENGINE.address, now: int = 0) -> ContinuousFacts:
    """What the chain of the world says, as if ``sender`` had brought all of it."""
    facts = ContinuousFacts(DOMAIN, now=now or world.clock.now)
    facts.versions.take(RulesSet(COMMUNITY, 0, RULES))
    for account in range(1, 10):
        facts.keys[account].add(Registered(account, COMMUNITY, world.key(account).address).owner)
    for number, (_, found) in enumerate(world.chain.blocks):
        for event in found:
            if isinstance(event, Matched):
                facts.trades.append(Trade(f"block {number}", NOW, sender, event))
            elif isinstance(event, Cancelled):
                facts.cancelled[event.account, event.nonce] = NOW
    for evidence, (buy, sell, quantity, reason) in world.chain.refused.items():
        error = explain("", reason)
        digests = [one.limit.digest(DOMAIN) for one in (buy, sell)]
        signers = [recover(one.limit.digest(DOMAIN), one.signature) for one in (buy, sell)]
        blamed = error.arguments.get("account", error.arguments.get("order"))
        facts.refusals[evidence] = Refusal(
            sender, digests[0], digests[1], quantity, (signers[0], signers[1]), error.name, blamed
        )
    return facts


def found(log: Log, facts: ContinuousFacts) -> list[str]:
    """What the auditor says of a tale that the engine signed itself."""
    return judged(resigned(log), facts)


def judged(log: Log, facts: ContinuousFacts) -> list[str]:
    judge = PriorityJudge(ENGINE.address, facts)
    judge.judge(log)
    return [str(finding) for finding in judge.findings]


def resigned(log: Log) -> Log:
    """The log with the heads that follow from it, each signed by the engine."""
    head, signed = NO_HEAD, []
    for told in log:
        head = told.entry.head_after(head, told.limit.digest(DOMAIN) if told.limit else b"")
        signature = sign(ENGINE.secret, head_digest(DOMAIN, told.entry.place, head))
        signed.append(changed(told, head=head, signature=signature))
    return signed


def changed(told: Told, **fields: object) -> Told:
    return replace(told, entry=replace(told.entry, **fields))  # type: ignore[arg-type]


def numbered(log: Log) -> Log:
    return [changed(told, place=place) for place, told in enumerate(log, 1)]


Story = tuple[Log, ContinuousFacts]


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Orders 1 and 2 sell, the second at a better price; order 3 buys from 2."""
    store = Store(tmp_path_factory.mktemp("sold") / "store.db")
    world = World(LimitChain(RULES), store, SimulatedClock(NOW))
    world.place(1, SELL, 80_000, 300)
    world.place(2, SELL, 70_000, 300)
    world.place(3, BUY, 90_000, 300)
    world.service.deliver()
    story = log_of(world), facts_of(world)
    store.close()
    return story


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Order 1 sells to order 2, but its account has spent its money."""
    store = Store(tmp_path_factory.mktemp("refused") / "store.db")
    world = World(LimitChain(RULES), store, SimulatedClock(NOW))
    world.place(1, SELL, 70_000, 300)
    world.chain.free[1] = 0
    world.place(2, BUY, 90_000, 300)
    world.service.deliver()
    story = log_of(world), facts_of(world)
    store.close()
    return story


def with_trade(facts: ContinuousFacts, **fields: object) -> ContinuousFacts:
    """The same chain with another first trade."""
    [trade] = facts.trades
    event = replace(trade.event, **fields)  # type: ignore[arg-type]
    return replace(facts, trades=[replace(trade, event=event)])


def test_an_honest_engine_has_nothing_to_fear(world: World) -> None:
    draw = random.Random(5)
    for nonce in range(120):
        account, buy = draw.randint(1, 9), draw.random() < 0.5
        quantity = draw.randint(1, 300)
        least = draw.choice([0, 0, quantity // 2])
        world.place(account, buy, draw.randint(60, 70) * 1_000, quantity, least, nonce)
        world.clock.move_to(world.clock.now + draw.randint(0, 30))
        if nonce % 20 == 7:
            world.chain.free[account] = 0  # spent elsewhere
            world.service.deliver()
            world.chain.free[account] = 10**12
        if nonce % 15 == 3 and world.service.limit(nonce + 1).rest:
            world.service.cancel(
                account, nonce, sign(world.key(account).secret, cancel_digest(DOMAIN, account, nonce))
            )
        if nonce % 30 == 11 and world.service.limit(nonce + 1).rest:
            world.chain.cancel(account, nonce)
        if nonce % 4 == 0:
            world.service.deliver()
    world.service.deliver()
    log, facts = log_of(world), facts_of(world, now=GATE)
    judge = PriorityJudge(ENGINE.address.lower(), facts)
    judge.judge(log)
    assert judge.findings == []
    kinds = {told.entry.kind for told in log}
    assert kinds == set(LogKind)
    assert judge.counts["limit_orders"] == 120
    assert judge.counts["trades"] == len(world.chain.trades) > 40
    assert {told.entry.note for told in log} >= {"rejected", "cancelled", "cancelled on chain"}


def test_an_order_that_was_passed_over_is_named(sold: Story) -> None:
    log, facts = sold
    assert judged(log, facts) == []
    told = [*log[:3], changed(log[3], second=1, price=80_000)]
    assert log[0].limit is not None
    facts = with_trade(facts, sell=log[0].limit.digest(DOMAIN), price=80_000)
    assert found(told, facts) == [
        "engine log entry 4: orders 3 (buy at 90,000) and 1 (sell at 80,000) trade 300 at 80,000, but price and "
        "time give 300 of orders 3 (buy at 90,000) and 2 (sell at 70,000)"
    ]


def test_of_two_at_one_price_the_later_may_not_trade_first(world: World) -> None:
    world.place(1, SELL, 70_000, 300)
    world.place(2, SELL, 70_000, 300)
    world.place(3, BUY, 90_000, 300)
    log = log_of(world)
    log[3] = changed(log[3], second=2)
    [finding, never] = found(log, facts_of(world, now=NOW + GRACE + 1))
    assert "price and time give 300 of orders 3 (buy at 90,000) and 1 (sell at 70,000)" in finding
    assert never.endswith("300 of orders 3 (buy at 90,000) and 2 (sell at 70,000) never came to the chain")


def test_a_trade_that_the_log_does_not_tell_is_found(sold: Story) -> None:
    log, facts = sold
    assert found(log[:3], facts) == [
        "engine log entry 3: comes before a match that price and time give: 300 of orders 3 (buy at 90,000) and 2 "
        "(sell at 70,000)",
        "block 0: orders 3 and 2 of accounts 3 and 2 trade 300, which the engine's log does not tell",
    ]


def test_a_match_has_to_come_to_the_chain(sold: Story) -> None:
    log, facts = sold
    assert found(log, replace(facts, trades=[])) == []
    [finding] = found(log, replace(facts, trades=[], now=NOW + GRACE + 1))
    assert finding == (
        "engine log: 300 of orders 3 (buy at 90,000) and 2 (sell at 70,000) never came to the chain"
    )


def test_a_trade_at_the_midpoint_shows_that_receipts_were_withheld(sold: Story) -> None:
    log, facts = sold
    [finding] = found(log, with_trade(facts, price=80_000))
    assert finding.endswith("trade 300 at 80,000, but the earlier order's limit is 70,000")


def test_a_log_that_its_engine_did_not_sign_may_be_anybodys(sold: Story) -> None:
    log, facts = sold
    forged = [*log[:3], changed(log[3], signature=log[2].entry.signature)]
    assert judged(forged, facts) == [
        f"engine log entry 4: is not signed by engine {ENGINE.address}, so this log may be anybody's"
    ]
    patched = [log[0], changed(log[1], note="patched"), *log[2:]]
    assert judged(patched, facts) == ["engine log entry 2: has another head than the log up to here gives"]


@pytest.mark.parametrize(
    ("alter", "why"),
    [
        (lambda log: log[1:], "comes where entry 1 was due"),
        (lambda log: numbered(log[1:]), "tells order 2 where order 1 was due"),
        (lambda log: [log[1], log[0], *log[2:]], "comes where entry 1 was due"),
        (
            lambda log: [changed(log[0], at=NOW - 1), *log[1:]],
            "holds a receipt of another order, number or time",
        ),
        (lambda log: [*log[:3], changed(log[3], at=NOW - 1)], "before the entry ahead of it"),
        (
            lambda log: [replace(log[0], limit=replace(log[0].limit, price=99_000)), *log[1:]],
            "holds a receipt of another order",
        ),
        (lambda log: [replace(log[0], signature=log[1].signature), *log[1:]], "did not sign"),
        (lambda log: [replace(log[0], limit=None), *log[1:]], "without its terms and receipt"),
        (lambda log: [*log[:3], changed(log[3], quantity=299)], "but price and time give 300"),
        (lambda log: [*log[:3], changed(log[3], first=9)], "cannot be followed"),
        (lambda log: [*log, changed(log[3], place=5)], "but nothing was due"),
    ],
)
def test_an_altered_log_is_found(sold: Story, alter: Callable[[Log], Log], why: str) -> None:
    log, facts = sold
    assert any(why in finding for finding in found(alter(log), facts))


def removal(log: Log, note: str, evidence: bytes) -> Told:
    """Order 1 leaves."""
    entry = LogEntry(len(log) + 1, NOW, LogKind.REMOVED, 1, None, None, None, note, evidence)
    return Told(entry, None, None, b"")


def test_nobody_leaves_without_a_reason_that_shows(world: World) -> None:
    world.place(1, SELL, 70_000, 300, nonce=3)
    log, facts = log_of(world), facts_of(world)
    word = cancel_digest(DOMAIN, 1, 3)
    own, foreign = (sign(world.key(account).secret, word) for account in (1, 2))
    assert found([*log, removal(log, "cancelled", own)], facts) == []
    for note, evidence in (
        ("cancelled", foreign),
        ("cancelled on chain", b""),
        ("rejected", bytes(36)),
        ("no reason", b""),
    ):
        [finding] = found([*log, removal(log, note, evidence)], facts)
        assert f"takes out order 1 (sell at 70,000) as '{note}', which nothing shows" in finding


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"sender": STRANGER}, "takes out order 1 (sell at 70,000) as 'rejected'"),
        ({"reason": ""}, "takes out order 1 (sell at 70,000) as 'rejected'"),
        ({"reason": "NotCrossing"}, "takes out order 1 (sell at 70,000) as 'rejected'"),
        ({"blamed": 2}, "takes out order 1 (sell at 70,000) as 'rejected'"),
        ({"reason": "NotSigned", "signers": (STRANGER, STRANGER)}, "takes out order 1"),
        ({"reason": "QuantityOutOfRange"}, "takes out order 1"),
        ({"reason": ""}, "and 1 (sell at 70,000) by a refusal that the batch is to blame for: ''"),
        ({"reason": "GateClosed"}, "by a refusal that the batch is to blame for: 'GateClosed'"),
        (
            {"quantity": 299},
            "undoes 300 of orders 2 (buy at 90,000) and 1 (sell at 70,000), which the chain did not",
        ),
    ],
)
def test_a_refusal_of_the_engines_own_making_is_no_reason(
    refused: Story, change: dict[str, object], why: str
) -> None:
    log, facts = refused
    assert judged(log, facts) == []
    [(evidence, refusal)] = facts.refusals.items()
    altered = replace(facts, refusals={evidence: replace(refusal, **change)})  # type: ignore[arg-type]
    assert any(why in finding for finding in found(log, altered))


def test_a_match_is_undone_once(refused: Story) -> None:
    log, facts = refused
    assert log[-1].entry.kind is LogKind.UNDONE
    findings = found([*log, changed(log[-1], place=len(log) + 1)], facts)
    assert any("by a refusal that undid a match before" in finding for finding in findings)
    assert any("which the log does not tell" in finding for finding in findings)


def test_trades_of_others_are_not_the_engines(world: World) -> None:
    buy, sell = (replace(world.limit(account, side, 75_000, 300), engine=NO_ENGINE)
                 for account, side in ((2, BUY), (3, SELL)))  # fmt: skip
    world.chain.bring([SignedLimit(buy, b""), SignedLimit(sell, b"")], [Fill(0, 1, 100)], NOW)
    world.place(1, SELL, 70_000, 300)
    assert found(log_of(world), facts_of(world, sender=STRANGER)) == []
    [untold] = found(log_of(world), facts_of(world))
    assert "which the engine's log does not tell" in untold


def test_a_receipt_that_a_home_kept_shows_an_order_that_was_hidden(world: World) -> None:
    kept = [world.place(account, SELL, 70_000, 300).kept for account in (1, 2)]
    log = log_of(world)
    held = [HeldReceipt(one.limit, one.sequence, one.received_at, one.receipt) for one in kept]
    judge = PriorityJudge(ENGINE.address, facts_of(world))
    judge.judge(log)
    assert list(hidden_orders(judge, DOMAIN, held)) == []
    shorter = PriorityJudge(ENGINE.address, facts_of(world))
    shorter.judge(log[:1])
    [finding] = hidden_orders(shorter, DOMAIN, held)
    assert finding.where == "receipt for limit order 2 of account 2"
    forged = replace(held[1], signature=held[0].signature)
    later = replace(held[1], received_at=NOW + 1)
    assert list(hidden_orders(shorter, DOMAIN, [forged, later])) == []
