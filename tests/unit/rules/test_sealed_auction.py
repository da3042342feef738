from __future__ import annotations

from dataclasses import replace

import pytest

from otaniemi.contracts.rules.errors import FieldError
from otaniemi.contracts.rules.lots import Lots
from otaniemi.contracts.rules.sealed_auction import (
    LEAST_TIME,
    Revealed,
    SealedBid,
    SealedTerms,
    award,
    forfeit,
)
from otaniemi.contracts.rules.signing import Domain

from ...support.rules import HOURLY

SALE = SealedTerms(
    Lots(4, 1, 0, True, 1, 1, 100, (100, 200)),
    pay_as_bid=False,
    reserve_price=10_000,
    deposit=1_001,
    commit_until=5_000,
    reveal_until=5_600,
)
BIDS = [Revealed(0, 300_000, 1), Revealed(1, 200_000, 1), Revealed(2, 250_000, 1)]


def _lots(terms: SealedTerms, count: int, selling: bool = True) -> SealedTerms:
    return replace(terms, lots=replace(terms.lots, count=count, selling=selling))


def test_one_lot_goes_to_the_best_bid_at_the_second_price() -> None:
    result = award(SALE, BIDS)
    assert (result.won, result.price, result.sold) == ({0: 1}, 250_000, 1)


def test_a_purchase_goes_to_the_lowest_bid_at_the_second_lowest_price() -> None:
    terms = replace(_lots(SALE, 1, selling=False), reserve_price=400_000)
    result = award(terms, BIDS)
    assert (result.won, result.price) == ({1: 1}, 250_000)


def test_the_last_winner_gets_what_is_left_and_sets_the_price() -> None:
    bids = [Revealed(0, 300_000, 1), Revealed(1, 200_000, 3), Revealed(2, 250_000, 2)]
    result = award(_lots(SALE, 4), bids)
    assert (result.won, result.price) == ({0: 1, 2: 2, 1: 1}, 200_000)


def test_where_all_are_served_or_nobody_bids_the_reserve_is_the_price() -> None:
    assert award(_lots(SALE, 3), BIDS).price == 10_000
    assert award(SALE, []).won == {}
    assert award(SALE, []).price == 10_000


def test_bids_worse_than_the_reserve_count_for_nothing() -> None:
    result = award(replace(SALE, reserve_price=250_001), BIDS)
    assert (result.won, result.price) == ({0: 1}, 250_001)


def test_equal_prices_are_served_in_the_order_of_revealing() -> None:
    assert award(SALE, [Revealed(7, 20_000, 1), Revealed(3, 20_000, 1)]).won == {7: 1}


def test_pay_as_bid_charges_each_winner_its_own_price() -> None:
    terms = replace(_lots(SALE, 2), pay_as_bid=True)
    result = award(terms, BIDS)
    assert [result.price_of(terms, bid) for bid in BIDS] == [300_000, 200_000, 250_000]
    assert result.price_of(SALE, BIDS[0]) == 200_000


def test_an_odd_deposit_is_split_without_loss() -> None:
    assert forfeit(1_001) == (500, 501)


def test_a_commitment_is_bound_to_all_that_it_hides() -> None:
    domain = Domain(31_337, "0x" + "11" * 20)
    bid = SealedBid(auction=1, account=5, price=-3, lots=2, salt=bytes(32))
    others = [
        replace(bid, auction=2), replace(bid, account=6), replace(bid, price=3), replace(bid, lots=1),
        replace(bid, salt=bytes([1]) + bytes(31)),
    ]  # fmt: skip
    commitments = {bid.commitment(domain), *(other.commitment(domain) for other in others)}
    commitments |= {
        bid.commitment(Domain(1, domain.contract)),
        bid.commitment(Domain(31_337, "0x" + "22" * 20)),
    }
    assert len(commitments) == 8


def test_terms_survive_the_way_through_the_contracts_struct() -> None:
    assert SealedTerms.of_struct(SALE.as_struct()) == SALE


def test_bad_terms_and_bids_are_refused() -> None:
    with pytest.raises(FieldError, match="reveal_until is 5299"):
        replace(SALE, reveal_until=5_299)
    with pytest.raises(FieldError, match="deposit is 0"):
        replace(SALE, deposit=0)
    with pytest.raises(FieldError, match="length of the salt is 31"):
        SealedBid(1, 5, 0, 1, bytes(31))
    with pytest.raises(FieldError, match="lots is 0"):
        SealedBid(1, 5, 0, 0, bytes(32))


def test_times_that_leave_none_to_reveal_or_settle_are_refused_before_they_are_sent() -> None:
    start = 469_843 * 3_600
    latest = start - HOURLY.nomination_batch_lead - LEAST_TIME
    lots = replace(SALE.lots, slot=469_843)
    terms = replace(SALE, lots=lots, commit_until=latest - LEAST_TIME, reveal_until=latest)
    terms.check(HOURLY, terms.commit_until - 1)
    with pytest.raises(FieldError, match=r"^commit_until is"):
        replace(terms, commit_until=terms.commit_until - 1).check(HOURLY, terms.commit_until - 1)
    with pytest.raises(FieldError, match=r"^reveal_until is"):
        replace(terms, reveal_until=latest + 1).check(HOURLY, start - 7_200)


def test_a_bid_that_could_not_be_revealed_or_win_is_refused_before_its_deposit_is_at_stake() -> None:
    most = HOURLY.connection_limit_wh // 200
    sale = _lots(SALE, 65_535)
    bid = SealedBid(1, 5, 10_000, most, bytes(32))
    bid.check(sale, HOURLY)
    with pytest.raises(FieldError, match=r"^lots is 101"):
        replace(bid, lots=most + 1).check(sale, HOURLY)
    with pytest.raises(FieldError, match=r"^price is 9999; valid is 10000 or more, the reserve price"):
        replace(bid, price=9_999).check(sale, HOURLY)
    purchase = _lots(SALE, 65_535, selling=False)
    bid.check(purchase, HOURLY)
    with pytest.raises(FieldError, match=r"^price is 10001; valid is 10000 or less"):
        replace(bid, price=10_001).check(purchase, HOURLY)
