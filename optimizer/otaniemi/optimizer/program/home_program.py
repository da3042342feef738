"""One home as a linear program: columns, rows, and the changes that a day brings to them (docs/model.md)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np

from otaniemi.optimizer.devices.battery import Battery
from otaniemi.optimizer.devices.vehicle import ElectricVehicle
from otaniemi.optimizer.errors import HouseDataError
from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.house import House
from otaniemi.optimizer.program.solver import INFINITY, Ints, Program


@dataclass(frozen=True)
class State:
    """What is measured at the start of a slot; as planned where nothing is.

    Attributes
    ----------
    battery_kwh, ev_kwh : float or None
        Stored energy; None where the device is not there. [kWh]
    temperatures_c : mapping
        Temperature of every thermal device, by its field in the house file. [°C]
    """

    battery_kwh: float | None = None
    ev_kwh: float | None = None
    temperatures_c: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Flows:
    """Energy of every slot of a plan, shape (slots,). [kWh]

    Stored energies are at the end of the slot, NaN while the vehicle is away.
    """

    grid_import: Floats
    grid_export: Floats
    local_buy: Floats
    local_sell: Floats
    pv_used: Floats
    battery_charge: Floats
    battery_discharge: Floats
    battery_stored: Floats
    ev_charge: Floats
    ev_discharge: Floats
    ev_stored: Floats


_SAME_KWH = 1e-6
_AddEntries = Callable[[Ints, Ints, float], None]
FLOW_NAMES = tuple(f.name for f in fields(Flows))


def appliance_load(house: House, starts: Mapping[str, int]) -> Floats:
    """Energy of the appliances in every slot, shape (slots,). [kWh]

    Raises
    ------
    HouseDataError
        An appliance without a start, or a start outside its window.
    """
    load = np.zeros(house.slots)
    for appliance in house.appliances:
        start = starts.get(appliance.name)
        allowed = appliance.start_slots(house.slot_hours, house.slots)
        if start is None or start not in allowed:
            raise HouseDataError(
                f"appliance '{appliance.name}' starts in slot {start}; "
                f"a slot from {allowed[0]} to {allowed[-1]} is needed"
            )
        load[start : start + appliance.run_slots(house.slot_hours)] += appliance.rated_kw * house.slot_hours
    return load


class HomeProgram:
    """Arrays of one home's linear program, energies in kWh per slot.

    Parameters
    ----------
    house : House
    device_kwh : array, shape (slots,)
        Energy of appliances and thermal devices, as far as it is fixed. [kWh]
    own_export : bool
        True: in every slot the grid receives no more than PV and battery give, so that nobody passes a
        neighbour's vehicle energy on to the grid. False: in the slots of a vehicle that sells.

    Attributes
    ----------
    program : Program
    column : dict of arrays
        Column of every flow and slot, by the names of `Flows`; shape (slots,), vehicle: (`ev_slots`.size,).
    balance : array, shape (slots,)
        Row of the energy balance of every slot.
    v2h_slots, v2h_rows : array
        Slots in which the vehicle may discharge, and the rows that bound it by what may take its energy.
    limit_rows : array, shape (slots,) or (0,)
        Rows of the connection's limits; none without limits.
    peak_column : array, shape (1,) or (0,)
        Column of the highest net import of a slot [kWh]; none without a capacity tariff.
    """

    def __init__(self, house: House, device_kwh: Floats, *, own_export: bool = False) -> None:
        self.house = house
        self.until = 0
        self.ev_slots = _ev_slots(house)
        self._device_kwh = device_kwh
        self.v2h_slots = self.ev_slots if house.ev and house.ev.v2h != "no" else self.ev_slots[:0]
        self._sell_slots = self.ev_slots if house.ev and house.ev.v2h == "sell" else self.ev_slots[:0]
        self._own_export_slots = np.arange(house.slots, dtype=np.int32) if own_export else self._sell_slots
        self._dt = house.slot_hours
        self._trades = np.zeros(house.slots)
        self._state = State()
        self._past_peak_kwh = 0.0
        self._lay_out_columns()
        self._lay_out_rows()
        self.set_forecast(house.base_load_kw, house.pv_kw)

    def _lay_out_columns(self) -> None:
        house, slots = self.house, self.house.slots
        sizes = dict.fromkeys(FLOW_NAMES[:5], slots)
        sizes |= dict.fromkeys(FLOW_NAMES[5:8], slots if house.battery else 0)
        sizes |= dict.fromkeys(FLOW_NAMES[8:], self.ev_slots.size)
        ends = np.cumsum(list(sizes.values()))
        self.column: dict[str, Ints] = {
            name: np.arange(end - size, end, dtype=np.int32)
            for (name, size), end in zip(sizes.items(), ends, strict=True)
        }
        peaks = 1 if house.tariff.peak_eur_per_kw > 0.0 else 0
        self.peak_column = np.arange(ends[-1], ends[-1] + peaks, dtype=np.int32)
        cost = np.zeros(int(ends[-1]) + peaks)
        cost[self.peak_column] = house.tariff.peak_eur_per_kw / self._dt
        cost[self.column["grid_import"]] = house.tariff.import_eur_per_kwh
        cost[self.column["grid_export"]] = -house.tariff.export_eur_per_kwh
        if house.battery:
            cost[self.column["battery_charge"]] = house.battery.wear_eur_per_kwh
            cost[self.column["battery_discharge"]] = house.battery.wear_eur_per_kwh
        if house.ev:
            cost[self.column["ev_discharge"]] = house.ev.wear_eur_per_kwh
        self._retail_cost = cost
        self.local_buy_cap = np.zeros(slots)
        self.local_sell_cap = np.zeros(slots)

    def _lay_out_rows(self) -> None:
        house, slots, column = self.house, self.house.slots, self.column
        entries: list[tuple[Ints, Ints, Floats]] = []

        def add(rows: Ints, columns: Ints, factor: float) -> None:
            entries.append((rows, columns, np.full(columns.size, factor)))

        self.balance = np.arange(slots, dtype=np.int32)
        ev_balance = self.balance[self.ev_slots]
        for name in ("grid_import", "local_buy", "pv_used"):
            add(self.balance, column[name], 1.0)
        for name in ("grid_export", "local_sell"):
            add(self.balance, column[name], -1.0)
        count = slots
        self._battery_rows = np.arange(0, dtype=np.int32)
        if house.battery:
            add(self.balance, column["battery_discharge"], 1.0)
            add(self.balance, column["battery_charge"], -1.0)
            self._battery_rows = np.arange(count, count + slots, dtype=np.int32)
            self._add_storage(
                add, house.battery, "battery", self._battery_rows, np.arange(1, slots, dtype=np.int32)
            )
            count += slots
        self._ev_rows = np.arange(count, count + self.ev_slots.size, dtype=np.int32)
        if house.ev:
            add(ev_balance, column["ev_discharge"], 1.0)
            add(ev_balance, column["ev_charge"], -1.0)
            arrivals = np.isin(self.ev_slots, [session.arrival_slot for session in house.ev.sessions])
            self._add_storage(add, house.ev, "ev", self._ev_rows, np.flatnonzero(~arrivals).astype(np.int32))
            count += self.ev_slots.size
        self.v2h_rows = np.arange(count, count + self.v2h_slots.size, dtype=np.int32)
        if self.v2h_slots.size:
            add(self.v2h_rows, column["ev_discharge"], 1.0)
        if self._sell_slots.size:
            add(self.v2h_rows, column["local_sell"][self._sell_slots], -1.0)
        count += self.v2h_rows.size
        at = self._own_export_slots
        rows = self._own_export_rows = np.arange(count, count + at.size, dtype=np.int32)
        if rows.size:
            add(rows, column["grid_export"][at], 1.0)
            add(rows, column["pv_used"][at], -1.0)
        if rows.size and house.battery:
            add(rows, column["battery_discharge"][at], -1.0)
        count += rows.size
        limited = house.import_limit_kw is not None or house.export_limit_kw is not None
        self.limit_rows = np.arange(count, count + (slots if limited else 0), dtype=np.int32)
        count += self.limit_rows.size
        self._peak_rows = np.arange(count, count + slots * self.peak_column.size, dtype=np.int32)
        count += self._peak_rows.size
        for rows in (self.limit_rows, self._peak_rows):
            if rows.size:
                for name in ("grid_import", "local_buy"):
                    add(rows, column[name], 1.0)
                for name in ("grid_export", "local_sell"):
                    add(rows, column[name], -1.0)
        add(self._peak_rows, np.repeat(self.peak_column, slots), -1.0)
        short = house.base_load_kw >= house.pv_kw
        at_meter = np.where(short, column["grid_import"], column["grid_export"])
        self.program = Program(
            cost=self._retail_cost.copy(),
            lower=np.zeros(self._retail_cost.size),
            upper=np.zeros(self._retail_cost.size),
            row_lower=np.zeros(count),
            row_upper=np.zeros(count),
            rows=np.concatenate([rows for rows, _, _ in entries]),
            columns=np.concatenate([columns for _, columns, _ in entries]),
            values=np.concatenate([values for _, _, values in entries]),
            determined=(
                np.concatenate([self.balance, self._battery_rows, self._ev_rows]),
                np.concatenate([at_meter, column["battery_stored"], column["ev_stored"]]),
            ),
        )

    def _add_storage(
        self, add: _AddEntries, device: Battery | ElectricVehicle, name: str, rows: Ints, follows: Ints
    ) -> None:
        """Stored energy at the end of a slot; `follows` are the rows that continue the one before."""
        add(rows, self.column[f"{name}_stored"], 1.0)
        add(rows, self.column[f"{name}_charge"], -device.charge_efficiency)
        add(rows, self.column[f"{name}_discharge"], 1.0 / device.discharge_efficiency)
        add(rows[follows], self.column[f"{name}_stored"][follows - 1], -1.0)

    def set_forecast(self, base_kw: Floats, pv_kw: Floats) -> None:
        """Plan with this load and sun, shape (slots,). [kW]"""
        self._base_kwh = base_kw * self._dt
        self.load_kwh = self._base_kwh + self._device_kwh
        self.pv_kwh = pv_kw * self._dt
        self.refresh()

    def set_devices(self, device_kwh: Floats) -> None:
        """Plan with this energy of appliances and thermal devices, shape (slots,). [kWh]"""
        self._device_kwh = device_kwh
        self.load_kwh = self._base_kwh + device_kwh
        self._refresh_rows()

    def set_trades(self, net_kwh: Floats) -> None:
        """Energy already traded, import positive, shape (slots,). [kWh]"""
        self._trades = net_kwh
        self._refresh_rows()

    def set_past(self, until: int, state: State, peak_kwh: float = 0.0) -> None:
        """Freeze the slots before `until`; stored energies are as measured at its start.

        `peak_kwh` is the highest net import of a slot so far, which a capacity tariff charges anyway.
        """
        self.until, self._state, self._past_peak_kwh = until, state, peak_kwh
        self.refresh()

    def set_local_caps(self, buy_kwh: Floats, sell_kwh: Floats) -> None:
        """Local energy that can be bought and sold in every slot, shape (slots,). [kWh]"""
        self.local_buy_cap, self.local_sell_cap = buy_kwh, sell_kwh
        self._refresh_local_caps()

    def close_detours(self, flows: Flows) -> bool:
        """Close one direction where energy goes both ways in one slot, which no column may do but pays in two cases.

        A store charges and discharges where importing pays, for what that wastes. Vehicle energy that is sold, and
        bought back for the fee, takes a detour into the home's own battery. Returns whether there was one;
        `reopen` undoes it.
        """
        return any([*self._close_waste(flows), self._close_own_sale(flows)])

    def _close_waste(self, flows: Flows) -> Iterator[bool]:
        """The direction in which the store moves on the whole stays open."""
        upper = self.program.upper
        for name, device, slots in (
            ("battery", self.house.battery, np.arange(self.house.slots)),
            ("ev", self.house.ev, self.ev_slots),
        ):
            if device is None:
                continue
            charge, discharge = (
                getattr(flows, f"{name}_charge")[slots],
                getattr(flows, f"{name}_discharge")[slots],
            )
            both = np.minimum(charge, discharge) > _SAME_KWH
            fills = charge * device.charge_efficiency >= discharge / device.discharge_efficiency
            upper[self.column[f"{name}_discharge"][both & fills]] = 0.0
            upper[self.column[f"{name}_charge"][both & ~fills]] = 0.0
            yield bool(both.any())

    def _close_own_sale(self, flows: Flows) -> bool:
        at = self._sell_slots
        sold = np.maximum(-self._trades, 0.0) + flows.local_sell
        astray = at[(flows.ev_discharge - self.load_kwh - sold)[at] > _SAME_KWH]
        buys = (flows.local_buy > flows.local_sell)[astray]
        self.program.upper[self.column["local_sell"][astray[buys]]] = 0.0
        self.program.upper[self.column["local_buy"][astray[~buys]]] = 0.0
        return bool(astray.size)

    def reopen(self) -> None:
        """Open again what `close_detours` closed."""
        self._refresh_columns()

    def refresh(self) -> None:
        """Bring bounds and right-hand sides up to date."""
        self._refresh_columns()
        self._refresh_rows()

    def _refresh_local_caps(self) -> None:
        upper, column, until = self.program.upper, self.column, self.until
        upper[column["local_buy"]] = self.local_buy_cap
        upper[column["local_sell"]] = self.local_sell_cap
        upper[column["local_buy"][:until]] = 0.0
        upper[column["local_sell"][:until]] = 0.0

    def _refresh_columns(self) -> None:
        house, column, until = self.house, self.column, self.until
        upper = self.program.upper
        upper[column["grid_import"]] = INFINITY
        upper[column["grid_export"]] = INFINITY
        self.program.lower[self.peak_column] = self._past_peak_kwh
        upper[self.peak_column] = INFINITY
        upper[column["pv_used"]] = self.pv_kwh
        self._refresh_local_caps()
        for name in ("grid_import", "grid_export", "pv_used"):
            upper[column[name][:until]] = 0.0
        if house.battery:
            limit = house.battery.power_kw * self._dt
            upper[column["battery_charge"]] = upper[column["battery_discharge"]] = limit
            upper[column["battery_charge"][:until]] = upper[column["battery_discharge"][:until]] = 0.0
            self._bound_battery(house.battery)
        if house.ev:
            open_ = self.ev_slots >= until
            limit = house.ev.power_kw * self._dt
            give = 0.0 if house.ev.v2h == "no" else limit
            upper[column["ev_charge"]] = np.where(open_, limit, 0.0)
            upper[column["ev_discharge"]] = np.where(open_, give, 0.0)
            self._bound_ev(house.ev)

    def _bound_battery(self, battery: Battery) -> None:
        slots, until = self.house.slots, self.until
        lower = np.full(slots, battery.min_soc * battery.capacity_kwh)
        upper = np.full(slots, battery.max_soc * battery.capacity_kwh)
        stored = battery.initial_soc * battery.capacity_kwh
        if until:
            lower[: until - 1] = 0.0
            if self._state.battery_kwh is not None:
                stored = float(np.clip(self._state.battery_kwh, lower[-1], upper[-1]))
            lower[until - 1] = upper[until - 1] = stored
        if until < slots:
            final = battery.final_soc * battery.capacity_kwh
            lower[-1] = max(
                lower[-1], min(final, self._reach(battery, stored, slots - until)) if until else final
            )
        self.program.lower[self.column["battery_stored"]] = lower
        self.program.upper[self.column["battery_stored"]] = upper

    def _bound_ev(self, ev: ElectricVehicle) -> None:
        until = self.until
        lower = np.full(self.ev_slots.size, ev.min_soc * ev.capacity_kwh)
        upper = np.full(self.ev_slots.size, ev.max_soc * ev.capacity_kwh)
        first = 0
        for session in ev.sessions:
            last = first + session.departure_slot - session.arrival_slot - 1
            target = session.target_soc * ev.capacity_kwh
            if until > session.arrival_slot:
                now = first + min(until, session.departure_slot) - session.arrival_slot
                lower[first:now] = 0.0
                if until < session.departure_slot:
                    stored = (
                        session.initial_soc * ev.capacity_kwh
                        if self._state.ev_kwh is None
                        else self._state.ev_kwh
                    )
                    stored = float(np.clip(stored, lower[last], upper[last]))
                    lower[now - 1] = upper[now - 1] = stored
                    target = min(target, self._reach(ev, stored, session.departure_slot - until))
            if until < session.departure_slot:
                lower[last] = max(lower[last], target)
            first = last + 1
        self.program.lower[self.column["ev_stored"]] = lower
        self.program.upper[self.column["ev_stored"]] = upper

    def _reach(self, device: Battery | ElectricVehicle, stored: float, slots: int) -> float:
        """Most that can be stored after charging for `slots` slots; targets are lowered to it. [kWh]"""
        reach = stored + slots * device.power_kw * self._dt * device.charge_efficiency
        return reach - 1e-9 * device.capacity_kwh

    def _refresh_rows(self) -> None:
        house, until = self.house, self.until
        lower, upper = self.program.row_lower, self.program.row_upper
        lower[self.balance] = upper[self.balance] = self.load_kwh - self._trades
        lower[:until], upper[:until] = -INFINITY, INFINITY
        if house.battery:
            rows = self._battery_rows
            lower[rows] = upper[rows] = 0.0
            lower[rows[0]] = upper[rows[0]] = house.battery.initial_soc * house.battery.capacity_kwh
            lower[rows[:until]], upper[rows[:until]] = -INFINITY, INFINITY
        if house.ev:
            rows = self._ev_rows
            lower[rows] = upper[rows] = 0.0
            for session in house.ev.sessions:
                row = rows[np.searchsorted(self.ev_slots, session.arrival_slot)]
                lower[row] = upper[row] = session.initial_soc * house.ev.capacity_kwh
            past = rows[self.ev_slots < until]
            lower[past], upper[past] = -INFINITY, INFINITY
        lower[self.v2h_rows] = lower[self._own_export_rows] = -INFINITY
        sold = np.maximum(-self._trades, 0.0)[self._sell_slots] if self._sell_slots.size else 0.0
        upper[self.v2h_rows] = self.load_kwh[self.v2h_slots] + sold
        upper[self._own_export_rows] = np.maximum(self._trades, 0.0)[self._own_export_slots]
        upper[self.v2h_rows[self.v2h_slots < until]] = INFINITY
        if self.limit_rows.size:
            rows = self.limit_rows
            most = INFINITY if house.import_limit_kw is None else house.import_limit_kw * self._dt
            least = -INFINITY if house.export_limit_kw is None else -house.export_limit_kw * self._dt
            lower[rows], upper[rows] = least - self._trades, most - self._trades
            lower[rows[:until]], upper[rows[:until]] = -INFINITY, INFINITY
        if self._peak_rows.size:
            rows = self._peak_rows
            lower[rows], upper[rows] = -INFINITY, -self._trades
            upper[rows[:until]] = INFINITY

    def set_local_prices(self, buy_eur_per_kwh: Floats, sell_eur_per_kwh: Floats) -> None:
        """What a local kWh costs the buyer and brings the seller, shape (slots,). [EUR/kWh]"""
        self.program.cost[self.column["local_buy"]] = buy_eur_per_kwh
        self.program.cost[self.column["local_sell"]] = -sell_eur_per_kwh

    def flows(self, solution: Floats) -> Flows:
        """Energy of every slot from the columns of a solution; zero in frozen slots."""
        slots, until = self.house.slots, self.until
        values: dict[str, Floats] = {}
        for name in FLOW_NAMES:
            found = solution[self.column[name]]
            stored = name.endswith("_stored")
            array = np.full(slots, np.nan if stored else 0.0)
            if name.startswith("ev"):
                array[self.ev_slots] = found
            elif found.size:
                array[:] = found
            if not stored:
                np.maximum(array, 0.0, out=array)
            array[:until] = np.nan if stored else 0.0
            values[name] = array
        return _without_wash(Flows(**values))

    def flows_at(self, solution: Sequence[float], slot: int) -> Flows:
        """Energy of one slot, shape (1,), without the rest."""
        at = int(np.searchsorted(self.ev_slots, slot))
        home = at < self.ev_slots.size and self.ev_slots[at] == slot
        values: dict[str, Floats] = {}
        for name in FLOW_NAMES:
            column = self.column[name]
            place = at if name.startswith("ev") else slot
            there = home if name.startswith("ev") else column.size > 0
            absent = math.nan if name.endswith("_stored") else 0.0
            values[name] = np.array([max(solution[column[place]], 0.0) if there else absent])
        return _without_wash(Flows(**values))


def _without_wash(flows: Flows) -> Flows:
    """The same flows without buying and selling locally at once, which a fee of zero leaves undecided."""
    wash = np.minimum(flows.local_buy, flows.local_sell)
    return replace(flows, local_buy=flows.local_buy - wash, local_sell=flows.local_sell - wash)


def _ev_slots(house: House) -> Ints:
    sessions = house.ev.sessions if house.ev else ()
    slots = [np.arange(session.arrival_slot, session.departure_slot) for session in sessions]
    return np.concatenate(slots).astype(np.int32) if slots else np.zeros(0, dtype=np.int32)
