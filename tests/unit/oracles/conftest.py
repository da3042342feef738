"""A community with hourly slots and three reporters, for the oracles' tests."""

from __future__ import annotations

from dataclasses import replace

import pytest

from otaniemi.contracts.rules.calendar import Rules
from otaniemi.contracts.rules.signing import address_of

from ...support.rules import HOURLY

REPORTER_KEYS = tuple(
    sorted((bytes([number]) * 32 for number in (1, 2, 3)), key=lambda key: int(address_of(key), 16))
)


@pytest.fixture
def reporter_keys() -> tuple[bytes, ...]:
    return REPORTER_KEYS


@pytest.fixture
def rules() -> Rules:
    return replace(HOURLY, reporters=tuple(address_of(key) for key in REPORTER_KEYS), quorum=2)
