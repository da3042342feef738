"""A deployed contract: calls and views by its ABI."""

from __future__ import annotations

from typing import Any, ClassVar

from otaniemi.contracts.chain.artifacts import artifact, explain
from otaniemi.contracts.chain.errors import NodeError, RevertedError
from otaniemi.contracts.chain.node import Chain
from otaniemi.contracts.chain.sender import Call
from otaniemi.contracts.rules.signing import Domain, address_bytes


class Contract:
    """A deployed contract.

    Raises
    ------
    ArtifactError
        The contract was never compiled.
    """

    name: ClassVar[str]

    def __init__(self, chain: Chain, address: str) -> None:
        self.chain, self.address = chain, address
        self.raw_address = address_bytes(address)
        self.abi = artifact(self.name).abi

    @property
    def domain(self) -> Domain:
        """What signatures for this contract are bound to."""
        return Domain(self.chain.chain_id, self.address)

    def _call(self, label: str, function: str, *arguments: Any) -> Call:
        return Call(self.raw_address, self.abi.call(function, *arguments), label)

    def _view(self, function: str, *arguments: Any) -> Any:
        """The only result of a view, or the tuple of several."""
        data = self.abi.call(function, *arguments)
        try:
            answer = self.abi.result(function, self.chain.call(self.raw_address, data))
        except RevertedError as error:
            raise explain(f"{self.name}.{function}", error.data) from error
        except ValueError as error:
            raise NodeError(f"{self.name} does not answer at {self.address}: {error}") from error
        return answer[0] if len(answer) == 1 else answer
