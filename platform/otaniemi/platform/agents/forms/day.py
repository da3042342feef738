"""A trading day in any choice of forms, in memory: what a form is worth beside the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from otaniemi.contracts.rules.packages import HomePackages
from otaniemi.contracts.rules.positions import Form
from otaniemi.platform.agents.bargaining import CALLS, bargain, start_prices
from otaniemi.platform.agents.forms import bilateral, block, continuous, dutch, sealed
from otaniemi.platform.agents.forms.deals import Deal, take
from otaniemi.platform.agents.forms.local import awarded, first_come, matched, one_slot
from otaniemi.platform.agents.forms.lots import window
from otaniemi.platform.agents.forms.package import STANDARD, choose_package, packages_of, retail_range
from otaniemi.platform.agents.home import HomeAgent
from otaniemi.platform.agents.house import choose, expected_house
from otaniemi.platform.agents.record import Fill
from otaniemi.platform.agents.trading import (
    DAY_AHEAD_S,
    LAST_CALL,
    LAST_CALL_S,
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
    announced = start_prices(day)
    local = announced if forms & {Form.CALL, Form.CONTINUOUS} else None
    packages = _packages(day, forecaster, known) if Form.PACKAGE in forms else None
    traded = FormsDay(home_agents(day, forecaster, known, local, packages))
    agents = traded.agents
    for form, trade in _DAY_AHEAD.items():
        if form in forms:
            trade(traded, known)
    venue = LocalVenue()
    if Form.CALL in forms:
        for session, call in enumerate(CALLS[kind]):
            books, announced = bargain(agents, call, known, announced, lambda books: venue.indicate(0, books))
            traded.call(venue.trade(session, books))
    for slot in range(day.slots):
        if Form.CONTINUOUS in forms:
            quotes = continuous.quotes(
                agents, slot, known_at(slot, continuous.CONTINUOUS_S, day.slot_seconds)
            )
            traded.take(matched(Form.CONTINUOUS, quotes, one_slot(day.slots, slot)))
        if Form.CALL in forms:
            late = known_at(slot, LAST_CALL_S, day.slot_seconds)
            traded.call(venue.trade(LAST_CALL, [agent.last_call(slot, late) for agent in agents]))
        nominate_and_deliver(agents, slot)
    return traded


def _packages(day: TradingDay, forecaster: Forecaster, known: int) -> list[list[HomePackages] | None]:
    """What every home takes of the retailer's range, None where that is nothing."""
    offers = retail_range(day, community=1, carrier=0, first_day=1, last_day=1)
    chosen: list[list[HomePackages] | None] = []
    for home in range(len(day.homes)):
        house = expected_house(day, home, forecaster, known)
        choice = choose_package(house, choose(house), day, offers)
        chosen.append(None if choice == STANDARD else packages_of(choice, offers, day))
    return chosen


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
