"""A trading day in the order of its gates, against any market that clears books."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Protocol

from otaniemi.contracts.rules.packages import HomePackages
from otaniemi.optimizer.house import Tariff
from otaniemi.platform.agents.auction import SlotResult, clear_slots
from otaniemi.platform.agents.bargaining import CALLS, Books, bargain, start_prices
from otaniemi.platform.agents.home import HomeAgent
from otaniemi.platform.agents.house import choose, eur, expected_house, planned_day
from otaniemi.platform.agents.record import Fill
from otaniemi.platform.data.scenario import HOUR, IntArray, TradingDay
from otaniemi.platform.forecast import Forecaster, Kind, known_at

LAST_CALL = 2
"""Session of the calls per slot; the day-ahead calls come before."""

DAY_AHEAD_S = 12 * HOUR
"""From noon of the day before the homes bargain."""
LAST_CALL_S = 20 * 60
NOMINATION_S = 8 * 60


class Venue(Protocol):
    """A market: clears the homes' books without effect, or for good."""

    def indicate(self, session: int, books: Books) -> dict[int, SlotResult]:
        """Outcome by slot if these books were binding."""

    def trade(self, session: int, books: Books) -> Sequence[Sequence[Fill]]:
        """Fills per home."""


class LocalVenue:
    """Clears in memory by the chain's rules."""

    def indicate(self, session: int, books: Books) -> dict[int, SlotResult]:  # noqa: ARG002
        return clear_slots(books)[0]

    def trade(self, session: int, books: Books) -> Sequence[Sequence[Fill]]:  # noqa: ARG002
        return clear_slots(books)[1]


def home_agents(
    day: TradingDay,
    forecaster: Forecaster,
    known: int,
    announced: IntArray | None = None,
    packages: Sequence[Sequence[HomePackages] | None] | None = None,
) -> list[HomeAgent]:
    """The agents of a day; devices run when it is cheapest at announced local prices, else at retail.

    ``packages`` are those of every home, None where it has the standard tariff.
    """
    agents = []
    for home, own in enumerate(packages or [None] * len(day.homes)):
        planned = day if own is None else planned_day(day, own)
        house = expected_house(planned, home, forecaster, known)
        prices = None
        if announced is not None:
            prices = Tariff(eur(announced + day.local_fee_micro), eur(announced))
        agents.append(HomeAgent(day, home, forecaster, known, choose(house, prices), own))
    return agents


def trade_day(day: TradingDay, forecaster: Forecaster, kind: Kind, venue: Venue) -> list[HomeAgent]:
    """Trade, nominate and deliver a whole day; returns the agents with their records."""
    known = known_at(0, DAY_AHEAD_S, day.slot_seconds)
    announced = start_prices(day)
    agents = home_agents(day, forecaster, known, announced)
    for session, call in enumerate(CALLS[kind]):
        books, announced = bargain(agents, call, known, announced, partial(venue.indicate, session))
        _take(agents, venue.trade(session, books))
    for slot in range(day.slots):
        known = known_at(slot, LAST_CALL_S, day.slot_seconds)
        _take(agents, venue.trade(LAST_CALL, [agent.last_call(slot, known) for agent in agents]))
        nominate_and_deliver(agents, slot)
    return agents


def nominate_and_deliver(agents: Sequence[HomeAgent], slot: int) -> None:
    """Fix the schedules of a slot, then let it happen."""
    for agent in agents:
        day = agent.day
        agent.nominate(slot, known_at(slot, NOMINATION_S, day.slot_seconds))
        agent.deliver(slot, int(day.load_wh[agent.home, slot]), int(day.pv_wh[agent.home, slot]))


def _take(agents: Sequence[HomeAgent], fills: Sequence[Sequence[Fill]]) -> None:
    for agent, taken in zip(agents, fills, strict=True):
        agent.on_fills(taken)
