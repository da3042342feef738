"""What battery and vehicle share."""

from __future__ import annotations

from typing import Protocol

from otaniemi.optimizer.fields import number, positive


class Storage(Protocol):
    """A device that stores electricity; powers on its AC side."""

    @property
    def capacity_kwh(self) -> float: ...
    @property
    def power_kw(self) -> float: ...
    @property
    def min_soc(self) -> float: ...
    @property
    def max_soc(self) -> float: ...
    @property
    def charge_efficiency(self) -> float: ...
    @property
    def discharge_efficiency(self) -> float: ...
    @property
    def wear_eur_per_kwh(self) -> float: ...


def check_storage(name: str, device: Storage) -> None:
    """Refuse a storage that cannot be; `name` is its field in the house file."""
    positive(f"{name}.capacity_kwh", device.capacity_kwh)
    number(f"{name}.power_kw", device.power_kw, 0.0)
    number(f"{name}.max_soc", device.max_soc, 0.0, 1.0)
    number(f"{name}.min_soc", device.min_soc, 0.0, device.max_soc)
    positive(f"{name}.charge_efficiency", device.charge_efficiency, 1.0)
    positive(f"{name}.discharge_efficiency", device.discharge_efficiency, 1.0)
    number(f"{name}.wear_eur_per_kwh", device.wear_eur_per_kwh, 0.0)
