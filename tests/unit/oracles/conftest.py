"""A community with hourly slots and three reporters, for the oracles' tests."""

from __future__ import annotations

import pytest

from otaniemi.contracts.rules.calendar import Rules, Session
from otaniemi.contracts.rules.signing import address_of

REPORTER_KEYS = tuple(
    sorted((bytes([number]) * 32 for number in (1, 2, 3)), key=lambda key: int(address_of(key), 16))
)


@pytest.fixture
def reporter_keys() -> tuple[bytes, ...]:
    return REPORTER_KEYS


@pytest.fixture
def rules() -> Rules:
    return Rules(
        slot_seconds=3600,
        utc_offset=7200,
        products=1,
        price_min=-4_000_000,
        price_max=4_000_000,
        grid_fee=20_000,
        platform_fee=0,
        short_cap=5_000_000,
        connection_limit_wh=20_000,
        retailer=1,
        grid_operator=2,
        platform=3,
        nomination_batch_lead=480,
        nomination_direct_lead=300,
        meter_window=7200,
        bill_delay=21_600,
        bill_window=86_400,
        bond=10**9,
        reporters=tuple(address_of(key) for key in REPORTER_KEYS),
        quorum=2,
        sessions=(Session(False, -39_600, -39_000),),
    )
