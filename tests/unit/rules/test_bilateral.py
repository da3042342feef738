"""What a contract between two accounts delivers, when, and where its deposits go."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from otaniemi.contracts.rules import calendar
from otaniemi.contracts.rules.bilateral import (
    BILATERAL,
    BilateralBook,
    BilateralTerms,
    Run,
    day_window,
    slot_window,
)
from otaniemi.contracts.rules.errors import FieldError
from otaniemi.contracts.rules.ledger import Ledger

from ...support.rules import HOURLY

DAY = 20_000
FIRST = calendar.first_slot(HOURLY, DAY)
START = calendar.day_start(HOURLY, DAY)
EVENING = BilateralTerms(
    community=1, product=0, seller=4, buyer=5, source=1, from_day=DAY, to_day=DAY + 9, spot=False,
    price=150_000, share_permille=0, profile=(0,) * 18 + (500, 0, 700, 300, 0, 0), notice_days=3, fee=50,
    valid_to=2**40, salt=1,
)  # fmt: skip
SHARE = replace(EVENING, profile=(), share_permille=333)


def test_one_price_makes_one_position_from_the_first_energy_to_the_last() -> None:
    assert EVENING.deliver(HOURLY, DAY) == [Run(FIRST + 18, 150_000, (500, 0, 700, 300))]


def test_a_curtailed_slot_is_left_out() -> None:
    runs = EVENING.deliver(HOURLY, DAY, curtailed=frozenset({FIRST + 18, FIRST + 21}))
    assert runs == [Run(FIRST + 20, 150_000, (700,))]
    assert EVENING.deliver(HOURLY, DAY, curtailed=frozenset(range(FIRST, FIRST + 24))) == []


def test_a_spot_price_splits_the_day_where_it_changes_and_stays_in_the_band() -> None:
    spot = replace(EVENING, spot=True, price=-10_000)
    prices = [(200_000, 0)] * 20 + [(200_000, 0), (-5_000_000, 0)] + [(0, 0)] * 2
    assert spot.deliver(HOURLY, DAY, prices) == [
        Run(FIRST + 18, 190_000, (500, 0, 700)),
        Run(FIRST + 21, HOURLY.price_min, (300,)),
    ]
    with pytest.raises(FieldError, match="reference price"):
        spot.deliver(HOURLY, DAY)


@pytest.mark.parametrize(
    ("import_wh", "export_wh", "shared"),
    [(101, 1_700, 532), (1_700, 101, 0), (0, 0, 0), (0, 3_000_000, HOURLY.connection_limit_wh)],
)
def test_a_share_is_of_the_surplus_rounded_down(import_wh: int, export_wh: int, shared: int) -> None:
    assert SHARE.share(HOURLY, import_wh, export_wh) == shared


def test_deliveries_wait_for_reports_that_can_no_longer_change() -> None:
    assert day_window(HOURLY, EVENING, DAY) == (START - 2 * 86_400, START)
    gate = START - 39_600
    assert day_window(HOURLY, replace(EVENING, spot=True), DAY) == (gate + HOURLY.challenge_window, START)
    opens, ends = slot_window(HOURLY, FIRST + 2)
    assert opens == START + 3 * 3_600 + HOURLY.meter_window + HOURLY.challenge_window
    assert ends == calendar.bills_due(HOURLY, DAY)


def test_deposits_return_or_go_to_the_other_party() -> None:
    ledger = Ledger()
    for account in (4, 5):
        ledger.deposit(account, 100)
    book = BilateralBook(ledger)
    for number in (1, 2):
        book.conclude(number, EVENING)
    assert ledger.free == {4: 0, 5: 0}
    assert ledger.pots[BILATERAL] == 200
    book.end(1, 4, DAY + 2)
    assert ledger.free == {4: 0, 5: 100}
    book.close(2)
    assert ledger.free == {4: 50, 5: 150}
    with pytest.raises(FieldError, match="deposit of account 4"):
        book.conclude(3, replace(EVENING, fee=51))


def test_a_day_is_due_once_within_the_period() -> None:
    ledger = Ledger()
    book = BilateralBook(ledger)
    book.conclude(1, replace(EVENING, fee=0))
    deal = book.deals[1]
    book.deliver(1, DAY + 1)
    book.give_notice(1, DAY + 4)
    assert [day for day in range(DAY - 1, DAY + 12) if deal.due(day)] == [DAY, DAY + 2, DAY + 3, DAY + 4]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"buyer": 4}, "buyer"),
        ({"source": 5}, "source"),
        ({"to_day": DAY - 1}, "to_day"),
        ({"share_permille": 1}, "profile"),
        ({"profile": ()}, "profile"),
        ({"profile": (0,) * 24}, "profile"),
        ({"share_permille": 1_001, "profile": ()}, "share_permille"),
    ],
)
def test_terms_that_make_no_sense_name_the_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(FieldError, match=field):
        replace(EVENING, **change)


@pytest.mark.parametrize(
    "change",
    [
        {"product": 1},
        {"price": HOURLY.price_max + 1},
        {"spot": True, "price": HOURLY.short_cap + 1},
        {"profile": (1,) * 23},
        {"profile": (0,) * 23 + (HOURLY.connection_limit_wh + 1,)},
    ],
)
def test_terms_that_the_community_does_not_take_are_refused(change: dict[str, Any]) -> None:
    EVENING.check(HOURLY)
    with pytest.raises(FieldError):
        replace(EVENING, **change).check(HOURLY)
