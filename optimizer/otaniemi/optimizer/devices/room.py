"""A room: heat stored behind one resistance, heated or cooled by a device."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from otaniemi.optimizer.devices.thermal import Surroundings, ThermalLoad
from otaniemi.optimizer.fields import Floats, number, positive


class Room(Protocol):
    """The fields of a device that has a room."""

    @property
    def field(self) -> str: ...
    @property
    def resistance_k_per_kw(self) -> float: ...
    @property
    def capacity_kwh_per_k(self) -> float: ...
    @property
    def gain_kw(self) -> float: ...
    @property
    def min_c(self) -> float: ...
    @property
    def max_c(self) -> float: ...
    @property
    def initial_c(self) -> float: ...


def check_room(room: Room) -> None:
    """Refuse a room that cannot be; its band is checked by the device."""
    positive(f"{room.field}.resistance_k_per_kw", room.resistance_k_per_kw)
    positive(f"{room.field}.capacity_kwh_per_k", room.capacity_kwh_per_k)
    number(f"{room.field}.gain_kw", room.gain_kw)


def room_load(room: Room, around: Surroundings, level_kw: Floats, heat_kw: Floats) -> ThermalLoad:
    """What a device does to its room, by the first-order RC model.

    Parameters
    ----------
    room : Room
        Resistance to the outdoor air [K/kW], capacity [kWh/K], constant gain of people and devices [kW], band [°C].
    around : Surroundings
    level_kw, heat_kw : array, shape (levels,)
        Electric power of each level, and the heat that it brings into the room, negative where it cools. [kW]

    Raises
    ------
    HouseDataError
        No outdoor temperature.

    References
    ----------
    docs/model.md, "Rooms".
    """
    slots, resistance = around.slots, room.resistance_k_per_kw
    keep = float(np.exp(-around.slot_hours / (resistance * room.capacity_kwh_per_k)))
    return ThermalLoad(
        name=room.field,
        level_kw=level_kw,
        keep=np.full(slots, keep),
        drift=(1.0 - keep) * (around.outdoor(room.field) + resistance * room.gain_kw),
        effect=np.tile((1.0 - keep) * resistance * heat_kw, (slots, 1)),
        outdoor_share=np.full(slots, 1.0 - keep),
        low_c=np.full(slots, float(room.min_c)),
        high_c=np.full(slots, float(room.max_c)),
        initial_c=room.initial_c,
    )
