"""Which limit of a home cannot hold, in which slot, and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import highspy
import numpy as np

from otaniemi.optimizer.devices.battery import Battery
from otaniemi.optimizer.devices.vehicle import ElectricVehicle
from otaniemi.optimizer.errors import InfeasibleHouseError
from otaniemi.optimizer.house import House
from otaniemi.optimizer.solver import INFINITY, Program, pass_program, quiet_solver
from otaniemi.optimizer.stack import Place

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


def explain(places: Sequence[Place], program: Program) -> InfeasibleHouseError:
    """The error for a program without a solution: where the import limit is exceeded, at least."""
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
    solver = quiet_solver()
    pass_program(solver, elastic)
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return InfeasibleHouseError("house", home.until, 0.0, "the limits of the house cannot hold together")
    excess = np.array(solver.getSolution().col_value)[count:].reshape(-1, home.house.slots).max(axis=0)
    slot = int(np.flatnonzero(excess > _NOISE_KWH)[0]) if (excess > _NOISE_KWH).any() else home.until
    limit = home.house.import_limit_kw
    return InfeasibleHouseError(
        "import_limit_kw",
        slot,
        float(excess[slot]),
        f"import_limit_kw: {limit} kW cannot hold in slot {slot}; {excess[slot]:.3f} kWh are missing",
    )
