"""Published leaves: what the meter roots and bill roots on the chain commit to, as files.

``meters-DAY.jsonl`` holds one line per meter leaf by product, slot and account, ``bills-DAY.jsonl`` one per bill
line by account, product and slot. A line is a JSON object, keys sorted, no spaces, energy in Wh, money in
nano-token. ``hash`` is the leaf's own, so that an altered leaf is found by itself. Each of a bill line's references
is an array: kind, chain, index, fill, and what it adds to trade_wh, trade_money, grid_fee, platform_fee, lock_release.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

from otaniemi.contracts.rules.errors import RulesError
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.lines import Line
from otaniemi.contracts.rules.meters import MeterLeaf
from otaniemi.contracts.rules.references import Reference
from otaniemi.platform.audit.findings import EvidenceMissingError, WrongLeafError

Meters = Mapping[tuple[int, int], Sequence[MeterLeaf]]
"""Meter leaves of each (product, slot), accounts ascending."""


def meters_file(directory: Path, day: int) -> Path:
    """Where the meter leaves of trading day ``day`` are."""
    return directory / f"meters-{day}.jsonl"


def bills_file(directory: Path, day: int) -> Path:
    """Where the bill lines of trading day ``day`` are."""
    return directory / f"bills-{day}.jsonl"


def write_meters(directory: Path, day: int, meters: Meters) -> None:
    """Publish the meter leaves of a trading day."""
    lines = [
        _meter_text(product, slot, leaf) for product, slot in sorted(meters) for leaf in meters[product, slot]
    ]
    _write(meters_file(directory, day), lines)


def write_bills(directory: Path, day: int, lines: Iterable[Line]) -> None:
    """Publish the bill ``lines`` of a trading day, by account, product and slot."""
    _write(bills_file(directory, day), [_line_text(line) for line in lines])


def content_hash(lines: Iterable[Line]) -> bytes:
    """Keccak of the file that ``write_bills`` writes, which a proposal of bills names."""
    return keccak("".join(_line_text(line) + "\n" for line in lines).encode("ascii"))


def read_meters(path: Path) -> dict[tuple[int, int], list[MeterLeaf]]:
    """The leaves that ``write_meters`` wrote.

    Raises
    ------
    EvidenceMissingError
        The file is missing or unreadable.
    WrongLeafError
        Names the first line that is not as it was written.
    """
    meters: dict[tuple[int, int], list[MeterLeaf]] = {}
    places: list[tuple[str, tuple[int, int, int]]] = []
    for where, text, data in _read(path):
        try:
            product, slot = _integers((data["product"], data["slot"]))
            key = product, slot
            leaf = MeterLeaf(
                account=data["account"],
                import_wh=data["import"],
                export_wh=data["export"],
                quality=data["quality"],
                salt=bytes.fromhex(data["salt"]),
            )
            again = _meter_text(product, slot, leaf)
        except (KeyError, TypeError, ValueError, RulesError) as error:
            raise WrongLeafError(where, f"is no meter leaf ({error})") from error
        _compare(where, text, again, f"the meter of account {leaf.account} in slot {slot}")
        places.append((where, (product, slot, leaf.account)))
        _check_order(places)
        meters.setdefault(key, []).append(leaf)
    return meters


def read_bills(path: Path) -> list[Line]:
    """The lines that ``write_bills`` wrote.

    Raises
    ------
    EvidenceMissingError
        The file is missing or unreadable.
    WrongLeafError
        Names the first line that is not as it was written.
    """
    lines = []
    for where, text, data in _read(path):
        try:
            del data["hash"]
            references = tuple(Reference(*_integers(numbers)) for numbers in data.pop("references"))
            line = Line(**dict(zip(data, _integers(data.values()), strict=True)), references=references)
            again = _line_text(line)
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError, RulesError) as error:
            raise WrongLeafError(where, f"is no bill line ({error})") from error
        _compare(where, text, again, f"the bill of account {line.account} in slot {line.slot}")
        lines.append(line)
    return lines


def _check_order(places: Sequence[tuple[str, tuple[int, int, int]]]) -> None:
    """The last of ``places`` must follow the one before; else the one that fits neither neighbour is wrong."""
    if len(places) < 2 or places[-2][1] < places[-1][1]:
        return
    culprit = places[-2 if len(places) == 2 or places[-3][1] < places[-1][1] else -1][0]
    raise WrongLeafError(culprit, "stands out of order; leaves ascend by product, slot and account")


def _integers(values: Iterable[Any]) -> list[int]:
    """``values`` themselves; True would pass for 1 otherwise."""
    numbers = list(values)
    if any(type(number) is not int for number in numbers):
        raise TypeError(f"{numbers} are not all integers")
    return numbers


def _meter_text(product: int, slot: int, leaf: MeterLeaf) -> str:
    return _canonical(
        {
            "product": product,
            "slot": slot,
            "account": leaf.account,
            "import": leaf.import_wh,
            "export": leaf.export_wh,
            "quality": leaf.quality,
            "salt": leaf.salt.hex(),
            "hash": leaf.node().hash.hex(),
        }
    )


def _line_text(line: Line) -> str:
    references = [astuple(reference) for reference in line.references]
    fields = {name: getattr(line, name) for name in Line.__dataclass_fields__}
    return _canonical({**fields, "references": references, "hash": line.node().hash.hex()})


def _canonical(data: Mapping[str, Any]) -> str:
    return json.dumps(data, sort_keys=True, separators=(",", ":"))


def _compare(where: str, text: str, again: str, what: str) -> None:
    if again == text:
        return
    raise WrongLeafError(where, f"{what} does not have the hash that stands beside it, or is spelt otherwise")


def _write(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(line + "\n" for line in lines), encoding="ascii", newline="\n")


def _read(path: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Place, text and object of each line."""
    try:
        content = path.read_bytes().decode("ascii")
    except OSError as error:
        raise EvidenceMissingError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise WrongLeafError(path.name, f"byte {error.start} is not ASCII") from error
    if content and not content.endswith("\n"):
        raise WrongLeafError(path.name, "does not end with a line feed")
    for number, text in enumerate(content.split("\n")[:-1], start=1):
        where = f"{path.name} line {number}"
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise WrongLeafError(where, f"is not JSON ({error})") from error
        if not isinstance(data, dict):
            raise WrongLeafError(where, "is not a JSON object")
        yield where, text, data
