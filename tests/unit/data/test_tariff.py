"""The tariff of a community file, put through the oracles' rule."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from otaniemi.oracles.sources import SpotPrices
from otaniemi.platform.community import bundled_community
from otaniemi.platform.data.synthetic import synthetic_scenario
from otaniemi.platform.data.tariff import price_rule, prices_from_spot, tariffs_of

MIDNIGHT = int(dt.datetime(2023, 4, 30, 21, tzinfo=dt.UTC).timestamp())
"""Start of 1 May 2023 in Helsinki, when VAT rose from 10 to 24 percent."""


def test_the_bundled_vat_changes_at_local_midnight() -> None:
    rule = price_rule(bundled_community().tariff, ZoneInfo("Europe/Helsinki"))
    assert (rule.vat_at(MIDNIGHT - 1), rule.vat_at(MIDNIGHT)) == (0.10, 0.24)


def test_every_figure_of_the_file_reaches_the_prices() -> None:
    rule = price_rule(bundled_community().tariff, ZoneInfo("Europe/Helsinki"))
    spot = SpotPrices(MIDNIGHT, 3600, (0.124, -0.5), True, "test prices")
    prices = prices_from_spot(spot, rule, [MIDNIGHT // 3600, MIDNIGHT // 3600 + 1], 3600)
    assert tariffs_of(prices) == [(204_000, 95_000, 234_000, 65_000), (40_000, 1_000, 70_000, -29_000)]


def test_the_synthetic_day_of_seed_7_keeps_its_prices() -> None:
    prices = synthetic_scenario(1, 1, 900, 7).prices
    sums = [int(column.sum()) for column in (prices.import_micro, prices.feed_in_micro)]
    assert sums == [14_011_616, 4_565_108]
    assert (prices.short_micro - prices.import_micro == 30_000).all()
    assert (prices.feed_in_micro - prices.long_micro == 30_000).all()
