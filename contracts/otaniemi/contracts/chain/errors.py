"""What can go wrong between us and a chain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ChainError(Exception):
    """Base of all errors of this package; the message says what, which and what would be valid."""


class NodeNotFoundError(ChainError):
    """No node where one was named: anvil is not installed, or nothing answers at a URL."""


class NodeError(ChainError):
    """A node refused a request or answered nonsense."""


class PortInUseError(ChainError):
    """A node could not listen on its port."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} is in use; choose another or stop what listens there")
        self.port = port


class BlockTimeError(ChainError):
    """The next block cannot have the time that was asked for."""

    def __init__(self, asked: int, head: int) -> None:
        super().__init__(
            f"block time {asked} is not later than the chain's head at {head}; "
            "start a fresh chain whose genesis lies before the first day"
        )
        self.asked, self.head = asked, head


class TransactionRefusedError(ChainError):
    """A transaction never entered a block: wrong nonce, no funds for gas, or too much gas."""


class RevertedError(ChainError):
    """A call or transaction reverted; carries the decoded custom error.

    Parameters
    ----------
    what : str
        The function or label that was called.
    name : str
        Name of the custom error, "Error" for a reason string, "Panic", or "" when undecodable.
    args : mapping
        Its arguments by name.
    data : bytes
        The raw revert data.
    """

    def __init__(self, what: str, name: str, arguments: Mapping[str, Any], data: bytes) -> None:
        inside = ", ".join(f"{key}={_shown(value)}" for key, value in arguments.items())
        why = f"{name}({inside})" if name else (f"0x{data.hex()}" if data else "without data (out of gas?)")
        super().__init__(f"{what} reverted: {why}")
        self.what, self.name, self.arguments, self.data = what, name, dict(arguments), data


class ArtifactError(ChainError):
    """A compiled contract is missing or unreadable."""


class DeploymentError(ChainError):
    """A deployment file is unreadable, or does not belong to this chain."""


class WrongChainDataError(ChainError):
    """Exported chain data contradicts itself or the pinned head.

    Parameters
    ----------
    where : str
        The first wrong header, block or transaction, such as "block 17" or "headers.jsonl line 18".
    why : str
        What does not hold.
    """

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where, self.why = where, why


class ChainDataMissingError(ChainError):
    """Exported chain data is not there or cannot be read."""


def _shown(value: Any) -> str:
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
