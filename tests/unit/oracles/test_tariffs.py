"""Spot prices to tariffs, worked by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from otaniemi.contracts.rules.calendar import Rules, day_start, slots_of_day
from otaniemi.contracts.rules.errors import FieldError
from otaniemi.contracts.rules.tariffs import Feed, SlotTariff
from otaniemi.oracles.errors import TariffSourceError
from otaniemi.oracles.sources import SpotPrices
from otaniemi.oracles.tariffs import (
    PriceRule,
    VatRate,
    day_reference,
    day_tariffs,
    spot_of_slots,
    spot_tariffs,
)

DAY = 19_576  # 2023-08-07
RULE = PriceRule(
    import_margin=0.08,
    import_floor=0.04,
    feed_in_deduction=0.005,
    feed_in_floor=0.001,
    local_fee=0.02,
    least_spread=0.005,
    short_margin=0.03,
    long_margin=0.04,
    vat=(VatRate(0, 0.24),),
)
UNTAXED = (VatRate(0, 0.0),)


def spot_of(rules: Rules, *prices: float, includes_vat: bool = False, step: int = 3600) -> SpotPrices:
    return SpotPrices(day_start(rules, DAY), step, prices, includes_vat, "test prices")


def prices_of(rules: Rules, spot: SpotPrices, rule: PriceRule = RULE) -> list[SlotTariff]:
    return spot_tariffs(spot, rule, slots_of_day(rules, DAY), rules.slot_seconds)


def test_prices_follow_spot_vat_and_margins(rules: Rules) -> None:
    assert prices_of(rules, spot_of(rules, *[0.10] * 24)) == [(204_000, 95_000, 234_000, 55_000)] * 24


def test_vat_is_taken_out_of_a_series_that_includes_it(rules: Rules) -> None:
    net = spot_of(rules, *[0.10] * 24)
    gross = spot_of(rules, *[0.124] * 24, includes_vat=True)
    assert prices_of(rules, net) == prices_of(rules, gross)


def test_negative_spot_prices_stop_at_the_floors(rules: Rules) -> None:
    floors = prices_of(rules, spot_of(rules, *[-0.20] * 24))[0]
    assert (floors.import_price, floors.feed_in) == (40_000, 1_000)


def test_import_leaves_room_for_a_local_trade(rules: Rules) -> None:
    narrow = replace(RULE, import_margin=0.0, vat=UNTAXED)
    assert prices_of(rules, spot_of(rules, *[0.10] * 24), narrow)[0].import_price == 120_000


def test_a_vat_rate_holds_from_its_start(rules: Rules) -> None:
    noon = day_start(rules, DAY) + 12 * 3600
    changed = replace(RULE, vat=(VatRate(0, 0.10), VatRate(noon, 0.24)))
    prices = prices_of(rules, spot_of(rules, *[0.10] * 24), changed)
    assert [prices[hour].import_price for hour in (0, 11, 12, 23)] == [190_000, 190_000, 204_000, 204_000]


def test_a_slot_before_the_first_vat_rate_is_refused(rules: Rules) -> None:
    late = replace(RULE, vat=(VatRate(day_start(rules, DAY) + 1, 0.24),))
    with pytest.raises(TariffSourceError, match="no VAT rate holds at"):
        prices_of(rules, spot_of(rules, *[0.1] * 24), late)


def test_a_slot_longer_than_the_periods_has_their_mean(rules: Rules) -> None:
    quarters = spot_of(rules, *[0.0, 0.1, 0.2, 0.3] * 24, step=900)
    mean = prices_of(rules, quarters, replace(RULE, vat=UNTAXED))[5]
    assert (mean.import_price, mean.feed_in) == (230_000, 145_000)


def test_a_slot_shorter_than_the_period_has_its_price(rules: Rules) -> None:
    quarter_hours = replace(rules, slot_seconds=900)
    prices = prices_of(quarter_hours, spot_of(rules, *[0.01 * hour for hour in range(24)]))
    assert len(prices) == 96
    assert prices[4:8] == [prices[4]] * 4
    assert prices[4] != prices[8]


def test_a_day_that_ends_early_is_refused(rules: Rules) -> None:
    with pytest.raises(TariffSourceError, match="test prices has no price for 2023-08-07T21:00:00Z"):
        prices_of(rules, spot_of(rules, *[0.1] * 23))


def test_a_day_is_reported_in_two_feeds(rules: Rules) -> None:
    prices = [SlotTariff(200_000 + hour, 90_000, 230_000, 60_000 - hour) for hour in range(24)]
    retail, imbalance = day_tariffs(prices, rules, 1, DAY)
    assert (retail.feed, imbalance.feed, retail.day, retail.community) == (0, 1, DAY, 1)
    assert (retail.prices[3], imbalance.prices[3]) == ((200_003, 90_000), (230_000, 59_997))


def test_a_report_of_too_few_slots_is_refused(rules: Rules) -> None:
    with pytest.raises(FieldError, match="number of slots is 23"):
        day_tariffs([SlotTariff(2, 1, 3, 0)] * 23, rules, 1, DAY)


def test_a_price_beyond_the_cap_is_refused_by_slot(rules: Rules) -> None:
    prices = prices_of(rules, spot_of(rules, *[0.1] * 3, 9.0, *[0.1] * 20))
    with pytest.raises(FieldError, match="price of slot 3 is"):
        day_tariffs(prices, rules, 1, DAY)


def test_spot_is_the_market_price_with_vat_and_no_margin(rules: Rules) -> None:
    slots = slots_of_day(rules, DAY)[:2]
    assert spot_of_slots(spot_of(rules, 0.10, -0.10), RULE, slots, 3600) == [124_000, -124_000]
    assert spot_of_slots(spot_of(rules, 0.10, 0.2, includes_vat=True), RULE, slots, 3600) == [
        100_000,
        200_000,
    ]


def test_forward_is_the_mean_of_the_last_seven_days_rounded_down(rules: Rules) -> None:
    spot_days = [[price] * 24 for price in (900_000, 1, 2, 3, 4, 5, 6, -22)]
    report = day_reference(spot_days, rules, 1, DAY)
    assert (report.feed, report.prices) == (Feed.REFERENCE, ((-22, -1),) * 24)
    assert day_reference(spot_days[:1], rules, 1, DAY).prices == ((900_000, 900_000),) * 24
    with pytest.raises(FieldError, match="price of slot 0"):
        day_reference([[rules.short_cap + 1] * 24], rules, 1, DAY)
