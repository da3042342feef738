"""What a plan decides in whole numbers, the same in every scenario."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from otaniemi.optimizer.devices.thermal import Levels
from otaniemi.optimizer.errors import HouseDataError
from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.house import House
from otaniemi.optimizer.program.home_program import appliance_load


@dataclass(frozen=True, eq=False)
class Choices:
    """Starts and levels.

    Attributes
    ----------
    starts : mapping
        Start slot of every appliance, by name.
    levels : mapping of integer arrays, shape (slots,)
        Level of every thermal device, by its field in the house file.
    """

    starts: Mapping[str, int]
    levels: Mapping[str, Levels]

    def device_kwh(self, house: House) -> Floats:
        """Energy of appliances and thermal devices in every slot, shape (slots,). [kWh]

        Raises
        ------
        HouseDataError
            A start outside its window, an appliance without one, a thermal device without levels.
        """
        return appliance_load(house, self.starts) + thermal_load(house, self.levels)


def thermal_load(house: House, levels: Mapping[str, Levels]) -> Floats:
    """Energy of the thermal devices in every slot, shape (slots,). [kWh]"""
    load = np.zeros(house.slots)
    for device in house.thermal_loads:
        if device.name not in levels:
            raise HouseDataError(
                f"thermal device '{device.name}' has no levels; one for every slot is needed"
            )
        load += device.level_kw[levels[device.name]] * house.slot_hours
    return load
