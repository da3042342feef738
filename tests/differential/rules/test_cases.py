"""The committed cases, which the contracts are held to, are what the rules say today."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

DIFFERENTIAL = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", ["books", "digests", "day"])
def test_the_committed_cases_are_those_of_the_rules(name: str) -> None:
    made = runpy.run_path(str(DIFFERENTIAL / "make_cases.py"))["cases"]()[name]
    committed = json.loads((DIFFERENTIAL / "cases" / f"{name}.json").read_text())
    assert committed == made, "run python tests/differential/make_cases.py and look at what changed"
