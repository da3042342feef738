"""Clearing a large market in several transactions: what is carried from one to the next (protocol section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from otaniemi.contracts.rules.clearing import fill_leaf
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.orders import RECORD_BYTES, Book
from otaniemi.contracts.rules.units import IntArray

BoolArray = NDArray[np.bool_]

_HEIGHTS = 16
_NOTHING = bytes(32)
_SUM_BITS = 64


class Progress(NamedTuple):
    """How far a clearing with one pair of hints has come.

    Attributes
    ----------
    head : bytes
        Of the market's hash chain after the records so far.
    demand, supply : int
        Four sums of 64 bits each from the lowest: Wh beyond lo, from lo on, beyond hi, from hi on; for buys "beyond" is
        above, for sells below.
    records : int
        Number of records so far.
    peaks : tuple of bytes, 16
        Roots of the complete subtrees of the fill tree, by height; where ``records`` has no bit, a left-over.
    """

    head: bytes
    demand: int
    supply: int
    records: int
    peaks: tuple[bytes, ...]


START = Progress(_NOTHING, 0, 0, 0, (_NOTHING,) * _HEIGHTS)


def advance(progress: Progress, batches: Sequence[bytes], lo: int, hi: int) -> Progress:
    """Where the next ``batches`` of a market's records lead with hints ``lo`` and ``hi`` [micro-token/kWh].

    Crossed hints, the highest price of the band and the lowest, are those of a void market.
    """
    head = progress.head
    for batch in batches:
        head = keccak(head + batch)
    records = b"".join(batches)
    book = Book.of_records(records)
    at_lo = (lo + hi) >> 1 == lo
    prefixes = _prefixes(book, lo, progress) if at_lo else np.zeros(len(book), np.int64)
    peaks, count = list(progress.peaks), progress.records
    for place, prefix in enumerate(prefixes.tolist()):
        node = fill_leaf(count, records[place * RECORD_BYTES : (place + 1) * RECORD_BYTES], prefix)
        height = 0
        while count >> height & 1:
            node = keccak(peaks[height] + node)
            height += 1
        peaks[height] = node
        count += 1
    price, buy = book.price, book.buy
    demand = progress.demand + _packed(book.quantity, buy, price - lo, price - hi)
    supply = progress.supply + _packed(book.quantity, ~buy, lo - price, hi - price)
    return Progress(head, demand, supply, count, tuple(peaks))


def root_of(progress: Progress) -> bytes:
    """Root of the fill tree over the records so far; zero without any."""
    node = _NOTHING
    for height, peak in enumerate(progress.peaks):
        if progress.records >> height & 1:
            node = keccak(peak + node) if progress.records & (1 << height) - 1 else peak
    return node


def _packed(quantity: IntArray, side: BoolArray, beyond_lo: IntArray, beyond_hi: IntArray) -> int:
    counted = (beyond_lo > 0, beyond_lo >= 0, beyond_hi > 0, beyond_hi >= 0)
    sums = [int(quantity[side & members].sum()) for members in counted]
    return sum(wh << _SUM_BITS * lane for lane, wh in enumerate(sums))


def _prefixes(book: Book, at: int, progress: Progress) -> IntArray:
    """For records at the clearing price, the energy at it on their side that arrived before [Wh]; else 0."""
    prefixes = np.zeros(len(book), np.int64)
    for side, sums in ((book.buy, progress.demand), (~book.buy, progress.supply)):
        mask = 2**_SUM_BITS - 1
        before = (sums >> _SUM_BITS & mask) - (sums & mask)
        places = np.flatnonzero(side & (book.price == at))
        quantities = book.quantity[places]
        prefixes[places] = before + np.cumsum(quantities) - quantities
    return prefixes
