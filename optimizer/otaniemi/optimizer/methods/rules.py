"""The home without an energy management system: thermostats, machines that start at once, a battery for one's own sun.

What the home's devices do by themselves, knowing no price: the yardstick of every saving, and a plan where there is
no time for a better one. Docs: docs/model.md, "Rules".
"""

from __future__ import annotations

import time

import numpy as np

from otaniemi.optimizer.devices.battery import Battery
from otaniemi.optimizer.devices.thermal import Levels, ThermalLoad
from otaniemi.optimizer.devices.vehicle import ElectricVehicle
from otaniemi.optimizer.errors import InfeasibleHouseError
from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.house import House
from otaniemi.optimizer.program.choices import Choices
from otaniemi.optimizer.program.dispatch import Found
from otaniemi.optimizer.program.home_program import Flows
from otaniemi.optimizer.program.solver import PROVEN_EUR
from otaniemi.optimizer.program.thermostat import Thermostat
from otaniemi.optimizer.schedule import Schedule, cost_of, schedule_of

_SAME_K = 1e-10
_SAME_KWH = 1e-9


def rule_choices(house: House) -> Choices:
    """What thermostats and impatient users choose: a level of every device and slot, a start of every appliance.

    A thermostat keeps its level while the band can still be kept from where that leads; then an idle device runs as
    strongly as that allows, and a running one as weakly. An appliance starts as early as it may. Where an import
    limit leaves too little power, a device keeps out of the way if its band allows, and an appliance starts in the
    first later slot that has room for it, or in the one that lacks least.

    Raises
    ------
    InfeasibleHouseError
        A band that no schedule keeps; names the device and the slot.
    """
    room_kw = _room_kw(house)
    levels: dict[str, Levels] = {}
    for load in house.thermal_loads:
        levels[load.name] = _thermostat(load, room_kw)
        room_kw = room_kw - load.level_kw[levels[load.name]]
    starts: dict[str, int] = {}
    for appliance in house.appliances:
        runs = appliance.run_slots(house.slot_hours)
        allowed = appliance.start_slots(house.slot_hours, house.slots)
        windows = np.lib.stride_tricks.sliding_window_view(room_kw, runs)[allowed.start : allowed.stop]
        lacking = np.maximum(appliance.rated_kw - windows, 0.0).sum(axis=1)
        start = allowed[int(lacking.argmin())]
        starts[appliance.name] = start
        room_kw[start : start + runs] -= appliance.rated_kw
    return Choices(starts, levels)


def rule_plan(house: House, case: int | None = None, bound_eur: float = -np.inf) -> Schedule:
    """Plan of the home without a HEMS: `rule_choices`, and `rule_flows` in every scenario.

    Parameters
    ----------
    house : House
        As its case leaves it (`house_of_case`).
    case : int or None
    bound_eur : float
        Proven lower bound of the house's cost, where one is known. [EUR]

    Returns
    -------
    Schedule
        Method "rules", status "optimal" where the bound says so.

    Raises
    ------
    InfeasibleHouseError
        A band that no schedule keeps, or an import limit that does not hold without a HEMS.
    """
    started = time.perf_counter()
    choices = rule_choices(house)
    flows = tuple(rule_scenarios(house, choices, case))
    cost = cost_of(house, flows, np.zeros(house.slots)).total()
    proven = cost - bound_eur <= PROVEN_EUR
    found = Found(choices, flows, cost, bound_eur, proven)
    return schedule_of(
        house,
        found,
        status="optimal" if proven else "time_limit",
        case=case,
        method="rules",
        seconds=time.perf_counter() - started,
    )


def rule_scenarios(house: House, choices: Choices, case: int | None) -> list[Flows]:
    """`rule_flows` in every scenario."""
    load = house.base_load_kw * house.slot_hours + choices.device_kwh(house)
    return [rule_flows(house, load, scenario.pv_factor, case) for scenario in house.scenarios]


def rule_flows(
    house: House, load_kwh: Floats, pv_factor: float = 1.0, case: int | None = None, *, curtails: bool = False
) -> Flows:
    """Energy flows that follow from the loads, knowing no price.

    The vehicle charges at full power from its arrival until its target and never discharges. The battery stores sun
    that is left over and covers what the home lacks, as deeply as later sun refills it to its final charge; the grid
    charges it only where no sun does, as late as possible. What is left of the sun is exported.

    Parameters
    ----------
    house : House
        As its case leaves it.
    load_kwh : array, shape (slots,)
        Base load, appliances and thermal devices. [kWh]
    pv_factor : float
        Sun of a scenario, as a share of `house.pv_kw`.
    case : int or None
        2: only left-over sun charges the battery.
    curtails : bool
        Leave sun unused where feeding it in would cost money.

    Raises
    ------
    InfeasibleHouseError
        The import limit does not hold, or leaves a charge out of reach; the device, the slot, the missing energy.
    """
    dt, slots, none = house.slot_hours, house.slots, np.zeros(house.slots)
    sun = pv_factor * house.pv_kw * dt
    most = np.inf if house.import_limit_kw is None else house.import_limit_kw * dt
    net = load_kwh - sun
    ev_charge, ev_stored = none, np.full(slots, np.nan)
    if house.ev:
        ev_charge, ev_stored = _charged_vehicle(house.ev, dt, np.maximum(most - net, 0.0))
        net = net + ev_charge
    charge, discharge, stored = none, none, np.full(slots, np.nan)
    if house.battery:
        grid = none if case == 2 else np.maximum(most - net, 0.0)
        charge, discharge, stored = self_consumption(house.battery, dt, net, grid)
        net = net + charge - discharge
    grid_import, grid_export, pv_used = at_meter(house, sun, net, curtails=curtails)
    return Flows(
        grid_import=grid_import,
        grid_export=grid_export,
        local_buy=none,
        local_sell=none,
        pv_used=pv_used,
        battery_charge=charge,
        battery_discharge=discharge,
        battery_stored=stored,
        ev_charge=ev_charge,
        ev_discharge=none,
        ev_stored=ev_stored,
    )


def at_meter(house: House, sun: Floats, net: Floats, *, curtails: bool) -> tuple[Floats, Floats, Floats]:
    """Import, export and used sun of every slot. [kWh]

    Parameters
    ----------
    sun, net : array, shape (slots,)
        Sun that is there, and what the home lacks beside all of it, negative where some is left over. [kWh]
    curtails : bool
        See `rule_flows`.

    Raises
    ------
    InfeasibleHouseError
        The import limit does not hold.
    """
    spare = np.maximum(-net, 0.0)
    export = spare
    if house.export_limit_kw is not None:
        export = np.minimum(spare, house.export_limit_kw * house.slot_hours)
    if curtails:
        export = np.where(house.tariff.export_eur_per_kwh < 0.0, 0.0, export)
    if house.import_limit_kw is not None:
        excess = net - house.import_limit_kw * house.slot_hours
        over = np.flatnonzero(excess > _SAME_KWH)
        if over.size:
            raise _missing("import_limit_kw", int(over[0]), float(excess[over[0]]), "is exceeded")
    return np.maximum(net, 0.0), export, sun - (spare - export)


def _room_kw(house: House) -> Floats:
    """Power that the import limit and the least sun leave beside the base load, shape (slots,). [kW]"""
    if house.import_limit_kw is None:
        return np.full(house.slots, np.inf)
    least = min(scenario.pv_factor for scenario in house.scenarios)
    return house.import_limit_kw + least * house.pv_kw - house.base_load_kw


def _thermostat(load: ThermalLoad, room_kw: Floats) -> Levels:
    """Level of every slot, shape (slots,)."""
    viable = Thermostat(load).viable
    chosen = np.zeros(load.slots, np.int8)
    now, level = load.initial_c, 0
    for slot in range(load.slots):
        ends = load.keep[slot] * now + load.drift[slot] + load.effect[slot]
        low, high = viable[slot + 1] + np.array([[-_SAME_K], [_SAME_K]])
        kept = np.flatnonzero(((ends[:, None] >= low) & (ends[:, None] <= high)).any(axis=1))
        if not kept.size:
            raise InfeasibleHouseError(
                load.name, slot, 0.0, f"{load.name}: no schedule keeps its band from slot {slot} to the end"
            )
        fitting = kept[load.level_kw[kept] <= room_kw[slot]]
        kept = fitting if fitting.size else kept[:1]
        if level not in kept:
            level = int(kept[-1] if level == 0 else kept[0])
        chosen[slot], now = level, ends[level]
    return chosen


def _charged_vehicle(ev: ElectricVehicle, dt: float, room: Floats) -> tuple[Floats, Floats]:
    """Charge of every slot and stored energy at its end, where `room` is what the connection still gives. [kWh]"""
    charge, stored = np.zeros(room.size), np.full(room.size, np.nan)
    for session in ev.sessions:
        stay = slice(session.arrival_slot, session.departure_slot)
        taken = np.minimum(ev.power_kw * dt, room[stay])
        wanted = max(session.target_soc - session.initial_soc, 0.0)
        energy = wanted * ev.capacity_kwh / ev.charge_efficiency
        total = np.minimum(np.cumsum(taken), energy)
        charge[stay] = np.diff(total, prepend=0.0)
        stored[stay] = session.initial_soc * ev.capacity_kwh + ev.charge_efficiency * total
        if total[-1] < energy - _SAME_KWH:
            raise _missing("ev", session.departure_slot - 1, float(energy - total[-1]), "lacks charge")
    return charge, stored


def self_consumption(battery: Battery, dt: float, net: Floats, grid: Floats) -> tuple[Floats, Floats, Floats]:
    """Charge and discharge of a battery that serves the home only, and stored energy at the end of a slot. [kWh]

    Parameters
    ----------
    net : array, shape (slots,)
        What the home lacks, negative where sun is left over. [kWh]
    grid : array, shape (slots,)
        What the grid could charge. [kWh]
    """
    power, gain = battery.power_kw * dt, battery.charge_efficiency
    low, high = battery.min_soc * battery.capacity_kwh, battery.max_soc * battery.capacity_kwh
    final = max(battery.final_soc * battery.capacity_kwh, low)
    sun = np.minimum(np.maximum(-net, 0.0), power)
    most = np.minimum(sun + grid, power)
    # Least that must be stored at the end of a slot, for the sun alone and for sun and grid to reach the end.
    by_sun, by_grid = _least_before(final, low, gain * sun), _least_before(final, low, gain * most)
    charge, discharge, levels = np.zeros(net.size), np.zeros(net.size), np.zeros(net.size)
    stored = battery.initial_soc * battery.capacity_kwh
    for slot in range(net.size):
        wanted = max(min(sun[slot], (high - stored) / gain), (by_grid[slot] - stored) / gain, 0.0)
        charge[slot] = min(wanted, most[slot])
        spare = max(stored - by_sun[slot], 0.0) * battery.discharge_efficiency
        discharge[slot] = min(spare, power, max(net[slot], 0.0)) if charge[slot] == 0.0 else 0.0
        stored += gain * charge[slot] - discharge[slot] / battery.discharge_efficiency
        levels[slot] = stored
    if stored < final - _SAME_KWH:
        raise _missing("battery", net.size - 1, final - stored, "lacks charge")
    return charge, discharge, levels


def _least_before(final: float, low: float, gains: Floats) -> Floats:
    """Stored energy needed at the end of every slot to have `final` at the end of the last one. [kWh]"""
    later = np.append(np.cumsum(gains[::-1])[::-1][1:], 0.0)
    return np.maximum(final - later, low)


def _missing(device: str, slot: int, amount_kwh: float, what: str) -> InfeasibleHouseError:
    return InfeasibleHouseError(
        device,
        slot,
        amount_kwh,
        f"{device}: {what} in slot {slot} without a HEMS; {amount_kwh:.3f} kWh are missing",
    )
