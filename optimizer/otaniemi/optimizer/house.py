"""What a home is: devices, tariff, load and sun of a day, read from and written to the house file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np

from otaniemi.optimizer.devices.appliance import Appliance
from otaniemi.optimizer.devices.battery import Battery
from otaniemi.optimizer.devices.thermal import Surroundings, ThermalDevice, ThermalLoad
from otaniemi.optimizer.devices.vehicle import ElectricVehicle, EvSession
from otaniemi.optimizer.errors import HouseDataError
from otaniemi.optimizer.fields import (
    Floats,
    Part,
    check_names,
    json_list,
    json_object,
    number,
    positive,
    read_part,
    series,
    whole,
)

_PROBABILITY_ROUNDING = 1e-6
_SAME_C = 1e-8
_SECOND_H, _YEAR_H = 1 / 3600, 8760.0


@dataclass(frozen=True, eq=False)
class Tariff:
    """Retail prices.

    Attributes
    ----------
    import_eur_per_kwh, export_eur_per_kwh : array, shape (slots,)
        Paid for a kWh from the grid, received for a kWh into it; may be negative. [EUR/kWh]
    peak_eur_per_kw : float
        Capacity tariff: paid for the highest mean power of a slot that the home takes at its meter. [EUR/kW]
    """

    import_eur_per_kwh: Floats
    export_eur_per_kwh: Floats
    peak_eur_per_kw: float = 0.0


@dataclass(frozen=True)
class Scenario:
    """One way the day may turn out: warmer or colder outside, more or less sun."""

    probability: float
    outdoor_offset_c: float = 0.0
    pv_factor: float = 1.0


CERTAIN = (Scenario(1.0),)
"""The day as forecast."""


@dataclass(frozen=True, eq=False)
class House:
    """One home over one horizon.

    Attributes
    ----------
    slots : int
        Number of slots.
    slot_hours : float
        Length of a slot. [h]
    base_load_kw, pv_kw : array, shape (slots,)
        Load that nobody shifts and sun that could be used, mean of the slot. [kW]
    outdoor_c : array, shape (slots,), or None
        Outdoor temperature. [°C]
    thermal : tuple of ThermalDevice
        Devices with a temperature, each a field of its own in the house file.
    import_limit_kw, export_limit_kw : float or None
        Limits of the connection; None is no limit. [kW]
    scenarios : tuple of Scenario
        Their probabilities sum to 1; one certain scenario by default.

    Raises
    ------
    HouseDataError
        A field that cannot be, by name.
    """

    slots: int
    slot_hours: float
    tariff: Tariff
    base_load_kw: Floats
    pv_kw: Floats
    name: str = "home"
    outdoor_c: Floats | None = None
    appliances: tuple[Appliance, ...] = ()
    thermal: tuple[ThermalDevice, ...] = ()
    ev: ElectricVehicle | None = None
    battery: Battery | None = None
    import_limit_kw: float | None = None
    export_limit_kw: float | None = None
    scenarios: tuple[Scenario, ...] = CERTAIN
    thermal_loads: tuple[ThermalLoad, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        whole("slots", self.slots, 1, 100_000)
        number("slot_hours", self.slot_hours, _SECOND_H, _YEAR_H)
        prices = self.tariff
        number("tariff.peak_eur_per_kw", prices.peak_eur_per_kw, 0.0)
        fixed = Tariff(
            series("tariff.import_eur_per_kwh", prices.import_eur_per_kwh, self.slots),
            series("tariff.export_eur_per_kwh", prices.export_eur_per_kwh, self.slots),
            prices.peak_eur_per_kw,
        )
        object.__setattr__(self, "tariff", fixed)
        object.__setattr__(self, "base_load_kw", series("base_load_kw", self.base_load_kw, self.slots, 0.0))
        object.__setattr__(self, "pv_kw", series("pv_kw", self.pv_kw, self.slots, 0.0))
        if self.outdoor_c is not None:
            object.__setattr__(self, "outdoor_c", series("outdoor_c", self.outdoor_c, self.slots))
        for limit in ("import_limit_kw", "export_limit_kw"):
            if getattr(self, limit) is not None:
                number(limit, getattr(self, limit), 0.0)
        self._check_scenarios()
        self._check_sessions()
        self._check_appliances()
        object.__setattr__(self, "thermal_loads", self._thermal_loads())

    def _check_scenarios(self) -> None:
        for k, scenario in enumerate(self.scenarios):
            positive(f"scenarios[{k}].probability", scenario.probability, 1.0)
            number(f"scenarios[{k}].outdoor_offset_c", scenario.outdoor_offset_c, -60.0, 60.0)
            number(f"scenarios[{k}].pv_factor", scenario.pv_factor, 0.0)
        total = sum(scenario.probability for scenario in self.scenarios)
        if abs(total - 1.0) > _PROBABILITY_ROUNDING:
            raise HouseDataError(f"field 'scenarios' has probabilities of {total:g} in all; 1 is needed")

    def _check_sessions(self) -> None:
        for k, session in enumerate(self.ev.sessions if self.ev else ()):
            whole(f"ev.sessions[{k}].departure_slot", session.departure_slot, 1, self.slots)

    def _check_appliances(self) -> None:
        names = [appliance.name for appliance in self.appliances]
        for appliance in self.appliances:
            field_name = f"appliances.{appliance.name}"
            if names.count(appliance.name) > 1:
                raise HouseDataError(f"field '{field_name}' is there twice; names are unique")
            exact = appliance.hours / self.slot_hours
            if abs(exact - round(exact)) > 1e-6:
                raise HouseDataError(
                    f"field '{field_name}.hours' is {appliance.hours:g}; "
                    f"a whole number of slots of {self.slot_hours:g} h is needed"
                )
            if not appliance.start_slots(self.slot_hours, self.slots):
                raise HouseDataError(
                    f"field '{field_name}.latest_h' is {appliance.latest_h:g}; a window of at least "
                    f"{appliance.hours:g} h from {appliance.earliest_h:g} h within the "
                    f"{self.slots * self.slot_hours:g} h of the plan is needed"
                )

    def _thermal_loads(self) -> tuple[ThermalLoad, ...]:
        """Every temperature, with the band that holds in all scenarios."""
        kinds = [device.field for device in self.thermal]
        for kind in kinds:
            if kinds.count(kind) > 1:
                raise HouseDataError(f"field '{kind}' is there twice; a home has at most one")
        around = Surroundings(self.slots, self.slot_hours, self.outdoor_c)
        offsets = [scenario.outdoor_offset_c for scenario in self.scenarios]
        return tuple(
            device.thermal_load(around).narrowed(offsets).ending(device.final_c) for device in self.thermal
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> House:
        """House from the JSON object of a house file.

        Raises
        ------
        HouseDataError
            Unknown or missing fields, bad numbers, wrong lengths, impossible windows; by field name.
        """
        if not isinstance(data, Mapping):
            raise HouseDataError(f"a house is a JSON object, not {type(data).__name__}")
        check_names(data, {*_OWN_FIELDS, *ThermalDevice.kinds}, _NEEDED_FIELDS)
        slots = whole("slots", data["slots"], 1, 100_000)
        values = {
            key: value for key, value in data.items() if value is not None and key not in ThermalDevice.kinds
        }
        values["tariff"] = read_part(Tariff, data["tariff"], "tariff")
        values.setdefault("pv_kw", np.zeros(slots))
        if not isinstance(values.get("name", ""), str):
            raise HouseDataError(f"field 'name' is {values['name']!r}; a text is needed")
        if "battery" in values:
            values["battery"] = read_part(Battery, values["battery"], "battery")
        if "ev" in values:
            ev = json_object(values["ev"], "ev")
            sessions = _read_list(EvSession, ev.get("sessions", []), "ev.sessions")
            values["ev"] = read_part(ElectricVehicle, {**ev, "sessions": sessions}, "ev")
        if "appliances" in values:
            values["appliances"] = _read_list(Appliance, values["appliances"], "appliances")
        if "scenarios" in values:
            values["scenarios"] = _read_list(Scenario, values["scenarios"], "scenarios")
        values["thermal"] = tuple(
            read_part(kind, data[name], name)
            for name, kind in ThermalDevice.kinds.items()
            if data.get(name) is not None
        )
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """The house as the JSON object of a house file; devices that it lacks are left out."""
        found = {name: _plain(getattr(self, name)) for name in _OWN_FIELDS}
        found |= {device.field: device.to_dict() for device in self.thermal}
        if self.scenarios == CERTAIN:
            del found["scenarios"]
        return {key: value for key, value in found.items() if value is not None and value != []}


def expected_offset(house: House) -> float:
    """By how much it is warmer outside than forecast, expected over the scenarios. [K]"""
    return sum(scenario.probability * scenario.outdoor_offset_c for scenario in house.scenarios)


_OWN_FIELDS = tuple(f.name for f in fields(House) if f.name not in ("thermal", "thermal_loads"))
_NEEDED_FIELDS = ("slots", "slot_hours", "tariff", "base_load_kw")


def _read_list(part: type[Part], data: object, name: str) -> tuple[Part, ...]:
    return tuple(read_part(part, item, f"{name}[{k}]") for k, item in enumerate(json_list(data, name)))


def _plain(value: object) -> Any:
    """JSON form of a field."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    return value
