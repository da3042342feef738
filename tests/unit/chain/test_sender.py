"""Signing and sending on the embedded chain."""

from __future__ import annotations

import pytest
from eth_account import Account

from otaniemi.contracts.chain.blocks import decode_transaction
from otaniemi.contracts.chain.embedded import EmbeddedChain
from otaniemi.contracts.chain.errors import BlockTimeError, RevertedError, TransactionRefusedError
from otaniemi.contracts.chain.sender import MAX_FEE, Call, Key, sign_transaction

from .echo import GENESIS, KEYS, RUNTIME, chain_with_echo, echo


def test_a_signed_transaction_is_the_one_that_eth_account_signs() -> None:
    key, call = KEYS[0], Call(bytes(range(20)), b"data" * 30, "x", value=5, gas=123_456)
    theirs = Account.sign_transaction(
        {
            "type": 2, "chainId": 31337, "nonce": 7, "to": call.to, "value": 5, "data": call.data,
            "gas": 123_456, "maxFeePerGas": MAX_FEE, "maxPriorityFeePerGas": 0,
        },
        key.secret,
    )  # fmt: skip
    assert sign_transaction(key, 31337, 7, call) == bytes(theirs.raw_transaction)


def test_decoding_recovers_the_sender_and_every_field() -> None:
    call = Call(None, RUNTIME, "x", value=3)
    decoded = decode_transaction(sign_transaction(KEYS[1], 31337, 2**20, call))
    assert (decoded.sender, decoded.nonce, decoded.to) == (KEYS[1].raw_address, 2**20, None)
    assert (decoded.value, decoded.data, decoded.chain_id) == (3, RUNTIME, 31337)


def test_many_calls_share_one_block_in_the_order_given() -> None:
    chain = EmbeddedChain(GENESIS)
    sender, address = chain_with_echo(chain)
    height = chain.head().number
    chain.set_time(GENESIS + 900)
    receipts = sender.send_all([(KEYS[i % 5], echo(address, bytes([i + 1]))) for i in range(20)])
    assert chain.head().number == height + 1
    assert chain.head().timestamp == GENESIS + 900
    assert [receipt.logs[0].data for receipt in receipts] == [bytes([i + 1]) for i in range(20)]
    assert receipts[0].logs[0].address == address
    assert receipts[0].logs[0].topics == ((7).to_bytes(32, "big"),)


def test_gas_is_counted_by_label_and_adds_up_to_the_blocks() -> None:
    chain = EmbeddedChain(GENESIS)
    sender, address = chain_with_echo(chain)
    relay = sender.send(KEYS[0], echo(address, b"orders", "relay"))
    clear = sender.send_all([(key, echo(address, b"book", "clear")) for key in KEYS])
    assert sender.gas["relay"] == relay.gas_used
    assert sender.gas["clear"] == sum(receipt.gas_used for receipt in clear)
    blocks = [chain.block(number) for number in range(chain.head().number + 1)]
    assert sum(sender.gas.values()) == sum(int.from_bytes(block.fields[10], "big") for block in blocks)


def test_a_revert_is_raised_with_its_data_and_the_nonces_stay_right() -> None:
    chain = EmbeddedChain(GENESIS)
    sender, address = chain_with_echo(chain)
    with pytest.raises(RevertedError, match="relay reverted: 0x0001") as caught:
        sender.send_all([(KEYS[0], echo(address, b"\0\1", "relay")), (KEYS[0], echo(address, b"\1"))])
    assert caught.value.data == b"\0\1"
    assert sender.send(KEYS[0], echo(address, b"\1")).ok
    assert chain.nonce(KEYS[0].raw_address) == sender.next_nonce(KEYS[0]) == 3


def test_a_call_returns_or_reverts_without_changing_the_chain() -> None:
    chain = EmbeddedChain(GENESIS)
    _, address = chain_with_echo(chain)
    before = chain.head().hash
    assert chain.call(address, b"\1") == b""
    with pytest.raises(RevertedError) as caught:
        chain.call(address, b"\0why")
    assert caught.value.data == b"\0why"
    assert chain.head().hash == before


def test_a_refused_transaction_leaves_no_trace() -> None:
    chain = EmbeddedChain(GENESIS)
    sender, address = chain_with_echo(chain)
    head = chain.head().hash
    with pytest.raises(TransactionRefusedError, match="cannot afford"):
        sender.send_all([(KEYS[0], echo(address, b"\1")), (Key(b"9" * 32), echo(address, b"\1"))])
    assert chain.head().hash == head
    assert sender.send(KEYS[0], echo(address, b"\1")).ok


def test_what_does_not_fit_one_block_goes_on_in_the_next() -> None:
    chain = EmbeddedChain(GENESIS)
    sender, address = chain_with_echo(chain)
    height = chain.head().number
    calls = [(KEYS[0], Call(address, b"\1", "x", gas=25_000_000)) for _ in range(6)]
    full = [(KEYS[0], Call(address, b"\1" * 300_000, "x", gas=25_000_000)) for _ in range(6)]
    assert len(sender.send_all(calls)) == 6
    assert chain.head().number == height + 1
    assert [receipt.block for receipt in sender.send_all(full)][-1] == height + 3


def test_time_never_runs_backward() -> None:
    chain = EmbeddedChain(GENESIS)
    chain.set_time(GENESIS + 100)
    chain.mine([])
    with pytest.raises(BlockTimeError, match="not later than the chain's head"):
        chain.set_time(GENESIS + 100)


def test_equal_input_gives_equal_block_hashes() -> None:
    def head() -> bytes:
        chain = EmbeddedChain(GENESIS)
        sender, address = chain_with_echo(chain)
        chain.set_time(GENESIS + 3600)
        sender.send_all([(key, echo(address, b"\1")) for key in KEYS])
        return chain.head().hash

    assert head() == head()
