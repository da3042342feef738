"""The shipped artifacts are of these sources; `tools/check contracts` compiles them to compare the code."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]
MAX_CODE_BYTES = 24_576


def test_every_artifact_is_of_these_sources_and_settings() -> None:
    if not (ROOT / "node_modules").is_dir() and not os.environ.get("CI"):
        pytest.skip("the sources import from node_modules: run tools/setup")
    expected = _compiler().source_hash()
    stale = [name for name, artifact in _artifacts().items() if artifact["sourceHash"] != expected]
    assert stale == [], "run tools/compile_contracts.py"


def test_every_contract_can_be_deployed() -> None:
    sizes = {name: len(artifact["deployedBytecode"]) // 2 - 1 for name, artifact in _artifacts().items()}
    assert set(sizes) == set(_compiler().CONTRACTS)
    assert {name: size for name, size in sizes.items() if not 0 < size <= MAX_CODE_BYTES} == {}


def _artifacts() -> dict[str, dict[str, str]]:
    folder = ROOT / "contracts" / "otaniemi" / "contracts" / "chain" / "artifacts"
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")}


def _compiler() -> ModuleType:
    """tools/compile_contracts.py."""
    spec = importlib.util.spec_from_file_location(
        "compile_contracts", ROOT / "tools" / "compile_contracts.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
