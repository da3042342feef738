"""Price packages: the retailer publishes its range before the first day, and every home takes what pays for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from otaniemi.contracts.chain.forms.packages import PackagePublished
from otaniemi.contracts.rules.calendar import tariff_deadline
from otaniemi.contracts.rules.packages import HomePackages
from otaniemi.contracts.rules.price_packages import PackageTerms
from otaniemi.platform.agents.forms.package import STANDARD, Choice, choose_packages, in_effect, retail_range
from otaniemi.platform.data.scenario import TradingDay
from otaniemi.platform.forecast import Kind, forecaster
from otaniemi.platform.live_day import LiveDay
from otaniemi.platform.services.exchange import Exchange

PUBLISH_LEAD, CHOOSE_LEAD = 210 * 60, 180 * 60
"""Seconds before the first day's first gate at which the retailer publishes, and at which the homes choose."""


def publish(exchange: Exchange, offers: Mapping[str, PackageTerms]) -> dict[str, int]:
    """Publish packages as the retailer, and tell their names; their numbers by name."""
    contract, retailer = exchange.gateway.contracts.price_packages, exchange.founded.staff.parties[0]
    found = exchange.gateway.send([(retailer, contract.publish(terms)) for terms in offers.values()])
    for name in offers:
        exchange.packages.tell_name(name)
    published = [event.package for event in found if isinstance(event, PackagePublished)]
    return dict(zip(offers, published, strict=True))


class PackageTrading:
    """The retailer's range for a run of days, and what each home has of it.

    Attributes
    ----------
    choices : list of Choice
        By home.
    """

    def __init__(self, days: Sequence[LiveDay], kind: Kind, seed: int) -> None:
        self._days, self._kind, self._seed = days, kind, seed
        first, last = days[0], days[-1]
        self.choices: list[Choice] = [STANDARD for _ in first.wallets]
        self._offers = retail_range(first.outcome.data, first.community, first.product, first.day, last.day)
        self._numbers: dict[str, int] = {}

    def enter(self) -> None:
        """Enter publication and choice into the timeline of the first day."""
        first = self._days[0]
        gate = tariff_deadline(first.rules, first.day)
        first.at(gate - PUBLISH_LEAD, self._publish)
        first.plan_at(gate - CHOOSE_LEAD, self._choose)

    def on(self, day: TradingDay) -> list[list[HomePackages] | None]:
        """What the homes' packages mean on a day, None where a home has the standard tariff."""
        return in_effect(self.choices, self._offers, day)

    def _publish(self) -> None:
        first = self._days[0]
        first.timed("chain", lambda: self._numbers.update(publish(first.exchange, self._offers)))

    def _choose(self) -> None:
        first = self._days[0]
        data = first.outcome.data
        forecasts = forecaster(data, self._kind, self._seed)
        self.choices = choose_packages(data, forecasts, first.known, self._offers)
        contract = first.exchange.gateway.contracts.price_packages
        first.send(
            [
                (wallet.owner, contract.subscribe(wallet.account, self._numbers[name], first.day))
                for wallet, choice in zip(first.wallets, self.choices, strict=True)
                for name in (choice.supply, choice.feed_in)
                if name is not None
            ]
        )
