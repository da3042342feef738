"""Forms of trading in memory: outcomes by the rules of the chain, and how they compare."""

from __future__ import annotations

import numpy as np
import pytest

from otaniemi.contracts.rules.calendar import Source
from otaniemi.contracts.rules.positions import Form
from otaniemi.optimizer.program.choices import Choices
from otaniemi.platform.agents.forms.day import trade_in_forms
from otaniemi.platform.agents.forms.local import awarded, first_come, matched
from otaniemi.platform.agents.forms.lots import Bid, Lots
from otaniemi.platform.agents.forms.mechanisms import choices, compare, gini, row
from otaniemi.platform.agents.forms.package import (
    STANDARD,
    Choice,
    choose_package,
    packages_of,
    retail_range,
)
from otaniemi.platform.agents.forms.quotes import Quote, shaded
from otaniemi.platform.agents.house import expected_house
from otaniemi.platform.forecast import Perfect

EVENING = np.zeros(24, np.int64)
EVENING[18:20] = 100


def lots(count: int) -> Lots:
    return Lots(seller=2, wh=EVENING, lots=count, reserve=100_000, ceiling=200_000, source=Source.BATTERY)


def test_quotes_trade_at_the_price_of_the_earlier_one() -> None:
    quoted = [Quote(0, False, 80_000, 3, Source.PV), Quote(1, True, 120_000, 2), Quote(2, True, 90_000, 2)]
    deals = matched(Form.CONTINUOUS, quoted, EVENING)
    assert [(deal.buyer, deal.seller, deal.price, deal.total_wh) for deal in deals] == [
        (1, 0, 80_000, 400),
        (2, 0, 80_000, 200),
    ]
    assert {deal.source for deal in deals} == {Source.PV}


def test_sealed_bids_pay_the_first_price_that_goes_without() -> None:
    deals = awarded(lots(3), [Bid(0, 150_000, 2), Bid(1, 140_000, 2), Bid(3, 130_000, 1)])
    assert [(deal.buyer, deal.price, deal.total_wh) for deal in deals] == [
        (0, 140_000, 400),
        (1, 140_000, 200),
    ]


def test_a_dutch_auction_ends_with_its_last_lot() -> None:
    deals = first_come(lots(2), [Bid(0, 150_000, 1), Bid(1, 140_000, 1), Bid(3, 130_000, 1)])
    assert [(deal.buyer, deal.price) for deal in deals] == [(0, 150_000), (1, 140_000)]


def test_a_shaded_price_never_crosses_the_middle() -> None:
    assert shaded(120_000, 100_000, buy=True) == 110_000
    assert shaded(80_000, 100_000, buy=True) == 80_000
    assert shaded(80_000, 100_000, buy=False) == 90_000


def test_gini_of_even_uneven_and_no_gains() -> None:
    assert gini([2, 2, 2]) == 0.0
    assert gini([0, 0, 3]) == pytest.approx(2 / 3)
    assert gini([0, 0]) == 0.0


def test_choices_are_none_each_alone_and_all() -> None:
    assert choices([Form.CALL]) == [frozenset(), frozenset({Form.CALL})]
    several = choices([Form.DUTCH, Form.CALL])
    assert several == [frozenset(), {Form.CALL}, {Form.DUTCH}, {Form.CALL, Form.DUTCH}]


def test_a_home_takes_the_package_that_is_worth_its_fee(make_day, sun_and_shade) -> None:
    day = make_day(sun_and_shade, (100, 2_000), (0, 0))
    offers = retail_range(day, 1, 0, 1, 1)
    homes = [expected_house(day, home, Perfect(day), -12) for home in range(2)]
    # The spot package saves 0.5 c/kWh for 3 c a day: 2.4 kWh are too little, 48 kWh enough.
    assert choose_package(homes[0], Choices({}, {}), day, {"spot": offers["spot"]}) == STANDARD
    assert choose_package(homes[1], Choices({}, {}), day, {"spot": offers["spot"]}) == Choice("spot", None)


def test_packages_cover_every_slot_and_cost_their_fee_once(make_day, sun_and_shade) -> None:
    day = make_day(sun_and_shade, (100, 2_000), (0, 0))
    offers = retail_range(day, 1, 0, 1, 1)
    packages = packages_of(Choice("spot", "sun"), offers, day)
    assert {slot.supply.price for slot in packages} == {195_000}
    assert {slot.feed_in.price for slot in packages} == {50_000 * 85 // 100}
    assert [slot.daily_fee for slot in packages] == [30_000_000] + [0] * 23


def test_what_packages_save_the_retailer_bears(make_day, sun_and_shade) -> None:
    day = make_day(sun_and_shade, (100, 2_000), (0, 0))
    alone, packaged = compare(day, Perfect(day), "perfect", choices([Form.PACKAGE]))
    assert sum(packaged.cost_nano) < sum(alone.cost_nano)
    assert sum(packaged.cost_nano) - packaged.retailer_nano == sum(alone.cost_nano)
    assert row(packaged, [1, 2])["welfare_eur"] == 0.0


def test_every_form_alone_leaves_no_home_worse_off_at_a_perfect_forecast(make_day, sun_and_shade) -> None:
    day = make_day(sun_and_shade, (300, 400), (1300, 0))
    for outcome in compare(day, Perfect(day), "perfect", choices(Form)):
        shown = row(outcome, [1, 2])
        assert shown["homes_worse_off"] == 0, shown
        if outcome.forms & {Form.CALL, Form.CONTINUOUS, Form.BILATERAL, Form.BLOCK, Form.DUTCH}:
            assert shown["welfare_eur"] > 0, shown
            assert outcome.traded_wh > 0


def test_trades_of_all_forms_are_told_apart_and_balance(make_day, sun_and_shade) -> None:
    day = make_day(sun_and_shade, (300, 400), (1300, 0))
    traded = trade_in_forms(day, Perfect(day), "perfect", frozenset(Form))
    sold = [agent.record.trade_wh for agent in traded.agents]
    assert not np.sum(sold, axis=0).any()
    assert sum(traded.wh.values()) >= int(np.abs(sold[0]).sum())
    assert traded.trades[Form.BILATERAL] == 1
