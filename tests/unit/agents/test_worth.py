"""What profiles of energy are worth to a home at retail."""

from __future__ import annotations

import numpy as np
import pytest

from otaniemi.optimizer.program.choices import Choices
from otaniemi.platform.agents.forms import bilateral, block, dutch, sealed
from otaniemi.platform.agents.forms.deals import lots_worth, take
from otaniemi.platform.agents.home import HomeAgent
from otaniemi.platform.forecast import Perfect

SUN = slice(10, 14)


def agents(day) -> list[HomeAgent]:
    return [HomeAgent(day, home, Perfect(day), -12, Choices({}, {})) for home in range(len(day.homes))]


def at(slots: slice, wh: int) -> np.ndarray:
    profile = np.zeros(24, np.int64)
    profile[slots] = wh
    return profile


def test_energy_is_worth_its_retail_price_where_it_is_lacking_and_feed_in_where_it_is_over(
    make_day, sun_and_shade
) -> None:
    sunny, shady = agents(make_day(sun_and_shade, (300, 400), (1300, 0)))
    # Import costs 200,000 and feed-in brings 50,000 micro-token/kWh in every slot.
    assert shady.worth(-12, [at(SUN, 100)]) == pytest.approx([4 * 100 * 200_000], abs=1)
    assert sunny.worth(-12, [at(SUN, -100)]) == pytest.approx([-4 * 100 * 50_000], abs=1)


def test_more_than_the_load_is_worth_only_what_feeding_it_in_brings(make_day, sun_and_shade) -> None:
    _, shady = agents(make_day(sun_and_shade, (300, 400), (1300, 0)))
    worth = lots_worth(shady, -12, at(SUN, 200), 3)
    assert worth == pytest.approx([4 * 200 * 200_000, 4 * 200 * 200_000, 4 * 200 * 50_000], abs=2)


def test_to_value_a_profile_changes_no_plan_and_no_position(make_day, with_battery) -> None:
    day = make_day(with_battery, (500, 200, 900), (0, 0, 0), np.linspace(100_000, 400_000, 24))
    one, other = agents(day)[1], agents(day)[1]
    one.worth(-12, [at(SUN, -500), at(SUN, 500)])
    assert not one.record.trade_wh.any()
    assert [one.nominate(slot, slot - 1) for slot in range(24)] == [
        other.nominate(slot, slot - 1) for slot in range(24)
    ]


def test_a_contract_gives_half_the_common_surplus_at_a_price_that_halves_the_gain(
    make_day, sun_and_shade
) -> None:
    day = make_day(sun_and_shade, (300, 400), (1300, 0))
    homes = agents(day)
    (deal,) = bilateral.contracts(homes, -12)
    assert (deal.seller, deal.buyer) == (0, 1)
    assert (deal.wh == at(SUN, 200)).all()
    assert deal.price == (50_000 + 200_000 - day.local_fee_micro) // 2
    take(homes, [deal])
    assert (homes[0].record.trade_wh == at(SUN, -200)).all()
    assert (homes[1].record.trade_wh == at(SUN, 200)).all()


def test_nobody_contracts_without_surplus(make_day, sun_and_shade) -> None:
    assert bilateral.contracts(agents(make_day(sun_and_shade, (300, 400), (0, 0))), -12) == []


def test_storage_sells_an_evening_and_nobody_bids_below_its_reserve(make_day, with_battery) -> None:
    retail = np.full(24, 100_000)
    retail[17:21] = 400_000
    homes = agents(make_day(with_battery, (500, 200, 900), (0, 0, 0), retail))
    offered = sealed.evening(homes, -12)
    assert offered is not None
    assert offered.seller == 1
    assert not offered.wh[:17].any()
    assert offered.lots >= 1
    bids = sealed.bids(homes, -12, offered)
    assert bids
    assert all(bid.home != 1 and bid.price >= offered.reserve and bid.lots <= offered.lots for bid in bids)


def test_a_noon_is_sold_by_the_home_with_sun_and_wished_for_from_the_dearest_down(
    make_day, sun_and_shade
) -> None:
    homes = agents(make_day(sun_and_shade, (300, 400), (1300, 0)))
    offered = dutch.noon(homes, -12)
    assert offered is not None
    # Of the four hours sold three have sun over; the fourth has to be bought.
    assert (offered.seller, offered.reserve) == (0, (3 * 50_000 + 200_000) // 4 + 1)
    wishes = dutch.wishes(homes, -12, offered)
    assert [wish.home for wish in wishes] == [1] * 4
    assert [wish.price for wish in wishes] == sorted((wish.price for wish in wishes), reverse=True)


def test_quotes_of_a_series_keep_half_of_the_gain_against_the_middle(make_day, sun_and_shade) -> None:
    day = make_day(sun_and_shade, (300, 400), (1300, 0))
    middle = (50_000 + 200_000 - day.local_fee_micro) // 2
    quotes = block.quotes(agents(day), -12, (10, 16))
    assert {(quote.home, quote.buy) for quote in quotes} == {(0, False), (1, True)}
    # Four of the six hours have sun over.
    assert {quote.price for quote in quotes if not quote.buy} == {(100_000 + middle) // 2}
    assert max(quote.price for quote in quotes if quote.buy) == (200_000 - day.local_fee_micro + middle) // 2
