"""Books from CSV files, for clearing without a chain.

Columns ``id,side,price,quantity[,source][,premium]`` in any order: price in micro-token/kWh, quantity in Wh, side buy
or sell, source a name or code (grid when left out). A premium [micro-token/kWh], of buys only, asks for local renewable
energy. The order of the rows is the order of arrival.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NotRequired, TypedDict

import numpy as np

from otaniemi.contracts.rules.calendar import Source
from otaniemi.contracts.rules.clearing import clear
from otaniemi.contracts.rules.errors import BookError
from otaniemi.contracts.rules.labels import label
from otaniemi.contracts.rules.orders import MAX_PREMIUM, PREFERENCE, PREMIUM_STEP, U32, Book
from otaniemi.contracts.rules.units import IntArray

DEFAULT_BAND = 4_000_000

_REQUIRED = ("id", "side", "price", "quantity")
_OPTIONAL = ("source", "premium")
_SIDES = {"buy": 1, "sell": 0}
_SOURCES = (
    {"": 0} | {source.name.lower(): int(source) for source in Source} | {str(int(s)): int(s) for s in Source}
)
_INTEGER = frozenset("0123456789+- ")
_NO_PREMIUM = -1
_PREMIUMS = {"": _NO_PREMIUM} | {str(premium): premium for premium in range(0, MAX_PREMIUM + 1, PREMIUM_STEP)}


@dataclass(frozen=True, slots=True, eq=False)
class NamedBook:
    """A book whose orders carry the ids of their file, in the same order."""

    ids: Sequence[str]
    book: Book


class ClearedLabels(TypedDict):
    """Price of labels [micro-token/kWh], energy that can be labelled, and the labelled energy of buys [Wh]."""

    premium: int
    green: int
    labelled: dict[str, int]


class ClearedBook(TypedDict):
    """What clearing a book tells; prices are None and ``fills`` is empty where nothing trades.

    ``labels`` is there where something trades and a buy asks for local renewable energy.
    """

    price: int | None
    lo: int | None
    hi: int | None
    volume: int
    fills: dict[str, int]
    seconds: float
    labels: NotRequired[ClearedLabels]


def read_book(text: str, price_min: int = -DEFAULT_BAND, price_max: int = DEFAULT_BAND) -> NamedBook:
    """The book that the CSV ``text`` holds.

    Raises
    ------
    BookError
        The header lacks a column or has an unknown one, a row has another number of fields or a value that is not
        valid, or an id repeats; the message names line and column.
    """
    rows = [row for _, row in _rows(text)]
    if not rows:
        raise BookError(f"line 1: the file is empty; expected the columns {','.join(_REQUIRED)}")
    header = [name.strip() for name in rows.pop(0)]
    _check_header(header)
    if set(map(len, rows)) - {len(header)}:
        row = next(index for index, cells in enumerate(rows) if len(cells) != len(header))
        column = [*header, "beyond the header"][min(len(rows[row]), len(header))]
        raise BookError(
            f"line {_line(text, row)}, column {column}: the row has {len(rows[row])} fields, the header {len(header)}"
        )
    columns = dict(zip(header, zip(*rows, strict=True) if rows else [()] * len(header), strict=True))

    def numbers(
        name: str, convert: Callable[[Sequence[str]], list[int]], low: int, high: int, valid: str
    ) -> IntArray:
        cells = columns[name]
        try:
            values = convert(cells)
            if not values or (low <= min(values) and max(values) <= high):
                return np.array(values, dtype=np.int64)
        except (KeyError, ValueError):
            pass
        row = next(index for index, cell in enumerate(cells) if not _is_valid(cell, convert, low, high))
        raise BookError(f"line {_line(text, row)}, column {name}: {cells[row]!r} is not {valid}")

    band = f"an integer in {price_min} .. {price_max} micro-token/kWh"
    buy = numbers("side", _sides, 0, 1, "buy or sell")
    price = numbers("price", _integers, price_min, price_max, band)
    quantity = numbers("quantity", _integers, 1, U32, f"an integer in 1 .. {U32} Wh")
    count = len(rows)
    source = np.zeros(count, np.int64)
    if "source" in columns:
        names = ", ".join(item.name.lower() for item in Source)
        source = numbers("source", _sources, 0, max(Source), f"one of {names}")
    if "premium" in columns:
        steps = f"empty, or for a buy a multiple of {PREMIUM_STEP} in 0 .. {MAX_PREMIUM} micro-token/kWh"
        premium = numbers("premium", _premiums, _NO_PREMIUM, MAX_PREMIUM, steps)
        for row in np.flatnonzero((premium != _NO_PREMIUM) & (buy == 0))[:1].tolist():
            cell = columns["premium"][row]
            raise BookError(f"line {_line(text, row)}, column premium: {cell!r} is not {steps}")
        source = np.where(premium == _NO_PREMIUM, source, PREFERENCE + premium // PREMIUM_STEP)
    ids = [cell.strip() for cell in columns["id"]]
    _check_ids(text, ids)
    accounts, nonces = np.arange(1, count + 1), np.zeros(count, np.int64)
    return NamedBook(ids, Book(accounts, price, quantity, nonces, source, buy.astype(np.bool_)))


def clear_book(
    named: NamedBook, price_min: int = -DEFAULT_BAND, price_max: int = DEFAULT_BAND
) -> ClearedBook:
    """Price, volume and fills [Wh] of the orders that trade; ``seconds`` is the clearing alone."""
    started = time.perf_counter()
    result = clear(named.book, price_min, price_max)
    seconds = time.perf_counter() - started
    if not result.volume:
        return ClearedBook(price=None, lo=None, hi=None, volume=0, fills={}, seconds=seconds)
    traded = np.flatnonzero(result.fills)
    fills = zip(traded.tolist(), result.fills[traded].tolist(), strict=True)
    cleared = ClearedBook(
        price=result.price,
        lo=result.lo,
        hi=result.hi,
        volume=result.volume,
        fills={named.ids[index]: fill for index, fill in fills},
        seconds=seconds,
    )
    labels = label(named.book, result).labels if named.book.prefers.any() else None
    if labels:
        given = np.flatnonzero(labels.wh)
        labelled = zip(given.tolist(), labels.wh[given].tolist(), strict=True)
        cleared["labels"] = ClearedLabels(
            premium=labels.premium,
            green=labels.green,
            labelled={named.ids[index]: wh for index, wh in labelled},
        )
    return cleared


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, each with the number of its last line."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise BookError(f"line {reader.line_num}: no valid CSV: {error}") from error


def _line(text: str, row: int) -> int:
    """Line of data row ``row`` (from 0, below the header)."""
    return next(line for index, (line, _) in enumerate(_rows(text)) if index == row + 1)


def _integers(cells: Sequence[str]) -> list[int]:
    # int() alone would take 1_000 and digits of other scripts.
    if not _INTEGER.issuperset("".join(cells)):
        raise ValueError("not an integer")
    return list(map(int, cells))


def _sides(cells: Sequence[str]) -> list[int]:
    return [_SIDES[cell.strip()] for cell in cells]


def _sources(cells: Sequence[str]) -> list[int]:
    return [_SOURCES[cell.strip()] for cell in cells]


def _premiums(cells: Sequence[str]) -> list[int]:
    return [_PREMIUMS[cell.strip()] for cell in cells]


def _is_valid(cell: str, convert: Callable[[Sequence[str]], list[int]], low: int, high: int) -> bool:
    try:
        return low <= convert([cell])[0] <= high
    except (KeyError, ValueError):
        return False


def _check_header(header: Sequence[str]) -> None:
    expected = f"expected {','.join(_REQUIRED)}[,{','.join(_OPTIONAL)}]"
    for name in _REQUIRED:
        if name not in header:
            raise BookError(f"line 1: there is no column {name}; {expected}")
    for position, name in enumerate(header):
        if name not in _REQUIRED + _OPTIONAL or name in header[:position]:
            raise BookError(f"line 1, column {position + 1}: {name!r} is unknown or repeats; {expected}")


def _check_ids(text: str, ids: Sequence[str]) -> None:
    if "" not in ids and len(set(ids)) == len(ids):
        return
    seen: dict[str, int] = {}
    for row, name in enumerate(ids):
        if not name:
            raise BookError(f"line {_line(text, row)}, column id: '' is not a name")
        if name in seen:
            raise BookError(
                f"line {_line(text, row)}, column id: {name!r} is already the id of line {_line(text, seen[name])}"
            )
        seen[name] = row
