"""Price packages in JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from otaniemi.contracts.rules.price_packages import Band, PackageChoice, PackageTerms
from otaniemi.platform.api.form import I32, U8, U32, U64, Form, Hash, Signature, fields_of, from_hex, to_hex
from otaniemi.platform.services.packages import HomeSide, PackageState

MOST_NAME = 80

_SAME = (
    "product",
    "feed_in",
    "spot",
    "volume",
    "homes",
    "first_day",
    "last_day",
    "daily_fee",
    "notice_days",
    "green_permille",
)
"""Terms that the answer has under the same names."""


class ChoiceForm(Form):
    """A signed choice of a package (typed data ``PackageChoice``)."""

    account: Annotated[U32, Field(ge=1)]
    product: U8
    feed_in: Annotated[bool, Field(description="of what the home gives, not of what it takes")]
    package: Annotated[U32, Field(description="number of a package, 0 to leave")]
    from_day: Annotated[U32, Field(description="first trading day")]
    valid_to: Annotated[U64, Field(description="Unix time")]
    signature: Signature

    def choice(self) -> PackageChoice:
        """The choice without its signature."""
        return PackageChoice(**self.model_dump(exclude={"signature"}))

    @classmethod
    def of(cls, choice: PackageChoice, signature: bytes) -> ChoiceForm:
        """The form of a signed choice."""
        return cls(**fields_of(choice), signature=to_hex(signature))


class NameForm(Form):
    """What a package is called; its terms hold the Keccak of it."""

    name: Annotated[str, Field(min_length=1, max_length=MOST_NAME)]


class BandView(Form):
    """A part of every day up to, without, slot ``until_slot`` of the day, and its price."""

    until_slot: int
    price: I32


class PackageView(Form):
    """A published package; its prices are added to the reference price where ``spot`` says so.

    ``volume`` is the energy of a slot that it covers, 0 for any. ``from_day`` is the first day on which whoever asked
    can have it, and ``places_left`` those of that day.
    """

    package: int
    name: str | None
    retailer: int
    product: int
    feed_in: bool
    spot: bool
    bands: tuple[BandView, ...]
    volume: int
    homes: int
    places_left: int
    from_day: int
    first_day: int
    last_day: int
    daily_fee: Annotated[int, Field(description="[nano-token]")]
    notice_days: int
    green_permille: int
    name_hash: Annotated[Hash, Field(description="Keccak of the name")]
    withdrawn: bool

    def terms(self, community: int) -> PackageTerms:
        """What was published."""
        bands = tuple(Band(band.until_slot, band.price) for band in self.bands)
        same = {name: getattr(self, name) for name in _SAME}
        return PackageTerms(community=community, bands=bands, name_hash=from_hex(self.name_hash), **same)

    @classmethod
    def of(cls, state: PackageState) -> PackageView:
        terms = state.package.terms
        return cls(
            package=state.number,
            name=state.name,
            retailer=state.package.retailer,
            bands=tuple(BandView(**band._asdict()) for band in terms.bands),
            places_left=state.places_left,
            from_day=state.from_day,
            withdrawn=state.withdrawn,
            name_hash=to_hex(terms.name_hash),
            **{name: getattr(terms, name) for name in _SAME},
        )


class HomeSideView(Form):
    """What a home has for its import or its feed-in: ``package`` today, ``next_package`` by its newest choice.

    That choice counts from ``next_from`` on, which may be past. From ``leave_from`` on the home can be without one.
    """

    product: int
    feed_in: bool
    package: int
    next_package: int
    next_from: int
    leave_from: int

    @classmethod
    def of(cls, side: HomeSide) -> HomeSideView:
        return cls(**fields_of(side))
