"""The service of bilateral contracts: it brings two signatures together, and delivers what was agreed.

Whatever it does on the chain anyone may do; nobody signs again for a delivery.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from otaniemi.contracts.chain.errors import ChainError
from otaniemi.contracts.chain.forms.bilateral import Concluded
from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.bilateral import BilateralTerms
from otaniemi.contracts.rules.calendar import (
    day_at,
)
from otaniemi.platform.services.admission import NotFoundError, RefusedError, check_binding
from otaniemi.platform.services.contract_deliveries import Deliveries
from otaniemi.platform.services.contract_states import ContractState, Stage, contract_states
from otaniemi.platform.services.contract_terms import check_terms
from otaniemi.platform.services.gateway import Gateway
from otaniemi.platform.store.contracts import Proposal, add_proposal, proposal_of, proposals_with
from otaniemi.platform.store.intake import NumberTakenError

MOST_OPEN = 50
"""Proposals of an account that may wait at once."""


@dataclass(frozen=True, slots=True)
class Signed:
    """Terms that both sides signed."""

    terms: BilateralTerms
    seller: bytes
    buyer: bytes


class BilateralService:
    """The contracts of one community.

    Parameters
    ----------
    gateway : Gateway
    keeper : Key
        Who pays the gas.
    """

    def __init__(self, gateway: Gateway, keeper: Key) -> None:
        self._gateway, self._keeper = gateway, keeper
        self._contract = gateway.contracts.bilateral_contracts
        self._deliveries = Deliveries(gateway)

    # Agreeing

    def propose(self, terms: BilateralTerms, account: int, signature: bytes) -> ContractState:
        """Keep terms that ``account`` signed, for the other party to accept.

        Terms with the salt of an earlier proposal of the account are that one.

        Raises
        ------
        NotFoundError
            A party is no account of the community.
        NumberTakenError
            The account proposed other terms with the salt.
        RefusedError, FieldError
            The first field that is in the way.
        """
        now, digest = self._gateway.clock.now, terms.digest(self._contract.domain)
        if account not in (terms.seller, terms.buyer):
            raise RefusedError("account", account, f"{terms.seller} or {terms.buyer}, which the terms name")
        with self._gateway.store.read() as transaction:
            own = [one for one in proposals_with(transaction, account) if one.account == account]
        for earlier in own:
            if earlier.terms.salt == terms.salt:
                if not _same(earlier.terms, terms):
                    raise NumberTakenError(account, "salt", terms.salt)
                return self.contract(earlier.digest)
        self._check(terms, [account], {account: signature})
        if sum(one.terms.valid_to >= now for one in own) >= MOST_OPEN:
            raise RefusedError("account", account, f"one with fewer than {MOST_OPEN} proposals that wait")
        with self._gateway.store.begin() as transaction:
            add_proposal(transaction, Proposal(digest, terms, account, signature, now))
        return self.contract(digest)

    def accept(self, digest: bytes, account: int, signature: bytes) -> ContractState:
        """Conclude proposed terms by the signature of the other party; terms that are agreed already stay so.

        Raises
        ------
        NotFoundError
            There are no such terms.
        RefusedError
            They can no longer be accepted, or the first field that is in the way.
        ChainError
            The chain refuses them.
        """
        state = self.contract(digest)
        if state.deal:
            return state
        terms, stage = state.terms, state.stage(self._today, self._gateway.clock.now)
        if terms is None or stage is not Stage.PROPOSED:
            raise RefusedError("contract", stage.value, "one that is proposed")
        other = terms.buyer if state.proposed_by == terms.seller else terms.seller
        if account != other:
            raise RefusedError("account", account, f"{other}, to whom it was proposed")
        self._check(terms, (terms.seller, terms.buyer), {account: signature})
        with self._gateway.store.read() as transaction:
            proposal = proposal_of(transaction, digest)
        # Without one the other party proposed the terms on the chain.
        signatures = {account: signature, state.proposed_by: proposal.signature if proposal else b""}
        self.conclude([Signed(terms, signatures[terms.seller], signatures[terms.buyer])])
        self.tend()
        return self.contract(digest)

    def conclude(self, agreed: Sequence[Signed]) -> list[int]:
        """Put terms in force that both signed; the numbers of the contracts."""
        calls = [self._contract.conclude(one.terms, one.seller, one.buyer) for one in agreed]
        found = self._gateway.send([(self._keeper, call) for call in calls])
        return [event.deal for event in found if isinstance(event, Concluded)]

    # Reading

    def contract(self, digest: bytes) -> ContractState:
        """The contract, or the proposal, of terms with that digest.

        Raises
        ------
        NotFoundError
            There is none.
        """
        with self._gateway.store.read() as transaction:
            proposal = proposal_of(transaction, digest)
        found = self._joined([proposal] if proposal else []).get(digest)
        if found is None or found.terms is None:
            raise NotFoundError("contract", "0x" + digest.hex())
        return found

    def contracts_of(self, account: int) -> list[ContractState]:
        """What an account agreed to, proposed, or was proposed to, newest first.

        Raises
        ------
        NotFoundError
            There is no such account.
        """
        with self._gateway.store.read() as transaction:
            self._gateway.member(transaction, account)
            proposals = proposals_with(transaction, account)
        found = self._joined(proposals).values()
        return [
            state for state in found if state.terms and account in (state.terms.seller, state.terms.buyer)
        ][::-1]

    # Keeping

    def tend(self) -> None:
        """Deliver what is due and return deposits of what is over; what the chain refuses waits for the next time."""
        for state in self._states().values():
            for call in self._deliveries.due(state):
                with suppress(ChainError):
                    self._gateway.send_one(self._keeper, call)

    def next_due(self) -> int | None:
        """When ``tend`` has something to do next [Unix s], None without contracts."""
        moments = (self._deliveries.next_due(state) for state in self._states().values())
        return min((moment for moment in moments if moment is not None), default=None)

    # Both sources

    @property
    def _today(self) -> int:
        return day_at(self._gateway.rules, self._gateway.clock.now)

    def _states(self) -> dict[bytes, ContractState]:
        """What the chain has of the community's contracts."""
        gateway = self._gateway
        gateway.catch_up()
        with gateway.store.read() as transaction:
            found = contract_states(gateway.events_of(transaction, self._contract.name))
        return {
            digest: state
            for digest, state in found.items()
            if state.terms is None or state.terms.community == gateway.community
        }

    def _joined(self, proposals: Sequence[Proposal]) -> dict[bytes, ContractState]:
        """Contracts of the chain, with those that were proposed here; the oldest first."""
        found = {one.digest: ContractState(one.digest, one.terms, one.account) for one in proposals}
        proposers = {one.digest: one.account for one in proposals}
        for digest, state in self._states().items():
            state.proposed_by = proposers.get(digest, state.proposed_by)
            state.terms = state.terms or (found[digest].terms if digest in found else None)
            found[digest] = state
        return found

    def _check(self, terms: BilateralTerms, agreed: Sequence[int], signatures: dict[int, bytes]) -> None:
        """Refuse terms that cannot be concluded, or that an account did not sign."""
        gateway = self._gateway
        gateway.catch_up()
        digest = terms.digest(self._contract.domain)
        with gateway.store.read() as transaction:
            seller, buyer = (gateway.account(transaction, account) for account in (terms.seller, terms.buyer))
        for state in (seller, buyer):
            if state.member.account in signatures:
                check_binding(digest, signatures[state.member.account], state.member)
        check_terms(terms, seller, buyer, agreed, gateway.rules, gateway.clock.now)


def _same(one: BilateralTerms, other: BilateralTerms) -> bool:
    """Whether terms are equal but for how long they may be accepted."""
    return one.as_struct()[:-2] == other.as_struct()[:-2]
