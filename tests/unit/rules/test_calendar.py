from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from otaniemi.contracts.rules import calendar
from otaniemi.contracts.rules.calendar import Rules, Session
from otaniemi.contracts.rules.errors import FieldError


def _utc(day: int, hour: int, minute: int = 0) -> int:
    return int(datetime(2023, 8, day, hour, minute, tzinfo=UTC).timestamp())


def test_a_trading_day_starts_at_local_midnight(rules: Rules) -> None:
    day = calendar.day_at(rules, _utc(6, 22))  # 00:00 on the 7th at UTC+2
    assert calendar.day_start(rules, day) == _utc(6, 22)
    assert calendar.day_at(rules, _utc(6, 21, 59)) == day - 1


def test_the_slots_of_a_day_are_those_that_belong_to_it(rules: Rules) -> None:
    day = calendar.day_at(rules, _utc(7, 12))
    slots = calendar.slots_of_day(rules, day)
    assert len(slots) == rules.slots_per_day == 96
    assert {calendar.day_of_slot(rules, slot) for slot in slots} == {day}
    assert calendar.day_of_slot(rules, slots[-1] + 1) == day + 1
    assert calendar.slot_start(rules, slots[0]) == calendar.day_start(rules, day)
    assert calendar.slot_end(rules, slots[-1]) == calendar.day_start(rules, day + 1)


def test_day_ahead_gates_close_at_13_00_and_13_10_the_day_before(rules: Rules) -> None:
    slot = calendar.slot_at(rules, _utc(7, 15))
    assert calendar.relay_gate(rules, slot, 0) == _utc(6, 11)
    assert calendar.direct_gate(rules, slot, 0) == _utc(6, 11, 10)


def test_the_last_call_closes_before_each_slot(rules: Rules) -> None:
    slot = calendar.slot_at(rules, _utc(7, 15))
    assert calendar.relay_gate(rules, slot, 2) == _utc(7, 14, 40)
    assert calendar.direct_gate(rules, slot, 2) == _utc(7, 14, 45)


def test_nominations_meters_and_bills_have_their_own_deadlines(rules: Rules) -> None:
    slot = calendar.slot_at(rules, _utc(7, 15))
    assert calendar.nomination_batch_gate(rules, slot) == _utc(7, 14, 52)
    assert calendar.nomination_direct_gate(rules, slot) == _utc(7, 14, 55)
    assert calendar.meter_deadline(rules, slot) == _utc(7, 17, 15)
    assert calendar.bills_due(rules, calendar.day_of_slot(rules, slot)) == _utc(8, 4)


def test_retail_prices_are_due_at_the_first_relay_gate_of_the_day(rules: Rules) -> None:
    day = calendar.day_at(rules, _utc(7, 12))
    assert calendar.tariff_deadline(rules, day) == _utc(6, 11)


def test_rules_survive_json(rules: Rules) -> None:
    assert Rules.from_dict(json.loads(json.dumps(rules.to_dict()))) == rules


def test_a_missing_rule_is_named(rules: Rules) -> None:
    data = rules.to_dict()
    del data["short_cap"]
    with pytest.raises(FieldError, match="'short_cap'"):
        Rules.from_dict(data)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("slot_seconds", 7_000),
        ("slot_seconds", 30),
        ("utc_offset", 7_000),
        ("products", 0),
        ("price_max", -4_000_001),
        ("short_cap", 0),
        ("platform_fee", 2**31 - 1),
        ("platform_fee", 0.5),
        ("retailer", -1),
        ("bond", 0),
        ("connection_limit_wh", 0),
        ("nomination_direct_lead", 481),
        ("bill_delay", 14 * 86_400 + 1),
        ("bill_window", 7 * 86_400 + 1),
        ("quorum", 1),
        ("quorum", 4),
        ("sessions", ()),
        ("reporters", ("11", "22", "33")),
        ("reporters", ("0x" + "22" * 20, "0x" + "11" * 20)),
    ],
)
def test_rules_that_the_chain_would_refuse_are_refused(rules: Rules, field: str, value: object) -> None:
    with pytest.raises(FieldError):
        replace(rules, **{field: value})


def test_a_relay_gate_after_the_direct_gate_is_refused() -> None:
    with pytest.raises(FieldError, match="relay_gate"):
        Session(True, -900, -1_200)


def test_a_market_is_open_to_clearing_before_its_slot_begins() -> None:
    Session(True, -900, -1)
    with pytest.raises(FieldError, match="direct_gate is 0"):
        Session(True, -900, 0)


def test_an_unknown_session_has_no_gate(rules: Rules) -> None:
    with pytest.raises(FieldError, match="session is 3"):
        calendar.relay_gate(rules, 0, 3)
