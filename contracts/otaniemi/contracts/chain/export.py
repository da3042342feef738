"""A chain as files: headers, transactions and receipts as RLP in hexadecimal, one line per block.

Nothing is written twice: every byte is bound by the header chain and the tries below each header.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from otaniemi.contracts.chain.blocks import RawBlock

HEADERS = "headers.jsonl"
TRANSACTIONS = "transactions.jsonl"
RECEIPTS = "receipts.jsonl"


def export_blocks(blocks: Iterable[RawBlock], directory: Path) -> None:
    """Write ``blocks`` into ``directory``, which exists.

    Line i of ``headers.jsonl`` is a JSON string, line i of ``transactions.jsonl`` and ``receipts.jsonl``
    an array of strings: the RLP (EIP-2718 where typed) of block i in lower-case hexadecimal.
    """
    with (
        (directory / HEADERS).open("w", encoding="ascii", newline="\n") as headers,
        (directory / TRANSACTIONS).open("w", encoding="ascii", newline="\n") as transactions,
        (directory / RECEIPTS).open("w", encoding="ascii", newline="\n") as receipts,
    ):
        for block in blocks:
            headers.write(header_line(block) + "\n")
            transactions.write(array_line(block.transactions) + "\n")
            receipts.write(array_line(block.receipts) + "\n")


def header_line(block: RawBlock) -> str:
    """A block's line in ``headers.jsonl``, without the line feed."""
    return json.dumps(block.header.hex())


def array_line(items: Iterable[bytes]) -> str:
    """A block's line in the other two files, without the line feed."""
    return json.dumps([item.hex() for item in items], separators=(",", ":"))
