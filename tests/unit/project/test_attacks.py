"""The page on attacks names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
NAMES = re.findall(
    r"`([^`\s]*test_[^`\s]*|\w+\.(?:testFuzz|invariant)_\w+)`", (ROOT / "docs" / "attacks.md").read_text()
)


@pytest.mark.parametrize("name", sorted(set(NAMES)))
def test_what_holds_an_attack_off_exists(name: str) -> None:
    if "::" in name:
        file, _, test = name.partition("::")
        path, pattern = ROOT / "tests" / file, rf"^def {test}\("
    else:
        file, _, test = name.partition(".")
        path, pattern = ROOT / "contracts" / "test" / f"{file}.t.sol", rf"^    function {test}\("
    assert re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE), f"{path} has no {test}"


def test_every_row_names_a_test() -> None:
    rows = [
        line
        for line in (ROOT / "docs" / "attacks.md").read_text(encoding="utf-8").splitlines()
        if line[:2] == "| "
    ]
    heads = {"| promise | held by |", "| attack | held by |"}
    assert [row for row in rows if row not in heads and "`" not in row.split("|")[-2]] == []
    assert len(rows) > 50
