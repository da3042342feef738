"""What a report to the oracle is worth (protocol section 6): windows, rounds, jumps, and what counts."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from enum import IntEnum

from otaniemi.contracts.rules.calendar import (
    DAY_SECONDS,
    Rules,
    day_start,
    meter_deadline,
    slot_end,
    tariff_deadline,
)
from otaniemi.contracts.rules.tariffs import Feed

TARIFF_LEAD = 8 * DAY_SECONDS
"""So long before a day its retail and reference prices can be reported at the earliest. [s]"""
CONFIRM_DELAY = 600
"""So long after prices went to quarantine a second round may confirm them. [s]"""
BASE_DAYS = 7
"""How far back the day may be that prices are compared with."""
METER_KIND = 8
"""Kind of a challenge of meters of product 0; below, kinds are feeds."""


class ReportStatus(IntEnum):
    """Whether a report counts: the first two do."""

    COUNTING = 0
    STANDING = 1
    QUARANTINED = 2
    CHALLENGED = 3
    DISCARDED = 4


@dataclass(frozen=True, slots=True)
class ReportMark:
    """What is known of a report beside its value.

    ``missing`` reporters did not sign; ``since`` is when it was quarantined or discarded, else 0. [Unix s]
    """

    status: ReportStatus
    round: int
    missing: int
    since: int = 0

    @property
    def counts(self) -> bool:
        """Whether its value is to be used."""
        return self.status in (ReportStatus.COUNTING, ReportStatus.STANDING)


Window = tuple[int, int]
"""From when on and until before when. [Unix s]"""


def tariff_window(rules: Rules, feed: int, day: int) -> Window:
    """When prices of trading day ``day`` are taken."""
    if feed == Feed.IMBALANCE:
        over = day_start(rules, day + 1)
        return over, over + rules.meter_window
    return max(day_start(rules, day) - TARIFF_LEAD, 0), tariff_deadline(rules, day)


def meter_window(rules: Rules, slot: int) -> Window:
    """When the meters of ``slot`` are taken."""
    return slot_end(rules, slot), meter_deadline(rules, slot)


def next_window(rules: Rules, window: Window, last: ReportMark | None) -> Window:
    """When another report is taken whose usual window is ``window``, after the ``last`` one."""
    if last is None or last.counts:
        return window
    waits = CONFIRM_DELAY if last.status == ReportStatus.QUARANTINED else 0
    return last.since + waits, max(window[1], last.since + rules.meter_window)


def fault_of_succession(last: ReportMark | None, same: bool, mark: ReportMark) -> str | None:
    """Why a report marked ``mark`` cannot follow the ``last`` one; None where it can.

    Parameters
    ----------
    last : ReportMark or None
        None without one.
    same : bool
        Whether both have the same value.
    mark : ReportMark
    """
    if last is None:
        return None
    if last.status == ReportStatus.CHALLENGED:
        return "it replaces a report that is challenged"
    if mark.round < last.round or (mark.round == last.round and not (last.counts and same)):
        return f"it is of round {mark.round}, and the last one of round {last.round}"
    if last.counts and mark.missing >= last.missing:
        return "it replaces a report that as many reporters signed"
    return None


def jumps(prices: Sequence[tuple[int, int]], base: Sequence[tuple[int, int]], limit: int) -> bool:
    """Whether a price differs from its slot's in ``base`` by more than ``limit``. [micro-token/kWh]"""
    return any(
        abs(price - before) > limit
        for pair, old in zip(prices, base, strict=True)
        for price, before in zip(pair, old, strict=True)
    )


def base_day(day: int, counting: Container[int]) -> int | None:
    """The day whose prices those of ``day`` are compared with, of the days ``counting``; None without one."""
    return next(
        (day - back for back in range(1, min(BASE_DAYS, day - 1) + 1) if day - back in counting), None
    )
