"""Clearing of one book: seconds against a plain numpy sort and sweep of the same book in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypedDict, TypeVar, cast

import numpy as np

from otaniemi.contracts.rules.books import DEFAULT_BAND
from otaniemi.contracts.rules.clearing import clear
from otaniemi.contracts.rules.orders import Book

SIZES = (1_000, 10_000, 100_000)
SEED = 7
RIVALS_SOURCE = (
    "measured on 2026-11-20 on 2 vCPU with Python 3.11, the matching call alone, on books drawn like these: "
    "HAMLET 22a03a4, lemlab 43670aa, ASSUME b0a4943, gsy-e ab358e7"
)
RIVALS: dict[str, tuple[float | None, float | None, float | None]] = {
    "HAMLET pda (polars)": (0.003, 0.017, 0.25),
    "lemlab pda (pandas)": (0.027, 0.115, 1.88),
    "lemlab preference clearing": (5.7, 8.6, None),
    "ASSUME pay-as-clear": (0.006, 1.90, None),
    "gsy-e pay-as-clear": (0.072, 10.8, None),
    "gsy-e pay-as-bid": (0.63, None, None),
}
"""Seconds for 1,000, 10,000 and 100,000 orders; None where it took over 120 s or was not measured."""

_REPEATS = 7

_T = TypeVar("_T")


class ClearingRow(TypedDict):
    """One size: seconds are the best of several runs, ``ratio`` is ours to sort-and-sweep's."""

    orders: int
    seconds: float
    sort_and_sweep_seconds: float
    ratio: float
    volume_wh: int
    volumes_equal: bool
    rivals_seconds: dict[str, float | None]


class ClearingBenchmark(TypedDict):
    """What ``otaniemi bench clearing`` prints."""

    seed: int
    rows: list[ClearingRow]
    rivals_source: str


class Sweep(NamedTuple):
    """What the plain numpy way finds: traded energy [Wh] and the marginal bid and offer, None without trade."""

    volume: int
    bid: int | None
    offer: int | None


def bench_clearing(sizes: Sequence[int] = SIZES, seed: int = SEED) -> ClearingBenchmark:
    """Clear one random book per size, ours and by sort and sweep in turns.

    Parameters
    ----------
    sizes : sequence of int
        Orders per book.
    seed : int
        Of the books: integer prices of 40,000 to 400,000 micro-token/kWh, 1 to 999 Wh, half of them bids.
    """
    return ClearingBenchmark(
        seed=seed, rows=[_row(size, seed) for size in sizes], rivals_source=RIVALS_SOURCE
    )


def random_book(size: int, seed: int) -> Book:
    """A book of ``size`` orders, half of them bids, in random order of arrival."""
    draw = np.random.default_rng(seed)
    buy = draw.permutation(np.arange(size) < size // 2)
    return Book.of_columns(buy, draw.integers(40_000, 400_001, size), draw.integers(1, 1_000, size))


def sort_and_sweep(book: Book) -> Sweep:
    """The plain numpy way: a stable sort per side, cumulative sums, and where the two curves meet."""
    bids, offers = np.flatnonzero(book.buy), np.flatnonzero(~book.buy)
    bids = bids[np.argsort(-book.price[bids], kind="stable")]
    offers = offers[np.argsort(book.price[offers], kind="stable")]
    bid_prices, offer_prices = book.price[bids], book.price[offers]
    demand, supply = np.cumsum(book.quantity[bids]), np.cumsum(book.quantity[offers])
    if not len(bids) or not len(offers) or bid_prices[0] < offer_prices[0]:
        return Sweep(0, None, None)
    # The curves change at these energies; the last one whose next Wh is still wanted is the volume.
    steps = np.sort(np.concatenate([demand, supply]))
    steps = steps[steps <= min(demand[-1], supply[-1])]
    bid_at = np.searchsorted(demand, steps, "left")
    offer_at = np.searchsorted(supply, steps, "left")
    last = np.flatnonzero(bid_prices[bid_at] >= offer_prices[offer_at])[-1]
    return Sweep(int(steps[last]), int(bid_prices[bid_at[last]]), int(offer_prices[offer_at[last]]))


def _row(size: int, seed: int) -> ClearingRow:
    book = random_book(size, seed)
    seconds, result = _best(lambda: clear(book, -DEFAULT_BAND, DEFAULT_BAND))
    plain_seconds, plain = _best(lambda: sort_and_sweep(book))
    column = SIZES.index(size) if size in SIZES else None
    return ClearingRow(
        orders=size,
        seconds=seconds,
        sort_and_sweep_seconds=plain_seconds,
        ratio=seconds / plain_seconds,
        volume_wh=result.volume,
        volumes_equal=result.volume == plain.volume,
        rivals_seconds={} if column is None else {name: times[column] for name, times in RIVALS.items()},
    )


def _best(call: Callable[[], _T]) -> tuple[float, _T]:
    """Shortest time of several calls, and what the last one returned."""
    shortest, value = float("inf"), None
    for _ in range(_REPEATS):
        started = time.perf_counter()
        value = call()
        shortest = min(shortest, time.perf_counter() - started)
    return shortest, cast("_T", value)
