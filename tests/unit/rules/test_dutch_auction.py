from __future__ import annotations

from dataclasses import replace

import pytest

from otaniemi.contracts.rules.dutch_auction import DutchTake, DutchTerms
from otaniemi.contracts.rules.errors import FieldError
from otaniemi.contracts.rules.lots import Lots
from otaniemi.contracts.rules.signing import Domain

from ...support.rules import HOURLY

SALE = DutchTerms(
    Lots(4, 1, 0, True, 1, 4, 100, (100, 200)),
    start_price=500_000,
    end_price=100_000,
    begin=1_000,
    until=2_000,
)
PURCHASE = replace(SALE, lots=replace(SALE.lots, selling=False), start_price=-100_000, end_price=300_001)


def test_the_price_moves_linearly_from_first_to_last() -> None:
    assert [SALE.price_at(time) for time in (1_000, 1_250, 2_000)] == [500_000, 400_000, 100_000]
    assert [PURCHASE.price_at(time) for time in (1_000, 1_001, 2_000)] == [-100_000, -99_600, 300_001]


def test_the_price_rounds_toward_the_first_price() -> None:
    falling = replace(SALE, start_price=10, end_price=0)
    assert [falling.price_at(time) for time in (1_099, 1_100, 1_101)] == [10, 9, 9]
    rising = replace(PURCHASE, start_price=-10, end_price=0)
    assert [rising.price_at(time) for time in (1_099, 1_100, 1_101)] == [-10, -9, -9]


@pytest.mark.parametrize("time", [999, 2_001])
def test_outside_of_the_auction_there_is_no_price(time: int) -> None:
    with pytest.raises(FieldError, match=f"time is {time}"):
        SALE.price_at(time)


def test_a_price_that_moves_the_wrong_way_is_refused() -> None:
    with pytest.raises(FieldError, match="end_price is 500001"):
        replace(SALE, end_price=500_001)
    with pytest.raises(FieldError, match="end_price is -100001"):
        replace(PURCHASE, end_price=-100_001)
    with pytest.raises(FieldError, match="until is 1000"):
        replace(SALE, until=1_000)


def test_terms_survive_the_way_through_the_contracts_struct() -> None:
    assert DutchTerms.of_struct(SALE.as_struct()) == SALE


def test_every_field_of_a_take_is_signed() -> None:
    domain = Domain(31_337, "0x" + "11" * 20)
    take = DutchTake(auction=1, account=5, lots=2, limit=-3, nonce=9, valid_to=50)
    changed = {name: getattr(take, name) + 1 for name in DutchTake.__slots__}
    digests = {replace(take, **{name: value}).digest(domain) for name, value in changed.items()}
    assert len(digests | {take.digest(domain)}) == 7


def test_times_in_the_past_or_too_late_are_refused_before_they_are_sent() -> None:
    latest = 469_843 * 3_600 - HOURLY.nomination_direct_lead - 1
    lots = replace(SALE.lots, slot=469_843)
    terms = replace(SALE, lots=lots, begin=latest - 600, until=latest)
    terms.check(HOURLY, latest - 600)
    with pytest.raises(FieldError, match=r"^begin is"):
        terms.check(HOURLY, latest - 599)
    with pytest.raises(FieldError, match=r"^until is"):
        replace(terms, until=latest + 1).check(HOURLY, latest - 600)
