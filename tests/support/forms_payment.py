"""How the day of a ``World`` ends: by its bills, or trade by trade where nobody bills it."""

from __future__ import annotations

import pytest

from otaniemi.contracts.chain.artifacts import explain
from otaniemi.contracts.chain.billing import Court
from otaniemi.contracts.chain.errors import RevertedError
from otaniemi.contracts.chain.evidence import evidence_of, record_behind
from otaniemi.contracts.chain.refutation import Challenge, LineChallenge, ReferenceChallenge
from otaniemi.contracts.chain.sender import Call
from otaniemi.contracts.rules.bills import Bills, DayFacts, bill_day, trades_of
from otaniemi.contracts.rules.calendar import (
    bills_due,
)
from otaniemi.contracts.rules.openings import Stage, open_root, preimages
from otaniemi.contracts.rules.payout import alone_credit, pay_out
from otaniemi.contracts.rules.positions import chain_of
from otaniemi.contracts.rules.references import Kind, Reference, decode_place

from .forms_orders import Orders
from .forms_setting import (
    ADMIN,
    ALONE,
    COMMUNITY,
    DAY,
    DELAY,
    FIRST,
    HOMES,
    SETTLEMENT,
)


class Payment(Orders):
    """A ``World`` whose day ends."""

    def end_day(self, billed: bool) -> None:
        """Let the day end, and pay by its bills, or trade by trade where there are none."""
        self.go_to(bills_due(self.rules, DAY) - 60)
        for market in sorted(self.books):
            if market not in self.results:
                self.void(market)
        # Who takes out all money before the bills owes the retailer and the operator.
        for account in self.draw.sample(sorted(HOMES), 3):
            self.request_withdrawal(account, self.free(account))
        facts = self.facts()
        for account in HOMES:
            said = self.position_contract.chain_of(COMMUNITY, 0, account, DAY)
            assert said == chain_of(facts.positions.get((0, account), ()))
        before = self.ledger.free.total() + self.ledger.locks[COMMUNITY, DAY]
        if billed:
            self._pay_bills(facts)
            assert self.ledger.pots[SETTLEMENT] == 0
        else:
            self._pay_alone(facts)
        # Nobody gained what nobody lost.
        assert self.ledger.free.total() + self.ledger.pots[SETTLEMENT] == before
        self.assert_money_is_where_the_rules_say()
        self._take_everything_out()

    def _pay_bills(self, facts: DayFacts) -> None:
        bills = bill_day(facts)
        ledger, settlement, bond = self.ledger, self.settlement, self.rules.bond
        self.go_to(bills_due(self.rules, DAY))
        self.attempt(ADMIN, settlement.propose_bills(bills, 3, bytes(32)))
        ledger.debit(SETTLEMENT, 3, bond)
        self.assert_money_is_where_the_rules_say()
        self.attempt(ADMIN, settlement.finalise(1), "TooEarly")
        self._assert_the_court_upholds(facts, bills)
        self.go_to(self.now + self.rules.bill_window)
        self.attempt(ADMIN, settlement.finalise(1))
        ledger.credit(SETTLEMENT, 3, bond)
        for chunk in bills.chunks(1):
            self.attempt(ADMIN, settlement.debit(1, chunk))
        self.attempt(ADMIN, settlement.pay_parties(1, bills.root))
        for before, entries in bills.credits(1):
            self.attempt(ADMIN, settlement.credit(1, before, entries))
        paid = pay_out(ledger, SETTLEMENT, self.rules, bills)
        came = paid.released + sum(debit.taken for debit in paid.debits)
        went = paid.retailer + paid.grid_operator + paid.platform + sum(nano for _, nano in paid.credits)
        assert came == went

    def _assert_the_court_upholds(self, facts: DayFacts, bills: Bills) -> None:
        """Every line, and every trade behind it, is what the contracts make of it."""
        court, known, judged = (
            Court(self.chain, self.addresses["Court"]),
            preimages(bills),
            set[tuple[int, int]](),
        )
        pending = [open_root(bills.root, len(bills.accounts), self.rules.slots_per_day)]
        while pending:
            opening = pending.pop()
            if not opening.is_empty and opening.stage != Stage.END:
                pending += opening.open(known[opening.node.hash])
            line = opening.line
            found: Challenge | None = None
            if line is not None and opening.reference:
                kind, chain, index, _ = decode_place(opening.reference)
                behind = record_behind(facts, line.account, 0, line.slot, (kind, chain, index))
                found = ReferenceChallenge(opening.path, behind)
            elif line is not None and (line.account, line.slot) not in judged:
                judged.add((line.account, line.slot))
                found = LineChallenge(opening.path, evidence_of(facts, line))
            if found is not None:
                self._assert_refused(court.challenge(1, found, self.rules.platform), "ClaimHolds")
        assert len(judged) == len(bills.lines)

    def _assert_refused(self, call: Call, error: str) -> None:
        assert call.to is not None
        with pytest.raises(RevertedError) as refused:
            self.chain.call(call.to, call.data)
        assert explain(call.label, refused.value.data).name == error

    def _pay_alone(self, facts: DayFacts) -> None:
        ledger, settlement = self.ledger, self.settlement
        self.attempt(ADMIN, settlement.settle_alone(COMMUNITY, DAY), "TooEarly")
        self.go_to(bills_due(self.rules, DAY) + ALONE)
        self.attempt(ADMIN, settlement.settle_alone(COMMUNITY, DAY))
        ledger.release_locks(SETTLEMENT, COMMUNITY, DAY)
        trades = trades_of(facts)
        for market, (book, _) in sorted(facts.markets.items()):
            owners = book.account.tolist()
            proofs = [
                record_behind(facts, account, 0, market.slot, (Kind.ORDER, market.session, index)).order
                for index, account in enumerate(owners)
            ]
            call = settlement.settle_alone_orders(market, range(len(owners)), [one for one in proofs if one])
            self.attempt(ADMIN, call)
            of_market = {
                one.index: (account, one)
                for (_, account, slot), own in trades.items()
                for one in own
                if slot == market.slot and (one.kind, one.chain) == (Kind.ORDER, market.session)
            }
            self._give_alone([(of_market[index][0], [of_market[index][1]]) for index in range(len(owners))])
            self.attempt(ADMIN, call)  # a second time pays nobody
        for (_, account), held in sorted(facts.positions.items()):
            places = range(len(held))
            shown = [
                record_behind(facts, account, 0, FIRST, (Kind.POSITION, 0, index)).position
                for index in places
            ]
            call = settlement.settle_alone_positions(
                COMMUNITY, 0, account, DAY, places, [one for one in shown if one]
            )
            self.attempt(ADMIN, call)
            own = [
                one for (_, trader, _), listed in trades.items() for one in listed
                if trader == account and one.kind == Kind.POSITION
            ]  # fmt: skip
            self._give_alone([(account, own)])

    def _give_alone(self, owned: list[tuple[int, list[Reference]]]) -> None:
        """Pay traders, then the companies their fees, while the day's pot lasts."""
        every = [one for _, own in owned for one in own]
        gifts = [(account, sum(map(alone_credit, own))) for account, own in owned]
        gifts.append((self.rules.grid_operator, sum(one.grid_fee for one in every)))
        gifts.append((self.rules.platform, sum(one.platform_fee for one in every)))
        for account, nano in gifts:
            self.ledger.credit(SETTLEMENT, account, min(nano, self.ledger.pots[SETTLEMENT]))

    def _take_everything_out(self) -> None:
        for account in HOMES:
            if account in self.withdrawals:
                self.go_to(self.withdrawals[account])
                self.withdraw(account)
            if self.free(account) >= 1_000:
                self.request_withdrawal(account, self.free(account))
        self.go_to(self.now + DELAY)
        for account in sorted(self.withdrawals):
            self.withdraw(account)
            assert self.free(account) < 1_000
        self.assert_money_is_where_the_rules_say()
