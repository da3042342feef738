"""Exported chain data: what is written comes back, and no byte of it can change unnoticed."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from otaniemi.contracts.chain.embedded import EmbeddedChain
from otaniemi.contracts.chain.errors import ChainDataMissingError, WrongChainDataError
from otaniemi.contracts.chain.export import HEADERS, RECEIPTS, TRANSACTIONS, export_blocks
from otaniemi.contracts.chain.read import read_verified

from .echo import GENESIS, KEYS, chain_with_echo, echo

FILES = [HEADERS, TRANSACTIONS, RECEIPTS]


@pytest.fixture(scope="module")
def chain() -> EmbeddedChain:
    chain = EmbeddedChain(GENESIS)
    sender, address = chain_with_echo(chain)
    for size in range(1, 6):
        sender.try_all([(key, echo(address, bytes([size % 2]) * size)) for key in KEYS])
    chain.mine([])
    return chain


@pytest.fixture
def exported(chain: EmbeddedChain, tmp_path: Path) -> Path:
    export_blocks([chain.block(number) for number in range(chain.head().number + 1)], tmp_path)
    return tmp_path


def test_blocks_come_back_as_they_were(chain: EmbeddedChain, exported: Path) -> None:
    blocks = read_verified(exported, chain.head().hash)
    assert blocks == [chain.block(number) for number in range(len(blocks))]
    assert blocks[-1].number == chain.head().number


@pytest.mark.parametrize("name", FILES)
def test_every_changed_digit_is_found(chain: EmbeddedChain, exported: Path, name: str) -> None:
    path = exported / name
    text = path.read_text()
    digits = [match.start() for match in re.finditer("[0-9a-f]", text)]
    for position in random.Random(7).sample(digits, 200):
        other = "1" if text[position] != "1" else "e"
        path.write_text(text[:position] + other + text[position + 1 :])
        with pytest.raises(WrongChainDataError):
            read_verified(exported, chain.head().hash)


@pytest.mark.parametrize("name", FILES)
def test_every_other_spelling_is_refused(chain: EmbeddedChain, exported: Path, name: str) -> None:
    path = exported / name
    text = path.read_text()
    spellings = [text.replace("a", "A", 1), text.replace('"', ' "', 1), text + "\n", text[:-1]]
    spellings += [text.replace("\n", "\r\n", 1), text + text.splitlines()[-1] + "\n", "x" + text]
    spellings += [text.replace('"', "", 1), "\xe4" + text, text.replace('"', '"0x', 1), "\n" + text]
    for spelling in spellings:
        path.write_bytes(spelling.encode("latin-1"))
        with pytest.raises(WrongChainDataError, match=r"jsonl|block"):
            read_verified(exported, chain.head().hash)


def test_the_first_wrong_block_is_named(chain: EmbeddedChain, exported: Path) -> None:
    path = exported / RECEIPTS
    lines = path.read_text().split("\n")
    lines[4] = lines[4].replace("02f9", "02f8", 1)
    lines[5] = lines[5].replace("02f9", "02f8", 1)
    path.write_text("\n".join(lines))
    with pytest.raises(WrongChainDataError, match="block 4: its receipts"):
        read_verified(exported, chain.head().hash)


def test_another_head_is_refused(exported: Path) -> None:
    with pytest.raises(WrongChainDataError, match="block header"):
        read_verified(exported, bytes(32))


def test_a_missing_tail_is_found(chain: EmbeddedChain, exported: Path) -> None:
    for name in FILES:
        path = exported / name
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(WrongChainDataError):
        read_verified(exported, chain.head().hash)


def test_a_missing_file_is_not_a_wrong_one(chain: EmbeddedChain, exported: Path) -> None:
    (exported / RECEIPTS).unlink()
    with pytest.raises(ChainDataMissingError, match="cannot be read"):
        read_verified(exported, chain.head().hash)
