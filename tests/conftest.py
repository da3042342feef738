"""What tests may need from outside: where it is missing they are skipped with the reason, in CI they fail."""

from __future__ import annotations

import importlib
import os
import shutil
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[1]


def _missing(what: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(f"{what}; CI must have it")
    pytest.skip(what)


def _tool(name: str) -> Path:
    local = ROOT / "node_modules" / ".bin" / name
    found = str(local) if local.exists() else shutil.which(name)
    return (
        Path(found) if found else _missing(f"{name} is not in node_modules nor on the PATH; run tools/setup")
    )


@pytest.fixture(scope="session")
def require_anvil() -> Path:
    """The anvil to run."""
    return _tool("anvil")


@pytest.fixture(scope="session")
def require_forge() -> Path:
    """The forge to run."""
    return _tool("forge")


@pytest.fixture(scope="session")
def require_solc() -> Path:
    """A solc that speaks standard JSON: the project's wrapper around the compiler in node_modules."""
    if shutil.which("node") and (ROOT / "node_modules" / "solc").is_dir():
        return ROOT / "tools" / "solc"
    return _missing("solc is not in node_modules, or node is missing; run tools/setup")


@pytest.fixture(scope="session")
def require_chromium() -> Path:
    """The browser to open pages with."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    return Path(found) if found else _missing("no Chromium on the PATH; run tools/setup --browser")


@pytest.fixture(scope="session")
def require_dask() -> ModuleType:
    """The package of a Dask cluster."""
    try:
        return importlib.import_module("distributed")
    except ImportError:
        return _missing("distributed, Dask's cluster, is not installed; `pip install distributed`")


@pytest.fixture(scope="session")
def require_measured_data() -> Path:
    """The folder of the measured homes and prices."""
    folder = Path(os.environ.get("OTANIEMI_DATA") or ROOT.parent / "shared" / "data")
    return (
        folder
        if folder.is_dir()
        else _missing(f"no measured data at {folder} (OTANIEMI_DATA says where it is)")
    )
