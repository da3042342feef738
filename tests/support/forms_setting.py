"""Who lives in a ``World``, when, by which rules and at which prices."""

from __future__ import annotations

from dataclasses import replace

from otaniemi.contracts.chain.node import DEVNET_KEY
from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.block_series import EVERY_DAY, Series
from otaniemi.contracts.rules.calendar import (
    day_at,
    day_start,
    first_slot,
)
from otaniemi.contracts.rules.price_packages import Band, PackageTerms

from .rules import HOURLY

ADMIN = Key(DEVNET_KEY)
HOMES = {account: Key(account.to_bytes(32, "big")) for account in (4, 5, 6, 7)}
EVERYBODY = range(1, 8)
COMMUNITY = 1
DELAY = 3_600
FOREVER = 2**40
ALONE = 14 * 86_400
SETTLEMENT = "Settlement"

RULES = replace(
    HOURLY, slot_seconds=14_400, utc_offset=0, price_min=-1_000_000, price_max=1_000_000, platform_fee=3_000,
    short_cap=900_000, connection_limit_wh=5_000, bond=5_000_000, reporters=(ADMIN.address,),
)  # fmt: skip
GENESIS = 1_700_000_000
DAY = day_at(RULES, GENESIS) + 2
DAYS = (DAY, DAY + 1)
START_OF_DAY = day_start(RULES, DAY)
FIRST = first_slot(RULES, DAY)
SLOTS = range(FIRST, FIRST + RULES.slots_per_day)
RETAIL = tuple((150_000 + 9_000 * slot, 40_000 + 500 * slot) for slot in range(6))
IMBALANCE = tuple((200_000 - 900 * slot, -20_000 + 2_000 * slot) for slot in range(6))
REFERENCE = {
    DAY: tuple((90_000 - 31_000 * slot, 60_000 + 7_000 * slot) for slot in range(6)),
    DAY + 1: tuple((70_000, 260_000) for _ in range(6)),
}
SERIES = Series(COMMUNITY, 0, EVERY_DAY, 2, 3, DAY, DAY + 1, 200, START_OF_DAY + 3_600, 250, 20_000)
PACKAGES = (
    PackageTerms(COMMUNITY, 0, False, False, (Band(3, 100_000), Band(6, 170_000)), 700, 2, DAY, DAY + 9,
                 5_000_000, 1, 0, bytes(32)),
    PackageTerms(COMMUNITY, 0, False, True, (Band(6, 12_000),), 0, 9, DAY, DAY + 9, 0, 1, 0, bytes(32)),
    PackageTerms(COMMUNITY, 0, True, False, (Band(6, 55_000),), 400, 9, DAY, DAY, 1_000, 1, 0, bytes(32)),
)  # fmt: skip
