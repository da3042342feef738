"""What a home is: devices, tariff, load and sun of a day, read from and written to the house file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from otaniemi.optimizer.errors import HouseDataError

Floats = NDArray[np.float64]

V2H_MODES = ("no", "home", "sell")
NOT_PLANNED = {
    "air_conditioner": "thermal devices are not planned by this version",
    "water_heater": "thermal devices are not planned by this version",
    "scenarios": "scenarios are not planned by this version",
}
_ROUNDING = 1e-9


def _number(name: str, value: object, low: float = -math.inf, high: float = math.inf) -> float:
    """`value` as a float within [low, high], or an error that names the field."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise HouseDataError(f"field '{name}' is {value!r}; a number is needed")
    number = float(value)
    if not math.isfinite(number) or not low <= number <= high:
        raise HouseDataError(f"field '{name}' is {value}; {_range(low, high)} is needed")
    return number


def _range(low: float, high: float) -> str:
    if high < math.inf:
        return f"a number from {low:g} to {high:g}"
    return f"a number of at least {low:g}" if low > -math.inf else "a finite number"


def _positive(name: str, value: object, high: float = math.inf) -> float:
    number = _number(name, value, 0.0, high)
    if number == 0.0:
        raise HouseDataError(f"field '{name}' is 0; more than 0 is needed")
    return number


def _whole(name: str, value: object, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not low <= value <= high:
        raise HouseDataError(f"field '{name}' is {value!r}; a whole number from {low} to {high} is needed")
    return int(value)


def series(name: str, values: ArrayLike, slots: int, low: float = -math.inf) -> Floats:
    """One finite number per slot as a read-only array, or an error that names the field and the slot."""
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise HouseDataError(f"field '{name}' holds something else than numbers") from None
    if array.shape != (slots,):
        raise HouseDataError(
            f"field '{name}' has shape {array.shape}; one value per slot, {slots}, is needed"
        )
    bad = np.flatnonzero(~np.isfinite(array) | (array < low))
    if bad.size:
        raise HouseDataError(
            f"field '{name}' is {array[bad[0]]} in slot {bad[0]}; {_range(low, math.inf)} is needed"
        )
    array.flags.writeable = False
    return array


@dataclass(frozen=True, eq=False)
class Tariff:
    """Retail prices of every slot.

    Attributes
    ----------
    import_eur_per_kwh, export_eur_per_kwh : array, shape (slots,)
        Paid for a kWh from the grid, received for a kWh into it; may be negative. [EUR/kWh]
    """

    import_eur_per_kwh: Floats
    export_eur_per_kwh: Floats


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
        _check_storage("battery", self)
        _number("battery.initial_soc", self.initial_soc, self.min_soc, self.max_soc)
        _number("battery.final_soc", self.final_soc, 0.0, self.max_soc)


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
        _check_storage("ev", self)
        if self.v2h not in V2H_MODES:
            raise HouseDataError(f"field 'ev.v2h' is {self.v2h!r}; one of {', '.join(V2H_MODES)} is needed")
        free_from = 0
        for k, session in enumerate(self.sessions):
            name = f"ev.sessions[{k}]"
            _whole(f"{name}.arrival_slot", session.arrival_slot, 0, 10**9)
            _whole(f"{name}.departure_slot", session.departure_slot, 1, 10**9)
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
            _number(f"{name}.initial_soc", session.initial_soc, self.min_soc, self.max_soc)
            _number(f"{name}.target_soc", session.target_soc, 0.0, self.max_soc)


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
        _number(f"appliances.{self.name}.rated_kw", self.rated_kw, 0.0)
        _positive(f"appliances.{self.name}.hours", self.hours)
        _number(f"appliances.{self.name}.earliest_h", self.earliest_h, 0.0)
        _number(f"appliances.{self.name}.latest_h", self.latest_h, 0.0)

    def run_slots(self, slot_hours: float) -> int:
        """Number of slots it runs."""
        return round(self.hours / slot_hours)

    def start_slots(self, slot_hours: float, slots: int) -> range:
        """Slots in which it may start."""
        first = math.ceil(self.earliest_h / slot_hours - _ROUNDING)
        end = min(math.floor(self.latest_h / slot_hours + _ROUNDING), slots)
        return range(first, end - self.run_slots(slot_hours) + 1)


def _check_storage(name: str, device: Battery | ElectricVehicle) -> None:
    _positive(f"{name}.capacity_kwh", device.capacity_kwh)
    _number(f"{name}.power_kw", device.power_kw, 0.0)
    _number(f"{name}.max_soc", device.max_soc, 0.0, 1.0)
    _number(f"{name}.min_soc", device.min_soc, 0.0, device.max_soc)
    _positive(f"{name}.charge_efficiency", device.charge_efficiency, 1.0)
    _positive(f"{name}.discharge_efficiency", device.discharge_efficiency, 1.0)
    _number(f"{name}.wear_eur_per_kwh", device.wear_eur_per_kwh, 0.0)


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
    import_limit_kw, export_limit_kw : float or None
        Limits of the connection; None is no limit. [kW]
    outdoor_c : array, shape (slots,), or None
        Outdoor temperature, carried along. [°C]

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
    ev: ElectricVehicle | None = None
    battery: Battery | None = None
    import_limit_kw: float | None = None
    export_limit_kw: float | None = None

    def __post_init__(self) -> None:
        _whole("slots", self.slots, 1, 100_000)
        _positive("slot_hours", self.slot_hours)
        prices = self.tariff
        fixed = Tariff(
            series("tariff.import_eur_per_kwh", prices.import_eur_per_kwh, self.slots),
            series("tariff.export_eur_per_kwh", prices.export_eur_per_kwh, self.slots),
        )
        object.__setattr__(self, "tariff", fixed)
        object.__setattr__(self, "base_load_kw", series("base_load_kw", self.base_load_kw, self.slots, 0.0))
        object.__setattr__(self, "pv_kw", series("pv_kw", self.pv_kw, self.slots, 0.0))
        if self.outdoor_c is not None:
            object.__setattr__(self, "outdoor_c", series("outdoor_c", self.outdoor_c, self.slots))
        for limit in ("import_limit_kw", "export_limit_kw"):
            if getattr(self, limit) is not None:
                _number(limit, getattr(self, limit), 0.0)
        self._check_sessions()
        self._check_appliances()

    def _check_sessions(self) -> None:
        for k, session in enumerate(self.ev.sessions if self.ev else ()):
            _whole(f"ev.sessions[{k}].departure_slot", session.departure_slot, 1, self.slots)

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
        for name, reason in NOT_PLANNED.items():
            if data.get(name) is not None:
                raise HouseDataError(f"field '{name}': {reason}")
        known = {key: value for key, value in data.items() if key not in NOT_PLANNED}
        _check_names(cls, known, "")
        slots = _whole("slots", known["slots"], 1, 100_000)
        values = {key: value for key, value in known.items() if value is not None}
        values["tariff"] = _read(Tariff, known["tariff"], "tariff")
        values.setdefault("pv_kw", np.zeros(slots))
        if "name" in values and not isinstance(values["name"], str):
            raise HouseDataError(f"field 'name' is {values['name']!r}; a text is needed")
        if "battery" in values:
            values["battery"] = _read(Battery, values["battery"], "battery")
        if "ev" in values:
            ev = _object(values["ev"], "ev")
            sessions = _list(ev.get("sessions", []), "ev.sessions")
            read = tuple(_read(EvSession, item, f"ev.sessions[{k}]") for k, item in enumerate(sessions))
            values["ev"] = _read(ElectricVehicle, {**ev, "sessions": read}, "ev")
        if "appliances" in values:
            items = _list(values["appliances"], "appliances")
            values["appliances"] = tuple(
                _read(Appliance, item, f"appliances[{k}]") for k, item in enumerate(items)
            )
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """The house as the JSON object of a house file; devices that it lacks are left out."""
        return {
            key: value
            for key, value in ((f.name, _plain(getattr(self, f.name))) for f in fields(self))
            if value
        }


_Part = TypeVar("_Part", Tariff, Battery, ElectricVehicle, EvSession, Appliance)


def _check_names(part: type, data: Mapping[str, Any], prefix: str) -> None:
    known = {f.name for f in fields(part)}
    for name in data:
        if name not in known:
            raise HouseDataError(f"field '{prefix}{name}' is unknown; known are {', '.join(sorted(known))}")
    optional = {f.name for f in fields(part) if f.default is not field().default} | {"pv_kw"}
    for name in sorted(known - optional):
        if data.get(name) is None:
            raise HouseDataError(f"field '{prefix}{name}' is missing")


def _read(part: type[_Part], data: object, name: str) -> _Part:
    item = _object(data, name)
    _check_names(part, item, f"{name}.")
    return part(**item)


def _object(data: object, name: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise HouseDataError(f"field '{name}' is {data!r}; a JSON object is needed")
    return data


def _list(data: object, name: str) -> list[Any]:
    if not isinstance(data, list):
        raise HouseDataError(f"field '{name}' is {data!r}; a list is needed")
    return data


def _plain(value: object) -> Any:
    """JSON form of a field."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, (Tariff, Battery, ElectricVehicle, EvSession, Appliance)):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    return value
