"""The cheapest day of one home, and the rest of a day that has begun."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from otaniemi.optimizer.errors import HouseDataError, InfeasibleHouseError
from otaniemi.optimizer.house import House
from otaniemi.optimizer.methods.exact import DayModel, Relaxed
from otaniemi.optimizer.methods.fast import fast_plan
from otaniemi.optimizer.methods.swarm import SwarmOptions, swarm_plan
from otaniemi.optimizer.program.dispatch import Found
from otaniemi.optimizer.program.infeasible import check_charges, check_temperatures
from otaniemi.optimizer.program.solver import PROVEN_EUR
from otaniemi.optimizer.schedule import Schedule, schedule_from, schedule_of

_FAST_FROM_S, _FAST_SHARE = 1.0, 0.3
"""Time limits from which the exact method lets the fast one go first, and the share that it gets. [s]"""

METHODS = ("milp", "fast", "lp", "pso")
CASES = (1, 2, 3, 4)


def plan(
    house: House,
    method: str = "milp",
    case: int | None = None,
    time_limit: float | None = None,
    node_limit: int | None = None,
    gap_eur: float | None = None,
) -> Schedule:
    """Cheapest schedule of a home at retail prices.

    Parameters
    ----------
    house : House
    method : "milp", "fast", "lp" or "pso"
        Exact; or nearly so in about a second, with a proven gap; or the relaxation (appliances run in parts,
        exclusions may be broken), which is a lower bound; or the study's particle swarm with repair and seed 0
        (others by `swarm_plan`), whose bound is the relaxation's.
    case : 1 to 4, optional
        1: no PV, battery, V2H, export. 2: PV and battery, which charges only in slots without import and only
        from PV beyond the base load; no V2H, no export. 3: no V2H. 4: all, V2H to the home. None: as the house says.
    time_limit : float, optional
        Seconds after which the best plan so far is returned with its gap; from one second on the exact method looks
        at the fast one's plan first and returns the better of both. [s]
    node_limit : int, optional
        The same after so many branch-and-bound nodes, iterations of the swarm, or rounds of pricing (method "fast");
        deterministic.
    gap_eur : float, optional
        Method "fast" stops at this proven gap; None: about 0.02 % of what the loads cost at import prices. [EUR]

    Returns
    -------
    Schedule
        Always a feasible plan (method "milp").

    Raises
    ------
    HouseDataError
        Unknown method or case, a limit below 0.
    InfeasibleHouseError
        Limits that cannot hold together; names the device, the slot and the missing energy.

    References
    ----------
    docs/model.md
    """
    check_request(method, case, time_limit, node_limit, gap_eur)
    started = time.perf_counter()
    planned = house_of_case(house, case)
    check_charges(planned)
    check_temperatures(planned)
    model = DayModel(planned, case)
    if method == "lp":
        return _relaxed_schedule(planned, model.relax(), case, started)
    deadline = None if time_limit is None else started + time_limit
    if method == "pso":
        found = swarm_plan(planned, case, SwarmOptions().limited(node_limit), deadline)
    elif method == "fast":
        found = fast_plan(planned, case, gap_eur=gap_eur, rounds=node_limit, deadline=deadline)
    elif time_limit is None or time_limit < _FAST_FROM_S:
        found = model.optimise(deadline, node_limit)
    else:
        found = _better(
            _quick(planned, case, started + _FAST_SHARE * time_limit), model, deadline, node_limit
        )
    return schedule_of(
        planned,
        found,
        status="optimal" if found.proven else "time_limit",
        case=case,
        method=method,
        seconds=time.perf_counter() - started,
    )


def _quick(house: House, case: int | None, deadline: float) -> Found | None:
    """The fast method's plan; None where it finds none, which is for the exact method to judge."""
    try:
        return fast_plan(house, case, deadline=deadline)
    except InfeasibleHouseError:
        return None


def _better(quick: Found | None, model: DayModel, deadline: float | None, node_limit: int | None) -> Found:
    """What is known of the fast method's plan and bound and the exact one's together."""
    if quick is not None and quick.proven:
        return quick
    exact = model.optimise(deadline, node_limit)
    if quick is None or exact.proven:
        return exact
    best = min(quick, exact, key=lambda found: found.cost_eur)
    bound = min(max(quick.bound_eur, exact.bound_eur), best.cost_eur)
    return replace(best, bound_eur=bound, proven=best.cost_eur - bound <= PROVEN_EUR)


def _relaxed_schedule(house: House, relaxed: Relaxed, case: int | None, started: float) -> Schedule:
    return schedule_from(
        house,
        relaxed.flows,
        status="optimal",
        case=case,
        method="lp",
        bound_eur=relaxed.bound_eur,
        seconds=time.perf_counter() - started,
        appliance_kwh=relaxed.appliance_kwh,
        thermal_kwh=relaxed.thermal_kwh,
        traded_kwh=np.zeros(house.slots),
        starts={},
        levels=relaxed.levels,
        temperatures_c=relaxed.temperatures_c,
    )


def check_request(
    method: str,
    case: int | None,
    time_limit: float | None = None,
    node_limit: int | None = None,
    gap_eur: float | None = None,
) -> None:
    """Refuse what `plan` cannot be asked for."""
    if method not in METHODS:
        raise HouseDataError(f"method is {method!r}; one of {', '.join(METHODS)} is needed")
    if case is not None and case not in CASES:
        raise HouseDataError(f"case is {case!r}; one of {', '.join(map(str, CASES))} is needed")
    for name, limit in (("time_limit", time_limit), ("node_limit", node_limit), ("gap_eur", gap_eur)):
        if limit is not None and not limit >= 0:
            raise HouseDataError(f"{name} is {limit}; at least 0 is needed")


def house_of_case(house: House, case: int | None) -> House:
    """The house with the devices and freedoms of a case."""
    if case is None:
        return house
    v2h = "home" if case == 4 else "no"
    reduced = replace(house, ev=replace(house.ev, v2h=v2h) if house.ev else None)
    if case in (1, 2):
        reduced = replace(reduced, export_limit_kw=0.0)
    if case == 1:
        reduced = replace(reduced, pv_kw=np.zeros(house.slots), battery=None)
    return reduced
