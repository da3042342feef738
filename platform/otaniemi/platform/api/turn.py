"""How a desk of the API gets at the engine."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

Turn = Callable[[], AbstractContextManager[int]]
"""Gives the engine to oneself, at the present [Unix s]: ``with turn() as now``. Turns may be nested."""
