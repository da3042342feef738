"""The page on the five forms of trading: its examples are run as they stand and come to what it shows."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from otaniemi.contracts.rules.positions import Form
from otaniemi.platform.keys import create_wallet

from .conftest import Command

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "guides" / "forms.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^```sh\notaniemi (.*?)\n```$", PAGE, re.MULTILINE)
EXAMPLES = re.findall(
    r"^```sh\notaniemi (simulate .*?)\n```\n\n```text\n(.*?)```$", PAGE, re.MULTILINE | re.DOTALL
)
REFERENCE_TO_POSITION = 1


def named(arguments: str) -> list[str]:
    """The forms of a command."""
    words = shlex.split(arguments)
    return words[words.index("--forms") + 1].split(",")


def test_the_page_has_an_example_of_every_form() -> None:
    assert len(EXAMPLES) == 5
    assert sorted(form for command, _ in EXAMPLES for form in named(command)) == sorted(
        form.name.lower() for form in Form
    )


@pytest.mark.parametrize(("arguments", "shown"), EXAMPLES, ids=[",".join(named(one)) for one, _ in EXAMPLES])
def test_an_example_trades_in_its_forms_as_the_page_shows(
    arguments: str, shown: str, otaniemi: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = otaniemi(*shlex.split(arguments))
    assert ended.code == 0, ended.err
    words = shlex.split(arguments)
    folder = tmp_path / words[words.index("--out") + 1]
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    told = dict(re.findall(r"^ *(\w+) +(\d+, [\d.]+ kWh)$", shown, re.MULTILINE))
    assert list(told) == named(arguments)
    for form, line in told.items():
        assert re.search(rf"{form} +│ +{re.escape(line)} ", ended.out), ended.out
        assert summary["trades_by_form"][form] > 0
        assert summary["wh_by_form"][form] > 0
    assert set(summary["wh_by_form"]) == set(named(arguments))
    assert summary["audit"]["ok"] is True
    assert summary["bills_sum_nano"] == summary["escrow_surplus_nano"] == 0
    bills_are_as_the_page_says(named(arguments), bills(folder), summary)
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert "The forms of trading side by side" in report


def bills(folder: Path) -> list[dict[str, Any]]:
    """The lines of the day's bills."""
    (file,) = (folder / "leaves").glob("bills-*.jsonl")
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def bills_are_as_the_page_says(
    forms: list[str], lines: list[dict[str, Any]], summary: dict[str, Any]
) -> None:
    """A package trades nothing and locks nothing; every other form is a trade whose lock is released."""
    bought = sum(max(line["trade_wh"], 0) for line in lines)
    kinds = {reference[0] for line in lines for reference in line["references"]}
    if forms == ["package"]:
        assert kinds == set()
        assert bought == 0
        assert sum(line["lock_release"] for line in lines) == 0
        assert summary["package_saving_eur"] > 0
        return
    assert (REFERENCE_TO_POSITION in kinds) == any(form != "call" for form in forms)
    assert 0 < bought <= summary["traded_wh"]
    assert all(line["lock_release"] > 0 for line in lines if line["trade_wh"])


def test_the_commands_for_a_running_market_get_as_far_as_asking_it(
    otaniemi: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OTANIEMI_PASSPHRASE", "a long passphrase")
    for name in ("device", "owner"):
        create_wallet(tmp_path / f"{name}.json", "a long passphrase", iterations=4096)
    others = [command for command in COMMANDS if not command.startswith("simulate ")]
    assert [command.split()[0] for command in others] == [
        "package",
        "contract",
        "bid",
        "limit",
        *["series"] * 2,
        *["auction"] * 4,
    ]
    for command in others:
        nobody = "http://127.0.0.1:9"
        assert nobody in otaniemi(*shlex.split(command), "--url", nobody).error
