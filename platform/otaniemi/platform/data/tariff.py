"""From the spot price to what a home pays and gets: the tariff rules of a community."""

from __future__ import annotations

import datetime as dt

import numpy as np
from numpy.typing import NDArray

from otaniemi.contracts.rules.units import prices_of
from otaniemi.platform.community import TariffRules
from otaniemi.platform.data.scenario import DataError, Prices


def prices_from_spot(rules: TariffRules, spot_incl_vat: NDArray[np.float64], dates: list[dt.date]) -> Prices:
    """Retail and imbalance prices of every slot.

    Parameters
    ----------
    spot_incl_vat : array, shape (slots,)
        Day-ahead price including VAT. [EUR/kWh]
    dates : list of date, length (slots,)
        Local date of every slot, which decides its VAT rate.

    Raises
    ------
    DataError
        A slot lies before the first VAT period.
    """
    without_vat = spot_incl_vat / (1 + vat_rates(rules, dates))
    feed_in = np.maximum(without_vat - rules.feed_in.margin_eur_per_kwh, rules.feed_in.floor_eur_per_kwh)
    least = np.maximum(
        rules.import_price.floor_eur_per_kwh,
        feed_in + rules.local_fee_eur_per_kwh + rules.import_price.spread_eur_per_kwh,
    )
    retail = np.maximum(spot_incl_vat + rules.import_price.margin_eur_per_kwh, least)
    return Prices(
        import_micro=prices_of(retail),
        feed_in_micro=prices_of(feed_in),
        short_micro=prices_of(retail + rules.imbalance.short_above_import_eur_per_kwh),
        long_micro=prices_of(feed_in - rules.imbalance.long_below_feed_in_eur_per_kwh),
    )


def vat_rates(rules: TariffRules, dates: list[dt.date]) -> NDArray[np.float64]:
    """The VAT rate on each date, shape (dates,).

    Raises
    ------
    DataError
        A date lies before the first VAT period.
    """
    starts = np.array([period.start.toordinal() for period in rules.vat])
    period = np.searchsorted(starts, [date.toordinal() for date in dates], side="right") - 1
    if period.min() < 0:
        raise DataError(
            f"tariff.vat starts on {rules.vat[0].start}, after {min(dates)}; valid: a start on or before it"
        )
    return np.array([entry.rate for entry in rules.vat])[period]
