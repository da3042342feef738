"""The command line as people use it: processes for runs, in this process where nothing is started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from otaniemi.platform.cli import main

TWO_HOMES = ("--homes", "2", "--slot", "60min")


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line that a command says when it cannot do as told."""
        assert self.code == 2, self
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: ")
        assert self.out == ""
        return lines[0]


@dataclass(frozen=True)
class Run:
    """A finished simulation; read it, do not write to it."""

    path: Path
    summary: dict[str, Any]
    process: Ended

    def leaves(self, kind: str) -> str:
        """The text of the one file of ``kind``, "bills" or "meters"."""
        (file,) = (self.path / "leaves").glob(f"{kind}-*.jsonl")
        return file.read_text()


Command = Callable[..., Ended]


@pytest.fixture
def otaniemi(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process."""

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["otaniemi", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        return Ended(code if isinstance(code, int) else 0, *capfd.readouterr())

    return run


def start(*arguments: object, folder: Path | None = None) -> subprocess.Popen[str]:
    """Start a command in a process of its own, which shows its progress on a pipe too."""
    return subprocess.Popen(
        [sys.executable, "-c", "from otaniemi.platform.cli import main; main()", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "FORCE_COLOR": "1", "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def simulate(out: Path, *arguments: object) -> Run:
    """Simulate to the end."""
    process = start("simulate", *arguments, "--out", out, "--json")
    printed, told = process.communicate(timeout=240)
    assert process.returncode == 0, told
    summary = cast("dict[str, Any]", json.loads((out / "summary.json").read_text()))
    assert json.loads(printed) == summary
    return Run(out, summary, Ended(0, printed, told))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A day of two homes and hourly slots."""
    return simulate(tmp_path_factory.mktemp("small") / "run", *TWO_HOMES)


@pytest.fixture(scope="session")
def other_seed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The small day under another seed."""
    return simulate(tmp_path_factory.mktemp("other") / "run", *TWO_HOMES, "--seed", 8)


@pytest.fixture(scope="session")
def default_day(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The day that `otaniemi simulate` trades by itself, with a perfect forecast."""
    return simulate(tmp_path_factory.mktemp("default") / "run", "--forecast", "perfect")
