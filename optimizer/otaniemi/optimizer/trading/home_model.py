"""A home's linear program kept in the solver: re-planning at changing prices, and the curve of one slot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from otaniemi.optimizer.devices.thermal import Levels
from otaniemi.optimizer.errors import HouseDataError
from otaniemi.optimizer.fields import Floats, series
from otaniemi.optimizer.house import House
from otaniemi.optimizer.program.choices import Choices, thermal_load
from otaniemi.optimizer.program.home_program import Flows, HomeProgram, State, appliance_load
from otaniemi.optimizer.program.infeasible import explain
from otaniemi.optimizer.program.solver import KeptProgram
from otaniemi.optimizer.program.stack import Place
from otaniemi.optimizer.trading.sources import SourceSplit, split_by_source

_SAME_KWH = 1e-7
_SAME_EUR = 1e-8
_SAME_PRICE = 1e-7


@dataclass(frozen=True, eq=False)
class HomePlan:
    """A plan of one home at announced local prices.

    Attributes
    ----------
    net_kwh : array, shape (slots,)
        Planned energy at the meter: committed, local and grid together, import positive. [kWh]
    flows : Flows
        Energy of every slot by device.
    surplus : SourceSplit
        What the plan gives away beyond committed sales, to neighbours or the grid, by source. [kWh]
    value_eur : float
        Cost of the open slots at retail and announced local prices; committed trades cost nothing here. [EUR]
    """

    net_kwh: Floats
    flows: Flows
    surplus: SourceSplit
    value_eur: float


class CurvePoint(NamedTuple):
    """From this local price up to the next point's, the home's net local demand is `demand_kwh`.

    Attributes
    ----------
    price_eur_per_kwh : float
        Price p: buying costs p plus the fee, selling brings p.
    demand_kwh : float
        Local purchase minus local sale of the slot. [kWh]
    offered : (pv, battery, v2h, grid)
        The sale by source. [kWh]
    """

    price_eur_per_kwh: float
    demand_kwh: float
    offered: tuple[float, float, float, float]


class HomeModel:
    """One home's linear program, kept and hot-started; deterministic.

    Local trade is closed until `set_local` opens it. All arrays have shape (slots,).

    Parameters
    ----------
    house : House
        Feed-in prices must not exceed import prices: the model has no on/off decisions that would keep
        a home from importing and exporting at once.
    choices : Choices, optional
        Start slot of every appliance and levels of every thermal device; needed when the house has any.

    Raises
    ------
    HouseDataError
        Appliances without starts, thermal devices without levels, or a slot in which feeding in pays more than
        importing costs.
    """

    def __init__(self, house: House, choices: Choices | None = None) -> None:
        dear = np.flatnonzero(house.tariff.export_eur_per_kwh > house.tariff.import_eur_per_kwh)
        if dear.size:
            raise HouseDataError(
                f"field 'tariff.export_eur_per_kwh' exceeds the import price in slot {dear[0]}; "
                f"a kept model needs it at or below, plan() does not"
            )
        self.house = house
        choices = choices or Choices({}, {})
        self._appliances_kwh = appliance_load(house, choices.starts)
        self._devices_kwh = choices.device_kwh(house)
        self._home = HomeProgram(house, self._devices_kwh)
        self._trades = np.zeros(house.slots)
        self._buy_price = np.zeros(house.slots)
        self._sell_price = np.zeros(house.slots)
        self._place = Place.alone(self._home)
        self._options = [self._devices_kwh]
        self._idle_kwh = sum((load.level_kw[-1] for load in house.thermal_loads), 0.0) * house.slot_hours
        self._kept = KeptProgram(self._home.program)
        self._stale = {"costs": False, "bounds": False, "rows": False}

    def set_forecast(self, base_kw: Floats, pv_kw: Floats) -> None:
        """Plan with this load and sun from now on. [kW]"""
        slots = self.house.slots
        self._home.set_forecast(series("base_kw", base_kw, slots, 0.0), series("pv_kw", pv_kw, slots, 0.0))
        self._stale |= {"bounds": True, "rows": True}

    def set_levels(self, levels: Mapping[str, Levels]) -> None:
        """Run the thermal devices at these levels, by field; integer arrays of shape (slots,)."""
        self._devices_kwh = self._appliances_kwh + thermal_load(self.house, levels)
        self._take(self._devices_kwh)

    def _take(self, devices_kwh: Floats) -> None:
        self._home.set_devices(devices_kwh)
        self._stale["rows"] = True

    def set_local(
        self, buy_price: Floats, sell_price: Floats, buy_cap_kwh: Floats | float, sell_cap_kwh: Floats | float
    ) -> None:
        """Open local trade: prices paid and received [EUR/kWh], largest amounts, 0 to close [kWh]."""
        slots = self.house.slots
        self._buy_price = series("buy_price", buy_price, slots)
        self._sell_price = series("sell_price", sell_price, slots)
        self._home.set_local_prices(self._buy_price, self._sell_price)
        caps = np.broadcast_to(buy_cap_kwh, slots), np.broadcast_to(sell_cap_kwh, slots)
        known = self._home.local_buy_cap, self._home.local_sell_cap
        self._stale["costs"] = True
        if not (np.array_equal(caps[0], known[0]) and np.array_equal(caps[1], known[1])):
            self._home.set_local_caps(caps[0].copy(), caps[1].copy())
            self._stale["bounds"] = True

    def close_local(self) -> None:
        """Plan at retail prices alone."""
        zero = np.zeros(self.house.slots)
        self.set_local(zero, zero, zero, zero)

    def fix_trades(self, net_kwh: Floats) -> None:
        """Energy already bought (positive) and sold (negative); delivered whatever it costs. [kWh]"""
        self._trades = series("net_kwh", net_kwh, self.house.slots)
        self._home.set_trades(self._trades)
        self._stale["rows"] = True

    def fix_past(
        self, until_slot: int, battery_kwh: float | None = None, ev_kwh: float | None = None
    ) -> None:
        """Freeze the slots before `until_slot`; stored energies are those measured at its start. [kWh]

        A final or target charge that is out of reach from there is lowered to what can be reached. `ev_kwh`
        matters only while the vehicle is in a session that began before.

        Raises
        ------
        HouseDataError
            `until_slot` outside the day.
        """
        if not 0 <= until_slot <= self.house.slots:
            raise HouseDataError(f"until_slot is {until_slot}; 0 to {self.house.slots} is needed")
        self._home.set_past(until_slot, State(battery_kwh, ev_kwh))
        self._stale |= {"bounds": True, "rows": True}

    def most_tradable(self) -> tuple[Floats, Floats]:
        """Most energy the home could physically use and deliver in every slot: (buy, sell). [kWh]"""
        house, dt = self.house, self.house.slot_hours
        buy = self._home.load_kwh + self._idle_kwh
        sell = self._home.pv_kwh.copy()
        if house.battery:
            buy += house.battery.power_kw * dt
            sell += house.battery.power_kw * dt
        if house.ev:
            buy[self._home.ev_slots] += house.ev.power_kw * dt
            if house.ev.v2h == "sell":
                sell[self._home.ev_slots] += house.ev.power_kw * dt
        return buy, sell

    def value(self) -> float:
        """Cost of the cheapest plan, `HomePlan.value_eur` where nothing pays to be done both ways; inf without plan."""
        return self._kept.value() if self._solved() else np.inf

    def load_prices(self) -> tuple[Floats, Floats]:
        """What more load would cost beside the plan last solved, and what the plan takes from the grid.

        Returns
        -------
        prices : array, shape (slots,)
            Of one more kWh of load: a dual, which storage and trades have a say in. [EUR/kWh]
        grid_kwh : array, shape (slots,)
            Import less export. [kWh]
        """
        return self._place.load_prices(self._kept.duals()), self._place.grid_kwh(self._kept.solution())

    def solve(self) -> HomePlan:
        """Cheapest plan.

        Raises
        ------
        InfeasibleHouseError
            Limits cannot hold together.
        """
        value = self._optimum()
        flows = self._home.flows(self._kept.solution())
        closed = False
        while self._home.close_detours(flows):
            closed = self._stale["bounds"] = True
            value = self._optimum()
            flows = self._home.flows(self._kept.solution())
        if closed:
            self._home.reopen()
            self._stale["bounds"] = True
        trade = flows.local_buy - flows.local_sell
        net = flows.grid_import - flows.grid_export + trade + self._trades
        net[: self._home.until] = 0.0
        given = flows.local_sell + flows.grid_export
        return HomePlan(net, flows, split_by_source(flows, self._home.load_kwh, self._trades, given), value)

    def curve(
        self,
        slot: int,
        price_low: float,
        price_high: float,
        alternatives: Sequence[Mapping[str, Levels]] = (),
    ) -> list[CurvePoint]:
        """Net local demand of one slot as its local price alone varies, other slots as announced.

        The optimal cost is concave and piecewise linear in the price and its slope is the demand, so all
        breakpoints follow from solves at both ends and where the tangents meet. The least of several such costs is
        concave and piecewise linear too: a home that may run its thermal devices otherwise does so from the price
        at which it pays.

        Parameters
        ----------
        slot : int
            A slot that `set_local` has opened; the buyer's fee is its buy price minus its sell price.
        price_low, price_high : float
            Ends of the price range, useful from the feed-in price to the import price less the fee. [EUR/kWh]
        alternatives : sequence of mappings
            Levels that the thermal devices may run at instead, each as for `set_levels`.

        Returns
        -------
        list of CurvePoint
            The first at `price_low`; demand falls from point to point. What is still bought in the last one
            is wanted at `price_high`, what is sold in the first one is offered at `price_low`.

        Raises
        ------
        HouseDataError
            The slot is frozen or the range is empty.
        """
        if not self._home.until <= slot < self.house.slots or price_low > price_high:
            raise HouseDataError(
                f"curve of slot {slot} from {price_low:g} to {price_high:g} EUR/kWh; "
                f"a slot from {self._home.until} to {self.house.slots - 1} and a rising range are needed"
            )
        fee = float(self._buy_price[slot] - self._sell_price[slot])
        self._options = [self._devices_kwh]
        self._options += [self._appliances_kwh + thermal_load(self.house, levels) for levels in alternatives]
        first = self._tangent(slot, price_low, fee)
        tangents = [first]
        if price_high > price_low:
            self._refine(slot, fee, first, self._tangent(slot, price_high, fee), tangents)
        self._set_price(slot, float(self._buy_price[slot]), float(self._sell_price[slot]))
        if alternatives:
            self._take(self._devices_kwh)
        return [self._point(slot, tangent) for tangent in tangents]

    def _refine(self, slot: int, fee: float, low: _Tangent, high: _Tangent, found: list[_Tangent]) -> None:
        """Append the tangents that take over between two, each with the price at which it does, in order."""
        drop = low.demand_kwh - high.demand_kwh
        if drop <= _SAME_KWH:
            return
        price = float(np.clip((high.at(0.0) - low.at(0.0)) / drop, low.price, high.price))
        if low.price + _SAME_PRICE < price < high.price - _SAME_PRICE:
            between = self._tangent(slot, price, fee)
            if between.value_eur < low.at(price) - _SAME_EUR:
                self._refine(slot, fee, low, between, found)
                self._refine(slot, fee, between, high, found)
                return
        found.append(replace(high, price=price, value_eur=high.at(price)))

    def _tangent(self, slot: int, price: float, fee: float) -> _Tangent:
        """Of the cheapest option."""
        self._set_price(slot, price + fee, price)
        return min((self._tangent_of(slot, price, option) for option in self._options), key=_value)

    def _tangent_of(self, slot: int, price: float, devices_kwh: Floats) -> _Tangent:
        if len(self._options) > 1:
            self._take(devices_kwh)
            if not self._solved() and devices_kwh is not self._devices_kwh:
                return _Tangent(price, np.inf, 0.0, 0.0, [])
        value = self._optimum()
        solution = self._kept.columns()
        column = self._home.column
        demand = solution[column["local_buy"][slot]] - solution[column["local_sell"][slot]]
        return _Tangent(price, value, demand, float(self._home.load_kwh[slot]), solution)

    def _set_price(self, slot: int, buy: float, sell: float) -> None:
        self._kept.set_cost(int(self._home.column["local_buy"][slot]), buy)
        self._kept.set_cost(int(self._home.column["local_sell"][slot]), -sell)

    def _point(self, slot: int, tangent: _Tangent) -> CurvePoint:
        if tangent.demand_kwh >= 0.0:
            return CurvePoint(tangent.price, tangent.demand_kwh, (0.0, 0.0, 0.0, 0.0))
        flows = self._home.flows_at(tangent.solution, slot)
        at = slice(slot, slot + 1)
        load = np.array([tangent.load_kwh])
        offered = split_by_source(flows, load, self._trades[at], flows.local_sell)
        return CurvePoint(tangent.price, tangent.demand_kwh, offered.at(0))

    def _optimum(self) -> float:
        if not self._solved():
            raise explain([self._place], self._home.program)
        return self._kept.value()

    def _solved(self) -> bool:
        if self._stale["costs"]:
            self._kept.costs_changed()
        if self._stale["bounds"]:
            self._kept.bounds_changed()
        if self._stale["rows"]:
            self._kept.rows_changed()
        self._stale = dict.fromkeys(self._stale, False)
        return self._kept.solve()


@dataclass(frozen=True, eq=False)
class _Tangent:
    """Value and slope of the optimal cost at a price, and the plan that has them."""

    price: float
    value_eur: float
    demand_kwh: float
    load_kwh: float
    solution: list[float]

    def at(self, price: float) -> float:
        """The tangent's value at another price."""
        return self.value_eur + self.demand_kwh * (price - self.price)


def _value(tangent: _Tangent) -> float:
    return tangent.value_eur
