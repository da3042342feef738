"""Hours split into slots."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from otaniemi.platform.data.scenario import split_hours


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=30), st.integers(1, 60))
def test_no_wh_is_lost_and_parts_differ_by_at_most_one(hourly: list[int], parts: int) -> None:
    split = split_hours(np.array([hourly]), parts).reshape(len(hourly), parts)
    assert split.sum(axis=1).tolist() == hourly
    assert np.ptp(split, axis=1).max() <= 1
    assert split.min() >= 0
