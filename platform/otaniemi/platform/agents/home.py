"""The agent of one home: it forecasts, plans, offers, nominates and delivers. Pure: no clock, chain or file.

Slots are counted from the day's midnight; steps carry the absolute slot. Energy is Wh with import positive,
prices are micro-token/kWh, money nano-token. ``known`` is the number of the day's slots that have ended
(negative on the day before), which is all that a forecast may look at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import floor

import numpy as np
from numpy.typing import NDArray

from otaniemi.contracts.rules.orders import Step
from otaniemi.contracts.rules.packages import HomePackages
from otaniemi.contracts.rules.units import (
    NANO_PER_TOKEN,
    WH_PER_KWH,
    eur_per_kwh,
    offerable_wh,
    price_of,
    whs_of,
)
from otaniemi.optimizer.devices.thermal import Levels
from otaniemi.optimizer.program.choices import Choices, thermal_load
from otaniemi.optimizer.program.home_program import appliance_load
from otaniemi.optimizer.trading.home_model import HomeModel, HomePlan
from otaniemi.optimizer.trading.offers import steps_of_curve
from otaniemi.optimizer.trading.shifting import Shifter
from otaniemi.platform.agents.house import eur, house_of, loads_from, planned_day, power, true_loads
from otaniemi.platform.agents.outlook import Outlook
from otaniemi.platform.agents.record import Fill, HomeRecord, Metered
from otaniemi.platform.data.scenario import Floats, IntArray, TradingDay
from otaniemi.platform.forecast import Forecaster

BySource = tuple[float, float, float, float]
"""PV, battery, vehicle, grid. [kWh]"""
_NO_LIMIT = (np.inf, np.inf, np.inf, np.inf)


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
    choices : Choices
        Starts of its appliances, and levels of its thermal devices to begin with.
    packages : sequence of HomePackages, length (slots,), optional
        What it has agreed on with its retailer; it plans at these prices.

    Attributes
    ----------
    record : HomeRecord
        Trades, schedule and meter so far.
    outlook : Outlook or None
        What it expects of calls before it agrees on anything else; None where there are none.
    """

    def __init__(
        self,
        day: TradingDay,
        home: int,
        forecaster: Forecaster,
        known: int,
        choices: Choices,
        packages: Sequence[HomePackages] | None = None,
    ) -> None:
        self.day, self.home = day, home
        planned = day if packages is None else planned_day(day, packages)
        self._prices = planned.prices
        self._forecaster = forecaster
        self._load_wh = forecaster.load_wh(home, known)
        self._pv_wh = forecaster.pv_wh(home, known)
        self._forecast_then = self._load_wh, self._pv_wh
        self._outdoor_c = forecaster.outdoor_c(known)
        house = house_of(planned, home, self._load_wh, self._pv_wh, self._outdoor_c)
        self._model = HomeModel(house, choices)
        self._house, self._thermal = house, house.thermal
        self._shifter = Shifter(
            self._model, house.tariff, house.slot_hours, house.thermal_loads, choices.levels
        )
        self._fee = eur_per_kwh(day.local_fee_micro)
        self._stores = house.battery is not None or house.ev is not None
        self._announced: IntArray | None = None
        self._average: Floats | None = None
        self._plan: HomePlan | None = None
        self._nominated = 0
        self.outlook: Outlook | None = None
        appliances_wh = whs_of(appliance_load(house, choices.starts))
        self.record = HomeRecord(day, house, appliances_wh, true_loads(day, home), packages)

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
            Part of the plan to trade by this call; what it holds already counts.
        """
        self._see(known)
        self._track(known)
        self._commit()
        self._announced, self._forecast_then = announced, (self._load_wh, self._pv_wh)
        self._open_local(announced)
        plan = self._model.solve()
        surplus = plan.surplus
        now = np.array([plan.net_kwh, surplus.pv, surplus.battery, surplus.v2h, surplus.grid])
        self._average = now if self._average is None or not averaging else (self._average + now) / 2
        held = self.record.trade_wh / WH_PER_KWH
        wanted = self._average[0] - held
        shares = _shares(self._average[0], held, share)
        steps: list[Step] = []
        for slot in np.flatnonzero(np.abs(wanted) * WH_PER_KWH >= 1):
            most_bought = max(float(wanted[slot]), 0.0)
            most_sold = _cut(self._average[1:, slot], max(-float(wanted[slot]), 0.0))
            steps += self._steps(int(slot), most_bought, most_sold, float(shares[slot]))
        return steps

    def planned_wh(self) -> IntArray:
        """The net energy that it bargained for in the last day-ahead round, shape (slots,). [Wh]"""
        planned: IntArray = (
            np.zeros(self.day.slots, np.int64) if self._average is None else whs_of(self._average[0])
        )
        return planned

    def residual_wh(self, known: int) -> IntArray:
        """What it would still take (give, where negative) on the day before, shape (slots,). [Wh]

        As much as it would bind itself to in calls; where there are none all that it would trade with its retailer.
        """
        if self.outlook is not None:
            return self.outlook.open_wh(self.record.trade_wh)
        self._alone(known)
        rest: IntArray = whs_of(self._model.solve().net_kwh) - self.record.trade_wh
        rest[: self._nominated] = 0
        return rest

    def most_lots(self, known: int, lot_wh: IntArray) -> int | None:
        """How many equal lots, shape (slots,), it would take beside calls; None where there are none. [Wh]"""
        if self.outlook is None:
            return None
        traded = np.flatnonzero(lot_wh)
        return max(int((self.residual_wh(known)[traded] // lot_wh[traded]).min()), 0)

    def worth(self, known: int, profiles: Sequence[IntArray]) -> list[int]:
        """What each profile of further trades is worth, shape (slots,) each, import positive. [Wh, nano-token]

        The home would pay at most so much to take it, and asks at least the negative of it where it gives: the
        difference that the profile makes to its cheapest plan at retail, fees left out. Where there are calls to come
        it takes the place of as much in these, see :meth:`Outlook.worth`.

        Raises
        ------
        InfeasibleHouseError
            A profile is beyond what its connection carries.
        """
        if self.outlook is not None:
            fee = self.day.local_fee_micro
            return [self.outlook.worth(wh, self._prices, fee) for wh in profiles]
        self._alone(known)
        before = self._model.solve().value_eur
        found = []
        for wh in profiles:
            self._model.fix_trades((self.record.trade_wh + wh) / WH_PER_KWH)
            found.append(floor((before - self._model.solve().value_eur) * NANO_PER_TOKEN))
        self._commit()
        return found

    def last_call(self, slot: int, known: int) -> list[Step]:
        """Steps of one slot; later slots are priced at retail alone, so every trade pays at the forecast.

        What storage gives is cut off at what it would give now if later slots could be traded at the prices
        announced last: energy that is worth more later is kept, never bought in the hope of it.
        """
        self._see(known)
        self._track(known)
        self._commit()
        most_sold = self._worth_giving(slot)
        only = np.arange(self.day.slots) == slot
        self._open_local(self._prices.feed_in_micro, only)
        return self._steps(slot, most_sold=most_sold) + self._instead(slot)

    def correction(self, slot: int, known: int) -> list[Step]:
        """Steps of one slot as in :meth:`last_call`, cut off at what it has learnt since it bargained.

        A home that has not bargained day-ahead corrects everything.
        """
        if self._average is None:
            return self.last_call(slot, known)
        if not (changed := self._learnt_wh(slot, known)):
            return []
        left = {True: max(changed, 0), False: max(-changed, 0)}
        cut = []
        for step in self.last_call(slot, known):
            if wh := min(step.quantity, left[step.buy]):
                left[step.buy] -= wh
                cut.append(replace(step, quantity=wh))
        return cut

    def _instead(self, slot: int) -> list[Step]:
        """A bid for what a thermal device would take in a slot instead of later, where that pays.

        The device runs or does not, and a call may fill a part: the bid is what half of its energy is worth, the other
        half bought from the retailer.
        """
        low, high = self._limits(slot)
        if not self._thermal or low > high:
            return []
        self._model.close_local()
        planned_kwh, as_planned = self._thermal_kwh(self._shifter.levels, slot), self._model.value()
        bids = []
        for levels in self._shifter.alternatives(slot):
            wh = offerable_wh(self._thermal_kwh(levels, slot) - planned_kwh)
            if wh <= 0:
                continue
            part = self.record.trade_wh / WH_PER_KWH
            part[slot] += wh / 2 / WH_PER_KWH
            self._model.set_levels(levels)
            self._model.fix_trades(part)
            price = (as_planned - self._model.value()) * 2 * WH_PER_KWH / wh - self._fee
            if price >= eur_per_kwh(low):
                bids.append(Step(self.day.first_slot + slot, min(price_of(price), high), wh, 0, buy=True))
        self._model.set_levels(self._shifter.levels)
        self._model.fix_trades(self.record.trade_wh / WH_PER_KWH)
        return [max(bids, key=lambda bid: bid.price)] if bids else []

    def _thermal_kwh(self, levels: Mapping[str, Levels], slot: int) -> float:
        return float(thermal_load(self._house, levels)[slot])

    def _learnt_wh(self, slot: int, known: int) -> int:
        """How far the plan of a slot is from that with the forecast of the day before, all else alike. [Wh]"""
        self._alone(known)
        then, now = self._forecast_then, (self._load_wh, self._pv_wh)
        if np.array_equal(then, now):
            return 0
        net_kwh = []
        for forecast in (then, now):
            self._model.set_forecast(*(power(wh, self.day) for wh in forecast))
            net_kwh.append(float(self._model.solve().net_kwh[slot]))
        return round((net_kwh[1] - net_kwh[0]) * WH_PER_KWH)

    def _worth_giving(self, slot: int) -> BySource:
        if not self._stores or self._announced is None:
            return _NO_LIMIT
        self._open_local(self._announced)
        _, battery, v2h, _ = self._model.solve().surplus.at(slot)
        return np.inf, battery, v2h, np.inf

    def _open_local(self, price_micro: IntArray, slots: NDArray[np.bool_] | float = 1.0) -> None:
        """Let the model trade locally in some slots, as much as the home could use or deliver."""
        price = eur(price_micro)
        buy, sell = self._model.most_tradable()
        self._model.set_local(price + self._fee, price, buy * slots, sell * slots)

    def on_fills(self, fills: Sequence[Fill]) -> None:
        """Take positions."""
        for step, wh, price in fills:
            self.record.trade(step.slot - self.day.first_slot, wh if step.buy else -wh, price)
        if fills:
            self._plan = None

    def nominate(self, slot: int, known: int) -> int:
        """Plan the rest of the day with the trades fixed, set the devices of ``slot``, return the schedule [Wh].

        Levels of thermal devices move where that keeps a band that the forecast did not, or clearly saves.
        Slots are nominated in order, each once.
        """
        self._see(known)
        if self._track(known) or self._plan is None:
            self._commit()
            self._model.close_local()
            self._shifter.improve(1)
            self._plan = self._model.solve()
        self._nominated = slot + 1
        return self.record.set_devices(
            slot, self._plan.flows, self._shifter.levels, int(self._load_wh[slot]), int(self._pv_wh[slot])
        )

    def deliver(self, slot: int, load_wh: int, pv_wh: int) -> Metered:
        """What the meter sees; see :meth:`HomeRecord.deliver`."""
        return self.record.deliver(slot, load_wh, pv_wh)

    def _alone(self, known: int) -> None:
        """See what is known and plan the rest at retail."""
        self._see(known)
        self._track(known)
        self._commit()
        self._model.close_local()

    def _see(self, known: int) -> None:
        """Update the forecast."""
        load, pv = self._forecaster.load_wh(self.home, known), self._forecaster.pv_wh(self.home, known)
        outdoor = self._forecaster.outdoor_c(known) if self._thermal else self._outdoor_c
        rest = slice(self._nominated, None)
        if (
            np.array_equal(load[rest], self._load_wh[rest])
            and np.array_equal(pv[rest], self._pv_wh[rest])
            and np.array_equal(outdoor[rest], self._outdoor_c[rest])
        ):
            return
        self._load_wh, self._pv_wh, self._outdoor_c, self._plan = load, pv, outdoor, None
        self._model.set_forecast(power(load, self.day), power(pv, self.day))

    def _commit(self) -> None:
        """Hand positions and state to the model."""
        self._model.fix_trades(self.record.trade_wh / WH_PER_KWH)
        if self._nominated:
            last = self._nominated - 1
            self._model.fix_past(
                self._nominated, _known(self.record.battery_kwh[last]), _known(self.record.ev_kwh[last])
            )

    def _track(self, known: int) -> bool:
        """Go on from measured temperatures; whether levels had to move for a band."""
        if not self._thermal:
            return False
        return self._shifter.see(
            loads_from(self.day, self._thermal, self._outdoor_c, self.record, known, self._nominated),
            self._nominated,
        )

    def _limits(self, slot: int) -> tuple[int, int]:
        """Range of useful local prices. [micro-token/kWh]"""
        high = int(self._prices.import_micro[slot]) - self.day.local_fee_micro
        return int(self._prices.feed_in_micro[slot]), high

    def _steps(
        self,
        slot: int,
        most_bought: float = np.inf,
        most_sold: BySource = _NO_LIMIT,
        share: float = 1.0,
    ) -> list[Step]:
        """The curve of a slot as whole steps, rounded down; none where no local price serves both sides."""
        low, high = self._limits(slot)
        if low > high:
            return []  # between feed-in and import there is no room for the local fee
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


def _shares(planned: Floats, held: Floats, share: float) -> Floats:
    """Part of what is planned beyond what is held that a call should trade, so that ``share`` of the plan is held.

    All of shape (slots,) [kWh]. What is held against the plan, or beyond it, is undone by ``share``.
    """
    rest = planned - held
    kept = (held * planned > 0) & (rest * planned > 0)
    part = np.full(planned.shape, share)
    part[kept] = np.maximum((share * planned[kept] - held[kept]) / rest[kept], 0.0)
    return part


def _cut(by_source: Floats, total: float) -> BySource:
    """The first ``total`` kWh of what the sources give, in their order."""
    pv, battery, v2h, grid = by_source.tolist()
    pv = min(pv, total)
    battery = min(battery, total - pv)
    v2h = min(v2h, total - pv - battery)
    return pv, battery, v2h, min(grid, total - pv - battery - v2h)


def _known(stored_kwh: float) -> float | None:
    return None if np.isnan(stored_kwh) else float(stored_kwh)
