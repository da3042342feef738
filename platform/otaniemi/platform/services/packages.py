"""Price packages: what the retailer offers, what homes have of it, and their signed choices on the way to the chain."""

from __future__ import annotations

from dataclasses import dataclass

from otaniemi.contracts.chain.forms.packages import replay
from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.calendar import day_at, tariff_deadline
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.price_packages import Package, PackageBook, PackageChoice
from otaniemi.platform.services.admission import NotFoundError
from otaniemi.platform.services.choices import check_choice
from otaniemi.platform.services.gateway import Gateway
from otaniemi.platform.store import packages as store


@dataclass(frozen=True, slots=True)
class PackageState:
    """A published package.

    Attributes
    ----------
    name : str or None
        None where nobody has told it.
    from_day : int
        First trading day on which the account that asks, or a home without packages, can have it.
    places_left : int
        On that day.
    """

    number: int
    package: Package
    name: str | None
    withdrawn: bool
    from_day: int
    places_left: int


@dataclass(frozen=True, slots=True)
class HomeSide:
    """What a home has of one product in one direction.

    Attributes
    ----------
    package : int
        Today, 0 for none.
    next_package, next_from : int
        The newest choice and the trading day from which it counts, perhaps in the past; 0 without one.
    leave_from : int
        First trading day on which the home can be without.
    """

    product: int
    feed_in: bool
    package: int
    next_package: int
    next_from: int
    leave_from: int


class PackageService:
    """The packages of one community.

    Parameters
    ----------
    gateway : Gateway
    relayer : Key
        Who pays the gas of the homes' choices.
    """

    def __init__(self, gateway: Gateway, relayer: Key) -> None:
        self._gateway, self._relayer = gateway, relayer
        self._contract = gateway.contracts.price_packages

    def offered(self, account: int | None = None) -> list[PackageState]:
        """Every package of the community, as ``account`` or a home without packages can have it.

        Raises
        ------
        NotFoundError
            There is no such account.
        """
        if account is not None:
            self._require(account)
        book = self._book()
        with self._gateway.store.read() as transaction:
            names = store.names(transaction)
        found = []
        for number, package in book.packages.items():
            if package.terms.community != self._gateway.community:
                continue
            from_day = self._earliest(
                book, account or 0, package.terms.product, package.terms.feed_in, number
            )
            withdrawn, left = number in book.withdrawn, book.places_left(number, from_day)
            name = names.get(package.terms.name_hash)
            found.append(PackageState(number, package, name, withdrawn, from_day, left))
        return found

    def of_home(self, account: int) -> list[HomeSide]:
        """What a home has for its import and its feed-in of every product.

        Raises
        ------
        NotFoundError
            There is no such account.
        """
        self._require(account)
        book, sides = self._book(), list[HomeSide]()
        for product in self._gateway.rules.traded:
            for feed_in in (False, True):
                today = book.package_at(account, product, feed_in, self._today)
                latest = book.latest(account, product, feed_in)
                leave_from = self._earliest(book, account, product, feed_in, 0)
                sides.append(HomeSide(product, feed_in, today, *latest, leave_from))
        return sides

    def choose(self, choice: PackageChoice, signature: bytes) -> list[HomeSide]:
        """Bring a signed choice to the chain; one that stands there already changes nothing.

        Raises
        ------
        NotFoundError
            There is no such account.
        RefusedError
            The first field that is in the way.
        ChainError
            The chain refuses it.
        """
        gateway, book = self._gateway, self._book()
        with gateway.store.read() as transaction:
            member = gateway.member(transaction, choice.account)
        latest = book.latest(choice.account, choice.product, choice.feed_in)
        if latest != (choice.package, choice.from_day):
            now, domain = gateway.clock.now, self._contract.domain
            check_choice(choice, signature, book, member, gateway.rules, domain, now)
            gateway.send([(self._relayer, self._contract.choose_signed(choice, signature))])
        return self.of_home(choice.account)

    def tell_name(self, name: str) -> list[PackageState]:
        """Note what packages are called; those with the hash of ``name``.

        Raises
        ------
        NotFoundError
            No package has it.
        """
        known = [state for state in self.offered() if state.package.terms.name_hash == keccak(name.encode())]
        if not known:
            raise NotFoundError("package with the name", name)
        with self._gateway.store.begin() as transaction:
            store.add_name(transaction, name)
        return [state for state in self.offered() if state.name == name]

    @property
    def _today(self) -> int:
        return day_at(self._gateway.rules, self._gateway.clock.now)

    def _earliest(self, book: PackageBook, account: int, product: int, feed_in: bool, package: int) -> int:
        """First day from which the account can have ``package``, its first gate being still ahead."""
        gateway = self._gateway
        day = book.earliest(account, product, feed_in, package, self._today)
        while gateway.clock.now >= tariff_deadline(gateway.rules, day):
            day += 1
        return day

    def _book(self) -> PackageBook:
        gateway = self._gateway
        gateway.catch_up()
        book = PackageBook(lambda _: gateway.rules.retailer)
        with gateway.store.read() as transaction:
            for event in gateway.events_of(transaction, self._contract.name):
                replay(book, event)
        return book

    def _require(self, account: int) -> None:
        with self._gateway.store.read() as transaction:
            self._gateway.member(transaction, account)
