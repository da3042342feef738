"""What homes expect of calls, and that what they agree on before is a part of it."""

from __future__ import annotations

import numpy as np
import pytest

from otaniemi.contracts.rules.positions import Form
from otaniemi.platform.agents.bargaining import CALLS, expected_prices, look_ahead, start_prices
from otaniemi.platform.agents.forms import AHEAD, bilateral, block, continuous
from otaniemi.platform.agents.forms.deals import lots_worth, take
from otaniemi.platform.agents.forms.package import BANDS, retail_range
from otaniemi.platform.agents.home import HomeAgent
from otaniemi.platform.agents.outlook import CALL_CERTAINTY, Outlook
from otaniemi.platform.agents.trading import home_agents
from otaniemi.platform.data.settings import forms_of
from otaniemi.platform.forecast import Forecaster, Perfect, Realistic

SUN = slice(10, 14)
BEFORE = -12


def at(slots: slice, wh: int) -> np.ndarray:
    profile = np.zeros(24, np.int64)
    profile[slots] = wh
    return profile


def agents(day, forecaster: Forecaster | None = None) -> list[HomeAgent]:
    return home_agents(day, forecaster or Perfect(day), BEFORE, start_prices(day))


def test_homes_expect_to_trade_the_common_surplus_and_bind_the_share_of_their_calls(
    make_day, sun_and_shade
) -> None:
    day = make_day(sun_and_shade, (300, 400), (1300, 0))
    for kind in ("perfect", "realistic"):
        sunny, shady = agents(day)
        look_ahead([sunny, shady], BEFORE, kind)
        assert sunny.outlook is not None
        assert shady.outlook is not None
        bound = round(400 * CALLS[kind][0].share)
        assert (shady.outlook.binding_wh == at(SUN, bound)).all()
        assert (sunny.outlook.binding_wh == -shady.outlook.binding_wh).all()
        assert (expected_prices([sunny, shady])[SUN] < start_prices(day)[SUN]).all()
        assert not sunny.record.trade_wh.any()


def test_what_takes_the_place_of_a_call_is_worth_its_price_and_a_little_of_the_gain(
    make_day, sun_and_shade
) -> None:
    day = make_day(sun_and_shade, (300, 400), (1300, 0))
    outlook = Outlook(np.full(24, 100_000), at(SUN, 400))
    # Buying costs 0.12 with the fee and saves 0.08 against 0.20; selling brings 0.05 more than 0.05.
    lost = 1 - CALL_CERTAINTY
    bought = outlook.worth(at(SUN, 100), day.prices, day.local_fee_micro)
    sold = outlook.worth(at(SUN, -100), day.prices, day.local_fee_micro)
    assert bought == pytest.approx(400 * (120_000 + lost * 80_000), abs=2)
    assert sold == pytest.approx(-400 * (100_000 - lost * 50_000), abs=2)


def test_what_a_home_holds_counts_against_what_it_would_bind_itself_to() -> None:
    outlook = Outlook(np.zeros(3, np.int64), np.array([400, -400, 0]))
    assert outlook.open_wh(np.array([100, -400, 0])).tolist() == [300, 0, 0]
    assert outlook.open_wh(np.array([500, 100, 50])).tolist() == [0, -400, 0]


def test_lots_that_are_no_part_of_the_expected_calls_are_not_taken(make_day, sun_and_shade) -> None:
    homes = agents(make_day(sun_and_shade, (300, 400), (1300, 0)))
    look_ahead(homes, BEFORE, "perfect")
    assert len(lots_worth(homes[1], BEFORE, at(SUN, 150), 8)) == 2
    assert lots_worth(homes[1], BEFORE, at(slice(9, 14), 150), 8) == []
    assert block.quotes(homes, BEFORE, (10, 16)) == []


def test_before_calls_a_contract_is_signed_at_about_their_price(make_day, sun_and_shade) -> None:
    homes = agents(make_day(sun_and_shade, (300, 400), (1300, 0)))
    look_ahead(homes, BEFORE, "perfect")
    (deal,) = bilateral.contracts(homes, BEFORE)
    assert (deal.wh == at(SUN, 200)).all()
    price = int(expected_prices(homes)[SUN.start])
    assert deal.price == pytest.approx(price, abs=(1 - CALL_CERTAINTY) * 130_000)


def test_day_ahead_a_home_offers_what_is_missing_to_its_share(make_day, sun_and_shade) -> None:
    day = make_day(sun_and_shade, (300, 400), (1300, 0))
    homes = agents(day)
    take(homes, bilateral.contracts(homes, BEFORE))
    assert (homes[1].record.trade_wh[SUN] == 200).all()
    for agent in homes:
        agent.open_call()
    offered = homes[1].day_ahead(BEFORE, start_prices(day), averaging=False, share=0.75)
    assert sum(step.quantity for step in offered if step.slot == day.first_slot + 10) == 100
    assert homes[1].day_ahead(BEFORE, start_prices(day), averaging=False, share=0.5) != offered
    held = homes[1].day_ahead(BEFORE, start_prices(day), averaging=False, share=0.5)
    assert not [step for step in held if 10 <= step.slot - day.first_slot < 14]


def test_a_home_corrects_nothing_without_news(make_day, with_battery) -> None:
    day = make_day(with_battery, (500, 200, 900), (2000, 0, 0), np.linspace(100_000, 400_000, 24))
    for forecaster, any_news in ((Perfect(day), False), (Realistic(day, 1), True)):
        homes = agents(day, forecaster)
        for agent in homes:
            agent.day_ahead(BEFORE, start_prices(day), averaging=False, share=0.5)
        assert bool(continuous.quotes(homes, 12, 10)) == any_news


def test_bands_part_the_day_where_its_prices_change(make_day, sun_and_shade) -> None:
    retail = np.repeat([100_000, 180_000, 120_000, 240_000, 110_000], [6, 4, 7, 4, 3])
    terms = retail_range(make_day(sun_and_shade, (100, 100), (0, 0), retail), 1, 0, 1, 1)["bands"]
    assert [band.until_slot for band in terms.bands] == [6, 10, 17, 21, 24]
    assert len(terms.bands) == BANDS
    assert [band.price for band in terms.bands] == [115_000, 207_000, 138_000, 276_000, 126_500]


def test_without_a_list_all_forms_are_meant() -> None:
    assert forms_of(None) == frozenset(Form)
    assert forms_of(None) > AHEAD
