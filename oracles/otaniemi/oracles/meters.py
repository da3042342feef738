"""Meter readings on their way in: plausible, on time, and each counted once.

A reading is the energy of one slot at the metering point. A silent meter has no reading (None): it did not
measure zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from otaniemi.oracles.errors import ConflictingReadingError, LateReadingError, ObservationError


@dataclass(frozen=True)
class Reading:
    """Energy through one meter in one slot, both directions. [Wh]"""

    import_wh: int
    export_wh: int


def validate_reading(reading: Reading, limit_wh: int) -> Reading:
    """``reading`` itself, once both directions are plausible.

    Parameters
    ----------
    reading : Reading
    limit_wh : int
        What the connection can carry in one slot. [Wh]

    Raises
    ------
    ObservationError
        A direction is negative or above the limit.
    """
    for field, value in (("import_wh", reading.import_wh), ("export_wh", reading.export_wh)):
        if not 0 <= value <= limit_wh:
            raise ObservationError(field, f"{value} Wh", f"0 to {limit_wh} Wh per slot")
    return reading


def estimate_import(past_imports_wh: Iterable[int]) -> int:
    """Import to assume for a silent meter: the mean of its past, rounded down; 0 without a past. [Wh]"""
    past = list(past_imports_wh)
    return sum(past) // len(past) if past else 0


class MeterFeed:
    """Readings of one community and product, in process.

    Parameters
    ----------
    limit_wh : int
        What a connection can carry in one slot. [Wh]
    slot_seconds : int
        Length of a slot. [s]
    window : int
        How long after its slot a reading is taken. [s]
    """

    def __init__(self, limit_wh: int, slot_seconds: int, window: int) -> None:
        self._limit_wh, self._slot_seconds, self._window = limit_wh, slot_seconds, window
        self._slots: dict[int, dict[int, Reading]] = {}

    def take(self, account: int, slot: int, reading: Reading, now: int) -> bool:
        """Take a reading in; True when it is new, False when it repeats one already taken.

        Parameters
        ----------
        account, slot : int
            Whose meter, which slot.
        reading : Reading
        now : int
            Unix time of its arrival.

        Raises
        ------
        ObservationError
            Implausible, or the slot is not over yet.
        LateReadingError
            After the window.
        ConflictingReadingError
            Another value was taken for this account and slot.
        """
        over = (slot + 1) * self._slot_seconds
        if now < over:
            raise ObservationError(
                "slot",
                slot,
                f"a slot that is over at {now} (Unix time), up to {now // self._slot_seconds - 1}",
            )
        first = self._slots.get(slot, {}).get(account)
        if first == reading:
            return False
        if first is not None:
            raise ConflictingReadingError(account, slot, first, reading)
        if now > over + self._window:
            raise LateReadingError(account, slot, over + self._window)
        self._slots.setdefault(slot, {})[account] = validate_reading(reading, self._limit_wh)
        return True

    def observe(self, slot: int, accounts: Iterable[int]) -> dict[int, Reading | None]:
        """What each account's meter said about ``slot``; None for a silent one."""
        taken = self._slots.get(slot, {})
        return {account: taken.get(account) for account in accounts}

    def estimate(self, account: int, slot: int) -> int:
        """Import estimate for a silent meter, from the same slot of up to seven days before. [Wh]"""
        per_day = 86_400 // self._slot_seconds
        past = (self._slots.get(slot - back * per_day, {}).get(account) for back in range(1, 8))
        return estimate_import(reading.import_wh for reading in past if reading is not None)


def majority(observations: Iterable[Mapping[int, Reading | None]]) -> dict[int, Reading | None]:
    """The common observation: per account what most reporters saw, of equal counts the smallest, None last.

    Parameters
    ----------
    observations : iterable of mappings
        One per reporter: account to reading.
    """
    votes: dict[int, dict[Reading | None, int]] = {}
    for observation in observations:
        for account, reading in observation.items():
            counts = votes.setdefault(account, {})
            counts[reading] = counts.get(reading, 0) + 1
    return {
        account: min(counts, key=lambda seen: _rank(seen, counts[seen])) for account, counts in votes.items()
    }


def _rank(reading: Reading | None, count: int) -> tuple[int, bool, int, int]:
    if reading is None:
        return -count, True, 0, 0
    return -count, False, reading.import_wh, reading.export_wh
