"""The stationary battery."""

from __future__ import annotations

from dataclasses import dataclass

from otaniemi.optimizer.devices.storage import check_storage
from otaniemi.optimizer.fields import number


@dataclass(frozen=True)
class Battery:
    """A stationary battery; powers on its AC side, wear on energy in and out."""

    capacity_kwh: float
    power_kw: float
    initial_soc: float
    final_soc: float
    min_soc: float = 0.0
    max_soc: float = 1.0
    charge_efficiency: float = 1.0
    discharge_efficiency: float = 1.0
    wear_eur_per_kwh: float = 0.0

    def __post_init__(self) -> None:
        check_storage("battery", self)
        number("battery.initial_soc", self.initial_soc, self.min_soc, self.max_soc)
        number("battery.final_soc", self.final_soc, 0.0, self.max_soc)
