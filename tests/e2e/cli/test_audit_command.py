"""What `otaniemi audit` says of a run, as it was and with a single digit changed."""

from __future__ import annotations

import json
import random
import re
import shutil
from pathlib import Path

import pytest

from .conftest import Command, Run

DIGITS = 90
NAMED = re.compile(r"(line \d+|block (header )?\d+|transaction 0x|account \d+|deployment\.json)")


@pytest.fixture
def copied(small: Run, tmp_path: Path) -> Path:
    """A copy of the small run that may be written to."""
    return Path(shutil.copytree(small.path, tmp_path / "run"))


def test_a_run_as_it_was_holds(small: Run, otaniemi: Command) -> None:
    ended = otaniemi("audit", small.path)
    assert ended.code == 0
    assert ended.out.startswith("Everything holds: ")
    assert ended.err == ""


def test_findings_are_there_for_machines(small: Run, otaniemi: Command) -> None:
    ended = otaniemi("audit", small.path, "--json")
    assert ended.code == 0
    report = json.loads(ended.out)
    assert (report["ok"], report["findings"]) == (True, [])
    assert report["counts"]["leaves"] == small.summary["audit"]["leaves"]
    assert report["counts"]["orders"] == small.summary["orders"]


def test_any_digit_changed_is_found_and_its_place_named(
    copied: Path, otaniemi: Command, subtests: pytest.Subtests
) -> None:
    chance = random.Random(20260817)
    files = sorted([*(copied / "leaves").iterdir(), *(copied / "chain").iterdir()])
    assert len(files) >= 5
    for turn in range(DIGITS):
        file = files[turn % len(files)]
        whole = file.read_bytes()
        places = [match.start() for match in re.finditer(rb"[0-9]", whole)]
        at = chance.choice(places)
        digit = chance.choice([other for other in b"0123456789" if other != whole[at]])
        file.write_bytes(whole[:at] + bytes([digit]) + whole[at + 1 :])
        with subtests.test(file=file.name, at=at, was=chr(whole[at]), now=chr(digit)):
            ended = otaniemi("audit", copied)
            assert ended.code == 1
            assert NAMED.search(ended.out.splitlines()[0]), ended.out
        file.write_bytes(whole)
    assert otaniemi("audit", copied).code == 0


def test_the_first_wrong_leaf_is_named_by_its_line(copied: Path, otaniemi: Command) -> None:
    (file,) = (copied / "leaves").glob("bills-*.jsonl")
    lines = file.read_text().splitlines(keepends=True)
    meter = json.loads(lines[4])["meter_wh"]
    lines[4] = lines[4].replace(f'"meter_wh":{meter}', f'"meter_wh":{meter + 1}')
    file.write_text("".join(lines))
    ended = otaniemi("audit", copied)
    assert ended.code == 1
    assert f"{file.name} line 5" in ended.out.splitlines()[0]
    report = json.loads(otaniemi("audit", copied, "--json").out)
    assert report["ok"] is False
    assert f"{file.name} line 5" in report["findings"][0]["where"]


@pytest.mark.parametrize("part", ["chain", "leaves", "deployment.json"])
def test_without_a_file_the_audit_cannot_look(copied: Path, otaniemi: Command, part: str) -> None:
    whole = copied / part
    for file in sorted(whole.iterdir()) if whole.is_dir() else [whole]:
        content = file.read_bytes()
        file.unlink()
        assert file.name in otaniemi("audit", copied).error
        file.write_bytes(content)


def test_the_store_takes_no_part(copied: Path, otaniemi: Command) -> None:
    for name in ("store.db", "summary.json", "report.html", "picture.svg"):
        (copied / name).unlink()
    assert otaniemi("audit", copied).code == 0


def test_a_head_from_elsewhere_pins_the_chain(small: Run, otaniemi: Command) -> None:
    head = small.summary["head"]
    assert otaniemi("audit", small.path, "--head", head).code == 0
    other = head[:-1] + ("0" if head[-1] != "0" else "1")
    ended = otaniemi("audit", small.path, "--head", other)
    assert ended.code == 1
    assert NAMED.search(ended.out), ended.out
    assert "--head is 0x12" in otaniemi("audit", small.path, "--head", "0x12").error


def test_one_bill_is_shown_with_what_it_comes_to(small: Run, otaniemi: Command) -> None:
    bills = [json.loads(line) for line in small.leaves("bills").splitlines()]
    account = bills[0]["account"]
    own = [bill for bill in bills if bill["account"] == account]
    parts = ("trade_money", "retail", "imbalance", "grid_fee", "platform_fee")
    due = sum(bill[part] for bill in own for part in parts) - sum(bill["lock_release"] for bill in own)
    ended = otaniemi("audit", small.path, "--account", account)
    assert ended.code == 0
    assert f"{due:,}" in ended.out
    proven = json.loads(otaniemi("audit", small.path, "--account", account, "--json").out)
    assert (proven["ok"], proven["account"], len(proven["bills"])) == (True, account, 1)
    assert len(proven["bills"][0]["lines"]) == len(own) == small.summary["slots"]


def test_an_account_that_is_not_there_is_said_so(small: Run, otaniemi: Command) -> None:
    assert "account 99" in otaniemi("audit", small.path, "--account", 99).error


def test_a_directory_that_is_no_run_is_said_so(tmp_path: Path, otaniemi: Command) -> None:
    assert str(tmp_path) in otaniemi("audit", tmp_path).error
    assert str(tmp_path / "none") in otaniemi("audit", tmp_path / "none").error
    assert "RUN_DIR" in otaniemi("audit").error
    assert "RUN_DIR" in otaniemi("audit", tmp_path, "--rpc", "http://127.0.0.1:9").error


def test_a_node_that_does_not_answer_is_said_so(small: Run, otaniemi: Command) -> None:
    ended = otaniemi(
        "audit",
        *("--rpc", "http://127.0.0.1:9"),
        *("--deployment", small.path / "deployment.json", "--leaves", small.path / "leaves"),
    )
    assert "http://127.0.0.1:9" in ended.error
