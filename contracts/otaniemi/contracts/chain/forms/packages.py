"""``PricePackages``: what a retailer offers and which home has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from otaniemi.contracts.chain.contract import Contract
from otaniemi.contracts.chain.events import Event
from otaniemi.contracts.chain.sender import Call
from otaniemi.contracts.rules.packages import HomePackages, PackagePrice
from otaniemi.contracts.rules.price_packages import PackageBook, PackageChoice, PackageTerms


class PricePackages(Contract):
    """Packages and who has which of them on which day."""

    name = "PricePackages"

    def publish(self, terms: PackageTerms) -> Call:
        """Offer a package. Keys that bind the retailer's account only."""
        return self._call("package", "publish", terms.as_struct())

    def withdraw(self, package: int) -> Call:
        """Take a package off the market. Keys that bind the retailer's account only."""
        return self._call("package", "withdraw", package)

    def subscribe(self, account: int, package: int, from_day: int) -> Call:
        """Take a package. Keys that bind the account only."""
        return self._call("package", "subscribe", account, package, from_day)

    def switch_to(self, account: int, package: int, from_day: int) -> Call:
        """Take another package instead of the present one. Keys that bind the account only."""
        return self._call("package", "switchTo", account, package, from_day)

    def unsubscribe(self, account: int, product: int, feed_in: bool, from_day: int) -> Call:
        """Give the package of a product and direction up. Keys that bind the account only."""
        return self._call("package", "unsubscribe", account, product, feed_in, from_day)

    def choose_signed(self, choice: PackageChoice, signature: bytes) -> Call:
        """Bring a signed choice to subscribe, switch or unsubscribe."""
        c = choice
        struct = (c.account, c.product, c.feed_in, c.package, c.from_day, c.valid_to)
        return self._call("package", "chooseSigned", struct, signature)

    def prices_at(
        self, community: int, account: int, product: int, day: int, slot_of_day: int, spot: int | None
    ) -> HomePackages:
        """What the bills see of an account's packages in a slot. [micro-token/kWh, Wh, nano-token]"""
        where = (community, account, product, day, slot_of_day)
        supply, feed_in, fee = self._view("pricesAt", *where, spot or 0, spot is not None)
        return HomePackages(PackagePrice(*supply), PackagePrice(*feed_in), int(fee))

    def package_at(self, account: int, product: int, feed_in: bool, day: int) -> int:
        """Package that an account has on a day, 0 for none."""
        return int(self._view("packageAt", account, product, feed_in, day))

    def places_left(self, package: int, from_day: int) -> int:
        """Homes that can still choose a package from a day on."""
        return int(self._view("placesLeft", package, from_day))

    def package_count(self) -> int:
        """Number of packages, which is the highest."""
        return int(self._view("packageCount"))


@dataclass(frozen=True, slots=True)
class PackagePublished(Event):
    """A retailer offers a package; ``cap`` bounds its prices. [micro-token/kWh]"""

    community: int
    package: int
    retailer: int
    cap: int
    terms: PackageTerms

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        return cls(**{**fields, "terms": PackageTerms.of_struct(fields["terms"])})


@dataclass(frozen=True, slots=True)
class PackageWithdrawn(Event):
    """Nobody may choose the package any more; who has it keeps it."""

    package: int


@dataclass(frozen=True, slots=True)
class Subscribed(Event):
    """A home without a package has one from a day on."""

    account: int
    package: int
    from_day: int


@dataclass(frozen=True, slots=True)
class Switched(Event):
    """A home has another package from a day on."""

    account: int
    package: int
    previous: int
    from_day: int


@dataclass(frozen=True, slots=True)
class Left(Event):
    """A home has no package any more from a day on."""

    account: int
    package: int
    from_day: int


def replay(book: PackageBook, event: Event) -> None:
    """Bring ``book``, which is of one community, to what it is after ``event``; other events leave it as it is."""
    match event:
        case PackagePublished(_, package, retailer, cap, terms):
            book.publish(package, retailer, cap, terms)
        case PackageWithdrawn(package):
            book.withdraw(package)
        case Subscribed(account, package, from_day):
            book.subscribe(account, package, from_day)
        case Switched(account, package, previous, from_day):
            book.switch(account, package, previous, from_day)
        case Left(account, package, from_day):
            book.leave(account, package, from_day)
