"""`otaniemi optimize FOLDER`: every home of a folder, and what becomes of those that have no plan."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from otaniemi.optimizer import plan
from otaniemi.platform.benchmarks.random_homes import random_homes

from .conftest import Command


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two homes that have a plan, one whose battery cannot be full in time, one that is no JSON."""
    folder = tmp_path / "houses"
    folder.mkdir()
    first, second, third = random_homes(3, slots=24, thermal=False)
    assert third.battery
    hopeless = replace(third, battery=replace(third.battery, power_kw=1e-3, final_soc=1.0))
    for name, house in (("a", first), ("b", second), ("hopeless", hopeless)):
        (folder / f"{name}.json").write_text(json.dumps(house.to_dict()))
    (folder / "text.json").write_text("not JSON")
    (folder / "readme.md").write_text("no house")
    return folder


def test_every_home_is_a_line_and_a_failure_its_own(folder: Path, otaniemi: Command) -> None:
    ended = otaniemi("optimize", folder, "--method", "lp", "--jobs", "2", "--json")
    assert ended.code == 1
    lines = {line["file"]: line for line in map(json.loads, ended.out.splitlines())}
    assert sorted(lines) == ["a.json", "b.json", "hopeless.json", "text.json"]
    first, _, _ = random_homes(3, slots=24, thermal=False)
    assert lines["a.json"]["name"] == "home-0"
    assert lines["a.json"]["cost_eur"] == pytest.approx(plan(first, "lp").cost_eur, abs=1e-6)
    assert lines["b.json"]["status"] == "optimal"
    assert lines["hopeless.json"]["status"] == "infeasible"
    assert lines["hopeless.json"]["device"] == "battery"
    assert lines["text.json"]["status"] == "error"
    assert "not a JSON file" in lines["text.json"]["reason"]


def test_a_folder_is_summed_up_for_people(folder: Path, otaniemi: Command) -> None:
    (folder / "text.json").unlink()
    ended = otaniemi("optimize", folder, "--method", "lp", "--jobs", "1")
    assert ended.code == 1
    assert "homes per second" in ended.out
    assert "hopeless.json" in ended.out
    (folder / "hopeless.json").unlink()
    whole = otaniemi("optimize", folder, "--method", "lp", "--jobs", "1")
    assert whole.code == 0
    assert "hopeless" not in whole.out


def test_a_folder_without_houses_and_jobs_for_one_house_are_refused(
    folder: Path, tmp_path: Path, otaniemi: Command
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "has no house files" in otaniemi("optimize", empty).error
    assert "--jobs is for a folder" in otaniemi("optimize", folder / "a.json", "--jobs", "2").error
