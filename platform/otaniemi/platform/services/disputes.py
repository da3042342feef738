"""Disputes about bills: what anybody proposed is checked and challenged, what is demanded of right ones is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from otaniemi.contracts.chain import events
from otaniemi.contracts.chain.refutation import Demand, refutation
from otaniemi.contracts.chain.sender import Call, Key
from otaniemi.contracts.rules.bills import Bills, DayFacts, bills_of
from otaniemi.contracts.rules.calendar import bills_due
from otaniemi.contracts.rules.errors import RulesError
from otaniemi.contracts.rules.lines import Line
from otaniemi.contracts.rules.merkle_sum import Node
from otaniemi.contracts.rules.openings import preimages
from otaniemi.platform.services.gateway import Gateway

Shown = Callable[[events.BillsProposed], Iterable[Line]]
"""The lines that the proposer of bills published, none where they are not known: the chain holds no address of them."""


@dataclass
class Docket:
    """What was proposed for a trading day and is still open.

    Attributes
    ----------
    proposals : dict
        By number, without those that were voided or became final.
    demands : dict
        By number of the bills and hash, without those that were answered or returned.
    answered : dict
        Preimages by hash.
    """

    proposals: dict[int, events.BillsProposed] = field(default_factory=dict)
    demands: dict[tuple[int, bytes], events.Demanded] = field(default_factory=dict)
    answered: dict[bytes, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, gateway: Gateway, day: int) -> Docket:
        """What the chain says about the bills of ``day``."""
        docket = cls()
        for event in gateway.events_since(bills_due(gateway.rules, day)):
            match event:
                case events.BillsProposed():
                    if (event.community, event.day) == (gateway.community, day):
                        docket.proposals[event.id] = event
                case events.BillsVoided() | events.BillsFinal():
                    docket.proposals.pop(event.id, None)
                case events.Demanded():
                    docket.demands[event.id, event.hash] = event
                case events.Answered():
                    docket.demands.pop((event.id, event.hash), None)
                    docket.answered[event.hash] = event.preimage
                case events.DemandReturned():
                    docket.demands.pop((event.id, event.hash), None)
                case _:
                    pass
        return docket


class Disputes:
    """Acts for one account that stands up for right bills.

    Parameters
    ----------
    gateway : Gateway
    key : Key
        Owner of ``account``, who pays the gas and the bonds of demands.
    account : int
        Receives rewards.
    """

    def __init__(self, gateway: Gateway, key: Key, account: int) -> None:
        self._gateway, self._key, self._account = gateway, key, account
        self._court = gateway.contracts.court

    def review(
        self, right: Bills, facts: Callable[[], DayFacts], shown: Shown = lambda _: ()
    ) -> list[events.Event]:
        """Void what is proposed beside the ``right`` bills, or demand what of it nobody has shown.

        ``facts``, from which the right bills follow, are asked for only where something else is proposed.
        """
        docket, now = Docket.of(self._gateway, right.day), self._gateway.clock.now
        wrong = [proposal for proposal in docket.proposals.values() if not _is_of(proposal, right)]
        calls: list[Call | None] = []
        if wrong:
            known = facts()
            calls += [self._against(proposal, docket, known, right, shown) for proposal in wrong]
        for (number, hash_), demand in docket.demands.items():
            if demand.demander == self._account and demand.until <= now:
                calls.append(self._court.expire(number, hash_))
        return self._gateway.send([(self._key, call) for call in calls if call])

    def answer(self, right: Bills) -> list[events.Event]:
        """Show whatever is demanded of the ``right`` bills, whoever proposed them."""
        docket = Docket.of(self._gateway, right.day)
        own = {number for number, proposal in docket.proposals.items() if _is_of(proposal, right)}
        wanted = [(number, hash_) for number, hash_ in docket.demands if number in own]
        if not wanted:
            return []
        known = preimages(right)
        calls = [self._court.answer(number, known[hash_], self._account) for number, hash_ in wanted]
        return self._gateway.send([(self._key, call) for call in calls])

    def _against(
        self, proposal: events.BillsProposed, docket: Docket, facts: DayFacts, right: Bills, shown: Shown
    ) -> Call | None:
        known = preimages(right) | docket.answered
        try:
            published = bills_of(facts.rules, facts.community, facts.day, shown(proposal))
            known |= preimages(published, besides=right)
        except (RulesError, OverflowError):
            pass  # what was published is no bills; nodes are demanded instead
        found = refutation(facts, right, _root_of(proposal), proposal.count, known)
        if found is None:
            return None
        if not isinstance(found, Demand):
            return self._court.challenge(proposal.id, found, self._account)
        if (proposal.id, found.hash) in docket.demands:
            return None
        return self._court.demand(proposal.id, found, self._account)


def _root_of(proposal: events.BillsProposed) -> Node:
    return Node(proposal.root, tuple(proposal.sums))


def _is_of(proposal: events.BillsProposed, bills: Bills) -> bool:
    return (_root_of(proposal), proposal.count) == (bills.root, len(bills.accounts))
