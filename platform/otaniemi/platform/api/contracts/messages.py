"""Bilateral contracts in JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from otaniemi.contracts.rules.bilateral import BilateralTerms
from otaniemi.platform.api.form import I32, U8, U32, U64, Form, Hash, Signature, fields_of, instant, to_hex
from otaniemi.platform.services.contract_states import ContractState

Account = Annotated[U32, Field(ge=1)]


class BilateralTermsForm(Form):
    """What a seller and a buyer agree on."""

    community: Annotated[U32, Field(ge=1)]
    product: U8
    seller: Account
    buyer: Account
    source: Annotated[U8, Field(description="0 grid, 1 pv, 2 battery, 3 v2h, 4 chp")]
    from_day: Annotated[U32, Field(description="first trading day")]
    to_day: Annotated[U32, Field(description="last trading day")]
    spot: Annotated[bool, Field(description="whether the price is added to the reference price of the slot")]
    price: Annotated[I32, Field(description="[micro-token/kWh]")]
    share_permille: Annotated[
        int, Field(ge=0, le=1000, description="part of the seller's metered surplus; 0 for a profile")
    ]
    profile: Annotated[
        tuple[U32, ...],
        Field(strict=False, max_length=1_440, description="energy of each slot of a day [Wh]"),
    ]
    notice_days: Annotated[int, Field(ge=0, le=2**16 - 1, description="a contract ends so long after notice")]
    fee: Annotated[
        U64, Field(description="deposited by both, lost by who ends it without notice [nano-token]")
    ]
    valid_to: Annotated[U64, Field(description="until when it may be concluded, Unix time")]
    salt: Annotated[U64, Field(description="tells contracts apart; an account uses each once")]

    def terms(self) -> BilateralTerms:
        """The terms as they are signed."""
        return BilateralTerms(**{name: getattr(self, name) for name in BilateralTermsForm.model_fields})

    @classmethod
    def of(cls, terms: BilateralTerms) -> BilateralTermsForm:
        """The form of terms."""
        return cls(**fields_of(terms))


class ProposalForm(Form):
    """Terms that ``account``, one of the parties, signed (typed data ``BilateralTerms``)."""

    account: Account
    terms: BilateralTermsForm
    signature: Signature


class AcceptanceForm(Form):
    """The signature of the same terms by ``account``, the other party."""

    account: Account
    signature: Signature


class ContractView(Form):
    """A contract by the digest of its terms, which both sign; ``deal`` is its number on the chain once both did.

    ``proposed`` ones wait for the other party until ``terms.valid_to``, ``agreed`` ones deliver until ``last_day``.
    ``delivered`` counts days of a profile, slots of a share.
    """

    digest: Hash
    state: Literal["proposed", "expired", "revoked", "agreed", "ended"]
    proposed_by: Annotated[int, Field(description="account, 0 where nobody told")]
    deal: int | None
    last_day: int | None
    delivered: int
    deposits_held: bool
    valid_to: datetime
    terms: BilateralTermsForm

    @classmethod
    def of(cls, state: ContractState, today: int, now: int) -> ContractView:
        assert state.terms is not None
        return cls(
            digest=to_hex(state.digest),
            state=state.stage(today, now).value,
            proposed_by=state.proposed_by,
            deal=state.deal or None,
            last_day=state.last_day if state.deal else None,
            delivered=len(state.delivered),
            deposits_held=state.deposits_held,
            valid_to=instant(state.terms.valid_to),
            terms=BilateralTermsForm.of(state.terms),
        )
