"""Rules of communities for the tests; a test replaces what matters to it."""

from __future__ import annotations

from dataclasses import replace

from otaniemi.contracts.rules.calendar import Rules, Session

DAY_AHEAD = Session(False, -39_600, -39_000)
"""Gates at 13:00 and 13:10 the day before."""

SECOND_CALL = Session(False, -36_000, -35_400)
"""Gates at 14:00 and 14:10 the day before."""

LAST_CALL = Session(True, -1_200, -900)
"""Gates 20 and 15 minutes before the slot."""

HOURLY = Rules(
    slot_seconds=3_600,
    utc_offset=7_200,
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
    meter_window=7_200,
    bill_delay=21_600,
    bill_window=86_400,
    deviation_limit=500_000,
    challenge_window=7_200,
    bond=10**9,
    reporters=(),
    quorum=1,
    sessions=(DAY_AHEAD, LAST_CALL),
)
"""Hours at UTC+2, a fee for the grid alone, and nobody who reports."""

QUARTER_HOURLY = replace(
    HOURLY,
    slot_seconds=900,
    platform_fee=1_000,
    short_cap=2_000_000,
    connection_limit_wh=10_000,
    reporters=("0x" + "11" * 20, "0x" + "22" * 20, "0x" + "33" * 20),
    quorum=2,
    sessions=(DAY_AHEAD, SECOND_CALL, LAST_CALL),
)
"""Quarter hours with all three sessions, both fees and three reporters."""
