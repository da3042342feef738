"""The same transactions on anvil and in process; skipped where anvil is not installed."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from otaniemi.contracts.chain.anvil import AnvilProcess, find_anvil
from otaniemi.contracts.chain.errors import (
    BlockTimeError,
    NodeNotFoundError,
    PortInUseError,
    TransactionRefusedError,
)
from otaniemi.contracts.chain.export import export_blocks
from otaniemi.contracts.chain.node import DEVNET_KEY, Chain, open_chain
from otaniemi.contracts.chain.read import read_verified
from otaniemi.contracts.chain.rpc import RpcChain, RpcClient, read_blocks
from otaniemi.contracts.chain.sender import Call, Key, Sender

GENESIS = 1_700_000_000
FUNDER = Key(DEVNET_KEY)
KEYS = [Key(bytes([number]) * 32) for number in range(1, 6)]
# Emits its calldata; reverts with it when the first byte is 0.
CREATION = bytes.fromhex("601b8060093d393df336600060003760005160001a601357366000fd5b6007366000a100")

needs_anvil = pytest.mark.skipif(find_anvil() is None, reason="anvil is not installed (npm ci)")


def trade(chain: Chain) -> tuple[Sender, bytes]:
    sender = Sender(chain)
    sender.fund(FUNDER, [key.address for key in KEYS], 10**18)
    address = sender.create(FUNDER, CREATION, "deploy")
    chain.set_time(GENESIS + 900)
    sender.send_all(
        [(KEYS[i % 5], Call(address, bytes([i + 1]) * 50, "relay", gas=100_000)) for i in range(200)]
    )
    sender.try_all([(KEYS[0], Call(address, b"\0no", "clear", gas=100_000))])
    return sender, address


@pytest.fixture
def anvil() -> Iterator[Chain]:
    chain = open_chain("anvil", GENESIS)
    yield chain
    chain.close()


@needs_anvil
def test_a_head_that_the_node_lost_is_not_the_head_any_more(anvil: Chain) -> None:
    assert isinstance(anvil, RpcChain)
    sender, rpc = Sender(anvil), RpcClient(anvil.url)
    sender.fund(FUNDER, [KEYS[0].address], 1)
    kept, snapshot = anvil.head(), rpc.request("evm_snapshot")
    anvil.set_time(GENESIS + 900)
    sender.fund(FUNDER, [KEYS[1].address], 1)
    lost = anvil.head()
    rpc.request("evm_revert", snapshot)
    assert anvil.head() == kept
    sender.forget_nonces()
    anvil.set_time(GENESIS + 600)
    sender.fund(FUNDER, [KEYS[2].address], 1)
    assert anvil.head().number == lost.number
    assert anvil.head().timestamp == GENESIS + 600
    assert anvil.balance(KEYS[1].raw_address) == 0


@needs_anvil
def test_both_chains_mine_the_same_transactions_to_the_same_receipts(anvil: Chain) -> None:
    embedded = open_chain("embedded", GENESIS)
    (ours, _), (theirs, _) = trade(embedded), trade(anvil)
    assert ours.gas == theirs.gas
    assert anvil.chain_id == embedded.chain_id
    height = embedded.head().number
    assert anvil.head().number == height
    for number in range(1, height + 1):
        one, other = embedded.block(number), anvil.block(number)
        assert one.transactions == other.transactions
        assert one.receipts == other.receipts
        assert one.timestamp == other.timestamp


@needs_anvil
def test_an_exported_anvil_chain_holds_up_to_its_head(anvil: Chain, tmp_path: Path) -> None:
    trade(anvil)
    head = anvil.head()
    export_blocks([anvil.block(number) for number in range(head.number + 1)], tmp_path)
    assert read_verified(tmp_path, head.hash)[-1] == head


@needs_anvil
def test_revert_data_is_known_on_anvil_too(anvil: Chain) -> None:
    sender, address = trade(anvil)
    receipt = sender.try_all([(KEYS[1], Call(address, b"\0why", "x", gas=100_000))])[0]
    assert (receipt.ok, receipt.revert_data) == (False, b"\0why")


@needs_anvil
def test_time_and_funds_are_refused_as_in_process(anvil: Chain) -> None:
    with pytest.raises(BlockTimeError):
        anvil.set_time(GENESIS)
    with pytest.raises(TransactionRefusedError):
        Sender(anvil).send(Key(b"9" * 32), Call(bytes(20), b"", "x"))
    assert anvil.mine([]) == []
    assert anvil.head().timestamp == GENESIS + 1


@needs_anvil
def test_blocks_read_in_bulk_are_the_blocks_read_alone() -> None:
    process = AnvilProcess.start(GENESIS)
    try:
        chain = open_chain(process.url, GENESIS)
        trade(chain)
        bulk = read_blocks(RpcClient(process.url), 0, chain.head().number)
        assert bulk == [chain.block(number) for number in range(chain.head().number + 1)]
    finally:
        process.stop()


@needs_anvil
def test_a_port_in_use_is_said_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match=f"port {port} is in use"):
            AnvilProcess.start(GENESIS, port)


@needs_anvil
def test_anvil_ends_with_the_process_that_started_it() -> None:
    script = (
        "from otaniemi.contracts.chain.node import open_chain\n"
        "chain = open_chain('anvil', 1_700_000_000)\n"
        "print(chain.url, flush=True)\n"
        "raise SystemExit(3)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 3
    with pytest.raises(NodeNotFoundError):
        RpcClient(ended.stdout.strip()).request("eth_chainId")


def test_a_url_without_a_node_is_said_so() -> None:
    with pytest.raises(NodeNotFoundError, match="no node answers"):
        open_chain("http://127.0.0.1:9", GENESIS)


def test_a_word_that_is_no_chain_is_said_so() -> None:
    with pytest.raises(NodeNotFoundError, match="'embeded' is no chain"):
        open_chain("embeded", GENESIS)
