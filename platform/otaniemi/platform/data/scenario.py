"""The truth of a run: what every home's meter will see, and every slot's prices, in the protocol's integers.

Energy is Wh per slot, prices are micro-token/kWh. Planning sees the truth through
:mod:`otaniemi.platform.forecast` alone.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otaniemi.platform.community import Home
from otaniemi.platform.errors import OtaniemiError

IntArray = NDArray[np.int64]
Floats = NDArray[np.float64]

HOUR = 3600
DAY = 86_400
HISTORY_DAYS = 8
"""Days before the first trading day that a scenario knows where it can; a forecast looks back a week."""


class DataError(OtaniemiError):
    """Input data are missing, incomplete or impossible."""


@dataclass(frozen=True)
class Prices:
    """Retail, imbalance and spot prices, each of shape (slots,) [micro-token/kWh]; ``spot`` includes VAT."""

    import_micro: IntArray
    feed_in_micro: IntArray
    short_micro: IntArray
    long_micro: IntArray
    spot_micro: IntArray

    def part(self, slots: slice) -> Prices:
        """The prices of some slots."""
        return Prices(
            self.import_micro[slots],
            self.feed_in_micro[slots],
            self.short_micro[slots],
            self.long_micro[slots],
            self.spot_micro[slots],
        )


@dataclass(frozen=True)
class TradingDay:
    """One trading day of a community.

    Attributes
    ----------
    index : int
        Which day of the run, from 0.
    first_slot : int
        ``unix_time // slot_seconds`` of the day's first slot.
    homes : tuple of Home, length (homes,)
    load_wh, pv_wh : int array, shape (homes, slots)
        Load without devices, and the PV energy that is there to be used. [Wh]
    outdoor_c : array, shape (slots,)
        Outdoor temperature. [°C]
    past_load_wh : int array, shape (homes, past slots)
        The load up to the day's midnight; a whole number of hours. [Wh]
    local_fee_micro : int
        What the buyer pays on top of a local price. [micro-token/kWh]
    """

    index: int
    first_slot: int
    slot_seconds: int
    homes: tuple[Home, ...]
    load_wh: IntArray
    pv_wh: IntArray
    outdoor_c: Floats
    past_load_wh: IntArray
    prices: Prices
    local_fee_micro: int

    @property
    def slots(self) -> int:
        """Number of slots, 86,400 / slot_seconds."""
        return int(self.load_wh.shape[1])

    @property
    def slot_hours(self) -> float:
        return self.slot_seconds / HOUR


@dataclass(frozen=True)
class Scenario:
    """The truth of a run of one or more trading days.

    Attributes
    ----------
    source : str
        "synthetic", or the path of the measured data.
    name : str
        The community's name.
    homes : tuple of Home, length (homes,)
    first_day : date
        The first trading day in the community's calendar.
    utc_offset_s : int
        The fixed offset of the trading day for the whole run.
    first_slot : int
        ``unix_time // slot_seconds`` of the first trading slot.
    past_slots : int
        Slots of ``load_wh`` and ``pv_wh`` that lie before ``first_slot``.
    load_wh, pv_wh : int array, shape (homes, past_slots + days * slots per day)  [Wh]
    outdoor_c : array, shape (days * slots per day,)  [°C]
    prices : Prices, of ``days * slots per day`` slots
    """

    source: str
    name: str
    homes: tuple[Home, ...]
    first_day: dt.date
    utc_offset_s: int
    slot_seconds: int
    first_slot: int
    past_slots: int
    load_wh: IntArray
    pv_wh: IntArray
    outdoor_c: Floats
    prices: Prices
    local_fee_micro: int

    @property
    def slots_per_day(self) -> int:
        return DAY // self.slot_seconds

    @property
    def days(self) -> int:
        return int(self.prices.import_micro.size) // self.slots_per_day

    def day(self, index: int) -> TradingDay:
        """Trading day ``index``, from 0."""
        n = self.slots_per_day
        now = self.past_slots + index * n
        return TradingDay(
            index=index,
            first_slot=self.first_slot + index * n,
            slot_seconds=self.slot_seconds,
            homes=self.homes,
            load_wh=self.load_wh[:, now : now + n],
            pv_wh=self.pv_wh[:, now : now + n],
            outdoor_c=self.outdoor_c[index * n : (index + 1) * n],
            past_load_wh=self.load_wh[:, :now],
            prices=self.prices.part(slice(index * n, (index + 1) * n)),
            local_fee_micro=self.local_fee_micro,
        )


def check_slot_seconds(slot_seconds: int) -> None:
    """Refuse a slot length that does not divide the hour.

    Raises
    ------
    DataError
    """
    if not (60 <= slot_seconds <= HOUR and HOUR % slot_seconds == 0):
        raise DataError(
            f"slot is {slot_seconds} s; valid: a divisor of one hour, such as 15min, 12min or 60min"
        )


def split_hours(hourly_wh: IntArray, parts: int) -> IntArray:
    """Hourly energy in equal parts that are integers and sum to the hour.

    Part j of W Wh is ``(j + 1) W // parts - j W // parts``: parts differ by at most 1 Wh and none is lost.

    Parameters
    ----------
    hourly_wh : int array, shape (..., hours)  [Wh]
    parts : int
        Slots per hour.

    Returns
    -------
    int array, shape (..., hours * parts)  [Wh]
    """
    steps = np.arange(parts + 1) * hourly_wh[..., None] // parts
    return np.diff(steps, axis=-1).reshape(*hourly_wh.shape[:-1], -1)
