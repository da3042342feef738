"""How bilateral contracts stand, by what the chain said of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from otaniemi.contracts.chain.events import Event
from otaniemi.contracts.chain.forms.bilateral import (
    Closed,
    Concluded,
    Defaulted,
    Delivered,
    DeliveredMetered,
    Proposed,
    Revoked,
    Terminated,
)
from otaniemi.contracts.rules.bilateral import BilateralTerms


class Stage(StrEnum):
    """How far a contract came: proposed ones can be accepted, agreed ones deliver."""

    PROPOSED = "proposed"
    EXPIRED = "expired"
    REVOKED = "revoked"
    AGREED = "agreed"
    ENDED = "ended"


@dataclass(slots=True)
class ContractState:
    """Terms and what became of them.

    Attributes
    ----------
    digest : bytes
        What both sign.
    terms : BilateralTerms or None
        None of terms that were revoked and never told.
    proposed_by : int
        Account that agreed first, 0 where nobody told.
    deal : int
        Number of the contract, 0 before both agreed.
    last_day : int
        Earlier than agreed after a termination.
    delivered : set of int
        Days of a profile, slots of a share.
    deposits_held : bool
        False before both agreed, and once the fees were paid out.
    """

    digest: bytes
    terms: BilateralTerms | None = None
    proposed_by: int = 0
    deal: int = 0
    last_day: int = 0
    delivered: set[int] = field(default_factory=set)
    deposits_held: bool = False
    revoked: bool = False

    def stage(self, today: int, now: int) -> Stage:
        """How far the contract came by a time [Unix s] of a trading day."""
        if self.deal:
            return Stage.AGREED if today <= self.last_day else Stage.ENDED
        if self.revoked or self.terms is None:
            return Stage.REVOKED
        return Stage.PROPOSED if now <= self.terms.valid_to else Stage.EXPIRED


def contract_states(found: Iterable[Event]) -> dict[bytes, ContractState]:
    """Contracts by the digest of their terms, from the events of ``BilateralContracts`` in order."""
    states: dict[bytes, ContractState] = {}
    deals: dict[int, ContractState] = {}
    for event in found:
        match event:
            case Proposed(digest, account, terms):
                state = states.setdefault(digest, ContractState(digest))
                state.terms, state.proposed_by = terms, state.proposed_by or account
            case Revoked(digest):
                states.setdefault(digest, ContractState(digest)).revoked = True
            case Concluded(deal, _, _, digest, terms):
                state = deals[deal] = states.setdefault(digest, ContractState(digest))
                state.terms, state.deal, state.last_day = terms, deal, terms.to_day
                state.deposits_held = True
            case Delivered(deal, at) | DeliveredMetered(deal, at):
                deals[deal].delivered.add(at)
            case Terminated(deal, _, last_day, early):
                deals[deal].last_day = last_day
                deals[deal].deposits_held &= not early
            case Defaulted(deal, _, _, last_day):
                deals[deal].last_day, deals[deal].deposits_held = last_day, False
            case Closed(deal):
                deals[deal].deposits_held = False
    return states
