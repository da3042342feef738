"""Price packages: what a retailer offers, and which of it pays for a home.

Retailer and homes expect the spot prices of the days as they will be published.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise, product

from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.packages import NO_PACKAGE, HomePackages
from otaniemi.contracts.rules.price_packages import Band, PackageTerms
from otaniemi.contracts.rules.units import NANO_PER_TOKEN
from otaniemi.optimizer.house import House, Tariff
from otaniemi.optimizer.program.choices import Choices
from otaniemi.optimizer.trading.home_model import HomeModel
from otaniemi.platform.agents.house import choose, eur, expected_house, planned_day
from otaniemi.platform.data.scenario import HOUR, IntArray, TradingDay
from otaniemi.platform.forecast import Forecaster

DISCOUNT = 5_000
"""Off the margin of the standard tariff, for those who pay the daily fee. [micro-token/kWh]"""
DAILY_FEE = 30_000_000
"""Of the package that follows the spot price. [nano-token]"""
RISK_PERCENT = 15
"""Onto the prices of bands and off those of flat feed-in: who can shift its energy takes the cheap side of a mean."""
BANDS = 5
"""Parts of the day with a price of their own."""
PLACES = 1_000
"""Homes that can have a package, for whoever joins the community."""
WORTHWHILE = 5_000_000
"""A home changes for a gain of at least so much a day. [nano-token]"""


@dataclass(frozen=True)
class Choice:
    """The packages of a home by name, None for the standard tariff."""

    supply: str | None
    feed_in: str | None


STANDARD = Choice(None, None)


def retail_range(
    day: TradingDay, community: int, carrier: int, first_day: int, last_day: int
) -> Mapping[str, PackageTerms]:
    """What the retailer publishes for the trading days from ``first_day`` to ``last_day``, by name.

    "spot": the spot price and a margin lower than the standard one, for a daily fee. "bands": a price for every part
    of the day, the mean of its standard prices and a premium for the risk. "sun": a flat price for feed-in, the mean
    of the standard ones less such a premium.
    """
    prices, per_hour = day.prices, HOUR // day.slot_seconds
    margin = int((prices.import_micro - prices.spot_micro).min()) - DISCOUNT
    edges = [hour * per_hour for hour in _edges(prices.import_micro[::per_hour])]
    bands = tuple(
        [
            Band(end, _mean(prices.import_micro[start:end]) * (100 + RISK_PERCENT) // 100)
            for start, end in pairwise(edges)
        ]
    )
    flat = (Band(day.slots, _mean(prices.feed_in_micro) * (100 - RISK_PERCENT) // 100),)
    offers = {
        "spot": (False, True, (Band(day.slots, margin),), DAILY_FEE, 0),
        "bands": (False, False, bands, 0, 0),
        "sun": (True, False, flat, 0, 1000),
    }
    return {
        name: PackageTerms(
            community=community,
            product=carrier,
            feed_in=feed_in,
            spot=spot,
            bands=bands,
            volume=0,
            homes=PLACES,
            first_day=first_day,
            last_day=last_day,
            daily_fee=fee,
            notice_days=1,
            green_permille=green,
            name_hash=keccak(name.encode()),
        )
        for name, (feed_in, spot, bands, fee, green) in offers.items()
    }


def choose_package(
    house: House, choices: Choices, day: TradingDay, offers: Mapping[str, PackageTerms]
) -> Choice:
    """The packages with which a home expects to pay least, the standard tariff unless the gain is worthwhile."""
    supplies = [None, *(name for name, terms in offers.items() if not terms.feed_in)]
    feed_ins = [None, *(name for name, terms in offers.items() if terms.feed_in)]
    costs: dict[Choice, int] = {}
    for names in product(supplies, feed_ins):
        choice = Choice(*names)
        packages = packages_of(choice, offers, day)
        planned = planned_day(day, packages)
        if (planned.prices.feed_in_micro > planned.prices.import_micro).any():
            continue  # to buy and feed in at once would pay
        tariff = Tariff(eur(planned.prices.import_micro), eur(planned.prices.feed_in_micro))
        value = HomeModel(replace(house, tariff=tariff), choices).solve().value_eur
        costs[choice] = round(value * NANO_PER_TOKEN) + packages[0].daily_fee
    best = min(costs, key=lambda choice: costs[choice])
    return best if costs[best] + WORTHWHILE <= costs[STANDARD] else STANDARD


def choose_packages(
    day: TradingDay, forecaster: Forecaster, known: int, offers: Mapping[str, PackageTerms]
) -> list[Choice]:
    """The packages of every home of a day when ``known`` slots have ended."""
    houses = [expected_house(day, home, forecaster, known) for home in range(len(day.homes))]
    return [choose_package(house, choose(house), day, offers) for house in houses]


def in_effect(
    choices: Iterable[Choice], offers: Mapping[str, PackageTerms], day: TradingDay
) -> list[list[HomePackages] | None]:
    """What the homes' choices mean on a day, None where a home has the standard tariff."""
    return [None if choice == STANDARD else packages_of(choice, offers, day) for choice in choices]


def packages_of(choice: Choice, offers: Mapping[str, PackageTerms], day: TradingDay) -> list[HomePackages]:
    """What a choice means in every slot of a day."""
    cap = 2**31 - 1
    chosen = [offers[name] if name else None for name in (choice.supply, choice.feed_in)]
    spots = day.prices.spot_micro.tolist()
    found = []
    for slot in range(day.slots):
        supply, feed_in = (
            terms.price_at(slot, spots[slot], cap) if terms else NO_PACKAGE for terms in chosen
        )
        fee = sum(terms.daily_fee for terms in chosen if terms) if slot == 0 else 0
        found.append(HomePackages(supply, feed_in, fee))
    return found


def _edges(hourly: IntArray) -> tuple[int, ...]:
    """Hours at which `BANDS` parts of the day begin, and its end: those within which prices differ least.

    A price that hid dear hours among cheap ones would be taken by the homes that need the dear ones, and would let
    them pass by neighbours who have energy for less than those hours cost.
    """
    best: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, (0,))}
    for _ in range(BANDS):
        best = {
            end: min(
                (
                    best[start][0] + float(hourly[start:end].var()) * (end - start),
                    (*best[start][1], end),
                )
                for start in best
                if start < end
            )
            for end in range(1, hourly.size + 1)
            if min(best) < end
        }
    return best[hourly.size][1]


def _mean(prices: IntArray) -> int:
    return int(prices.sum()) // prices.size
