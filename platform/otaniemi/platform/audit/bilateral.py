"""Contracts between two accounts: their deposits, their ends, and what they deliver (protocol section 12)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from otaniemi.contracts.chain import events as e
from otaniemi.contracts.chain.forms import bilateral
from otaniemi.contracts.rules.bilateral import GRACE, BilateralBook, Deal, Run, day_window, slot_window
from otaniemi.contracts.rules.calendar import Rules, bills_due, day_at, day_of_slot, first_slot, slots_of_day
from otaniemi.contracts.rules.errors import FieldError
from otaniemi.contracts.rules.orders import lock
from otaniemi.contracts.rules.positions import MAX_POSITIONS, WHOLE, Agreement, Form
from otaniemi.contracts.rules.signing import Domain
from otaniemi.contracts.rules.tariffs import Feed
from otaniemi.platform.audit.agreed import Agreed
from otaniemi.platform.audit.state import Prices, State
from otaniemi.platform.audit.steps import Step


class BilateralDeals:
    """Follows contracts; positions that their deliveries come to are added to ``agreed``."""

    def __init__(self, state: State, domain: Domain, agreed: list[Agreed]) -> None:
        self._state, self._domain, self._agreed = state, domain, agreed
        self._book = BilateralBook(state.ledger)
        self.handlers: Mapping[type[e.Event], Callable[[Any, Step], Iterable[str]]] = {
            bilateral.Concluded: self._concluded,
            bilateral.Delivered: self._delivered,
            bilateral.DeliveredMetered: self._delivered_metered,
            bilateral.Terminated: self._terminated,
            bilateral.Defaulted: self._defaulted,
            bilateral.Closed: self._closed,
        }

    def _concluded(self, event: bilateral.Concluded, step: Step) -> Iterator[str]:
        terms = event.terms
        bilateral.replay(self._book, event)
        if event.deal != len(self._book.deals):
            yield f"concludes contract {event.deal} out of turn"
        if (event.seller, event.buyer) != (terms.seller, terms.buyer):
            yield f"concludes contract {event.deal} for accounts that its terms do not name"
        if event.hash != terms.digest(self._domain):
            yield f"concludes contract {event.deal} by a hash that is not that of its terms"
        rules = self._rules(terms.community, terms.from_day)
        if terms.from_day <= day_at(rules, step.time) or terms.valid_to < step.time:
            yield f"concludes contract {event.deal} of day {terms.from_day} on at {step.time}"
        terms.check(rules)

    def _delivered(self, event: bilateral.Delivered, step: Step) -> Iterator[str]:
        deal = self._deal(event.deal)
        terms, rules = deal.terms, self._rules(deal.terms.community, event.day)
        if not deal.due(event.day) or not terms.profile:
            yield f"delivers day {event.day} of contract {event.deal}, which is not due"
        opens, ends = day_window(rules, terms, event.day)
        if not opens <= step.time < ends:
            yield f"delivers day {event.day} of contract {event.deal} at {step.time}, outside of {opens} to {ends}"
        for run in self._runs(deal, event.day, rules):
            self._agree(event.deal, deal, run)
        bilateral.replay(self._book, event)

    def _delivered_metered(self, event: bilateral.DeliveredMetered, step: Step) -> Iterator[str]:
        deal = self._deal(event.deal)
        terms, state = deal.terms, self._state
        rules = self._rules_of_slot(deal, event.slot)
        day = day_of_slot(rules, event.slot)
        in_period = terms.from_day <= day <= deal.last_day
        if not in_period or event.slot in deal.delivered or not terms.share_permille:
            yield f"delivers slot {event.slot} of contract {event.deal}, which is not due"
        opens, ends = slot_window(rules, event.slot)
        if not opens <= step.time < ends:
            yield f"delivers slot {event.slot} of contract {event.deal} at {step.time}, outside of {opens} to {ends}"
        if (terms.community, terms.product, event.slot) not in state.meters:
            yield f"delivers slot {event.slot} of contract {event.deal} without meters that count"
        if step.function == "deliverMetered":
            # The contract held the leaf against the root of the slot.
            _, import_wh, export_wh, *_ = step.arguments["meter"]
            right = terms.share(rules, import_wh, export_wh)
            if event.wh != right:
                yield f"delivers {event.wh} Wh of contract {event.deal} in slot {event.slot}; its share is {right}"
        prices = self._prices(deal, day)
        price = terms.price_at(rules, prices[event.slot - first_slot(rules, day)][0] if prices else None)
        if event.price != price:
            yield f"delivers contract {event.deal} at {event.price}; by its terms the price is {price}"
        self._agree(event.deal, deal, Run(event.slot, event.price, (event.wh,)))
        bilateral.replay(self._book, event)

    def _terminated(self, event: bilateral.Terminated, step: Step) -> Iterator[str]:
        deal = self._party(event.deal, event.account)
        rules = self._rules(deal.terms.community, deal.terms.from_day)
        notice = 0 if event.early else deal.terms.notice_days
        right = day_at(rules, step.time) + notice
        if event.last_day != right or right >= deal.last_day:
            yield f"ends contract {event.deal} with day {event.last_day}; by its terms it is {right}"
        yield from self._held(event.deal, deal) if event.early else ()
        bilateral.replay(self._book, event)

    def _defaulted(self, event: bilateral.Defaulted, step: Step) -> Iterator[str]:
        deal = self._party(event.deal, event.account)
        terms, rules = deal.terms, self._rules_of_slot(deal, event.slot)
        day = day_of_slot(rules, event.slot)
        right = min(day_at(rules, step.time), deal.last_day)
        if event.last_day != right:
            yield f"ends contract {event.deal} with day {event.last_day}, not {right}"
        opens, ends = day_window(rules, terms, day) if terms.profile else slot_window(rules, event.slot)
        if not max(opens, ends - GRACE) <= step.time < ends:
            yield f"calls account {event.account} in default of slot {event.slot} at {step.time}"
        if terms.profile:
            if (terms.community, day) in self._state.closed:
                yield f"calls account {event.account} in default of day {day}, which is closed"
            runs = self._runs(deal, day, rules)
            need = sum(lock(rules, event.account == terms.buyer, run.price, sum(run.wh)) for run in runs)
            free = self._state.ledger.free[event.account]
            chain = self._state.positions[terms.community, terms.product, event.account, day]
            if free >= need and len(chain) + len(runs) <= MAX_POSITIONS:
                yield f"calls account {event.account} in default, which has {free} and needs {need}"
        yield from self._held(event.deal, deal)
        bilateral.replay(self._book, event)

    def _closed(self, event: bilateral.Closed, step: Step) -> Iterator[str]:
        deal = self._deal(event.deal)
        opens = bills_due(self._rules(deal.terms.community, deal.last_day), deal.last_day)
        if step.time < opens:
            yield f"closes contract {event.deal} before {opens}"
        yield from self._held(event.deal, deal)
        bilateral.replay(self._book, event)

    def _runs(self, deal: Deal, day: int, rules: Rules) -> list[Run]:
        terms, state = deal.terms, self._state
        curtailed = frozenset(
            slot
            for slot in slots_of_day(rules, day)
            if state.remaining(terms.community, terms.product, slot) != WHOLE
        )
        return terms.deliver(rules, day, self._prices(deal, day), curtailed)

    def _agree(self, number: int, deal: Deal, run: Run) -> None:
        terms = deal.terms
        traded = number, run.price, terms.source, run.slot, run.wh
        agreement = Agreement(terms.buyer, terms.seller, Form.BILATERAL, *traded)
        self._agreed.append(Agreed(terms.community, terms.product, agreement))

    def _prices(self, deal: Deal, day: int) -> Prices | None:
        return self._state.tariffs.get((deal.terms.community, Feed.REFERENCE, day))

    def _held(self, number: int, deal: Deal) -> Iterator[str]:
        if not deal.deposits_held:
            yield f"pays deposits of contract {number}, which were paid before"

    def _party(self, number: int, account: int) -> Deal:
        deal = self._deal(number)
        if account not in (deal.terms.seller, deal.terms.buyer):
            raise FieldError("account", account, f"a party of contract {number}")
        return deal

    def _deal(self, number: int) -> Deal:
        if number not in self._book.deals:
            raise FieldError("contract", number, "the number of one that was concluded")
        return self._book.deals[number]

    def _rules_of_slot(self, deal: Deal, slot: int) -> Rules:
        rules = self._state.rules_of_slot(deal.terms.community, deal.terms.product, slot)
        if rules is None:
            raise FieldError("slot", slot, "one of a product that is traded")
        return rules

    def _rules(self, community: int, day: int) -> Rules:
        rules = self._state.rules_at(community, day)
        if rules is None:
            raise FieldError("community", community, "one that has rules")
        return rules
