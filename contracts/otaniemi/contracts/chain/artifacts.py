"""Compiled contracts, as committed beside this file: running needs no compiler."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from otaniemi.contracts.chain.abi import Abi
from otaniemi.contracts.chain.errors import ArtifactError, RevertedError

ARTIFACTS = Path(__file__).parent / "artifacts"


@dataclass(frozen=True)
class Artifact:
    """A contract's ABI and the code that creates it, constructor arguments to follow."""

    name: str
    abi: Abi
    creation_code: bytes


@cache
def artifact(name: str) -> Artifact:
    """The compiled contract ``name``.

    Raises
    ------
    ArtifactError
        It was never compiled, or its file is damaged.
    """
    path = ARTIFACTS / f"{name}.json"
    try:
        data: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Artifact(name, Abi(data["abi"]), bytes.fromhex(data["bytecode"].removeprefix("0x")))
    except OSError as error:
        raise ArtifactError(f"contract {name}: no {path.name} among the compiled ones") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"contract {name}: {path.name} is not a compiled contract ({error})") from error


def explain(what: str, data: bytes) -> RevertedError:
    """The error that the revert ``data`` of ``what`` stands for, by the errors of every compiled contract."""
    for path in sorted(ARTIFACTS.glob("*.json")):
        decoded = artifact(path.stem).abi.decode_error(data)
        if decoded:
            return RevertedError(what, *decoded, data)
    return RevertedError(what, "", {}, data)
