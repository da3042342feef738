"""Devices that keep a temperature within a band by switching between power levels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import accumulate
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from otaniemi.optimizer.errors import HouseDataError
from otaniemi.optimizer.fields import Floats, number

Levels = NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class ThermalLoad:
    """A temperature that one device moves, the same for every kind of device.

    The temperature at the end of slot t is ``keep[t] T + drift[t] + effect[t, k]``, where T is the one at its
    start and k the level at which the device runs. Linear in everything but k (docs/model.md).

    Attributes
    ----------
    name : str
        Field of the device in the house file.
    level_kw : array, shape (levels,)
        Electric power of each level, rising; level 0 is off with 0 kW. [kW]
    keep : array, shape (slots,)
        Share of the temperature that a slot keeps, within [0, 1].
    drift : array, shape (slots,)
        Temperature that a slot adds with the device off. [°C]
    effect : array, shape (slots, levels)
        Temperature that a level adds, 0 at level 0, negative where it cools. [K]
    outdoor_share : array, shape (slots,)
        Temperature that a slot adds per kelvin of warmer outdoor air.
    low_c, high_c : array, shape (slots,)
        Band at the end of the slot. [°C]
    initial_c : float
        Temperature before slot 0. [°C]
    """

    name: str
    level_kw: Floats
    keep: Floats
    drift: Floats
    effect: Floats
    outdoor_share: Floats
    low_c: Floats
    high_c: Floats
    initial_c: float

    @property
    def slots(self) -> int:
        """Number of slots."""
        return int(self.keep.size)

    def temperatures(self, levels: Levels | Floats, outdoor_offset_c: float = 0.0) -> Floats:
        """Temperature at the end of every slot.

        Parameters
        ----------
        levels : integer array, shape (..., slots), or float array, shape (slots, levels)
            Level of every slot, for any number of schedules at once; or the share of a slot spent at each level.
        outdoor_offset_c : float
            How much warmer it is outside than expected. [K]

        Returns
        -------
        array, shape (..., slots)  [°C]
        """
        drift = self.drift + self.outdoor_share * outdoor_offset_c
        if np.issubdtype(levels.dtype, np.floating):
            added = drift + (self.effect * levels).sum(axis=1)
        else:
            added = drift + self.effect[np.arange(self.slots), levels]
        if added.ndim == 1:
            steps = zip(self.keep.tolist(), added.tolist(), strict=True)
            one = accumulate(steps, lambda now, step: step[0] * now + step[1], initial=self.initial_c)
            return np.array(list(one)[1:])
        result = np.empty(added.shape)
        now: Any = self.initial_c
        for slot in range(self.slots):
            now = self.keep[slot] * now + added[..., slot]
            result[..., slot] = now
        return result

    def narrowed(self, offsets_c: Sequence[float]) -> ThermalLoad:
        """The same with a band that, kept at the expected outdoor temperature, is kept at every offset.

        An offset moves every schedule's temperatures by the same amount, so that nothing but the band changes. [K]
        """
        if not any(offsets_c):
            return self
        unit = replace(self, drift=np.zeros(self.slots), initial_c=0.0)
        off = np.zeros(self.slots, np.int8)
        moved = np.array([unit.temperatures(off, offset) for offset in offsets_c])
        return replace(self, low_c=self.low_c - moved.min(axis=0), high_c=self.high_c - moved.max(axis=0))

    def ending(self, final_c: float | None) -> ThermalLoad:
        """The same with an end at least as warm as this where the device heats, at most where it cools."""
        if final_c is None:
            return self
        low, high = self.low_c.copy(), self.high_c.copy()
        if self.effect.min() < 0.0:
            high[-1] = min(high[-1], final_c)
        else:
            low[-1] = max(low[-1], final_c)
        return replace(self, low_c=low, high_c=high)

    def from_slot(self, now: int, temperature_c: float) -> ThermalLoad:
        """The same on a day that has begun: whatever the levels before slot `now`, it starts at this temperature."""
        past = np.arange(self.slots) < now
        return replace(
            self,
            keep=np.where(past, 0.0, self.keep),
            drift=np.where(past, temperature_c, self.drift),
            effect=np.where(past[:, None], 0.0, self.effect),
            outdoor_share=np.where(past, 0.0, self.outdoor_share),
            low_c=np.where(past, -np.inf, self.low_c),
            high_c=np.where(past, np.inf, self.high_c),
        )

    def rest(self, now: int) -> ThermalLoad:
        """The slots from `now` on alone, of a load whose day began there by `from_slot`."""
        if now == 0:
            return self
        return replace(
            self,
            keep=self.keep[now:],
            drift=self.drift[now:],
            effect=self.effect[now:],
            outdoor_share=self.outdoor_share[now:],
            low_c=self.low_c[now:],
            high_c=self.high_c[now:],
            initial_c=float(self.drift[now - 1]),
        )


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What a device stands in.

    Attributes
    ----------
    slots : int
    slot_hours : float
        Length of a slot. [h]
    outdoor_c : array, shape (slots,), or None
        Expected outdoor temperature. [°C]
    """

    slots: int
    slot_hours: float
    outdoor_c: Floats | None

    def outdoor(self, field: str) -> Floats:
        """The outdoor temperature, or an error that says which device needs it."""
        if self.outdoor_c is None:
            raise HouseDataError(f"field 'outdoor_c' is missing; '{field}' needs it")
        return self.outdoor_c


@dataclass(frozen=True, eq=False, kw_only=True)
class ThermalDevice(ABC):
    """Base of the devices with a temperature; subclasses are frozen dataclasses of the fields that they add.

    A new kind of device is one file in this folder: its fields, and the `ThermalLoad` that they make. House file,
    planning, plan file and pictures follow from that.

    Attributes
    ----------
    field : str
        Its field in the house file.
    states_field, temperature_field : str
        What its levels and its temperature are called in a plan file.
    min_c, max_c, initial_c : float
        Band of the temperature, and its value before slot 0. [°C]
    final_c : float, optional
        Within the band: the last slot ends at least as warm where the device heats, at most where it cools. [°C]
    amounts : tuple of str
        Fields that hold an amount for every slot.
    """

    kinds: ClassVar[dict[str, type[ThermalDevice]]] = {}
    field: ClassVar[str]
    states_field: ClassVar[str]
    temperature_field: ClassVar[str]
    amounts: ClassVar[tuple[str, ...]] = ()

    min_c: float
    max_c: float
    initial_c: float
    final_c: float | None = None

    def __init_subclass__(cls) -> None:
        ThermalDevice.kinds[cls.field] = cls

    @abstractmethod
    def thermal_load(self, around: Surroundings) -> ThermalLoad:
        """What the device does to its temperature.

        Raises
        ------
        HouseDataError
            A series of the wrong length, or no outdoor temperature where it is needed.
        """

    def check_band(self) -> None:
        """Refuse a band that is empty, or an impossible first temperature."""
        number(f"{self.field}.min_c", self.min_c, -60.0, 150.0)
        number(f"{self.field}.max_c", self.max_c, -60.0, 150.0)
        number(f"{self.field}.initial_c", self.initial_c, -60.0, 150.0)
        if self.min_c >= self.max_c:
            raise HouseDataError(
                f"field '{self.field}.max_c' is {self.max_c}; more than min_c, {self.min_c}, is needed"
            )
        if self.final_c is not None:
            number(f"{self.field}.final_c", self.final_c, self.min_c, self.max_c)

    def to_dict(self) -> dict[str, Any]:
        """The device as its object in the house file."""
        found = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None:
                found[field.name] = value.tolist() if isinstance(value, np.ndarray) else value
        return found
