"""A community as its file states it: homes with devices, tariff rules, calendar, all as explicit numbers.

The format is explained in ``docs/guides/community.md``. Unknown fields are refused by name; hours count from
the trading day's midnight; energies are in kWh, powers in kW on the AC side, prices in EUR/kWh, states of
charge as shares.
"""

from __future__ import annotations

import datetime as dt
import json
import zoneinfo
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from otaniemi.optimizer.devices.thermal import Surroundings, ThermalDevice
from otaniemi.optimizer.fields import read_part
from otaniemi.platform.errors import OtaniemiError

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Efficiency = Annotated[float, Field(gt=0, le=1)]

CITYLEARN12_PV8 = "citylearn12_pv8.json"
_A_DAY_OF_HOURS = Surroundings(slots=24, slot_hours=1.0, outdoor_c=np.zeros(24))


class CommunityError(OtaniemiError):
    """A community file cannot be used."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Battery(_Strict):
    """A stationary battery; wear is paid per kWh charged and per kWh discharged."""

    capacity_kwh: Positive
    power_kw: Positive
    initial_soc: Share
    final_soc: Share
    min_soc: Share = 0.0
    max_soc: Share = 1.0
    charge_efficiency: Efficiency
    discharge_efficiency: Efficiency
    wear_eur_per_kwh: NotNegative = 0.0

    @model_validator(mode="after")
    def _in_range(self) -> Battery:
        for name in ("initial_soc", "final_soc"):
            _between(name, getattr(self, name), self.min_soc, self.max_soc)
        return self


class EvSession(_Strict):
    """One stay of the car, [arrival, departure), with its state at arrival and target at departure."""

    arrival_h: Annotated[float, Field(ge=0, lt=24)]
    departure_h: Annotated[float, Field(gt=0, le=24)]
    initial_soc: Share
    target_soc: Share


class Ev(_Strict):
    """An electric car; wear is paid per kWh discharged. ``v2h`` "sell" lets its energy go to local trades."""

    capacity_kwh: Positive
    power_kw: Positive
    min_soc: Share = 0.0
    max_soc: Share = 1.0
    charge_efficiency: Efficiency
    discharge_efficiency: Efficiency
    wear_eur_per_kwh: NotNegative = 0.0
    v2h: Literal["no", "home", "sell"]
    sessions: Annotated[tuple[EvSession, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _in_range(self) -> Ev:
        previous = 0.0
        for index, stay in enumerate(self.sessions):
            for name in ("initial_soc", "target_soc"):
                _between(f"sessions[{index}].{name}", getattr(stay, name), self.min_soc, self.max_soc)
            _between(f"sessions[{index}].arrival_h", stay.arrival_h, previous, 24.0)
            if stay.departure_h <= stay.arrival_h:
                raise ValueError(
                    f"sessions[{index}].departure_h is {stay.departure_h:g}; valid: later than arrival_h"
                )
            reachable = stay.initial_soc + (
                self.power_kw
                * (stay.departure_h - stay.arrival_h)
                * self.charge_efficiency
                / self.capacity_kwh
            )
            if reachable < stay.target_soc:
                raise ValueError(
                    f"sessions[{index}].target_soc is {stay.target_soc:g}; valid: at most {reachable:.3f}, "
                    "what the charger can reach in the stay"
                )
            previous = stay.departure_h
        return self


class Appliance(_Strict):
    """A machine that runs once a day for ``hours`` without a break, inside [earliest_h, latest_h]."""

    name: Annotated[str, Field(min_length=1)]
    rated_kw: Positive
    hours: Annotated[float, Field(gt=0, le=24)]
    earliest_h: Annotated[float, Field(ge=0, lt=24)]
    latest_h: Annotated[float, Field(gt=0, le=24)]

    @model_validator(mode="after")
    def _fits(self) -> Appliance:
        if self.earliest_h + self.hours > self.latest_h:
            raise ValueError(f"hours is {self.hours:g}; valid: at most latest_h - earliest_h")
        return self


class Home(_Strict):
    """One home.

    ``home`` is its number in the home data, ``pv_scale`` the factor on the PV energy of the data (0: no PV).
    Every further field is a thermal device, named and written as in the house file, with amounts by hour of the day.
    """

    model_config = ConfigDict(extra="allow")

    home: Annotated[int, Field(ge=1)]
    pv_scale: NotNegative
    battery: Battery | None = None
    ev: Ev | None = None
    appliances: tuple[Appliance, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> Home:
        names = [appliance.name for appliance in self.appliances]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f'appliances name "{name}" occurs twice; valid: one name per entry')
        return self

    @model_validator(mode="after")
    def _devices_are_known(self) -> Home:
        for name in self.model_extra or {}:
            if name not in ThermalDevice.kinds:
                raise PydanticCustomError("unknown_device", "{field}", {"field": name})
        for device in self.thermal:
            device.thermal_load(_A_DAY_OF_HOURS)
        return self

    @property
    def thermal(self) -> tuple[ThermalDevice, ...]:
        """Its thermal devices; their amounts are those of every hour of the day."""
        given = self.model_extra or {}
        return tuple(
            read_part(kind, given[name], name) for name, kind in ThermalDevice.kinds.items() if name in given
        )


class VatPeriod(_Strict):
    """A VAT rate from local midnight of ``start`` until the next period."""

    start: dt.date
    rate: NotNegative


class ImportRule(_Strict):
    """``max(spot incl. VAT + margin, floor, feed-in + local fee + spread)``, EUR/kWh."""

    margin_eur_per_kwh: float
    floor_eur_per_kwh: float
    spread_eur_per_kwh: NotNegative


class FeedInRule(_Strict):
    """``max(spot without VAT - margin, floor)``, EUR/kWh."""

    margin_eur_per_kwh: float
    floor_eur_per_kwh: float


class ImbalanceRule(_Strict):
    """Short is paid at import + ``short_above_import``, long at feed-in - ``long_below_feed_in``, EUR/kWh."""

    short_above_import_eur_per_kwh: NotNegative
    long_below_feed_in_eur_per_kwh: NotNegative


class TariffRules(_Strict):
    """How retail and imbalance prices follow from the spot price of the price file (which includes VAT)."""

    vat: Annotated[tuple[VatPeriod, ...], Field(min_length=1)]
    import_price: ImportRule
    feed_in: FeedInRule
    local_fee_eur_per_kwh: NotNegative
    local_fee_paid_by: Literal["buyer"]
    imbalance: ImbalanceRule

    @field_validator("vat")
    @classmethod
    def _ascending(cls, periods: tuple[VatPeriod, ...]) -> tuple[VatPeriod, ...]:
        for earlier, later in pairwise(periods):
            if later.start <= earlier.start:
                raise ValueError(f"start {later.start} comes after {earlier.start}; valid: ascending dates")
        return periods


class RowZero(_Strict):
    """Where row 0 of the home data stands in the year; ``hour`` is the label 1..24 at the end of the hour."""

    month: Annotated[int, Field(ge=1, le=12)]
    day: Annotated[int, Field(ge=1, le=31)]
    hour: Annotated[int, Field(ge=1, le=24)]


class Calendar(_Strict):
    """The zone whose clock both data follow, and the calendar place of the home data's first row."""

    zone: str
    row_zero: RowZero

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        if zone not in zoneinfo.available_timezones():
            raise ValueError(f'"{zone}" is no time zone; valid: an IANA name such as Europe/Helsinki')
        return zone


class DayRange(_Strict):
    """Days from ``first`` to ``last``, both included."""

    first: dt.date
    last: dt.date

    @model_validator(mode="after")
    def _in_order(self) -> DayRange:
        if self.last < self.first:
            raise ValueError(f"last is {self.last}; valid: {self.first} or later")
        return self

    def days(self) -> list[dt.date]:
        """Every day of the range."""
        return [self.first + dt.timedelta(days=day) for day in range((self.last - self.first).days + 1)]


class Community(_Strict):
    """Everything a community file says.

    ``study_days`` are the days on which the benchmark of market efficiency runs.
    """

    name: Annotated[str, Field(min_length=1)]
    calendar: Calendar
    tariff: TariffRules
    homes: Annotated[tuple[Home, ...], Field(min_length=1)]
    study_days: tuple[DayRange, ...] = ()

    @field_validator("homes")
    @classmethod
    def _numbers_differ(cls, homes: tuple[Home, ...]) -> tuple[Home, ...]:
        numbers = [home.home for home in homes]
        for number in numbers:
            if numbers.count(number) > 1:
                raise ValueError(f"home {number} occurs twice; valid: every home once")
        return homes


def load_community(path: Path) -> Community:
    """The community that a file describes.

    Raises
    ------
    CommunityError
        The file is missing, is no JSON, or a field is missing, unknown or out of range.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CommunityError(f"community file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CommunityError(f"community file {path} is not UTF-8 text") from error
    return parse_community(text, str(path))


def bundled_community(name: str = CITYLEARN12_PV8) -> Community:
    """A community that comes with the package: devices, tariffs and calendar, no measured data."""
    file = resources.files("otaniemi.platform") / "data" / "communities" / name
    return parse_community(file.read_text(encoding="utf-8"), name)


def parse_community(text: str, origin: str) -> Community:
    """The community in a JSON text; ``origin`` names it in errors.

    Raises
    ------
    CommunityError
        See :func:`load_community`.
    """
    try:
        return Community.model_validate_json(text)
    except ValidationError as error:
        raise CommunityError(f"community file {origin}: {_first_fault(error)}") from error


def _between(field: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{field} is {value:g}; valid: {low:g} to {high:g}")


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault["loc"]).lstrip(".")
    if fault["type"] == "unknown_device":
        where = f"{where}.{fault['ctx']['field']}"
    if fault["type"] in ("extra_forbidden", "unknown_device"):
        return f"{where} is not a field of this format; valid fields are listed in docs/guides/community.md"
    if fault["type"] == "json_invalid":
        return f"no JSON: {fault['ctx']['error']}"
    if fault["type"] == "missing":
        return f"{where} is missing"
    if fault["type"] == "value_error":
        return f"{where or 'the community'}: {fault['ctx']['error']}"
    return f"{where} is {_short(fault['input'])}; valid: {fault['msg'].removeprefix('Input should be ')}"


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 40 else f"{text[:37]}..."
