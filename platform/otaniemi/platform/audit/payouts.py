"""Bills from proposal to payment: derived anew, then followed to the last nano-token."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from otaniemi.contracts.chain import events as e
from otaniemi.contracts.rules.bills import Bills
from otaniemi.contracts.rules.calendar import Rules
from otaniemi.contracts.rules.sums import Sums
from otaniemi.platform.audit.days import compare_lines, derive, zero_sums
from otaniemi.platform.audit.findings import Finding
from otaniemi.platform.audit.leaves import content_hash
from otaniemi.platform.audit.published import Published
from otaniemi.platform.audit.state import State
from otaniemi.platform.audit.steps import Step

MODULE = "Settlement"


@dataclass
class Proposal:
    """Bills as proposed; ``bills`` are the right ones of that day where they could be derived.

    ``faults`` say why the proposal is not right, ``due`` are the accounts
    that are still to be debited or credited.
    """

    event: e.BillsProposed
    where: str
    bills: Bills | None
    faults: list[str]
    due: dict[int, Sums] = field(default_factory=dict)
    retail_claim: int = 0
    operator_claim: int = 0
    open: bool = True


class Payouts:
    """Follows every proposal; those of ``community`` are derived, which takes the ``published`` leaves.

    Attributes
    ----------
    proposals : mapping of number to Proposal
    final : mapping of (community, day) to the number of the bills that stand
    settled : mapping of (community, day) to what each account paid; negative: received. [nano-token]
    """

    def __init__(
        self, community: int, state: State, published: Published | None, counts: Counter[str]
    ) -> None:
        self._community, self._state, self._published, self._counts = community, state, published, counts
        self._findings: list[Finding] = published.findings if published else []
        self._derived: dict[int, Bills | None] = {}
        self.proposals: dict[int, Proposal] = {}
        self.final: dict[tuple[int, int], int] = {}
        self.settled: defaultdict[tuple[int, int], dict[int, int]] = defaultdict(dict)
        self._handlers: Mapping[type[e.Event], Callable[[Any, Step], Iterable[str]]] = {
            e.BillsProposed: self._proposed,
            e.BillsVoided: self._voided,
            e.BillsFinal: self._made_final,
            e.BondReturned: self._bond_returned,
            e.LocksReleased: self._locks_released,
            e.Debited: self._debited,
            e.PartiesPaid: self._parties_paid,
            e.Credited: self._credited,
        }

    def handler(self, kind: type[e.Event]) -> Callable[[Any, Step], Iterable[str]] | None:
        """What follows an event of this kind; None for one that is not about bills."""
        return self._handlers.get(kind)

    def finish(self, alone: int) -> list[Finding]:
        """Wrong proposals that stand or still may, and money left in the pot beside that of days without bills.

        Parameters
        ----------
        alone : int
            What is left of days that were settled without bills. [nano-token]
        """
        findings = [
            Finding(proposal.where, fault)
            for number, proposal in self.proposals.items()
            if self.final.get((proposal.event.community, proposal.event.day), number) == number
            for fault in proposal.faults
        ]
        busy = any(proposal.open or proposal.due for proposal in self.proposals.values())
        left = self._state.ledger.pots[MODULE] - alone
        if left and not busy:
            findings.append(Finding("contract Settlement", f"{left:,} nano-token are left in its pot"))
        return findings

    def _proposed(self, event: e.BillsProposed, step: Step) -> Iterable[str]:
        taken = self._state.ledger.debit(MODULE, event.proposer, event.bond)
        if taken != event.bond:
            yield f"takes a bond of {event.bond} where account {event.proposer} has {taken}"
        bills: Bills | None = None
        faults: list[str] = []
        if self._published and event.community == self._community:
            bills, faults = self._hold_against(event, self._published)
        self.proposals[event.id] = Proposal(event, step.where, bills, faults)

    def _hold_against(self, event: e.BillsProposed, published: Published) -> tuple[Bills | None, list[str]]:
        """The right bills of the day, and what is wrong with the proposed ones."""
        rules, day = self._rules(event.community, event.day), event.day
        if day not in self._derived:
            self._derived[day] = self._derive(rules, day, published)
        bills = self._derived[day]
        if bills is None:
            return None, []
        right = e.BillsProposed(
            event.community,
            event.day,
            event.id,
            event.proposer,
            bills.root.hash,
            bills.root.sums,
            len(bills.accounts),
            content_hash(bills.lines),
            rules.bond,
        )
        names = [name for name in e.BillsProposed.__slots__ if getattr(event, name) != getattr(right, name)]
        told = (f"{name} is {_text(event, name)}, not {_text(right, name)}" for name in names)
        return bills, [f"proposes bills of day {day} that do not follow: {', '.join(told)}"] if names else []

    def _derive(self, rules: Rules, day: int, published: Published) -> Bills | None:
        """The right bills of a day, held against the published lines; None where its meters cannot be read."""
        meters, lines = published.meters(day), published.lines(day)
        if meters is None:
            return None
        facts, bills = derive(self._state, rules, self._community, day, meters)
        self._counts["bills"] += len(bills.lines)
        self._findings += zero_sums(facts, bills.lines)
        if lines is not None:
            self._findings += compare_lines(day, lines, bills.lines)
        return bills

    def _rules(self, community: int, day: int) -> Rules:
        rules = self._state.rules_at(community, day)
        if rules is None:
            raise LookupError(f"community {community} has no rules on day {day}")
        return rules

    def _voided(self, event: e.BillsVoided, _: Step) -> Iterable[str]:
        proposal = self.proposals[event.id]
        withheld = event.reason == e.VoidReason.WITHHELD
        if proposal.bills is not None and not proposal.faults and not withheld:
            yield f"voids bills {event.id}, which are right"
        proposal.open, proposal.faults = False, []
        self._state.ledger.credit(MODULE, event.challenger, proposal.event.bond // 2)

    def _made_final(self, event: e.BillsFinal, _: Step) -> Iterable[str]:
        proposal = self.proposals[event.id]
        proposal.open = False
        self.final[event.community, event.day] = event.id
        if proposal.bills is not None and not proposal.faults:
            proposal.due = {bill.account: bill.sums for bill in proposal.bills.accounts if bill.sums.due}
        self._counts["billed_days"] += 1
        return ()

    def _bond_returned(self, event: e.BondReturned, _: Step) -> Iterable[str]:
        proposal = self.proposals[event.id]
        proposal.open = False
        self._state.ledger.credit(MODULE, event.proposer, event.bond)
        if (event.proposer, event.bond) != (proposal.event.proposer, proposal.event.bond):
            yield f"returns a bond of {event.bond} to account {event.proposer}, who did not put it up"

    def _locks_released(self, event: e.LocksReleased, _: Step) -> Iterable[str]:
        released = self._state.ledger.release_locks(MODULE, event.community, event.day)
        if released != event.nano:
            yield f"releases locks of {event.nano}; the orders of day {event.day} locked {released}"

    def _debited(self, event: e.Debited, _: Step) -> Iterable[str]:
        proposal, ledger = self._paying(event), self._state.ledger
        claims = []
        for entry in event.entries:
            free = ledger.free[entry.account]
            if proposal.bills:
                sums = proposal.due.pop(entry.account, None)
                right = e.Debit(entry.account, min(sums.due, free)) if sums else None
                if entry != right:
                    yield f"says {entry}; by the bills it is {right}"
                if sums and sums.due > free:
                    claims.append(_claim(entry.account, sums, free))
            if ledger.debit(MODULE, entry.account, entry.taken) != entry.taken:
                yield f"takes {entry.taken} of account {entry.account}, which has {free}"
            self.settled[event.community, event.day][entry.account] = entry.taken
        if proposal.bills and list(event.claims) != claims:
            yield f"claims {list(event.claims)}; by the bills it is {claims}"
        proposal.retail_claim += sum(claim.retailer for claim in event.claims)
        proposal.operator_claim += sum(claim.operator for claim in event.claims)

    def _parties_paid(self, event: e.PartiesPaid, _: Step) -> Iterable[str]:
        proposal, ledger = self._paying(event), self._state.ledger
        rules = self._rules(event.community, event.day)
        owing = [account for account, sums in proposal.due.items() if sums.due > 0]
        if owing:
            yield f"pays the parties before account {owing[0]} was debited"
        sums = Sums(*proposal.event.sums)
        right = (
            sums.retail - proposal.retail_claim,
            sums.imbalance + sums.grid_fee + sums.trade_money - proposal.operator_claim,
            sums.platform_fee,
        )
        paid = event.retailer, event.grid_operator, event.platform
        if paid != right:
            yield f"pays retailer, operator and platform {paid}; by the bills it is {right}"
        parties = rules.retailer, rules.grid_operator, rules.platform
        for account, nano in zip(parties, paid, strict=True):
            if nano < 0 and ledger.debit(MODULE, account, -nano) != -nano:
                yield f"takes {-nano} of account {account}, which has less"
        for account, nano in zip(parties, paid, strict=True):
            if nano > 0:
                ledger.credit(MODULE, account, nano)

    def _credited(self, event: e.Credited, _: Step) -> Iterable[str]:
        proposal = self._paying(event)
        for entry in event.entries:
            if proposal.bills:
                sums = proposal.due.pop(entry.account, None)
                right = e.Credit(entry.account, -sums.due) if sums else None
                if entry != right:
                    yield f"says {entry}; by the bills it is {right}"
            self.settled[event.community, event.day][entry.account] = -entry.nano
            self._state.ledger.credit(MODULE, entry.account, entry.nano)

    def _paying(self, event: e.Debited | e.PartiesPaid | e.Credited) -> Proposal:
        number = self.final.get((event.community, event.day))
        if number is None:
            raise LookupError(f"day {event.day} of community {event.community} has no final bills")
        return self.proposals[number]


def _claim(account: int, sums: Sums, free: int) -> e.Claim:
    """Who claims what an account cannot pay of its bill: the retailer first, then the operator."""
    missing = sums.due - free
    retail = min(max(sums.retail, 0), missing)
    return e.Claim(account, retail, missing - retail)


def _text(event: e.BillsProposed, name: str) -> str:
    value = getattr(event, name)
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
