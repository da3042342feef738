"""The settlement service stands up for right bills: wrong ones are voided, withheld ones demanded, demands answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from otaniemi.contracts.chain import events as e
from otaniemi.contracts.chain.node import open_chain
from otaniemi.contracts.chain.refutation import Demand
from otaniemi.contracts.rules.bills import Bills, bills_of
from otaniemi.contracts.rules.calendar import bills_due
from otaniemi.contracts.rules.openings import Stage, open_root
from otaniemi.contracts.rules.positions import Form
from otaniemi.platform.audit.leaves import content_hash
from otaniemi.platform.clock import SimulatedClock, Timeline
from otaniemi.platform.community_day import BILL_SLACK, CommunityDay, enter_days
from otaniemi.platform.data.synthetic import synthetic_scenario
from otaniemi.platform.services.disputes import Disputes, Docket
from otaniemi.platform.services.exchange import Exchange, open_exchange
from otaniemi.platform.services.founding import Wallet, found, founded_at
from otaniemi.platform.store.database import Store

SEED = 7


@dataclass
class Billed:
    """A community whose day is billed, but not paid yet; one of its homes is up to something."""

    exchange: Exchange
    day: CommunityDay
    timeline: Timeline

    @property
    def bills(self) -> Bills:
        assert self.day.outcome.bills is not None
        return self.day.outcome.bills

    @property
    def disputes(self) -> Disputes:
        return self.exchange.settlement.disputes

    @property
    def rogue(self) -> Wallet:
        return self.exchange.founded.homes[0]

    def review(self, shown: Callable[[e.BillsProposed], object] | None = None) -> list[e.Event]:
        def facts() -> object:
            return self.exchange.settlement.facts(self.day.day)

        if shown is None:
            return self.disputes.review(self.bills, facts)  # type: ignore[arg-type]
        return self.disputes.review(self.bills, facts, shown)  # type: ignore[arg-type]

    def propose(self, bills: Bills) -> None:
        gateway = self.exchange.gateway
        call = gateway.contracts.settlement.propose_bills(
            bills, self.rogue.account, content_hash(bills.lines)
        )
        gateway.send([(self.rogue.owner, call)])

    def altered(self) -> Bills:
        """Bills in which the retailer pays a home a little more."""
        lines = self.bills.lines
        lines[5] = replace(lines[5], retail=lines[5].retail - 10)
        return bills_of(self.exchange.gateway.rules, self.bills.community, self.bills.day, lines)


@pytest.fixture
def billed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Billed]:
    scenario = synthetic_scenario(3, 1, 3600, SEED)
    clock = SimulatedClock(founded_at(scenario))
    store = Store(tmp_path_factory.mktemp("disputes") / "store.db")
    chain = open_chain("embedded", clock.now - 1)
    exchange = open_exchange(found(chain, scenario, SEED, store, clock), scenario, SEED)
    timeline = Timeline(clock)
    [day] = enter_days(
        exchange, scenario, "perfect", SEED, timeline, lambda _, action: action(), frozenset({Form.CALL})
    )
    due = bills_due(exchange.gateway.rules, day.day) + BILL_SLACK
    while (moment := timeline.next_moment()) is not None and moment <= due:
        timeline.step()
    yield Billed(exchange, day, timeline)
    chain.close()
    store.close()


def told(events: list[e.Event]) -> list[type[e.Event]]:
    return [type(event) for event in events if type(event) in (e.BillsVoided, e.Demanded, e.Answered)]


def test_disputes_end_with_the_right_bills_paid(billed: Billed) -> None:
    gateway, clock = billed.exchange.gateway, billed.timeline.clock
    assert billed.review() == []
    # Wrong bills that were published fall at once.
    wrong = billed.altered()
    billed.propose(wrong)
    voided = [event for event in billed.review(lambda _: wrong.lines) if isinstance(event, e.BillsVoided)]
    assert [event.reason for event in voided] == [e.VoidReason.LINE]
    assert billed.review(lambda _: wrong.lines) == []
    # Withheld ones are demanded, once, and fall when nobody answers in time.
    billed.propose(wrong)
    assert told(billed.review()) == [e.Demanded]
    assert told(billed.review()) == []
    # What a rogue demands of the right bills is shown, and their window begins anew.
    court, number = gateway.contracts.court, next(iter(Docket.of(gateway, billed.day.day).proposals))
    before = billed.exchange.settlement.closes_at(number)
    clock.now += 600
    root = open_root(billed.bills.root, len(billed.bills.accounts), gateway.rules.slots_per_day)
    assert root.stage == Stage.UPPER
    demand = court.demand(number, Demand(root.path, root.node.hash), billed.rogue.account)
    gateway.send([(billed.rogue.owner, demand)])
    assert told(billed.disputes.answer(billed.bills)) == [e.Answered]
    assert billed.disputes.answer(billed.bills) == []
    assert billed.exchange.settlement.closes_at(number) > before
    # The timeline waits for the new window, pays, and what was withheld is voided meanwhile.
    billed.timeline.run()
    assert gateway.contracts.settlement.final_of(gateway.community, billed.day.day) == number
    assert any(isinstance(event, e.BillsFinal) for event in billed.day.outcome.payments)
    assert Docket.of(gateway, billed.day.day).proposals == {}
    assert billed.exchange.gateway.contracts.accounts.pot_of(court.address) == 0


def test_a_node_answered_for_wrong_bills_is_used_against_them(billed: Billed) -> None:
    gateway, court = billed.exchange.gateway, billed.exchange.gateway.contracts.court
    wrong = billed.altered()
    billed.propose(wrong)
    from otaniemi.contracts.rules.openings import preimages

    known = preimages(wrong)
    for _ in range(20):
        found = told(billed.review())
        if found == [e.BillsVoided]:
            break
        assert found == [e.Demanded]
        wanted = {hash_ for _, hash_ in Docket.of(gateway, billed.day.day).demands}
        answers = [
            (billed.rogue.owner, court.answer(number, known[hash_], billed.rogue.account))
            for number in Docket.of(gateway, billed.day.day).proposals
            for hash_ in wanted
            if gateway.contracts.settlement.proposal_count() == number
        ]
        gateway.send(answers)
    assert found == [e.BillsVoided]
