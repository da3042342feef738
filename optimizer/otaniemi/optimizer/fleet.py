"""Plans of many homes: streamed as they are found, over any executor, one home's failure being its own."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from dataclasses import dataclass
from functools import partial
from typing import Any

from otaniemi.optimizer.errors import HouseDataError, OptimizerError
from otaniemi.optimizer.house import House
from otaniemi.optimizer.plan import check_request, plan
from otaniemi.optimizer.schedule import Schedule

HomeData = House | Mapping[str, Any] | Callable[[], House | Mapping[str, Any]]
Progress = Callable[[int, int | None], None]
_Numbered = tuple[int, HomeData]
_QUICK_CHUNK = 16
_CHUNKS_PER_CORE = 2


class WorkerLostError(OptimizerError):
    """A worker did not answer: its process ended, or a home or its plan could not be sent."""


@dataclass(frozen=True, eq=False)
class HomePlanned:
    """What became of one home.

    Attributes
    ----------
    index : int
        Its place among the homes that were given, from 0.
    name : str
        Name in its house file, empty where that could not be read.
    schedule : Schedule or None
        Its plan.
    error : Exception or None
        Why it has none. Of an error that is none of ours, `__notes__` holds the traceback.
    """

    index: int
    name: str
    schedule: Schedule | None = None
    error: Exception | None = None

    def unwrap(self) -> Schedule:
        """The plan, or the error raised."""
        if self.schedule is None:
            raise self.error or WorkerLostError(f"home {self.index} has no plan")
        return self.schedule


_Work = Callable[[list[_Numbered]], list[HomePlanned]]
_Task = Future[list[HomePlanned]]


def plan_many(
    houses: Iterable[HomeData],
    method: str = "fast",
    *,
    case: int | None = None,
    time_limit: float | None = None,
    node_limit: int | None = None,
    gap_eur: float | None = None,
    executor: Executor | None = None,
    jobs: int | None = None,
    chunk: int | None = None,
    in_flight: int | None = None,
    progress: Progress | None = None,
) -> Iterator[HomePlanned]:
    """Plans of many homes, one by one as they are found.

    Every home has one result, whatever happens to it or to others: errors, unexpected ones too, are values. Plans
    are the same whatever the executor, as each is that of `plan` for the home alone (`time_limit` excepted,
    which asks the clock).

    Parameters
    ----------
    houses : iterable of House, of JSON objects of house files, or of functions that return either
        Functions are called where the home is planned, so that reading is shared out too and its errors are the
        home's. May be lazy and endless: at most `chunk` x `in_flight` homes are taken whose results are not.
        An error that it raises itself is raised after the results of the homes before it.
    method, case, time_limit, node_limit, gap_eur
        As in `plan`, for every home.
    executor : concurrent.futures.Executor, optional
        Where to plan: processes, threads, or a cluster (of Dask: ``client.get_executor()``). It is left open.
    jobs : int, optional
        Plan in a pool of that many processes of one's own, started by "forkserver", so a script needs its
        ``if __name__ == "__main__":``. With neither, homes are planned in this process, in order.
    chunk : int, optional
        Homes per task; by default 16 of method "lp", which takes milliseconds, otherwise 1.
    in_flight : int, optional
        Tasks at once; by default twice as many as there are jobs, or processors.
    progress : callable, optional
        Called with the number of homes done, and of all where that is known.

    Yields
    ------
    HomePlanned
        In any order; in that of `houses` without executor and jobs.

    Raises
    ------
    HouseDataError
        Arguments that cannot be; before any home is taken.
    WorkerLostError
        Processes of one's own cannot be started at all.

    Notes
    -----
    Where a process of one's own pool dies, the pool is restarted and the homes that were in it are planned anew,
    one task at a time and in halves, until the home that kills its process is alone; it gets a WorkerLostError.
    A given executor that breaks is not ours to restart: its homes get that error, whose cause is the executor's.
    """
    check_request(method, case, time_limit, node_limit, gap_eur)
    if executor is not None and jobs is not None:
        raise HouseDataError("both executor and jobs are given; one of them is needed")
    for name, count in (("jobs", jobs), ("chunk", chunk), ("in_flight", in_flight)):
        if count is not None and count < 1:
            raise HouseDataError(f"{name} is {count}; at least 1 is needed")
    work = partial(
        _plan_chunk, method=method, case=case, time_limit=time_limit, node_limit=node_limit, gap_eur=gap_eur
    )
    size = chunk or (_QUICK_CHUNK if method == "lp" else 1)
    tasks = in_flight or _CHUNKS_PER_CORE * (jobs or os.cpu_count() or 1)
    total = len(houses) if isinstance(houses, Sized) else None
    numbered = enumerate(houses)
    found: Iterator[HomePlanned]
    if executor is not None:
        found = _Stream(_GivenExecutor(executor), work, size, tasks).results(numbered)
    elif jobs is not None:
        found = _Stream(_OwnPool(jobs), work, size, tasks).results(numbered)
    else:
        found = (work([home])[0] for home in numbered)
    return found if progress is None else _reported(found, progress, total)


def _reported(found: Iterator[HomePlanned], progress: Progress, total: int | None) -> Iterator[HomePlanned]:
    for done, result in enumerate(found, 1):
        progress(done, total)
        yield result


def _plan_chunk(homes: list[_Numbered], **request: Any) -> list[HomePlanned]:
    """Plans of a few homes, in a worker."""
    return [_plan_one(index, home, request) for index, home in homes]


def _plan_one(index: int, home: HomeData, request: Mapping[str, Any]) -> HomePlanned:
    name = _name_of(home)
    try:
        data = home() if callable(home) else home
        name = _name_of(data)
        house = data if isinstance(data, House) else House.from_dict(data)
        return HomePlanned(index, name, schedule=plan(house, **request))
    except OptimizerError as error:
        return HomePlanned(index, name, error=_portable(error))
    except Exception as error:
        error.add_note(traceback.format_exc())
        return HomePlanned(index, name, error=_portable(error))


def _name_of(home: HomeData) -> str:
    name = home.name if isinstance(home, House) else isinstance(home, Mapping) and home.get("name", "home")
    return name if isinstance(name, str) else ""


def _portable(error: Exception) -> Exception:
    """The error, or its text where it would not survive the way between processes."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return OptimizerError(f"{type(error).__name__}: {error}")
    return error


class _GivenExecutor:
    """An executor of the caller's, who also closes it."""

    restarts = False

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def submit(self, work: _Work, homes: list[_Numbered]) -> _Task:
        """Start a task."""
        return self._executor.submit(work, homes)

    def close(self, *, wait: bool) -> None:
        """Nothing."""


class _OwnPool:
    """A pool of processes that is replaced when one of them has died."""

    restarts = True

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._pool: ProcessPoolExecutor | None = None

    def submit(self, work: _Work, homes: list[_Numbered]) -> _Task:
        """Start a task."""
        try:
            return (self._pool or self._started()).submit(work, homes)
        except BrokenExecutor:
            return self._started().submit(work, homes)

    def _started(self) -> ProcessPoolExecutor:
        # Threads of HiGHS and numpy must not be forked with this process.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        self._pool = ProcessPoolExecutor(self._jobs, mp_context=context)
        try:
            self._pool.submit(os.getpid).result()
        except BrokenExecutor as error:
            raise WorkerLostError(
                "worker processes end as soon as they start; a script that plans with jobs needs "
                'its if __name__ == "__main__":'
            ) from error
        return self._pool

    def close(self, *, wait: bool) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=wait, cancel_futures=True)


class _Stream:
    """Homes on their way through workers."""

    def __init__(self, workers: _GivenExecutor | _OwnPool, work: _Work, size: int, tasks: int) -> None:
        self._workers, self._work, self._size, self._tasks = workers, work, size, tasks
        self._running: dict[_Task, list[_Numbered]] = {}
        self._suspects: deque[list[_Numbered]] = deque()
        self._source_error: Exception | None = None

    def results(self, homes: Iterator[_Numbered]) -> Iterator[HomePlanned]:
        """Results of all homes, as they come."""
        try:
            while True:
                while (
                    len(self._running) < self._tasks and not self._suspects and (some := self._taken(homes))
                ):
                    yield from self._start(some)
                if self._running:
                    done, _ = wait(self._running, return_when=FIRST_COMPLETED)
                    for task in done:
                        yield from self._outcome(task, self._running.pop(task))
                elif self._suspects:
                    yield from self._try_alone(self._suspects.popleft())
                else:
                    break
            if self._source_error is not None:
                raise self._source_error
        finally:
            self._workers.close(wait=not self._running)
            for task in self._running:
                task.cancel()

    def _taken(self, homes: Iterator[_Numbered]) -> list[_Numbered]:
        """The next homes for a task; none after the last, and none after an error of their source."""
        some: list[_Numbered] = []
        while len(some) < self._size and self._source_error is None:
            try:
                some.append(next(homes))
            except StopIteration:
                break
            except Exception as error:
                self._source_error = error
        return some

    def _start(self, homes: list[_Numbered]) -> Iterator[HomePlanned]:
        """Hand homes to the workers; results only where these refuse."""
        try:
            self._running[self._workers.submit(self._work, homes)] = homes
        except RuntimeError as refused:
            yield from _given_up(homes, refused)

    def _outcome(self, task: _Task, homes: list[_Numbered]) -> Iterator[HomePlanned]:
        error = _error_of(task)
        if error is None:
            yield from task.result()
        elif isinstance(error, BrokenExecutor) and not self._workers.restarts:
            yield from _given_up(homes, error)
        else:
            self._suspects.append(homes)

    def _try_alone(self, homes: list[_Numbered]) -> Iterator[HomePlanned]:
        """Plan homes with no task beside theirs, next in halves if that fails again, to find the one to blame."""
        try:
            task = self._workers.submit(self._work, homes)
        except RuntimeError as refused:
            yield from _given_up(homes, refused)
            return
        wait([task])
        error = _error_of(task)
        if error is None:
            yield from task.result()
        elif len(homes) == 1:
            yield from _given_up(homes, error)
        else:
            half = len(homes) // 2
            self._suspects.extendleft((homes[half:], homes[:half]))


def _error_of(task: _Task) -> BaseException | None:
    return CancelledError("the task was cancelled") if task.cancelled() else task.exception()


def _given_up(homes: list[_Numbered], cause: BaseException) -> Iterator[HomePlanned]:
    for index, home in homes:
        lost = WorkerLostError(f"no answer came from the worker: {type(cause).__name__}: {cause}")
        lost.__cause__ = cause
        yield HomePlanned(index, _name_of(home), error=lost)
