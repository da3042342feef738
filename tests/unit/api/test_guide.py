"""The prosumer's guide is run as it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from otaniemi.contracts.rules.orders import Market
from otaniemi.platform import keys

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "prosumer.md"
DAY = 19_576


def steps() -> Iterator[tuple[str, str]]:
    """Heading and code of every Python block."""
    heading = ""
    for match in re.finditer(
        r"^## (.+?)$|^```python\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL
    ):
        heading = match[1] or heading
        if match[2]:
            yield heading, match[2]


def test_the_guide_works_from_keys_to_withdrawal(
    http: TestClient,
    place: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(httpx, "Client", lambda **_options: http)
    create = keys.create_wallet
    monkeypatch.setattr(keys, "create_wallet", lambda path, phrase: create(path, phrase, iterations=4096))
    world: dict[str, Any] = {"day": DAY}

    def meanwhile(done: str) -> None:
        if done == "4 A bid" and "cleared" not in world:
            place.relay(0)
            world["cleared"] = place.clear(Market(1, 0, world["evening"].slot, 0))
        if "nominate" in done:
            place.now = (world["evening"].slot + 1) * 3_600
        if "send_reading" in done:
            place.bill_day(Market(1, 0, world["evening"].slot, 0), world["cleared"], [world["home"].account])

    headings = []
    for heading, code in steps():
        exec(code, world)
        headings.append(heading)
        meanwhile(heading if heading == "4 A bid" else code)
    assert [heading[0] for heading in headings] == list("123444" + "55" + "67")
    shown = capsys.readouterr().out
    assert "100.0 EUR free" in shown
    assert "received 0" in shown
    assert "unfilled 0 Wh" in shown
    assert "standing 300 []" in shown
    assert "proposed" in shown
    assert len(place.sent) == 2
