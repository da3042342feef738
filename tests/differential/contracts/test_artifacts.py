"""The artifacts that the package ships are what the sources compile to."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]
MAX_CODE_BYTES = 24_576


def test_artifacts_are_what_the_sources_compile_to() -> None:
    compiler = _compiler()
    assert compiler.differing() == [], "run tools/compile_contracts.py"


def test_every_contract_can_be_deployed() -> None:
    folder = ROOT / "contracts" / "otaniemi" / "contracts" / "chain" / "artifacts"
    sizes = {
        path.stem: len(json.loads(path.read_text(encoding="utf-8"))["deployedBytecode"]) // 2 - 1
        for path in folder.glob("*.json")
    }
    assert set(sizes) == set(_compiler().CONTRACTS)
    assert {name: size for name, size in sizes.items() if not 0 < size <= MAX_CODE_BYTES} == {}


def _compiler() -> ModuleType:
    """tools/compile_contracts.py; skips where the compiler is not installed, which CI must not."""
    missing = None
    if not (ROOT / "node_modules" / "solc").is_dir():
        missing = "node_modules/solc is not installed: npm ci --ignore-scripts"
    elif shutil.which("node") is None:
        missing = "node is not installed"
    if missing and not os.environ.get("CI"):
        pytest.skip(missing)
    assert missing is None, missing
    spec = importlib.util.spec_from_file_location(
        "compile_contracts", ROOT / "tools" / "compile_contracts.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
