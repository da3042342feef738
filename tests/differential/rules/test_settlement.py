"""A day on the chain from orders to credits, against the rules: roots, lines, challenges, balances."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pytest

from otaniemi.contracts.chain.billing import Court, Settlement
from otaniemi.contracts.chain.bindings import Oracle, Positions, Schedules
from otaniemi.contracts.chain.events import (
    Answered,
    BillsFinal,
    BillsProposed,
    BillsVoided,
    Credited,
    Curtailed,
    Debited,
    Demanded,
    Event,
    MetersReported,
    NominationsAccepted,
    OrdersAccepted,
    PartiesPaid,
    PositionOpened,
    TariffReported,
    Voided,
    VoidReason,
)
from otaniemi.contracts.chain.evidence import evidence_of, meter_of, neighbours_of, record_behind
from otaniemi.contracts.chain.forms.packages import PricePackages, replay
from otaniemi.contracts.chain.refutation import (
    AbsentChallenge,
    Challenge,
    Demand,
    LineChallenge,
    OrderChallenge,
    ReferenceChallenge,
    SumChallenge,
    UnmeteredChallenge,
    refutation,
)
from otaniemi.contracts.rules import calendar, signing
from otaniemi.contracts.rules.bills import Bills, DayFacts, bill_day, bills_of
from otaniemi.contracts.rules.clearing import Clearing, clear, fill_root, void
from otaniemi.contracts.rules.ledger import Ledger
from otaniemi.contracts.rules.lines import Line
from otaniemi.contracts.rules.merkle_sum import Node
from otaniemi.contracts.rules.meters import MeterLeaf, meter_report
from otaniemi.contracts.rules.openings import Opening, Stage, open_root, preimages
from otaniemi.contracts.rules.orders import Book, Market, lock
from otaniemi.contracts.rules.packages import HomePackages
from otaniemi.contracts.rules.payout import pay_out
from otaniemi.contracts.rules.positions import Agreement, Position, chain_of
from otaniemi.contracts.rules.price_packages import Band, PackageBook, PackageTerms
from otaniemi.contracts.rules.references import Reference, decode_place
from otaniemi.contracts.rules.resume import START
from otaniemi.contracts.rules.schedules import Nomination, batch_root
from otaniemi.contracts.rules.sums import Sums
from otaniemi.contracts.rules.tariffs import Feed, TariffReport

from ...support.forgery import Forger, flipped

DAYS_AHEAD = 6
_E = TypeVar("_E", bound=Event)
CONTENT = b"\xcc" * 32
CURTAILED = {3: 333, 8: 999, 12: 0}
"""Permille that remain of hours of the day."""


@dataclass
class Day:
    """A day that is over, with everything reported, and its honest bills."""

    facts: DayFacts
    bills: Bills
    settlement: Settlement
    court: Court


@pytest.fixture(scope="module")
def day(town: Any) -> Day:
    """Random orders, nominations, prices and meters of one trading day, put on the chain in time."""
    draw = random.Random(11)
    rules, community = town.rules, town.deployment.community
    number = calendar.day_at(rules, town.chain.head().timestamp) + DAYS_AHEAD
    slots = calendar.slots_of_day(rules, number)
    retail = tuple((draw.randint(100_000, 400_000), draw.randint(-20_000, 90_000)) for _ in slots)
    _report_tariff(town, TariffReport(community, Feed.RETAIL, number, retail))
    spot = tuple((draw.randint(-30_000, 300_000), 0) for _ in slots)
    _report_tariff(town, TariffReport(community, Feed.REFERENCE, number, spot))
    book = _subscribe(town, number)
    markets = _trade(town, draw, slots)
    opened = [_agree(town, draw, number, slots, deal) for deal in range(8)]
    curtailments = {(0, slots[at]): _curtail(town, slots[at], permille) for at, permille in CURTAILED.items()}
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
    positions: defaultdict[tuple[int, int], list[Position]] = defaultdict(list)
    for agreement in opened:
        positions[0, agreement.buyer].append(agreement.side(buy=True))
        positions[0, agreement.seller].append(agreement.side(buy=False))
    facts = DayFacts(
        rules, community, number, cleared, {0: batches}, meters, retail, imbalance,
        reference=spot, positions=positions, curtailments=curtailments,
        packages=_packages(town, book, number, [price for price, _ in spot]),
    )  # fmt: skip
    settlement = Settlement(town.chain, town.address("Settlement"))
    return Day(facts, bill_day(facts), settlement, Court(town.chain, town.address("Court")))


def _subscribe(town: Any, number: int) -> PackageBook:
    """Most homes take a package of little energy, some feed in at a price that follows the spot market."""
    contract, book = PricePackages(town.chain, town.address("PricePackages")), PackageBook(lambda _: retailer)
    retailer, community, names = town.rules.retailer, town.deployment.community, bytes(32)
    for feed_in, bands, volume in (
        (False, (Band(9, 90_000), Band(24, 320_000)), 700),
        (True, (Band(24, 15_000),), 0),
    ):
        terms = PackageTerms(
            community, 0, feed_in, feed_in, bands, volume, 9, number - 1, number, 30_000_000, 1, 500, names
        )
        for event in town.send(contract.publish(terms)):
            replay(book, event)
    town.sender.fund(town.keeper, [key.address for key in town.homes.values()], 10**18)
    for place, (account, key) in enumerate(town.homes.items()):
        for package in [1, 2][place % 3 == 0 : 1 + (place % 2)]:
            receipt = town.sender.send(key, contract.subscribe(account, package, number - 1))
            for event in town.events(receipt):
                replay(book, event)
    return book


def _packages(
    town: Any, book: PackageBook, number: int, spot: list[int]
) -> dict[tuple[int, int, int], HomePackages]:
    contract = PricePackages(town.chain, town.address("PricePackages"))
    first, found = calendar.first_slot(town.rules, number), {}
    for account in town.homes:
        for at, price in enumerate(spot):
            prices = book.prices_at(account, 0, number, at, price)
            if at % 8 == 0:
                assert contract.prices_at(town.deployment.community, account, 0, number, at, price) == prices
            found[0, account, first + at] = prices
    assert len({prices[:2] for prices in found.values()}) > 30
    return found


def _agree(town: Any, draw: random.Random, number: int, slots: range, deal: int) -> Agreement:
    """An agreement over consecutive hours, recorded as the contract says."""
    buyer, seller = draw.sample(list(town.homes), k=2)
    slot = draw.choice(slots[:20])
    wh = (*draw.choices([0, 150, 299], k=deal % 4), draw.randint(1, 400))
    price = draw.randint(-50_000, 300_000)
    agreement = Agreement(buyer, seller, draw.randint(1, 6), deal, price, draw.randint(0, 4), slot, wh)
    contract, community = Positions(town.chain, town.address("Positions")), town.deployment.community
    before = town.accounts.lock_total(community, number)
    a = agreement
    struct = (community, 0, buyer, seller, a.form, deal, price, a.source, slot, list(wh))
    event = _only(PositionOpened, town.send(contract._call("open", "open", struct)))
    assert (event.day, event.agreement) == (number, agreement)
    locked = sum(lock(town.rules, buy, price, sum(wh)) for buy in (False, True))
    assert town.accounts.lock_total(community, number) == before + locked
    return agreement


def _curtail(town: Any, slot: int, permille: int) -> int:
    contract, community = Positions(town.chain, town.address("Positions")), town.deployment.community
    event = _only(Curtailed, town.send(contract.curtail(community, 0, slot, permille, "a line is down")))
    assert (event.slot, event.permille) == (slot, permille)
    assert contract.remaining(community, 0, slot) == permille
    return permille


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
                    draw.randint(1, 1_500),
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


def _refute(day: Day, root: Node, count: int, known: Mapping[bytes, bytes]) -> Challenge:
    found = refutation(day.facts, day.bills, root, count, known)
    assert found is not None
    assert not isinstance(found, Demand)
    return found


def _voids(town: Any, day: Day, bills: Bills, reason: VoidReason) -> None:
    """Propose false bills, and void them by what the search finds."""
    number = _propose(town, day, bills)
    found = _refute(day, bills.root, len(bills.accounts), preimages(bills, besides=day.bills))
    event = _only(BillsVoided, town.send(day.court.challenge(number, found, town.rules.platform)))
    assert (event.id, event.reason) == (number, reason)


def _with(day: Day, honest: Line, *lines: Line) -> Bills:
    """The day's bills with other lines in place of one."""
    return _bills(day, [line for line in day.bills.lines if line != honest] + list(lines))


def _bills(day: Day, lines: Iterable[Line]) -> Bills:
    return bills_of(day.facts.rules, day.facts.community, day.facts.day, lines)


def _busy(
    bills: Bills, wanted: Callable[[Line], object] = lambda line: line.seq and len(line.references) > 2
) -> Line:
    return next(line for line in bills.lines if wanted(line))


def test_positions_stand_in_the_chain_that_the_rules_compute(town: Any, day: Day) -> None:
    contract = Positions(town.chain, town.address("Positions"))
    for account in town.homes:
        expected = chain_of(day.facts.positions.get((0, account), ()))
        assert contract.chain_of(day.facts.community, 0, account, day.facts.day) == expected
    assert contract.curtailed_slots(day.facts.community, day.facts.day) == len(CURTAILED)


def _openings(bills: Bills) -> Iterator[Opening]:
    """Every node of bills, from the root down."""
    known = preimages(bills)
    pending = [open_root(bills.root, len(bills.accounts), 24)]
    while pending:
        opening = pending.pop()
        yield opening
        if not opening.is_empty and opening.stage != Stage.END:
            pending += opening.open(known[opening.node.hash])


def test_no_node_of_honest_bills_can_be_refuted(town: Any, day: Day) -> None:
    number, court, platform = _propose(town, day, day.bills), day.court, town.rules.platform
    known, kinds = preimages(day.bills), Counter[object]()

    def holds(found: Challenge) -> None:
        assert town.refusal(court.challenge(number, found, platform)) == "ClaimHolds"

    for opening in _openings(day.bills):
        line = opening.line
        kinds[opening.stage] += 1
        if opening.stage != Stage.END and kinds[opening.stage] % 7 == 1:
            holds(SumChallenge(opening.path, b"" if opening.is_empty else known[opening.node.hash]))
        if opening.stage == Stage.END and opening.reference:
            assert line is not None
            *place, _ = decode_place(opening.reference)
            kind = place[0], line.slot in {slot for _, slot in day.facts.curtailments}
            kinds[kind] += 1
            if kinds[kind] <= 5:
                behind = record_behind(day.facts, line.account, 0, line.slot, tuple(place))
                holds(ReferenceChallenge(opening.path, behind))
        if line is not None and not opening.reference and opening.index == 0:
            what = bool(line.seq), line.quality, min(line.reference_count, 2)
            kinds[what] += 1
            if kinds[what] <= 3:
                holds(LineChallenge(opening.path, evidence_of(day.facts, line)))
    assert sum(len(str(kind)) > 0 for kind in kinds) == 7 + 4 + 12  # stages, references, lines of every kind


def test_neighbours_of_honest_bills_ascend_and_nobody_is_missing(town: Any, day: Day) -> None:
    number, court, platform = _propose(town, day, day.bills), day.court, town.rules.platform
    opened = {
        opening.account_index: opening
        for opening in _openings(day.bills)
        if opening.account and opening.line is None and opening.height == opening.depth
    }
    slot = day.bills.first_slot + 5
    for index in range(len(opened) - 1):
        first, second = opened[index].path, opened[index + 1].path
        assert town.refusal(court.challenge(number, OrderChallenge(first, second), platform)) == "ClaimHolds"
        account = opened[index].account
        meter = meter_of(day.facts, account, 0, slot)
        for paths in ((first,), (first, second)):
            absent = AbsentChallenge(paths, account, 0, slot, meter)
            assert town.refusal(court.challenge(number, absent, platform)) == "ClaimHolds"
        backwards = OrderChallenge(second, first)
        assert town.refusal(court.challenge(number, backwards, platform)) == "InvalidEvidence"


ALTERATIONS: dict[str, tuple[VoidReason, Callable[[Line], Line]]] = {
    "retail": (VoidReason.LINE, lambda line: replace(line, retail=line.retail - 1)),
    "imbalance": (VoidReason.LINE, lambda line: replace(line, imbalance=line.imbalance + 1)),
    "both legs": (
        VoidReason.LINE,
        lambda line: replace(line, retail=line.retail + 1, imbalance=line.imbalance - 1),
    ),
    "grid fee": (VoidReason.SUM, lambda line: replace(line, grid_fee=line.grid_fee + 1)),
    "platform fee": (VoidReason.SUM, lambda line: replace(line, platform_fee=line.platform_fee - 1)),
    "meter": (VoidReason.LINE, lambda line: replace(line, meter_wh=line.meter_wh + 1)),
    "quality": (VoidReason.LINE, lambda line: replace(line, quality=1 - line.quality)),
    "schedule": (VoidReason.LINE, lambda line: replace(line, schedule_wh=line.schedule_wh - 1)),
    "sequence": (VoidReason.LINE, lambda line: replace(line, seq=line.seq + 1)),
    "nomination of another": (VoidReason.LINE, lambda line: replace(line, leaf=(line.leaf + 1) % 4)),
    "nomination that does not exist": (VoidReason.LINE, lambda line: replace(line, batch=9)),
    "leaf that does not exist": (VoidReason.LINE, lambda line: replace(line, leaf=400)),
    "nomination left out": (
        VoidReason.LINE,
        lambda line: replace(line, seq=0, batch=0, leaf=0, schedule_wh=line.trade_wh),
    ),
    "place without sequence": (VoidReason.LINE, lambda line: replace(line, seq=0, batch=0, leaf=1)),
    "fill": (VoidReason.REFERENCE, lambda line: _first(line, fill=line.references[0].fill + 1)),
    "order of another": (VoidReason.REFERENCE, lambda line: _first(line, index=line.references[0].index ^ 1)),
    "order that does not exist": (VoidReason.REFERENCE, lambda line: _more(line, chain=1, index=4_000)),
    "session that does not exist": (VoidReason.REFERENCE, lambda line: _more(line, chain=7)),
    "session beyond a byte": (VoidReason.REFERENCE, lambda line: _more(line, chain=300)),
    "position that does not exist": (VoidReason.REFERENCE, lambda line: _more(line, kind=1, index=600)),
    "position of no chain": (VoidReason.REFERENCE, lambda line: _more(line, kind=1, chain=1)),
    "kind that does not exist": (VoidReason.REFERENCE, lambda line: _more(line, kind=2)),
    "references out of order": (
        VoidReason.ORDER,
        lambda line: replace(line, references=line.references[::-1]),
    ),
    "an order left out": (VoidReason.SUM, lambda line: replace(line, references=line.references[1:])),
    "an order twice": (
        VoidReason.SUM,
        lambda line: replace(line, references=(line.references[0], *line.references)),
    ),
    "sums that offset each other": (VoidReason.REFERENCE, lambda line: _offset(line)),
    "no references, but what they add": (VoidReason.LINE, lambda line: replace(line, references=())),
}


def _first(line: Line, **changes: int) -> Line:
    first, *rest = line.references
    return replace(line, references=(replace(first, **changes), *rest))


def _more(line: Line, **place: int) -> Line:
    nothing = Reference(0, 0, 0, 0, 0, 0, 0, 0, 0)
    return replace(line, references=(*line.references, replace(nothing, **place)))


def _offset(line: Line) -> Line:
    one, two, *rest = line.references
    one, two = replace(one, trade_money=one.trade_money + 9), replace(two, trade_money=two.trade_money - 9)
    return replace(line, references=(one, two, *rest))


@pytest.mark.parametrize("what", ALTERATIONS)
def test_an_altered_line_voids_the_bills(town: Any, day: Day, what: str) -> None:
    honest = _busy(day.bills, lambda line: line.seq and len({one.kind for one in line.references}) == 2)
    reason, alter = ALTERATIONS[what]
    altered = alter(honest)
    assert altered != honest
    _voids(town, day, _with(day, honest, altered), reason)


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage != Stage.END])
def test_a_turned_bit_of_any_node_voids_the_bills_or_is_demanded(town: Any, day: Day, stage: Stage) -> None:
    draw, forger = random.Random(int(stage)), Forger(day.bills, town.rules.slots_per_day)
    for _ in range(6):
        way = forger.way(draw, stage)
        forged = forger.forge(way, flipped(draw, forger.known[way[-1].node.hash]))
        number = _propose_root(town, day, forged.root, forged.count)
        found = refutation(day.facts, day.bills, forged.root, forged.count, forged.known)
        assert found is not None
        if isinstance(found, Demand):
            call = day.court.demand(number, found, town.rules.platform)
        else:
            call = day.court.challenge(number, found, town.rules.platform)
        assert town.refusal(call) is None


def _propose_root(town: Any, day: Day, root: Node, count: int) -> int:
    arguments = (
        day.facts.community,
        day.facts.day,
        town.rules.retailer,
        root.hash,
        root.sums,
        count,
        CONTENT,
    )
    call = day.settlement._call("settle", "proposeBills", *arguments)
    return _only(BillsProposed, town.send(call)).id


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage != Stage.END])
def test_something_else_than_a_node_voids_the_bills(town: Any, day: Day, stage: Stage) -> None:
    forger = Forger(day.bills, town.rules.slots_per_day)
    forged = forger.forge(forger.way(random.Random(3), stage), b"\x02 something else")
    number = _propose_root(town, day, forged.root, forged.count)
    found = _refute(day, forged.root, forged.count, forged.known)
    assert isinstance(found, SumChallenge)
    event = _only(BillsVoided, town.send(day.court.challenge(number, found, town.rules.platform)))
    assert event.reason == VoidReason.SUM


def test_offsetting_false_trades_fall_to_either_line(town: Any, day: Day) -> None:
    first = _busy(day.bills)
    second = _busy(day.bills, lambda line: line.account != first.account and line.references)
    one, two = first.references[0], second.references[0]
    false = {
        first: replace(
            _first(first, trade_money=one.trade_money - 5, lock_release=one.lock_release + 7),
            trade_money=first.trade_money - 5, lock_release=first.lock_release + 7,
        ),
        second: replace(
            _first(second, trade_money=two.trade_money + 5, lock_release=two.lock_release - 7),
            trade_money=second.trade_money + 5, lock_release=second.lock_release - 7,
        ),
    }  # fmt: skip
    lines = [false.get(line, line) for line in day.bills.lines]
    _voids(town, day, _bills(day, lines), VoidReason.REFERENCE)
    # The other one would have done as well.
    number = _propose(town, day, _bills(day, lines))
    only = _with(day, second, false[second])
    found = _refute(day, only.root, len(only.accounts), preimages(only))
    assert isinstance(found, ReferenceChallenge)
    assert town.refusal(day.court.challenge(number, found, town.rules.platform)) == "InvalidPath"


def test_bills_whose_locks_do_not_add_up_cannot_be_proposed(town: Any, day: Day) -> None:
    honest = _busy(day.bills)
    bills = _with(day, honest, replace(honest, lock_release=honest.lock_release + 1))
    assert town.refusal(day.settlement.propose_bills(bills, town.rules.retailer, CONTENT)) == "LocksMismatch"


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
    _voids(town, day, _bills(day, [*day.bills.lines, line]), VoidReason.UNMETERED)


def test_no_metered_line_can_be_called_unmetered(town: Any, day: Day) -> None:
    number = _propose(town, day, day.bills)
    leaves = day.facts.meters[0, day.bills.first_slot + 5]
    accounts = [leaf.account for leaf in leaves]
    first, last = (
        neighbours_of(day.facts, _invented(day, account)) for account in (1, max(accounts) + 10**6)
    )
    opened = {
        (opening.account, opening.line.slot): opening
        for opening in _openings(day.bills)
        if opening.line is not None and not opening.reference and opening.index == 0
    }
    for account in accounts:
        with pytest.raises(LookupError):
            neighbours_of(day.facts, _invented(day, account))
        path = opened[account, day.bills.first_slot + 5].path
        for shown in (first, last, (*first, *last), (*last, *first)):
            call = day.court.challenge(number, UnmeteredChallenge(path, shown), town.rules.platform)
            assert town.refusal(call) == "ClaimHolds"


def test_a_line_of_a_product_that_is_not_traded_voids_the_bills(town: Any, day: Day) -> None:
    line = _invented(day, day.bills.lines[0].account, product=3)
    _voids(town, day, _bills(day, [*day.bills.lines, line]), VoidReason.LINE)


def test_a_line_and_a_home_left_out_void_the_bills(town: Any, day: Day) -> None:
    idle = _busy(day.bills, lambda line: not line.references)
    _voids(town, day, _with(day, idle), VoidReason.ABSENT)
    # A home whose trades are left out leaves locks unreleased; another that never traded can only be missing.
    parted = [bill for bill in day.bills.accounts if bill.account != day.bills.accounts[2].account]
    bills = replace(day.bills, accounts=tuple(parted))
    found = _refute(day, bills.root, len(bills.accounts), preimages(bills))
    assert isinstance(found, AbsentChallenge)
    sums = Sums(*bills.root.sums)._replace(lock_release=day.bills.sums.lock_release)
    number = _propose_root(town, day, Node(bills.root.hash, sums), len(bills.accounts))
    known = preimages(bills)
    found = _refute(day, Node(bills.root.hash, sums), len(bills.accounts), known)
    assert isinstance(found, SumChallenge)
    assert town.refusal(day.court.challenge(number, found, town.rules.platform)) is None


def test_an_account_twice_voids_the_bills(town: Any, day: Day) -> None:
    bills = day.bills.accounts
    doubled = replace(day.bills, accounts=(*bills[:2], bills[1], *bills[2:]))
    number = _propose_root(
        town, day, Node(doubled.root.hash, Sums(*doubled.root.sums)._replace(lock_release=day.bills.sums.lock_release)),
        len(doubled.accounts),
    )  # fmt: skip
    found = refutation(day.facts, day.bills, doubled.root, len(doubled.accounts), preimages(doubled))
    assert isinstance(found, OrderChallenge)
    # With these locks the root does not add up either.
    assert town.refusal(day.court.challenge(number, found, town.rules.platform)) in (None, "InvalidPath")


def test_what_is_demanded_is_answered_or_voids_the_bills(town: Any, day: Day) -> None:
    court, keeper, forger = day.court, town.rules.platform, Forger(day.bills, town.rules.slots_per_day)
    way = forger.way(random.Random(5), Stage.LINE)
    line = bytearray(forger.known[way[-1].node.hash])
    line[1 + 62 + 15] ^= 1  # the last byte of retail
    forged = forger.forge(way, bytes(line))
    hidden = {hash_: preimage for hash_, preimage in forged.known.items() if preimage != bytes(line)}
    number = _propose_root(town, day, forged.root, forged.count)
    found = refutation(day.facts, day.bills, forged.root, forged.count, hidden)
    assert isinstance(found, Demand)
    demanded = _only(Demanded, town.send(court.demand(number, found, keeper)))
    assert (demanded.hash, demanded.bond) == (found.hash, town.rules.bond // 16)
    assert town.refusal(court.demand(number, found, keeper)) == "NotDemandable"
    assert court.open_demands(number) == 1
    answer = court.answer(number, bytes(line), town.rules.grid_operator)
    answered = _only(Answered, town.send(answer))
    assert answered.preimage == bytes(line)
    assert day.settlement.closes_at(number) == town.chain.head().timestamp + town.rules.bill_window
    shown = _refute(day, forged.root, forged.count, hidden | {answered.hash: answered.preimage})
    assert isinstance(shown, LineChallenge | SumChallenge)
    _only(BillsVoided, town.send(court.challenge(number, shown, keeper)))

    silent = _propose_root(town, day, forged.root, forged.count)
    town.send(court.demand(silent, found, keeper))
    assert town.refusal(court.expire(silent, found.hash)) == "TooEarly"
    town.chain.set_time(town.chain.head().timestamp + town.rules.bill_window)
    voided = _only(BillsVoided, town.send(court.expire(silent, found.hash)))
    assert (voided.id, voided.reason) == (silent, VoidReason.WITHHELD)


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

    debits, claims, credits = [], [], []
    for chunk in bills.chunks(2):
        event = _only(Debited, town.send(settlement.debit(number, chunk)))
        debits += [(e.account, e.taken) for e in event.entries]
        claims += [(c.account, c.retailer, c.operator) for c in event.claims]
    paid = _only(PartiesPaid, town.send(settlement.pay_parties(number, bills.root)))
    for before, entries in bills.credits(1):
        received = _only(Credited, town.send(settlement.credit(number, before, entries)))
        credits += [(e.account, e.nano) for e in received.entries]

    assert debits == [(d.account, d.taken) for d in payout.debits]
    expected_claims = [(d.account, d.retail_claim, d.operator_claim) for d in payout.debits]
    assert claims == [claim for claim in expected_claims if any(claim[1:])]
    assert claims  # someone could not pay
    expected = payout.retailer, payout.grid_operator, payout.platform
    assert (paid.retailer, paid.grid_operator, paid.platform) == expected
    assert tuple(sorted(credits)) == payout.credits
    assert {account: town.accounts.free_of(account) for account in accounts} == dict(ledger.free)
    assert town.accounts.pot_of(settlement.address) == pot
    assert 1_000 * euro.balance_of(town.address("Accounts")) == town.accounts.owed()


def _impoverish(town: Any, account: int) -> None:
    """Leave the account almost nothing, so that its debit falls short."""
    key = town.homes[account]
    town.sender.fund(town.keeper, [key.address], 10**18)
    free = town.accounts.free_of(account)
    town.sender.send(key, town.accounts.request_withdrawal(account, free - 5_000))
