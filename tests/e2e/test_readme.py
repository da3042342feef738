"""The README's two commands, as a stranger would run them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INSTALL_AND_SIMULATE, INSTALL_AND_TEST = re.findall(
    r"^```sh\n(pip install .*)\n```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
)
IN_CI = bool(os.environ.get("CI"))


def run(command: str, folder: Path, environment: Path) -> subprocess.CompletedProcess[str]:
    """The command in a shell in which `environment` is the active Python environment; None of the caller's stays."""
    variables = {
        k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "PYTEST_ADDOPTS")
    }
    variables |= {
        "PATH": f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "VIRTUAL_ENV": str(environment),
    }
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def simulated(folder: Path) -> dict[str, object]:
    """The summary of the one run below `folder`, after looking at the files that a run promises."""
    (summary,) = folder.glob("runs/*/summary.json")
    for name in ("report.html", "deployment.json", "leaves", "chain", "store.db"):
        assert (summary.parent / name).exists(), name
    found = json.loads(summary.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def is_a_good_default_day(summary: dict[str, object]) -> bool:
    return (
        (summary["homes"], summary["slots"], summary["seed"]) == (12, 96, 7)
        and summary["bills_sum_nano"] == summary["escrow_surplus_nano"] == 0
        and summary["sold_wh"] == summary["bought_wh"]
        and summary["audit"]["ok"] is True  # type: ignore[index]
    )


@pytest.mark.skipif(IN_CI, reason="CI runs the command in an environment of its own, below")
def test_the_first_command_simulates_an_audited_day(tmp_path: Path) -> None:
    install, simulate = INSTALL_AND_SIMULATE.split(" && ")
    assert install == "pip install -c constraints.txt ."
    done = run(simulate, tmp_path, Path(sys.prefix))
    assert done.returncode == 0, done.stderr
    assert is_a_good_default_day(simulated(tmp_path))


@pytest.mark.timeout(600)
@pytest.mark.skipif(not IN_CI, reason="installs everything once more from the package index; CI does it")
def test_the_first_command_installs_all_it_needs(tmp_path: Path) -> None:
    """From the tracked files alone, not editable, into an empty environment."""
    clone, environment = tmp_path / "clone", tmp_path / "environment"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, tracked.stdout.split("\0")):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, clone / name)
    venv.create(environment, with_pip=True)
    done = run(INSTALL_AND_SIMULATE, clone, environment)
    assert done.returncode == 0, done.stderr
    assert is_a_good_default_day(simulated(clone))


def test_the_second_command_is_what_ci_installs_and_checks() -> None:
    install, test = INSTALL_AND_TEST.split(" && ")
    assert (
        f".venv/bin/{install}".replace("pip install", "pip install --quiet")
        in (ROOT / ".ci" / "run").read_text()
    )
    assert f"step {test}\n" in (ROOT / "tools" / "check").read_text()


def test_the_second_command_finds_tests_of_every_kind() -> None:
    _, test = INSTALL_AND_TEST.split(" && ")
    done = run(f"{test} --collect-only -q -p no:cacheprovider", ROOT, Path(sys.prefix))
    assert done.returncode == 0, done.stdout + done.stderr
    for kind in ("unit", "property", "differential", "e2e"):
        assert f"tests/{kind}/" in done.stdout, kind
