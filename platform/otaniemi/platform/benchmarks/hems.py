"""Plans of random homes: seconds to a certified gap, homes planned per second, and EMHASS beside us."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, TypedDict

import numpy as np
from rich.progress import Progress

from otaniemi.optimizer.fleet import plan_many
from otaniemi.optimizer.house import House
from otaniemi.optimizer.plan import plan
from otaniemi.optimizer.schedule import Schedule
from otaniemi.platform.benchmarks.emhass import INSTALL, RivalRow, bench_emhass
from otaniemi.platform.benchmarks.random_homes import numbered_home

CASES = (1, 2, 3, 4)
SEED, SLOTS = 7, 96
WITHIN_SHARE = {"1 %": 1e-2, "0.1 %": 1e-3}
"""Certified gaps, as shares of the cost of case 1."""
PROOF_S = 60.0
_BULK_ROUNDS = 8
"""Rounds of pricing where many homes are to be planned well rather than each one to a gap."""
_LP_PER_HOME = 25
"""Relaxations for every home that is planned with integers, which take so much longer."""


class CertifiedRow(TypedDict):
    """CPU seconds of a case until the gap is certified; None where it was not within `PROOF_S`."""

    case: int
    within: str
    homes: int
    certified: int
    median_s: float | None
    worst_s: float | None
    mean_gap_share: float


class ThroughputRow(TypedDict):
    """Home-days per CPU second of one core, with all that is needed to make a schedule of a house.

    Of plans with integers also the mean of their proven gaps, and of what they cost above the best plan of the home
    found here, as shares of the cost of case 1.
    """

    method: str
    homes: int
    home_days_per_s: float
    mean_gap_share: float | None
    mean_excess_share: float | None


class FleetRow(TypedDict):
    """Different homes by `plan_many`, drawn where they are planned; seconds of the clock."""

    method: str
    processes: int
    homes: int
    seconds: float
    homes_per_s: float


class HemsBenchmark(TypedDict):
    """What ``otaniemi bench hems`` prints."""

    seed: int
    slots: int
    certified: list[CertifiedRow]
    throughput: list[ThroughputRow]
    fleets: list[FleetRow]
    emhass_setting: str
    emhass: list[RivalRow]


def bench_hems(homes: int, fleet: int, rival_python: Path | None, bars: Progress) -> HemsBenchmark:
    """All of it on one core, but for the fleets.

    Parameters
    ----------
    homes : int
        Homes to plan with integers in every case, and beside the rival.
    fleet : int
        Homes to plan by their relaxation in one process, and in one per processor.
    rival_python : Path, optional
        Interpreter that has EMHASS.
    bars : Progress
        Shows how far it is.
    """
    task = bars.add_task("planning homes", total=homes * (len(CASES) + 2 + _LP_PER_HOME), detail="")
    step = partial(bars.update, task, advance=1)
    drawn = [numbered_home(SEED, k, SLOTS) for k in range(homes)]
    plan(drawn[0], "lp")  # what is paid once is not the homes'
    bare = [plan(home, "fast", case=1).cost_eur for home in drawn]
    certified = [row for case in CASES for row in _certified(drawn, bare, case, step)]
    throughput = [_lp_throughput(homes * _LP_PER_HOME, step), *_integer_throughput(drawn, bare, step)]
    fleets = [_fleet(fleet, processes, bars) for processes in sorted({1, os.cpu_count() or 1})]
    setting, emhass = bench_emhass(rival_python, homes, SLOTS) if rival_python else (INSTALL, [])
    return HemsBenchmark(
        seed=SEED,
        slots=SLOTS,
        certified=certified,
        throughput=throughput,
        fleets=fleets,
        emhass_setting=setting,
        emhass=emhass,
    )


def _certified(
    homes: list[House], bare: list[float], case: int, step: Callable[[], None]
) -> list[CertifiedRow]:
    """The fast method first; where its gap stays too wide, the exact one after it."""
    found: dict[str, list[tuple[float, float]]] = {within: [] for within in WITHIN_SHARE}
    for home, cost in zip(homes, bare, strict=True):
        for within, share in WITHIN_SHARE.items():
            gap_eur = share * cost
            seconds, gap = _timed(home, "fast", case, gap_eur=gap_eur)
            if gap > gap_eur:
                more, gap = _timed(home, "milp", case, time_limit=PROOF_S)
                seconds += more
            found[within].append((seconds, gap / cost))
        step()
    rows = []
    for within, all_ in found.items():
        done = [seconds for seconds, gap in all_ if gap <= WITHIN_SHARE[within]]
        rows.append(
            CertifiedRow(
                case=case,
                within=within,
                homes=len(homes),
                certified=len(done),
                median_s=median(done) if done else None,
                worst_s=max(done) if len(done) == len(homes) else None,
                mean_gap_share=sum(gap for _, gap in all_) / len(all_),
            )
        )
    return rows


def _timed(home: House, method: str, case: int, **limits: Any) -> tuple[float, float]:
    """CPU seconds of a plan, and its proven gap. [EUR]"""
    started = time.process_time()
    schedule = plan(home, method, case=case, **limits)
    return time.process_time() - started, schedule.gap_eur


def _fleet(homes: int, processes: int, bars: Progress) -> FleetRow:
    task = bars.add_task(f"planning a fleet, processes: {processes}", total=homes, detail="")
    drawn = (partial(numbered_home, SEED, k, SLOTS) for k in range(homes))
    started = time.perf_counter()
    for home in plan_many(drawn, "lp", jobs=processes):
        home.unwrap()
        bars.update(task, advance=1)
    seconds = time.perf_counter() - started
    return FleetRow(
        method="lp", processes=processes, homes=homes, seconds=seconds, homes_per_s=homes / seconds
    )


def _lp_throughput(homes: int, step: Callable[[], None]) -> ThroughputRow:
    drawn = [numbered_home(SEED, k, SLOTS) for k in range(homes)]
    speed, _ = _planned("lp", drawn, step)
    return ThroughputRow(
        method="lp", homes=homes, home_days_per_s=speed, mean_gap_share=None, mean_excess_share=None
    )


def _integer_throughput(
    homes: list[House], bare: list[float], step: Callable[[], None]
) -> list[ThroughputRow]:
    """The fast method as it is, and with few rounds of pricing."""
    methods = {"fast": None, f"fast, {_BULK_ROUNDS} rounds": _BULK_ROUNDS}
    speeds, plans = zip(*(_planned("fast", homes, step, rounds) for rounds in methods.values()), strict=True)
    costs = np.array([[schedule.cost_eur for schedule in found] for found in plans])
    gaps = np.array([[schedule.gap_eur for schedule in found] for found in plans])
    return [
        ThroughputRow(
            method=method,
            homes=len(homes),
            home_days_per_s=speed,
            mean_gap_share=float(np.mean(gap / bare)),
            mean_excess_share=float(np.mean((cost - costs.min(axis=0)) / bare)),
        )
        for method, speed, gap, cost in zip(methods, speeds, gaps, costs, strict=True)
    ]


def _planned(
    method: str, homes: list[House], step: Callable[[], None], node_limit: int | None = None
) -> tuple[float, list[Schedule]]:
    """Homes per CPU second, and their plans."""
    started = time.process_time()
    planned = plan_many(homes, method, node_limit=node_limit, progress=lambda _done, _all: step())
    schedules = [home.unwrap() for home in planned]
    return len(homes) / (time.process_time() - started), schedules
