"""One home's bill, proven by its own leaves; and the same audit by a node's JSON-RPC."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from otaniemi.contracts.chain.anvil import find_anvil
from otaniemi.contracts.rules.bills import bills_of
from otaniemi.contracts.rules.merkle_sum import Node
from otaniemi.platform.audit.audit import (
    audit,
    audit_account,
    audit_run,
    evidence_of_node,
    evidence_of_run,
)
from otaniemi.platform.audit.findings import EvidenceMissingError, Finding
from otaniemi.platform.audit.leaves import read_bills, write_bills

from .small_day import DAY, FIRST, HOMES, RULES, A, B, C, D, SmallDay


@pytest.fixture
def run(played: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(played, tmp_path / "run"))


@pytest.mark.parametrize("account", [A, B, C, D])
def test_every_home_proves_its_bill(played: Path, account: int) -> None:
    proven = audit_account(evidence_of_run(played), account)
    assert proven.report.findings == ()
    (bill,) = proven.bills
    assert len(bill.lines) == 24
    assert bill.settled == bill.sums.due
    assert json.loads(json.dumps(proven.to_json()))["bills"][0]["due"] == bill.sums.due
    assert proven.as_lines()[0].startswith(f"day {DAY}: ")


def test_the_json_of_a_bill_carries_its_proofs(played: Path) -> None:
    line = audit_account(evidence_of_run(played), A).to_json()["bills"][0]["lines"][12]
    assert line["slot"] == FIRST + 12
    assert [reference["chain"] for reference in line["references"]] == [0, 1, 1]
    assert len(line["siblings"]) == 7
    assert all(len(sibling) == 320 for sibling in line["siblings"])
    assert line["nomination"] is None


def test_a_line_made_up_later_does_not_lead_to_the_root(run: Path) -> None:
    path = run / "leaves" / f"bills-{DAY}.jsonl"
    lines = read_bills(path)
    lines[5] = replace(lines[5], retail=lines[5].retail - 1)
    write_bills(run / "leaves", DAY, lines)
    mine = audit_account(evidence_of_run(run), lines[5].account)
    assert any("does not lead to root" in finding.why for finding in mine.report.findings)
    assert any("is not what follows" in finding.why for finding in mine.report.findings)


def test_a_home_that_was_left_out_is_told(run: Path) -> None:
    lines = [line for line in read_bills(run / "leaves" / f"bills-{DAY}.jsonl") if line.account != A]
    write_bills(run / "leaves", DAY, lines)
    mine = audit_account(evidence_of_run(run), A)
    assert mine.bills == ()
    assert [finding.where for finding in mine.report.findings] == [f"bills-{DAY}.jsonl"]


def test_a_final_but_wrong_line_is_told_to_its_home(tmp_path: Path) -> None:
    day = SmallDay.start()
    lines = list(day.until_bills().lines)
    at = next(i for i, line in enumerate(lines) if line.account == A and line.slot == FIRST + 3)
    lines[at] = replace(lines[at], schedule_wh=lines[at].schedule_wh + 1)
    wrong = bills_of(RULES, 1, DAY, lines)
    day.settle(wrong)
    day.write(tmp_path / "run", wrong)
    evidence = evidence_of_run(tmp_path / "run")
    (finding,) = audit_account(evidence, A).report.findings
    assert finding.where == f"day {DAY} account {A} slot {FIRST + 3}"
    assert audit_account(evidence, B).report.ok


def test_an_unknown_account_cannot_be_looked_at(played: Path) -> None:
    with pytest.raises(EvidenceMissingError, match="account 99: there is none"):
        audit_account(evidence_of_run(played), 99)


def test_a_broken_chain_proves_nothing(run: Path) -> None:
    path = run / "chain" / "receipts.jsonl"
    path.write_text(path.read_text().replace("02f9", "02f8", 1))
    evidence = evidence_of_run(run)
    assert isinstance(evidence, Finding)
    assert audit_account(evidence, A).report.findings == (evidence,)


def test_what_a_home_cannot_pay_is_claimed_and_still_adds_up(tmp_path: Path) -> None:
    day = SmallDay.start()
    bills = day.until_bills()
    free = day.accounts.free_of(D)
    day.sender.send(HOMES[3], day.accounts.request_withdrawal(D, free - 1_000_000))
    day.settle(bills)
    day.write(tmp_path / "run", bills)
    evidence = evidence_of_run(tmp_path / "run")
    assert audit(evidence).findings == ()
    (bill,) = audit_account(evidence, D).bills
    assert bill.settled is not None
    assert 0 < bill.settled < bill.sums.due
    assert day.accounts.free_of(D) == 0


@pytest.mark.skipif(find_anvil() is None, reason="anvil is not installed (npm ci)")
def test_anvil_gives_the_same_bills_and_its_node_can_be_audited(played: Path, tmp_path: Path) -> None:
    day = SmallDay.start("anvil")
    try:
        bills = day.until_bills()
        day.settle(bills)
        day.withdraw()
        run = tmp_path / "run"
        day.write(run, bills)
        name = f"bills-{DAY}.jsonl"
        assert (run / "leaves" / name).read_bytes() == (played / "leaves" / name).read_bytes()
        assert audit_run(run).findings == ()
        url = day.chain.url  # type: ignore[attr-defined]
        assert audit(evidence_of_node(url, run / "deployment.json", run / "leaves")).findings == ()
        elsewhere = evidence_of_node(url, run / "deployment.json", run / "leaves", b"\1" * 32)
        assert isinstance(elsewhere, Finding)
    finally:
        day.chain.close()
    with pytest.raises(EvidenceMissingError, match="no node answers"):
        evidence_of_node(url, run / "deployment.json", run / "leaves")


def test_a_sibling_of_a_proof_is_bound(played: Path) -> None:
    from otaniemi.contracts.rules.bills import verify_line

    (bill,) = audit_account(evidence_of_run(played), A).bills
    proven = bill.lines[0]
    root = Node(bill.proposal.root, bill.proposal.sums)
    assert verify_line(root, proven.line, proven.place)
    first, *rest = proven.place.siblings
    forged = Node(first.hash, (first.sums[0] + 1, *first.sums[1:]))
    assert not verify_line(root, proven.line, replace(proven.place, siblings=(forged, *rest)))
