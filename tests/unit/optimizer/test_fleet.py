"""Many homes at once: nothing is lost, nothing depends on where it is planned."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import fields
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from otaniemi.optimizer import House, HouseDataError, InfeasibleHouseError, Schedule, plan
from otaniemi.optimizer.fleet import HomePlanned, WorkerLostError, plan_many

SLOTS = 6
ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def this_module_is_found_by_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Homes of the classes below are sent to other processes, which import them from here."""
    monkeypatch.syspath_prepend(ROOT)


def home(name: str, price: float = 0.2, target_soc: float = 0.6) -> House:
    """A home with a vehicle and a machine, so that every plan has something to decide."""
    prices = np.linspace(price, 2 * price, SLOTS)[::-1]
    return House.from_dict(
        {
            "name": name,
            "slots": SLOTS,
            "slot_hours": 1.0,
            "tariff": {"import_eur_per_kwh": prices.tolist(), "export_eur_per_kwh": [0.01] * SLOTS},
            "base_load_kw": [0.5] * SLOTS,
            "appliances": [
                {"name": "washer", "rated_kw": 1.0, "hours": 2, "earliest_h": 0, "latest_h": SLOTS}
            ],
            "ev": {
                "capacity_kwh": 10.0,
                "power_kw": 2.0,
                "sessions": [
                    {"arrival_slot": 1, "departure_slot": 4, "initial_soc": 0.5, "target_soc": target_soc}
                ],
            },
        }
    )


def homes(count: int) -> list[House]:
    return [home(f"home-{k}", 0.1 + 0.01 * k) for k in range(count)]


class DeadlyHome(dict[str, Any]):
    """House data that end the process which reads them."""

    def __getitem__(self, key: str) -> Any:
        os._exit(7)

    def get(self, key: str, default: Any = None) -> Any:
        return "deadly" if key == "name" else default

    def __iter__(self) -> Iterator[str]:
        os._exit(7)


class StrangeError(Exception):
    """An error that cannot be pickled."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.more = lambda: what


class StrangeHome(dict[str, Any]):
    """House data whose reading meets a defect."""

    def __iter__(self) -> Iterator[str]:
        raise StrangeError("a defect")


class UnsendableHome(dict[str, Any]):
    """House data that no other process can get."""

    def __reduce__(self) -> Any:
        raise TypeError("cannot be sent")


def infeasible(name: str = "hopeless") -> House:
    """Its vehicle cannot be charged in time: 5 kWh in one hour of 2 kW."""
    data = home(name).to_dict()
    data["ev"]["sessions"] = [{"arrival_slot": 1, "departure_slot": 2, "initial_soc": 0.5, "target_soc": 1.0}]
    return House.from_dict(data)


def by_index(results: Iterator[HomePlanned]) -> list[HomePlanned]:
    return sorted(results, key=lambda result: result.index)


def same(one: Schedule, other: Schedule) -> bool:
    """Whether two schedules are the same to the last bit, but for the time they took."""
    for field in fields(Schedule):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if field.name == "seconds":
            continue
        if isinstance(mine, np.ndarray):
            if not np.array_equal(mine, theirs, equal_nan=True):
                return False
        elif str(mine) != str(theirs):
            return False
    return True


def test_every_home_has_its_own_plan_in_order() -> None:
    given = homes(5)
    results = list(plan_many(given, "milp"))
    assert [(r.index, r.name) for r in results] == [(k, f"home-{k}") for k in range(5)]
    assert all(same(r.unwrap(), plan(house, "milp")) for r, house in zip(results, given, strict=True))


POOLS: dict[str, Callable[[], Executor]] = {
    "threads": lambda: ThreadPoolExecutor(2),
    "processes": lambda: ProcessPoolExecutor(2, mp_context=get_context("forkserver")),
}


@pytest.mark.parametrize("method", ["milp", "lp"])
@pytest.mark.parametrize("kind", POOLS)
def test_plans_are_the_same_in_threads_and_processes(kind: str, method: str) -> None:
    given = homes(7)
    alone = list(plan_many(given, method))
    with POOLS[kind]() as executor:
        results = by_index(plan_many(given, method, executor=executor, chunk=2))
    assert [r.name for r in results] == [r.name for r in alone]
    assert all(same(a.unwrap(), b.unwrap()) for a, b in zip(alone, results, strict=True))


def test_plans_are_the_same_in_processes_of_ones_own() -> None:
    given = homes(5)
    results = by_index(plan_many(given, "lp", jobs=2, chunk=2))
    assert all(same(a.unwrap(), b.unwrap()) for a, b in zip(plan_many(given, "lp"), results, strict=True))


def test_a_home_that_cannot_be_planned_is_a_value_and_stops_nobody() -> None:
    given: list[Any] = [home("first"), infeasible(), {"slots": 2}, StrangeHome(), 7, home("last")]
    for options in ({}, {"jobs": 1, "chunk": 3}):
        results = by_index(plan_many(given, "milp", **options))  # type: ignore[arg-type]
        assert [r.schedule is not None for r in results] == [True, False, False, False, False, True]
        hopeless, unreadable, strange, number = (r.error for r in results[1:5])
        assert isinstance(hopeless, InfeasibleHouseError)
        assert (hopeless.device, hopeless.slot, hopeless.amount) == ("ev", 1, pytest.approx(3.0))
        assert isinstance(unreadable, HouseDataError)
        assert "slot_hours" in str(unreadable)
        assert "StrangeError: a defect" in str(strange)
        assert isinstance(number, HouseDataError)
        with pytest.raises(InfeasibleHouseError):
            results[1].unwrap()


def test_a_home_may_be_read_where_it_is_planned() -> None:
    results = by_index(plan_many([partial(home, "read"), partial(open, "/no/such/file")], "lp", jobs=1))  # type: ignore[list-item]
    assert results[0].name == "read"
    assert same(results[0].unwrap(), plan(home("read"), "lp"))
    assert isinstance(results[1].error, FileNotFoundError)
    assert "Traceback" in results[1].error.__notes__[0]


def test_a_process_that_dies_costs_the_home_that_killed_it_and_no_other() -> None:
    given: list[Any] = [*homes(5), DeadlyHome(), *homes(6)]
    results = by_index(plan_many(given, "lp", jobs=2, chunk=4))
    assert [r.index for r in results] == list(range(12))
    assert [r.index for r in results if r.schedule is None] == [5]
    assert isinstance(results[5].error, WorkerLostError)
    assert results[5].name == "deadly"


def test_a_home_that_cannot_be_sent_is_that_homes_failure() -> None:
    given: list[Any] = [*homes(3), UnsendableHome(), *homes(2)]
    results = by_index(plan_many(given, "lp", jobs=1, chunk=3))
    assert [r.index for r in results if r.schedule is None] == [3]
    assert "cannot be sent" in str(results[3].error)


def test_a_given_executor_that_breaks_leaves_a_result_for_every_home() -> None:
    given: list[Any] = [DeadlyHome(), *homes(4)]
    with ProcessPoolExecutor(1, mp_context=get_context("forkserver")) as executor:
        results = by_index(plan_many(given, "lp", executor=executor, chunk=1, in_flight=2))
    assert [r.index for r in results] == list(range(5))
    assert all(isinstance(r.error, WorkerLostError) for r in results)
    assert isinstance(results[-1].error.__cause__, BrokenExecutor)  # type: ignore[union-attr]


def test_homes_are_taken_no_further_ahead_than_promised() -> None:
    taken, returned = 0, 0

    def endless() -> Iterator[House]:
        nonlocal taken
        while True:
            taken += 1
            assert taken - returned <= 2 * 3
            yield home(f"home-{taken}")

    with ThreadPoolExecutor(2) as executor:
        results = plan_many(endless(), "lp", executor=executor, chunk=2, in_flight=3)
        for _ in range(20):
            next(results).unwrap()
            returned += 1
        results.close()  # type: ignore[attr-defined]
    assert taken <= returned + 6


def test_no_home_is_taken_before_the_first_result_is_wanted() -> None:
    def unwanted() -> Iterator[House]:
        raise AssertionError
        yield

    plan_many(unwanted(), "lp")
    plan_many(unwanted(), "lp", jobs=2)


def test_an_error_of_the_source_comes_after_the_homes_before_it() -> None:
    def breaking() -> Iterator[House]:
        yield from homes(3)
        raise OSError("the disk is gone")

    with ThreadPoolExecutor(1) as executor:
        results = plan_many(breaking(), "lp", executor=executor, chunk=2)
        assert {next(results).index for _ in range(3)} == {0, 1, 2}
        with pytest.raises(OSError, match="the disk is gone"):
            next(results)


def test_progress_counts_homes_and_failures() -> None:
    told: list[tuple[int, int | None]] = []
    list(plan_many([home("a"), infeasible()], "lp", progress=lambda *done: told.append(done)))
    list(plan_many(iter(homes(1)), "lp", progress=lambda *done: told.append(done)))
    assert told == [(1, 2), (2, 2), (1, None)]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"method": "guess"}, "method is 'guess'"),
        ({"case": 5}, "case is 5"),
        ({"time_limit": -1.0}, "time_limit is -1.0"),
        ({"jobs": 0}, "jobs is 0"),
        ({"chunk": 0}, "chunk is 0"),
        ({"in_flight": 0}, "in_flight is 0"),
    ],
)
def test_arguments_that_cannot_be_are_refused_before_any_home(options: dict[str, Any], named: str) -> None:
    with pytest.raises(HouseDataError, match=named):
        plan_many([], **({"method": "lp"} | options))


def test_either_an_executor_or_jobs() -> None:
    with ThreadPoolExecutor(1) as executor, pytest.raises(HouseDataError, match="both executor and jobs"):
        plan_many([], "lp", executor=executor, jobs=2)
