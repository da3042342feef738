"""The water heater: on or off, it heats a tank from which warm water is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from otaniemi.optimizer.devices.thermal import Surroundings, ThermalDevice, ThermalLoad
from otaniemi.optimizer.errors import HouseDataError
from otaniemi.optimizer.fields import Floats, number, positive, series

WATER_KWH_PER_K_L = 1.163e-3
"""Heat capacity of water. [kWh/(K l)]"""


@dataclass(frozen=True, eq=False)
class WaterHeater(ThermalDevice):
    """On/off heating of a mixed tank; what is drawn is replaced by cold water at the end of the slot.

    Attributes
    ----------
    rated_kw : float
        Electric power when on. [kW]
    volume_l : float
    resistance_k_per_kw : float
        Of the tank's insulation.
    inlet_c, ambient_c : float
        Cold water, and air around the tank. [°C]
    draw_l : array, shape (slots,)
        Warm water drawn in every slot, at most the volume. [l]
    capacity_kwh_per_k : float, optional
        Heat capacity; that of the volume of water where it is not given.
    """

    field: ClassVar[str] = "water_heater"
    states_field: ClassVar[str] = "heater_on"
    temperature_field: ClassVar[str] = "tank_c"
    amounts: ClassVar[tuple[str, ...]] = ("draw_l",)

    rated_kw: float
    volume_l: float
    resistance_k_per_kw: float
    inlet_c: float
    ambient_c: float
    draw_l: Floats
    capacity_kwh_per_k: float | None = None

    def __post_init__(self) -> None:
        for name in ("rated_kw", "volume_l", "resistance_k_per_kw"):
            positive(f"{self.field}.{name}", getattr(self, name))
        if self.capacity_kwh_per_k is not None:
            positive(f"{self.field}.capacity_kwh_per_k", self.capacity_kwh_per_k)
        number(f"{self.field}.inlet_c", self.inlet_c, -10.0, 150.0)
        number(f"{self.field}.ambient_c", self.ambient_c, -60.0, 150.0)
        self.check_band()

    def thermal_load(self, around: Surroundings) -> ThermalLoad:
        slots = around.slots
        draw = series(f"{self.field}.draw_l", self.draw_l, slots, 0.0)
        over = np.flatnonzero(draw > self.volume_l)
        if over.size:
            raise HouseDataError(
                f"field '{self.field}.draw_l' is {draw[over[0]]:g} in slot {over[0]}; "
                f"at most the volume, {self.volume_l:g} l, is needed"
            )
        stays = 1.0 - draw / self.volume_l
        capacity = self.capacity_kwh_per_k or WATER_KWH_PER_K_L * self.volume_l
        keep = float(np.exp(-around.slot_hours / (self.resistance_k_per_kw * capacity)))
        on = stays * (1.0 - keep) * self.resistance_k_per_kw * self.rated_kw
        return ThermalLoad(
            name=self.field,
            level_kw=np.array([0.0, self.rated_kw]),
            keep=stays * keep,
            drift=stays * (1.0 - keep) * self.ambient_c + (1.0 - stays) * self.inlet_c,
            effect=np.column_stack([np.zeros(slots), on]),
            outdoor_share=np.zeros(slots),
            low_c=np.full(slots, float(self.min_c)),
            high_c=np.full(slots, float(self.max_c)),
            initial_c=self.initial_c,
        )
