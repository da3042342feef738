"""Encoding and decoding by ABI, against signatures worked out by hand."""

from __future__ import annotations

import pytest

from otaniemi.contracts.chain.artifacts import ARTIFACTS, artifact, explain
from otaniemi.contracts.chain.blocks import Log
from otaniemi.contracts.chain.deploy import CONTRACTS
from otaniemi.contracts.chain.errors import ArtifactError
from otaniemi.contracts.rules.keccak import keccak

OWNER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def test_calldata_is_selector_and_words() -> None:
    data = artifact("Accounts").abi.call("register", OWNER, 7)
    assert data == keccak(b"register(address,uint32)")[:4] + bytes(12) + bytes.fromhex(OWNER[2:]) + word(7)


def test_calldata_decodes_to_what_was_called() -> None:
    abi = artifact("Accounts").abi
    assert abi.decode_call(abi.call("register", OWNER, 7)) == ("register", {"owner": OWNER, "community": 7})


def test_foreign_calldata_is_none_and_broken_calldata_an_error() -> None:
    abi = artifact("Accounts").abi
    assert abi.decode_call(b"\1\2\3\4") is None
    with pytest.raises(ValueError, match="cannot be decoded"):
        abi.decode_call(abi.call("register", OWNER, 7)[:-1])


def test_structs_enter_the_signature_by_their_fields() -> None:
    path = artifact("Court").abi.functions["challengeLine"].types[1]
    assert path == "(uint32,uint32,uint32,bytes)"


def test_events_give_indexed_and_plain_arguments_in_order() -> None:
    abi = artifact("Accounts").abi
    topic = keccak(b"Deposited(uint32,address,uint256)")
    log = Log(bytes(20), (topic, word(4), bytes(12) + bytes.fromhex(OWNER[2:])), word(10**12))
    expected = {"account": 4, "from": OWNER, "nano": 10**12}
    assert abi.decode_event(log) == ("Deposited", expected)


def test_events_of_others_are_none_and_malformed_ones_errors() -> None:
    abi = artifact("Accounts").abi
    assert abi.decode_event(Log(bytes(20), (), b"")) is None
    assert abi.decode_event(Log(bytes(20), (word(1),), b"")) is None
    topic = keccak(b"Deposited(uint32,address,uint256)")
    with pytest.raises(ValueError, match="has 2 topics, not 3"):
        abi.decode_event(Log(bytes(20), (topic, word(4)), word(1)))


def test_a_revert_is_explained_with_names_and_values() -> None:
    data = keccak(b"NotOwner(uint32,address)")[:4] + word(5) + bytes(12) + bytes.fromhex(OWNER[2:])
    error = explain("withdraw", data)
    assert (error.name, error.arguments) == ("NotOwner", {"account": 5, "caller": OWNER})
    assert str(error) == f"withdraw reverted: NotOwner(account=5, caller={OWNER})"


def test_reasons_and_panics_are_explained_too() -> None:
    reason = keccak(b"Error(string)")[:4] + word(32) + word(2) + b"no".ljust(32, b"\0")
    assert str(explain("x", reason)) == "x reverted: Error(reason=no)"
    assert str(explain("x", keccak(b"Panic(uint256)")[:4] + word(17))) == "x reverted: Panic(code=17)"


def test_an_unknown_revert_shows_its_bytes() -> None:
    assert str(explain("x", b"\1\2\3\4\5")) == "x reverted: 0x0102030405"
    assert str(explain("x", b"")) == "x reverted: without data (out of gas?)"


def test_constructor_arguments_come_back_and_nothing_else_passes() -> None:
    abi = artifact("Accounts").abi
    data = abi.construct(OWNER, OWNER, 60)
    assert abi.constructed_with(data) == (OWNER, OWNER, 60)
    with pytest.raises(ValueError, match="other arguments"):
        abi.constructed_with(data + bytes(32))


def test_every_contract_of_a_deployment_is_compiled() -> None:
    for name, arguments in CONTRACTS.items():
        assert artifact(name).creation_code
        zeros = [60 if argument == "withdrawal_delay" else OWNER for argument in arguments]
        assert len(artifact(name).abi.construct(*zeros)) == 32 * len(arguments)
    assert {path.stem for path in ARTIFACTS.glob("*.json")} >= set(CONTRACTS)


def test_a_contract_that_was_never_compiled_is_said_so() -> None:
    with pytest.raises(ArtifactError, match="contract Nowhere: no "):
        artifact("Nowhere")
