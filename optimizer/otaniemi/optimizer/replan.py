"""The rest of a day that has begun: measured state, committed trades, new forecast."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from otaniemi.optimizer.day_model import Begun, DayModel
from otaniemi.optimizer.errors import HouseDataError
from otaniemi.optimizer.fields import series
from otaniemi.optimizer.home_program import State
from otaniemi.optimizer.house import House
from otaniemi.optimizer.plan import house_of_case
from otaniemi.optimizer.schedule import Schedule, cost_of, flows_of, schedule_from


def replan(house: House, schedule: Schedule, now: int, state: State, commitments: ArrayLike) -> Schedule:
    """Cheapest plan from slot `now` on, with traded energy fixed; earlier slots stay as in `schedule`.

    Parameters
    ----------
    house : House
        With the forecast to plan with.
    schedule : Schedule
        The plan in force; appliances that it started before `now` are history, later starts are chosen anew.
    now : int
        First open slot.
    state : State
        Stored energy measured at its start. [kWh]
    commitments : array, shape (slots,)
        Energy bought (positive) and sold (negative) in trades; delivered whatever it costs. [kWh]

    Returns
    -------
    Schedule
        Import and export are what remains beside the trades. A final or target charge that is out of reach
        is lowered to what can be reached.

    Raises
    ------
    HouseDataError
        `now` outside the day, or commitments that are not one number per slot.
    InfeasibleHouseError
        The import limit cannot hold.
    """
    if not 0 <= now < house.slots:
        raise HouseDataError(f"now is slot {now}; a slot from 0 to {house.slots - 1} is needed")
    started = time.perf_counter()
    trades = series("commitments", commitments, house.slots)
    planned = house_of_case(house, schedule.case)
    found = DayModel(planned, schedule.case, Begun(now, state, trades, schedule.starts)).optimise(None, None)
    past = flows_of(planned, schedule)
    ahead = np.arange(house.slots) >= now
    flows = replace(
        found.flows,
        **{
            name: np.where(ahead, getattr(found.flows, name), getattr(past, name))
            for name in vars(found.flows)
        },
    )
    spent = cost_of(planned, flows).total() - cost_of(planned, found.flows).total()
    return schedule_from(
        planned,
        flows,
        status="optimal" if found.proven else "time_limit",
        case=schedule.case,
        method="milp",
        bound_eur=spent + found.bound_eur,
        seconds=time.perf_counter() - started,
        appliance_kwh=np.where(ahead, found.appliance_kwh, schedule.appliance_kw * house.slot_hours),
        traded_kwh=np.where(ahead, trades, schedule.traded_kw * house.slot_hours),
        starts=found.starts,
    )
