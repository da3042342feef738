"""Bills that anybody proposed, as the chain has them, and which of them commit to the lines that are kept here."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from otaniemi.contracts.rules.merkle_sum import Node
from otaniemi.contracts.rules.sums import LINE_TREE
from otaniemi.platform.store.database import insert, insert_new
from otaniemi.platform.store.schema import bill_claims, proposals


@dataclass(frozen=True, slots=True)
class Proposal:
    """Bills ``number``, proposed by account ``proposer`` in ``transaction``."""

    number: int
    proposer: int
    transaction: bytes


def claim(root: Node, count: int) -> bytes:
    """What a proposal claims: the root with its sums, and the number of accounts."""
    return LINE_TREE.pack(root) + count.to_bytes(4, "big")


def add_proposal(
    transaction: Connection, community: int, day: int, proposal: Proposal, claimed: bytes, block: int
) -> None:
    """Enter a proposal that ``block`` brought, and what it claims; see ``claim``."""
    row = {
        "number": proposal.number,
        "community": community,
        "day": day,
        "proposer": proposal.proposer,
        "claim": claimed,
        "transaction": proposal.transaction,
        "block": block,
    }
    insert_new(transaction, proposals, [row])


def keep_claim(transaction: Connection, community: int, day: int, claimed: bytes) -> None:
    """Note what a proposal of the lines that are kept of a day claims."""
    statement = insert(bill_claims).values(community=community, day=day, claim=claimed)
    statement = statement.on_conflict_do_update(index_elements=["community", "day"], set_={"claim": claimed})
    transaction.execute(statement)


def of_kept_lines(transaction: Connection, community: int, day: int) -> list[Proposal]:
    """The proposals of a day that claim what its kept lines add up to, in order; they may be void."""
    query = (
        select(proposals.c.number, proposals.c.proposer, proposals.c.transaction)
        .join(
            bill_claims,
            (bill_claims.c.community == proposals.c.community) & (bill_claims.c.day == proposals.c.day),
        )
        .where(proposals.c.community == community, proposals.c.day == day)
        .where(proposals.c.claim == bill_claims.c.claim)
        .order_by(proposals.c.number)
    )
    return [Proposal(*row) for row in transaction.execute(query)]
