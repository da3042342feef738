"""Three reporters, a quorum of two."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from otaniemi.contracts.rules.calendar import Rules, slot_end
from otaniemi.contracts.rules.meters import Quality, meter_report
from otaniemi.contracts.rules.signing import Domain, meter_digest, recover, tariff_digest
from otaniemi.contracts.rules.tariffs import Feed, TariffReport
from otaniemi.oracles.errors import DisagreementError, QuorumError, TariffSourceError
from otaniemi.oracles.meters import MeterFeed, Reading
from otaniemi.oracles.reporters import Reporter, report_meters, report_tariff

DOMAIN = Domain(31_337, "0x" + "11" * 20)
SLOT = 469_000
DAY = 19_576
SEED = b"salts of the test"


def tariff(price: int, feed: Feed = Feed.RETAIL) -> TariffReport:
    return TariffReport(1, feed, DAY, ((price, 50_000),) * 24)


def reporters_of(
    keys: tuple[bytes, ...], feeds: list[MeterFeed], prices: tuple[int, ...] = (200_000,) * 3
) -> list[Reporter]:
    def source(price: int) -> Callable[[Feed, int], TariffReport]:
        return lambda feed, _day: tariff(price, feed)

    return [
        Reporter(key, DOMAIN, 1, 0, source(price), feed, SEED)
        for key, feed, price in zip(keys, feeds, prices, strict=True)
    ]


def signers(digest: bytes, signatures: bytes) -> list[str]:
    return [recover(digest, signatures[at : at + 64]) for at in range(0, len(signatures), 64)]


@pytest.fixture
def feeds(rules: Rules) -> list[MeterFeed]:
    feeds = [MeterFeed(rules) for _ in range(3)]
    for feed in feeds:
        feed.take(9, SLOT, Reading(0, 700), slot_end(rules, SLOT))
        feed.take(7, SLOT, Reading(500, 0), slot_end(rules, SLOT))
    return feeds


def test_agreeing_reporters_all_sign_in_ascending_order_of_address(
    rules: Rules, reporter_keys: tuple[bytes, ...], feeds: list[MeterFeed]
) -> None:
    signed = report_meters(reporters_of(reporter_keys, feeds)[::-1], 2, 1, 0, SLOT, [9, 7])
    names = signers(meter_digest(DOMAIN, signed.report), signed.signatures)
    assert names == sorted(rules.reporters, key=lambda address: int(address, 16))
    assert [(leaf.account, leaf.import_wh, leaf.export_wh) for leaf in signed.leaves] == [
        (7, 500, 0),
        (9, 0, 700),
    ]
    assert (signed.report.import_wh, signed.report.export_wh, signed.report.count) == (500, 700, 2)
    assert signed.report == meter_report(1, 0, SLOT, signed.leaves)


def test_a_silent_meter_is_reported_as_an_estimate(
    rules: Rules, reporter_keys: tuple[bytes, ...], feeds: list[MeterFeed]
) -> None:
    for feed in feeds:
        feed.take(8, SLOT - 24, Reading(250, 0), slot_end(rules, SLOT - 24))
    signed = report_meters(reporters_of(reporter_keys, feeds), 2, 1, 0, SLOT, [7, 8, 9])
    silent = signed.leaves[1]
    assert (silent.account, silent.import_wh, silent.quality) == (8, 250, Quality.ESTIMATED)


def test_a_reporter_that_missed_a_reading_does_not_sign(
    rules: Rules, reporter_keys: tuple[bytes, ...], feeds: list[MeterFeed]
) -> None:
    for feed in feeds[1:]:
        feed.take(8, SLOT, Reading(1_000, 0), slot_end(rules, SLOT))
    signed = report_meters(reporters_of(reporter_keys, feeds), 2, 1, 0, SLOT, [7, 8, 9])
    assert signed.leaves[1].quality == Quality.MEASURED
    assert set(signers(meter_digest(DOMAIN, signed.report), signed.signatures)) == set(rules.reporters[1:])


def test_without_a_quorum_there_is_no_report(
    rules: Rules, reporter_keys: tuple[bytes, ...], feeds: list[MeterFeed]
) -> None:
    for import_wh, feed in enumerate(feeds):
        feed.take(8, SLOT, Reading(import_wh, 0), slot_end(rules, SLOT))
    with pytest.raises(QuorumError, match=f"meters of slot {SLOT}: 1 of the 2 needed .*account 8"):
        report_meters(reporters_of(reporter_keys, feeds), 2, 1, 0, SLOT, [7, 8, 9])


def test_the_common_tariff_is_the_median_and_only_who_saw_it_signs(
    rules: Rules, reporter_keys: tuple[bytes, ...], feeds: list[MeterFeed]
) -> None:
    reporters = reporters_of(reporter_keys, feeds, (200_000, 999_000, 200_000))
    signed = report_tariff(reporters, 2, Feed.RETAIL, DAY)
    assert signed.report == tariff(200_000)
    names = signers(tariff_digest(DOMAIN, signed.report), signed.signatures)
    assert set(names) == {rules.reporters[0], rules.reporters[2]}


def test_three_different_tariffs_have_no_quorum(
    reporter_keys: tuple[bytes, ...], feeds: list[MeterFeed]
) -> None:
    reporters = reporters_of(reporter_keys, feeds, (1, 2, 3))
    with pytest.raises(QuorumError, match=f"retail tariff of day {DAY}: 1 of the 2 needed"):
        report_tariff(reporters, 2, Feed.RETAIL, DAY)


def test_a_reporter_without_a_source_is_left_out(
    reporter_keys: tuple[bytes, ...], feeds: list[MeterFeed]
) -> None:
    def unreachable(_feed: Feed, _day: int) -> TariffReport:
        raise TariffSourceError("no answer")

    reporters = reporters_of(reporter_keys, feeds)
    reporters[0] = Reporter(reporter_keys[0], DOMAIN, 1, 0, unreachable, feeds[0], SEED)
    assert len(report_tariff(reporters, 2, Feed.RETAIL, DAY).signatures) == 128
    reporters[1] = Reporter(reporter_keys[1], DOMAIN, 1, 0, unreachable, feeds[1], SEED)
    with pytest.raises(QuorumError, match="no answer"):
        report_tariff(reporters, 2, Feed.RETAIL, DAY)


def test_a_reporter_never_signs_two_reports_on_one_slot(
    rules: Rules, reporter_keys: tuple[bytes, ...], feeds: list[MeterFeed]
) -> None:
    reporter = reporters_of(reporter_keys, feeds)[0]
    before = reporter.observe_meters(SLOT, [7, 8, 9])
    assert reporter.sign_meters(SLOT, before) == reporter.sign_meters(SLOT, before)
    feeds[0].take(8, SLOT, Reading(1_000, 0), slot_end(rules, SLOT))
    with pytest.raises(DisagreementError, match="signed another report"):
        reporter.sign_meters(SLOT, reporter.observe_meters(SLOT, [7, 8, 9]))


def test_a_second_round_is_a_second_look_and_a_second_signature(
    reporter_keys: tuple[bytes, ...], feeds: list[MeterFeed]
) -> None:
    seen = [200_000]
    reporters = [
        Reporter(key, DOMAIN, 1, 0, lambda feed, _day: tariff(seen[-1], feed), feed, SEED)
        for key, feed in zip(reporter_keys, feeds, strict=True)
    ]
    first = report_tariff(reporters, 2, Feed.RETAIL, DAY)
    seen.append(210_000)
    with pytest.raises(QuorumError, match="signed another report"):
        report_tariff(reporters, 2, Feed.RETAIL, DAY)
    second = report_tariff(reporters, 2, Feed.RETAIL, DAY, 1)
    assert (first.report.round, first.report.prices[0][0]) == (0, 200_000)
    assert (second.report.round, second.report.prices[0][0]) == (1, 210_000)


def test_salts_differ_between_accounts_slots_and_products_and_repeat_for_a_seed(
    reporter_keys: tuple[bytes, ...], feeds: list[MeterFeed]
) -> None:
    first, again = (
        reporter.observe_meters(SLOT, [7, 9]) for reporter in reporters_of(reporter_keys, feeds)[:2]
    )
    assert first == again
    heat = Reporter(reporter_keys[0], DOMAIN, 1, 1, lambda *_: tariff(1), feeds[0], SEED)
    later = reporters_of(reporter_keys, feeds)[0].observe_meters(SLOT + 1, [7, 9])
    salts = [leaf.salt for leaf in (*first, *later, *heat.observe_meters(SLOT, [7, 9]))]
    assert len(set(salts)) == 6
