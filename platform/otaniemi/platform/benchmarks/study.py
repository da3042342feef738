"""The reference study again: cases 1 to 4 of its house by the exact method and by its particle swarm."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.progress import Progress

from otaniemi.optimizer.methods.allocation import Allocation, Rules
from otaniemi.optimizer.methods.swarm import SwarmOptions, SwarmRun, swarm
from otaniemi.optimizer.plan import CASES, house_of_case, plan
from otaniemi.optimizer.program.dispatch import dispatch
from otaniemi.optimizer.program.home_program import Flows
from otaniemi.optimizer.schedule import Schedule
from otaniemi.optimizer.study import STUDY_COSTS, STUDY_CUTS, STUDY_EV_END_SOC, study_house
from otaniemi.platform.worker import worker

_BATCH = 10
"""Seeds that one task runs side by side: enough to fill numpy's arrays, few enough to share among processes."""

REPAIRED, PLAIN = "repaired", "plain"
VARIANTS = (REPAIRED, PLAIN)


@dataclass(frozen=True, eq=False)
class JudgedRun:
    """What a seed found, and what the best flows for its switching and starts cost.

    Attributes
    ----------
    run : SwarmRun
    flows : Flows
        Its energy flows by the allocation rules. [kWh]
    dispatched_eur : float or None
        None where the run misses a band or a target: the cost of a plan that cannot be run compares with nothing.
    """

    run: SwarmRun
    flows: Flows
    dispatched_eur: float | None


@dataclass(frozen=True, eq=False)
class CaseStudy:
    """One case: the exact plan and the seeds of both variants of the swarm, with the CPU time of each. [s]"""

    case: int
    exact: Schedule
    exact_cpu_s: float
    swarms: dict[str, list[JudgedRun]]
    swarm_cpu_s: dict[str, float]

    def mean_eur(self, variant: str) -> float:
        """Mean cost of the seeds, as the study reports it. [EUR]"""
        return float(np.mean([judged.run.cost_eur for judged in self.swarms[variant]]))

    def best(self, variant: str) -> JudgedRun:
        """The seed with the least cost with penalties."""
        return min(self.swarms[variant], key=lambda judged: judged.run.history[-1])


@dataclass(frozen=True, eq=False)
class Study:
    """All cases, and what was asked for."""

    seeds: int
    iterations: int
    rules: Rules
    cases: tuple[CaseStudy, ...]

    def to_dict(self) -> dict[str, Any]:
        """The figures beside the study's, as tables of rows; costs in EUR, times in CPU seconds."""
        return {
            "seeds": self.seeds,
            "iterations": self.iterations,
            "grid_charges_up_to": self.rules.charge_up_to,
            "sells_from": self.rules.sell_from,
            "fractions_of": self.rules.reading,
            "order_holds_exact": _falls([one.exact.cost_eur for one in self.cases]),
            "order_holds_repaired": _falls([one.mean_eur(REPAIRED) for one in self.cases]),
            "study_ev_end_soc": STUDY_EV_END_SOC,
            "exact": [self._exact_row(one) for one in self.cases],
            "cuts": [self._cut_row(low, high) for low, high in STUDY_CUTS],
            "repaired": [self._swarm_row(one, REPAIRED) for one in self.cases],
            "excess": [_excess_row(one) for one in self.cases],
            "plain": [self._swarm_row(one, PLAIN) for one in self.cases],
        }

    def _exact_row(self, one: CaseStudy) -> dict[str, Any]:
        return {
            "case": one.case,
            "cost_eur": one.exact.cost_eur,
            "bound_eur": one.exact.bound_eur,
            "ratio": one.exact.cost_eur / self.cases[0].exact.cost_eur,
            "study_cost": STUDY_COSTS[one.case],
            "study_ratio": STUDY_COSTS[one.case] / STUDY_COSTS[1],
            "ev_end_soc": float(one.exact.ev_soc[-1]),
            "cpu_s": one.exact_cpu_s,
        }

    def _cut_row(self, low: int, high: int) -> dict[str, Any]:
        cheap, dear = self.cases[low - 1], self.cases[high - 1]
        cut: dict[str, Any] = {
            "cut": f"{low} against {high}",
            "study_%": 100 * STUDY_CUTS[low, high],
            "exact_%": 100 * (1 - cheap.exact.cost_eur / dear.exact.cost_eur),
        }
        for variant in VARIANTS:
            cut[f"{variant}_%"] = 100 * (1 - cheap.mean_eur(variant) / dear.mean_eur(variant))
        return cut

    def _swarm_row(self, one: CaseStudy, variant: str) -> dict[str, Any]:
        runs = [judged.run for judged in one.swarms[variant]]
        costs = np.array([run.cost_eur for run in runs])
        ends = [_ev_end_soc(judged) for judged in one.swarms[variant]]
        row: dict[str, Any] = {
            "case": one.case,
            "mean_eur": float(costs.mean()),
            "deviation_eur": float(costs.std(ddof=1)) if costs.size > 1 else 0.0,
            "least_eur": float(costs.min()),
            "most_eur": float(costs.max()),
            "ratio": float(costs.mean()) / self.cases[0].mean_eur(variant),
            "feasible_runs": sum(run.feasible for run in runs),
            "degree_slots": float(np.mean([run.degree_slots for run in runs])),
            "ev_end_soc": float(np.mean(ends)),
            "cpu_s": one.swarm_cpu_s[variant],
        }
        return row


def bench_study(seeds: int, iterations: int, reading: str, time_limit: float, bars: Progress) -> Study:
    """Cases 1 to 4 by branch and bound and by `seeds` runs of the swarm, plain and repaired, on all cores.

    Parameters
    ----------
    seeds, iterations : int
    reading : "highest" or "range"
        Of what the price thresholds are fractions; see `Rules`.
    time_limit : float
        For each exact plan; what is not proven by then shows in its bound. [s]
    bars : Progress

    Raises
    ------
    HouseDataError
        Unknown reading.
    """
    rules = Rules(reading=reading)
    batches = [tuple(range(first, min(first + _BATCH, seeds))) for first in range(0, seeds, _BATCH)]
    task = bars.add_task("study", total=len(CASES) * (1 + len(VARIANTS) * seeds), detail="")
    exact: dict[int, tuple[Schedule, float]] = {}
    found: dict[tuple[int, str, int], tuple[list[JudgedRun], float]] = {}
    with worker(os.cpu_count() or 1) as pool:
        plans = {pool.submit(_exact, case, time_limit): case for case in CASES}
        swarms: dict[Future[tuple[list[JudgedRun], float]], tuple[int, str, int]] = {}
        for variant, case, batch in itertools.product(VARIANTS, CASES, batches):
            asked = SwarmOptions(seeds=batch, iterations=iterations, repair=variant == REPAIRED, rules=rules)
            swarms[pool.submit(_judged_runs, case, asked)] = case, variant, batch[0]
        for plan_done in as_completed(plans):
            case = plans[plan_done]
            exact[case] = plan_done.result()
            bars.update(task, advance=1, detail=f"case {case} exactly")
        for done in as_completed(swarms):
            found[swarms[done]] = done.result()
            case, variant, _ = swarms[done]
            bars.update(task, advance=len(done.result()[0]), detail=f"case {case}, {variant} swarm")
    cases = []
    for case in CASES:
        parts = {variant: [found[case, variant, batch[0]] for batch in batches] for variant in VARIANTS}
        cases.append(
            CaseStudy(
                case,
                *exact[case],
                {name: [judged for runs, _ in part for judged in runs] for name, part in parts.items()},
                {name: sum(seconds for _, seconds in part) for name, part in parts.items()},
            )
        )
    return Study(seeds, iterations, rules, tuple(cases))


def _exact(case: int, time_limit: float) -> tuple[Schedule, float]:
    started = time.process_time()
    schedule = plan(study_house(), "milp", case=case, time_limit=time_limit)
    return schedule, time.process_time() - started


def _judged_runs(case: int, options: SwarmOptions) -> tuple[list[JudgedRun], float]:
    house = house_of_case(study_house(), case)
    started = time.process_time()
    runs = swarm(house, case, options)
    seconds = time.process_time() - started
    allocation, base = Allocation(house, case, options.rules), house.base_load_kw * house.slot_hours
    judged = []
    for run in runs:
        (flows,) = allocation.flows(base + run.choices.device_kwh(house))
        cost = dispatch(house, case, run.choices).cost_eur if run.feasible else None
        judged.append(JudgedRun(run, flows, cost))
    return judged, seconds


def _excess_row(one: CaseStudy) -> dict[str, Any]:
    """How much the repaired swarm costs more than the optimum, and why; means of the seeds."""
    parts = [
        (judged.dispatched_eur - one.exact.cost_eur, judged.run.cost_eur - judged.dispatched_eur)
        for judged in one.swarms[REPAIRED]
        if judged.dispatched_eur is not None
    ]
    search, rules = np.mean(parts, axis=0) if parts else (None, None)
    return {
        "case": one.case,
        "excess_eur": one.mean_eur(REPAIRED) - one.exact.cost_eur,
        "by_search_eur": None if search is None else float(search),
        "by_rules_eur": None if rules is None else float(rules),
    }


def _ev_end_soc(judged: JudgedRun) -> float:
    ev = study_house().ev
    assert ev is not None
    return float(judged.flows.ev_stored[-1]) / ev.capacity_kwh


def _falls(costs: Sequence[float]) -> bool:
    """Whether no case costs more than the one before."""
    return all(later <= earlier for earlier, later in itertools.pairwise(costs))
