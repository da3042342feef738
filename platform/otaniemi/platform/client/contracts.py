"""Bilateral contracts."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.bilateral import BilateralTerms
from otaniemi.contracts.rules.calendar import DAY_SECONDS, Product, Source
from otaniemi.contracts.rules.errors import FieldError
from otaniemi.contracts.rules.signing import sign
from otaniemi.platform.api.contracts.messages import (
    AcceptanceForm,
    BilateralTermsForm,
    ContractView,
    ProposalForm,
)
from otaniemi.platform.api.form import to_hex
from otaniemi.platform.client.connection import Connection
from otaniemi.platform.client.errors import WrongProofError


class Contracts(Connection):
    """Contracts with a neighbour: proposed, accepted, ended."""

    def contracts(self, account: int) -> list[ContractView]:
        """What an account agreed to, proposed, or was proposed to, newest first.

        Raises
        ------
        WrongProofError
            Terms are not those of the digest that they are said to have.
        """
        found = self._get(list[ContractView], f"accounts/{account}/contracts")
        return [self._held(view) for view in found]

    def contract(self, digest: str) -> ContractView:
        """One contract or proposal; raises as `contracts`."""
        view = self._held(self._get(ContractView, f"contracts/{digest}"))
        if view.digest != digest:
            raise WrongProofError(f"what came back for contract {digest} is {view.digest}")
        return view

    def propose_contract(
        self,
        key: Key,
        seller: int,
        buyer: int,
        as_account: int,
        from_day: int,
        to_day: int,
        price: int,
        spot: bool = False,
        profile: Sequence[int] = (),
        share_permille: int = 0,
        source: int = Source.PV,
        notice_days: int = 7,
        fee: int = 0,
        product: int = Product.ELECTRICITY,
        salt: int | None = None,
        valid_to: int | None = None,
        directly: bool = False,
    ) -> ContractView:
        """Sign terms and send them, for the other party to accept.

        Parameters
        ----------
        key : Key
            The owner's, or a device key that nothing limits.
        seller, buyer, as_account : int
            The last one is who signs here.
        from_day, to_day : int
            First and last trading day.
        price : int
            Of the energy, or with ``spot`` what is added to the spot price. [micro-token/kWh]
        profile : sequence of int
            Energy of each slot of a day [Wh]; empty for a share.
        share_permille : int
            Part of the seller's metered surplus.
        notice_days : int
            By notice the contract ends so many days later.
        fee : int
            Deposited by both, lost to the other by who ends it without notice or cannot deliver. [nano-token]
        salt : int, optional
            To repeat a proposal safely: an account uses each for one contract; a random one when left out.
        valid_to : int, optional
            Until when it may be accepted [Unix s]; a day when left out.
        directly : bool
            In a transaction of one's own, for which ``key`` pays, so that the proposal stands on the chain.
        """
        now = int(self.community().now.timestamp())
        terms = BilateralTerms(
            community=self.deployment.community,
            product=product,
            seller=seller,
            buyer=buyer,
            source=int(source),
            from_day=from_day,
            to_day=to_day,
            spot=spot,
            price=price,
            share_permille=share_permille,
            profile=tuple(profile),
            notice_days=notice_days,
            fee=fee,
            valid_to=now + DAY_SECONDS if valid_to is None else valid_to,
            salt=secrets.randbits(32) if salt is None else salt,
        )
        if directly:
            return self._propose_directly(key, as_account, terms)
        form = ProposalForm(
            account=as_account, terms=BilateralTermsForm.of(terms), signature=self._signed(key, terms)
        )
        return self._held(self._post(ContractView, "contracts", form))

    def accept_contract(self, key: Key, account: int, digest: str, directly: bool = False) -> ContractView:
        """Sign the proposed terms with that digest too, and have the contract brought to the chain.

        With ``directly`` in a transaction of one's own, for which ``key`` pays; of what was proposed so.

        Raises
        ------
        WrongProofError
            What the server shows are other terms.
        """
        view = self.contract(digest)
        terms = view.terms.terms()
        if directly:
            if view.deal is None:
                self._transact(key, "BilateralContracts", "accept", terms.as_struct(), account)
            return self.contract(digest)
        form = AcceptanceForm(account=account, signature=self._signed(key, terms))
        return self._held(self._post(ContractView, f"contracts/{digest}/accept", form))

    def revoke_contract(self, key: Key, account: int, digest: str) -> ContractView:
        """Make sure, in a transaction of one's own, that terms are never concluded; declines a proposal as well."""
        view = self.contract(digest)
        if view.state in ("proposed", "expired"):
            struct = view.terms.terms().as_struct()
            self._transact(key, "BilateralContracts", "revoke", struct, account)
        return self.contract(digest)

    def end_contract(self, key: Key, account: int, digest: str, early: bool = False) -> ContractView:
        """End a contract in a transaction of one's own; one that has been ended stays so.

        Parameters
        ----------
        key : Key
            The owner's, or a device key that nothing limits; it pays the gas.
        early : bool
            With today, at the cost of the own deposit, instead of by notice.

        Raises
        ------
        FieldError
            The contract is not agreed.
        TransactionFailedError
            It ends by then anyway.
        """
        view = self.contract(digest)
        if view.deal is None or view.last_day is None:
            raise FieldError("contract", view.state, "one that is agreed")
        ended = view.last_day < view.terms.to_day
        if not ended or (early and view.deposits_held and view.state == "agreed"):
            function = "terminateEarly" if early else "terminate"
            self._transact(key, "BilateralContracts", function, view.deal, account)
        return self.contract(digest)

    def _propose_directly(self, key: Key, account: int, terms: BilateralTerms) -> ContractView:
        """Propose on the chain, unless the account has proposed something with the salt already."""
        for view in self.contracts(account):
            if (view.proposed_by, view.terms.salt) == (account, terms.salt):
                return view
        self._transact(key, "BilateralContracts", "propose", terms.as_struct(), account)
        return self.contract(to_hex(terms.digest(self._domain("BilateralContracts"))))

    def _signed(self, key: Key, terms: BilateralTerms) -> str:
        return to_hex(sign(key.secret, terms.digest(self._domain("BilateralContracts"))))

    def _held(self, view: ContractView) -> ContractView:
        digest = to_hex(view.terms.terms().digest(self._domain("BilateralContracts")))
        if view.digest != digest:
            raise WrongProofError(f"the terms that are said to be contract {view.digest} are {digest}")
        return view
