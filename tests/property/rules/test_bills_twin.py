"""Bills of random days in every form of trading, against a plain reading of the protocol."""

from __future__ import annotations

import pytest

from otaniemi.contracts.rules.bills import bill_day
from otaniemi.contracts.rules.lines import LineFields
from otaniemi.contracts.rules.openings import Stage, hash_of, open_root, preimages

from ...support import bills_twin
from ...support.random_days import DAY, RULES, locks_of, random_day

SEEDS = range(60)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_bills_are_those_of_the_protocol_read_plainly(seed: int) -> None:
    facts = random_day(seed)
    bills = bill_day(facts)
    lines, root = bills_twin.bills(facts)
    assert len(bills.lines) == len(lines)
    for line, plain in zip(bills.lines, lines, strict=True):
        assert {name: getattr(line, name) for name in LineFields.__dataclass_fields__} == {
            name: plain[name] for name in LineFields.__dataclass_fields__
        }
        told = [
            (*reference.place, reference.fill, list(reference.node().sums)) for reference in line.references
        ]
        assert told == plain["references"]
        assert (line.node().hash, list(line.node().sums)) == bills_twin.line_node(plain)
    assert (bills.root.hash, list(bills.root.sums)) == root


@pytest.mark.parametrize("seed", SEEDS)
def test_locks_are_released_in_full_and_trades_cancel_but_for_curtailment(seed: int) -> None:
    facts = random_day(seed)
    sums = bill_day(facts).sums
    assert sums.lock_release == locks_of(facts)
    if not facts.curtailments:
        assert sums.trade_wh == sums.trade_money == 0
    # Less than one Wh of every trade is lost to rounding.
    trades = sum(len(line.references) for line in bill_day(facts).lines)
    assert abs(sums.trade_wh) <= trades


def test_random_days_hold_everything_that_bills_know() -> None:
    days = [random_day(seed) for seed in SEEDS]
    assert all(any(getattr(day, name) for day in days) for name in ("positions", "curtailments", "packages"))
    assert any(not day.curtailments for day in days)
    residual = [bill_day(day).sums.trade_wh for day in days]
    assert any(residual)
    kinds = {reference.kind for day in days for line in bill_day(day).lines for reference in line.references}
    assert kinds == {0, 1}


@pytest.mark.parametrize("seed", range(8))
def test_every_node_of_honest_bills_opens_rightly_down_to_every_reference(seed: int) -> None:
    bills = bill_day(random_day(seed))
    known = preimages(bills)
    pending = [open_root(bills.root, len(bills.accounts), RULES.slots_per_day)]
    lines, references = [], 0
    while pending:
        node = pending.pop()
        if node.is_empty:
            continue
        if node.stage == Stage.END:
            if node.reference:
                references += 1
            continue
        preimage = known[node.node.hash]
        assert hash_of(preimage) == node.node.hash
        assert node.is_right(preimage)
        below = node.open(preimage)
        pending += below
        if node.stage == Stage.LINE:
            path, line = below[0].path, below[0].line
            assert line is not None
            honest = bills.accounts[path.account_index]
            assert honest.account == below[0].account == line.account
            assert path.position == line.product * 32 + line.slot - bills.first_slot
            lines.append(line)
    assert sorted(line.encode() for line in lines) == sorted(line.head.encode() for line in bills.lines)
    assert references == sum(len(line.references) for line in bills.lines)
    assert bills.day == DAY
