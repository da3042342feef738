"""A community whose fees and caps are round numbers."""

from __future__ import annotations

import pytest

from otaniemi.contracts.rules.calendar import Rules

from ...support.rules import QUARTER_HOURLY


@pytest.fixture(scope="session")
def rules() -> Rules:
    return QUARTER_HOURLY
