"""What the API offers of bilateral contracts."""

from __future__ import annotations

from collections.abc import Sequence

from otaniemi.contracts.rules.bilateral import BilateralTerms
from otaniemi.platform.api.turn import Turn
from otaniemi.platform.services.bilateral import BilateralService
from otaniemi.platform.services.contract_states import ContractState


class ContractDesk:
    """The contracts of one community.

    Parameters
    ----------
    service : BilateralService
    turn : callable
        Gives the engine to oneself, at the present.
    """

    def __init__(self, service: BilateralService, turn: Turn) -> None:
        self._service, self._turn = service, turn

    def propose(self, terms: BilateralTerms, account: int, signature: bytes) -> ContractState:
        """Keep terms that ``account`` signed, for the other party to accept; sent twice they are one proposal."""
        with self._turn():
            return self._service.propose(terms, account, signature)

    def accept(self, digest: bytes, account: int, signature: bytes) -> ContractState:
        """Conclude proposed terms by the signature of the other party; sent twice it is one contract."""
        with self._turn():
            return self._service.accept(digest, account, signature)

    def contract(self, digest: bytes) -> ContractState:
        """One contract or proposal."""
        with self._turn():
            return self._service.contract(digest)

    def contracts(self, account: int) -> Sequence[ContractState]:
        """What an account agreed to, proposed, or was proposed to, newest first."""
        with self._turn():
            return self._service.contracts_of(account)
