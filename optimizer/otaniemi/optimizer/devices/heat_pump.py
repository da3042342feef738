"""The heat pump: off, at part load or at full load, it heats a space of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from otaniemi.optimizer.devices.room import check_room, room_load
from otaniemi.optimizer.devices.thermal import Surroundings, ThermalDevice, ThermalLoad
from otaniemi.optimizer.errors import HouseDataError
from otaniemi.optimizer.fields import positive


@dataclass(frozen=True)
class HeatPump(ThermalDevice):
    """Two-level heating of a space that cools through its envelope.

    Attributes
    ----------
    part_kw, full_kw : float
        Electric power at part load (level 1) and at full load (level 2). [kW]
    part_cop, full_cop : float
        Heat brought in per electricity at each of them; mostly more at part load.
    resistance_k_per_kw, capacity_kwh_per_k : float
        Of the heated space: first-order RC model.
    gain_kw : float
        Heat of people and devices. [kW]
    """

    field: ClassVar[str] = "heat_pump"
    states_field: ClassVar[str] = "heat_pump_level"
    temperature_field: ClassVar[str] = "heated_c"

    part_kw: float
    full_kw: float
    part_cop: float
    full_cop: float
    resistance_k_per_kw: float
    capacity_kwh_per_k: float
    gain_kw: float = 0.0

    def __post_init__(self) -> None:
        for name in ("part_kw", "full_kw", "part_cop", "full_cop"):
            positive(f"{self.field}.{name}", getattr(self, name))
        if self.full_kw <= self.part_kw:
            raise HouseDataError(
                f"field '{self.field}.full_kw' is {self.full_kw:g}; more than part_kw, {self.part_kw:g}, is needed"
            )
        check_room(self)
        self.check_band()

    def thermal_load(self, around: Surroundings) -> ThermalLoad:
        level_kw = np.array([0.0, self.part_kw, self.full_kw])
        return room_load(self, around, level_kw, level_kw * [0.0, self.part_cop, self.full_cop])
