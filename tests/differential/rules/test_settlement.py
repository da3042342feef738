"""A day on the chain from orders to credits, against the rules: roots, lines, challenges, balances."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pytest

from otaniemi.contracts.chain.bindings import Oracle, Schedules, Settlement
from otaniemi.contracts.chain.events import (
    BillsFinal,
    BillsProposed,
    BillsVoided,
    Credited,
    Debited,
    Event,
    MetersReported,
    NominationsAccepted,
    OrdersAccepted,
    PartiesPaid,
    TariffReported,
    Voided,
)
from otaniemi.contracts.chain.evidence import evidence_of, neighbours_of
from otaniemi.contracts.rules import calendar, signing
from otaniemi.contracts.rules.bills import Bills, DayFacts, bill_day, bills_of
from otaniemi.contracts.rules.clearing import Clearing, clear, fill_root, void
from otaniemi.contracts.rules.ledger import Ledger
from otaniemi.contracts.rules.lines import Line, Reference
from otaniemi.contracts.rules.meters import MeterLeaf, meter_report
from otaniemi.contracts.rules.orders import Book, Market
from otaniemi.contracts.rules.payout import pay_out
from otaniemi.contracts.rules.resume import START
from otaniemi.contracts.rules.schedules import Nomination, batch_root
from otaniemi.contracts.rules.tariffs import Feed, TariffReport

DAYS_AHEAD = 6
_E = TypeVar("_E", bound=Event)
CONTENT = b"\xcc" * 32


@dataclass
class Day:
    """A day that is over, with everything reported, and its honest bills."""

    facts: DayFacts
    bills: Bills
    settlement: Settlement


@pytest.fixture(scope="module")
def day(town: Any) -> Day:
    """Random orders, nominations, prices and meters of one trading day, put on the chain in time."""
    draw = random.Random(11)
    rules, community = town.rules, town.deployment.community
    number = calendar.day_at(rules, town.chain.head().timestamp) + DAYS_AHEAD
    slots = calendar.slots_of_day(rules, number)
    retail = tuple((draw.randint(100_000, 400_000), draw.randint(-20_000, 90_000)) for _ in slots)
    _report_tariff(town, TariffReport(community, Feed.RETAIL, number, retail))
    markets = _trade(town, draw, slots)
    batches = [_nominate(town, draw, number, slots, seq) for seq in (1, 2)]
    forgotten = max(markets)
    by_gate = sorted(markets, key=lambda market: calendar.direct_gate(rules, market.slot, market.session))
    cleared = {m: _clear(town, m, *markets[m]) for m in by_gate if m != forgotten}
    town.chain.set_time(calendar.slot_end(rules, slots[-1]))
    cleared[forgotten] = _void(town, forgotten, *markets[forgotten])
    meters = {(0, slot): _report_meters(town, draw, slot) for slot in slots}
    imbalance = tuple((draw.randint(0, 600_000), draw.randint(-50_000, 200_000)) for _ in slots)
    _report_tariff(town, TariffReport(community, Feed.IMBALANCE, number, imbalance))
    town.chain.set_time(calendar.bills_due(rules, number))
    facts = DayFacts(rules, community, number, cleared, {0: batches}, meters, retail, imbalance)
    return Day(facts, bill_day(facts), Settlement(town.chain, town.address("Settlement")))


def _trade(town: Any, draw: random.Random, slots: range) -> dict[Market, tuple[Book, list[int]]]:
    markets = {}
    for slot in (*slots[::3], slots[8], slots[-1]):
        for session in range(2):
            market = Market(town.deployment.community, 0, slot, session)
            rows = [
                (
                    draw.choice(list(town.homes)),
                    draw.random() < 0.5,
                    draw.randint(-50_000, 300_000),
                    draw.randint(1, 5_000),
                    draw.randint(0, 4),
                )
                for _ in range(draw.randint(4, 9))
            ]
            records, sizes = b"", []
            for part in (rows[:3], rows[3:]):
                (event,) = town.send(town.auction.relay_orders(market, town.wire(market, part)))
                assert isinstance(event, OrdersAccepted)
                records += event.records
                sizes.append(len(part))
            markets[market] = Book.of_records(records), sizes
    return markets


def _nominate(town: Any, draw: random.Random, number: int, slots: range, seq: int) -> list[Nomination]:
    schedules = Schedules(town.chain, town.address("Schedules"))
    community = town.deployment.community
    batch = [
        Nomination(
            account, community, 0, slots[start], seq, tuple(draw.choices(range(-6_000, 6_000), k=24 - start))
        )
        for account, start in zip(draw.sample(list(town.homes), k=4), (0, 3, 7, 8), strict=True)
    ]
    wire = b"".join(
        nomination.wire(
            signing.sign(
                town.homes[nomination.account].secret, signing.nomination_digest(schedules.domain, nomination)
            )
        )
        for nomination in batch
    )
    (event,) = town.send(schedules.nominate_batch(community, 0, number, wire))
    assert isinstance(event, NominationsAccepted)
    assert event.entries == b"".join(nomination.entry() for nomination in batch)
    assert schedules.batch_of(community, 0, number, event.batch) == (batch_root(batch), len(batch))
    return batch


def _signatures(town: Any, digest: bytes) -> bytes:
    return b"".join(signing.sign(key.secret, digest) for key in town.reporters[:2])


def _report_tariff(town: Any, report: TariffReport) -> None:
    oracle = Oracle(town.chain, town.address("Oracle"))
    digest = signing.tariff_digest(oracle.domain, report)
    (event,) = town.send(oracle.report_tariff(report, _signatures(town, digest)))
    assert isinstance(event, TariffReported)
    assert event.prices == report.packed_prices()
    assert oracle.tariff_hash(report.community, report.feed, report.day) == report.hash()


def _report_meters(town: Any, draw: random.Random, slot: int) -> list[MeterLeaf]:
    oracle = Oracle(town.chain, town.address("Oracle"))
    estimated = draw.choice(list(town.homes))
    leaves = [
        MeterLeaf(
            account, draw.randint(0, 5_000), 0 if account == estimated else draw.randint(0, 5_000),
            int(account == estimated), draw.randbytes(32),
        )
        for account in town.homes
    ]  # fmt: skip
    report = meter_report(town.deployment.community, 0, slot, leaves)
    digest = signing.meter_digest(oracle.domain, report)
    (event,) = town.send(oracle.report_meters(report, _signatures(town, digest)))
    assert isinstance(event, MetersReported)
    assert oracle.meter_root(report.community, 0, slot) == report
    return leaves


def _clear(town: Any, market: Market, book: Book, sizes: list[int]) -> tuple[Book, Clearing]:
    result = clear(book, town.rules.price_min, town.rules.price_max)
    gate = calendar.direct_gate(town.rules, market.slot, market.session)
    town.chain.set_time(max(gate, town.chain.head().timestamp + 1))
    town.send(town.auction.clear(market, result.lo, result.hi, book.records(), sizes))
    return book, result


def _void(town: Any, market: Market, book: Book, sizes: list[int]) -> tuple[Book, Clearing]:
    nothing = void(book)
    (event,) = town.send(town.auction.void_slot(market, START, book.records(), sizes))
    assert event == Voided(market, len(book), fill_root(book, nothing))
    return book, nothing


def _only(kind: type[_E], events: Iterable[Event]) -> _E:
    (event,) = [event for event in events if isinstance(event, kind)]
    return event


def _propose(town: Any, day: Day, bills: Bills) -> int:
    events = town.send(day.settlement.propose_bills(bills, town.rules.retailer, CONTENT))
    proposed = _only(BillsProposed, events)
    assert (proposed.root, proposed.sums) == bills.root
    return proposed.id


def _challenge(town: Any, day: Day, number: int, bills: Bills, line: Line) -> Any:
    proof = bills.line_proof(line.account, line.product, line.slot)
    evidence = evidence_of(day.facts, line)
    return day.settlement.challenge_line(number, line, proof, evidence, town.rules.platform)


def _busy(
    bills: Bills, wanted: Callable[[Line], object] = lambda line: line.seq and len(line.references) > 1
) -> Line:
    return next(line for line in bills.lines if wanted(line))


def test_no_honest_line_can_be_refuted(town: Any, day: Day) -> None:
    number = _propose(town, day, day.bills)
    kinds = defaultdict(int)
    for line in day.bills.lines:
        kind = bool(line.seq), line.quality, min(len(line.references), 2)
        kinds[kind] += 1
        if kinds[kind] <= 4:
            assert town.refusal(_challenge(town, day, number, day.bills, line)) == "LineHolds"
    assert len(kinds) == 12  # nominated or not, estimated or not, with none, one and more orders


ALTERATIONS: dict[str, Callable[[Line], Line]] = {
    "retail": lambda line: replace(line, retail=line.retail - 1),
    "imbalance": lambda line: replace(line, imbalance=line.imbalance + 1),
    "both legs": lambda line: replace(line, retail=line.retail + 1, imbalance=line.imbalance - 1),
    "grid fee": lambda line: replace(line, grid_fee=line.grid_fee + 1),
    "platform fee": lambda line: replace(line, platform_fee=line.platform_fee - 1),
    "meter": lambda line: replace(line, meter_wh=line.meter_wh + 1),
    "quality": lambda line: replace(line, quality=1 - line.quality),
    "schedule": lambda line: replace(line, schedule_wh=line.schedule_wh - 1),
    "sequence": lambda line: replace(line, seq=line.seq + 1),
    "nomination of another": lambda line: replace(line, leaf=(line.leaf + 1) % 4),
    "nomination that does not exist": lambda line: replace(line, batch=9),
    "leaf that does not exist": lambda line: replace(line, leaf=400),
    "nomination left out": lambda line: replace(line, seq=0, batch=0, leaf=0, schedule_wh=line.trade_wh),
    "place without sequence": lambda line: replace(line, seq=0, batch=0, leaf=1),
    "fill": lambda line: replace(
        line, references=(replace(line.references[0], fill=line.references[0].fill + 1), *line.references[1:])
    ),
    "order of another": lambda line: replace(
        line,
        references=(replace(line.references[0], index=line.references[0].index ^ 1), *line.references[1:]),
    ),
    "order that does not exist": lambda line: replace(
        line, references=(*line.references, Reference(session=1, index=4_000, fill=0))
    ),
    "session that does not exist": lambda line: replace(
        line, references=(*line.references, Reference(session=7, index=0, fill=0))
    ),
    "references out of order": lambda line: replace(line, references=line.references[::-1]),
    "an order left out": lambda line: replace(line, references=line.references[1:]),
    "an order twice": lambda line: replace(line, references=(line.references[0], *line.references)),
}


@pytest.mark.parametrize("what", ALTERATIONS)
def test_an_altered_line_voids_the_bills(town: Any, day: Day, what: str) -> None:
    honest = _busy(day.bills)
    altered = ALTERATIONS[what](honest)
    assert altered != honest
    bills = bills_of(town.rules, day.bills.community, day.bills.day, [
        altered if line is honest else line for line in day.bills.lines
    ])  # fmt: skip
    number = _propose(town, day, bills)
    bystander = next(line for line in bills.lines if line.account != altered.account)
    assert town.refusal(_challenge(town, day, number, bills, bystander)) == "LineHolds"
    event = _only(BillsVoided, town.send(_challenge(town, day, number, bills, altered)))
    assert (event.id, event.account) == (number, altered.account)


def test_offsetting_false_trades_fall_to_either_line(town: Any, day: Day) -> None:
    first = _busy(day.bills)
    second = _busy(day.bills, lambda line: line.account != first.account and line.references)
    false = {
        first: replace(first, trade_money=first.trade_money - 5, lock_release=first.lock_release + 7),
        second: replace(second, trade_money=second.trade_money + 5, lock_release=second.lock_release - 7),
    }
    lines = [false.get(line, line) for line in day.bills.lines]
    bills = bills_of(town.rules, day.bills.community, day.bills.day, lines)
    number = _propose(town, day, bills)
    for line in false.values():
        assert town.refusal(_challenge(town, day, number, bills, line)) is None
    town.send(_challenge(town, day, number, bills, false[second]))


def test_bills_whose_trades_or_locks_do_not_add_up_cannot_be_proposed(town: Any, day: Day) -> None:
    honest = _busy(day.bills)
    for altered, error in (
        (replace(honest, trade_wh=honest.trade_wh + 1), "TradesNotZero"),
        (replace(honest, trade_money=honest.trade_money + 1), "TradesNotZero"),
        (replace(honest, lock_release=honest.lock_release + 1), "LocksMismatch"),
    ):
        lines = [altered if line is honest else line for line in day.bills.lines]
        bills = bills_of(town.rules, day.bills.community, day.bills.day, lines)
        assert town.refusal(day.settlement.propose_bills(bills, town.rules.retailer, CONTENT)) == error


def test_a_false_proof_of_inclusion_is_refused(town: Any, day: Day) -> None:
    number = _propose(town, day, day.bills)
    line = replace(_busy(day.bills), retail=0)
    assert town.refusal(_challenge(town, day, number, day.bills, line)) == "RootMismatch"


def _invented(day: Day, account: int, product: int = 0) -> Line:
    """A line that takes a euro from somebody who has no meter there."""
    nothing = dict.fromkeys(("trade_wh", "trade_money", "seq", "batch", "leaf", "schedule_wh", "meter_wh"), 0)
    money = dict.fromkeys(("retail", "grid_fee", "platform_fee", "lock_release"), 0)
    slot = day.bills.first_slot + 5
    return Line(
        account=account,
        product=product,
        slot=slot,
        quality=0,
        imbalance=10**9,
        references=(),
        **nothing,
        **money,
    )


@pytest.mark.parametrize("where", ["before all", "after all"])
def test_a_line_without_a_meter_voids_the_bills(town: Any, day: Day, where: str) -> None:
    accounts = [leaf.account for leaf in day.facts.meters[0, day.bills.first_slot + 5]]
    line = _invented(day, min(accounts) - 1 if where == "before all" else max(accounts) + 1)
    bills = bills_of(town.rules, day.bills.community, day.bills.day, [*day.bills.lines, line])
    number = _propose(town, day, bills)
    proof = bills.line_proof(line.account, line.product, line.slot)
    shown = neighbours_of(day.facts, line)
    call = day.settlement.challenge_unmetered(number, line, proof, shown, town.rules.platform)
    assert _only(BillsVoided, town.send(call)).account == line.account


def test_no_metered_line_can_be_called_unmetered(town: Any, day: Day) -> None:
    number = _propose(town, day, day.bills)
    leaves = day.facts.meters[0, day.bills.first_slot + 5]
    for index, leaf in enumerate(leaves):
        with pytest.raises(LookupError):
            neighbours_of(day.facts, _invented(day, leaf.account))
        line = next(
            line
            for line in day.bills.lines
            if (line.account, line.slot) == (leaf.account, day.bills.first_slot + 5)
        )
        proof = day.bills.line_proof(line.account, line.product, line.slot)
        beside = {leaves[max(index - 1, 0)].account, leaves[min(index + 1, len(leaves) - 1)].account}
        first, last = (
            neighbours_of(day.facts, _invented(day, account)) for account in (1, max(beside) + 10**6)
        )
        for shown in (first, last, (*first, *last), (*last, *first)):
            call = day.settlement.challenge_unmetered(number, line, proof, shown, town.rules.platform)
            assert town.refusal(call) == "LineHolds"


def test_a_line_of_a_product_that_is_not_traded_voids_the_bills(town: Any, day: Day) -> None:
    honest = day.bills.lines[0]
    line = _invented(day, honest.account, product=3)
    bills = bills_of(town.rules, day.bills.community, day.bills.day, [*day.bills.lines, line])
    number = _propose(town, day, bills)
    proof = bills.line_proof(line.account, 3, line.slot)
    call = day.settlement.challenge_line(
        number, line, proof, evidence_of(day.facts, honest), town.rules.platform
    )
    assert _only(BillsVoided, town.send(call)).account == honest.account


def test_bills_without_accounts_carry_no_sums(town: Any, day: Day) -> None:
    sums = day.bills.root.sums
    arguments = (
        day.bills.community,
        day.bills.day,
        town.rules.retailer,
        day.bills.root.hash,
        sums,
        0,
        CONTENT,
    )
    call = day.settlement._call("settle", "proposeBills", *arguments)
    assert town.refusal(call) == "RootMismatch"


def test_final_bills_move_exactly_the_money_of_the_rules(town: Any, day: Day) -> None:
    bills, settlement = day.bills, day.settlement
    number = _propose(town, day, bills)
    euro = town.euro
    parties = (town.rules.retailer, town.rules.grid_operator, town.rules.platform)
    calls = [euro.mint(town.keeper.address, 3 * 10**9), euro.approve(town.address("Accounts"), 3 * 10**9)]
    calls += [town.accounts.deposit(party, 10**9) for party in parties]
    town.sender.send_all([(town.keeper, call) for call in calls])
    _impoverish(town, next(bill.account for bill in bills.accounts if bill.sums.due > 10**7))

    town.chain.set_time(town.chain.head().timestamp + town.rules.bill_window + 1)
    accounts = (*parties, *town.homes)
    final = _only(BillsFinal, town.send(settlement.finalise(number)))
    pot = town.accounts.pot_of(settlement.address) - final.released
    ledger = Ledger()
    for account in accounts:
        ledger.deposit(account, town.accounts.free_of(account))
    ledger.locks[bills.community, bills.day] = final.released
    payout = pay_out(ledger, "Settlement", town.rules, bills)

    debits, credits = [], []
    for chunk in bills.chunks(2):
        event = _only(Debited, town.send(settlement.debit(number, chunk)))
        debits += [(e.account, e.taken, e.retail_claim, e.operator_claim) for e in event.entries]
    paid = _only(PartiesPaid, town.send(settlement.pay_parties(number, bills.root)))
    for chunk in bills.chunks(1):
        received = _only(Credited, town.send(settlement.credit(number, chunk)))
        credits += [(e.account, e.nano) for e in received.entries]

    assert debits == [(d.account, d.taken, d.retail_claim, d.operator_claim) for d in payout.debits]
    assert any(d.retail_claim or d.operator_claim for d in payout.debits)  # someone could not pay
    expected = payout.retailer, payout.grid_operator, payout.platform
    assert (paid.retailer, paid.grid_operator, paid.platform) == expected
    assert tuple(credits) == payout.credits
    assert {account: town.accounts.free_of(account) for account in accounts} == dict(ledger.free)
    assert town.accounts.pot_of(settlement.address) == pot
    assert 1_000 * euro.balance_of(town.address("Accounts")) == town.accounts.owed()


def _impoverish(town: Any, account: int) -> None:
    """Leave the account almost nothing, so that its debit falls short."""
    key = town.homes[account]
    town.sender.fund(town.keeper, [key.address], 10**18)
    free = town.accounts.free_of(account)
    town.sender.send(key, town.accounts.request_withdrawal(account, free - 5_000))
