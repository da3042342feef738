"""The electric vehicle: a storage that comes and goes."""

from __future__ import annotations

from dataclasses import dataclass

from otaniemi.optimizer.devices.storage import check_storage
from otaniemi.optimizer.errors import HouseDataError
from otaniemi.optimizer.fields import number, whole

V2H_MODES = ("no", "home", "sell")


@dataclass(frozen=True)
class EvSession:
    """One stay of the vehicle: at home in slots `arrival_slot` to `departure_slot - 1`."""

    arrival_slot: int
    departure_slot: int
    initial_soc: float
    target_soc: float


@dataclass(frozen=True)
class ElectricVehicle:
    """A vehicle with its stays; wear on discharged energy only.

    Attributes
    ----------
    v2h : "no", "home" or "sell"
        Whether it may discharge: not at all, to the home's load, or also into local trades.
    """

    capacity_kwh: float
    power_kw: float
    sessions: tuple[EvSession, ...]
    min_soc: float = 0.0
    max_soc: float = 1.0
    charge_efficiency: float = 1.0
    discharge_efficiency: float = 1.0
    wear_eur_per_kwh: float = 0.0
    v2h: str = "no"

    def __post_init__(self) -> None:
        check_storage("ev", self)
        if self.v2h not in V2H_MODES:
            raise HouseDataError(f"field 'ev.v2h' is {self.v2h!r}; one of {', '.join(V2H_MODES)} is needed")
        free_from = 0
        for k, session in enumerate(self.sessions):
            name = f"ev.sessions[{k}]"
            whole(f"{name}.arrival_slot", session.arrival_slot, 0, 10**9)
            whole(f"{name}.departure_slot", session.departure_slot, 1, 10**9)
            if session.arrival_slot < free_from:
                raise HouseDataError(
                    f"field '{name}.arrival_slot' is {session.arrival_slot}; sessions follow each other, "
                    f"{free_from} or later is needed"
                )
            if session.departure_slot <= session.arrival_slot:
                raise HouseDataError(
                    f"field '{name}.departure_slot' is {session.departure_slot}; "
                    f"a slot after the arrival in {session.arrival_slot} is needed"
                )
            free_from = session.departure_slot
            number(f"{name}.initial_soc", session.initial_soc, self.min_soc, self.max_soc)
            number(f"{name}.target_soc", session.target_soc, 0.0, self.max_soc)
