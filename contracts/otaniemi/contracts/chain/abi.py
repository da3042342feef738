"""Calls, answers, events and errors of a contract, encoded and decoded by its ABI."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from otaniemi.contracts.chain.blocks import Log
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.signing import address_bytes, checksum

_BUILT_IN_ERRORS = (
    {"type": "error", "name": "Error", "inputs": [{"name": "reason", "type": "string"}]},
    {"type": "error", "name": "Panic", "inputs": [{"name": "code", "type": "uint256"}]},
)


@dataclass(frozen=True)
class Entry:
    """A function, event or error of an ABI."""

    name: str
    inputs: tuple[Mapping[str, Any], ...]
    outputs: tuple[Mapping[str, Any], ...]

    @cached_property
    def types(self) -> list[str]:
        """Canonical types of the inputs."""
        return [_canonical(item) for item in self.inputs]

    @cached_property
    def output_types(self) -> list[str]:
        return [_canonical(item) for item in self.outputs]

    @cached_property
    def names(self) -> list[str]:
        """Names of the inputs in snake case."""
        return [_snake(item["name"]) for item in self.inputs]

    @cached_property
    def hash(self) -> bytes:
        """Keccak of the signature: an event's topic; its first 4 bytes select a function or error."""
        return keccak(f"{self.name}({','.join(self.types)})".encode())

    @property
    def selector(self) -> bytes:
        return self.hash[:4]


class Abi:
    """An ABI as the compiler writes it.

    Values are ints, bools, bytes, strings, tuples; addresses are checksummed text.
    """

    def __init__(self, entries: Sequence[Mapping[str, Any]]) -> None:
        def of_kind(kind: str) -> list[Entry]:
            return [
                Entry(entry["name"], tuple(entry.get("inputs", ())), tuple(entry.get("outputs", ())))
                for entry in (*entries, *_BUILT_IN_ERRORS)
                if entry["type"] == kind
            ]

        self.functions = {entry.name: entry for entry in of_kind("function")}
        self.selectors = {entry.selector: entry for entry in self.functions.values()}
        self.errors = {entry.selector: entry for entry in of_kind("error")}
        self.events = {entry.hash: entry for entry in of_kind("event")}
        constructors = [entry for entry in entries if entry["type"] == "constructor"]
        self._constructor = [_canonical(item) for entry in constructors for item in entry["inputs"]]

    def construct(self, *arguments: Any) -> bytes:
        """Constructor arguments as they follow the creation code."""
        return encode(self._constructor, arguments)

    def constructed_with(self, data: bytes) -> tuple[Any, ...]:
        """The constructor arguments that ``construct`` encoded.

        Raises
        ------
        ValueError
            ``data`` is not exactly what the constructor takes.
        """
        arguments = _decode(self._constructor, data)
        if self.construct(*arguments) != data:
            raise ValueError("the constructor takes other arguments")
        return arguments

    def call(self, function: str, *arguments: Any) -> bytes:
        """Calldata of ``function``."""
        entry = self.functions[function]
        return entry.selector + encode(entry.types, arguments)

    def decode_call(self, data: bytes) -> tuple[str, dict[str, Any]] | None:
        """Function and arguments of calldata; None when it is not one of ours.

        Raises
        ------
        ValueError
            The arguments are not what the function takes.
        """
        entry = self.selectors.get(data[:4])
        if entry is None:
            return None
        return entry.name, _named(entry, _decode(entry.types, data[4:]))

    def result(self, function: str, data: bytes) -> tuple[Any, ...]:
        """What ``function`` returned.

        Raises
        ------
        ValueError
            ``data`` is not what it returns, such as when no contract stands at the address.
        """
        return _decode(self.functions[function].output_types, data)

    def decode_error(self, data: bytes) -> tuple[str, dict[str, Any]] | None:
        """Name and arguments of a custom error; None when it is not one of ours."""
        entry = self.errors.get(data[:4])
        if entry is None:
            return None
        try:
            return entry.name, _named(entry, _decode(entry.types, data[4:]))
        except ValueError:
            return None

    def decode_event(self, log: Log) -> tuple[str, dict[str, Any]] | None:
        """Name and arguments of an event; None when it is not one of ours.

        Raises
        ------
        ValueError
            Topics or data are not what the event holds.
        """
        entry = self.events.get(log.topics[0]) if log.topics else None
        if entry is None:
            return None
        indexed = [item["indexed"] for item in entry.inputs]
        if len(log.topics) != 1 + sum(indexed):
            raise ValueError(f"event {entry.name} has {len(log.topics)} topics, not {1 + sum(indexed)}")
        in_data = [kind for kind, is_topic in zip(entry.types, indexed, strict=True) if not is_topic]
        plain = iter(_decode(in_data, log.data))
        topics = iter(log.topics[1:])
        values = [
            _decode([kind], next(topics))[0] if is_topic else next(plain)
            for kind, is_topic in zip(entry.types, indexed, strict=True)
        ]
        return entry.name, _named(entry, values)


def _canonical(item: Mapping[str, Any]) -> str:
    kind: str = item["type"]
    if not kind.startswith("tuple"):
        return kind
    inside = ",".join(_canonical(component) for component in item["components"])
    return f"({inside}){kind.removeprefix('tuple')}"


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).strip("_").lower()


def _named(entry: Entry, values: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(entry.names, values, strict=True))


def _decode(types: Sequence[str], data: bytes) -> tuple[Any, ...]:
    try:
        values = decode(types, data)
    except DecodingError as error:
        raise ValueError(f"cannot be decoded as ({', '.join(types)}): {error}") from error
    return tuple(_tidy(kind, value) for kind, value in zip(types, values, strict=True))


def _tidy(kind: str, value: Any) -> Any:
    """Addresses with their checksum; eth-abi leaves them in lower case."""
    if kind == "address":
        return checksum(address_bytes(value))
    if kind == "address[]":
        return tuple(checksum(address_bytes(item)) for item in value)
    return value
