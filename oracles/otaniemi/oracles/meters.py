"""Meter readings on their way in: plausible, on time, and each counted once.

A reading is the energy of one slot at the metering point. A silent meter has no reading (None): it did not
measure zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from otaniemi.contracts.rules.calendar import Rules, meter_deadline, slot_at, slot_end
from otaniemi.contracts.rules.errors import FieldError, within
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.signing import Domain
from otaniemi.oracles.errors import ConflictingReadingError, LateReadingError


@dataclass(frozen=True)
class Reading:
    """Energy through one meter in one slot, both directions. [Wh]"""

    import_wh: int
    export_wh: int


READING_TYPE = "Reading(uint32 account,uint8 product,uint32 slot,uint32 importWh,uint32 exportWh)"


def reading_digest(domain: Domain, account: int, product: int, slot: int, reading: Reading) -> bytes:
    """What a home's device key signs of a reading (EIP-712); ``domain`` is that of ``Oracle``."""
    values = (account, product, slot, reading.import_wh, reading.export_wh)
    words = b"".join([value.to_bytes(32, "big") for value in values])
    return keccak(b"\x19\x01" + domain.separator + keccak(keccak(READING_TYPE.encode()) + words))


def validate_reading(reading: Reading, limit_wh: int) -> Reading:
    """``reading`` itself, once both directions are plausible.

    Parameters
    ----------
    reading : Reading
    limit_wh : int
        What the connection can carry in one slot. [Wh]

    Raises
    ------
    FieldError
        A direction is negative or above the limit.
    """
    for field, value in (("import_wh", reading.import_wh), ("export_wh", reading.export_wh)):
        within(f"{field} [Wh per slot]", value, 0, limit_wh)
    return reading


def estimate_import(past_imports_wh: Iterable[int]) -> int:
    """Import to assume for a silent meter: the mean of its past, rounded down; 0 without a past. [Wh]"""
    past = list(past_imports_wh)
    return sum(past) // len(past) if past else 0


class MeterFeed:
    """Readings of one community and product, in process.

    Parameters
    ----------
    rules : Rules
        The community's: connection limit, slots, and how long a meter report is accepted.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
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
        FieldError
            Implausible, or the slot is not over yet.
        LateReadingError
            After the window.
        ConflictingReadingError
            Another value was taken for this account and slot.
        """
        if now < slot_end(self._rules, slot):
            raise FieldError("slot", slot, f"a slot that is over, up to {slot_at(self._rules, now) - 1}")
        first = self._slots.get(slot, {}).get(account)
        if first == reading:
            return False
        if first is not None:
            raise ConflictingReadingError(account, slot, first, reading)
        deadline = meter_deadline(self._rules, slot)
        if now >= deadline:
            raise LateReadingError(account, slot, deadline)
        checked = validate_reading(reading, self._rules.connection_limit_wh)
        self._slots.setdefault(slot, {})[account] = checked
        return True

    def restore(self, account: int, slot: int, reading: Reading) -> None:
        """Know again a reading that was taken before."""
        self._slots.setdefault(slot, {})[account] = reading

    def observe(self, slot: int, accounts: Iterable[int]) -> dict[int, Reading | None]:
        """What each account's meter said about ``slot``; None for a silent one."""
        taken = self._slots.get(slot, {})
        return {account: taken.get(account) for account in accounts}

    def estimate(self, account: int, slot: int) -> int:
        """Import estimate for a silent meter: from the same slot of seven days, else of the last day. [Wh]"""
        per_day = self._rules.slots_per_day
        same_slot = self._imports(account, range(slot - 7 * per_day, slot, per_day))
        return estimate_import(same_slot or self._imports(account, range(slot - per_day, slot)))

    def _imports(self, account: int, slots: range) -> list[int]:
        readings = (self._slots.get(slot, {}).get(account) for slot in slots)
        return [reading.import_wh for reading in readings if reading is not None]
