"""Compile the contracts to the artifacts that the Python package ships.

python tools/compile_contracts.py            # write the artifacts
python tools/compile_contracts.py --check    # exit 1 if they differ from what the sources give
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from hashlib import sha256
from pathlib import Path
from typing import Any

from solcx import compile_standard

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "contracts" / "src"
MODULES = ROOT / "node_modules"
SOLC = ROOT / "tools" / "solc"
ARTIFACTS = ROOT / "contracts" / "otaniemi" / "contracts" / "chain" / "artifacts"

CONTRACTS = {
    "AccessManager": "@openzeppelin/contracts/access/manager/AccessManager.sol",
    "Accounts": "contracts/src/core/Accounts.sol",
    "BilateralContracts": "contracts/src/markets/BilateralContracts.sol",
    "BlockSeries": "contracts/src/markets/BlockSeries.sol",
    "CallAuction": "contracts/src/markets/CallAuction.sol",
    "Communities": "contracts/src/core/Communities.sol",
    "ContinuousMarket": "contracts/src/markets/ContinuousMarket.sol",
    "Court": "contracts/src/settlement/Court.sol",
    "DutchAuction": "contracts/src/markets/DutchAuction.sol",
    "Oracle": "contracts/src/oracle/Oracle.sol",
    "Positions": "contracts/src/markets/Positions.sol",
    "PricePackages": "contracts/src/markets/PricePackages.sol",
    "Schedules": "contracts/src/settlement/Schedules.sol",
    "SealedAuction": "contracts/src/markets/SealedAuction.sol",
    "Settlement": "contracts/src/settlement/Settlement.sol",
    "TestEuro": "contracts/src/devnet/TestEuro.sol",
}

_IMPORT = re.compile(r'^import\s[^;]*?"([^"]+)";', re.MULTILINE)


def sources(entries: list[str]) -> dict[str, str]:
    """Text of the named source units and of all that they import, by source unit name."""
    found: dict[str, str] = {}
    pending = list(entries)
    while pending:
        name = pending.pop()
        if name in found:
            continue
        found[name] = _path(name).read_text(encoding="utf-8")
        for target in _IMPORT.findall(found[name]):
            pending.append(_resolve(name, target))
    return dict(sorted(found.items()))


def compile_all() -> dict[str, dict[str, Any]]:
    """Artifact of every shipped contract, by contract name.

    Returns
    -------
    dict
        ``abi``, ``bytecode`` and ``deployedBytecode`` (0x-hex), ``compiler`` and ``sourceHash``
        (SHA-256 over compiler settings and all sources).
    """
    output = compile_standard(_request(), solc_binary=SOLC)
    digest = source_hash()
    artifacts = {}
    for name, unit in CONTRACTS.items():
        contract = output["contracts"][unit][name]
        artifacts[name] = {
            "contractName": name,
            "abi": contract["abi"],
            "bytecode": "0x" + contract["evm"]["bytecode"]["object"],
            "deployedBytecode": "0x" + contract["evm"]["deployedBytecode"]["object"],
            "compiler": json.loads(contract["metadata"])["compiler"]["version"],
            "sourceHash": digest,
        }
    return artifacts


def source_hash() -> str:
    """SHA-256 over compiler settings and all sources: what every committed artifact must name."""
    return sha256(json.dumps(_request(), sort_keys=True).encode()).hexdigest()


def text_of(artifact: dict[str, Any]) -> str:
    """JSON text of an artifact, the same for the same content."""
    return json.dumps(artifact, indent=1, sort_keys=True) + "\n"


def differing() -> list[str]:
    """Names of the contracts whose committed artifact is not what the sources give."""
    return [
        name
        for name, artifact in compile_all().items()
        if not _file(name).exists() or _file(name).read_text(encoding="utf-8") != text_of(artifact)
    ]


def main() -> int:
    """Write or check the artifacts."""
    parser = argparse.ArgumentParser(
        description="Compile the contracts to the artifacts of the Python package."
    )
    parser.add_argument("--check", action="store_true", help="compare only")
    if parser.parse_args().check:
        wrong = differing()
        if wrong:
            print(f"artifacts differ from the sources: {', '.join(wrong)}; run tools/compile_contracts.py")
        return 1 if wrong else 0
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    for name, artifact in compile_all().items():
        _file(name).write_text(text_of(artifact), encoding="utf-8")
        print(f"{name}: {(len(artifact['deployedBytecode']) - 2) // 2} bytes")
    return 0


def _request() -> dict[str, Any]:
    """What the compiler is asked."""
    units = sources(list(CONTRACTS.values()))
    return {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in units.items()},
        "settings": _settings(),
    }


def _settings() -> dict[str, Any]:
    """Compiler settings of foundry.toml, so that forge tests what is shipped."""
    profile = tomllib.loads((ROOT / "foundry.toml").read_text(encoding="utf-8"))["profile"]["default"]
    return {
        "evmVersion": profile["evm_version"],
        "viaIR": profile["via_ir"],
        "optimizer": {"enabled": profile["optimizer"], "runs": profile["optimizer_runs"]},
        "metadata": {"bytecodeHash": profile["bytecode_hash"], "appendCBOR": profile["cbor_metadata"]},
        "outputSelection": {
            "*": {"*": ["abi", "metadata", "evm.bytecode.object", "evm.deployedBytecode.object"]}
        },
    }


def _file(name: str) -> Path:
    return ARTIFACTS / f"{name}.json"


def _path(unit: str) -> Path:
    return MODULES / unit if unit.startswith("@") else ROOT / unit


def _resolve(unit: str, target: str) -> str:
    """Source unit name of an import; relative ones count from the importing unit."""
    if not target.startswith("."):
        return target
    parts = unit.split("/")[:-1]
    for part in target.split("/"):
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


if __name__ == "__main__":
    sys.exit(main())
