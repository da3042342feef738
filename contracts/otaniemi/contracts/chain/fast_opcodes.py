"""The commonest EVM instructions with less ceremony: three quarters of py-evm's time is spent between them.

Each fast instruction serves the ordinary case alone. Where gas or stack run short, memory must grow or a jump
target is not yet known, it leaves everything as it is and calls py-evm's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from eth.exceptions import Halt
from eth.vm.forks.prague.computation import PragueComputation
from eth.vm.forks.prague.opcodes import PRAGUE_OPCODES
from eth.vm.forks.prague.state import PragueState
from eth.vm.logic.invalid import InvalidOpcode

Computation = Any
Instruction = Callable[[Computation], None]

WORD = 2**256 - 1
STACK_LIMIT = 1024
JUMPDEST = 0x5B


def _number(value: int | bytes) -> int:
    """A word of py-evm's stack, which holds both."""
    return value if type(value) is int else int.from_bytes(value, "big")  # type: ignore[arg-type]


def _unary(gas: int, own: Instruction, result: Callable[[int], int]) -> Instruction:
    def instruction(computation: Computation) -> None:
        meter, values = computation._gas_meter, computation._stack.values
        if meter.gas_remaining < gas or not values:
            own(computation)
            return
        meter.gas_remaining -= gas
        values[-1] = result(_number(values[-1]))

    return instruction


def _binary(gas: int, own: Instruction, result: Callable[[int, int], int]) -> Instruction:
    def instruction(computation: Computation) -> None:
        meter, values = computation._gas_meter, computation._stack.values
        if meter.gas_remaining < gas or len(values) < 2:
            own(computation)
            return
        meter.gas_remaining -= gas
        left, right = values.pop(), values[-1]
        if type(left) is not int:
            left = int.from_bytes(left, "big")
        if type(right) is not int:
            right = int.from_bytes(right, "big")
        values[-1] = result(left, right)

    return instruction


def _push(gas: int, own: Instruction, size: int) -> Instruction:
    def instruction(computation: Computation) -> None:
        meter, values, code = computation._gas_meter, computation._stack.values, computation.code
        at = code.program_counter
        end = at + size
        if meter.gas_remaining < gas or len(values) >= STACK_LIMIT or end > code._length_cache:
            own(computation)
            return
        meter.gas_remaining -= gas
        values.append(int.from_bytes(code._raw_code_bytes[at:end], "big"))
        code.program_counter = end

    return instruction


def _dup(gas: int, own: Instruction, depth: int) -> Instruction:
    def instruction(computation: Computation) -> None:
        meter, values = computation._gas_meter, computation._stack.values
        if meter.gas_remaining < gas or not depth <= len(values) < STACK_LIMIT:
            own(computation)
            return
        meter.gas_remaining -= gas
        values.append(values[-depth])

    return instruction


def _swap(gas: int, own: Instruction, depth: int) -> Instruction:
    other = -depth - 1

    def instruction(computation: Computation) -> None:
        meter, values = computation._gas_meter, computation._stack.values
        if meter.gas_remaining < gas or len(values) <= depth:
            own(computation)
            return
        meter.gas_remaining -= gas
        values[-1], values[other] = values[other], values[-1]

    return instruction


def _pop(gas: int, own: Instruction) -> Instruction:
    def instruction(computation: Computation) -> None:
        meter, values = computation._gas_meter, computation._stack.values
        if meter.gas_remaining < gas or not values:
            own(computation)
            return
        meter.gas_remaining -= gas
        del values[-1]

    return instruction


def _jumpdest(gas: int, own: Instruction) -> Instruction:
    def instruction(computation: Computation) -> None:
        meter = computation._gas_meter
        if meter.gas_remaining < gas:
            own(computation)
            return
        meter.gas_remaining -= gas

    return instruction


def _jump(gas: int, own: Instruction) -> Instruction:
    def instruction(computation: Computation) -> None:
        meter, values, code = computation._gas_meter, computation._stack.values, computation.code
        target = _number(values[-1]) if values else -1
        if meter.gas_remaining < gas or not _may_land(code, target):
            own(computation)
            return
        meter.gas_remaining -= gas
        del values[-1]
        code.program_counter = target

    return instruction


def _jumpi(gas: int, own: Instruction) -> Instruction:
    def instruction(computation: Computation) -> None:
        meter, values, code = computation._gas_meter, computation._stack.values, computation.code
        if meter.gas_remaining < gas or len(values) < 2:
            own(computation)
            return
        if _number(values[-2]):
            target = _number(values[-1])
            if not _may_land(code, target):
                own(computation)
                return
            code.program_counter = target
        meter.gas_remaining -= gas
        del values[-2:]

    return instruction


def _may_land(code: Any, target: int) -> bool:
    """Whether ``target`` is a jump target that py-evm has found valid before."""
    return target in code.valid_positions and code._raw_code_bytes[target] == JUMPDEST


def _mload(gas: int, own: Instruction) -> Instruction:
    def instruction(computation: Computation) -> None:
        values = computation._stack.values
        if not values or not _reach(computation, at := _number(values[-1]), gas):
            own(computation)
            return
        values[-1] = int.from_bytes(computation._memory._bytes[at : at + 32], "big")

    return instruction


def _mstore(gas: int, own: Instruction) -> Instruction:
    def instruction(computation: Computation) -> None:
        values = computation._stack.values
        if len(values) < 2 or not _reach(computation, at := _number(values[-1]), gas):
            own(computation)
            return
        computation._memory._bytes[at : at + 32] = _number(values[-2]).to_bytes(32, "big")
        del values[-2:]

    return instruction


def _reach(computation: Computation, at: int, gas: int) -> bool:
    """Pay ``gas`` and what it takes to have memory up to ``at + 32``; False, and nothing done, if that fails."""
    memory, meter = computation._memory._bytes, computation._gas_meter
    size = len(memory)
    missing = (at + 63 & ~31) - size
    if missing > 0:
        gas += _memory_gas(size + missing) - _memory_gas(size)
    if meter.gas_remaining < gas:
        return False
    if missing > 0:
        try:
            memory.extend(bytes(missing))
        except BufferError:  # someone reads it through a view
            return False
    meter.gas_remaining -= gas
    return True


def _memory_gas(size: int) -> int:
    words = size // 32
    return 3 * words + words * words // 512


def _signed(value: int) -> int:
    return value - 2**256 if value >> 255 else value


_UNARY: Mapping[int, Callable[[int], int]] = {
    0x15: lambda value: int(value == 0),
    0x19: lambda value: WORD - value,
}
_BINARY: Mapping[int, Callable[[int, int], int]] = {
    0x01: lambda left, right: left + right & WORD,
    0x02: lambda left, right: left * right & WORD,
    0x03: lambda left, right: left - right & WORD,
    0x10: lambda left, right: int(left < right),
    0x11: lambda left, right: int(left > right),
    0x12: lambda left, right: int(_signed(left) < _signed(right)),
    0x13: lambda left, right: int(_signed(left) > _signed(right)),
    0x14: lambda left, right: int(left == right),
    0x16: lambda left, right: left & right,
    0x17: lambda left, right: left | right,
    0x18: lambda left, right: left ^ right,
    0x1B: lambda shift, value: value << shift & WORD if shift < 256 else 0,
    0x1C: lambda shift, value: value >> shift if shift < 256 else 0,
}
_PLAIN: Mapping[int, Callable[[int, Instruction], Instruction]] = {
    0x50: _pop,
    0x51: _mload,
    0x52: _mstore,
    0x56: _jump,
    0x57: _jumpi,
    0x5B: _jumpdest,
}


def fast_opcodes() -> dict[int, Any]:
    """Prague's instructions, the commonest of them replaced."""
    opcodes: dict[int, Any] = dict(PRAGUE_OPCODES)

    def replace(code: int, build: Callable[..., Instruction], *extra: Any) -> None:
        own: Any = PRAGUE_OPCODES[code]
        opcodes[code] = build(own.gas_cost, own, *extra)

    for code, unary in _UNARY.items():
        replace(code, _unary, unary)
    for code, binary in _BINARY.items():
        replace(code, _binary, binary)
    for code, build in _PLAIN.items():
        replace(code, build)
    for size in range(33):
        replace(0x5F + size, _push, size)
    for depth in range(1, 17):
        replace(0x7F + depth, _dup, depth)
        replace(0x8F + depth, _swap, depth)
    return opcodes


@lru_cache(maxsize=256)
def _positions(_code: bytes) -> tuple[set[int], set[int]]:
    """Positions of a code that py-evm found valid and invalid, kept from one call to the next."""
    return set(), set()


class FastComputation(PragueComputation):
    """Prague's computation on fast instructions."""

    opcodes = fast_opcodes()

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        code: Any = self.code
        code.valid_positions, code.invalid_positions = _positions(self.msg.code)

    @classmethod
    def apply_computation(
        cls,
        state: Any,
        message: Any,
        transaction_context: Any,
        parent_computation: Any = None,
    ) -> Any:
        """As py-evm's own, without its generator and its debug log."""
        if message.is_create or message.code_address in cls.get_precompiles() or not message.code:
            return super().apply_computation(state, message, transaction_context, parent_computation)
        opcodes = cls.opcodes
        with cls(state, message, transaction_context) as computation:
            origin = parent_computation is None
            computation.contracts_created = [] if origin else parent_computation.contracts_created
            code: Any = computation.code
            raw, length = code._raw_code_bytes, code._length_cache
            try:
                while code.program_counter < length:
                    byte = raw[code.program_counter]
                    code.program_counter += 1
                    (opcodes.get(byte) or InvalidOpcode(byte))(computation)
            except Halt:
                pass
        return computation


class FastState(PragueState):
    """Prague's state on fast computations."""

    computation_class = FastComputation
