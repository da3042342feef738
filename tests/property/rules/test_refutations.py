"""Whatever is altered in bills, one challenge shows it; nothing shows anything about honest ones."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from otaniemi.contracts.chain.refutation import (
    AbsentChallenge,
    Demand,
    LineChallenge,
    OrderChallenge,
    ReferenceChallenge,
    SumChallenge,
    UnmeteredChallenge,
    refutation,
)
from otaniemi.contracts.rules.bills import Bills, bill_day, bills_of
from otaniemi.contracts.rules.openings import Path, Stage, preimages

from ...support.forgery import Forger, flipped
from ...support.random_days import RULES, STRANGER, random_day

FACTS = random_day(17)
BILLS = bill_day(FACTS)
FORGER = Forger(BILLS, RULES.slots_per_day)
DEPTHS = [stage for stage in Stage if stage != Stage.END]


def refuted(bills: Bills) -> object:
    return refutation(FACTS, BILLS, bills.root, len(bills.accounts), preimages(bills, BILLS))


def test_honest_bills_hold() -> None:
    assert refuted(BILLS) is None
    assert len(BILLS.accounts) > 3
    assert {stage: FORGER.way(random.Random(1), stage) for stage in DEPTHS}


@pytest.mark.parametrize("stage", DEPTHS)
def test_no_bit_of_any_node_can_be_turned(stage: Stage) -> None:
    draw, kinds = random.Random(stage), Counter[str]()
    for _ in range(60):
        way = FORGER.way(draw, stage)
        forged = FORGER.forge(way, flipped(draw, FORGER.known[way[-1].node.hash]))
        found = refutation(FACTS, BILLS, forged.root, forged.count, forged.known)
        assert found is not None
        kinds[type(found).__name__] += 1
    expected = {
        Stage.UPPER: {SumChallenge, Demand},
        Stage.ACCOUNT: {SumChallenge, Demand},
        Stage.SUBTREE: {SumChallenge, Demand},
        Stage.LINE: {SumChallenge, Demand, LineChallenge},
        Stage.BRANCH: {SumChallenge, Demand},
        Stage.REFERENCE: {ReferenceChallenge},
    }
    assert set(kinds) >= {kind.__name__ for kind in expected[stage]}


@pytest.mark.parametrize("stage", DEPTHS)
def test_what_is_not_shown_is_demanded_and_what_is_no_node_is_refuted(stage: Stage) -> None:
    draw = random.Random(stage)
    way = FORGER.way(draw, stage)
    forged = FORGER.forge(way, b"\2 something else")
    assert isinstance(refutation(FACTS, BILLS, forged.root, forged.count, forged.known), SumChallenge)
    hidden = {hash_: preimage for hash_, preimage in forged.known.items() if len(preimage) != 16}
    demand = refutation(FACTS, BILLS, forged.root, forged.count, hidden)
    assert isinstance(demand, Demand)
    # Hashes on the way differ, places and lengths do not.
    assert _where(demand.path) == _where(way[-1].path)


def test_a_line_left_out_a_line_invented_and_a_home_left_out_are_shown() -> None:
    lines = BILLS.lines
    idle = next(line for line in lines if not line.references)
    without = bills_of(RULES, 1, BILLS.day, [line for line in lines if line != idle])
    found = refuted(without)
    assert isinstance(found, AbsentChallenge)
    assert (found.account, found.product, found.slot) == (idle.account, idle.product, idle.slot)
    for gone in BILLS.accounts:
        homeless = bills_of(RULES, 1, BILLS.day, [line for line in lines if line.account != gone.account])
        found = refuted(homeless)
        assert isinstance(found, AbsentChallenge)
        assert found.account == gone.account
        ends = gone in (BILLS.accounts[0], BILLS.accounts[-1])
        assert len(found.paths) == (1 if ends else 2)
    nobody = refuted(bills_of(RULES, 1, BILLS.day, []))
    assert isinstance(nobody, AbsentChallenge)
    assert nobody.paths == ()
    invented = replace(idle, account=1_000)
    assert isinstance(refuted(bills_of(RULES, 1, BILLS.day, [*lines, invented])), UnmeteredChallenge)
    untraded = replace(idle, product=3)
    assert isinstance(refuted(bills_of(RULES, 1, BILLS.day, [*lines, untraded])), LineChallenge)


def test_a_line_of_a_strangers_meter_is_shown_by_its_community() -> None:
    facts = next(day for day in map(random_day, range(20)) if _listed(day))
    honest = bill_day(facts)
    assert all(bill.account != STRANGER for bill in honest.accounts)
    wrong = bill_day(replace(facts, strangers=()))
    found = refutation(facts, honest, wrong.root, len(wrong.accounts), preimages(wrong))
    assert isinstance(found, OrderChallenge)


def _listed(day: object) -> bool:
    return any(leaf.account == STRANGER for leaves in day.meters.values() for leaf in leaves)  # type: ignore[attr-defined]


def test_references_twice_out_of_order_or_of_others_are_shown() -> None:
    line = max(BILLS.lines, key=lambda line: len(line.references))
    one, two, *rest = line.references
    assert rest

    def with_references(*references: object) -> Bills:
        changed = replace(line, references=references)  # type: ignore[arg-type]
        return bills_of(RULES, 1, BILLS.day, [changed if other == line else other for other in BILLS.lines])

    assert isinstance(refuted(with_references(two, one, *rest)), OrderChallenge)
    foreign = replace(one, index=one.index + 1)
    for wrong in (foreign, replace(one, kind=7), replace(one, index=4_000), replace(one, chain=300)):
        assert isinstance(refuted(with_references(wrong, two, *rest)), ReferenceChallenge | OrderChallenge)
    offset = (
        replace(one, lock_release=one.lock_release + 1),
        replace(two, lock_release=two.lock_release - 1),
    )
    assert isinstance(refuted(with_references(*offset, *rest)), ReferenceChallenge)
    # Twice the same, with what it adds made up elsewhere: the sums of the line no longer fit.
    assert isinstance(refuted(with_references(one, one, two, *rest)), SumChallenge | OrderChallenge)


def test_an_account_twice_is_shown() -> None:
    bills = BILLS.accounts
    doubled = replace(BILLS, accounts=(*bills[:2], bills[1], *bills[2:]))
    assert isinstance(refuted(doubled), OrderChallenge)


def _where(path: Path) -> tuple[int, int, int, int]:
    return path.account_index, path.position, path.reference, len(path.nodes)
