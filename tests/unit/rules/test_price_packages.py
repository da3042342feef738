"""Terms of price packages and which of them counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from otaniemi.contracts.rules.errors import FieldError
from otaniemi.contracts.rules.packages import NO_PACKAGE, NO_PACKAGES, PackagePrice
from otaniemi.contracts.rules.price_packages import Band, PackageBook, PackageTerms

from ...support.rules import HOURLY

CAP = HOURLY.short_cap
NIGHT_AND_DAY = PackageTerms(
    community=1, product=0, feed_in=False, spot=False, bands=(Band(6, 90_000), Band(24, 180_000)),
    volume=700, homes=2, first_day=100, last_day=110, daily_fee=5, notice_days=3, green_permille=500,
    name_hash=bytes(32),
)  # fmt: skip


@pytest.fixture
def book() -> PackageBook:
    """One package for supply, one for feed-in; the retailer changes with day 108."""
    book = PackageBook(lambda day: 1 if day < 108 else 2)
    book.publish(1, 1, CAP, NIGHT_AND_DAY)
    book.publish(2, 1, CAP, replace(NIGHT_AND_DAY, feed_in=True, bands=(Band(24, 70_000),), daily_fee=2))
    return book


def test_a_band_ends_before_its_last_slot_number() -> None:
    assert [NIGHT_AND_DAY.price_at(slot, None, CAP).price for slot in (0, 5, 6, 23)] == [
        90_000,
        90_000,
        180_000,
        180_000,
    ]


def test_a_spot_package_adds_its_margin_within_the_cap_and_needs_a_reference() -> None:
    spot = replace(NIGHT_AND_DAY, spot=True)
    assert spot.price_at(0, -200_000, CAP) == PackagePrice(-110_000, 700)
    assert spot.price_at(0, 2**31 - 1, CAP).price == CAP
    assert spot.price_at(0, -(2**31), CAP).price == -CAP
    assert spot.price_at(0, None, CAP) == NO_PACKAGE


def test_packages_of_both_directions_count_from_their_day_to_the_end_of_window_and_retailer(
    book: PackageBook,
) -> None:
    book.subscribe(4, 1, 103)
    book.subscribe(4, 2, 104)
    assert book.prices_at(4, 0, 102, 0, None) == NO_PACKAGES
    assert book.prices_at(4, 0, 103, 0, None) == (PackagePrice(90_000, 700), NO_PACKAGE, 5)
    both = (PackagePrice(90_000, 700), PackagePrice(70_000, 700))
    assert book.prices_at(4, 0, 104, 0, None) == (*both, 7)
    assert book.prices_at(4, 0, 107, 1, None) == (*both, 0)
    assert book.prices_at(4, 0, 108, 0, None) == NO_PACKAGES
    assert book.prices_at(5, 0, 104, 0, None) == NO_PACKAGES
    assert book.prices_at(4, 1, 104, 0, None) == NO_PACKAGES


def test_a_place_is_free_from_the_day_on_which_it_was_given_up(book: PackageBook) -> None:
    book.subscribe(4, 1, 103)
    book.subscribe(5, 1, 104)
    assert book.places_left(1, 105) == 0
    book.leave(4, 1, 107)
    assert [book.places_left(1, day) for day in (106, 107, 110, 111)] == [0, 1, 1, 0]
    book.withdraw(1)
    assert book.places_left(1, 107) == 0


def test_notice_of_both_packages_and_an_ending_window_say_the_earliest_day(book: PackageBook) -> None:
    book.publish(3, 1, CAP, replace(NIGHT_AND_DAY, notice_days=1, last_day=2**32 - 1))
    assert book.earliest(4, 0, False, 3, 50) == 100
    assert book.earliest(4, 0, False, 3, 101) == 102
    book.subscribe(4, 1, 103)
    assert book.earliest(4, 0, False, 3, 101) == 106  # not before its own day, then by its notice
    assert book.earliest(4, 0, False, 0, 105) == 108
    assert book.earliest(4, 0, False, 3, 109) == 111  # the day after its last one


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"bands": ()}, "number of bands"),
        ({"bands": (Band(0, 1), Band(24, 1))}, "end of a band"),
        ({"bands": tuple(Band(i + 1, 0) for i in range(9))}, "number of bands"),
        ({"homes": 0}, "homes"),
        ({"last_day": 99}, "last_day"),
        ({"notice_days": 61}, "notice_days"),
        ({"green_permille": 1001}, "green_permille"),
        ({"name_hash": b"name"}, "name_hash"),
    ],
)
def test_terms_that_make_no_sense_name_the_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(FieldError, match=field):
        replace(NIGHT_AND_DAY, **change)


@pytest.mark.parametrize(
    "change", [{"product": 1}, {"bands": (Band(23, 1),)}, {"bands": (Band(24, CAP + 1),)}]
)
def test_terms_that_the_community_does_not_take_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(FieldError):
        replace(NIGHT_AND_DAY, **change).check(HOURLY)
