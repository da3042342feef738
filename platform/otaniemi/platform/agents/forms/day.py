"""A trading day in any choice of forms, in memory: what a form is worth beside the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from otaniemi.contracts.rules.positions import Form
from otaniemi.platform.agents.bargaining import CALLS, bargain, look_ahead, start_prices
from otaniemi.platform.agents.forms import AHEAD, bilateral, block, continuous, dutch, sealed
from otaniemi.platform.agents.forms.deals import Deal, take
from otaniemi.platform.agents.forms.local import awarded, first_come, matched, one_slot
from otaniemi.platform.agents.forms.lots import window
from otaniemi.platform.agents.forms.package import choose_packages, in_effect, retail_range
from otaniemi.platform.agents.home import HomeAgent
from otaniemi.platform.agents.record import Fill
from otaniemi.platform.agents.trading import (
    DAY_AHEAD_S,
    LAST_CALL,
    LAST_CALL_S,
    NOMINATION_S,
    LocalVenue,
    home_agents,
    nominate_and_deliver,
)
from otaniemi.platform.data.scenario import TradingDay
from otaniemi.platform.forecast import Forecaster, Kind, known_at


@dataclass
class FormsDay:
    """A finished day: the homes with their records, and what was traded in each form.

    ``trades`` counts deals, and filled orders of calls; ``wh`` is the energy that changed hands. [Wh]
    """

    agents: list[HomeAgent]
    trades: Counter[Form] = field(default_factory=Counter)
    wh: Counter[Form] = field(default_factory=Counter)

    def take(self, deals: Sequence[Deal]) -> None:
        """Let the homes of every deal plan with it."""
        take(self.agents, deals)
        for deal in deals:
            self.trades[deal.form] += 1
            self.wh[deal.form] += deal.total_wh

    def call(self, fills: Sequence[Sequence[Fill]]) -> None:
        """Let the homes plan with their fills of a call."""
        for agent, taken in zip(self.agents, fills, strict=True):
            agent.on_fills(taken)
            self.trades[Form.CALL] += len(taken)
            self.wh[Form.CALL] += sum(fill.wh for fill in taken if fill.step.buy)


def trade_in_forms(day: TradingDay, forecaster: Forecaster, kind: Kind, forms: frozenset[Form]) -> FormsDay:
    """Trade, nominate and deliver a whole day in ``forms``, in the order in which they come."""
    known = known_at(0, DAY_AHEAD_S, day.slot_seconds)
    local = start_prices(day) if forms & {Form.CALL, Form.CONTINUOUS} else None
    packages = None
    if Form.PACKAGE in forms:
        offers = retail_range(day, community=1, carrier=0, first_day=1, last_day=1)
        packages = in_effect(choose_packages(day, forecaster, known, offers), offers, day)
    traded = FormsDay(home_agents(day, forecaster, known, local, packages))
    agents = traded.agents
    if Form.CALL in forms and forms & AHEAD:
        look_ahead(agents, known, kind)
    for form, trade in _DAY_AHEAD.items():
        if form in forms:
            trade(traded, known)
    venue = LocalVenue()
    if Form.CALL in forms:
        announced = start_prices(day)
        for session, call in enumerate(CALLS[kind]):
            books, announced = bargain(agents, call, known, announced, lambda books: venue.indicate(0, books))
            traded.call(venue.trade(session, books))
    for act, slot in _by_time(day, forms):
        act(traded, slot)
    return traded


def _by_time(
    day: TradingDay, forms: frozenset[Form]
) -> Iterator[tuple[Callable[[FormsDay, int], None], int]]:
    """What the homes do for every slot: corrections come before earlier slots are nominated."""
    acts = [(NOMINATION_S, _nominate)]
    if Form.CALL in forms:
        acts.append((LAST_CALL_S, _last_call))
    if Form.CONTINUOUS in forms:
        acts.append((continuous.CONTINUOUS_S, _correct))
    gates = [
        (slot * day.slot_seconds - lead, slot, number)
        for slot in range(day.slots)
        for number, (lead, _) in enumerate(acts)
    ]
    for _, slot, number in sorted(gates):
        yield acts[number][1], slot


def _correct(traded: FormsDay, slot: int) -> None:
    day = traded.agents[0].day
    known = known_at(slot, continuous.CONTINUOUS_S, day.slot_seconds)
    quotes = continuous.quotes(traded.agents, slot, known)
    traded.take(matched(Form.CONTINUOUS, quotes, one_slot(day.slots, slot)))


def _last_call(traded: FormsDay, slot: int) -> None:
    known = known_at(slot, LAST_CALL_S, traded.agents[0].day.slot_seconds)
    books = [agent.last_call(slot, known) for agent in traded.agents]
    traded.call(LocalVenue().trade(LAST_CALL, books))


def _nominate(traded: FormsDay, slot: int) -> None:
    nominate_and_deliver(traded.agents, slot)


def _contracts(traded: FormsDay, known: int) -> None:
    traded.take(bilateral.contracts(traded.agents, known))


def _blocks(traded: FormsDay, known: int) -> None:
    day = traded.agents[0].day
    for hours in block.SERIES.values():
        lot = window(day, *hours, block.LOT_WATT)
        traded.take(matched(Form.BLOCK, block.quotes(traded.agents, known, hours), lot))


def _noon(traded: FormsDay, known: int) -> None:
    offered = dutch.noon(traded.agents, known)
    if offered is not None:
        traded.take(first_come(offered, dutch.wishes(traded.agents, known, offered)))


def _evening(traded: FormsDay, known: int) -> None:
    offered = sealed.evening(traded.agents, known)
    if offered is not None:
        traded.take(awarded(offered, sealed.bids(traded.agents, known, offered)))


_DAY_AHEAD: dict[Form, Callable[[FormsDay, int], None]] = {
    Form.BILATERAL: _contracts,
    Form.BLOCK: _blocks,
    Form.DUTCH: _noon,
    Form.SEALED: _evening,
}
"""What comes before the day-ahead call, in this order."""
