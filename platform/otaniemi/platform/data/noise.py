"""Correlated noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def ar1(random: np.random.Generator, size: int, correlation: float) -> NDArray[np.float64]:
    """A stationary first-order autoregression of unit variance, shape (size,)."""
    path = random.standard_normal(size)
    path[1:] *= np.sqrt(1 - correlation**2)
    for index in range(1, size):
        path[index] += correlation * path[index - 1]
    return path
