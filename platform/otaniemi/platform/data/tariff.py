"""Prices of a scenario: the community file's tariff and a spot series, put through the oracles' rule.

The reporters look prices up in the scenario, so homes, bills and reports share the same numbers.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from zoneinfo import ZoneInfo

import numpy as np

from otaniemi.contracts.rules.tariffs import SlotTariff
from otaniemi.oracles.sources import SpotPrices
from otaniemi.oracles.tariffs import PriceRule, VatRate, spot_of_slots, spot_tariffs
from otaniemi.platform.community import TariffRules
from otaniemi.platform.data.scenario import Prices


def price_rule(tariff: TariffRules, zone: ZoneInfo) -> PriceRule:
    """The rule that a community file states; its VAT rates change at local midnight of ``zone``."""
    return PriceRule(
        import_margin=tariff.import_price.margin_eur_per_kwh,
        import_floor=tariff.import_price.floor_eur_per_kwh,
        feed_in_deduction=tariff.feed_in.margin_eur_per_kwh,
        feed_in_floor=tariff.feed_in.floor_eur_per_kwh,
        local_fee=tariff.local_fee_eur_per_kwh,
        least_spread=tariff.import_price.spread_eur_per_kwh,
        short_margin=tariff.imbalance.short_above_import_eur_per_kwh,
        long_margin=tariff.imbalance.long_below_feed_in_eur_per_kwh,
        vat=tuple(
            VatRate(int(dt.datetime.combine(period.start, dt.time(), zone).timestamp()), period.rate)
            for period in tariff.vat
        ),
    )


def prices_from_spot(spot: SpotPrices, rule: PriceRule, slots: Iterable[int], slot_seconds: int) -> Prices:
    """Retail, imbalance and spot prices of every slot; see `spot_tariffs` and `spot_of_slots`.

    Raises
    ------
    TariffSourceError
        The series or the VAT rates do not cover a slot.
    """
    every = list(slots)
    tariffs = np.array(spot_tariffs(spot, rule, every, slot_seconds), dtype=np.int64)
    spots = np.array(spot_of_slots(spot, rule, every, slot_seconds), dtype=np.int64)
    return Prices(*np.column_stack([tariffs, spots]).T)


def tariffs_of(prices: Prices) -> list[SlotTariff]:
    """The same prices slot by slot, as the reporters take them."""
    columns = prices.import_micro, prices.feed_in_micro, prices.short_micro, prices.long_micro
    return [SlotTariff(*values) for values in zip(*(column.tolist() for column in columns), strict=True)]
