"""Spot prices to tariffs, worked by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from otaniemi.contracts.rules.calendar import Rules, day_start
from otaniemi.contracts.rules.errors import FieldError
from otaniemi.oracles.errors import TariffSourceError
from otaniemi.oracles.sources import SpotPrices
from otaniemi.oracles.tariffs import PriceRule, VatRate, day_tariffs

DAY = 19_576  # 2023-08-07


def spot_of(rules: Rules, *prices: float, includes_vat: bool = False, step: int = 3600) -> SpotPrices:
    return SpotPrices(day_start(rules, DAY), step, prices, includes_vat, "test prices")


def test_prices_follow_spot_vat_and_margins(rules: Rules) -> None:
    retail, imbalance = day_tariffs(spot_of(rules, *[0.10] * 24), PriceRule(), rules, 1, DAY)
    assert set(retail.prices) == {(204_000, 95_000)}
    assert set(imbalance.prices) == {(234_000, 65_000)}
    assert (retail.feed, imbalance.feed, retail.day, retail.community) == (0, 1, DAY, 1)


def test_vat_is_taken_out_of_a_series_that_includes_it(rules: Rules) -> None:
    net, _ = day_tariffs(spot_of(rules, *[0.10] * 24), PriceRule(), rules, 1, DAY)
    gross, _ = day_tariffs(spot_of(rules, *[0.124] * 24, includes_vat=True), PriceRule(), rules, 1, DAY)
    assert net == gross


def test_negative_spot_prices_stop_at_the_floors(rules: Rules) -> None:
    retail, _ = day_tariffs(spot_of(rules, *[-0.20] * 24), PriceRule(), rules, 1, DAY)
    assert retail.prices[0] == (40_000, 1_000)


def test_import_leaves_room_for_a_local_trade(rules: Rules) -> None:
    narrow = PriceRule(import_margin=0.0, vat=(VatRate(0, 0.0),))
    retail, _ = day_tariffs(spot_of(rules, *[0.10] * 24), narrow, rules, 1, DAY)
    assert retail.prices[0] == (120_000, 95_000)


def test_the_vat_rate_of_the_day_counts() -> None:
    rule = PriceRule(vat=(VatRate(0, 0.10), VatRate(DAY, 0.24)))
    assert (rule.vat_on(DAY - 1), rule.vat_on(DAY)) == (0.10, 0.24)


def test_a_slot_longer_than_the_periods_has_their_mean(rules: Rules) -> None:
    quarters = spot_of(rules, *[0.0, 0.1, 0.2, 0.3] * 24, step=900)
    retail, _ = day_tariffs(quarters, PriceRule(vat=(VatRate(0, 0.0),)), rules, 1, DAY)
    assert retail.prices[5] == (230_000, 145_000)


def test_a_slot_shorter_than_the_period_has_its_price(rules: Rules) -> None:
    quarter_hours = replace(rules, slot_seconds=900)
    retail, _ = day_tariffs(
        spot_of(rules, *[0.01 * hour for hour in range(24)]), PriceRule(), quarter_hours, 1, DAY
    )
    assert len(retail.prices) == 96
    assert retail.prices[4:8] == (retail.prices[4],) * 4 != (retail.prices[8],) * 4


def test_a_day_that_ends_early_is_refused(rules: Rules) -> None:
    with pytest.raises(TariffSourceError, match="test prices has no price for 2023-08-07T21:00:00Z"):
        day_tariffs(spot_of(rules, *[0.1] * 23), PriceRule(), rules, 1, DAY)


def test_a_price_beyond_the_cap_is_refused_by_slot(rules: Rules) -> None:
    with pytest.raises(FieldError, match="price of slot 3 is"):
        day_tariffs(spot_of(rules, *[0.1] * 3, 9.0, *[0.1] * 20), PriceRule(), rules, 1, DAY)
