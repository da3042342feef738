"""Deals in block series: marks, margins, and what each day delivers (protocol section 15)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from otaniemi.contracts.chain import events as e
from otaniemi.contracts.chain.forms import blocks
from otaniemi.contracts.chain.forms.continuous import Matched
from otaniemi.contracts.rules import block_series
from otaniemi.contracts.rules.block_deals import BlockBook
from otaniemi.contracts.rules.block_series import TOP_UP_TIME, Series
from otaniemi.contracts.rules.calendar import Rules, day_at
from otaniemi.contracts.rules.continuous import SERIES
from otaniemi.contracts.rules.errors import BlockError
from otaniemi.contracts.rules.orders import lock
from otaniemi.contracts.rules.positions import MAX_POSITIONS, WHOLE, Agreement, Form
from otaniemi.contracts.rules.tariffs import Feed
from otaniemi.platform.audit.agreed import Agreed
from otaniemi.platform.audit.state import State
from otaniemi.platform.audit.steps import Step


class BlockDeals:
    """Follows series and deals; positions that days come to are added to ``agreed``."""

    def __init__(self, state: State, agreed: list[Agreed]) -> None:
        self._state, self._agreed = state, agreed
        self._book = BlockBook(state.ledger)
        self._series: dict[int, Series] = {}
        self._deals: dict[int, blocks.BlockTraded] = {}
        self._deadlines: dict[tuple[int, int], int] = {}
        self._mark_days: dict[int, int] = {}
        self.handlers: Mapping[type[e.Event], Callable[[Any, Step], Iterable[str]]] = {
            blocks.SeriesCreated: self._created,
            blocks.Marked: self._marked,
            blocks.BlockTraded: self._traded,
            blocks.MarginMoved: self._moved,
            blocks.MarginCalled: self._called,
            blocks.Delivered: self._delivered,
            blocks.Defaulted: self._defaulted,
            blocks.DealClosed: self._closed,
        }

    def open_moves(self, step: Step) -> Iterator[str]:
        """Margin that the events of a transaction bring must have moved at its end."""
        deals = {getattr(event, "deal", 0) for event in step.events if type(event) in self.handlers}
        for deal in sorted(deals & self._deals.keys()):
            for account, nano in self._book.outstanding(deal):
                yield f"does not move margin of {nano} of account {account} in deal {deal}"

    def _created(self, event: blocks.SeriesCreated, step: Step) -> Iterable[str]:
        self._series[event.series] = event.terms
        self._book.create(event.series, event.terms)
        if event.community != event.terms.community:
            yield f"creates series {event.series} of another community than its terms name"
        block_series.check(event.terms, self._rules(event.terms, event.terms.first_day), step.time)

    def _marked(self, event: blocks.Marked, _: Step) -> Iterable[str]:
        self._book.mark(event.series, event.day, event.price)
        self._mark_days[event.series] = event.day
        terms = self._terms(event.series)
        prices = self._state.tariffs.get((terms.community, Feed.REFERENCE, event.day))
        if prices is None:
            yield f"marks series {event.series} by a report of day {event.day}, which does not count"
            return
        right = block_series.mark_of(terms, prices)
        if event.price != right:
            yield f"marks series {event.series} at {event.price}; by the report of day {event.day} it is {right}"

    def _traded(self, event: blocks.BlockTraded, step: Step) -> Iterable[str]:
        terms = self._terms(event.series)
        self._deals[event.deal] = event
        self._book.trade(event.deal, event.series, event.buyer, event.seller, event.lots, event.price)
        rules = self._rules(terms, terms.first_day)
        yield from self._stale(event.series, step.time)
        if not any(
            isinstance(other, Matched)
            and (other.instrument, other.deal) == (SERIES | event.series, event.deal)
            for other in step.events
        ):
            yield f"makes deal {event.deal}, which nobody matched"
        if step.time >= terms.last_trading:
            yield f"trades series {event.series} after {terms.last_trading}"
        if not rules.price_min <= event.price <= rules.price_max:
            yield f"trades series {event.series} at {event.price}, outside of the band of prices"
        if not 0 < event.lots * terms.lot_wh <= rules.connection_limit_wh:
            yield f"trades {event.lots} lots of series {event.series}, more than a connection carries"
        if event.buyer == event.seller:
            yield f"lets account {event.buyer} trade with itself"

    def _moved(self, event: blocks.MarginMoved, step: Step) -> Iterable[str]:
        deal, rules = self._deal(event.deal, step)
        if not self._book.outstanding(event.deal):
            yield from self._stale(deal.series, step.time)
        self._book.move(event.deal, event.account, event.nano, rules, step.time)

    def _called(self, event: blocks.MarginCalled, step: Step) -> Iterable[str]:
        _, rules = self._deal(event.deal, step)
        self._deadlines[event.deal, event.account] = event.deadline
        if event.deadline != step.time + TOP_UP_TIME:
            yield f"calls margin of deal {event.deal} until {event.deadline}, not {step.time + TOP_UP_TIME}"
        missing = self._book.missing(event.deal, event.account, rules, step.time)
        if event.missing != missing:
            yield f"calls {event.missing} of account {event.account} for deal {event.deal}; {missing} are missing"

    def _delivered(self, event: blocks.Delivered, step: Step) -> Iterable[str]:
        deal, rules = self._deal(event.deal, step, event.day)
        self._book.deliver(event.deal, event.day, rules, step.time)
        terms = self._terms(deal.series)
        opens = block_series.delivery_window(terms, rules, event.day).opens
        if step.time < opens:
            yield f"delivers day {event.day} of deal {event.deal} before {opens}"
        wh = self._energies(deal, event.day, rules)
        if any(wh):
            first = terms.slots_on(rules, event.day).start
            traded = event.deal, deal.price, deal.source, first, wh
            agreement = Agreement(deal.buyer, deal.seller, Form.BLOCK, *traded)
            self._agreed.append(Agreed(terms.community, terms.product, agreement))

    def _defaulted(self, event: blocks.Defaulted, step: Step) -> Iterable[str]:
        deal, rules = self._deal(event.deal, step, event.day)
        failing = event.failing_buyer, event.failing_seller
        yield from self._stale(deal.series, step.time)
        self._book.default(event.deal, failing, event.day, event.compensation, rules, step.time)
        for account in filter(None, failing):
            late = step.time >= self._deadlines.get((event.deal, account), step.time + 1)
            if not late and not self._cannot_take(deal, account, event.day, rules, step.time):
                yield f"ends deal {event.deal} for account {account}, which did not fail"

    def _closed(self, event: blocks.DealClosed, step: Step) -> Iterable[str]:
        _, rules = self._deal(event.deal, step)
        self._book.close(event.deal, rules, step.time)
        return ()

    def _stale(self, series: int, now: int) -> Iterator[str]:
        """Money moves by the mark of the latest report up to tomorrow's."""
        terms = self._terms(series)
        today = day_at(self._rules(terms, terms.first_day), now)
        for day in (today, today + 1):
            known = (terms.community, Feed.REFERENCE, day) in self._state.tariffs
            if known and day > self._mark_days.get(series, 0):
                yield f"moves money by a mark of series {series} that is older than the report of day {day}"

    def _cannot_take(self, deal: blocks.BlockTraded, account: int, day: int, rules: Rules, now: int) -> bool:
        """Whether an account may have been unable to take a day's position when that was due."""
        terms = self._terms(deal.series)
        need = lock(rules, account == deal.buyer, deal.price, sum(self._energies(deal, day, rules)))
        full = len(self._state.positions[terms.community, terms.product, account, day]) >= MAX_POSITIONS
        taken = (terms.community, day) not in self._state.closed
        due = taken and now >= block_series.delivery_window(terms, rules, day).due
        return due and (full or self._state.ledger.free[account] < need)

    def _energies(self, deal: blocks.BlockTraded, day: int, rules: Rules) -> tuple[int, ...]:
        """Energy of each slot of a day, 0 where it is curtailed. [Wh]"""
        terms, state = self._terms(deal.series), self._state
        return tuple(
            deal.lots * terms.lot_wh if state.remaining(terms.community, terms.product, slot) == WHOLE else 0
            for slot in terms.slots_on(rules, day)
        )

    def _deal(self, deal: int, step: Step, day: int | None = None) -> tuple[blocks.BlockTraded, Rules]:
        """A deal, and the rules of a day, today if none is named."""
        if deal not in self._deals:
            raise BlockError(f"deal {deal} was never made")
        traded = self._deals[deal]
        terms = self._terms(traded.series)
        if day is None:
            day = day_at(self._rules(terms, terms.first_day), step.time)
        return traded, self._rules(terms, day)

    def _terms(self, series: int) -> Series:
        if series not in self._series:
            raise BlockError(f"series {series} was never created")
        return self._series[series]

    def _rules(self, terms: Series, day: int) -> Rules:
        rules = self._state.rules_at(terms.community, day)
        if rules is None:
            raise BlockError(f"community {terms.community} has no rules on day {day}")
        return rules
