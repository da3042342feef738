"""One trading day of a community: what its homes and services do, and when.

The timeline of protocol section 8: retail prices and day-ahead trading on the day before, trading before every slot,
nomination, delivery and meter report for every slot, bills when the day is over, money a day later.
"""

from __future__ import annotations

from functools import partial

from otaniemi.contracts.rules.calendar import (
    bills_due,
    day_start,
    nomination_batch_gate,
    slot_end,
    tariff_deadline,
)
from otaniemi.contracts.rules.positions import Form
from otaniemi.contracts.rules.reports import CONFIRM_DELAY
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.contracts.rules.signing import nomination_digest, sign
from otaniemi.contracts.rules.tariffs import Feed
from otaniemi.oracles.meters import Reading
from otaniemi.platform.agents.bargaining import look_ahead, start_prices
from otaniemi.platform.agents.forms import AHEAD
from otaniemi.platform.agents.trading import home_agents
from otaniemi.platform.clock import Timeline
from otaniemi.platform.data.scenario import Scenario
from otaniemi.platform.forecast import Kind, forecaster
from otaniemi.platform.forms import ALL_FORMS, TRADING
from otaniemi.platform.forms.call import RELAY_LEAD, SUBMIT_LEAD, CallTrading
from otaniemi.platform.forms.package import PackageTrading
from otaniemi.platform.live_day import DayOutcome, LiveDay, Nonces, Timed
from otaniemi.platform.services.exchange import Exchange

RETAIL_LEAD = 90 * 60
"""Seconds before the day's first gate at which retail prices are reported."""
AGENTS_LEAD = 80 * 60
"""Seconds before that gate at which the homes make their first plans."""
METER_DELAY = 3600
"""Seconds after a slot at which its meters are reported, so that late readings still count."""
IMBALANCE_DELAY = 10 * 60
BILL_SLACK = 60
CONFIRM_SLACK = 60


class CommunityDay:
    """Enters one day's actions into a timeline and collects its outcome.

    Parameters
    ----------
    live : LiveDay
    kind, seed
        What the homes' forecasts are like.
    forms : set of Form
        In which the homes trade.
    packages : PackageTrading
        Which packages the homes have.
    """

    def __init__(
        self, live: LiveDay, kind: Kind, seed: int, forms: frozenset[Form], packages: PackageTrading
    ) -> None:
        self._live, self._kind, self._seed, self._forms = live, kind, seed, forms
        self._packages = packages
        self._calls = CallTrading(live, kind)
        self._proposal = 0

    @property
    def day(self) -> int:
        return self._live.day

    @property
    def slots(self) -> range:
        return self._live.slots

    @property
    def outcome(self) -> DayOutcome:
        return self._live.outcome

    def enter(self) -> None:
        """Enter all of the day, from its retail prices to the payment of its bills."""
        live, rules, oracles = self._live, self._live.rules, self._live.exchange.oracles
        gate = tariff_deadline(rules, live.day)
        for feed in (Feed.RETAIL, Feed.REFERENCE):
            self._report_prices(gate - RETAIL_LEAD, feed)
        live.plan_at(gate - AGENTS_LEAD, self._first_plans)
        if live.wallets:
            for form, trading in TRADING.items():
                if form in self._forms:
                    trading(live).enter()
        live.exchange.market.open(live.slots)
        if Form.CALL in self._forms:
            self._calls.enter()
        for slot in live.slots:
            gate = nomination_batch_gate(rules, slot)
            live.plan_at(gate - SUBMIT_LEAD, self._nominate, slot)
            live.at(gate - RELAY_LEAD, self._flush)
            live.at(slot_end(rules, slot), self._deliver, slot)
            live.at(slot_end(rules, slot) + METER_DELAY, oracles.report_meters, slot)
        over = day_start(rules, live.day + 1)
        self._report_prices(over + IMBALANCE_DELAY, Feed.IMBALANCE)
        due = bills_due(rules, live.day) + BILL_SLACK
        live.at(due, live.timed, "settle", self._propose)
        live.at(due + rules.bill_window // 2, live.timed, "settle", self._dispute)
        live.at(due + rules.bill_window + BILL_SLACK, live.timed, "settle", self._pay)

    def _report_prices(self, moment: int, feed: Feed) -> None:
        live, oracles = self._live, self._live.exchange.oracles
        live.at(moment, oracles.report_tariff, feed, live.day)
        live.at(moment + CONFIRM_DELAY + CONFIRM_SLACK, oracles.confirm_tariff, feed, live.day)

    def _first_plans(self) -> None:
        outcome, live = self.outcome, self._live
        forecasts = forecaster(outcome.data, self._kind, self._seed)
        local = self._forms & {Form.CALL, Form.CONTINUOUS}
        outcome.packages = self._packages.choices
        outcome.agents = home_agents(
            outcome.data,
            forecasts,
            live.known,
            start_prices(outcome.data) if local else None,
            self._packages.on(outcome.data),
        )
        outcome.planned_wh = [agent.planned_wh() for agent in outcome.agents]
        if live.wallets and Form.CALL in self._forms and self._forms & AHEAD:
            look_ahead(outcome.agents, live.known, self._kind)

    def _nominate(self, slot: int) -> None:
        live = self._live
        domain = live.exchange.gateway.contracts.schedules.domain
        for agent, wallet in zip(live.agents, live.wallets, strict=True):
            wh = agent.nominate(slot - live.slots[0], live.known)
            nomination = Nomination(wallet.account, live.community, live.product, slot, 1, (wh,))
            signature = sign(wallet.device.secret, nomination_digest(domain, nomination))
            live.exchange.schedules.submit(nomination, signature)

    def _flush(self) -> None:
        live = self._live
        skipped: list[object] = []
        live.timed("chain", lambda: skipped.extend(live.exchange.schedules.flush()))
        live.outcome.skipped += len(skipped)

    def _deliver(self, slot: int) -> None:
        live, data = self._live, self.outcome.data
        index, seen = slot - live.slots[0], []
        for home, (agent, wallet) in enumerate(zip(live.agents, live.wallets, strict=True)):
            metered = agent.deliver(index, int(data.load_wh[home, index]), int(data.pv_wh[home, index]))
            reading = Reading(metered.import_wh, metered.export_wh)
            live.exchange.oracles.take_reading(wallet.account, live.product, slot, reading)
            seen.append(metered)
        self.outcome.metered.append(seen)

    def _propose(self) -> None:
        live, settlement = self._live, self._live.exchange.settlement
        # What nobody cleared in time is void, so that the day can be billed.
        for session in range(len(live.rules.sessions)):
            self._calls.clear(session, live.slots)
        self.outcome.bills = settlement.bill(live.day)
        self._proposal = settlement.propose(self.outcome.bills)

    def _dispute(self) -> None:
        """Challenge other bills of the day, and show what is demanded of these."""
        live, bills = self._live, self.outcome.bills
        settlement = live.exchange.settlement
        assert bills is not None
        settlement.disputes.review(bills, partial(settlement.facts, live.day))
        settlement.disputes.answer(bills)

    def _pay(self) -> None:
        live, bills = self._live, self.outcome.bills
        settlement = live.exchange.settlement
        assert bills is not None
        closes_at = settlement.closes_at(self._proposal)
        if live.now < closes_at:
            # A demand was answered; the window began anew.
            self._dispute()
            live.at(closes_at + BILL_SLACK, live.timed, "settle", self._pay)
            return
        self.outcome.payments = settlement.pay(self._proposal, bills)


def enter_days(
    exchange: Exchange,
    scenario: Scenario,
    kind: Kind,
    seed: int,
    timeline: Timeline,
    timed: Timed,
    forms: frozenset[Form] = ALL_FORMS,
) -> list[CommunityDay]:
    """Enter every day of a scenario into the timeline; the exchange's founding homes live in it."""
    homes = exchange.founded.homes
    nonces = Nonces(len(homes))
    lives = [
        LiveDay(exchange, scenario.day(index), homes, nonces, timeline, timed)
        for index in range(scenario.days)
    ]
    packages = PackageTrading(lives, kind, seed)
    if Form.PACKAGE in forms:
        packages.enter()
    days = [CommunityDay(live, kind, seed, forms, packages) for live in lives]
    for day in days:
        day.enter()
    return days
