"""The service of standard contracts: listing series, and keeping their marks, deliveries and margins up to date.

Trading them is the matching engine's. All that is done here anyone may do, except for listing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Connection

from otaniemi.contracts.chain.errors import ChainError
from otaniemi.contracts.chain.forms.blocks import SeriesCreated
from otaniemi.contracts.chain.sender import Call, Key
from otaniemi.contracts.rules.block_deals import BLOCKS
from otaniemi.contracts.rules.block_series import (
    Margins,
    Series,
    delivery_window,
    kept,
    margins,
    next_delivery,
)
from otaniemi.contracts.rules.calendar import day_at
from otaniemi.contracts.rules.orders import lock
from otaniemi.contracts.rules.tariffs import Feed, TariffReport
from otaniemi.platform.services.admission import NotFoundError
from otaniemi.platform.services.gateway import Gateway
from otaniemi.platform.services.series_states import DealState, SeriesState, deal_state, series_state
from otaniemi.platform.store import days


@dataclass(frozen=True, slots=True)
class DealStand:
    """A deal beside its series.

    Attributes
    ----------
    next_day : int
        First trading day that can still be delivered, after the last one of the series where none can.
    secured : Margins or None
        What its margins have to hold by the present mark; None once it is over. [nano-token]
    buyer_deadline, seller_deadline : int
        Until when a margin call is to be answered, 0 without one. [Unix s]
    """

    deal: DealState
    series: SeriesState
    next_day: int
    secured: Margins | None
    buyer_deadline: int
    seller_deadline: int


class SeriesService:
    """Standard contracts of one community.

    Parameters
    ----------
    gateway : Gateway
    admin, keeper : Key
        Who lists series, and who pays the gas of marks, deliveries and margin calls.
    """

    def __init__(self, gateway: Gateway, admin: Key, keeper: Key) -> None:
        self._gateway, self._admin, self._keeper = gateway, admin, keeper
        self._contract = gateway.contracts.block_series

    def list_series(self, wanted: Iterable[Series]) -> list[int]:
        """Create series where they are not listed yet, and mark them if there is a reference report; their numbers."""
        wanted = list(wanted)
        listed = {state.terms: state.series for state in self.all_series()}
        missing = [terms for terms in wanted if terms not in listed]
        found = self._gateway.send([(self._admin, self._contract.create(terms)) for terms in missing])
        listed |= {event.terms: event.series for event in found if isinstance(event, SeriesCreated)}
        self._mark()
        return [listed[terms] for terms in wanted]

    def series(self, number: int) -> SeriesState:
        """One series.

        Raises
        ------
        NotFoundError
            There is none with this number in the community.
        """
        with self._gateway.store.read() as transaction:
            return self._series_of(transaction, number)

    def all_series(self) -> list[SeriesState]:
        """All series of the community, newest first."""
        self._gateway.catch_up()
        with self._gateway.store.read() as transaction:
            found = []
            for number in self._gateway.subjects_of(transaction, BLOCKS, ("SeriesCreated",)):
                with suppress(NotFoundError):  # another community's
                    found.append(self._series_of(transaction, number))
            return found

    def deal(self, number: int) -> DealStand:
        """One deal.

        Raises
        ------
        NotFoundError
            There is none with this number in the community.
        """
        self._gateway.catch_up()
        with self._gateway.store.read() as transaction:
            return self._stand(transaction, number)

    def deals_of(self, account: int, count: int) -> list[DealStand]:
        """The latest deals of an account, newest first."""
        self._gateway.catch_up()
        with self._gateway.store.read() as transaction:
            self._gateway.member(transaction, account)
            numbers = self._gateway.subjects_of(transaction, BLOCKS, ("BlockTraded",), account)
            return [self._stand(transaction, number) for number in numbers[:count]]

    def call_margin(self, number: int) -> DealStand:
        """Bring the margins of a deal to what the mark asks for, as far as both sides' free balances go.

        Raises
        ------
        NotFoundError
            There is no such deal.
        """
        self._mark()
        stand = self.deal(number)
        for buyer in (True, False):
            if self._needs_call(stand, buyer):
                self._gateway.send_one(self._keeper, self._contract.call_margin(number, buyer))
                stand = self.deal(number)
        return stand

    def tend(self) -> None:
        """Mark, deliver, call for margin and close what is due; what the chain refuses waits for the next time."""
        self._gateway.catch_up()
        self._mark()
        for stand in self._open():
            self._bring_forward(stand)

    def next_due(self) -> int | None:
        """When ``tend`` has something to do next [Unix s], None without open deals."""
        now, rules, moments = self._gateway.clock.now, self._gateway.rules, list[int]()
        for stand in self._open():
            moments += [stand.buyer_deadline, stand.seller_deadline]
            if stand.next_day <= stand.series.terms.last_day:
                moments += delivery_window(stand.series.terms, rules, stand.next_day)
        return min((moment for moment in moments if moment > now), default=None)

    def _mark(self) -> None:
        """Mark the series that can be traded or have open deals by the newest report, up to tomorrow's."""
        newest = self._newest_report()
        if newest is None:
            return
        held, now = {stand.deal.series for stand in self._open()}, self._gateway.clock.now
        for state in self.all_series():
            stale = state.mark_day is None or state.mark_day < newest.day
            if stale and (state.terms.last_trading > now or state.series in held):
                self._try(self._contract.remark(state.series, newest))

    def _newest_report(self) -> TariffReport | None:
        gateway = self._gateway
        today = day_at(gateway.rules, gateway.clock.now)
        with gateway.store.read() as transaction:
            for day in (today + 1, today):
                report = days.tariff(transaction, gateway.community, Feed.REFERENCE, day)
                if report is not None:
                    return report
        return None

    def _bring_forward(self, stand: DealStand) -> None:
        """Do what is due for a deal: deliver its next day, call for margin, or close it."""
        deal, now = stand.deal, self._gateway.clock.now
        if stand.next_day > stand.series.terms.last_day:
            self._try(self._contract.close(deal.deal))
            return
        window = delivery_window(stand.series.terms, self._gateway.rules, stand.next_day)
        if now >= window.opens and (now >= window.due or self._both_can_take(stand)):
            self._try(self._contract.deliver(deal.deal, stand.next_day))
            return
        for buyer in (True, False):
            if self._needs_call(stand, buyer):
                self._try(self._contract.call_margin(deal.deal, buyer))

    def _both_can_take(self, stand: DealStand) -> bool:
        """Whether both sides can lock what the next day needs, with the margin that it releases."""
        deal, terms = stand.deal, stand.series.terms
        start = terms.first_day if deal.delivered is None else deal.delivered + 1
        before, left = terms.deliveries(start), terms.deliveries(stand.next_day + 1)
        for buyer, account in ((True, deal.buyer), (False, deal.seller)):
            margin = deal.margin(buyer)
            released = margin - kept(margin, left, before)
            need = lock(self._gateway.rules, buyer, deal.price, terms.energy(deal.lots, 1))
            if self._free_of(account) + released < need:
                return False
        return True

    def _needs_call(self, stand: DealStand, buyer: bool) -> bool:
        """Whether a margin call would move money, set a deadline or end the deal."""
        deal, secured = stand.deal, stand.secured
        if secured is None:
            return False
        margin = deal.margin(buyer)
        if margin > secured.initial(buyer):
            return True
        if margin >= secured.maintenance(buyer):
            return False
        deadline = stand.buyer_deadline if buyer else stand.seller_deadline
        free = self._free_of(deal.buyer if buyer else deal.seller)
        return free > 0 or deadline == 0 or self._gateway.clock.now >= deadline

    def _free_of(self, account: int) -> int:
        return self._gateway.contracts.accounts.free_of(account)

    def _open(self) -> list[DealStand]:
        with self._gateway.store.read() as transaction:
            counts = self._gateway.counts_of(transaction, BLOCKS)
            numbers = [number for number, said in counts.items() if said["BlockTraded"] > said["DealClosed"]]
            return list(self._stands(transaction, numbers))

    def _stands(self, transaction: Connection, numbers: Iterable[int]) -> Iterator[DealStand]:
        for number in numbers:
            with suppress(NotFoundError):  # another community's
                yield self._stand(transaction, number)

    def _stand(self, transaction: Connection, number: int) -> DealStand:
        deal = deal_state(self._gateway.events_of(transaction, BLOCKS, number))
        if deal is None:
            raise NotFoundError("deal", number)
        series, gateway = self._series_of(transaction, deal.series), self._gateway
        terms = series.terms
        start = terms.first_day if deal.delivered is None else deal.delivered + 1
        if deal.over or series.mark is None:
            return DealStand(deal, series, terms.last_day + 1, None, 0, 0)
        day = next_delivery(terms, gateway.rules, start, gateway.clock.now)
        secured = margins(terms, deal.price, series.mark, terms.energy(deal.lots, terms.deliveries(day)))
        deadlines = 0, 0
        if deal.called:
            there = self._contract.deal_of(number)
            assert there is not None
            deadlines = there.buyer_deadline, there.seller_deadline
        return DealStand(deal, series, day, secured, *deadlines)

    def _series_of(self, transaction: Connection, number: int) -> SeriesState:
        state = series_state(self._gateway.events_of(transaction, BLOCKS, number))
        if state is None or state.terms.community != self._gateway.community:
            raise NotFoundError("series", number)
        return state

    def _try(self, call: Call) -> None:
        with suppress(ChainError):
            self._gateway.send_one(self._keeper, call)
