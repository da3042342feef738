"""Time as the services see it: a clock that is told when to move, and the timeline that moves it.

Services never read the system clock or sleep. The timeline calls what is due, in order of time; a simulated clock jumps,
a paced clock waits so that `speed` simulated seconds pass in one real second.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Unix seconds, moved forward by the timeline alone."""

    now: int

    def move_to(self, moment: int) -> None:
        """Make ``moment`` the present, waiting for it where the clock is paced."""


class SimulatedClock:
    """Jumps from event to event."""

    def __init__(self, start: int) -> None:
        self.now = start

    def move_to(self, moment: int) -> None:
        self.now = max(self.now, moment)


class PacedClock:
    """Lets ``speed`` simulated seconds pass in one real second, from ``start`` on."""

    def __init__(self, start: int, speed: float) -> None:
        self._start, self._speed = start, speed
        self._origin = time.monotonic()
        self._stopped = threading.Event()
        self.now = start

    def move_to(self, moment: int) -> None:
        due = self._origin + (moment - self._start) / self._speed
        self._stopped.wait(max(0.0, due - time.monotonic()))
        self.now = max(self.now, moment)

    def present(self) -> int:
        """The simulated second that it is now, between two events."""
        return self._start + int((time.monotonic() - self._origin) * self._speed)

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
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def at(self, moment: int, action: Callable[[], None]) -> None:
        """Enter ``action`` for ``moment`` (Unix seconds); in the past means as soon as possible."""
        heapq.heappush(self._heap, (moment, next(self._order), action))

    def __len__(self) -> int:
        return len(self._heap)

    def next_moment(self) -> int | None:
        """When the next action is due, None when nothing is left."""
        return self._heap[0][0] if self._heap else None

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
