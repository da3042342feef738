"""Packages of a retailer as the bills see them: what covers a home's retail energy of one slot (protocol section 7)."""

from __future__ import annotations

from typing import NamedTuple

from otaniemi.contracts.rules.tariffs import SlotTariff


class PackagePrice(NamedTuple):
    """A package in one slot: its price [micro-token/kWh] for up to ``volume`` [Wh], 0 without a package."""

    price: int
    volume: int


class HomePackages(NamedTuple):
    """What covers a home's import and its feed-in of one product and slot.

    ``daily_fee`` is of both together [nano-token]; it is 0 but in the first slot of the day.
    """

    supply: PackagePrice
    feed_in: PackagePrice
    daily_fee: int


NO_PACKAGE = PackagePrice(0, 0)
NO_PACKAGES = HomePackages(NO_PACKAGE, NO_PACKAGE, 0)


def bounded(tariff: SlotTariff, packages: HomePackages) -> SlotTariff:
    """The tariff with imbalance prices that no package beats, so that misnominating never pays."""
    prices = [package.price for package in packages[:2] if package.volume]
    if not prices:
        return tariff
    return tariff._replace(short=max(tariff.short, *prices), long=min(tariff.long, *prices))


def retail_money(residual: int, meter_wh: int, tariff: SlotTariff, packages: HomePackages) -> int:
    """What the retailer is paid for ``residual`` Wh, schedule less trade; ``tariff`` is ``bounded`` [nano-token].

    A package covers no more than was metered, so that nobody resells what it makes cheap. Feed-in is paid up to the
    metered export, by the package first; energy beyond it at the long price.
    """
    (price, volume), (feed_in_price, feed_in_volume), _ = packages
    if residual >= 0:
        covered = min(residual, volume, max(meter_wh, 0))
        return covered * price + (residual - covered) * tariff.import_price
    paid = min(-residual, max(-meter_wh, 0))
    covered = min(paid, feed_in_volume)
    credit = covered * feed_in_price + (paid - covered) * tariff.feed_in + (-residual - paid) * tariff.long
    return -credit
