"""What is left of a run that was interrupted, and what the next run makes of it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from .conftest import TWO_HOMES, Command, start

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


def until_it_trades(process: subprocess.Popen[str]) -> str:
    """Read the progress until it tells of trading."""
    assert process.stderr is not None
    seen = ""
    while "trading" not in seen:
        piece = os.read(process.stderr.fileno(), 4096).decode(errors="replace")
        assert piece, seen
        seen += piece
    return seen


def children_of(parent: int) -> set[int]:
    """Processes that ``parent`` started."""
    return {int(word) for word in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()}


def test_an_interrupted_run_leaves_nothing(tmp_path: Path) -> None:
    process = start("simulate", *TWO_HOMES, folder=tmp_path)
    until_it_trades(process)
    children = children_of(process.pid)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert re.sub(r"\x1b\[[?\d;]*\w", "", told).splitlines()[-1] == "error: interrupted; nothing was kept"
    assert "Traceback" not in told
    assert list(tmp_path.iterdir()) == []
    assert ended(children)


def test_a_killed_run_trips_no_later_one(
    tmp_path: Path, otaniemi: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = start("simulate", *TWO_HOMES, folder=tmp_path)
    until_it_trades(process)
    children = children_of(process.pid)
    process.kill()
    process.communicate(timeout=30)
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["001.partial"]
    assert ended(children)

    monkeypatch.chdir(tmp_path)
    said = otaniemi("simulate", *TWO_HOMES, "--out", "runs/001").error
    assert "an interrupted run left runs/001.partial" in said
    assert otaniemi("audit", "runs/001").code == 2
    monkeypatch.setattr("otaniemi.platform.simulation._trade", interrupt)
    assert otaniemi("simulate", *TWO_HOMES).code == 130
    assert interrupted == ["002.partial"]
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["001.partial"]


interrupted: list[str] = []


def interrupt(*_: object) -> None:
    interrupted.extend(sorted(path.name for path in Path("runs").iterdir() if path.name != "001.partial"))
    raise KeyboardInterrupt


def ended(processes: set[int], within_s: float = 10.0) -> bool:
    """Whether all of ``processes`` end by themselves."""
    until = time.monotonic() + within_s
    while any(Path(f"/proc/{child}").exists() for child in processes):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True
