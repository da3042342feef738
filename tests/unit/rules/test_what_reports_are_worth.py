"""Windows, rounds and jumps of reports, by hand."""

from __future__ import annotations

from otaniemi.contracts.rules.calendar import day_start
from otaniemi.contracts.rules.reports import (
    ReportMark,
    ReportStatus,
    base_day,
    fault_of_succession,
    jumps,
    next_window,
    tariff_window,
)
from otaniemi.contracts.rules.tariffs import Feed

from ...support.rules import HOURLY

DAY = 19_576
COUNTING = ReportMark(ReportStatus.COUNTING, 1, 1)


def test_prices_are_taken_from_eight_days_before_until_the_first_gate_or_after_the_day() -> None:
    start = day_start(HOURLY, DAY)
    for feed in (Feed.RETAIL, Feed.REFERENCE):
        assert tariff_window(HOURLY, feed, DAY) == (start - 8 * 86_400, start - 39_600)
    assert tariff_window(HOURLY, Feed.IMBALANCE, DAY) == (start + 86_400, start + 86_400 + 7_200)


def test_what_waits_is_awaited_as_long_as_a_report_usually_is() -> None:
    quarantined = ReportMark(ReportStatus.QUARANTINED, 0, 0, since=5_000)
    assert next_window(HOURLY, (1_000, 9_000), None) == (1_000, 9_000)
    assert next_window(HOURLY, (1_000, 9_000), COUNTING) == (1_000, 9_000)
    assert next_window(HOURLY, (1_000, 9_000), quarantined) == (5_600, 12_200)
    discarded = ReportMark(ReportStatus.DISCARDED, 0, 0, since=1_500)
    assert next_window(HOURLY, (1_000, 9_000), discarded) == (1_500, 9_000)


def test_a_counting_report_gives_way_to_more_signatures_only() -> None:
    def mark(number: int, missing: int) -> ReportMark:
        return ReportMark(ReportStatus.COUNTING, number, missing)

    assert fault_of_succession(None, False, mark(0, 1)) is None
    assert fault_of_succession(COUNTING, False, mark(2, 0)) is None
    assert fault_of_succession(COUNTING, True, mark(1, 0)) is None
    assert "as many" in str(fault_of_succession(COUNTING, False, mark(2, 1)))
    assert "round 1" in str(fault_of_succession(COUNTING, False, mark(1, 0)))
    assert "round 0" in str(fault_of_succession(COUNTING, True, mark(0, 0)))


def test_what_waits_needs_a_later_round_and_what_is_challenged_the_arbiter() -> None:
    waiting = ReportMark(ReportStatus.QUARANTINED, 1, 0, since=5)
    assert fault_of_succession(waiting, True, ReportMark(ReportStatus.COUNTING, 2, 1)) is None
    assert fault_of_succession(waiting, True, ReportMark(ReportStatus.COUNTING, 1, 0)) is not None
    challenged = ReportMark(ReportStatus.CHALLENGED, 1, 1)
    assert "challenged" in str(
        fault_of_succession(challenged, False, ReportMark(ReportStatus.COUNTING, 2, 0))
    )


def test_a_jump_is_beyond_the_limit_in_either_direction_and_price() -> None:
    assert not jumps([(10, -5)], [(5, -10)], 5)
    assert jumps([(10, -5)], [(4, -10)], 5)
    assert jumps([(10, -5)], [(10, 1)], 5)


def test_the_base_is_the_latest_of_seven_days_that_counts() -> None:
    assert base_day(100, {91, 93, 95}) == 95
    assert base_day(100, {93}) == 93
    assert base_day(100, {92, 100, 101}) is None
    assert base_day(1, {0}) is None
