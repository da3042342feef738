"""Bilateral contracts: neighbours sign on the day before, and the chain opens the day's positions."""

from __future__ import annotations

from otaniemi.contracts.chain.forms.bilateral import Concluded
from otaniemi.contracts.rules.bilateral import BilateralTerms
from otaniemi.contracts.rules.calendar import bills_due, tariff_deadline
from otaniemi.contracts.rules.signing import sign
from otaniemi.platform.agents.forms.bilateral import contracts
from otaniemi.platform.agents.forms.deals import Deal
from otaniemi.platform.live_day import LiveDay

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
        day = self._day
        contract = day.exchange.gateway.contracts.bilateral_contracts
        keeper = day.exchange.founded.staff.keeper
        calls = []
        for number, deal in enumerate(contracts(day.agents, day.known)):
            terms = self._terms(deal, number)
            digest = terms.digest(contract.domain)
            seller, buyer = (
                sign(day.wallets[home].device.secret, digest) for home in (deal.seller, deal.buyer)
            )
            calls += [
                (keeper, contract.conclude(terms, seller, buyer)),
                (keeper, contract.deliver(terms, day.day)),
            ]
        found = day.send(calls)
        concluded = [event.deal for event in found if isinstance(event, Concluded)]
        day.at(bills_due(day.rules, day.day), self._close, concluded)

    def _close(self, deals: list[int]) -> None:
        """Give both sides' deposits back."""
        day, contract = self._day, self._day.exchange.gateway.contracts.bilateral_contracts
        day.send([(day.exchange.founded.staff.keeper, contract.close(deal)) for deal in deals])

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
