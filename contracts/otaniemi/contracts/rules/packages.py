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


def covered_wh(residual: int, meter_wh: int, packages: HomePackages) -> int:
    """Energy of ``residual`` Wh, schedule less trade, that a package prices; see ``retail_money``. [Wh]"""
    if residual >= 0:
        return min(residual, packages.supply.volume, max(meter_wh, 0))
    return min(-residual, packages.feed_in.volume, max(-meter_wh, 0))


def retail_money(residual: int, meter_wh: int, tariff: SlotTariff, packages: HomePackages) -> int:
    """What the retailer is paid for ``residual`` Wh, schedule less trade; ``tariff`` is ``bounded`` [nano-token].

    A package covers no more than was metered, so that nobody resells what it makes cheap. Feed-in is paid up to the
    metered export, by the package first; energy beyond it at the long price.
    """
    covered = covered_wh(residual, meter_wh, packages)
    if residual >= 0:
        return covered * packages.supply.price + (residual - covered) * tariff.import_price
    paid = min(-residual, max(-meter_wh, 0))
    credit = (
        covered * packages.feed_in.price
        + (paid - covered) * tariff.feed_in
        + (-residual - paid) * tariff.long
    )
    return -credit
