"""Laws of continuous trading and of block margins, for any limits, fills, calendars and marks."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from otaniemi.contracts.rules import block_series, continuous
from otaniemi.contracts.rules.block_series import Series
from otaniemi.contracts.rules.continuous import NO_ENGINE, Limit

ENGINES = st.sampled_from([NO_ENGINE, "0x" + "1" * 40, "0x" + "2" * 40])
PRICES = st.integers(-50, 50) | st.integers(-(2**31), 2**31 - 1)
SEQUENCES = st.none() | st.integers(1, 5)


@st.composite
def limits(draw: st.DrawFn, buy: bool) -> Limit:
    quantity = draw(st.integers(1, 30))
    least = draw(st.integers(0, quantity))
    terms = (draw(PRICES), quantity, least, draw(st.integers(0, 4)), buy, 0, 2**40, draw(ENGINES))
    return Limit(4 if buy else 5, 1, 0, 7, *terms)


@st.composite
def series(draw: st.DrawFn) -> Series:
    first = draw(st.integers(0, 30_000))
    last = first + draw(st.integers(0, 365))
    ends = 1 << (first + 3) % 7 | 1 << (last + 3) % 7
    mask = draw(st.integers(0, 127)) | ends
    rates = draw(st.integers(0, 1_000)), draw(st.integers(1, 10**6))
    return Series(1, 0, mask, draw(st.integers(0, 95)), 1, first, last, draw(st.integers(1, 999)), 0, *rates)


@given(limits(True), limits(False), SEQUENCES, SEQUENCES)
def test_a_match_never_leaves_either_limit(
    buy: Limit, sell: Limit, first: int | None, second: int | None
) -> None:
    if continuous.match(buy, sell):
        assert sell.price <= continuous.match_price(buy, sell, first, second) <= buy.price


@given(limits(True), limits(False), SEQUENCES, SEQUENCES, SEQUENCES)
def test_a_number_moves_the_price_only_to_a_limit_or_the_midpoint(
    buy: Limit, sell: Limit, first: int | None, second: int | None, other: int | None
) -> None:
    prices = {continuous.match_price(buy, sell, number, second) for number in (first, other)}
    assert prices <= {buy.price, sell.price, (buy.price + sell.price) // 2}


@given(limits(True), st.lists(limits(False), max_size=8))
def test_filling_as_much_as_can_be_ends_at_the_quantity(buy: Limit, sells: list[Limit]) -> None:
    filled, last = 0, len(sells)
    for number, sell in enumerate(sells):
        part = continuous.fillable(buy, sell, filled, 0)
        assert part == 0 or part >= min(buy.min_fill, buy.quantity - filled)
        assert part == 0 or part >= min(sell.min_fill, sell.quantity)
        filled += part
        assert filled <= buy.quantity
        last = number
    if sells and filled < buy.quantity:
        assert continuous.fillable(buy, replace(sells[last], quantity=30, min_fill=0), filled, 0) in range(31)


@given(series(), st.integers(-2, 370))
def test_days_left_are_the_days_of_delivery_that_are_left(block: Series, offset: int) -> None:
    start = block.first_day + offset
    assert block.deliveries(start) == len(list(block.delivery_days(start)))
    assert block.deliveries() >= 1


@given(series(), PRICES, PRICES, st.integers(0, 10**7))
def test_one_side_at_most_has_something_to_lose_and_both_cover_it(
    block: Series, price: int, mark: int, wh: int
) -> None:
    secured = block_series.margins(block, price, mark, wh)
    assert min(secured.buyer, secured.seller) == 0
    assert secured.buyer + secured.seller == wh * abs(price - mark)
    for buyer in (True, False):
        assert secured.initial(buyer) >= secured.maintenance(buyer) >= secured.move // 2
        assert block_series.compensation(secured, secured.initial(buyer), buyer) <= secured.initial(buyer)


@given(st.integers(0, 2**62), st.integers(1, 366))
def test_day_by_day_a_margin_returns_whole(margin: int, days: int) -> None:
    left = margin
    for day in range(days, 0, -1):
        part = block_series.kept(left, day - 1, day)
        assert 0 <= part <= left
        left = part
    assert left == 0
