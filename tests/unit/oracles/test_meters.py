"""Readings on their way in."""

from __future__ import annotations

import pytest
from eth_account.messages import encode_typed_data

from otaniemi.contracts.rules.calendar import Rules, meter_deadline, slot_end
from otaniemi.contracts.rules.errors import FieldError
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.signing import Domain
from otaniemi.oracles.errors import ConflictingReadingError, LateReadingError
from otaniemi.oracles.meters import MeterFeed, Reading, reading_digest

SLOT = 469_000


@pytest.fixture
def feed(rules: Rules) -> MeterFeed:
    return MeterFeed(rules)


def fill(feed: MeterFeed, rules: Rules, account: int, imports: dict[int, int]) -> None:
    for slot, import_wh in imports.items():
        feed.take(account, slot, Reading(import_wh, 0), slot_end(rules, slot))


def test_a_silent_meter_is_none_and_not_zero(feed: MeterFeed, rules: Rules) -> None:
    fill(feed, rules, 7, {SLOT: 0})
    assert feed.observe(SLOT, [7, 8]) == {7: Reading(0, 0), 8: None}


def test_a_repeated_reading_is_counted_once(feed: MeterFeed, rules: Rules) -> None:
    moment = slot_end(rules, SLOT)
    assert feed.take(7, SLOT, Reading(500, 0), moment)
    assert not feed.take(7, SLOT, Reading(500, 0), moment + 1)
    assert not feed.take(7, SLOT, Reading(500, 0), meter_deadline(rules, SLOT) + 1)


def test_the_first_of_two_different_readings_stands(feed: MeterFeed, rules: Rules) -> None:
    fill(feed, rules, 7, {SLOT: 500})
    with pytest.raises(ConflictingReadingError, match=f"account 7 already reported .*500.* for slot {SLOT}"):
        feed.take(7, SLOT, Reading(501, 0), slot_end(rules, SLOT))
    assert feed.observe(SLOT, [7]) == {7: Reading(500, 0)}


def test_a_reading_after_the_window_is_late(feed: MeterFeed, rules: Rules) -> None:
    deadline = meter_deadline(rules, SLOT)
    feed.take(7, SLOT, Reading(1, 0), deadline - 1)
    with pytest.raises(LateReadingError, match=f"account 8 for slot {SLOT}"):
        feed.take(8, SLOT, Reading(1, 0), deadline)


def test_a_slot_that_is_not_over_cannot_be_reported(feed: MeterFeed, rules: Rules) -> None:
    with pytest.raises(FieldError, match=f"slot is {SLOT}; valid is a slot that is over, up to {SLOT - 1}"):
        feed.take(7, SLOT, Reading(1, 0), slot_end(rules, SLOT) - 1)


@pytest.mark.parametrize("reading", [Reading(-1, 0), Reading(20_001, 0), Reading(0, -1), Reading(0, 20_001)])
def test_an_implausible_reading_leaves_the_meter_silent(
    feed: MeterFeed, rules: Rules, reading: Reading
) -> None:
    with pytest.raises(FieldError, match=r"valid is an integer in 0 \.\. 20,000"):
        feed.take(7, SLOT, reading, slot_end(rules, SLOT))
    assert feed.observe(SLOT, [7]) == {7: None}


def test_a_readings_digest_is_that_of_its_typed_data() -> None:
    fields = ("account", "product", "slot", "importWh", "exportWh")
    types = ("uint32", "uint8", "uint32", "uint32", "uint32")
    message = encode_typed_data(
        {"name": "Otaniemi", "version": "1", "chainId": 31_337, "verifyingContract": "0x" + "11" * 20},
        {"Reading": [{"name": name, "type": kind} for name, kind in zip(fields, types, strict=True)]},
        dict(zip(fields, (7, 0, SLOT, 500, 20), strict=True)),
    )
    digest = reading_digest(Domain(31_337, "0x" + "11" * 20), 7, 0, SLOT, Reading(500, 20))
    assert digest == keccak(b"\x19" + message.version + message.header + message.body)


def test_an_estimate_is_the_mean_of_the_same_slot_on_past_days(feed: MeterFeed, rules: Rules) -> None:
    fill(
        feed,
        rules,
        7,
        {SLOT - 24: 100, SLOT - 48: 201, SLOT - 7 * 24: 300, SLOT - 8 * 24: 9_000, SLOT - 1: 5_000},
    )
    assert feed.estimate(7, SLOT) == 200


def test_without_that_slot_an_estimate_is_the_mean_of_the_last_day(feed: MeterFeed, rules: Rules) -> None:
    fill(feed, rules, 7, {SLOT - 1: 100, SLOT - 23: 300, SLOT - 25: 9_000})
    assert feed.estimate(7, SLOT) == 200
    assert feed.estimate(8, SLOT) == 0
