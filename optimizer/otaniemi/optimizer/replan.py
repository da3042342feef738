"""The rest of a day that has begun: measured state, committed trades, new forecast."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from otaniemi.optimizer.devices.thermal import Levels
from otaniemi.optimizer.errors import HouseDataError
from otaniemi.optimizer.fields import Floats, series
from otaniemi.optimizer.house import House, expected_offset
from otaniemi.optimizer.methods.exact import DayModel
from otaniemi.optimizer.methods.fast import fast_plan
from otaniemi.optimizer.plan import house_of_case
from otaniemi.optimizer.program.choices import thermal_load
from otaniemi.optimizer.program.day_program import Begun
from otaniemi.optimizer.program.exclusions import Mask
from otaniemi.optimizer.program.home_program import FLOW_NAMES, Flows, State, appliance_load
from otaniemi.optimizer.schedule import Schedule, cost_of, flows_of, peak_kwh, schedule_from


def replan(
    house: House,
    schedule: Schedule,
    now: int,
    state: State,
    commitments: ArrayLike,
    method: str = "milp",
) -> Schedule:
    """Cheapest plan from slot `now` on, with traded energy fixed; earlier slots stay as in `schedule`.

    Parameters
    ----------
    house : House
        With the forecast to plan with.
    schedule : Schedule
        The plan in force; starts and levels before `now` are history, later ones are chosen anew.
    now : int
        First open slot.
    state : State
        Stored energy and temperatures measured at its start; as planned where none are.
    commitments : array, shape (slots,)
        Energy bought (positive) and sold (negative) in trades; delivered whatever it costs. [kWh]
    method : "milp" or "fast"
        As of `plan`. Agents that re-plan every few minutes move a kept model instead (`HomeModel`, `Shifter`).

    Returns
    -------
    Schedule
        Import and export are what remains beside the trades. A final or target charge that is out of reach
        is lowered to what can be reached.

    Raises
    ------
    HouseDataError
        `now` outside the day, commitments that are not one number per slot, or another method.
    InfeasibleHouseError
        The import limit cannot hold.
    """
    if not 0 <= now < house.slots:
        raise HouseDataError(f"now is slot {now}; a slot from 0 to {house.slots - 1} is needed")
    if method not in ("milp", "fast"):
        raise HouseDataError(f"method is {method!r}; milp or fast is needed")
    started = time.perf_counter()
    trades = series("commitments", commitments, house.slots)
    planned = house_of_case(house, schedule.case)
    past = flows_of(planned, schedule)
    traded_past = schedule.traded_kw * house.slot_hours
    ahead = np.arange(house.slots) >= now
    choices = schedule.choices
    begun = Begun(
        now,
        _measured_or_planned(past, now, state),
        trades,
        choices,
        peak_kwh(_until(past, ahead), np.where(ahead, 0.0, traded_past)),
    )
    if method == "fast":
        found = fast_plan(planned, schedule.case, begun)
    else:
        found = DayModel(planned, schedule.case, begun).optimise(None, None)
    flows = [_joined(ahead, past, own) for own in found.flows]
    traded = np.where(ahead, trades, traded_past)
    gone = cost_of(planned, [_until(past, ahead)] * len(flows), np.zeros(house.slots))
    levels = {name: np.where(ahead, new, choices.levels[name]) for name, new in found.choices.levels.items()}
    return schedule_from(
        planned,
        flows,
        status="optimal" if found.proven else "time_limit",
        case=schedule.case,
        method=method,
        bound_eur=found.bound_eur + gone.total() - gone.peak,
        seconds=time.perf_counter() - started,
        appliance_kwh=np.where(
            ahead, appliance_load(planned, found.choices.starts), schedule.appliance_kw * house.slot_hours
        ),
        thermal_kwh=np.where(
            ahead, thermal_load(planned, found.choices.levels), schedule.thermal_kw * house.slot_hours
        ),
        traded_kwh=traded,
        starts=found.choices.starts,
        levels=levels,
        temperatures_c=_temperatures(planned, begun, levels, schedule),
    )


def _measured_or_planned(past: Flows, now: int, state: State) -> State:
    """The state with stored energies as planned where none are measured."""
    if now == 0:
        return state
    battery, ev = state.battery_kwh, state.ev_kwh
    if battery is None and not np.isnan(past.battery_stored[now - 1]):
        battery = float(past.battery_stored[now - 1])
    if ev is None and not np.isnan(past.ev_stored[now - 1]):
        ev = float(past.ev_stored[now - 1])
    return replace(state, battery_kwh=battery, ev_kwh=ev)


def _joined(ahead: Mask, past: Flows, new: Flows) -> Flows:
    """The past of one plan and the future of another."""
    return Flows(**{name: np.where(ahead, getattr(new, name), getattr(past, name)) for name in FLOW_NAMES})


def _until(past: Flows, ahead: Mask) -> Flows:
    """A plan's past alone."""
    return Flows(**{name: np.where(ahead, 0.0, getattr(past, name)) for name in FLOW_NAMES})


def _temperatures(
    house: House, begun: Begun, levels: Mapping[str, Levels], schedule: Schedule
) -> dict[str, Floats]:
    """Expected temperatures: as they were planned before now, then from the measured ones."""
    ahead = np.arange(house.slots) >= begun.now
    return {
        load.name: np.where(
            ahead,
            begun.thermal_load(load).temperatures(levels[load.name], expected_offset(house)),
            schedule.temperatures_c[load.name],
        )
        for load in house.thermal_loads
    }
