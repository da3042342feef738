"""Bilateral contracts: neighbours sign on the day before, and the chain opens the day's positions."""

from __future__ import annotations

from functools import partial

from otaniemi.contracts.rules.bilateral import BilateralTerms
from otaniemi.contracts.rules.calendar import bills_due, tariff_deadline
from otaniemi.contracts.rules.signing import sign
from otaniemi.platform.agents.forms.bilateral import contracts
from otaniemi.platform.agents.forms.deals import Deal
from otaniemi.platform.live_day import LiveDay
from otaniemi.platform.services.bilateral import Signed

SIGN_LEAD = 70 * 60
"""Seconds before the day's first gate at which the homes sign."""
GOOD_FOR = 3600
"""How long signed terms may be brought to the chain. [s]"""
FEE = 1_000_000_000
"""What both deposit, lost by who cannot deliver. [nano-token]"""


class BilateralTrading:
    """The contracts of one day."""

    def __init__(self, day: LiveDay) -> None:
        self._day = day

    def enter(self) -> None:
        """Enter the moment at which they are signed."""
        day = self._day
        day.plan_at(tariff_deadline(day.rules, day.day) - SIGN_LEAD, self._sign)

    def _sign(self) -> None:
        day, domain = self._day, self._day.exchange.gateway.contracts.bilateral_contracts.domain
        agreed = []
        for number, deal in enumerate(contracts(day.agents, day.known)):
            terms = self._terms(deal, number)
            seller, buyer = (
                sign(day.wallets[home].device.secret, terms.digest(domain))
                for home in (deal.seller, deal.buyer)
            )
            agreed.append(Signed(terms, seller, buyer))
        day.timed("chain", partial(day.exchange.contracts.conclude, agreed))
        day.tend()
        # Both sides' deposits return.
        day.at(bills_due(day.rules, day.day), day.tend)

    def _terms(self, deal: Deal, number: int) -> BilateralTerms:
        day = self._day
        return BilateralTerms(
            community=day.community,
            product=day.product,
            seller=day.wallets[deal.seller].account,
            buyer=day.wallets[deal.buyer].account,
            source=int(deal.source),
            from_day=day.day,
            to_day=day.day,
            spot=False,
            price=deal.price,
            share_permille=0,
            profile=tuple(deal.wh.tolist()),
            notice_days=0,
            fee=FEE,
            valid_to=day.now + GOOD_FOR,
            salt=number,
        )
