"""Exported chain data read back, every byte held against the head hash."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from otaniemi.contracts.chain.blocks import RawBlock
from otaniemi.contracts.chain.errors import ChainDataMissingError, WrongChainDataError
from otaniemi.contracts.chain.export import HEADERS, RECEIPTS, TRANSACTIONS, array_line, header_line
from otaniemi.contracts.chain.trie import ordered_root


def read_verified(directory: Path, head_hash: bytes) -> list[RawBlock]:
    """The blocks that ``export_blocks`` wrote, verified up to ``head_hash``.

    Raises
    ------
    ChainDataMissingError
        A file is missing or unreadable.
    WrongChainDataError
        A line is not as written, or a block does not hold; the first wrong one is named.
    """
    headers, transactions, receipts = (_lines(directory / name) for name in (HEADERS, TRANSACTIONS, RECEIPTS))
    blocks = []
    for index, line in enumerate(headers):
        where = f"line {index + 1}"
        block = RawBlock(
            _unhex(_json(line, f"{HEADERS} {where}"), f"{HEADERS} {where}"),
            _array(transactions, index, TRANSACTIONS),
            _array(receipts, index, RECEIPTS),
        )
        _require(header_line(block) == line, f"{HEADERS} {where}", "is not in canonical form")
        blocks.append(block)
    for name, lines in ((TRANSACTIONS, transactions), (RECEIPTS, receipts)):
        _require(len(lines) == len(headers), name, f"has {len(lines)} lines for {len(headers)} blocks")
    verify(blocks, head_hash)
    return blocks


def verify(blocks: Sequence[RawBlock], head_hash: bytes) -> None:
    """Check that ``blocks`` are a chain that ends at ``head_hash`` and that each holds what its header says.

    Raises
    ------
    WrongChainDataError
        Names the first wrong block: the newest header that its successor does not name, else the oldest
        block whose transactions or receipts do not have its header's roots.
    """
    _require(len(blocks) > 0, HEADERS, "holds no block")
    expected = head_hash
    for index in range(len(blocks) - 1, -1, -1):
        _require(
            blocks[index].hash == expected,
            f"block header {index + 1} of {len(blocks)}",
            f"hashes to 0x{blocks[index].hash.hex()}, not 0x{expected.hex()}",
        )
        expected = blocks[index].parent_hash
    for block in blocks:
        where = f"block {block.number}"
        _require(
            ordered_root(block.transactions) == block.transactions_root,
            where,
            "its transactions do not have the header's transactions root",
        )
        _require(
            ordered_root(block.receipts) == block.receipts_root,
            where,
            "its receipts do not have the header's receipts root",
        )


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_bytes().decode("ascii")
    except OSError as error:
        raise ChainDataMissingError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise WrongChainDataError(path.name, f"byte {error.start} is not ASCII") from error
    _require(text.endswith("\n"), path.name, "does not end with a line feed")
    return text[:-1].split("\n")


def _array(lines: Sequence[str], index: int, name: str) -> tuple[bytes, ...]:
    where = f"{name} line {index + 1}"
    _require(index < len(lines), where, "is missing")
    values = _json(lines[index], where)
    _require(isinstance(values, list), where, "is not an array")
    items = tuple(_unhex(value, f"{where} item {position + 1}") for position, value in enumerate(values))
    _require(array_line(items) == lines[index], where, "is not in canonical form")
    return items


def _json(line: str, where: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise WrongChainDataError(where, f"is not JSON ({error})") from error


def _unhex(value: Any, where: str) -> bytes:
    try:
        return bytes.fromhex(value)
    except (ValueError, TypeError) as error:
        raise WrongChainDataError(where, "is not hexadecimal") from error


def _require(holds: bool, where: str, why: str) -> None:
    if not holds:
        raise WrongChainDataError(where, why)
