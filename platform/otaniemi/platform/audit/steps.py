"""A chain as the auditor walks it: one step per transaction that succeeded, decoded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from otaniemi.contracts.chain.artifacts import artifact
from otaniemi.contracts.chain.blocks import RawBlock, Transaction, decode_transaction
from otaniemi.contracts.chain.events import Event
from otaniemi.contracts.chain.logs import EventDecoder
from otaniemi.contracts.rules.signing import address_bytes, checksum


@dataclass(frozen=True, slots=True)
class Step:
    """A transaction that succeeded.

    ``contract`` and ``function`` name the call with its ``arguments``; both are empty where the transaction
    calls no contract of ours. ``events`` are ours, whoever was called; ``hash`` is the transaction's.
    """

    block: int
    time: int
    index: int
    transaction: Transaction
    contract: str
    function: str
    arguments: Mapping[str, Any]
    events: tuple[Event, ...]
    hash: bytes

    @property
    def where(self) -> str:
        """The step's place on the chain."""
        return f"block {self.block} transaction {self.index}"

    @property
    def sender(self) -> str:
        """Who signed the transaction."""
        return checksum(self.transaction.sender)


def steps_of(blocks: Sequence[RawBlock], addresses: Mapping[str, str]) -> Iterator[Step]:
    """The steps of verified ``blocks`` in order.

    Raises
    ------
    ValueError
        A transaction or event cannot be decoded; the message names it.
    """
    decoder = EventDecoder(addresses)
    names = {address_bytes(address): name for name, address in addresses.items()}
    for block in blocks:
        for receipt, raw in zip(block.decoded_receipts(), block.transactions, strict=True):
            if not receipt.ok:
                continue
            try:
                transaction = decode_transaction(raw)
                contract = names.get(transaction.to, "") if transaction.to else ""
                call = artifact(contract).abi.decode_call(transaction.data) if contract else None
                events = tuple(decoder.decode_all(receipt.logs))
            except ValueError as error:
                raise ValueError(f"block {block.number} transaction {receipt.index}: {error}") from error
            function, arguments = call or ("", {})
            yield Step(
                block.number,
                block.timestamp,
                receipt.index,
                transaction,
                contract,
                function,
                arguments,
                events,
                receipt.transaction,
            )
