"""The agent of one home: it forecasts, plans, offers, nominates and delivers. Pure: no clock, chain or file.

Slots are counted from the day's midnight; steps carry the absolute slot. Energy is Wh with import positive, prices are
micro-token/kWh, money nano-token. ``known`` is the number of the day's slots that have ended (negative on the day
before), which is all that a forecast may look at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from otaniemi.contracts.rules.orders import Step
from otaniemi.contracts.rules.units import WH_PER_KWH, eur_per_kwh, offerable_wh, price_of, wh_of, whs_of
from otaniemi.optimizer.home_model import HomeModel, HomePlan
from otaniemi.optimizer.home_program import appliance_load
from otaniemi.optimizer.offers import steps_of_curve
from otaniemi.platform.agents.house import eur, house_of, power
from otaniemi.platform.data.scenario import IntArray, TradingDay
from otaniemi.platform.forecast import Forecaster

Floats = NDArray[np.float64]
BySource = tuple[float, float, float, float]
"""PV, battery, vehicle, grid. [kWh]"""


class Fill(NamedTuple):
    """What was traded of a step, at the price of its market."""

    step: Step
    wh: int
    price: int


class Metered(NamedTuple):
    """What a home's meter saw in one slot, and what the devices behind it did, consumption positive. [Wh]"""

    import_wh: int
    export_wh: int
    load_wh: int
    pv_wh: int
    battery_wh: int
    ev_wh: int
    appliances_wh: int

    @property
    def net_wh(self) -> int:
        """Import less export."""
        return self.import_wh - self.export_wh


class HomeAgent:
    """One home over one trading day.

    Parameters
    ----------
    day : TradingDay
    home : int
        Index of the home.
    forecaster : Forecaster
    known : int
        For the first plan.
    starts : mapping
        Start slot of every appliance by name.

    Attributes
    ----------
    trade_wh, schedule_wh, meter_wh : int array, shape (slots,)
        t, s and m of the settlement. [Wh]
    trade_nano, fee_nano : int array, shape (slots,)
        Paid for trades, and for the grid that bought energy uses. [nano-token]
    battery_kwh, ev_kwh : array, shape (slots,)
        Stored at the end of the slot; NaN without the device or while the car is away.
    """

    def __init__(
        self, day: TradingDay, home: int, forecaster: Forecaster, known: int, starts: Mapping[str, int]
    ) -> None:
        self.day, self.home = day, home
        self._forecaster = forecaster
        self._load_wh = forecaster.load_wh(home, known)
        self._pv_wh = forecaster.pv_wh(home, known)
        self._house = house_of(day, home, self._load_wh, self._pv_wh)
        self._model = HomeModel(self._house, starts)
        self._appliances_wh = whs_of(appliance_load(self._house, starts))
        self._fee = eur_per_kwh(day.local_fee_micro)
        self._average: Floats | None = None
        self._plan: HomePlan | None = None
        self._nominated = 0
        self.trade_wh, self.schedule_wh, self.meter_wh = (np.zeros(day.slots, np.int64) for _ in range(3))
        self.trade_nano, self.fee_nano = (np.zeros(day.slots, np.int64) for _ in range(2))
        self.wear_eur = np.zeros(day.slots)
        self.battery_kwh, self.ev_kwh = (np.full(day.slots, np.nan) for _ in range(2))
        self._battery_wh, self._ev_wh, self._curtailed_wh = (np.zeros(day.slots, np.int64) for _ in range(3))

    def open_call(self) -> None:
        """Forget the average plan of the call before."""
        self._average = None

    def day_ahead(self, known: int, announced: IntArray, averaging: bool, share: float) -> list[Step]:
        """Steps of every slot at announced prices, cut off at the plan.

        Parameters
        ----------
        announced : int array, shape (slots,)
            Local prices, within [feed-in, import - local fee]. [micro-token/kWh]
        averaging : bool
            Cut off at the average of this plan and the average before, not at this plan.
        share : float
            Part of every step that is offered.
        """
        self._see(known)
        self._commit()
        price = eur(announced)
        self._model.set_local(price + self._fee, price, *self._model.most_tradable())
        plan = self._model.solve()
        surplus = plan.surplus
        now = np.array([plan.net_kwh, surplus.pv, surplus.battery, surplus.v2h, surplus.grid])
        self._average = now if self._average is None or not averaging else (self._average + now) / 2
        wanted = self._average[0] - self.trade_wh / WH_PER_KWH
        steps: list[Step] = []
        for slot in np.flatnonzero(np.abs(wanted) * WH_PER_KWH >= 1):
            most_bought = max(float(wanted[slot]), 0.0)
            most_sold = _cut(self._average[1:, slot], max(-float(wanted[slot]), 0.0))
            steps += self._steps(int(slot), most_bought, most_sold, share)
        return steps

    def last_call(self, slot: int, known: int) -> list[Step]:
        """Steps of one slot; later slots are priced at retail alone, so every trade pays at the forecast."""
        self._see(known)
        self._commit()
        only = np.arange(self.day.slots) == slot
        price = eur(self.day.prices.feed_in_micro)
        buy, sell = self._model.most_tradable()
        self._model.set_local(price + self._fee, price, np.where(only, buy, 0.0), np.where(only, sell, 0.0))
        return self._steps(slot)

    def on_fills(self, fills: Sequence[Fill]) -> None:
        """Take positions."""
        for step, wh, price in fills:
            slot = step.slot - self.day.first_slot
            self.trade_wh[slot] += wh if step.buy else -wh
            self.trade_nano[slot] += price * (wh if step.buy else -wh)
            self.fee_nano[slot] += self.day.local_fee_micro * wh if step.buy else 0
        if fills:
            self._plan = None

    def nominate(self, slot: int, known: int) -> int:
        """Plan the rest of the day with the trades fixed, set the devices of ``slot``, return the schedule [Wh].

        Slots are nominated in order, each once.
        """
        self._see(known)
        if self._plan is None:
            self._commit()
            self._model.close_local()
            self._plan = self._model.solve()
        flows = self._plan.flows
        battery_kwh = flows.battery_charge[slot] - flows.battery_discharge[slot] if self._house.battery else 0.0
        ev_kwh = flows.ev_charge[slot] - flows.ev_discharge[slot] if self._house.ev else 0.0
        self._battery_wh[slot], self._ev_wh[slot] = wh_of(battery_kwh), wh_of(ev_kwh)
        self._curtailed_wh[slot] = max(int(self._pv_wh[slot]) - wh_of(flows.pv_used[slot]), 0)
        self.schedule_wh[slot] = self._net_wh(slot, self._load_wh[slot], self._pv_wh[slot] - self._curtailed_wh[slot])
        if self._house.battery:
            self.battery_kwh[slot] = flows.battery_stored[slot]
            moved = flows.battery_charge[slot] + flows.battery_discharge[slot]
            self.wear_eur[slot] += self._house.battery.wear_eur_per_kwh * moved
        if self._house.ev:
            self.ev_kwh[slot] = flows.ev_stored[slot]
            self.wear_eur[slot] += self._house.ev.wear_eur_per_kwh * flows.ev_discharge[slot]
        self._nominated = slot + 1
        return int(self.schedule_wh[slot])

    def deliver(self, slot: int, load_wh: int, pv_wh: int) -> Metered:
        """What the meter sees when load and PV are as they are and the devices follow the plan.

        Where energy beyond the schedule would have to be paid for, PV is curtailed first.
        """
        used = max(pv_wh - int(self._curtailed_wh[slot]), 0)
        surplus = int(self.schedule_wh[slot]) - self._net_wh(slot, load_wh, used)
        if surplus > 0 and self.day.prices.long_micro[slot] < 0:
            used -= min(surplus, used)
        net = self._net_wh(slot, load_wh, used)
        self.meter_wh[slot] = net
        return Metered(
            import_wh=max(net, 0),
            export_wh=max(-net, 0),
            load_wh=load_wh,
            pv_wh=-used,
            battery_wh=int(self._battery_wh[slot]),
            ev_wh=int(self._ev_wh[slot]),
            appliances_wh=int(self._appliances_wh[slot]),
        )

    def _net_wh(self, slot: int, load_wh: int, pv_used_wh: int) -> int:
        devices = self._battery_wh[slot] + self._ev_wh[slot] + self._appliances_wh[slot]
        return int(load_wh + devices - pv_used_wh)

    def _see(self, known: int) -> None:
        """Update the forecast."""
        load, pv = self._forecaster.load_wh(self.home, known), self._forecaster.pv_wh(self.home, known)
        rest = slice(self._nominated, None)
        if np.array_equal(load[rest], self._load_wh[rest]) and np.array_equal(pv[rest], self._pv_wh[rest]):
            return
        self._load_wh, self._pv_wh, self._plan = load, pv, None
        self._model.set_forecast(power(load, self.day), power(pv, self.day))

    def _commit(self) -> None:
        """Hand positions and state to the model."""
        self._model.fix_trades(self.trade_wh / WH_PER_KWH)
        if self._nominated:
            last = self._nominated - 1
            self._model.fix_past(self._nominated, _known(self.battery_kwh[last]), _known(self.ev_kwh[last]))

    def _steps(
        self, slot: int, most_bought: float = np.inf, most_sold: BySource = (np.inf,) * 4, share: float = 1.0
    ) -> list[Step]:
        """The curve of a slot as whole steps, rounded down."""
        low = int(self.day.prices.feed_in_micro[slot])
        high = int(self.day.prices.import_micro[slot]) - self.day.local_fee_micro
        curve = self._model.curve(slot, eur_per_kwh(low), eur_per_kwh(high))
        return [
            Step(
                slot=self.day.first_slot + slot,
                price=min(max(price_of(offer.price_eur_per_kwh), low), high),
                quantity=quantity,
                source=offer.source,
                buy=offer.side == "buy",
            )
            for offer in steps_of_curve(slot, curve, eur_per_kwh(high), most_bought, most_sold)
            if (quantity := offerable_wh(offer.energy_kwh * share))
        ]


def _cut(by_source: Floats, total: float) -> BySource:
    """The first ``total`` kWh of what the sources give, in their order."""
    pv, battery, v2h, grid = by_source.tolist()
    pv = min(pv, total)
    battery = min(battery, total - pv)
    v2h = min(v2h, total - pv - battery)
    return pv, battery, v2h, min(grid, total - pv - battery - v2h)


def _known(stored_kwh: float) -> float | None:
    return None if np.isnan(stored_kwh) else float(stored_kwh)
