"""Matching of limit orders: how many a second an order book takes in."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from otaniemi.contracts.rules.order_book import Entry, OrderBook

SIZES = (1_000, 10_000, 100_000)
SEED = 7
ACCOUNTS = 1_000


class OrderBookRow(TypedDict):
    """One size: what came, what traded and what stands in the end, and how quickly."""

    orders: int
    matches: int
    standing: int
    seconds: float
    orders_per_second: float


def bench_order_book(sizes: Sequence[int] = SIZES, seed: int = SEED) -> list[OrderBookRow]:
    """Feed random orders to a book, one after the other.

    Parameters
    ----------
    sizes : sequence of int
        Orders per book.
    seed : int
        Of the orders: normal prices around 100,000 micro-token/kWh, 1 to 999 Wh, half of them bids.
    """
    return [_row(size, seed) for size in sizes]


def _row(size: int, seed: int) -> OrderBookRow:
    draw, book, matches = np.random.default_rng(seed), OrderBook(), 0
    accounts, buys = draw.integers(0, ACCOUNTS, size), draw.random(size) < 0.5
    prices, quantities = draw.normal(100_000, 10_000, size).astype(int), draw.integers(1, 1_000, size)
    columns = (column.tolist() for column in (accounts, buys, prices, quantities))
    entries = [
        Entry(number, account, buy, price, 0, quantity, 0, 0)
        for number, (account, buy, price, quantity) in enumerate(zip(*columns, strict=True))
    ]
    start = time.perf_counter()
    for entry in entries:
        matches += len(book.add(entry))
    seconds = time.perf_counter() - start
    return OrderBookRow(
        orders=size, matches=matches, standing=len(book), seconds=seconds, orders_per_second=size / seconds
    )
