"""Trie roots, against the trie of the py-trie library."""

from __future__ import annotations

import random

import pytest
import rlp
from trie import HexaryTrie

from otaniemi.contracts.chain.trie import ordered_root


def reference_root(values: list[bytes]) -> bytes:
    trie = HexaryTrie({})
    for index, value in enumerate(values):
        trie[rlp.encode(index)] = value
    return bytes(trie.root_hash)


@pytest.mark.parametrize("count", [0, 1, 2, 15, 16, 17, 127, 128, 129, 255, 256, 257, 400])
def test_root_is_that_of_a_merkle_patricia_trie(count: int) -> None:
    draw = random.Random(count)
    values = [draw.randbytes(draw.randint(1, 90)) for _ in range(count)]
    assert ordered_root(values) == reference_root(values)


def test_short_values_are_embedded_in_their_parents() -> None:
    values = [bytes([value]) for value in range(1, 40)]
    assert ordered_root(values) == reference_root(values)


def test_order_matters() -> None:
    assert ordered_root([b"a" * 40, b"b" * 40]) != ordered_root([b"b" * 40, b"a" * 40])
