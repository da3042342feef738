"""A Dutch auction on the day before: the price falls, and homes take lots when it has come down to their wish."""

from __future__ import annotations

from otaniemi.contracts.chain.forms.dutch import DutchAuction, DutchCreated
from otaniemi.contracts.rules.calendar import tariff_deadline
from otaniemi.contracts.rules.dutch_auction import DutchTerms
from otaniemi.platform.agents.forms.dutch import noon, wishes
from otaniemi.platform.agents.forms.lots import Bid
from otaniemi.platform.live_day import LiveDay

CREATE_LEAD = 55 * 60
"""Seconds before the day's first gate at which lots are offered."""
BEGIN_S, FALL_S = 60, 10 * 60
"""From the offer to the first price, and from there to the last one. [s]"""


class DutchTrading:
    """The auction of one noon."""

    def __init__(self, day: LiveDay) -> None:
        self._day = day
        self._auction = 0

    def enter(self) -> None:
        """Enter the offer; the rest follows where there is one."""
        day = self._day
        day.plan_at(tariff_deadline(day.rules, day.day) - CREATE_LEAD, self._create)

    def _create(self) -> None:
        day = self._day
        offered = noon(day.agents, day.known)
        if offered is None:
            return
        seller, begin = day.wallets[offered.seller], day.now + BEGIN_S
        lots = offered.terms(seller.account, day.community, day.product, day.slots[0])
        highest = max(offered.ceiling, offered.reserve)
        terms = DutchTerms(lots, highest, offered.reserve, begin, begin + FALL_S)
        found = day.send([(seller.owner, self._contract.create(terms))])
        self._auction = next(event.auction for event in found if isinstance(event, DutchCreated))
        left = offered.lots
        for wish in wishes(day.agents, day.known, offered):
            if not left:
                break
            left -= wish.lots
            day.at(_reached(terms, wish.price), self._take, wish)
        day.at(terms.until + 1, day.tend)

    def _take(self, wish: Bid) -> None:
        day, wallet = self._day, self._day.wallets[wish.home]
        day.send([(wallet.owner, self._contract.take(self._auction, wallet.account, wish.lots, wish.price))])

    @property
    def _contract(self) -> DutchAuction:
        return self._day.exchange.gateway.contracts.dutch_auction


def _reached(terms: DutchTerms, price: int) -> int:
    """When the falling price has first come down to ``price``. [Unix s]"""
    fall, time = terms.start_price - terms.end_price, terms.until - terms.begin
    wanted = max(terms.start_price - price, 0)
    return terms.begin + (-(-wanted * time // fall) if fall else 0)
