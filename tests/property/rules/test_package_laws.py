"""What retailers' packages cannot do, whatever their prices: reward a wrong nomination, or energy that no meter saw."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from otaniemi.contracts.rules.packages import (
    NO_PACKAGES,
    HomePackages,
    PackagePrice,
    bounded,
    retail_money,
)
from otaniemi.contracts.rules.tariffs import SlotTariff, slot_tariffs

PRICE = st.integers(-20, 40)
VOLUME = st.sampled_from([0, 1, 2, 2**32 - 1])
ENERGIES = range(-3, 4)

packages = st.builds(
    HomePackages, st.builds(PackagePrice, PRICE, VOLUME), st.builds(PackagePrice, PRICE, VOLUME), st.just(0)
)


@st.composite
def tariffs(draw: st.DrawFn) -> SlotTariff:
    """Any prices the oracle accepts, negative ones too."""
    feed_in, import_price = sorted((draw(PRICE), draw(PRICE)))
    return slot_tariffs([(import_price, feed_in)], [(draw(PRICE), draw(PRICE))])[0]


def _cost(trade: int, schedule: int, meter: int, tariff: SlotTariff, home: HomePackages) -> int:
    """Retail and imbalance of a slot. [nano-token]"""
    billed, deviation = bounded(tariff, home), meter - schedule
    retail = retail_money(schedule - trade, meter, billed, home)
    return retail + deviation * (billed.short if deviation > 0 else billed.long)


def _retail(trade: int, meter: int, tariff: SlotTariff, home: HomePackages) -> int:
    """Retail of a slot whose schedule is the truth. [nano-token]"""
    return retail_money(meter - trade, meter, bounded(tariff, home), home)


@settings(max_examples=300)
@given(tariff=tariffs(), home=packages)
def test_no_wrong_nomination_beats_the_truth(tariff: SlotTariff, home: HomePackages) -> None:
    for trade, meter in product(ENERGIES, ENERGIES):
        truth = _cost(trade, meter, meter, tariff, home)
        assert all(truth <= _cost(trade, schedule, meter, tariff, home) for schedule in ENERGIES)


@settings(max_examples=100)
@given(tariff=tariffs(), home=packages)
def test_without_metered_energy_no_package_earns_anything(tariff: SlotTariff, home: HomePackages) -> None:
    for trade in ENERGIES:
        assert _retail(trade, 0, tariff, home) >= _retail(trade, 0, tariff, NO_PACKAGES)


@settings(max_examples=100)
@given(tariff=tariffs(), home=packages)
def test_selling_more_than_is_left_of_a_package_costs_the_import_price(
    tariff: SlotTariff, home: HomePackages
) -> None:
    for meter in range(4):
        for sold in range(4):
            more = _retail(-sold - 1, meter, tariff, home) - _retail(-sold, meter, tariff, home)
            assert more == tariff.import_price


@settings(max_examples=150)
@given(tariff=tariffs(), homes=st.tuples(packages, packages))
def test_passing_energy_between_own_accounts_beats_no_single_meter_while_feed_in_is_the_cheaper(
    tariff: SlotTariff, homes: tuple[HomePackages, HomePackages]
) -> None:
    supply = min([tariff.import_price, *[home.supply.price for home in homes if home.supply.volume]])
    feed_in = max([tariff.feed_in, *[home.feed_in.price for home in homes if home.feed_in.volume]])
    if feed_in > supply:
        return
    for first, second, passed in product(ENERGIES, ENERGIES, ENERGIES):
        paid = _retail(passed, first, tariff, homes[0]) + _retail(-passed, second, tariff, homes[1])
        net = first + second
        assert paid >= net * (supply if net > 0 else feed_in)
