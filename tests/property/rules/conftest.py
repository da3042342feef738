"""A community whose fees and caps are round numbers."""

from __future__ import annotations

import pytest

from otaniemi.contracts.rules.calendar import Rules, Session


@pytest.fixture(scope="session")
def rules() -> Rules:
    """Quarter hours at UTC+2, day-ahead gates 13:00 and 13:10 the day before, last call 20 and 15 minutes ahead."""
    return Rules(
        slot_seconds=900,
        utc_offset=7_200,
        products=1,
        price_min=-4_000_000,
        price_max=4_000_000,
        grid_fee=20_000,
        platform_fee=1_000,
        short_cap=2_000_000,
        connection_limit_wh=10_000,
        retailer=1,
        grid_operator=2,
        platform=3,
        nomination_batch_lead=480,
        nomination_direct_lead=300,
        meter_window=7_200,
        bill_delay=21_600,
        bill_window=86_400,
        bond=10**9,
        reporters=("0x" + "11" * 20, "0x" + "22" * 20, "0x" + "33" * 20),
        quorum=2,
        sessions=(
            Session(False, -39_600, -39_000),
            Session(False, -36_000, -35_400),
            Session(True, -1_200, -900),
        ),
    )
