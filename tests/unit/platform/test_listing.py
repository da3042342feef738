"""Which standard contracts a served community lists, and when."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from otaniemi.contracts.rules.block_series import Series
from otaniemi.contracts.rules.calendar import first_slot, tariff_deadline
from otaniemi.platform.clock import SimulatedClock, Timeline
from otaniemi.platform.forms.block import offer_series

from ...support.rules import HOURLY as RULES

DAY = 19_577


def test_base_and_solar_hours_of_days_and_weeks_are_listed_a_day_before_they_are_last_traded() -> None:
    timeline = Timeline(SimulatedClock(0))
    listed: list[tuple[int, Series]] = []

    def list_series(wanted: list[Series]) -> None:
        listed.extend((timeline.clock.now, terms) for terms in wanted)

    gateway: Any = SimpleNamespace(rules=RULES, community=1, product=0)
    exchange: Any = SimpleNamespace(gateway=gateway, series=SimpleNamespace(list_series=list_series))
    scenario: Any = SimpleNamespace(first_slot=first_slot(RULES, DAY), days=10)
    offer_series(exchange, scenario, timeline)
    timeline.run()
    assert all(terms.last_trading - at == 86_400 for at, terms in listed)
    assert all(terms.last_trading == tariff_deadline(RULES, terms.first_day) for _, terms in listed)
    assert {(terms.slot_of_day, terms.slots) for _, terms in listed} == {(0, 24), (10, 6)}
    spans = {(terms.first_day - DAY, terms.last_day - DAY) for _, terms in listed}
    assert spans == {*[(day, day) for day in range(1, 10)], (1, 7), (8, 9)}
    assert len(listed) == 2 * len(spans)
