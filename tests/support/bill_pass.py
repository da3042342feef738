"""A pass of debits as the settlement reads it: what its entries and its proof lead to."""

from __future__ import annotations

from otaniemi.contracts.rules.keccak import keccak

ENTRY_BYTES = 68
_SUMS_BYTES = 128


def led_to(entries: bytes, first: int, count: int, proof: bytes) -> bytes:
    """Commitment to the root over ``count`` accounts, of which the ``entries`` stand from ``first`` on."""
    hashes = [keccak(b"\x04" + entries[at : at + ENTRY_BYTES]) for at in range(0, len(entries), ENTRY_BYTES)]
    end = len(proof) - _SUMS_BYTES
    words = iter([proof[at : at + 32] for at in range(0, end, 32)])
    while count > 1:
        alone = len(hashes) == 1
        if alone and first ^ 1 < count:
            beside = next(words)
            hashes = [beside, *hashes] if first & 1 else [*hashes, beside]
        whole = len(hashes) & ~1
        joined = [keccak(b"\x03" + hashes[i] + hashes[i + 1] + next(words)) for i in range(0, whole, 2)]
        hashes = joined + hashes[whole:]
        first, count = first >> 1, (count + 1) >> 1
    assert next(words, None) is None, "the proof goes on"
    return keccak(hashes[0] + proof[end:])
