"""Blocks as bytes, and what those bytes say: headers, transactions, receipts, logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import rlp
from coincurve import PublicKey
from rlp.codec import encode_raw

from otaniemi.contracts.rules.keccak import keccak

Address = bytes
"""20 bytes."""

DYNAMIC_FEE = 2
"""EIP-2718 type of the transactions that we sign (EIP-1559)."""


@dataclass(frozen=True, slots=True)
class Log:
    """One event as emitted: 20-byte address, 32-byte topics, data."""

    address: Address
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of transaction ``index`` of block ``block``.

    ``revert_data`` is known only where we watched the transaction fail.
    """

    transaction: bytes
    block: int
    index: int
    ok: bool
    gas_used: int
    logs: tuple[Log, ...]
    revert_data: bytes = field(default=b"", compare=False)


@dataclass(frozen=True, slots=True)
class Transaction:
    """A signed EIP-1559 transaction; ``to`` is None where it creates a contract."""

    chain_id: int
    nonce: int
    priority_fee: int
    max_fee: int
    gas: int
    to: Address | None
    value: int
    data: bytes
    sender: Address

    @property
    def created(self) -> Address:
        """The address of the contract that it creates when ``to`` is None."""
        return contract_address(self.sender, self.nonce)


@dataclass(frozen=True)
class RawBlock:
    """A block's bytes: RLP header, EIP-2718 transactions and receipts in order."""

    header: bytes
    transactions: tuple[bytes, ...]
    receipts: tuple[bytes, ...]

    @cached_property
    def fields(self) -> list[bytes]:
        """The header's fields in the order of the yellow paper."""
        return list(rlp.decode(self.header))

    @cached_property
    def hash(self) -> bytes:
        return keccak(self.header)

    @property
    def parent_hash(self) -> bytes:
        return self.fields[0]

    @property
    def transactions_root(self) -> bytes:
        return self.fields[4]

    @property
    def receipts_root(self) -> bytes:
        return self.fields[5]

    @property
    def number(self) -> int:
        return int.from_bytes(self.fields[8], "big")

    @property
    def gas_limit(self) -> int:
        return int.from_bytes(self.fields[9], "big")

    @property
    def timestamp(self) -> int:
        return int.from_bytes(self.fields[11], "big")

    def decoded_receipts(self) -> list[Receipt]:
        """The receipts, each with the gas of its own transaction."""
        receipts, before = [], 0
        for index, (raw, transaction) in enumerate(zip(self.receipts, self.transactions, strict=True)):
            ok, cumulative, logs = decode_receipt(raw)
            receipts.append(Receipt(keccak(transaction), self.number, index, ok, cumulative - before, logs))
            before = cumulative
        return receipts


def contract_address(sender: Address, nonce: int) -> Address:
    """Where CREATE of ``sender`` at ``nonce`` puts its contract."""
    return keccak(encode_raw([sender, integer(nonce)]))[12:]


def integer(value: int) -> bytes:
    """Minimal big-endian bytes, as RLP wants them; b"" for 0."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def decode_receipt(raw: bytes) -> tuple[bool, int, tuple[Log, ...]]:
    """Status, cumulative gas and logs of an encoded receipt."""
    status, gas, _bloom, logs = rlp.decode(raw if raw[0] >= 0xC0 else raw[1:])
    return (
        status == b"\x01",
        int.from_bytes(gas, "big"),
        tuple(Log(bytes(address), tuple(topics), bytes(data)) for address, topics, data in logs),
    )


def decode_transaction(raw: bytes) -> Transaction:
    """The transaction that ``raw`` encodes, its sender recovered from its signature.

    Raises
    ------
    ValueError
        It is not of type 2, or its signature recovers to no key.
    """
    if raw[:1] != bytes([DYNAMIC_FEE]):
        raise ValueError(f"transaction type {raw[0] if raw else None}; only type 2 is used here")
    fields: list[Any] = list(rlp.decode(raw[1:]))
    chain_id, nonce, priority_fee, max_fee, gas = (int.from_bytes(value, "big") for value in fields[:5])
    parity, r, s = fields[9:]
    digest = keccak(raw[:1] + encode_raw(fields[:9]))
    signature = r.rjust(32, b"\0") + s.rjust(32, b"\0") + (parity or b"\0")
    public = PublicKey.from_signature_and_message(signature, digest, hasher=None).format(compressed=False)
    return Transaction(
        chain_id=chain_id,
        nonce=nonce,
        priority_fee=priority_fee,
        max_fee=max_fee,
        gas=gas,
        to=fields[5] or None,
        value=int.from_bytes(fields[6], "big"),
        data=fields[7],
        sender=keccak(public[1:])[12:],
    )


def logs_bloom(logs: Sequence[Log]) -> bytes:
    """The 256-byte bloom filter over addresses and topics of ``logs``."""
    bloom = 0
    for log in logs:
        for item in (log.address, *log.topics):
            digest = keccak(item)
            for i in (0, 2, 4):
                bloom |= 1 << (int.from_bytes(digest[i : i + 2], "big") & 2047)
    return bloom.to_bytes(256, "big")
