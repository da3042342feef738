"""A fleet on a Dask cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from otaniemi.optimizer import House, Schedule
from otaniemi.optimizer.fleet import plan_many
from otaniemi.platform.benchmarks.random_homes import random_homes


def without_time(schedule: Schedule) -> dict[str, Any]:
    return replace(schedule, seconds=0.0).to_dict()


def impossible(house: House) -> House:
    """The house with a battery that must be full after an hour too few."""
    assert house.battery
    return replace(house, name="impossible", battery=replace(house.battery, power_kw=1e-3, final_soc=1.0))


def test_a_local_dask_cluster_plans_as_this_process_does(require_dask: Any) -> None:
    homes = list(random_homes(7))
    homes[3] = impossible(homes[3])
    with (
        require_dask.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        require_dask.Client(cluster) as client,
    ):
        found = sorted(
            plan_many(homes, "lp", executor=client.get_executor(), chunk=2), key=lambda home: home.index
        )
    alone = list(plan_many(homes, "lp"))
    assert [home.name for home in found] == [house.name for house in homes]
    assert [str(home.error) for home in found] == [str(home.error) for home in alone]
    for mine, theirs in zip(alone, found, strict=True):
        if mine.schedule:
            np.testing.assert_equal(without_time(theirs.unwrap()), without_time(mine.schedule))
    assert [home.index for home in alone if home.schedule is None] == [3]
