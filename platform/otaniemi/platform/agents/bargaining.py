"""Day-ahead bargaining: rounds of announced prices and offers until a book binds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from otaniemi.contracts.rules.orders import Step
from otaniemi.platform.agents.auction import SlotResult, clear_slots
from otaniemi.platform.agents.home import HomeAgent
from otaniemi.platform.agents.outlook import Outlook
from otaniemi.platform.data.scenario import IntArray, TradingDay
from otaniemi.platform.forecast import Kind

Books = list[list[Step]]
Indicate = Callable[[Books], Mapping[int, SlotResult]]


@dataclass(frozen=True)
class Call:
    """How one day-ahead call is bargained: rounds (the last one binds), averaging of plans, share offered."""

    rounds: int
    averaging: bool
    share: float


CALLS: Mapping[Kind, tuple[Call, ...]] = {
    "perfect": (Call(5, True, 1.0), Call(3, True, 1.0)),
    "realistic": (Call(5, False, 0.5),),
}
"""The calls of sessions 0, 1, ...; with forecast errors half is left to the last call."""


LOOK_AHEAD = Call(3, True, 1.0)
"""How homes find out what to expect of the day's calls before they agree in other forms."""


def start_prices(day: TradingDay) -> IntArray:
    """Halfway between feed-in and import less the local fee, shape (slots,) [micro-token/kWh]."""
    low, high = local_bounds(day)
    return (low + high) // 2


def local_bounds(day: TradingDay) -> tuple[IntArray, IntArray]:
    """Useful local prices: from feed-in to import less the local fee, each of shape (slots,)."""
    low = day.prices.feed_in_micro
    return low, np.maximum(day.prices.import_micro - day.local_fee_micro, low)


def bargain(
    agents: Sequence[HomeAgent], call: Call, known: int, announced: IntArray, indicate: Indicate
) -> tuple[Books, IntArray]:
    """The binding books of a call and the prices announced last.

    Parameters
    ----------
    known : int
        See :mod:`otaniemi.platform.agents.home`.
    announced : int array, shape (slots,)
        Prices of the first round.
    indicate : callable
        Clears books without effect.
    """
    day = agents[0].day
    for agent in agents:
        agent.open_call()
    for round_ in range(call.rounds):
        books = [agent.day_ahead(known, announced, call.averaging, call.share) for agent in agents]
        if round_ < call.rounds - 1:
            cleared = _clamped(day, announced, indicate(books))
            announced = cleared if round_ == 0 else (announced + cleared) // 2
    return books, announced


def look_ahead(agents: Sequence[HomeAgent], known: int, kind: Kind) -> None:
    """Let the homes bargain without effect, and expect of the day's calls what would come of it."""
    day = agents[0].day
    books, announced = bargain(
        agents, LOOK_AHEAD, known, start_prices(day), lambda books: clear_slots(books)[0]
    )
    results, fills = clear_slots(books)
    prices, share = _clamped(day, announced, results), CALLS[kind][0].share
    for agent, taken in zip(agents, fills, strict=True):
        binding = np.zeros(day.slots, np.int64)
        for step, wh, _ in taken:
            binding[step.slot - day.first_slot] += int(share * wh) * (1 if step.buy else -1)
        agent.outlook = Outlook(prices, binding)


def expected_prices(agents: Sequence[HomeAgent]) -> IntArray:
    """Local prices that the homes expect, shape (slots,): of calls, else the middle. [micro-token/kWh]"""
    outlook = agents[0].outlook
    return start_prices(agents[0].day) if outlook is None else outlook.price_micro


def mean_price(prices: IntArray, wh: IntArray) -> int:
    """Price of a profile, both of shape (slots,). [micro-token/kWh]"""
    return int((prices * wh).sum()) // int(wh.sum())


def _clamped(day: TradingDay, announced: IntArray, results: Mapping[int, SlotResult]) -> IntArray:
    """Prices to announce: the cleared ones within the bounds, the old one where nobody offered.

    A market in which nothing trades has a price too: bids alone push it up, offers alone push it down.
    """
    prices = announced.copy()
    for slot, result in results.items():
        prices[slot - day.first_slot] = result.price
    return np.clip(prices, *local_bounds(day))
