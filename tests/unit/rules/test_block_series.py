"""Calendar, mark and margins of block series. Expected values by hand: trading day 19,723 was Monday 2024-01-01."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from otaniemi.contracts.rules import block_series
from otaniemi.contracts.rules.block_series import EVERY_DAY, WEEKEND, WORKDAYS, Series
from otaniemi.contracts.rules.calendar import Rules
from otaniemi.contracts.rules.errors import FieldError

MONDAY = 19_723
WEEK = Series(1, 0, WORKDAYS, 40, 20, MONDAY, MONDAY + 4, 100, 1_704_020_000, 200, 5_000)


def test_a_series_delivers_on_the_days_of_its_mask() -> None:
    weekends = replace(WEEK, weekdays=WEEKEND, first_day=MONDAY + 5, last_day=MONDAY + 13)
    assert list(weekends.delivery_days()) == [MONDAY + 5, MONDAY + 6, MONDAY + 12, MONDAY + 13]
    assert list(weekends.delivery_days(MONDAY + 6)) == [MONDAY + 6, MONDAY + 12, MONDAY + 13]
    assert [weekends.deliveries(MONDAY + day) for day in (0, 6, 7, 13, 14)] == [4, 3, 2, 1, 0]
    assert not weekends.delivers(MONDAY + 19)


def test_the_slots_of_a_day_start_at_local_midnight(rules: Rules) -> None:
    # Quarter hours at UTC+2: local 10:00 to 15:00 of 2024-01-01 are 08:00 to 13:00 UTC.
    assert WEEK.slots_on(rules, MONDAY) == range(
        (1_704_067_200 + 8 * 3_600) // 900, (1_704_067_200 + 13 * 3_600) // 900
    )
    assert WEEK.energy(3, 5) == 3 * 100 * 20 * 5


def test_a_day_is_delivered_before_its_nominations_close(rules: Rules) -> None:
    ends = 1_704_067_200 + 8 * 3_600 - 300
    assert block_series.delivery_window(WEEK, rules, MONDAY) == (ends - 86_400, ends - 21_600, ends)


@pytest.mark.parametrize(
    ("field", "value"),
    [("weekdays", 0), ("weekdays", 128), ("slots", 0), ("lot_wh", 0), ("margin_permille", 1_001), ("margin_floor", 0),
     ("first_day", MONDAY - 1), ("last_day", MONDAY + 5), ("last_day", MONDAY - 3), ("last_day", MONDAY + 366)],
)  # fmt: skip
def test_terms_out_of_range_are_refused(field: str, value: Any) -> None:
    changed: dict[str, Any] = {field: value}
    with pytest.raises(FieldError) as error:
        replace(WEEK, **changed)
    assert error.value.field == field


@pytest.mark.parametrize(
    ("field", "value"),
    [("product", 1), ("slots", 57), ("lot_wh", 10_001), ("last_trading", 1_704_067_200 + 2 * 3_600 - 299),
     ("last_trading", 1_704_000_000)],
)  # fmt: skip
def test_terms_that_the_community_does_not_allow_are_refused(rules: Rules, field: str, value: Any) -> None:
    block_series.check(WEEK, rules, 1_704_000_000)
    changed: dict[str, Any] = {field: value}
    with pytest.raises(FieldError) as error:
        block_series.check(replace(WEEK, **changed), rules, 1_704_000_000)
    assert error.value.field == field


def test_the_mark_is_the_floored_mean_of_the_forward_prices_of_its_slots() -> None:
    series = replace(WEEK, slot_of_day=1, slots=2)
    assert block_series.mark_of(series, [(9, 9), (9, -7), (9, 2), (9, 9)]) == -3
    with pytest.raises(FieldError):
        block_series.mark_of(series, [(9, 9), (9, -7)])


@pytest.mark.parametrize(
    ("price", "mark", "buyer", "seller"),
    [(100, 100, (20, 10), (20, 10)), (107, 100, (27, 17), (20, 10)), (90, 105, (21, 10), (36, 25)),
     (-50, -2, (5, 2), (53, 50)), (3, 0, (8, 5), (5, 2))],
)  # fmt: skip
def test_margins_cover_a_move_and_what_the_mark_says(
    price: int, mark: int, buyer: tuple[int, int], seller: tuple[int, int]
) -> None:
    """Initial margin and maintenance per Wh, with 20 % of the mark and at least 5."""
    secured = block_series.margins(replace(WEEK, margin_floor=5), price, mark, 1)
    assert (secured.initial(buyer=True), secured.maintenance(buyer=True)) == buyer
    assert (secured.initial(buyer=False), secured.maintenance(buyer=False)) == seller


def test_leaving_costs_the_loss_of_the_other_at_most_the_margin() -> None:
    secured = block_series.margins(WEEK, 120, 100, 10)
    assert block_series.compensation(secured, 1_000, buyer=True) == 200
    assert block_series.compensation(secured, 150, buyer=True) == 150
    assert block_series.compensation(secured, 1_000, buyer=False) == 0


def test_each_day_returns_its_part_of_the_margin() -> None:
    assert [block_series.kept(100, left, 3) for left in (2, 1, 0)] == [66, 33, 0]


def test_a_year_of_every_day_is_the_longest_series() -> None:
    assert replace(WEEK, weekdays=EVERY_DAY, last_day=MONDAY + 365).deliveries() == 366
