"""Clearing of a call auction at one price (protocol section 4).

With ``Q<=(p)`` the Wh of buys and sells together whose limit is at or below ``p`` and ``D`` the Wh of all
buys, ``S<=(p) - D>(p) = Q<=(p) - D`` and ``D>=(p) - S<(p) = D - Q<(p)``. So the lowest clearing price is the
lowest ``p`` with ``Q<=(p) >= D``, the highest is the highest ``p`` with ``Q<(p) <= D``, and one sort of all
limits finds both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from otaniemi.contracts.rules.errors import FieldError, within
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.merkle import levels_of, proof_of, root_of
from otaniemi.contracts.rules.orders import PRICE_BIAS, RECORD_BYTES, Book
from otaniemi.contracts.rules.units import IntArray

_QUANTITY_BITS = 32
_QUANTITY_MASK = 2**_QUANTITY_BITS - 1


@dataclass(frozen=True, slots=True, eq=False)
class Clearing:
    """Outcome of a market.

    Attributes
    ----------
    lo, hi : int
        Lowest and highest clearing price [micro-token/kWh]; unique, also where nothing trades.
    price : int
        ``(lo + hi) >> 1``. Nothing is paid at it when ``volume`` is 0.
    volume : int
        Traded energy [Wh], bought and sold alike.
    demand_above, supply_below : int
        Buys with a limit above, sells with a limit below ``price`` [Wh].
    fills : array, shape (n,)
        Traded energy of each record [Wh].
    prefixes : array, shape (n,)
        For a record at ``price``, the energy at ``price`` on its side that arrived before [Wh]; else 0.
    """

    lo: int
    hi: int
    price: int
    volume: int
    demand_above: int
    supply_below: int
    fills: IntArray
    prefixes: IntArray


def clear(book: Book, price_min: int, price_max: int) -> Clearing:
    """Price, volume and fills of ``book``, exact, in O(n log n).

    Raises
    ------
    FieldError
        A limit lies outside of ``[price_min, price_max]``, a quantity outside of 1 .. 2^32 - 1, or the band
        outside of ``int32``.
    """
    within("price_min", price_min, -PRICE_BIAS, PRICE_BIAS - 1)
    within("price_max", price_max, price_min, PRICE_BIAS - 1)
    price, quantity, buy = book.price, book.quantity, book.buy
    _check(price, quantity, price_min, price_max)

    bought = np.where(buy, quantity, 0)
    demand = int(bought.sum())
    lo, hi = _range(price, quantity, demand, price_min, price_max)
    at = (lo + hi) >> 1

    above, below = price > at, price < at
    better = np.where(buy, above, below)
    strictly = np.where(better, quantity, 0)
    demand_above = int(strictly[buy].sum())
    supply_below = int(strictly.sum()) - demand_above

    marginal = np.flatnonzero(price == at)
    marginal_buy, marginal_quantity = buy[marginal], quantity[marginal]
    marginal_bought = np.where(marginal_buy, marginal_quantity, 0)
    marginal_sold = marginal_quantity - marginal_bought
    volume = min(demand_above + int(marginal_bought.sum()), supply_below + int(marginal_sold.sum()))

    before = np.where(
        marginal_buy, np.cumsum(marginal_bought) - marginal_bought, np.cumsum(marginal_sold) - marginal_sold
    )
    room = volume - np.where(marginal_buy, demand_above, supply_below) - before
    fills = strictly
    fills[marginal] = np.clip(room, 0, marginal_quantity)
    prefixes = np.zeros(len(book), np.int64)
    prefixes[marginal] = before
    return Clearing(lo, hi, at, volume, demand_above, supply_below, fills, prefixes)


def void(book: Book) -> Clearing:
    """A market that nobody cleared before its slot began: no price (0 stands for none), no fills."""
    nothing = np.zeros(len(book), np.int64)
    return Clearing(0, 0, 0, 0, 0, 0, nothing, nothing)


def fill_leaves(book: Book, clearing: Clearing) -> list[bytes]:
    """Leaves of the fill tree, one per record in order of arrival."""
    records = book.records()
    return [
        fill_leaf(index, records[index * RECORD_BYTES : (index + 1) * RECORD_BYTES], prefix)
        for index, prefix in enumerate(clearing.prefixes.tolist())
    ]


def fill_leaf(index: int, record: bytes, prefix: int) -> bytes:
    """``keccak(index u32 ‖ record ‖ prefix u64)``, leaf of the record that arrived as number ``index``."""
    return keccak(index.to_bytes(4, "big") + record + prefix.to_bytes(8, "big"))


def fill_root(book: Book, clearing: Clearing) -> bytes:
    """Root of the fill tree; zero for an empty book."""
    return root_of(fill_leaves(book, clearing))


def fill_proof(book: Book, clearing: Clearing, index: int) -> list[bytes]:
    """Siblings that prove the fill of record ``index``, from the bottom up."""
    return proof_of(levels_of(fill_leaves(book, clearing)), index)


def fill_of(
    buy: bool, price: int, quantity: int, prefix: int,
    at: int, volume: int, demand_above: int, supply_below: int,
) -> int:  # fmt: skip
    """Fill [Wh] of one record under the stored result (``at`` .. ``supply_below``) of its market."""
    if volume == 0:
        return 0
    if price == at:
        return min(max(volume - (demand_above if buy else supply_below) - prefix, 0), quantity)
    return quantity if (price > at) == buy else 0


def _range(
    price: IntArray, quantity: IntArray, demand: int, price_min: int, price_max: int
) -> tuple[int, int]:
    # Price and quantity in one word: a plain sort of words is several times faster than a sort of indices.
    words = price << _QUANTITY_BITS | quantity
    words.sort()
    limits, upto = words >> _QUANTITY_BITS, np.cumsum(words & _QUANTITY_MASK)
    first = int(np.searchsorted(upto, demand, "left"))
    last = int(np.searchsorted(upto, demand, "right"))
    lo = int(limits[first]) if demand else price_min
    hi = int(limits[last]) if last < len(limits) else price_max
    return lo, hi


def _check(price: IntArray, quantity: IntArray, price_min: int, price_max: int) -> None:
    if not len(price):
        return
    for field, values, low, high in (
        ("price", price, price_min, price_max),
        ("quantity", quantity, 1, _QUANTITY_MASK),
    ):
        for extreme in (int(values.min()), int(values.max())):
            if not low <= extreme <= high:
                raise FieldError(field, extreme, f"an integer in {low:,} .. {high:,}")
