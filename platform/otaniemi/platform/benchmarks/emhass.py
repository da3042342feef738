"""EMHASS beside us, on what both can express: PV, a battery, and appliances that run once in a block."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, TypedDict

import numpy as np

from otaniemi.optimizer.house import House
from otaniemi.optimizer.plan import plan
from otaniemi.optimizer.schedule import Schedule
from otaniemi.platform.benchmarks.random_homes import random_homes
from otaniemi.platform.benchmarks.recosting import recost
from otaniemi.platform.errors import OtaniemiError

INSTALL = (
    "EMHASS is not beside us: its pins (numpy<2.3, uvicorn==0.30.6) want an environment of their own; "
    "python -m venv rival && rival/bin/pip install 'emhass==0.18.*', then --rival-python rival/bin/python"
)
GAP_SHARE = 1e-3
"""Gap at which either may stop, as a share of the cost without PV and battery."""
_PROGRAM = Path(__file__).parent / "rivals" / "emhass_plans.py"
_SEED = 11


class RivalError(OtaniemiError):
    """The rival could not be run."""


class RivalRow(TypedDict):
    """Median CPU seconds of a plan, cold or warm, and mean excess over the cheaper plan as a share of case 1."""

    start: str
    otaniemi_s: float
    emhass_s: float
    ratio: float
    otaniemi_excess: float
    emhass_excess: float


def bench_emhass(python: Path, homes: int, slots: int) -> tuple[str, list[RivalRow]]:
    """Plans of the same days by both: one thread, the same gap, every plan re-costed.

    Parameters
    ----------
    python : Path
        An interpreter that has EMHASS.
    homes, slots : int

    Returns
    -------
    setting : str
        What was compared.
    rows : list of RivalRow

    Raises
    ------
    RivalError
        The interpreter is missing, or lacks EMHASS.
    """
    days = [_two_days(first, other) for first, other in _pairs(homes, slots)]
    bare = [[plan(home, "fast", case=1).cost_eur for home in pair] for pair in days]
    ours = [[_timed(*each) for each in zip(*both, strict=True)] for both in zip(days, bare, strict=True)]
    answer = _asked(python, days, [_relative_gaps(*both) for both in zip(bare, ours, strict=True)])
    rows = []
    for day, start in enumerate(("cold", "warm")):
        mine, theirs, excess = [], [], []
        for pair, base, own, rival in zip(days, bare, ours, answer["homes"], strict=True):
            seconds, schedule = own[day]
            costs = np.array([_cost(pair[day], schedule), _rival_cost(pair[day], rival[day])])
            mine.append(seconds)
            theirs.append(rival[day]["seconds"])
            excess.append((costs - costs.min()) / base[day])
        share = np.mean(excess, axis=0)
        rows.append(
            RivalRow(
                start=start,
                otaniemi_s=median(mine),
                emhass_s=median(theirs),
                ratio=median(theirs) / median(mine),
                otaniemi_excess=float(share[0]),
                emhass_excess=float(share[1]),
            )
        )
    setting = (
        f"EMHASS {answer['version']}, {homes} homes of {slots} slots with PV, battery and three appliances; one "
        f"thread, either may stop at a gap of {GAP_SHARE:g} of the cost of case 1, plans re-costed alike"
    )
    return setting, rows


def _pairs(homes: int, slots: int) -> list[tuple[House, House]]:
    drawn = [replace(home, ev=None) for home in random_homes(homes + 1, slots, _SEED, thermal=False)]
    return list(pairwise(drawn))


def _two_days(home: House, other: House) -> tuple[House, House]:
    """A home's day, and one with the prices, load and sun of another."""
    return home, replace(home, tariff=other.tariff, base_load_kw=other.base_load_kw, pv_kw=other.pv_kw)


def _relative_gaps(bare: Sequence[float], ours: Sequence[tuple[float, Schedule]]) -> list[float]:
    """The gap as EMHASS's solver takes it, a share of the plan's own cost."""
    return [GAP_SHARE * cost / abs(found.cost_eur) for cost, (_, found) in zip(bare, ours, strict=True)]


def _timed(home: House, bare: float) -> tuple[float, Schedule]:
    started = time.process_time()
    schedule = plan(home, "fast", gap_eur=GAP_SHARE * bare)
    return time.process_time() - started, schedule


def _cost(home: House, schedule: Schedule) -> float:
    power = {}
    for appliance in home.appliances:
        start = schedule.starts[appliance.name]
        power[appliance.name] = np.zeros(home.slots)
        power[appliance.name][start : start + appliance.run_slots(home.slot_hours)] = appliance.rated_kw
    return recost(home, schedule.battery_discharge_kw - schedule.battery_charge_kw, power)


def _rival_cost(home: House, found: dict[str, Any]) -> float:
    power = {name: np.array(values) for name, values in found["appliance_kw"].items()}
    return recost(home, np.array(found["battery_kw"]), power)


def _asked(
    python: Path, days: Sequence[tuple[House, House]], gaps: Sequence[Sequence[float]]
) -> dict[str, Any]:
    request = [
        {"days": [home.to_dict() for home in pair], "gaps": gap} for pair, gap in zip(days, gaps, strict=True)
    ]
    try:
        ended = subprocess.run(
            [python, "-I", _PROGRAM],
            input=json.dumps({"homes": request}),
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise RivalError(f"{python} cannot be run: {error.strerror}") from error
    if ended.returncode:
        reason = ended.stderr.strip().splitlines() or ["no reason given"]
        raise RivalError(f"{python} {_PROGRAM.name} ended with {ended.returncode}: {reason[-1]}")
    answer: dict[str, Any] = json.loads(ended.stdout)
    return answer
