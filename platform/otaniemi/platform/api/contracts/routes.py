"""The routes of bilateral contracts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path

from otaniemi.contracts.rules.calendar import Rules, day_at
from otaniemi.platform.api.contracts.desk import ContractDesk
from otaniemi.platform.api.contracts.messages import AcceptanceForm, ContractView, ProposalForm
from otaniemi.platform.api.form import from_hex
from otaniemi.platform.api.parameters import AccountNumber, router_for
from otaniemi.platform.services.contract_states import ContractState

Digest = Annotated[str, Path(pattern=r"^0x[0-9a-f]{64}$", description="of the terms, which both sign")]


def contract_routes(desk: ContractDesk, rules: Rules, now: Callable[[], int]) -> APIRouter:
    """Proposals and acceptances in, contracts out; ``now`` gives the market's time [Unix s]."""
    router = router_for("bilateral contracts")

    def view(state: ContractState) -> ContractView:
        moment = now()
        return ContractView.of(state, day_at(rules, moment), moment)

    @router.post("/contracts", status_code=202)
    def propose(signed: ProposalForm) -> ContractView:
        """Send terms that one party signed, for the other to accept; sent twice they are one proposal."""
        return view(desk.propose(signed.terms.terms(), signed.account, from_hex(signed.signature)))

    @router.post("/contracts/{digest}/accept", status_code=202)
    def accept(digest: Digest, signed: AcceptanceForm) -> ContractView:
        """Send the other party's signature: the contract is brought to the chain at once, and delivers by itself."""
        return view(desk.accept(from_hex(digest), signed.account, from_hex(signed.signature)))

    @router.get("/contracts/{digest}")
    def contract(digest: Digest) -> ContractView:
        """One contract or proposal."""
        return view(desk.contract(from_hex(digest)))

    @router.get("/accounts/{account}/contracts")
    def contracts(account: AccountNumber) -> list[ContractView]:
        """What an account agreed to, proposed, or was proposed to, newest first."""
        return [view(state) for state in desk.contracts(account)]

    return router
