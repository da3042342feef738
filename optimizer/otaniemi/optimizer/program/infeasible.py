"""Which limit of a home cannot hold, in which slot, and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from otaniemi.optimizer.devices.battery import Battery
from otaniemi.optimizer.devices.thermal import ThermalLoad
from otaniemi.optimizer.devices.vehicle import ElectricVehicle
from otaniemi.optimizer.errors import InfeasibleHouseError
from otaniemi.optimizer.house import House
from otaniemi.optimizer.program.home_program import HomeProgram
from otaniemi.optimizer.program.solver import INFINITY, Program, branch_and_bound, solve_linear
from otaniemi.optimizer.program.stack import Place
from otaniemi.optimizer.program.thermostat import MARGIN_C, Thermostat

_NOISE_K = 1e-6
_EXPLAINING_NODES = 1_000
_EXPLAINING_SOLUTIONS = 20
_NOISE_KWH = 1e-6


def check_charges(house: House) -> None:
    """Refuse a final or target charge that full power cannot reach.

    Raises
    ------
    InfeasibleHouseError
        Names the device, the slot at whose end the charge is due, and the missing energy.
    """
    if house.battery:
        battery = house.battery
        _check_charge(
            "battery", "final_soc", battery, battery.initial_soc, battery.final_soc, 0, house.slots, house
        )
    for session in house.ev.sessions if house.ev else ():
        assert house.ev is not None
        stay = (session.arrival_slot, session.departure_slot)
        _check_charge("ev", "target_soc", house.ev, session.initial_soc, session.target_soc, *stay, house)


def _check_charge(
    name: str,
    target_name: str,
    device: Battery | ElectricVehicle,
    initial: float,
    target: float,
    start: int,
    end: int,
    house: House,
) -> None:
    gain = (end - start) * device.power_kw * house.slot_hours * device.charge_efficiency
    missing = (target - initial) * device.capacity_kwh - gain
    if missing > _NOISE_KWH:
        raise InfeasibleHouseError(
            name,
            end - 1,
            missing,
            f"{name}: {target_name} {target:g} at the end of slot {end - 1} cannot be reached; "
            f"{missing:.3f} kWh are missing",
        )


def check_temperatures(house: House) -> None:
    """Refuse a band that no schedule of its device keeps.

    Raises
    ------
    InfeasibleHouseError
        Names the device, the first slot at whose end the band cannot be kept, and the least kelvin by which it
        must be wider there.
    """
    for load in house.thermal_loads:
        if can_keep(load):
            continue
        first, last = 0, load.slots - 1
        while first < last:
            half = (first + last) // 2
            first, last = (half + 1, last) if can_keep(_until(load, half)) else (first, half)
        missing = _least_widening(_until(load, first))
        raise InfeasibleHouseError(
            load.name,
            first,
            missing,
            f"{load.name}: no schedule keeps the band at the end of slot {first}; {missing:.3f} K are missing",
            "K",
        )


def can_keep(load: ThermalLoad) -> bool:
    """Whether some schedule keeps the band."""
    if _kept_midway(load):
        return True
    low, high = Thermostat(load).viable[0]
    return bool(((low <= load.initial_c) & (load.initial_c <= high)).any())


def _kept_midway(load: ThermalLoad) -> bool:
    """Whether ending every slot as near to the middle of the band as can be keeps it: most homes do, quickly told."""
    away = load.initial_c  # from 0 before the first slot, then from the middle of the band
    middle = (load.low_c + load.high_c) / 2.0
    drift = load.drift + load.keep * np.append(0.0, middle[:-1]) - middle
    slots = (load.keep, drift, load.effect, (load.high_c - load.low_c) / 2.0 - MARGIN_C)
    for keep, step, effects, most in zip(*(series.tolist() for series in slots), strict=True):
        off = away = keep * away + step
        for effect in effects[1:]:
            if abs(off + effect) < abs(away):
                away = off + effect
        if abs(away) > most:
            return False
    return True


def _until(load: ThermalLoad, slot: int) -> ThermalLoad:
    """The same load with its day ending after a slot."""
    end = slot + 1
    return replace(
        load,
        keep=load.keep[:end],
        drift=load.drift[:end],
        effect=load.effect[:end],
        outdoor_share=load.outdoor_share[:end],
        low_c=load.low_c[:end],
        high_c=load.high_c[:end],
    )


def _least_widening(load: ThermalLoad) -> float:
    """By how much the band must be wider at the end of the last slot to be kept, found by halving. [K]"""
    last = np.arange(load.slots) == load.slots - 1

    def kept(by: float) -> bool:
        return can_keep(replace(load, low_c=load.low_c - by * last, high_c=load.high_c + by * last))

    enough = _NOISE_K
    while not kept(enough):
        enough *= 2.0
    short = 0.0
    while enough - short > _NOISE_K:
        half = (short + enough) / 2.0
        short, enough = (short, half) if kept(half) else (half, enough)
    return enough


def explain(places: Sequence[Place], program: Program) -> InfeasibleHouseError:
    """The error for a program without a solution: where the import limit is exceeded, at least.

    Every device for itself can keep its limits (`check_charges`, `check_temperatures`), so it is the limit of the
    connection that they cannot keep together.
    """
    home = places[0].home
    rows = np.concatenate([place.home.limit_rows + place.rows.start for place in places])
    count = program.cost.size
    slack = np.arange(count, count + rows.size, dtype=np.int32)
    elastic = replace(
        program,
        cost=np.concatenate([np.zeros(count), np.ones(rows.size)]),
        lower=np.concatenate([program.lower, np.zeros(rows.size)]),
        upper=np.concatenate([program.upper, np.full(rows.size, INFINITY)]),
        rows=np.concatenate([program.rows, rows]),
        columns=np.concatenate([program.columns, slack]),
        values=np.concatenate([program.values, np.full(rows.size, -1.0)]),
    )
    solved = solve_linear(elastic)
    if solved is None:
        return _unexplained(home)
    solution, excess = solved
    if excess <= _NOISE_KWH and program.integer is not None:
        # The relaxation keeps the limit: whole decisions do not.
        search = branch_and_bound(elastic, None, _EXPLAINING_NODES, solutions=_EXPLAINING_SOLUTIONS)
        if search.solution is None:
            return _unexplained(home)
        solution = search.solution
    excesses = solution[slack].reshape(-1, home.house.slots).max(axis=0)
    exceeded = np.flatnonzero(excesses > _NOISE_KWH)
    if not exceeded.size:
        return _unexplained(home)
    slot = int(exceeded[0])
    limit = home.house.import_limit_kw
    return InfeasibleHouseError(
        "import_limit_kw",
        slot,
        float(excesses[slot]),
        f"import_limit_kw: {limit} kW cannot hold in slot {slot}; {excesses[slot]:.3f} kWh are missing",
    )


def _unexplained(home: HomeProgram) -> InfeasibleHouseError:
    return InfeasibleHouseError("house", home.until, 0.0, "the limits of the house cannot hold together")
