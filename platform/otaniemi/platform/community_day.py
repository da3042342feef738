"""One trading day of a community: what its homes and services do, and when.

The timeline of protocol section 8: retail prices and day-ahead calls on the day before, a last call, nomination,
delivery and meter report for every slot, bills when the day is over, money a day later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from otaniemi.contracts.chain.events import Event
from otaniemi.contracts.rules.bills import Bills
from otaniemi.contracts.rules.calendar import (
    bills_due,
    day_start,
    direct_gate,
    nomination_batch_gate,
    relay_gate,
    slot_end,
    slots_of_day,
    tariff_deadline,
)
from otaniemi.contracts.rules.orders import Market, ProfileOrder, Step
from otaniemi.contracts.rules.reports import CONFIRM_DELAY
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.contracts.rules.signing import nomination_digest, profile_digest, sign
from otaniemi.contracts.rules.tariffs import Feed
from otaniemi.oracles.meters import Reading
from otaniemi.platform.agents.auction import clear_slots
from otaniemi.platform.agents.bargaining import CALLS, Call, bargain, start_prices
from otaniemi.platform.agents.home import HomeAgent
from otaniemi.platform.agents.record import Fill, Metered
from otaniemi.platform.agents.trading import LAST_CALL, home_agents
from otaniemi.platform.clock import Timeline
from otaniemi.platform.data.scenario import IntArray, Scenario, TradingDay
from otaniemi.platform.forecast import Kind, forecaster
from otaniemi.platform.services.exchange import Exchange
from otaniemi.platform.services.founding import Wallet
from otaniemi.platform.services.market import ClearedMarket

BARGAIN_LEAD = 30 * 60
"""Seconds before a day-ahead relay gate at which the homes begin their rounds."""
RETAIL_LEAD = 90 * 60
"""Seconds before the day's first gate at which retail prices are reported."""
SUBMIT_LEAD, RELAY_LEAD = 60, 30
"""Seconds before a gate at which agents submit, and at which the service relays."""
METER_DELAY = 3600
"""Seconds after a slot at which its meters are reported, so that late readings still count."""
IMBALANCE_DELAY = 10 * 60
BILL_SLACK = 60
CONFIRM_SLACK = 60

Timed = Callable[[str, Callable[[], None]], None]


@dataclass
class DayOutcome:
    """What a finished day leaves behind.

    ``metered[slot][home]`` is what the meter saw and what was behind it; ``cleared`` holds every market in order of
    clearing; ``planned_wh`` is each home's net plan, shape (slots,), in its last day-ahead round.
    """

    data: TradingDay
    accounts: list[int]
    agents: list[HomeAgent] = field(default_factory=list)
    cleared: list[ClearedMarket] = field(default_factory=list)
    metered: list[list[Metered]] = field(default_factory=list)
    planned_wh: list[IntArray] = field(default_factory=list)
    skipped: int = 0
    bills: Bills | None = None
    payments: list[Event] = field(default_factory=list)

    def cost_nano(self, home: int) -> int:
        """What the day cost a home: its bill on the chain, and the wear of its devices. [nano-token]"""
        assert self.bills is not None
        sums = self.bills.accounts[self.bills.index(self.accounts[home])].sums
        return sums.due + sums.lock_release + self.agents[home].record.wear_nano()


class CommunityDay:
    """Enters one day's actions into a timeline and collects its outcome.

    Parameters
    ----------
    exchange : Exchange
    data : TradingDay
        The truth of the day.
    kind, seed
        What the homes' forecasts are like.
    wallets : sequence of Wallet
        Of the homes, in the order of ``data``.
    nonces : list of int
        The next order nonce of each home; shared between days.
    timed : callable
        Runs an action and adds its time to a named part.
    """

    def __init__(
        self,
        exchange: Exchange,
        data: TradingDay,
        kind: Kind,
        seed: int,
        wallets: Sequence[Wallet],
        nonces: list[int],
        timed: Timed,
    ) -> None:
        self._exchange, self._kind, self._seed, self._timed = exchange, kind, seed, timed
        self._wallets, self._nonces = wallets, nonces
        gateway = exchange.gateway
        self._rules, self._community, self._product = gateway.rules, gateway.community, gateway.product
        self.day = (data.first_slot * data.slot_seconds + self._rules.utc_offset) // 86_400
        self.slots = slots_of_day(self._rules, self.day)
        self._home_of = {wallet.account: index for index, wallet in enumerate(wallets)}
        self._announced = start_prices(data)
        self._proposal = 0
        self.outcome = DayOutcome(data, [wallet.account for wallet in wallets])

    def enter(self, timeline: Timeline) -> None:
        """Enter all of the day, from its retail prices to the payment of its bills."""
        rules, at = self._rules, timeline.at
        oracles, first = self._exchange.oracles, self.slots[0]
        self._exchange.market.open(self.slots)
        for feed in (Feed.RETAIL, Feed.REFERENCE):
            self._report_prices(timeline, tariff_deadline(rules, self.day) - RETAIL_LEAD, feed)
        for session, call in enumerate(CALLS[self._kind] if self._wallets else ()):
            at(
                relay_gate(rules, first, session) - BARGAIN_LEAD,
                self._optimize,
                self._day_ahead,
                session,
                call,
            )
        for session in range(LAST_CALL):
            at(relay_gate(rules, first, session) - RELAY_LEAD, self._relay, session)
            at(direct_gate(rules, first, session), self._clear, session, self.slots)
        for slot in self.slots:
            gate = relay_gate(rules, slot, LAST_CALL)
            at(gate - SUBMIT_LEAD, self._optimize, self._last_call, slot)
            at(gate - RELAY_LEAD, self._relay, LAST_CALL)
            at(direct_gate(rules, slot, LAST_CALL), self._clear, LAST_CALL, [slot])
            gate = nomination_batch_gate(rules, slot)
            at(gate - SUBMIT_LEAD, self._optimize, self._nominate, slot)
            at(gate - RELAY_LEAD, self._flush)
            at(slot_end(rules, slot), self._deliver, slot)
            at(slot_end(rules, slot) + METER_DELAY, oracles.report_meters, slot)
        over = day_start(rules, self.day + 1)
        self._report_prices(timeline, over + IMBALANCE_DELAY, Feed.IMBALANCE)
        due = bills_due(rules, self.day) + BILL_SLACK
        at(due, self._timed, "settle", self._propose)
        at(due + rules.bill_window // 2, self._timed, "settle", self._dispute)
        at(due + rules.bill_window + BILL_SLACK, self._timed, "settle", partial(self._pay, timeline))

    def _report_prices(self, timeline: Timeline, moment: int, feed: Feed) -> None:
        oracles = self._exchange.oracles
        timeline.at(moment, oracles.report_tariff, feed, self.day)
        timeline.at(moment + CONFIRM_DELAY + CONFIRM_SLACK, oracles.confirm_tariff, feed, self.day)

    def _known(self, moment: int) -> int:
        """Slots of the day that have ended by ``moment``."""
        seconds = moment - day_start(self._rules, self.day)
        return seconds // self._rules.slot_seconds

    def _now(self) -> int:
        return self._exchange.clock.now

    def _optimize(self, action: Callable[..., None], *arguments: object) -> None:
        self._timed("optimize", partial(action, *arguments))

    def _day_ahead(self, session: int, call: Call) -> None:
        outcome, known = self.outcome, self._known(self._now())
        if not outcome.agents:
            forecasts = forecaster(outcome.data, self._kind, self._seed)
            outcome.agents = home_agents(outcome.data, forecasts, known, self._announced)
        books, self._announced = bargain(
            outcome.agents, call, known, self._announced, lambda books: clear_slots(books)[0]
        )
        outcome.planned_wh = [agent.planned_wh() for agent in outcome.agents]
        for home, steps in enumerate(books):
            self._submit(home, session, steps, relay_gate(self._rules, self.slots[0], session))

    def _last_call(self, slot: int) -> None:
        index, known = slot - self.slots[0], self._known(self._now())
        gate = direct_gate(self._rules, slot, LAST_CALL)
        turn = slot % max(len(self._wallets), 1)
        for home in [*range(turn, len(self._wallets)), *range(turn)]:
            self._submit(home, LAST_CALL, self.outcome.agents[home].last_call(index, known), gate)

    def _submit(self, home: int, session: int, steps: Sequence[Step], valid_to: int) -> None:
        if not steps:
            return
        wallet = self._wallets[home]
        order = ProfileOrder(
            account=wallet.account,
            community=self._community,
            product=self._product,
            session=session,
            all_or_nothing=False,
            nonce=self._nonces[home],
            valid_to=valid_to,
            steps=tuple(sorted(steps, key=lambda step: step.slot)),
        )
        domain = self._exchange.gateway.contracts.call_auction.domain
        self._exchange.market.submit(order, sign(wallet.device.secret, profile_digest(domain, order)))
        self._nonces[home] += 1

    def _relay(self, session: int) -> None:
        self._timed("chain", lambda: self._count_skipped(self._exchange.market.relay(session)))

    def _count_skipped(self, skipped: Sequence[object]) -> None:
        self.outcome.skipped += len(skipped)

    def _clear(self, session: int, slots: Iterable[int]) -> None:
        wanted = [Market(self._community, self._product, slot, session) for slot in slots]
        self._timed("chain", lambda: self._take(self._exchange.market.clear(wanted)))

    def _take(self, cleared: Sequence[ClearedMarket]) -> None:
        """The dispatch instruction: every home learns its fills and plans with them fixed."""
        self.outcome.cleared += cleared
        fills: list[list[Fill]] = [[] for _ in self._wallets]
        for account, fill in fills_of(cleared):
            home = self._home_of.get(account)
            if home is not None:
                fills[home].append(fill)
        for agent, taken in zip(self.outcome.agents, fills, strict=True):
            agent.on_fills(taken)

    def _nominate(self, slot: int) -> None:
        known = self._known(self._now())
        domain = self._exchange.gateway.contracts.schedules.domain
        for agent, wallet in zip(self.outcome.agents, self._wallets, strict=True):
            wh = agent.nominate(slot - self.slots[0], known)
            nomination = Nomination(wallet.account, self._community, self._product, slot, 1, (wh,))
            signature = sign(wallet.device.secret, nomination_digest(domain, nomination))
            self._exchange.schedules.submit(nomination, signature)

    def _flush(self) -> None:
        self._timed("chain", lambda: self._count_skipped(self._exchange.schedules.flush()))

    def _deliver(self, slot: int) -> None:
        data, index = self.outcome.data, slot - self.slots[0]
        seen = []
        for home, (agent, wallet) in enumerate(zip(self.outcome.agents, self._wallets, strict=True)):
            metered = agent.deliver(index, int(data.load_wh[home, index]), int(data.pv_wh[home, index]))
            reading = Reading(metered.import_wh, metered.export_wh)
            self._exchange.oracles.take_reading(wallet.account, slot, reading)
            seen.append(metered)
        self.outcome.metered.append(seen)

    def _propose(self) -> None:
        settlement = self._exchange.settlement
        # What nobody cleared in time is void, so that the day can be billed.
        for session in range(len(self._rules.sessions)):
            self._clear(session, self.slots)
        self.outcome.bills = settlement.bill(self.day, self._exchange.oracles.leaves)
        self._proposal = settlement.propose(self.outcome.bills)

    def _dispute(self) -> None:
        """Challenge other bills of the day, and show what is demanded of these."""
        settlement, bills = self._exchange.settlement, self.outcome.bills
        assert bills is not None
        leaves = self._exchange.oracles.leaves
        settlement.disputes.review(bills, partial(settlement.facts, self.day, leaves))
        settlement.disputes.answer(bills)

    def _pay(self, timeline: Timeline) -> None:
        settlement, bills = self._exchange.settlement, self.outcome.bills
        assert bills is not None
        closes_at = settlement.closes_at(self._proposal)
        if self._now() < closes_at:
            # A demand was answered; the window began anew.
            self._dispute()
            timeline.at(closes_at + BILL_SLACK, self._timed, "settle", partial(self._pay, timeline))
            return
        self.outcome.payments = settlement.pay(self._proposal, bills)


def fills_of(cleared: Iterable[ClearedMarket]) -> Iterator[tuple[int, Fill]]:
    """What was traded, with the account that did, market by market in order of arrival."""
    for one in cleared:
        book = one.book
        for index in np.flatnonzero(one.clearing.fills).tolist():
            step = Step(
                one.market.slot,
                int(book.price[index]),
                int(book.quantity[index]),
                int(book.source[index]),
                bool(book.buy[index]),
            )
            yield int(book.account[index]), Fill(step, int(one.clearing.fills[index]), one.clearing.price)


def enter_days(
    exchange: Exchange, scenario: Scenario, kind: Kind, seed: int, timeline: Timeline, timed: Timed
) -> list[CommunityDay]:
    """Enter every day of a scenario into the timeline; the exchange's founding homes live in it."""
    homes = exchange.founded.homes
    nonces = [0] * len(homes)
    days = [
        CommunityDay(exchange, scenario.day(index), kind, seed, homes, nonces, timed)
        for index in range(scenario.days)
    ]
    for day in days:
        day.enter(timeline)
    return days
