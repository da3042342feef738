"""Clearing and labelling a large market in several transactions: what is carried from one to the next
(protocol section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from otaniemi.contracts.rules.clearing import Clearing, fill_leaf
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.orders import RECORD_BYTES, Book, chain_head
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
        above, for sells below. Of labels: Wh wanted above the premium, from it on, and of buys at the clearing price;
        Wh that can be labelled, and of sells at the clearing price.
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
    records = b"".join(batches)
    book = Book.of_records(records)
    at_lo = (lo + hi) >> 1 == lo
    prefixes = _prefixes(book, lo, progress) if at_lo else np.zeros(len(book), np.int64)
    peaks, count = _grown(progress, records, prefixes, np.zeros(len(book), np.int64))
    price, buy = book.price, book.buy
    demand = progress.demand + _packed(book.quantity, buy, price - lo, price - hi)
    supply = progress.supply + _packed(book.quantity, ~buy, lo - price, hi - price)
    return Progress(_head(progress, batches), demand, supply, count, peaks)


def advance_labels(progress: Progress, batches: Sequence[bytes], book: Book, clearing: Clearing) -> Progress:
    """Where the next ``batches`` of a labelled market lead, whose whole ``book`` and ``clearing`` are known."""
    assert clearing.labels is not None
    records = b"".join(batches)
    until = progress.records + len(records) // RECORD_BYTES
    part = slice(progress.records, until)
    prefixes, label_prefixes = clearing.prefixes[part], clearing.labels.prefixes[part]
    peaks, count = _grown(progress, records, prefixes, label_prefixes)
    done = slice(0, until)
    fills, premium = clearing.fills[done], book.premium[done]
    prefers, at_price = book.prefers[done], book.price[done] == clearing.price
    sums = [
        int(fills[prefers & (premium > clearing.labels.premium)].sum()),
        int(fills[prefers & (premium >= clearing.labels.premium)].sum()),
        int(book.quantity[done][at_price & book.buy[done]].sum()),
        int(fills[book.green[done]].sum()),
        int(book.quantity[done][at_price & ~book.buy[done]].sum()),
    ]
    return Progress(_head(progress, batches), _lanes(sums[:3]), _lanes(sums[3:]), count, peaks)


def root_of(progress: Progress) -> bytes:
    """Root of the fill tree over the records so far; zero without any."""
    node = _NOTHING
    for height, peak in enumerate(progress.peaks):
        if progress.records >> height & 1:
            node = keccak(peak + node) if progress.records & (1 << height) - 1 else peak
    return node


def _head(progress: Progress, batches: Sequence[bytes]) -> bytes:
    head = progress.head
    for batch in batches:
        head = chain_head(head, batch)
    return head


def _grown(
    progress: Progress, records: bytes, prefixes: IntArray, label_prefixes: IntArray
) -> tuple[tuple[bytes, ...], int]:
    """Frontier of the fill tree and number of records after ``records``."""
    peaks, count = list(progress.peaks), progress.records
    for place, pair in enumerate(zip(prefixes.tolist(), label_prefixes.tolist(), strict=True)):
        node = fill_leaf(count, records[place * RECORD_BYTES : (place + 1) * RECORD_BYTES], *pair)
        height = 0
        while count >> height & 1:
            node = keccak(peaks[height] + node)
            height += 1
        peaks[height] = node
        count += 1
    return tuple(peaks), count


def _packed(quantity: IntArray, side: BoolArray, beyond_lo: IntArray, beyond_hi: IntArray) -> int:
    counted = (beyond_lo > 0, beyond_lo >= 0, beyond_hi > 0, beyond_hi >= 0)
    sums = [int(quantity[side & members].sum()) for members in counted]
    return _lanes(sums)


def _lanes(sums: Sequence[int]) -> int:
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
