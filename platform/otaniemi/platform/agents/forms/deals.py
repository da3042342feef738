"""Deals between homes, whatever the form: a profile of energy at one price, which both homes take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from otaniemi.contracts.rules.calendar import Source
from otaniemi.contracts.rules.orders import Step
from otaniemi.contracts.rules.positions import Form
from otaniemi.platform.agents.home import HomeAgent
from otaniemi.platform.agents.record import Fill
from otaniemi.platform.data.scenario import IntArray


@dataclass(frozen=True, eq=False)
class Deal:
    """Energy that one home gives another.

    Attributes
    ----------
    form : Form
        In which they agreed.
    buyer, seller : int
        Indices of the homes.
    price : int
        Of every slot. [micro-token/kWh]
    wh : int array, shape (slots,)
        Never negative. [Wh]
    """

    form: Form
    buyer: int
    seller: int
    price: int
    source: Source
    wh: IntArray

    @property
    def total_wh(self) -> int:
        return int(self.wh.sum())

    def fills(self, first_slot: int, *, buy: bool) -> list[Fill]:
        """One side of the deal, slot by slot."""
        return [
            Fill(Step(first_slot + slot, self.price, wh, self.source, buy), wh, self.price)
            for slot, wh in enumerate(self.wh.tolist())
            if wh
        ]


def take(agents: Sequence[HomeAgent], deals: Iterable[Deal]) -> None:
    """Let both homes of every deal plan with it from now on."""
    fills: list[list[Fill]] = [[] for _ in agents]
    for deal in deals:
        first = agents[deal.buyer].day.first_slot
        fills[deal.buyer] += deal.fills(first, buy=True)
        fills[deal.seller] += deal.fills(first, buy=False)
    for agent, taken in zip(agents, fills, strict=True):
        agent.on_fills(taken)


def lots_worth(agent: HomeAgent, known: int, lot_wh: IntArray, most: int) -> list[int]:
    """What each further lot is worth to a home that would take it, falling from lot to lot. [nano-token]

    Parameters
    ----------
    lot_wh : int array, shape (slots,)
        One lot as the home would take it (give, where negative). [Wh]
    most : int
        Number of lots to value.
    """
    fitting = agent.most_lots(known, lot_wh)
    most = most if fitting is None else min(most, fitting)
    total = [0, *agent.worth(known, [lot_wh * number for number in range(1, most + 1)])]
    worth: list[int] = np.minimum.accumulate(np.diff(total)).tolist()
    return worth


def bid_price(nano: int, wh: int) -> int:
    """Highest price per kWh at which ``wh`` cost at most ``nano``. [micro-token/kWh]"""
    return nano // wh


def ask_price(nano: int, wh: int) -> int:
    """Lowest price per kWh at which ``wh`` bring at least ``nano``. [micro-token/kWh]"""
    return -(-nano // wh)
