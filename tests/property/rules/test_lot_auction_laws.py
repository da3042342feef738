"""Auctions of lots against plain statements of their rules."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from otaniemi.contracts.rules.dutch_auction import DutchTerms
from otaniemi.contracts.rules.lots import Lots
from otaniemi.contracts.rules.sealed_auction import Revealed, SealedTerms, award

PRICES = st.integers(-4, 4)


def _lots(selling: bool, count: int) -> Lots:
    return Lots(4, 1, 0, selling, 1, count, 100, (100,))


@st.composite
def _auctions(draw: st.DrawFn) -> tuple[SealedTerms, list[Revealed]]:
    count = draw(st.integers(1, 5))
    terms = SealedTerms(_lots(draw(st.booleans()), count), draw(st.booleans()), draw(PRICES), 1, 0, 300)
    wanted = st.tuples(PRICES, st.integers(1, count))
    bids = draw(st.lists(wanted, max_size=6))
    numbers = draw(st.permutations(range(len(bids))))
    return terms, [Revealed(number, *bid) for number, bid in zip(numbers, bids, strict=True)]


@given(_auctions())
def test_winners_and_price_are_those_of_lot_by_lot_sales(auction: tuple[SealedTerms, list[Revealed]]) -> None:
    terms, bids = auction
    selling = terms.lots.selling
    valid = [
        bid
        for bid in bids
        if (bid.price >= terms.reserve_price if selling else bid.price <= terms.reserve_price)
    ]
    # Every lot that is wanted, the best price first; the sort keeps the order of revealing.
    wanted = [bid for bid in valid for _ in range(bid.lots)]
    wanted.sort(key=lambda bid: bid.price, reverse=selling)
    served, missed = wanted[: terms.lots.count], wanted[terms.lots.count :]
    result = award(terms, bids)
    assert result.won == {bid.bid: served.count(bid) for bid in served}
    assert result.price == (missed[0].price if missed else terms.reserve_price)


@given(_auctions())
def test_no_winner_pays_more_than_its_bid_and_no_loser_would_have_paid_more(
    auction: tuple[SealedTerms, list[Revealed]],
) -> None:
    terms, bids = auction
    sign = 1 if terms.lots.selling else -1
    result = award(terms, bids)
    for bid in bids:
        if bid.bid in result.won:
            assert sign * bid.price >= sign * result.price_of(terms, bid) >= sign * terms.reserve_price
        elif sign * bid.price >= sign * terms.reserve_price:
            assert sign * bid.price <= sign * result.price


@given(
    st.booleans(),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(1, 10**6),
    st.data(),
)
def test_the_price_improves_for_takers_and_stays_within_a_unit_of_the_line(
    selling: bool, low: int, high: int, duration: int, data: st.DataObject
) -> None:
    start, end = (max(low, high), min(low, high)) if selling else (min(low, high), max(low, high))
    terms = DutchTerms(_lots(selling, 1), start, end, 1_000, 1_000 + duration)
    times = sorted(data.draw(st.lists(st.integers(0, duration), min_size=2, max_size=5)))
    prices = [terms.price_at(1_000 + time) for time in times]
    assert prices == sorted(prices, reverse=selling)
    for time, price in zip(times, prices, strict=True):
        behind = (price - start) * duration - (end - start) * time
        assert 0 <= (behind if selling else -behind) < duration
    assert terms.price_at(1_000) == start
    assert terms.price_at(terms.until) == end
