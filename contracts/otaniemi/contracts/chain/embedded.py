"""A chain inside this process: py-evm with Prague rules, deterministic down to the block hash."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import rlp
from eth.chains.base import MiningChain
from eth.db.atomic import AtomicDB
from eth.exceptions import VMError
from eth.vm.forks.prague import PragueVM
from eth_typing import BlockNumber
from eth_utils.exceptions import ValidationError

from otaniemi.contracts.chain.blocks import Address, RawBlock, Receipt
from otaniemi.contracts.chain.errors import (
    BlockTimeError,
    NodeError,
    RevertedError,
    TransactionRefusedError,
)
from otaniemi.contracts.chain.fast_opcodes import FastState
from otaniemi.contracts.chain.node import DEVNET_CHAIN_ID, DEVNET_KEY, GAS_LIMIT
from otaniemi.contracts.rules.signing import address_bytes, address_of

COINBASE = bytes(20)
CALL_GAS = 50_000_000
WEI_PER_ETHER = 10**18


class _FastPragueVM(PragueVM):
    _state_class = FastState


class _DevnetChain(MiningChain):
    chain_id = DEVNET_CHAIN_ID
    vm_configuration = ((BlockNumber(0), _FastPragueVM),)

    def create_header_from_parent(self, parent_header: Any, **header_params: Any) -> Any:
        # py-evm would drift from the parent's gas limit toward a default.
        return super().create_header_from_parent(parent_header, **{**header_params, "gas_limit": GAS_LIMIT})


class EmbeddedChain:
    """See ``Chain``. The devnet key holds 10,000 ether; nothing else exists at genesis.

    Threads may share it: one mines or calls at a time.
    """

    chain_id = DEVNET_CHAIN_ID

    def __init__(self, genesis_time: int) -> None:
        funder = address_bytes(address_of(DEVNET_KEY))
        state: Any = {funder: {"balance": 10_000 * WEI_PER_ETHER, "nonce": 0, "code": b"", "storage": {}}}
        genesis: Any = {"difficulty": 0, "gas_limit": GAS_LIMIT, "timestamp": genesis_time, "extra_data": b""}
        self._lock = threading.RLock()
        self._chain: Any = _DevnetChain.from_genesis(AtomicDB(), genesis, state)
        self._blocks = [
            RawBlock(rlp.encode(self._chain.get_canonical_block_header_by_number(BlockNumber(0))), (), ())
        ]
        self._start_block(genesis_time + 1)

    def set_time(self, timestamp: int) -> None:
        head = self.head().timestamp
        if timestamp <= head:
            raise BlockTimeError(timestamp, head)
        with self._lock:
            self._start_block(timestamp)

    def mine(self, transactions: Sequence[bytes]) -> list[Receipt]:
        with self._lock:
            waiting = [self._decode(raw, position) for position, raw in enumerate(transactions)]
            receipts = self._mine_block(waiting)
            while len(receipts) < len(waiting):
                receipts += self._mine_block(waiting[len(receipts) :])
            return receipts

    def call(self, to: Address, data: bytes, sender: Address = bytes(20)) -> bytes:
        with self._lock:
            vm = self._chain.get_vm()
            computation = vm.execute_bytecode(
                origin=sender,
                gas_price=0,
                gas=CALL_GAS,
                to=to,
                sender=sender,
                value=0,
                data=data,
                code=vm.state.get_code(to),
                code_address=to,
            )
        if computation.is_error:
            raise RevertedError(f"call to 0x{to.hex()}", "", {}, bytes(computation.output))
        return bytes(computation.output)

    def nonce(self, address: Address) -> int:
        with self._lock:
            return int(self._chain.get_vm().state.get_nonce(address))

    def balance(self, address: Address) -> int:
        with self._lock:
            return int(self._chain.get_vm().state.get_balance(address))

    def block(self, number: int) -> RawBlock:
        if not 0 <= number < len(self._blocks):
            raise NodeError(f"block {number}: the chain's blocks are 0 to {len(self._blocks) - 1}")
        return self._blocks[number]

    def blocks(self, first: int, last: int) -> list[RawBlock]:
        return [self.block(number) for number in range(first, last + 1)]

    def head(self) -> RawBlock:
        return self._blocks[-1]

    def close(self) -> None:
        """Nothing to stop: the chain ends with this object."""

    def _start_block(self, timestamp: int) -> None:
        parent = self._chain.get_canonical_head()
        self._chain.header = self._chain.create_header_from_parent(parent, timestamp=timestamp)

    def _decode(self, raw: bytes, position: int) -> Any:
        try:
            return self._chain.get_vm().get_transaction_builder().decode(raw)
        except (ValidationError, ValueError, IndexError) as error:
            raise TransactionRefusedError(f"transaction {position} cannot be decoded: {error}") from error

    def _mine_block(self, waiting: Sequence[Any]) -> list[Receipt]:
        """Mine one block from the start of ``waiting``; a transaction that no longer fits ends it."""
        chain = self._chain
        vm = chain.get_vm()
        header = chain.header
        taken: list[Any] = []
        receipts: list[Any] = []
        reverts: dict[int, bytes] = {}
        for transaction in waiting:
            if taken and header.gas_used + transaction.gas > header.gas_limit:
                break
            try:
                receipt, computation = vm.apply_transaction(header, transaction)
            except (ValidationError, VMError) as error:
                raise TransactionRefusedError(
                    f"transaction {transaction.nonce} of 0x{transaction.sender.hex()}: {error}"
                ) from error
            header = vm.add_receipt_to_header(header, receipt)
            if computation.is_error:
                reverts[len(taken)] = bytes(computation.output)
            taken.append(transaction)
            receipts.append(receipt)
        filled = vm.set_block_transactions_and_withdrawals(vm.get_block(), header, taken, receipts)
        block = vm.mine_block(filled, coinbase=COINBASE, mix_hash=bytes(32), blob_gas_used=0).block
        chain.chaindb.persist_block(block)
        raw = RawBlock(
            rlp.encode(block.header),
            tuple(transaction.encode() for transaction in taken),
            tuple(receipt.encode() for receipt in receipts),
        )
        self._blocks.append(raw)
        self._start_block(block.header.timestamp + 1)
        return [replace(r, revert_data=reverts.get(r.index, b"")) for r in raw.decoded_receipts()]
