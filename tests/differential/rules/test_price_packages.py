"""``PricePackages`` on the chain against ``PackageBook``, which knows its events only."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from otaniemi.contracts.chain.artifacts import artifact
from otaniemi.contracts.chain.events import Event
from otaniemi.contracts.chain.forms.packages import PricePackages, replay
from otaniemi.contracts.chain.logs import EventDecoder
from otaniemi.contracts.chain.sender import Call
from otaniemi.contracts.rules import calendar
from otaniemi.contracts.rules.price_packages import Band, PackageBook, PackageChoice, PackageTerms
from otaniemi.contracts.rules.signing import checksum, sign

HOMES = 3
DAYS = 14


class Shop(NamedTuple):
    """The contract, what its events say, and the town around it."""

    town: Any
    contract: PricePackages
    book: PackageBook

    def send(self, call: Call) -> list[Event]:
        """Mine ``call`` and replay its events."""
        receipt = self.town.sender.send(self.town.keeper, call)
        events = list(EventDecoder({"PricePackages": self.contract.address}).decode_all(receipt.logs))
        for event in events:
            replay(self.book, event)
        return events

    def choose(self, account: int, package: int, from_day: int, feed_in: bool = False) -> str | None:
        """Bring a signed choice; name of the error if it is refused."""
        choice = PackageChoice(account, 0, feed_in, package, from_day, 2**40)
        signature = sign(self.town.homes[account].secret, choice.digest(self.contract.domain))
        call = self.contract.choose_signed(choice, signature)
        refusal: str | None = self.town.refusal(call)
        if refusal is None:
            assert len(self.send(call)) == 1
        return refusal

    def today(self) -> int:
        """Trading day of the newest block."""
        return calendar.day_at(self.town.rules, self.town.chain.head().timestamp)

    def go_to(self, time: int) -> None:
        """Mine a block without transactions at ``time`` [Unix s]."""
        self.town.chain.set_time(time)
        self.town.chain.mine([])


@pytest.fixture(scope="module")
def shop(town: Any) -> Shop:
    """Four packages: two flat, one by bands, one that follows the spot price, one of them for feed-in."""
    compiled = artifact("PricePackages")
    code = compiled.creation_code + compiled.abi.construct(
        town.address("Accounts"), town.address("Communities")
    )
    contract = PricePackages(town.chain, checksum(town.sender.create(town.keeper, code, "deploy")))
    shop = Shop(town, contract, PackageBook(lambda _: int(town.rules.retailer)))
    # A new day, of which no gate has passed.
    shop.go_to(calendar.day_start(town.rules, shop.today() + 1))
    flat = PackageTerms(
        community=town.deployment.community, product=0, feed_in=False, spot=False,
        bands=(Band(24, 150_000),), volume=0, homes=1, first_day=shop.today() + 1, last_day=2**32 - 1,
        daily_fee=10**8, notice_days=1, green_permille=0, name_hash=bytes(32),
    )  # fmt: skip
    bands = tuple(Band(3 * i + 3, 10_000 * i - 30_000) for i in range(8))
    for terms in (
        flat,
        replace(flat, bands=bands, notice_days=2, homes=2, volume=700, last_day=flat.first_day + DAYS - 4),
        replace(flat, spot=True, bands=(Band(24, -40_000),), homes=9, daily_fee=7),
        replace(flat, feed_in=True, bands=(Band(24, 80_000),), homes=9, daily_fee=5, green_permille=1000),
    ):
        terms.check(town.rules)
        assert len(shop.send(contract.publish(terms))) == 1
        assert shop.book.packages[len(shop.book.packages)].terms == terms
    return shop


def test_random_choices_leave_book_and_contract_agreed_on_every_slot(shop: Shop) -> None:
    draw = random.Random(5)
    accounts = list(shop.town.homes)[:HOMES]
    first = shop.today()
    refusals, accepted = set(), 0
    for _ in range(DAYS):
        for account in accounts:
            feed_in = draw.random() < 0.25
            package = draw.choice([0, 4] if feed_in else [0, 1, 2, 3])
            earliest = shop.book.earliest(account, 0, feed_in, package, shop.today())
            refusal = shop.choose(account, package, earliest + draw.choice([-1, 0, 0, 1]), feed_in)
            refusals.add(refusal)
            accepted += refusal is None
        shop.go_to(shop.town.chain.head().timestamp + 86_400)
    assert {None, "DayOutOfRange", "NothingChanges", "ChangePending", "SoldOut"} <= refusals
    assert accepted > 10
    community = shop.town.deployment.community
    for account in accounts:
        for day in range(first, first + DAYS + 4):
            for slot, spot in ((0, None), (4, 90_000), (23, -4_000_000)):
                said = shop.contract.prices_at(community, account, 0, day, slot, spot)
                assert said == shop.book.prices_at(account, 0, day, slot, spot), (account, day, slot)
    for package in shop.book.packages:
        for day in (first, first + DAYS, first + DAYS + 30):
            assert shop.contract.places_left(package, day) == shop.book.places_left(package, day)


def test_the_earliest_day_is_taken_and_the_day_before_refused(shop: Shop) -> None:
    account = list(shop.town.homes)[HOMES]
    for package in (3, 0, 3, 0):
        earliest = shop.book.earliest(account, 0, False, package, shop.today())
        assert shop.choose(account, package, earliest - 1) == "DayOutOfRange"
        assert shop.choose(account, package, earliest) is None
        later = shop.book.earliest(account, 0, False, 3 - package, shop.today())
        assert shop.choose(account, 3 - package, later) == "ChangePending"
        shop.go_to(calendar.day_start(shop.town.rules, earliest))


def test_a_withdrawn_package_is_chosen_no_more(shop: Shop) -> None:
    account = list(shop.town.homes)[HOMES + 1]
    shop.send(shop.contract.withdraw(3))
    day = shop.book.earliest(account, 0, False, 3, shop.today())
    assert shop.book.places_left(3, day) == shop.contract.places_left(3, day) == 0
    assert shop.choose(account, 3, day) == "Withdrawn"
