"""Checks of what a house file says: every error names the field, its value and what would be valid."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from otaniemi.optimizer.errors import HouseDataError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Floats = NDArray[np.float64]
Part = TypeVar("Part", bound="DataclassInstance")

LARGEST = 1e9
"""No quantity of a home is larger; solvers would take it for infinity."""


def number(name: str, value: object, low: float = -math.inf, high: float = math.inf) -> float:
    """`value` as a float within [low, high], or an error that names the field."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise HouseDataError(f"field '{name}' is {value!r}; a number is needed")
    # Compared before it is converted: an integer may be too large for a float.
    given: Any = value
    if not abs(given) <= LARGEST or not low <= given <= high:
        raise HouseDataError(f"field '{name}' is {given}; {_range(low, high)} is needed")
    return float(given)


def _range(low: float, high: float) -> str:
    return f"a number from {max(low, -LARGEST):g} to {min(high, LARGEST):g}"


def positive(name: str, value: object, high: float = math.inf) -> float:
    """`value` as a float above 0 and at most `high`."""
    found = number(name, value, 0.0, high)
    if found == 0.0:
        raise HouseDataError(f"field '{name}' is 0; more than 0 is needed")
    return found


def whole(name: str, value: object, low: int, high: int) -> int:
    """`value` as an int within [low, high]."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not low <= value <= high:
        raise HouseDataError(f"field '{name}' is {value!r}; a whole number from {low} to {high} is needed")
    return int(value)


def series(name: str, values: ArrayLike, slots: int, low: float = -math.inf) -> Floats:
    """One finite number per slot as a read-only array, or an error that names the field and the slot."""
    try:
        given = np.asarray(values)
        # numpy turns a truth value among numbers into a number.
        if given.dtype.kind not in "iuf" or (isinstance(values, list) and bool in map(type, values)):
            raise TypeError
        array = given.astype(np.float64)
    except (TypeError, ValueError):
        raise HouseDataError(
            f"field '{name}' holds something else than numbers; {slots} are needed"
        ) from None
    if array.shape != (slots,):
        raise HouseDataError(
            f"field '{name}' has shape {array.shape}; one value per slot, {slots}, is needed"
        )
    bad = np.flatnonzero(~(np.abs(array) <= LARGEST) | (array < low))
    if bad.size:
        raise HouseDataError(
            f"field '{name}' is {array[bad[0]]} in slot {bad[0]}; {_range(low, LARGEST)} is needed"
        )
    array.flags.writeable = False
    return array


def check_names(
    data: Mapping[str, Any], known: Iterable[str], needed: Iterable[str], prefix: str = ""
) -> None:
    """Refuse fields that are not known, and an object that lacks a needed one."""
    names = sorted(known)
    for name in data:
        if name not in names:
            raise HouseDataError(f"field '{prefix}{name}' is unknown; known are {', '.join(names)}")
    for name in needed:
        if data.get(name) is None:
            raise HouseDataError(f"field '{prefix}{name}' is missing")


def read_part(part: type[Part], data: object, name: str) -> Part:
    """A dataclass from its JSON object; `name` is its place in the file."""
    item = json_object(data, name)
    # What a part has of its base comes last, so that its own fields are missed first.
    own = sorted(fields(part), key=lambda field: field.kw_only is True)
    check_names(item, [f.name for f in own], [f.name for f in own if f.default is MISSING], f"{name}.")
    return part(**item)


def json_object(data: object, name: str) -> Mapping[str, Any]:
    """`data` if it is a JSON object."""
    if not isinstance(data, Mapping):
        raise HouseDataError(f"field '{name}' is {data!r}; a JSON object is needed")
    return data


def json_list(data: object, name: str) -> list[Any]:
    """`data` if it is a list."""
    if not isinstance(data, list):
        raise HouseDataError(f"field '{name}' is {data!r}; a list is needed")
    return data
