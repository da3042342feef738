"""`otaniemi optimize` of a house with scenarios says what planning with them is worth."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from .conftest import Command

HOUSE: dict[str, Any] = {
    "slots": 2,
    "slot_hours": 1.0,
    "tariff": {"import_eur_per_kwh": [0.2, 0.6], "export_eur_per_kwh": [0.0, 0.0]},
    "base_load_kw": [0.0, 0.0],
    "pv_kw": [0.0, 1.0],
    "appliances": [{"name": "washer", "rated_kw": 1.0, "hours": 1, "earliest_h": 0, "latest_h": 2}],
    "scenarios": [{"probability": 0.5, "pv_factor": 0.0}, {"probability": 0.5, "pv_factor": 2.0}],
}


def shown(tmp_path: Path, otaniemi: Command, house: dict[str, Any], *options: str) -> str:
    file = tmp_path / "house.json"
    file.write_text(json.dumps(house))
    ended = otaniemi("optimize", file, *options)
    assert ended.code == 0, ended.err
    return ended.out


def test_a_house_with_scenarios_is_told_what_they_are_worth(tmp_path: Path, otaniemi: Command) -> None:
    """The mean day waits for its sun and pays 30 ct in the mean; starting at once costs 20, knowing 10."""
    out = shown(tmp_path, otaniemi, HOUSE)
    assert "2 scenarios" in out
    for words, eur in (("mean day", "0.3000"), ("planning with scenarios", "0.1000"), ("knowing", "0.1000")):
        assert re.search(rf"{words}.*{eur}", out), out


def test_a_certain_house_is_not(tmp_path: Path, otaniemi: Command) -> None:
    assert "scenarios" not in shown(tmp_path, otaniemi, HOUSE | {"scenarios": None})
    assert "scenarios" not in shown(tmp_path, otaniemi, HOUSE, "--method", "lp")


def test_what_breaks_the_import_limit_is_not_a_number(tmp_path: Path, otaniemi: Command) -> None:
    prices = {"import_eur_per_kwh": [0.4, 0.6], "export_eur_per_kwh": [0.0, 0.0]}
    house = HOUSE | {"tariff": prices, "base_load_kw": [0.0, 0.5], "import_limit_kw": 1.2}
    assert re.search(r"mean day.*beyond the import limit", shown(tmp_path, otaniemi, house))
