"""From spot prices to a day's tariffs: what a home pays and receives outside the local market.

Prices enter as floats in EUR/kWh and leave as integer micro-token/kWh, rounded once to the nearest.
"""

from __future__ import annotations

from dataclasses import dataclass

from otaniemi.contracts.rules.calendar import Rules, slot_end, slot_start, slots_of_day
from otaniemi.contracts.rules.tariffs import Feed, TariffReport
from otaniemi.contracts.rules.units import price_of
from otaniemi.oracles.sources import SpotPrices


@dataclass(frozen=True)
class VatRate:
    """A VAT rate that holds from the start of trading day ``from_day`` on."""

    from_day: int
    rate: float


@dataclass(frozen=True)
class PriceRule:
    """How retailer and grid operator turn the spot price into a home's prices. All in EUR/kWh.

    import  = max(spot with VAT + import_margin, import_floor, feed-in + local_fee + least_spread)
    feed-in = max(spot without VAT - feed_in_deduction, feed_in_floor)
    short   = import + imbalance_margin,  long = feed-in - imbalance_margin

    ``vat`` lists the rates in ascending order of their first day; before the first one, the first one holds.
    """

    import_margin: float = 0.08
    import_floor: float = 0.04
    feed_in_deduction: float = 0.005
    feed_in_floor: float = 0.001
    local_fee: float = 0.02
    least_spread: float = 0.005
    imbalance_margin: float = 0.03
    vat: tuple[VatRate, ...] = (VatRate(0, 0.24),)

    def vat_on(self, day: int) -> float:
        """The VAT rate of trading day ``day``."""
        rates = [period.rate for period in self.vat if period.from_day <= day]
        return rates[-1] if rates else self.vat[0].rate

    def apply(self, spot: float, includes_vat: bool, vat: float) -> tuple[float, float]:
        """Import and feed-in price for one spot price. [EUR/kWh]"""
        net, gross = (spot / (1 + vat), spot) if includes_vat else (spot, spot * (1 + vat))
        feed_in = max(net - self.feed_in_deduction, self.feed_in_floor)
        least = feed_in + self.local_fee + self.least_spread
        return max(gross + self.import_margin, self.import_floor, least), feed_in


def day_tariffs(
    spot: SpotPrices, rule: PriceRule, rules: Rules, community: int, day: int
) -> tuple[TariffReport, TariffReport]:
    """Retail and imbalance tariff of one trading day, checked against the community's rules.

    A slot has the mean of the spot prices that hold in it, weighted by time.

    Parameters
    ----------
    spot : SpotPrices
    rule : PriceRule
    rules : Rules
        The community's: its slots, and the bounds of its prices.
    community, day : int
        Whose tariff, of which trading day.

    Raises
    ------
    TariffSourceError
        The series does not cover the whole day.
    FieldError
        A price is one that the Oracle contract would refuse.
    """
    vat = rule.vat_on(day)
    retail, imbalance = [], []
    for slot in slots_of_day(rules, day):
        mean = _mean(spot, slot_start(rules, slot), slot_end(rules, slot))
        bought, fed_in = rule.apply(mean, spot.includes_vat, vat)
        retail.append((price_of(bought), price_of(fed_in)))
        short, long = bought + rule.imbalance_margin, fed_in - rule.imbalance_margin
        imbalance.append((price_of(short), price_of(long)))
    reports = (
        TariffReport(community, Feed.RETAIL, day, tuple(retail)),
        TariffReport(community, Feed.IMBALANCE, day, tuple(imbalance)),
    )
    for report in reports:
        report.check(rules)
    return reports


def _mean(spot: SpotPrices, start: int, end: int) -> float:
    """Mean spot price over [start, end), weighted by time. [EUR/kWh]"""
    total, instant = 0.0, start
    while instant < end:
        period_end = instant + spot.step - (instant - spot.start) % spot.step
        until = min(period_end, end)
        total += spot.at(instant) * (until - instant)
        instant = until
    return total / (end - start)
