"""From spot prices to a day's tariffs: what a home pays and receives outside the local market.

Prices enter as floats in EUR/kWh and leave as integer micro-token/kWh, rounded once to the nearest.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from otaniemi.oracles.errors import ObservationError, TariffSourceError
from otaniemi.oracles.sources import SpotPrices

MICRO = 1_000_000
DAY_SECONDS = 86_400


class Feed(IntEnum):
    """The two tariff feeds of a community, with the names of their two prices."""

    RETAIL = 0
    IMBALANCE = 1

    @property
    def columns(self) -> tuple[str, str]:
        """What the pair of a slot holds."""
        return ("import", "feed_in") if self is Feed.RETAIL else ("short", "long")


@dataclass(frozen=True)
class DayTariff:
    """One feed of one trading day as observed.

    Attributes
    ----------
    feed : Feed
    day : int
        Trading day (days since 1970 in the community's local time).
    prices : tuple of (int, int)
        One pair per slot: (import, feed-in) or (short, long). [micro-token/kWh]
    """

    feed: Feed
    day: int
    prices: tuple[tuple[int, int], ...]


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
    spot: SpotPrices, rule: PriceRule, day: int, slot_seconds: int, utc_offset: int
) -> tuple[DayTariff, DayTariff]:
    """Retail and imbalance tariff of one trading day.

    A slot has the mean of the spot prices that hold in it, weighted by time.

    Parameters
    ----------
    spot : SpotPrices
    rule : PriceRule
    day : int
        Trading day.
    slot_seconds, utc_offset : int
        The community's slot length and fixed offset. [s]

    Raises
    ------
    TariffSourceError
        The series does not cover the whole day.
    """
    if slot_seconds <= 0 or DAY_SECONDS % slot_seconds:
        raise TariffSourceError(f"slot_seconds is {slot_seconds}; valid is a divisor of {DAY_SECONDS}")
    midnight, vat = day * DAY_SECONDS - utc_offset, rule.vat_on(day)
    retail, imbalance = [], []
    for start in range(midnight, midnight + DAY_SECONDS, slot_seconds):
        bought, fed_in = rule.apply(_mean(spot, start, start + slot_seconds), spot.includes_vat, vat)
        retail.append((round(bought * MICRO), round(fed_in * MICRO)))
        short, long = bought + rule.imbalance_margin, fed_in - rule.imbalance_margin
        imbalance.append((round(short * MICRO), round(long * MICRO)))
    return DayTariff(Feed.RETAIL, day, tuple(retail)), DayTariff(Feed.IMBALANCE, day, tuple(imbalance))


def validate_tariff(tariff: DayTariff, slots_per_day: int, cap: int) -> DayTariff:
    """``tariff`` itself, once every price is one that the Oracle contract takes.

    Parameters
    ----------
    tariff : DayTariff
    slots_per_day : int
    cap : int
        The community's ``shortCap``: prices lie within ±cap. [micro-token/kWh]

    Raises
    ------
    ObservationError
        A slot is missing, a price lies outside ±cap, or a feed-in price lies above the import price.
    """
    if len(tariff.prices) != slots_per_day:
        raise ObservationError("prices", f"{len(tariff.prices)} slots", f"{slots_per_day} slots")
    for slot, pair in enumerate(tariff.prices):
        for name, price in zip(tariff.feed.columns, pair, strict=True):
            if not -cap <= price <= cap:
                raise ObservationError(
                    f"{name} of slot {slot}", f"{price} micro-token/kWh", f"-{cap} to {cap}"
                )
        if tariff.feed is Feed.RETAIL and pair[1] > pair[0]:
            raise ObservationError(
                f"feed_in of slot {slot}", f"{pair[1]} micro-token/kWh", f"at most {pair[0]}"
            )
    return tariff


def _mean(spot: SpotPrices, start: int, end: int) -> float:
    """Mean spot price over [start, end), weighted by time. [EUR/kWh]"""
    total, instant = 0.0, start
    while instant < end:
        period_end = instant + spot.step - (instant - spot.start) % spot.step
        until = min(period_end, end)
        total += spot.at(instant) * (until - instant)
        instant = until
    return total / (end - start)
