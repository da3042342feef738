"""Signed transactions: keys, nonces, fees and gas stated here, so that a node adds nothing of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from coincurve import PrivateKey
from rlp.codec import encode_raw

from otaniemi.contracts.chain.artifacts import explain
from otaniemi.contracts.chain.blocks import DYNAMIC_FEE, Address, Receipt, contract_address, integer
from otaniemi.contracts.chain.errors import ChainError
from otaniemi.contracts.chain.node import Chain
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.signing import address_bytes, address_of

MAX_FEE = 20 * 10**9
"""The most that we pay per gas; a chain of ours stays near 1 gwei. [wei]"""

TRANSACTION_GAS = 15_000_000
"""Gas limit of a transaction unless stated, below the cap of 2**24 (EIP-7825)."""


class Key:
    """A private key with its address (checksummed text, and 20 bytes); it never leaves this process."""

    def __init__(self, secret: bytes) -> None:
        self._private = PrivateKey(secret)
        self.secret = secret
        self.address = address_of(secret)
        self.raw_address: Address = address_bytes(self.address)

    def sign(self, digest: bytes) -> bytes:
        """Signature of a 32-byte ``digest``: ``r || s || parity``, 65 bytes, low s."""
        return self._private.sign_recoverable(digest, hasher=None)


@dataclass(frozen=True, slots=True)
class Call:
    """What a transaction does: ``data`` sent to ``to`` (None creates a contract), filed under ``label``."""

    to: Address | None
    data: bytes
    label: str
    value: int = 0
    gas: int = TRANSACTION_GAS


def sign_transaction(key: Key, chain_id: int, nonce: int, call: Call) -> bytes:
    """The signed EIP-1559 transaction as a node takes it."""
    fields: list[object] = [
        integer(chain_id),
        integer(nonce),
        b"",
        integer(MAX_FEE),
        integer(call.gas),
        call.to or b"",
        integer(call.value),
        call.data,
        [],
    ]
    kind = bytes([DYNAMIC_FEE])
    signature = key.sign(keccak(kind + encode_raw(fields)))
    numbers = [int.from_bytes(part, "big") for part in (signature[64:], signature[:32], signature[32:64])]
    raw: bytes = kind + encode_raw(fields + [integer(number) for number in numbers])
    return raw


class Sender:
    """Sends transactions of local keys and counts the gas that each label used.

    Parameters
    ----------
    chain : Chain

    Attributes
    ----------
    gas : Counter
        Gas used by label.
    count : int
        Transactions mined.
    """

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.gas: Counter[str] = Counter()
        self.count = 0
        self._nonces: dict[Address, int] = {}

    def forget_nonces(self) -> None:
        """Ask the chain for every nonce again, as it went another way."""
        self._nonces.clear()

    def next_nonce(self, key: Key) -> int:
        """The nonce of the next transaction of ``key``."""
        if key.raw_address not in self._nonces:
            self._nonces[key.raw_address] = self.chain.nonce(key.raw_address)
        return self._nonces[key.raw_address]

    def try_all(self, calls: Sequence[tuple[Key, Call]]) -> list[Receipt]:
        """Mine ``calls`` in this order and return their receipts, reverted ones too."""
        raw: list[bytes] = []
        nonces = dict(self._nonces)
        for key, call in calls:
            nonce = nonces.get(key.raw_address, -1)
            nonce = self.next_nonce(key) if nonce < 0 else nonce
            raw.append(sign_transaction(key, self.chain.chain_id, nonce, call))
            nonces[key.raw_address] = nonce + 1
        try:
            receipts = self.chain.mine(raw)
        except ChainError:
            # What went into earlier blocks is on the chain; ask it again.
            self.forget_nonces()
            raise
        self._nonces = nonces
        for (_, call), receipt in zip(calls, receipts, strict=True):
            self.gas[call.label] += receipt.gas_used
        self.count += len(calls)
        return receipts

    def send_all(self, calls: Sequence[tuple[Key, Call]]) -> list[Receipt]:
        """Mine ``calls`` in this order and return their receipts.

        Raises
        ------
        RevertedError
            The first that reverted; all of them are on the chain nevertheless.
        """
        receipts = self.try_all(calls)
        for (_, call), receipt in zip(calls, receipts, strict=True):
            if not receipt.ok:
                raise explain(call.label, receipt.revert_data)
        return receipts

    def send(self, key: Key, call: Call) -> Receipt:
        """Mine one call; see ``send_all``."""
        return self.send_all([(key, call)])[0]

    def create(self, key: Key, code: bytes, label: str) -> Address:
        """Create a contract from ``code`` (arguments appended) and return its address."""
        address = contract_address(key.raw_address, self.next_nonce(key))
        self.send(key, Call(None, code, label))
        return address

    def fund(self, source: Key, targets: Sequence[str], wei: int) -> None:
        """Give each of ``targets`` ``wei`` of ether for gas."""
        self.send_all(
            [(source, Call(address_bytes(to), b"", "fund", value=wei, gas=21_000)) for to in targets]
        )
