"""From spot prices to tariffs: what a home pays and receives outside the local market.

Prices enter as floats in EUR/kWh and leave as integer micro-token/kWh, rounded once to the nearest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from otaniemi.contracts.rules.calendar import Rules
from otaniemi.contracts.rules.tariffs import Feed, SlotTariff, TariffReport
from otaniemi.contracts.rules.units import price_of
from otaniemi.oracles.errors import TariffSourceError
from otaniemi.oracles.sources import SpotPrices

FORWARD_DAYS = 7
"""Days whose spot prices make a forward price."""


@dataclass(frozen=True)
class VatRate:
    """A VAT rate that holds from ``start`` (Unix time) until the next one."""

    start: int
    rate: float


@dataclass(frozen=True)
class PriceRule:
    """How retailer and grid operator turn the spot price into a home's prices. All in EUR/kWh.

    import  = max(spot with VAT + import_margin, import_floor, feed-in + local_fee + least_spread)
    feed-in = max(spot without VAT - feed_in_deduction, feed_in_floor)
    short   = import + short_margin,  long = feed-in - long_margin

    ``vat`` lists the rates in ascending order of their start.
    """

    import_margin: float
    import_floor: float
    feed_in_deduction: float
    feed_in_floor: float
    local_fee: float
    least_spread: float
    short_margin: float
    long_margin: float
    vat: tuple[VatRate, ...]

    def vat_at(self, instant: int) -> float:
        """The VAT rate that holds at ``instant`` (Unix time).

        Raises
        ------
        TariffSourceError
            It lies before the first rate's start.
        """
        rates = [period.rate for period in self.vat if period.start <= instant]
        if not rates:
            raise TariffSourceError(
                f"no VAT rate holds at {instant} (Unix time); valid is a first one that starts by then"
            )
        return rates[-1]

    def apply(self, spot: float, includes_vat: bool, vat: float) -> SlotTariff:
        """The four prices that follow from one spot price. [micro-token/kWh]"""
        net, gross = (spot / (1 + vat), spot) if includes_vat else (spot, spot * (1 + vat))
        feed_in = max(net - self.feed_in_deduction, self.feed_in_floor)
        least = feed_in + self.local_fee + self.least_spread
        bought = max(gross + self.import_margin, self.import_floor, least)
        return SlotTariff(
            import_price=price_of(bought),
            feed_in=price_of(feed_in),
            short=price_of(bought + self.short_margin),
            long=price_of(feed_in - self.long_margin),
        )


def spot_tariffs(
    spot: SpotPrices, rule: PriceRule, slots: Iterable[int], slot_seconds: int
) -> list[SlotTariff]:
    """The prices of every slot; one has the mean of the spot prices that hold in it, weighted by time.

    Parameters
    ----------
    spot : SpotPrices
    rule : PriceRule
    slots : iterable of int
        ``unix_time // slot_seconds``.
    slot_seconds : int

    Raises
    ------
    TariffSourceError
        The series or the VAT rates do not cover a slot.
    """
    tariffs = []
    for slot in slots:
        start = slot * slot_seconds
        mean = _mean(spot, start, start + slot_seconds)
        tariffs.append(rule.apply(mean, spot.includes_vat, rule.vat_at(start)))
    return tariffs


def spot_of_slots(spot: SpotPrices, rule: PriceRule, slots: Iterable[int], slot_seconds: int) -> list[int]:
    """The spot price of every slot with VAT, as homes pay it, without any margin. [micro-token/kWh]

    Raises
    ------
    TariffSourceError
        The series or the VAT rates do not cover a slot.
    """
    prices = []
    for slot in slots:
        start = slot * slot_seconds
        mean = _mean(spot, start, start + slot_seconds)
        prices.append(price_of(mean if spot.includes_vat else mean * (1 + rule.vat_at(start))))
    return prices


def day_reference(spot_days: Sequence[Sequence[int]], rules: Rules, community: int, day: int) -> TariffReport:
    """Reference report of one trading day: its spot prices, and as forward price their mean over recent days.

    The forward price of a slot is the mean, rounded down, of the same slot's spot prices over `FORWARD_DAYS` days
    up to ``day``, or as many as are known. It follows the market slowly; it is no quotation of one.

    Parameters
    ----------
    spot_days : sequence of sequences of int
        Spot prices by day and slot, one or more days, the last one ``day`` itself. [micro-token/kWh]
    rules : Rules
        The community's: its slots, and the bounds of its prices.
    community, day : int
        Whose prices, of which trading day.

    Raises
    ------
    FieldError
        The number of slots or a price is one that the Oracle contract would refuse.
    """
    recent = spot_days[-FORWARD_DAYS:]
    forward = [sum(prices) // len(prices) for prices in zip(*recent, strict=True)]
    report = TariffReport(community, Feed.REFERENCE, day, tuple(zip(spot_days[-1], forward, strict=True)))
    report.check(rules)
    return report


def day_tariffs(
    tariffs: Sequence[SlotTariff], rules: Rules, community: int, day: int
) -> tuple[TariffReport, TariffReport]:
    """Retail and imbalance report of one trading day, checked against the community's rules.

    Parameters
    ----------
    tariffs : sequence of SlotTariff
        Of every slot of the day.
    rules : Rules
        The community's: its slots, and the bounds of its prices.
    community, day : int
        Whose tariff, of which trading day.

    Raises
    ------
    FieldError
        The number of slots or a price is one that the Oracle contract would refuse.
    """
    retail = tuple((tariff.import_price, tariff.feed_in) for tariff in tariffs)
    imbalance = tuple((tariff.short, tariff.long) for tariff in tariffs)
    reports = (
        TariffReport(community, Feed.RETAIL, day, retail),
        TariffReport(community, Feed.IMBALANCE, day, imbalance),
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
        total += spot.at(instant) * ((until - instant) / (end - start))
        instant = until
    return total
