"""A development node behind JSON-RPC: anvil, or any node that lets us set block times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import httpx
from rlp.codec import encode_raw

from otaniemi.contracts.chain.blocks import Address, Log, RawBlock, Receipt, logs_bloom
from otaniemi.contracts.chain.errors import (
    BlockTimeError,
    NodeError,
    NodeNotFoundError,
    RevertedError,
    TransactionRefusedError,
)
from otaniemi.contracts.rules.keccak import keccak

BATCH_REQUESTS = 200
# anvil keeps a batch of transactions in order only while the batch fits its scheduler's budget of about 60.
BATCH_TRANSACTIONS = 30
BATCH_BYTES = 1_000_000

_HEADER_FIELDS = (
    "parentHash",
    "sha3Uncles",
    "miner",
    "stateRoot",
    "transactionsRoot",
    "receiptsRoot",
    "logsBloom",
    "difficulty",
    "number",
    "gasLimit",
    "gasUsed",
    "timestamp",
    "extraData",
    "mixHash",
    "nonce",
    "baseFeePerGas",
    "withdrawalsRoot",
    "blobGasUsed",
    "excessBlobGas",
    "parentBeaconBlockRoot",
    "requestsHash",
)
_HEADER_NUMBERS = frozenset(
    (
        "difficulty",
        "number",
        "gasLimit",
        "gasUsed",
        "timestamp",
        "baseFeePerGas",
        "blobGasUsed",
        "excessBlobGas",
    )
)


class RpcError(NodeError):
    """A node's error answer."""

    def __init__(self, method: str, error: dict[str, Any]) -> None:
        super().__init__(f"{method}: {error.get('message', error)}")
        self.code, self.data = error.get("code"), error.get("data")


class RpcClient:
    """JSON-RPC over HTTP, one request or many at once.

    Raises
    ------
    NodeNotFoundError
        Nothing answers at ``url``.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            self._http = httpx.Client(base_url=url, timeout=120)
        except (httpx.InvalidURL, ValueError) as error:
            raise NodeNotFoundError(f"{url}: not a URL of a node ({error})") from error

    def request(self, method: str, *parameters: Any) -> Any:
        """The node's result of one request."""
        return self.batch(method, [parameters])[0]

    def batch(
        self, method: str, parameters: Sequence[Sequence[Any]], size: int = BATCH_REQUESTS
    ) -> list[Any]:
        """Results of one method for many parameter lists, in their order, ``size`` requests at a time.

        Raises
        ------
        RpcError
            The first error answer.
        """
        results: list[Any] = []
        for chunk in _chunks(parameters, size):
            for answer in self._post(method, chunk):
                if "error" in answer:
                    raise RpcError(method, answer["error"])
                results.append(answer["result"])
        return results

    def close(self) -> None:
        self._http.close()

    def _post(self, method: str, chunk: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
        body = [
            {"jsonrpc": "2.0", "id": position, "method": method, "params": list(arguments)}
            for position, arguments in enumerate(chunk)
        ]
        try:
            response = self._http.post("", json=body if len(body) > 1 else body[0])
            answers = response.json()
        except (httpx.TransportError, httpx.UnsupportedProtocol) as error:
            raise NodeNotFoundError(f"{self.url}: no node answers ({error})") from error
        except ValueError as error:
            raise NodeError(f"{self.url}: answers {method} with something that is not JSON-RPC") from error
        answers = answers if isinstance(answers, list) else [answers]
        if len(answers) != len(chunk) or not all(
            isinstance(answer, dict) and ("result" in answer or "error" in answer) for answer in answers
        ):
            raise NodeError(f"{self.url}: answers {method} with something that is not JSON-RPC")
        return sorted(answers, key=lambda answer: answer["id"]) if len(answers) > 1 else answers


class RpcChain:
    """See ``Chain``; the node mines only when we say so.

    Raises
    ------
    NodeNotFoundError
        Nothing answers at ``url``.
    NodeError
        The node does not let us set block times.
    """

    def __init__(self, url: str, on_close: Callable[[], None] = lambda: None) -> None:
        self.url = url
        self._rpc = RpcClient(url)
        self._on_close = on_close
        self.chain_id = _int(self._rpc.request("eth_chainId"))
        try:
            self._rpc.request("evm_setAutomine", False)
        except RpcError as error:
            raise NodeError(
                f"{url}: this node does not let us set block times ({error}); "
                "use a development node such as anvil"
            ) from error
        self._head = self._read_head()

    def set_time(self, timestamp: int) -> None:
        head = self.head().timestamp
        if timestamp <= head:
            raise BlockTimeError(timestamp, head)
        self._rpc.request("evm_setNextBlockTimestamp", timestamp)

    def mine(self, transactions: Sequence[bytes]) -> list[Receipt]:
        try:
            self._rpc.batch(
                "eth_sendRawTransaction", [(_hex(raw),) for raw in transactions], BATCH_TRANSACTIONS
            )
        except RpcError as error:
            self._rpc.request("anvil_dropAllTransactions")
            raise TransactionRefusedError(str(error)) from error
        receipts: list[Receipt] = []
        while True:
            self._rpc.request("evm_mine")
            before, self._head = self._head, self._read_head()
            receipts += self._with_reverts(self._head.decoded_receipts())
            if len(receipts) >= len(transactions):
                break
            if self._head.number == before.number or not self._head.transactions:
                self._rpc.request("anvil_dropAllTransactions")
                raise TransactionRefusedError(
                    f"{len(transactions) - len(receipts)} of {len(transactions)} transactions "
                    "do not enter a block: a nonce is missing or a gas limit exceeds the block's"
                )
        if [receipt.transaction for receipt in receipts] != [keccak(raw) for raw in transactions]:
            raise NodeError(
                "the node mined other transactions, or in another order; is someone else using it?"
            )
        return receipts

    def call(self, to: Address, data: bytes, sender: Address = bytes(20)) -> bytes:
        try:
            # "pending" has the next block's time, as the embedded chain does.
            result = self._rpc.request(
                "eth_call", {"from": _hex(sender), "to": _hex(to), "data": _hex(data)}, "pending"
            )
        except RpcError as error:
            if error.data is None and error.code != 3:
                raise
            raise RevertedError(f"call to {_hex(to)}", "", {}, _bytes(error.data or "0x")) from error
        return _bytes(result)

    def nonce(self, address: Address) -> int:
        return _int(self._rpc.request("eth_getTransactionCount", _hex(address), "latest"))

    def balance(self, address: Address) -> int:
        return _int(self._rpc.request("eth_getBalance", _hex(address), "latest"))

    def block(self, number: int) -> RawBlock:
        return read_block(self._rpc, hex(number))

    def blocks(self, first: int, last: int) -> list[RawBlock]:
        return read_blocks(self._rpc, first, last)

    def head(self) -> RawBlock:
        newest = self._rpc.request("eth_getBlockByNumber", "latest", False)
        if _bytes(newest["hash"]) != self._head.hash:
            self._head = read_block(self._rpc, newest["number"])
        return self._head

    def close(self) -> None:
        self._rpc.close()
        self._on_close()

    def _read_head(self) -> RawBlock:
        """The newest block; the next will be a second later, where the node would ask the wall clock."""
        head = read_block(self._rpc, "latest")
        self._rpc.request("evm_setNextBlockTimestamp", head.timestamp + 1)
        return head

    def _with_reverts(self, receipts: Sequence[Receipt]) -> list[Receipt]:
        """``receipts`` with the revert data of the failed ones, which only a trace shows."""
        failed = [receipt.transaction for receipt in receipts if not receipt.ok]
        traces = self._rpc.batch(
            "debug_traceTransaction",
            [(_hex(transaction), {"tracer": "callTracer"}) for transaction in failed],
        )
        outputs = {
            transaction: _bytes(trace.get("output") or "0x")
            for transaction, trace in zip(failed, traces, strict=True)
        }
        return [replace(receipt, revert_data=outputs.get(receipt.transaction, b"")) for receipt in receipts]


def read_block(rpc: RpcClient, number: str) -> RawBlock:
    """Block ``number`` (hex, or "latest") as bytes, rebuilt from the node's JSON.

    Raises
    ------
    NodeError
        The node has no such block, or its answer does not hash to the block's hash.
    """
    block = rpc.request("eth_getBlockByNumber", number, True)
    if block is None:
        raise NodeError(f"{rpc.url}: has no block {number}")
    receipts = rpc.request("eth_getBlockReceipts", block["number"]) if block["transactions"] else []
    return _raw_block(block, receipts)


def read_blocks(rpc: RpcClient, first: int, last: int) -> list[RawBlock]:
    """Blocks ``first`` to ``last`` as bytes; see ``read_block``."""
    numbers = [hex(number) for number in range(first, last + 1)]
    blocks = rpc.batch("eth_getBlockByNumber", [(number, True) for number in numbers])
    if None in blocks:
        raise NodeError(f"{rpc.url}: has no block {numbers[blocks.index(None)]}")
    receipts = rpc.batch("eth_getBlockReceipts", [(number,) for number in numbers])
    return [_raw_block(block, own) for block, own in zip(blocks, receipts, strict=True)]


def _raw_block(block: dict[str, Any], receipts: Sequence[dict[str, Any]]) -> RawBlock:
    fields = [
        _minimal(block[name]) if name in _HEADER_NUMBERS else _bytes(block[name])
        for name in _HEADER_FIELDS
        if block.get(name) is not None
    ]
    raw = RawBlock(
        encode_raw(fields),
        tuple(_raw_transaction(transaction) for transaction in block["transactions"]),
        tuple(_raw_receipt(receipt) for receipt in receipts),
    )
    if raw.hash != _bytes(block["hash"]):
        raise NodeError(f"block {_int(block['number'])}: its fields do not hash to {block['hash']}")
    return raw


def _raw_transaction(transaction: dict[str, Any]) -> bytes:
    kind = _int(transaction["type"])
    if kind != 2:
        raise NodeError(f"transaction {transaction['hash']} has type {kind}; only type 2 can be read")
    access = [
        [_bytes(entry["address"]), [_bytes(key) for key in entry["storageKeys"]]]
        for entry in transaction["accessList"]
    ]
    raw: bytes = b"\x02" + encode_raw(
        [
            *(
                _minimal(transaction[name])
                for name in ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas")
            ),
            _bytes(transaction["to"] or "0x"),
            _minimal(transaction["value"]),
            _bytes(transaction["input"]),
            access,
            *(_minimal(transaction[name]) for name in ("yParity", "r", "s")),
        ]
    )
    if keccak(raw) != _bytes(transaction["hash"]):
        raise NodeError(f"transaction {transaction['hash']}: its fields do not hash to that")
    return raw


def _raw_receipt(receipt: dict[str, Any]) -> bytes:
    logs = [
        Log(_bytes(log["address"]), tuple(_bytes(topic) for topic in log["topics"]), _bytes(log["data"]))
        for log in receipt["logs"]
    ]
    body: bytes = encode_raw(
        [
            _minimal(receipt["status"]),
            _minimal(receipt["cumulativeGasUsed"]),
            logs_bloom(logs),
            [[log.address, list(log.topics), log.data] for log in logs],
        ]
    )
    return bytes([_int(receipt["type"])]) + body


def _chunks(parameters: Sequence[Sequence[Any]], most: int) -> list[list[Sequence[Any]]]:
    """Batches that a node's request limits let through."""
    chunks: list[list[Sequence[Any]]] = []
    total = 0
    for arguments in parameters:
        length = sum(len(value) for value in arguments if isinstance(value, str))
        if not chunks or len(chunks[-1]) >= most or total + length > BATCH_BYTES:
            chunks.append([])
            total = 0
        chunks[-1].append(arguments)
        total += length
    return chunks


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _int(text: str) -> int:
    return int(text, 16)


def _minimal(text: str) -> bytes:
    """A quantity as RLP wants it."""
    number = int(text, 16)
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
