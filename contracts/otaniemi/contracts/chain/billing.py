"""Settlement and its court as typed methods; see ``bindings``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from enum import IntEnum
from typing import Any

from otaniemi.contracts.chain.contract import Contract
from otaniemi.contracts.chain.evidence import OrderProof, PositionProof
from otaniemi.contracts.chain.refutation import (
    AbsentChallenge,
    Challenge,
    Demand,
    LineChallenge,
    OrderChallenge,
    ReferenceChallenge,
    SumChallenge,
    UnmeteredChallenge,
)
from otaniemi.contracts.chain.sender import Call
from otaniemi.contracts.rules.bills import Bills, Chunk
from otaniemi.contracts.rules.merkle_sum import Node
from otaniemi.contracts.rules.orders import Market


class BillsState(IntEnum):
    """Where proposed bills stand."""

    NONE = 0
    OPEN = 1
    VOID = 2
    FINAL = 3
    SUPERSEDED = 4


class PayoutStep(IntEnum):
    """What is done next with final bills."""

    NONE = 0
    DEBITS = 1
    PARTIES = 2
    CREDITS = 3
    DONE = 4


@dataclass(frozen=True, slots=True)
class Standing:
    """Where proposed bills stand and how far they are paid.

    ``closes_at`` is the end of their window as far as is known [Unix s], ``cursor`` the number of accounts that
    were debited, ``credits`` the chain of what is still to be credited, zero without any.
    """

    closes_at: int
    state: BillsState
    next: PayoutStep
    cursor: int
    credits: bytes


class Settlement(Contract):
    """A day's bills: proposed with a bond, open to challenges, paid in bulk."""

    name = "Settlement"

    def propose_bills(self, bills: Bills, proposer: int, content_hash: bytes) -> Call:
        """Propose the bills of a day; the bond comes from account ``proposer``. Owner of it only."""
        root, count = bills.root, len(bills.accounts)
        arguments = (bills.community, bills.day, proposer, root.hash, root.sums, count, content_hash)
        return self._call("settle", "proposeBills", *arguments)

    def finalise(self, number: int) -> Call:
        """Make bills final after their window and return the bond."""
        return self._call("settle", "finalise", number)

    def reclaim_bond(self, number: int) -> Call:
        """Return the bond of unrefuted bills, once other bills of the day are final."""
        return self._call("settle", "reclaimBond", number)

    def debit(self, number: int, chunk: Chunk) -> Call:
        """Debit the next accounts, a chunk of ``Bills.chunks``."""
        return self._call("settle", "debit", number, chunk.entries, chunk.proof)

    def pay_parties(self, number: int, root: Node) -> Call:
        """Pay retailer, grid operator and platform once all debits are in."""
        return self._call("settle", "payParties", number, root.hash, root.sums)

    def credit(self, number: int, before: bytes, entries: bytes) -> Call:
        """Credit the last accounts that still are to be; ``before`` and ``entries`` are of ``Bills.credits``."""
        return self._call("settle", "credit", number, before, entries)

    def settle_alone(self, community: int, day: int) -> Call:
        """End a day that nobody billed for 14 days: every trade counts as delivered."""
        return self._call("alone", "settleAlone", community, day)

    def settle_alone_orders(
        self, market: Market, indices: Sequence[int], proofs: Sequence[OrderProof]
    ) -> Call:
        """Pay orders of such a day by their records in a market."""
        shown = [proof.as_argument() for proof in proofs]
        return self._call("alone", "settleAloneOrders", market.key, list(indices), shown)

    def settle_alone_positions(
        self,
        community: int,
        product: int,
        account: int,
        day: int,
        indices: Sequence[int],
        proofs: Sequence[PositionProof],
    ) -> Call:
        """Pay positions of an account on such a day by their records."""
        shown = [proof.as_argument() for proof in proofs]
        where = community, product, account, day
        return self._call("alone", "settleAlonePositions", *where, list(indices), shown)

    def final_of(self, community: int, day: int) -> int:
        """Number of the final bills of a day, 0 while there are none."""
        return int(self._view("finalOf", community, day))

    def closes_at(self, number: int) -> int:
        """When the window for challenges of bills ``number`` ends, as far as is known. [Unix s]"""
        return self.standing(number).closes_at

    def standing(self, number: int) -> Standing:
        """Where bills ``number`` stand."""
        _, _, _, _, _, closes_at, state, _, step, cursor, *_, credits = self._view("billsOf", number)
        return Standing(int(closes_at), BillsState(state), PayoutStep(step), int(cursor), bytes(credits))

    def proposal_count(self) -> int:
        """Number of proposals, which is the highest."""
        return int(self._view("proposalCount"))


class Court(Contract):
    """Judges challenges of proposed bills for the settlement that created it."""

    name = "Court"

    def challenge(self, number: int, found: Challenge, challenger: int) -> Call:
        """Void bills ``number`` by what is wrong with them; half the bond goes to account ``challenger``."""
        match found:
            case LineChallenge(path, evidence):
                return self._challenge("Line", number, astuple(path), evidence.as_argument(), challenger)
            case ReferenceChallenge(path, behind):
                return self._challenge("Reference", number, astuple(path), behind.as_argument(), challenger)
            case OrderChallenge(first, second):
                return self._challenge("Order", number, astuple(first), astuple(second), challenger)
            case AbsentChallenge(paths, account, product, slot, meter):
                shown = [astuple(path) for path in paths]
                place = account, product, slot
                return self._challenge("Absent", number, shown, *place, meter.as_argument(), challenger)
            case UnmeteredChallenge(path, neighbours):
                beside = [neighbour.as_argument() for neighbour in neighbours]
                return self._challenge("Unmetered", number, astuple(path), beside, challenger)
            case SumChallenge(path, preimage):
                return self._challenge("Sum", number, astuple(path), preimage, challenger)

    def demand(self, number: int, found: Demand, demander: int) -> Call:
        """Put up a bond to see a node of bills ``number``. Owner of account ``demander`` only."""
        return self._call("demand", "demand", number, astuple(found.path), demander)

    def answer(self, number: int, preimage: bytes, answerer: int) -> Call:
        """Show a demanded node by its preimage with tag; half of the demand's bond goes to account ``answerer``."""
        return self._call("answer", "answer", number, preimage, answerer)

    def expire(self, number: int, hash_: bytes) -> Call:
        """Void bills that did not answer a demand in time, and return its bond."""
        return self._call("demand", "expire", number, hash_)

    def open_demands(self, number: int) -> int:
        """Demands of bills ``number`` that nobody answered yet."""
        return int(self._view("openDemands", number))

    def _challenge(self, what: str, *arguments: Any) -> Call:
        return self._call("challenge", f"challenge{what}", *arguments)
