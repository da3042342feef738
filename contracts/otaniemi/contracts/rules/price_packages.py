"""Retailers' price packages (protocol section 11): terms, signed choices, and what counts for a home in a slot."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from otaniemi.contracts.rules.calendar import Rules
from otaniemi.contracts.rules.errors import FieldError, within
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.orders import U8, U16, U32, U64
from otaniemi.contracts.rules.packages import NO_PACKAGE, HomePackages, PackagePrice
from otaniemi.contracts.rules.signing import Domain, struct_digest, words

CHOICE_TYPE = (
    "PackageChoice(uint32 account,uint8 product,bool feedIn,uint32 package,uint32 fromDay,uint64 validTo)"
)
MAX_BANDS = 8
MAX_NOTICE = 60
"""Longest notice of a package [days]."""
MAX_AHEAD = 62
"""How far ahead a choice may count [days]."""

_CHOICE = keccak(CHOICE_TYPE.encode())


class Band(NamedTuple):
    """Part of every day up to, without, slot ``until_slot`` of the day, and its price [micro-token/kWh]."""

    until_slot: int
    price: int


@dataclass(frozen=True, slots=True)
class PackageTerms:
    """What a retailer offers; it never changes.

    Attributes
    ----------
    feed_in : bool
        True if the retailer buys what the home gives, false if it sells what the home takes.
    spot : bool
        True if the prices of the bands are added to the reference price of the slot.
    bands : tuple of Band
        1 to 8, ascending, the last until the end of the day; one makes a flat price.
    volume : int
        Energy of a slot and home that the package covers, 0 for any. [Wh]
    homes : int
        How many can have it at a time.
    first_day, last_day : int
        Trading days on which it counts.
    daily_fee : int
        Paid by each home for each day. [nano-token]
    notice_days : int
        A change to it or from it counts this many days later at the earliest.
    green_permille : int
        Share of the energy from renewable sources.
    name_hash : bytes
        Keccak of its name.
    """

    community: int
    product: int
    feed_in: bool
    spot: bool
    bands: tuple[Band, ...]
    volume: int
    homes: int
    first_day: int
    last_day: int
    daily_fee: int
    notice_days: int
    green_permille: int
    name_hash: bytes

    def __post_init__(self) -> None:
        within("community", self.community, 1, U32)
        within("product", self.product, 0, 7)
        within("number of bands", len(self.bands), 1, MAX_BANDS)
        previous = 0
        for band in self.bands:
            previous = within("end of a band", band.until_slot, previous + 1, U16)
            within("price of a band", band.price, -(2**31), 2**31 - 1)
        within("volume", self.volume, 0, U32)
        within("homes", self.homes, 1, U32)
        within("first_day", self.first_day, 1, U32)
        within("last_day", self.last_day, self.first_day, U32)
        within("daily_fee", self.daily_fee, 0, U64)
        within("notice_days", self.notice_days, 1, MAX_NOTICE)
        within("green_permille", self.green_permille, 0, 1000)
        if len(self.name_hash) != 32:
            raise FieldError("name_hash", self.name_hash.hex(), "32 bytes")

    @classmethod
    def of_struct(cls, struct: Sequence[Any]) -> PackageTerms:
        """The terms of the struct that ``as_struct`` gives."""
        values = list(struct)
        values[4], values[12] = tuple(Band(*band) for band in struct[4]), bytes(struct[12])
        return cls(*values)

    def as_struct(self) -> tuple[Any, ...]:
        """The terms as ``publish`` takes them."""
        bands = [tuple(band) for band in self.bands]
        return (
            self.community, self.product, self.feed_in, self.spot, bands, self.volume, self.homes,
            self.first_day, self.last_day, self.daily_fee, self.notice_days, self.green_permille,
            self.name_hash,
        )  # fmt: skip

    def check(self, rules: Rules) -> None:
        """Refuse what ``publish`` would refuse under the ``rules`` of the first day.

        Raises
        ------
        FieldError
            The product is not traded, the bands do not end with the day, or a price is beyond ± the short cap.
        """
        if not rules.products >> self.product & 1:
            raise FieldError("product", self.product, "a product of the community")
        within("end of the last band", self.bands[-1].until_slot, rules.slots_per_day, rules.slots_per_day)
        for band in self.bands:
            within("price of a band", band.price, -rules.short_cap, rules.short_cap)

    def price_at(self, slot_of_day: int, spot: int | None, cap: int) -> PackagePrice:
        """What the package says about a slot; nothing where it follows a reference price that is missing.

        Parameters
        ----------
        spot : int or None
            Reference price of the slot. [micro-token/kWh]
        cap : int
            Bound of every price of the package, as published. [micro-token/kWh]
        """
        price = next(band.price for band in self.bands if slot_of_day < band.until_slot)
        if self.spot:
            if spot is None:
                return NO_PACKAGE
            price = max(-cap, min(price + spot, cap))
        return PackagePrice(price, self.volume or U32)


@dataclass(frozen=True, slots=True)
class PackageChoice:
    """A home's choice of ``package`` (0 for none) from ``from_day`` on, to be brought until ``valid_to`` [Unix s]."""

    account: int
    product: int
    feed_in: bool
    package: int
    from_day: int
    valid_to: int

    def __post_init__(self) -> None:
        within("account", self.account, 1, U32)
        within("product", self.product, 0, U8)
        within("package", self.package, 0, U32)
        within("from_day", self.from_day, 0, U32)
        within("valid_to", self.valid_to, 0, U64)

    def digest(self, domain: Domain) -> bytes:
        """What is signed; ``domain`` is that of ``PricePackages``."""
        fields = words(self.account, self.product, self.feed_in, self.package, self.from_day, self.valid_to)
        return struct_digest(domain, _CHOICE + fields)


class Package(NamedTuple):
    """A published package: who promised it, its terms, and the bound of its prices [micro-token/kWh]."""

    retailer: int
    terms: PackageTerms
    cap: int


class PackageBook:
    """The packages of one community and who has which, from the events of ``PricePackages`` in order.

    Packages of other communities do no harm; no account of this one has them.

    Parameters
    ----------
    retailer_on : callable
        Account of the community's retailer on a trading day. A package binds only who published it.
    """

    def __init__(self, retailer_on: Callable[[int], int]) -> None:
        self._retailer_on = retailer_on
        self.packages: dict[int, Package] = {}
        self.withdrawn: set[int] = set()
        self._taken: dict[int, int] = {}
        self._vacated: dict[int, list[int]] = {}
        self._histories: dict[tuple[int, int, bool], tuple[list[int], list[int]]] = {}

    def publish(self, package: int, retailer: int, cap: int, terms: PackageTerms) -> None:
        """``PackagePublished``."""
        self.packages[package] = Package(retailer, terms, cap)
        self._taken[package], self._vacated[package] = 0, []

    def withdraw(self, package: int) -> None:
        """``PackageWithdrawn``: nobody may choose it any more."""
        self.withdrawn.add(package)

    def subscribe(self, account: int, package: int, from_day: int) -> None:
        """``Subscribed``: a home without a package has one from a day on."""
        self._taken[package] += 1
        self._append(account, package, package, from_day)

    def switch(self, account: int, package: int, previous: int, from_day: int) -> None:
        """``Switched``: a home has another package from a day on."""
        self._vacated[previous].append(from_day)
        self.subscribe(account, package, from_day)

    def leave(self, account: int, package: int, from_day: int) -> None:
        """``Left``: a home has no package any more from a day on."""
        self._vacated[package].append(from_day)
        self._append(account, 0, package, from_day)

    def latest(self, account: int, product: int, feed_in: bool) -> tuple[int, int]:
        """Newest choice of an account, 0 for none, and the day from which it counts, which may be ahead."""
        days, numbers = self._histories.get((account, product, feed_in), ([0], [0]))
        return numbers[-1], days[-1]

    def package_at(self, account: int, product: int, feed_in: bool, day: int) -> int:
        """Package that an account has on a day, 0 for none."""
        days, numbers = self._histories.get((account, product, feed_in), ([], []))
        index = bisect_right(days, day)
        return numbers[index - 1] if index else 0

    def places_left(self, package: int, from_day: int) -> int:
        """Homes that can still choose a package from a day on."""
        terms = self.packages[package].terms
        if package in self.withdrawn or not terms.first_day <= from_day <= terms.last_day:
            return 0
        vacated = sum(day <= from_day for day in self._vacated[package])
        return max(terms.homes + vacated - self._taken[package], 0)

    def earliest(self, account: int, product: int, feed_in: bool, package: int, today: int) -> int:
        """First day from which an account may have ``package`` (0 for none) by a choice of ``today``.

        The first gate of that day must not have passed either. Until an earlier choice counts there is no other;
        then the day is that of a choice on the day on which it does.
        """
        days, _ = self._histories.get((account, product, feed_in), ([], []))
        start = max(today, days[-1]) if days else today
        earliest = start + 1
        if package:
            terms = self.packages[package].terms
            earliest = max(start + terms.notice_days, terms.first_day)
        current = self.package_at(account, product, feed_in, start)
        if current:
            ends = self.packages[current].terms
            earliest = max(earliest, min(start + ends.notice_days, ends.last_day + 1))
        return earliest

    def prices_at(
        self, account: int, product: int, day: int, slot_of_day: int, spot: int | None
    ) -> HomePackages:
        """What covers a home's import and feed-in of a slot, and the fee of both in the first slot of the day.

        Parameters
        ----------
        spot : int or None
            Reference price of the slot, None where none was reported. [micro-token/kWh]
        """
        supply, feed_in = (self._counting(account, product, side, day) for side in (False, True))
        fee = sum(package.terms.daily_fee for package in (supply, feed_in) if package and not slot_of_day)
        return HomePackages(_price(supply, slot_of_day, spot), _price(feed_in, slot_of_day, spot), fee)

    def _counting(self, account: int, product: int, feed_in: bool, day: int) -> Package | None:
        number = self.package_at(account, product, feed_in, day)
        if not number:
            return None
        package = self.packages[number]
        in_window = package.terms.first_day <= day <= package.terms.last_day
        return package if in_window and package.retailer == self._retailer_on(day) else None

    def _append(self, account: int, number: int, known: int, from_day: int) -> None:
        """``account`` has package ``number`` from a day on; ``known`` tells product and direction."""
        terms = self.packages[known].terms
        days, numbers = self._histories.setdefault((account, terms.product, terms.feed_in), ([], []))
        days.append(from_day)
        numbers.append(number)


def _price(package: Package | None, slot_of_day: int, spot: int | None) -> PackagePrice:
    return package.terms.price_at(slot_of_day, spot, package.cap) if package else NO_PACKAGE
