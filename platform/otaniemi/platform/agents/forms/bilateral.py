"""Bilateral contracts: homes with sun agree with a neighbour on a share of the surplus that they expect."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from otaniemi.contracts.rules.calendar import Source
from otaniemi.contracts.rules.positions import Form
from otaniemi.platform.agents.forms.deals import Deal, ask_price, bid_price
from otaniemi.platform.agents.home import HomeAgent

SHARE = 0.5
"""Part of what both expect to have over and to lack that they bind themselves to."""
LEAST_WH = 500
"""A contract for less than this in a day is not worth signing."""


def contracts(agents: Sequence[HomeAgent], known: int) -> list[Deal]:
    """The contracts of a day: the largest common profiles first, every home in one at most.

    The price halves the gain: it lies midway between what the profile is worth to the buyer after the local fee
    and what the seller asks for it at least.
    """
    rest = [agent.residual_wh(known) for agent in agents]
    pairs = []
    for seller, given in enumerate(rest):
        for buyer, taken in enumerate(rest):
            wh = (np.minimum(np.maximum(-given, 0), np.maximum(taken, 0)) * SHARE).astype(np.int64)
            if wh.sum() >= LEAST_WH:
                pairs.append((-int(wh.sum()), seller, buyer, wh))
    busy: set[int] = set()
    deals = []
    for _, seller, buyer, wh in sorted(pairs, key=lambda pair: pair[:3]):
        if busy & {seller, buyer}:
            continue
        total, fee = int(wh.sum()), agents[buyer].day.local_fee_micro
        asked = ask_price(-agents[seller].worth(known, [-wh])[0], total)
        worth = bid_price(agents[buyer].worth(known, [wh])[0], total) - fee
        if asked > worth:
            continue
        busy |= {seller, buyer}
        deals.append(Deal(Form.BILATERAL, buyer, seller, (asked + worth) // 2, Source.PV, wh))
    return deals
