"""The audit of a real day: it holds as it was, and whatever is changed is found and named."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from otaniemi.contracts.chain import events as e
from otaniemi.contracts.chain.deploy import Deployment
from otaniemi.contracts.chain.read import read_verified
from otaniemi.contracts.chain.refutation import Demand, LineChallenge, refutation
from otaniemi.contracts.rules.bills import bills_of
from otaniemi.contracts.rules.calendar import bills_due
from otaniemi.contracts.rules.openings import preimages
from otaniemi.platform.audit.audit import audit_run
from otaniemi.platform.audit.findings import EvidenceMissingError
from otaniemi.platform.audit.published import Published
from otaniemi.platform.audit.replay import Replay
from otaniemi.platform.audit.steps import Step, steps_of

from .small_day import ADMIN, DAY, FIRST, RULES, A, SmallDay


@pytest.fixture
def run(played: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(played, tmp_path / "run"))


@pytest.fixture(scope="module")
def steps(played: Path) -> list[Step]:
    deployment = Deployment.read(played / "deployment.json")
    return list(steps_of(read_verified(played / "chain", deployment.head), deployment.addresses))


def replayed(run: Path, steps: list[Step]) -> list[str]:
    replay = Replay(Deployment.read(run / "deployment.json"), Published(run / "leaves"))
    try:
        replay.run(steps)
    except EvidenceMissingError as error:  # the steps speak of a day whose leaves are not there
        return [str(error)]
    return [str(finding) for finding in replay.findings]


def test_a_day_as_it_was_holds(played: Path) -> None:
    report = audit_run(played)
    assert report.findings == ()
    assert report.counts["orders"] == 78
    assert report.counts["skipped_orders"] == 6
    assert report.counts["leaves"] == 192
    assert report.counts["billed_days"] == 1
    assert report.as_lines()[0].startswith("Everything holds: ")


@pytest.mark.parametrize("name", [f"meters-{DAY}.jsonl", f"bills-{DAY}.jsonl"])
def test_every_changed_digit_of_the_leaves_is_found_in_its_line(run: Path, name: str) -> None:
    path = run / "leaves" / name
    text = path.read_text()
    digits = [match.start() for match in re.finditer("[0-9]", text)]
    for position in random.Random(3).sample(digits, 25):
        path.write_text(text[:position] + str((int(text[position]) + 1) % 10) + text[position + 1 :])
        line = text[:position].count("\n") + 1
        slot = json.loads(text.splitlines()[line - 1])["slot"]
        places = (f"{name} line {line}", f"{name} product 0 slot {slot}")
        assert audit_run(run).findings[0].where in places


@pytest.mark.parametrize("name", ["headers.jsonl", "transactions.jsonl", "receipts.jsonl"])
def test_every_changed_digit_of_the_chain_is_found(run: Path, name: str) -> None:
    path = run / "chain" / name
    text = path.read_text()
    digits = [match.start() for match in re.finditer("[0-9]", text)]
    for position in random.Random(4).sample(digits, 25):
        path.write_text(text[:position] + str((int(text[position]) + 1) % 10) + text[position + 1 :])
        report = audit_run(run)
        assert not report.ok
        assert re.match(r"(block|\w+\.jsonl line) ", report.findings[0].where)


def test_a_leaf_whose_hash_was_made_to_fit_is_found_by_its_root(run: Path) -> None:
    from otaniemi.platform.audit.leaves import read_meters, write_meters

    meters = read_meters(run / "leaves" / f"meters-{DAY}.jsonl")
    leaves = meters[0, FIRST + 5]
    leaves[0] = replace(leaves[0], import_wh=leaves[0].import_wh + 1)
    write_meters(run / "leaves", DAY, meters)
    first = audit_run(run).findings[0]
    assert first.where == f"meters-{DAY}.jsonl product 0 slot {FIRST + 5}"


@pytest.mark.parametrize("name", [f"meters-{DAY}.jsonl", f"bills-{DAY}.jsonl"])
def test_missing_doubled_and_foreign_lines_are_found(run: Path, name: str) -> None:
    path = run / "leaves" / name
    lines = path.read_text().splitlines(keepends=True)
    for changed in (lines[:-1], lines[1:], [lines[0], *lines], lines[::-1]):
        path.write_text("".join(changed))
        assert audit_run(run).findings[0].where.startswith(name)


def test_a_file_that_nothing_commits_to_is_found(run: Path) -> None:
    shutil.copy(run / "leaves" / f"bills-{DAY}.jsonl", run / "leaves" / f"bills-{DAY + 1}.jsonl")
    assert [finding.where for finding in audit_run(run).findings] == [f"bills-{DAY + 1}.jsonl"]


@pytest.mark.parametrize(
    "name",
    ["deployment.json", "chain/headers.jsonl", f"leaves/meters-{DAY}.jsonl", f"leaves/bills-{DAY}.jsonl"],
)
def test_a_missing_file_means_that_the_audit_could_not_look(run: Path, name: str) -> None:
    (run / name).unlink()
    with pytest.raises(EvidenceMissingError, match="cannot be read"):
        audit_run(run)


def test_a_pinned_head_outranks_the_deployment_file(played: Path) -> None:
    assert audit_run(played, Deployment.read(played / "deployment.json").head).ok
    assert not audit_run(played, b"\1" * 32).ok


def edit(run: Path, change: Callable[[Any], None]) -> None:
    path = run / "deployment.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.update(chain_id=1),
        lambda data: data.update(community=2),
        lambda data: data["rules"].update(grid_fee=20_001),
        lambda data: data["addresses"].update(Oracle=data["addresses"]["Schedules"]),
    ],
)
def test_a_deployment_file_that_does_not_fit_the_chain_is_found(run: Path, change: Any) -> None:
    edit(run, change)
    assert not audit_run(run).ok


CHANGED = [
    (kind, name)
    for kind, names in {
        e.OrdersAccepted: ["market", "first_index", "records"],
        e.OrderSkipped: ["market", "account", "nonce", "reason"],
        e.Cleared: list(e.Cleared.__slots__),
        e.NominationsAccepted: list(e.NominationsAccepted.__slots__),
        e.NominationSkipped: list(e.NominationSkipped.__slots__),
        e.TariffReported: ["community", "feed", "day", "round", "prices"],
        e.MetersReported: [name for name in e.MetersReported.__slots__ if name != "signers"],
        e.LocksReleased: list(e.LocksReleased.__slots__),
        e.BillsProposed: list(e.BillsProposed.__slots__),
        e.BondReturned: list(e.BondReturned.__slots__),
        e.Debited: ["community", "day", "entries"],
        e.PartiesPaid: list(e.PartiesPaid.__slots__),
        e.Credited: ["community", "day", "entries"],
        e.Withdrawn: list(e.Withdrawn.__slots__),
        e.ModuleGranted: list(e.ModuleGranted.__slots__),
        e.RulesSet: ["community", "rules"],
        e.DeviceKeySet: list(e.DeviceKeySet.__slots__),
        e.MeterApproved: ["account", "product"],
    }.items()
    for name in names
]


def other(value: Any) -> Any:
    """Something else of the same kind."""
    if isinstance(value, int):
        return value + 1
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    if isinstance(value, str):
        return value[:-1] + ("0" if value[-1] != "0" else "1")
    if isinstance(value, e.Debit):
        return replace(value, taken=value.taken - 1)
    if isinstance(value, e.Credit):
        return replace(value, nano=value.nano - 1)
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return (other(value[0]), *value[1:])
    if hasattr(value, "session"):
        return value._replace(session=value.session ^ 1)
    return replace(value, grid_fee=value.grid_fee + 1)


@pytest.mark.parametrize(("kind", "name"), CHANGED)
def test_an_event_that_says_something_else_is_found(
    played: Path, steps: list[Step], kind: type[e.Event], name: str
) -> None:
    """Beyond the hashes: the auditor derives what each event has to say."""
    at, index = next(
        (at, index)
        for at in range(len(steps) - 1, -1, -1)
        for index, event in enumerate(steps[at].events)
        if type(event) is kind and getattr(event, name) != ()
    )
    events = list(steps[at].events)
    events[index] = replace(events[index], **{name: other(getattr(events[index], name))})
    changed = [*steps[:at], replace(steps[at], events=tuple(events)), *steps[at + 1 :]]
    assert replayed(played, changed)


def test_a_claim_on_an_account_that_paid_is_found(played: Path, steps: list[Step]) -> None:
    at, index, debited = next(
        (at, index, event)
        for at, step in enumerate(steps)
        for index, event in enumerate(step.events)
        if isinstance(event, e.Debited) and event.entries
    )
    claim = e.Claim(debited.entries[0].account, 5, 0)
    events = list(steps[at].events)
    events[index] = replace(debited, claims=(claim,))
    findings = replayed(played, [*steps[:at], replace(steps[at], events=tuple(events)), *steps[at + 1 :]])
    assert f"claims {[claim]}; by the bills it is []" in findings[0]


@pytest.mark.parametrize(
    ("function", "argument"),
    [
        ("relayOrders", "orders"),
        ("relayProfiles", "profiles"),
        ("nominateBatch", "nominations"),
        ("reportTariff", "signatures"),
        ("reportMeters", "signatures"),
    ],
)
def test_a_signature_that_does_not_fit_is_found(
    played: Path, steps: list[Step], function: str, argument: str
) -> None:
    at = next(at for at, step in enumerate(steps) if step.function == function)
    wire = steps[at].arguments[argument]
    place = 25 + 30 if function == "relayOrders" else len(wire) - 20 if argument == "signatures" else None
    if function == "relayProfiles":
        place = 19 + 13 * 24 + 30
    if function == "nominateBatch":
        place = 14 + 4 * 24 + 30
    assert place is not None
    forged = wire[:place] + bytes([wire[place] ^ 1]) + wire[place + 1 :]
    step = replace(steps[at], arguments={**steps[at].arguments, argument: forged})
    findings = replayed(played, [*steps[:at], step, *steps[at + 1 :]])
    assert findings[0].startswith(f"block {step.block} transaction {step.index}: ")


def test_a_contract_of_other_code_is_found(played: Path, steps: list[Step]) -> None:
    at = next(at for at, step in enumerate(steps) if step.transaction.to is None)
    code = steps[at].transaction.data
    transaction = replace(steps[at].transaction, data=code[:500] + b"\0" + code[501:])
    changed = [*steps[:at], replace(steps[at], transaction=transaction), *steps[at + 1 :]]
    assert "creates TestEuro with other code" in replayed(played, changed)[0]


def test_wrong_bills_that_became_final_are_named_line_by_line(tmp_path: Path) -> None:
    """Every hash fits, the proposer published what it proposed, and nobody challenged it."""
    day = SmallDay.start()
    honest = day.until_bills()
    lines = list(honest.lines)
    at = next(i for i, line in enumerate(lines) if line.account == A and line.slot == FIRST + 9)
    lines[at] = replace(lines[at], retail=lines[at].retail - 1000)
    wrong = bills_of(RULES, 1, DAY, lines)
    day.settle(wrong)
    day.write(tmp_path / "run", wrong)
    findings = audit_run(tmp_path / "run").findings
    assert findings[0].where == f"bills-{DAY}.jsonl line {at + 1}"
    assert "retail is" in findings[0].why
    assert any("proposes bills" in finding.why for finding in findings)


def test_a_voided_proposal_is_no_finding(tmp_path: Path) -> None:
    day = SmallDay.start()
    honest = day.until_bills()
    lines = list(honest.lines)
    lines[3] = replace(lines[3], imbalance=lines[3].imbalance + 5)
    wrong = bills_of(RULES, 1, DAY, lines)
    day.chain.set_time(bills_due(RULES, DAY))
    day.sender.send(ADMIN, day.settlement.propose_bills(wrong, 3, bytes(32)))
    shown = preimages(wrong)
    demand = refutation(day.facts(), honest, wrong.root, len(wrong.accounts), {})
    assert isinstance(demand, Demand)
    day.sender.send(ADMIN, day.court.demand(1, demand, 3))
    day.sender.send(ADMIN, day.court.answer(1, shown[demand.hash], A))
    found = refutation(day.facts(), honest, wrong.root, len(wrong.accounts), shown)
    assert isinstance(found, LineChallenge)
    day.sender.send(ADMIN, day.court.challenge(1, found, A))
    day.settle(honest)
    day.write(tmp_path / "run", honest)
    assert audit_run(tmp_path / "run").findings == ()
