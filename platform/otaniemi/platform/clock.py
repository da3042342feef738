"""Time as the services see it: a clock that is told when to move, and the timeline that moves it.

Services never read the system clock or sleep. The timeline calls what is due, in order of time; a simulated
clock jumps, a paced clock waits so that `speed` simulated seconds pass in one real second.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol


class Clock(Protocol):
    """Unix seconds, moved forward by the timeline alone."""

    now: int

    def move_to(self, moment: int) -> None:
        """Make ``moment`` the present, waiting for it where the clock is paced."""

    def present(self) -> int:
        """The second that it is, between two events too."""

    @property
    def stopped(self) -> bool:
        """Whether nothing more shall happen."""


class SimulatedClock:
    """Jumps from event to event."""

    def __init__(self, start: int) -> None:
        self.now = start

    def move_to(self, moment: int) -> None:
        self.now = max(self.now, moment)

    def present(self) -> int:
        return self.now

    @property
    def stopped(self) -> bool:
        return False


class PacedClock:
    """Jumps until ``start``; from there on ``speed`` simulated seconds pass in one real second."""

    def __init__(self, now: int, start: int, speed: float) -> None:
        self._start, self._speed = start, speed
        self._origin: float | None = None
        self._stopped = threading.Event()
        self.now = now

    def move_to(self, moment: int) -> None:
        if moment >= self._start:
            if self._origin is None:
                self._origin = time.monotonic()
            due = self._origin + (moment - self._start) / self._speed
            self._stopped.wait(max(0.0, due - time.monotonic()))
        self.now = max(self.now, moment)

    def present(self) -> int:
        if self._origin is None:
            return self.now
        return max(self.now, self._start + int((time.monotonic() - self._origin) * self._speed))

    def stop(self) -> None:
        """End the waiting at once."""
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()


class Timeline:
    """Actions in order of their time; those of one second in the order in which they were entered."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._heap: list[tuple[int, int, Callable[[], object]]] = []
        self._order = itertools.count()

    def at(self, moment: int, action: Callable[..., object], *arguments: object) -> None:
        """Enter ``action(*arguments)`` for ``moment`` (Unix seconds); in the past means as soon as possible."""
        bound: Callable[[], object] = partial(action, *arguments)
        heapq.heappush(self._heap, (moment, next(self._order), bound))

    def __len__(self) -> int:
        return len(self._heap)

    def next_moment(self) -> int | None:
        """When the next action is due, None when nothing is left."""
        return self._heap[0][0] if self._heap else None

    def touch(self) -> int:
        """Make the present, up to the next action, the clock's time, and return it."""
        upcoming = self.next_moment()
        present = self.clock.present()
        self.clock.now = max(self.clock.now, present if upcoming is None else min(present, upcoming))
        return self.clock.now

    def step(self) -> None:
        """Wait for the next action and take it.

        Raises
        ------
        IndexError
            Nothing is left to do.
        """
        self.clock.move_to(self._heap[0][0])
        _, _, action = heapq.heappop(self._heap)
        action()

    def run(self) -> None:
        """Take every action, also those that actions enter."""
        while self._heap:
            self.step()
