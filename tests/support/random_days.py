"""Random trading days: orders, positions, nominations, curtailed slots, packages, meters."""

from __future__ import annotations

import random
from dataclasses import replace

from otaniemi.contracts.rules.bills import DayFacts
from otaniemi.contracts.rules.calendar import Rules, first_slot
from otaniemi.contracts.rules.clearing import clear, void
from otaniemi.contracts.rules.meters import MeterLeaf
from otaniemi.contracts.rules.orders import Book, Market, Order
from otaniemi.contracts.rules.packages import HomePackages, PackagePrice
from otaniemi.contracts.rules.positions import Agreement, Position
from otaniemi.contracts.rules.schedules import Nomination

from .rules import HOURLY

RULES = replace(HOURLY, products=3, platform_fee=1_000, short_cap=600_000)
DAY = 20_000
ACCOUNTS = range(4, 11)
STRANGER = 99


def random_day(seed: int, rules: Rules = RULES) -> DayFacts:
    """A day of up to seven homes, two products and a few busy slots, the first and last among them."""
    draw = random.Random(seed)
    first = first_slot(rules, DAY)
    homes = sorted(draw.sample(ACCOUNTS, draw.randint(1, len(ACCOUNTS))))
    offsets = sorted({0, 23, *draw.sample(range(24), 3)})
    places = [(0, first + at) for at in offsets] + [(1, first + at) for at in offsets[:2]]
    markets = {}
    for product, slot in places:
        for session in range(2):
            if draw.random() < 0.8:
                book = _book(draw, homes, Market(1, product, slot, session))
                cleared = void(book) if draw.random() < 0.1 else clear(book, rules.price_min, rules.price_max)
                markets[Market(1, product, slot, session)] = book, cleared
    positions: dict[tuple[int, int], list[Position]] = {}
    for deal in range(draw.randint(0, 6) if len(homes) > 1 else 0):
        buyer, seller = draw.sample(homes, 2)
        # Slots next to one another: the first two of heat are metered wherever they are.
        product, slot = draw.choice(places)
        wh = (draw.randint(1, 4_000),)
        if (product, slot + 1) in places:
            wh = (draw.choice([0, 700]), draw.randint(1, 4_000))
        terms = draw.randint(1, 6), deal, draw.randint(-50_000, 300_000), draw.randint(0, 4), slot, wh
        agreement = Agreement(buyer, seller, *terms)
        for account, buy in ((buyer, True), (seller, False)):
            positions.setdefault((product, account), []).append(agreement.side(buy))
    return DayFacts(
        rules=rules,
        community=1,
        day=DAY,
        markets=markets,
        batches={product: _batches(draw, homes, product, first) for product in (0, 1)},
        meters={place: _leaves(draw, homes) for place in places},
        retail=[sorted(draw.choices(range(-20_000, 400_000), k=2))[::-1] for _ in range(24)],
        imbalance=[(draw.randint(0, 600_000), draw.randint(-50_000, 200_000)) for _ in range(24)],
        positions=positions,
        curtailments={place: draw.randrange(1_000) for place in places if draw.random() < 0.3},
        packages={
            (product, account, slot): _packages(draw, slot == first)
            for product, slot in places
            for account in homes
            if draw.random() < 0.5
        },
        strangers={STRANGER},
    )


def locks_of(facts: DayFacts) -> int:
    """What the day's orders and positions locked, as the contracts add it up."""
    rules, total = facts.rules, 0
    for book, _ in facts.markets.values():
        total += int(book.locks(rules).sum())
    for positions in facts.positions.values():
        for position in positions:
            fees = rules.grid_fee + rules.platform_fee
            bought = max(1, max(position.price, 0) + fees)
            sold = rules.short_cap + max(-position.price, 0)
            total += sum(position.wh) * (bought if position.buy else sold)
    return total


def _book(draw: random.Random, homes: list[int], market: Market) -> Book:
    orders = [
        Order(
            draw.choice(homes), *market, draw.randint(-5, 30) * 10_000, draw.randint(1, 5_000),
            draw.randint(0, 4), draw.random() < 0.5, index, 2**40,
        )
        for index in range(draw.randint(1, 12))
    ]  # fmt: skip
    return Book.of_orders(orders)


def _batches(draw: random.Random, homes: list[int], product: int, first: int) -> list[list[Nomination]]:
    return [
        [
            Nomination(
                draw.choice(homes), 1, product, first + start, draw.randint(1, 3),
                tuple(draw.choices(range(-6_000, 6_000), k=24 - start)),
            )
            for start in draw.choices(range(24), k=draw.randint(1, 4))
        ]
        for _ in range(draw.randint(0, 3))
    ]  # fmt: skip


def _leaves(draw: random.Random, homes: list[int]) -> list[MeterLeaf]:
    leaves = []
    for account in [*homes, *([STRANGER] if draw.random() < 0.2 else [])]:
        estimated = draw.random() < 0.2
        export = 0 if estimated else draw.choice([0, draw.randint(0, 5_000)])
        leaves.append(MeterLeaf(account, draw.randint(0, 5_000), export, int(estimated), draw.randbytes(32)))
    return leaves


def _packages(draw: random.Random, fee: bool) -> HomePackages:
    volumes = draw.choices([0, 300, 2**32 - 1], k=2)
    supply = PackagePrice(draw.randint(0, 400_000), volumes[0])
    feed_in = PackagePrice(draw.randint(-20_000, 300_000), volumes[1])
    return HomePackages(supply, feed_in, draw.randrange(10**9) if fee else 0)
