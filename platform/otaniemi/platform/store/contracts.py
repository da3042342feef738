"""Contracts that an account signed and another may accept, until they stand on the chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, or_, select

from otaniemi.contracts.rules.bilateral import BilateralTerms
from otaniemi.platform.store.database import insert_new
from otaniemi.platform.store.schema import contract_proposals

_PROFILE = 10
"""Place of the profile in the struct of terms, the only bytes there."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Terms with the signature of ``account``, and when they came [Unix s]."""

    digest: bytes
    terms: BilateralTerms
    account: int
    signature: bytes
    received_at: int


def add_proposal(transaction: Connection, proposal: Proposal) -> None:
    """Keep signed terms; those that are known stay as they came."""
    terms, account = proposal.terms, proposal.account
    struct = list(terms.as_struct())
    struct[_PROFILE] = struct[_PROFILE].hex()
    row = {
        "digest": proposal.digest,
        "account": account,
        "other": terms.buyer if account == terms.seller else terms.seller,
        "terms": struct,
        "signature": proposal.signature,
        "received_at": proposal.received_at,
    }
    insert_new(transaction, contract_proposals, [row])


def proposal_of(transaction: Connection, digest: bytes) -> Proposal | None:
    """The proposal of terms with that digest; None without one."""
    found = _proposals(transaction, contract_proposals.c.digest == digest)
    return found[0] if found else None


def proposals_with(transaction: Connection, account: int) -> list[Proposal]:
    """What an account proposed, or was proposed to, in the order in which it came."""
    table = contract_proposals.c
    return _proposals(transaction, or_(table.account == account, table.other == account))


def _proposals(transaction: Connection, condition: ColumnElement[bool]) -> list[Proposal]:
    query = select(contract_proposals).where(condition).order_by(contract_proposals.c.received_at)
    return [
        Proposal(row.digest, _terms(row.terms), row.account, row.signature, row.received_at)
        for row in transaction.execute(query)
    ]


def _terms(stored: list[Any]) -> BilateralTerms:
    struct = list(stored)
    struct[_PROFILE] = bytes.fromhex(struct[_PROFILE])
    return BilateralTerms.of_struct(struct)
