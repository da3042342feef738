"""Clearing of a call auction at one price (protocol section 4).

With ``Q<=(p)`` the Wh of buys and sells together whose limit is at or below ``p`` and ``D`` the Wh of all
buys, ``S<=(p) - D>(p) = Q<=(p) - D`` and ``D>=(p) - S<(p) = D - Q<(p)``. So the lowest clearing price is the
lowest ``p`` with ``Q<=(p) >= D``, the highest is the highest ``p`` with ``Q<(p) <= D``, and one sort of all
limits finds both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from otaniemi.contracts.rules.errors import FieldError, within
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.merkle import levels_of, proof_of, root_of
from otaniemi.contracts.rules.orders import (
    GREEN_SOURCES,
    PREFERENCE,
    PRICE_BIAS,
    RECORD_BYTES,
    Book,
    premium_of,
)
from otaniemi.contracts.rules.units import IntArray

_QUANTITY_BITS = 32
_QUANTITY_MASK = 2**_QUANTITY_BITS - 1


_PREFIX_BYTES = 6
_WHOLE = 1_000


class Result(NamedTuple):
    """What the chain stores of a market's outcome, from which every trade follows.

    ``price`` and ``premium`` are micro-token/kWh, energies Wh; ``premium`` is the price of labels, ``label_rest`` what
    can be labelled beyond the bids above it, both of no meaning unless ``labelled``.
    """

    price: int
    volume: int
    demand_above: int
    supply_below: int
    premium: int = 0
    label_rest: int = 0
    labelled: bool = False


class Trade(NamedTuple):
    """What an order traded: energy [Wh], what its account pays [nano-token], and the energy labelled [Wh].

    Money is negative where the account receives. An offer's energy counts as labelled where labels have a price.
    """

    wh: int
    money: int
    labelled: int


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Labels of local renewable energy, given out after a clearing.

    Attributes
    ----------
    premium : int
        Price of a label: what bids pay for each kWh that is labelled, and green offers receive [micro-token/kWh].
    green : int
        Traded energy that can be labelled [Wh].
    above : int
        Energy bought by bids that offer more than ``premium`` [Wh].
    wh : array, shape (n,)
        Labelled energy of each bid [Wh]; 0 for offers.
    prefixes : array, shape (n,)
        For a bid that offers ``premium``, what such bids that arrived before bought [Wh]; else 0.
    """

    premium: int
    green: int
    above: int
    wh: IntArray
    prefixes: IntArray


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
    labels : Labels, optional
        None until labels are given out.
    """

    lo: int
    hi: int
    price: int
    volume: int
    demand_above: int
    supply_below: int
    fills: IntArray
    prefixes: IntArray
    labels: Labels | None = None

    @property
    def result(self) -> Result:
        """What the chain stores of it."""
        totals = self.price, self.volume, self.demand_above, self.supply_below
        if self.labels is None:
            return Result(*totals)
        return Result(*totals, self.labels.premium, self.labels.green - self.labels.above, True)


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
    label_prefixes = clearing.labels.prefixes.tolist() if clearing.labels else [0] * len(book)
    return [
        fill_leaf(index, records[index * RECORD_BYTES : (index + 1) * RECORD_BYTES], prefix, label_prefix)
        for index, (prefix, label_prefix) in enumerate(
            zip(clearing.prefixes.tolist(), label_prefixes, strict=True)
        )
    ]


def fill_leaf(index: int, record: bytes, prefix: int, label_prefix: int = 0) -> bytes:
    """Leaf of record number ``index``: ``keccak(index u32 ‖ record ‖ prefix u48 ‖ label prefix u48)``."""
    prefixes = prefix.to_bytes(_PREFIX_BYTES, "big") + label_prefix.to_bytes(_PREFIX_BYTES, "big")
    return keccak(index.to_bytes(4, "big") + record + prefixes)


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


def trade_of(book: Book, clearing: Clearing, index: int, permille: int = _WHOLE) -> Trade:
    """What record ``index`` traded in a slot of which a curtailment left ``permille``."""
    labels, buy, fill = clearing.labels, bool(book.buy[index]), int(clearing.fills[index])
    if labels is None:
        return _trade(buy, fill, 0, clearing.price, 0, permille)
    labelled = int(labels.wh[index]) if buy else _green_wh(int(book.source[index]), fill, labels.premium)
    return _trade(buy, fill, labelled, clearing.price, labels.premium, permille)


def trades_of(book: Book, clearing: Clearing, permille: int = _WHOLE) -> list[Trade]:
    """What every record traded; see ``trade_of``."""
    labels, buys, fills = clearing.labels, book.buy.tolist(), clearing.fills.tolist()
    price = clearing.price
    if labels is None:
        return [_trade(buy, fill, 0, price, 0, permille) for buy, fill in zip(buys, fills, strict=True)]
    premium = labels.premium
    rows = zip(buys, fills, labels.wh.tolist(), book.source.tolist(), strict=True)
    return [
        _trade(buy, fill, given if buy else _green_wh(source, fill, premium), price, premium, permille)
        for buy, fill, given, source in rows
    ]


def traded(record: bytes, prefix: int, label_prefix: int, result: Result, permille: int = _WHOLE) -> Trade:
    """What ``record`` (16 bytes) traded, from its leaf of the fill tree and what the chain stored of its market."""
    book = Book.of_records(record)
    buy, price, source = bool(book.buy[0]), int(book.price[0]), int(book.source[0])
    fill = fill_of(
        buy, price, int(book.quantity[0]), prefix,
        result.price, result.volume, result.demand_above, result.supply_below,
    )  # fmt: skip
    labelled = 0
    if result.labelled and not buy:
        labelled = _green_wh(source, fill, result.premium)
    elif result.labelled and source >= PREFERENCE:
        premium = premium_of(source, buy)
        if premium > result.premium:
            labelled = fill
        elif premium == result.premium:
            labelled = min(max(result.label_rest - label_prefix, 0), fill)
    return _trade(buy, fill, labelled, result.price, result.premium, permille)


def _green_wh(source: int, fill: int, premium: int) -> int:
    """Energy of an offer that receives the price of labels: where they have one, all that can carry one does."""
    return fill if premium and source in GREEN_SOURCES else 0


def _trade(buy: bool, fill: int, labelled: int, price: int, premium: int, permille: int) -> Trade:
    wh, labelled = fill * permille // _WHOLE, labelled * permille // _WHOLE
    money = wh * price + labelled * premium
    return Trade(wh, money if buy else -money, labelled)


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
