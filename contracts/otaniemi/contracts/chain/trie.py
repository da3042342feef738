"""Root of the Merkle-Patricia trie that Ethereum keeps over a block's transactions or receipts."""

from __future__ import annotations

from collections.abc import Sequence

from rlp.codec import encode_raw

from otaniemi.contracts.rules.keccak import keccak

Node = bytes | list["Node"]


def ordered_root(values: Sequence[bytes]) -> bytes:
    """Root hash of the trie that maps ``rlp(index)`` to ``values[index]``, shape (32,).

    References
    ----------
    Ethereum yellow paper, appendix D.
    """
    items = sorted((_nibbles(encode_raw(_index_bytes(i))), value) for i, value in enumerate(values))
    return keccak(encode_raw(_node(items, 0) if items else b""))


def _index_bytes(index: int) -> bytes:
    return index.to_bytes((index.bit_length() + 7) // 8, "big")


def _nibbles(key: bytes) -> bytes:
    return bytes(nibble for byte in key for nibble in (byte >> 4, byte & 15))


def _node(items: list[tuple[bytes, bytes]], depth: int) -> list[Node]:
    """The node below which all of ``items`` lie; their keys agree up to ``depth``."""
    first, last = items[0][0], items[-1][0]
    if len(items) == 1:
        return [_compact(first[depth:], leaf=True), items[0][1]]
    # The items are sorted, so whatever the first and last key share, all share.
    shared = depth
    while shared < min(len(first), len(last)) and first[shared] == last[shared]:
        shared += 1
    if shared > depth:
        return [_compact(first[depth:shared], leaf=False), _reference(_node(items, shared))]
    branch: list[Node] = [b""] * 17
    # No rlp(index) is a prefix of another, so no value ends at a branch.
    start = 0
    for end in range(1, len(items) + 1):
        if end == len(items) or items[end][0][depth] != items[start][0][depth]:
            branch[items[start][0][depth]] = _reference(_node(items[start:end], depth + 1))
            start = end
    return branch


def _reference(node: list[Node]) -> Node:
    encoded = encode_raw(node)
    return node if len(encoded) < 32 else keccak(encoded)


def _compact(nibbles: bytes, leaf: bool) -> bytes:
    """Hex-prefix encoding of a path."""
    flag = 2 if leaf else 0
    padded = bytes([flag + 1]) + nibbles if len(nibbles) % 2 else bytes([flag, 0]) + nibbles
    return bytes(high << 4 | low for high, low in zip(padded[::2], padded[1::2], strict=True))
