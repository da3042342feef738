"""Fast instructions against py-evm's own: random programs end alike, and whole chains have equal hashes."""

from __future__ import annotations

import random
from typing import Any

import pytest
from eth.vm.forks.prague import PragueVM
from eth.vm.message import Message

from otaniemi.contracts.chain import embedded
from otaniemi.contracts.chain.embedded import EmbeddedChain
from otaniemi.contracts.chain.fast_opcodes import FastState, fast_opcodes

from .echo import GENESIS, KEYS, chain_with_echo, echo

TO = b"\7" * 20
# Everything that was replaced, and what leaves bytes on the stack or makes memory grow.
BINARY = [0x01, 0x02, 0x03, 0x10, 0x11, 0x12, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1B, 0x1C]
OTHERS = [
    0x04,
    0x0B,
    0x15,
    0x19,
    0x1A,
    0x1D,
    0x20,
    0x30,
    0x33,
    0x35,
    0x36,
    0x38,
    0x50,
    0x51,
    0x52,
    0x53,
    0x58,
]
OTHERS += [0x59, 0x5A, 0x5B, 0x54, 0x55, 0x37, 0x3D, 0xF3, 0xFD, 0xFE, 0x0C, 0x00]
NUMBERS = [0, 1, 2, 31, 32, 33, 64, 255, 256, 257, 1000, 2**255, 2**255 - 1, 2**256 - 1, 2**64]


def program(draw: random.Random) -> bytes:
    code = bytearray()
    for _ in range(draw.randrange(1, 60)):
        kind = draw.random()
        if kind < 0.4:
            number = draw.choice([*NUMBERS, draw.getrandbits(256), draw.randrange(120)])
            size = draw.choice([max(1, (number.bit_length() + 7) // 8), 32])
            code += bytes([0x5F + size]) + number.to_bytes(size, "big")
        elif kind < 0.5:
            code += bytes([draw.choice([0x7F, 0x8F]) + draw.randrange(1, 17)])
        elif kind < 0.55:
            # A jump to a place that is mostly a landing: PUSH1 target JUMP JUMPDEST.
            target = len(code) + 3 + (draw.random() < 0.2)
            code += bytes([0x60, target % 256, 0x56, 0x5B])
        elif kind < 0.6:
            target = len(code) + 4 + draw.choice([0, 0, 0, 1, -1])
            code += bytes([0x80, 0x60, target % 256, 0x57, 0x5B])
        elif kind < 0.8:
            code += bytes([draw.choice(BINARY)])
        else:
            code += bytes([draw.choice(OTHERS)])
    return bytes(code[: draw.randrange(1, len(code) + 1)])


def run(chain: EmbeddedChain, state: type[Any], code: bytes, gas: int) -> tuple[Any, ...]:
    vm = chain._chain.get_vm()
    vm_state = state(
        chain._chain.chaindb.db,
        vm.create_execution_context(vm.get_header(), [], vm.chain_context),
        chain.head().fields[3],
    )
    context = vm_state.get_transaction_context_class()(gas_price=0, origin=TO)
    message = Message(gas=gas, to=TO, sender=KEYS[0].raw_address, value=0, data=b"calldata" * 9, code=code)
    done = vm_state.computation_class.apply_computation(vm_state, message, context)
    stack = [
        value if isinstance(value, int) else int.from_bytes(value, "big") for value in done._stack.values
    ]
    # After an error py-evm's stack is of no meaning.
    stack = [] if done.is_error else stack
    return (
        done.is_error and type(done.error),
        done.get_gas_remaining(),
        bytes(done.output),
        stack,
        bytes(done._memory._bytes),
    )


def test_random_programs_end_alike() -> None:
    draw, chain = random.Random(11), EmbeddedChain(GENESIS)
    errors = 0
    for _ in range(1500):
        code, gas = program(draw), draw.choice([0, 5, 30, 100, 1000, 100_000, 10_000_000])
        stock = run(chain, PragueVM._state_class, code, gas)
        assert run(chain, FastState, code, gas) == stock, code.hex()
        # Again, with what the first run learnt about jump targets.
        assert run(chain, FastState, code, gas) == stock, code.hex()
        errors += bool(stock[0])
    assert 300 < errors < 1400


@pytest.mark.parametrize("byte", [*BINARY, 0x15, 0x19])
def test_arithmetic_agrees_on_the_edges_of_a_word(byte: int) -> None:
    chain = EmbeddedChain(GENESIS)
    for left in NUMBERS:
        for right in NUMBERS:
            code = b"\x7f" + right.to_bytes(32, "big") + b"\x7f" + left.to_bytes(32, "big") + bytes([byte])
            assert run(chain, FastState, code, 100) == run(chain, PragueVM._state_class, code, 100)


@pytest.mark.parametrize("depth", [1022, 1023, 1024, 1025])
@pytest.mark.parametrize("byte", [0x5F, 0x80, 0x90])
def test_a_full_stack_is_full_for_both(depth: int, byte: int) -> None:
    chain, code = EmbeddedChain(GENESIS), b"\x5f" * depth + bytes([byte])
    assert run(chain, FastState, code, 10_000) == run(chain, PragueVM._state_class, code, 10_000)


def test_a_chain_has_the_hashes_that_py_evm_alone_gives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def head() -> bytes:
        chain = EmbeddedChain(GENESIS)
        sender, address = chain_with_echo(chain)
        sender.try_all([(KEYS[i % 5], echo(address, bytes([i % 3]) * i)) for i in range(40)])
        return chain.head().hash

    fast = head()
    monkeypatch.setattr(embedded._DevnetChain, "vm_configuration", ((0, PragueVM),))
    assert head() == fast


def test_only_the_commonest_instructions_are_replaced() -> None:
    stock = PragueVM._state_class.computation_class.opcodes
    assert set(fast_opcodes()) == set(stock)
    assert sum(fast_opcodes()[code] is not stock[code] for code in stock) == 86
