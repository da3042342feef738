"""Price packages."""

from __future__ import annotations

from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.calendar import Product
from otaniemi.contracts.rules.errors import FieldError
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.price_packages import PackageChoice, PackageTerms
from otaniemi.contracts.rules.signing import sign
from otaniemi.platform.api.packages.messages import (
    ChoiceForm,
    HomeSideView,
    NameForm,
    PackageView,
)
from otaniemi.platform.client.connection import Connection

CHOICE_GOOD_FOR = 3_600
"""How long a signed choice may be brought to the chain. [s]"""


class Packages(Connection):
    """What a retailer offers, and what a home has of it."""

    def packages(self, account: int | None = None) -> list[PackageView]:
        """Every published package; with ``account``, from when on that home can have it."""
        return self._get(list[PackageView], "packages", account=account)

    def packages_of(self, account: int) -> list[HomeSideView]:
        """What a home has for its import, and for its feed-in, of every product."""
        return self._get(list[HomeSideView], f"accounts/{account}/packages")

    def choose_package(
        self, key: Key, account: int, package: int, from_day: int | None = None, directly: bool = False
    ) -> list[HomeSideView]:
        """Sign a choice and have it brought to the chain: to take a package, or one in place of another.

        Parameters
        ----------
        key : Key
            The owner's, or a device key that nothing limits.
        package : int
            Number of the package.
        from_day : int, optional
            First trading day of it; the first possible one when left out. Who has chosen the package already, has it.
        directly : bool
            In a transaction of one's own, for which ``key`` pays.

        Raises
        ------
        FieldError
            There is no such package.
        """
        wanted = self._package(package, account)
        return self._choose(
            key,
            account,
            self._side(account, wanted.product, wanted.feed_in),
            package,
            from_day,
            wanted.from_day,
            directly,
        )

    def leave_package(
        self,
        key: Key,
        account: int,
        feed_in: bool = False,
        from_day: int | None = None,
        directly: bool = False,
        product: int = Product.ELECTRICITY,
    ) -> list[HomeSideView]:
        """Sign that a home gives up its package of a direction; parameters as `choose_package`."""
        side = self._side(account, product, feed_in)
        return self._choose(key, account, side, 0, from_day, side.leave_from, directly)

    def publish_package(self, key: Key, terms: PackageTerms, name: str) -> PackageView:
        """Publish a package in the retailer's transaction, and tell its name; one that is offered already is that one.

        Parameters
        ----------
        key : Key
            The retailer's; it pays the gas.
        terms : PackageTerms
            With the Keccak of ``name``.
        """
        if terms.name_hash != keccak(name.encode()):
            raise FieldError("name_hash", terms.name_hash.hex(), f"the Keccak of {name!r}")
        if self._offered(terms) is None:
            self._transact(key, "PricePackages", "publish", terms.as_struct())
        self._post(list[PackageView], "packages/names", NameForm(name=name))
        published = self._offered(terms)
        assert published is not None
        return published

    def withdraw_package(self, key: Key, package: int) -> PackageView:
        """Take a package off the market in the retailer's transaction; who has it keeps it."""
        if not self._package(package).withdrawn:
            self._transact(key, "PricePackages", "withdraw", package)
        return self._package(package)

    def _choose(
        self,
        key: Key,
        account: int,
        newest: HomeSideView,
        package: int,
        from_day: int | None,
        earliest: int,
        directly: bool,
    ) -> list[HomeSideView]:
        """Choose in place of the ``newest`` choice, unless that is the one."""
        if newest.next_package == package and from_day in (None, newest.next_from):
            return self.packages_of(account)
        first = earliest if from_day is None else from_day
        if directly:
            self._choose_directly(key, account, newest, package, first)
            return self.packages_of(account)
        valid_to = int(self.community().now.timestamp()) + CHOICE_GOOD_FOR
        choice = PackageChoice(account, newest.product, newest.feed_in, package, first, valid_to)
        signature = sign(key.secret, choice.digest(self._domain("PricePackages")))
        return self._post(list[HomeSideView], "packages/choices", ChoiceForm.of(choice, signature))

    def _choose_directly(
        self, key: Key, account: int, newest: HomeSideView, package: int, from_day: int
    ) -> None:
        if package:
            function = "switchTo" if newest.next_package else "subscribe"
            self._transact(key, "PricePackages", function, account, package, from_day)
        else:
            where = account, newest.product, newest.feed_in
            self._transact(key, "PricePackages", "unsubscribe", *where, from_day)

    def _side(self, account: int, product: int, feed_in: bool) -> HomeSideView:
        """What a home has of a product in a direction."""
        sides = {(side.product, side.feed_in): side for side in self.packages_of(account)}
        if (product, feed_in) not in sides:
            traded = sorted({side.product for side in sides.values()})
            raise FieldError("product", product, f"one of {', '.join(map(str, traded))}")
        return sides[product, feed_in]

    def _offered(self, terms: PackageTerms) -> PackageView | None:
        """The newest package of these terms that is still offered."""
        found = [view for view in self.packages() if view.terms(terms.community) == terms]
        return next((view for view in reversed(found) if not view.withdrawn), None)

    def _package(self, package: int, account: int | None = None) -> PackageView:
        offered = {view.package: view for view in self.packages(account)}
        if package not in offered:
            raise FieldError("package", package, f"one of {', '.join(map(str, offered)) or 'none'}")
        return offered[package]
