"""The air conditioner: on or off, it cools a room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from otaniemi.optimizer.devices.room import check_room, room_load
from otaniemi.optimizer.devices.thermal import Surroundings, ThermalDevice, ThermalLoad
from otaniemi.optimizer.fields import positive


@dataclass(frozen=True)
class AirConditioner(ThermalDevice):
    """On/off cooling of a room that warms through its envelope and by a constant gain.

    Attributes
    ----------
    rated_kw : float
        Electric power when on; takes `cop` times as much heat out. [kW]
    resistance_k_per_kw, capacity_kwh_per_k : float
        Of the room: first-order RC model.
    gain_kw : float
        Heat of people and devices. [kW]
    """

    field: ClassVar[str] = "air_conditioner"
    states_field: ClassVar[str] = "ac_on"
    temperature_field: ClassVar[str] = "room_c"

    rated_kw: float
    cop: float
    resistance_k_per_kw: float
    capacity_kwh_per_k: float
    gain_kw: float = 0.0

    def __post_init__(self) -> None:
        for name in ("rated_kw", "cop"):
            positive(f"{self.field}.{name}", getattr(self, name))
        check_room(self)
        self.check_band()

    def thermal_load(self, around: Surroundings) -> ThermalLoad:
        level_kw = np.array([0.0, self.rated_kw])
        return room_load(self, around, level_kw, -self.cop * level_kw)
