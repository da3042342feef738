"""What one home does over a day: devices as set, schedule, trades, meter, and what all of it costs.

Energy is integer Wh with import positive; money integer nano-token. Rounding never favours the home: what a
device takes is rounded up, what it gives is rounded down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import NamedTuple

import numpy as np

from otaniemi.contracts.rules.lines import settle
from otaniemi.contracts.rules.meters import MeterLeaf, Quality
from otaniemi.contracts.rules.orders import Step
from otaniemi.contracts.rules.packages import NO_PACKAGES, HomePackages, covered_wh
from otaniemi.contracts.rules.tariffs import SlotTariff, slot_tariffs
from otaniemi.contracts.rules.units import NANO_PER_TOKEN, WH_PER_KWH, offerable_wh
from otaniemi.optimizer.devices.thermal import Levels, ThermalLoad
from otaniemi.optimizer.house import House
from otaniemi.optimizer.program.home_program import Flows
from otaniemi.platform.data.scenario import IntArray, TradingDay

_SALT = bytes(32)
_TOLERANCE_WH = 1e-3


class Fill(NamedTuple):
    """What was traded of a step, at the price of its market."""

    step: Step
    wh: int
    price: int


class Metered(NamedTuple):
    """What a home's meter saw in one slot and what was behind it, consumption positive. [Wh]"""

    import_wh: int
    export_wh: int
    load_wh: int
    pv_wh: int
    battery_wh: int
    ev_wh: int
    appliances_wh: int
    thermal_wh: int

    @property
    def net_wh(self) -> int:
        """Import less export."""
        return self.import_wh - self.export_wh


class HomeRecord:
    """One home's day, slot by slot.

    Parameters
    ----------
    day : TradingDay
    house : House
    appliances_wh : int array, shape (slots,)
    loads : sequence of ThermalLoad
        What its thermal devices truly do to their temperatures.
    packages : sequence of HomePackages, length (slots,), optional
        What it has agreed on with its retailer.

    Attributes
    ----------
    trade_wh, schedule_wh, meter_wh : int array, shape (slots,)
        t, s and m of the settlement. [Wh]
    control_wh : int array, shape (slots,)
        The part of ``meter_wh - schedule_wh`` that curtailment against a negative price brought about. [Wh]
    trade_nano, fee_nano : int array, shape (slots,)
        Paid for trades, and local fee of what was bought. [nano-token]
    wear_eur : array, shape (slots,)
        Of battery and vehicle. [EUR]
    battery_kwh, ev_kwh : array, shape (slots,)
        Stored at the end of the slot; NaN without the device or while the car is away.
    levels : dict of integer arrays, shape (slots,)
        At which every thermal device runs, by field.
    temperatures_c : dict of arrays, shape (slots,)
        True temperature at the end of every delivered slot, by the same names; NaN before. [°C]
    """

    def __init__(
        self,
        day: TradingDay,
        house: House,
        appliances_wh: IntArray,
        loads: Sequence[ThermalLoad] = (),
        packages: Sequence[HomePackages] | None = None,
    ) -> None:
        self._day, self._house, self._appliances_wh, self._loads = day, house, appliances_wh, loads
        self.packages = [NO_PACKAGES] * day.slots if packages is None else list(packages)
        self.levels = {load.name: np.zeros(day.slots, np.int8) for load in loads}
        self.temperatures_c = {load.name: np.full(day.slots, np.nan) for load in loads}
        self._thermal_wh = np.zeros(day.slots, np.int64)
        self.trade_wh, self.schedule_wh, self.meter_wh = (np.zeros(day.slots, np.int64) for _ in range(3))
        self.control_wh = np.zeros(day.slots, np.int64)
        self.trade_nano, self.fee_nano = (np.zeros(day.slots, np.int64) for _ in range(2))
        self.wear_eur = np.zeros(day.slots)
        self.battery_kwh, self.ev_kwh = (np.full(day.slots, np.nan) for _ in range(2))
        self._battery_wh, self._ev_wh, self._curtailed_wh = (np.zeros(day.slots, np.int64) for _ in range(3))

    def trade(self, slot: int, wh: int, price: int) -> None:
        """Buy ``wh`` (sell where negative) at ``price``; the buyer pays the local fee."""
        self.trade_wh[slot] += wh
        self.trade_nano[slot] += price * wh
        self.fee_nano[slot] += self._day.local_fee_micro * max(wh, 0)

    def set_devices(
        self, slot: int, flows: Flows, levels: Mapping[str, Levels], load_wh: int, pv_wh: int
    ) -> int:
        """Set the devices of ``slot`` as planned; the schedule at this load and PV. [Wh]"""
        for load in self._loads:
            level = self.levels[load.name][slot] = levels[load.name][slot]
            self._thermal_wh[slot] += _taken_wh(float(load.level_kw[level]) * self._day.slot_hours)
        if (battery := self._house.battery) is not None:
            charge, discharge = float(flows.battery_charge[slot]), float(flows.battery_discharge[slot])
            self._battery_wh[slot] = _taken_wh(charge - discharge)
            self.battery_kwh[slot] = flows.battery_stored[slot]
            self.wear_eur[slot] += battery.wear_eur_per_kwh * (charge + discharge)
        if (ev := self._house.ev) is not None:
            charge, discharge = float(flows.ev_charge[slot]), float(flows.ev_discharge[slot])
            self._ev_wh[slot] = _taken_wh(charge - discharge)
            self.ev_kwh[slot] = flows.ev_stored[slot]
            self.wear_eur[slot] += ev.wear_eur_per_kwh * discharge
        used = min(offerable_wh(float(flows.pv_used[slot])), pv_wh)
        self._curtailed_wh[slot] = pv_wh - used
        self.schedule_wh[slot] = self._net_wh(slot, load_wh, used)
        return int(self.schedule_wh[slot])

    def deliver(self, slot: int, load_wh: int, pv_wh: int) -> Metered:
        """What the meter sees when load and PV are as they are and the devices do as they were set.

        Where energy beyond the schedule would have to be paid for, PV is curtailed first.
        """
        used = max(pv_wh - int(self._curtailed_wh[slot]), 0)
        surplus = int(self.schedule_wh[slot]) - self._net_wh(slot, load_wh, used)
        if surplus > 0 and self._day.prices.long_micro[slot] < 0:
            self.control_wh[slot] = min(surplus, used)
        used -= int(self.control_wh[slot])
        net = self._net_wh(slot, load_wh, used)
        self.meter_wh[slot] = net
        for load in self._loads:
            reached = self.temperatures_c[load.name]
            before = reached[slot - 1] if slot else load.initial_c
            added = load.drift[slot] + load.effect[slot, self.levels[load.name][slot]]
            reached[slot] = load.keep[slot] * before + added
        return Metered(
            import_wh=max(net, 0),
            export_wh=max(-net, 0),
            load_wh=load_wh,
            pv_wh=-used,
            battery_wh=int(self._battery_wh[slot]),
            ev_wh=int(self._ev_wh[slot]),
            appliances_wh=int(self._appliances_wh[slot]),
            thermal_wh=int(self._thermal_wh[slot]),
        )

    def cost_nano(self) -> int:
        """Trades, fees, retail, imbalance and wear of the day. [nano-token]"""
        return self._cost_nano(self.packages)

    def standard_cost_nano(self) -> int:
        """The same day at the retailer's standard tariff. [nano-token]"""
        return self._cost_nano([NO_PACKAGES] * self._day.slots)

    def covered_wh(self) -> int:
        """Energy of the day that its packages price. [Wh]"""
        residual = (self.schedule_wh - self.trade_wh).tolist()
        return sum(map(covered_wh, residual, self.meter_wh.tolist(), self.packages))

    def _cost_nano(self, packages: Sequence[HomePackages]) -> int:
        prices = self._day.prices
        tariffs = slot_tariffs(
            list(zip(prices.import_micro.tolist(), prices.feed_in_micro.tolist(), strict=True)),
            list(zip(prices.short_micro.tolist(), prices.long_micro.tolist(), strict=True)),
        )
        billed = [
            _billed(int(trade), int(schedule), int(meter), tariff, covered)
            for trade, schedule, meter, tariff, covered in zip(
                self.trade_wh, self.schedule_wh, self.meter_wh, tariffs, packages, strict=True
            )
        ]
        return sum(billed) + int(self.trade_nano.sum() + self.fee_nano.sum()) + self.wear_nano()

    def wear_nano(self) -> int:
        """Wear of battery and vehicle over the day. [nano-token]"""
        return round(float(self.wear_eur.sum()) * NANO_PER_TOKEN)

    def imbalance_wh(self) -> int:
        """Absolute deviation of the meter from the schedule over the day."""
        return int(np.abs(self.meter_wh - self.schedule_wh).sum())

    def kelvin_hours(self) -> float:
        """By how much temperatures missed their bands, times how long. [K h]"""
        missed = [
            np.maximum(load.low_c - reached, 0.0) + np.maximum(reached - load.high_c, 0.0)
            for load, reached in ((load, self.temperatures_c[load.name]) for load in self._loads)
        ]
        return float(np.nansum(missed)) * self._day.slot_hours

    def _net_wh(self, slot: int, load_wh: int, pv_used_wh: int) -> int:
        devices = (
            self._battery_wh[slot] + self._ev_wh[slot] + self._appliances_wh[slot] + self._thermal_wh[slot]
        )
        return int(load_wh + devices - pv_used_wh)


def _taken_wh(kwh: float) -> int:
    return ceil(kwh * WH_PER_KWH - _TOLERANCE_WH)


def _billed(
    trade_wh: int, schedule_wh: int, meter_wh: int, tariff: SlotTariff, packages: HomePackages
) -> int:
    meter = MeterLeaf(0, max(meter_wh, 0), max(-meter_wh, 0), Quality.MEASURED, _SALT)
    settled = settle(trade_wh, schedule_wh, meter, tariff, packages)
    return settled.retail + settled.imbalance
