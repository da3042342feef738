"""What `otaniemi bench hems` measures with: homes that can be planned, plans re-costed, a rival that may be missing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from otaniemi.optimizer import House, plan
from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.program.infeasible import can_keep
from otaniemi.platform.benchmarks import hems
from otaniemi.platform.benchmarks.emhass import RivalError, bench_emhass
from otaniemi.platform.benchmarks.random_homes import numbered_home, random_homes
from otaniemi.platform.benchmarks.recosting import BrokenPlanError, recost
from otaniemi.platform.cli.output import progress

Change = Callable[[Floats, dict[str, Floats]], None]


@pytest.mark.parametrize("slots", [96, 120])
def test_random_homes_keep_their_bands(slots: int) -> None:
    assert all(can_keep(load) for home in random_homes(40, slots) for load in home.thermal_loads)


def test_a_random_home_is_the_same_wherever_it_is_drawn() -> None:
    third = next(islice(random_homes(9, 48), 2, None))
    assert numbered_home(7, 2, 48).to_dict() == third.to_dict()
    assert numbered_home(7, 3, 48).to_dict() != third.to_dict()


def decisions(house: House) -> tuple[float, Floats, dict[str, Floats]]:
    """Cost, battery and appliances of the best plan."""
    best = plan(house, "milp")
    power = {}
    for appliance in house.appliances:
        slots = np.arange(house.slots) - best.starts[appliance.name]
        running = (slots >= 0) & (slots < appliance.run_slots(house.slot_hours))
        power[appliance.name] = np.where(running, appliance.rated_kw, 0.0)
    return best.cost_eur, best.battery_discharge_kw - best.battery_charge_kw, power


@pytest.fixture(scope="module")
def house() -> House:
    return replace(numbered_home(7, 0, 24, thermal=False), ev=None)


def test_a_plan_is_recosted_to_what_it_costs(house: House) -> None:
    cost, battery, power = decisions(house)
    assert recost(house, battery, power) == pytest.approx(cost, abs=1e-6)


def shift(battery: Floats, _power: dict[str, Floats]) -> None:
    battery[-1] += 0.01


def overload(battery: Floats, _power: dict[str, Floats]) -> None:
    battery[0], battery[1] = -9.0, 9.0


def overfill(battery: Floats, _power: dict[str, Floats]) -> None:
    battery[:] = -1.4


def split(_battery: Floats, power: dict[str, Floats]) -> None:
    power["washer"][:] = 0.0


def night(_battery: Floats, power: dict[str, Floats]) -> None:
    power["washer"][:] = np.roll(power["washer"], 12)


def fraction(_battery: Floats, power: dict[str, Floats]) -> None:
    power["washer"] *= 0.5


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        (shift, "below its final charge"),
        (overload, "power exceeds"),
        (overfill, "leaves its range"),
        (split, "does not run once"),
        (night, "does not run once"),
        (fraction, "does not run once"),
    ],
)
def test_a_plan_that_a_home_could_not_run_is_refused(house: House, change: Change, broken: str) -> None:
    _, battery, power = decisions(house)
    change(battery, power)
    with pytest.raises(BrokenPlanError, match=broken):
        recost(house, battery, power)


RIVAL = """#!{python}
import json, sys
plans = []
for home in json.load(sys.stdin)["homes"]:
    assert len(home["gaps"]) == len(home["days"]) == 2
    plans.append([])
    for day in home["days"]:
        power = {{}}
        for a in day["appliances"]:
            first, runs = (round(a[key] / day["slot_hours"]) for key in ("earliest_h", "hours"))
            power[a["name"]] = [a["rated_kw"] * (first <= t < first + runs) for t in range(day["slots"])]
        plans[-1].append({{"seconds": 1.0, "battery_kw": [0.0] * day["slots"], "appliance_kw": power}})
json.dump({{"version": "0", "homes": plans}}, sys.stdout)
"""


def executable(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_a_rival_is_timed_beside_us_and_its_plans_recosted(tmp_path: Path) -> None:
    lazy = executable(tmp_path / "python", RIVAL.format(python=sys.executable))
    setting, rows = bench_emhass(lazy, 2, 24)
    assert "2 homes of 24 slots" in setting
    assert [row["start"] for row in rows] == ["cold", "warm"]
    for row in rows:
        assert row["ratio"] == pytest.approx(1.0 / row["otaniemi_s"])
        assert row["otaniemi_excess"] == 0.0
        assert row["emhass_excess"] > 1e-3


def test_a_rival_that_is_not_there_or_fails_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(RivalError, match="none cannot be run: No such file"):
        bench_emhass(tmp_path / "none", 1, 24)
    broken = executable(tmp_path / "python", f"#!{sys.executable}\nimport emhass_that_is_not_there\n")
    with pytest.raises(RivalError, match="No module named 'emhass_that_is_not_there'"):
        bench_emhass(broken, 1, 24)


def test_the_benchmark_says_how_to_get_the_rival_and_gives_our_figures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hems, "SLOTS", 24)
    monkeypatch.setattr(hems, "numbered_home", partial(numbered_home, thermal=False))
    with progress() as bars:
        result = hems.bench_hems(2, 3, None, bars)
    assert json.loads(json.dumps(result)) == result
    assert "pip install 'emhass==0.18.*'" in result["emhass_setting"]
    assert result["emhass"] == []
    assert [(row["case"], row["within"]) for row in result["certified"]] == [
        (case, within) for case in (1, 2, 3, 4) for within in ("1 %", "0.1 %")
    ]
    for row in result["certified"]:
        assert row["certified"] == row["homes"] == 2
        assert row["mean_gap_share"] <= {"1 %": 1e-2, "0.1 %": 1e-3}[row["within"]]
    assert [row["method"] for row in result["throughput"]] == ["lp", "fast", "fast, 8 rounds"]
    assert all(row["homes"] == 3 for row in result["fleets"])
