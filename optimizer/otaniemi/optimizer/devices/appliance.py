"""The household appliance: one run within a window."""

from __future__ import annotations

import math
from dataclasses import dataclass

from otaniemi.optimizer.errors import HouseDataError
from otaniemi.optimizer.fields import number, positive

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Appliance:
    """A device that runs once, `hours` without a break within [earliest_h, latest_h] hours of the day."""

    name: str
    rated_kw: float
    hours: float
    earliest_h: float
    latest_h: float

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise HouseDataError(f"field 'appliances.name' is {self.name!r}; a text is needed")
        number(f"appliances.{self.name}.rated_kw", self.rated_kw, 0.0)
        positive(f"appliances.{self.name}.hours", self.hours)
        number(f"appliances.{self.name}.earliest_h", self.earliest_h, 0.0)
        number(f"appliances.{self.name}.latest_h", self.latest_h, 0.0)

    def run_slots(self, slot_hours: float) -> int:
        """Number of slots it runs."""
        return round(self.hours / slot_hours)

    def start_slots(self, slot_hours: float, slots: int) -> range:
        """Slots in which it may start."""
        first = math.ceil(self.earliest_h / slot_hours - _ROUNDING)
        end = min(math.floor(self.latest_h / slot_hours + _ROUNDING), slots)
        return range(first, end - self.run_slots(slot_hours) + 1)
