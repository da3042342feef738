"""Standard contracts: series of the next day, traded in lots like slots, delivered as positions."""

from __future__ import annotations

from otaniemi.contracts.rules.block_series import EVERY_DAY, Series
from otaniemi.contracts.rules.calendar import day_of_slot, tariff_deadline
from otaniemi.contracts.rules.continuous import SERIES
from otaniemi.contracts.rules.tariffs import Feed
from otaniemi.platform.agents.forms.block import LOT_WATT, quotes
from otaniemi.platform.agents.forms.block import SERIES as HOURS
from otaniemi.platform.clock import Timeline
from otaniemi.platform.data.scenario import HOUR, Scenario
from otaniemi.platform.forms.continuous import submit_quotes
from otaniemi.platform.live_day import LiveDay
from otaniemi.platform.services.exchange import Exchange
from otaniemi.platform.store import days

QUOTE_LEAD = 60 * 60
"""Seconds before the day's first gate at which the homes quote."""
MARGIN_PERMILLE = 200
MARGIN_FLOOR = 10_000
"""Of a deal until it is delivered. [micro-token/kWh]"""


LIST_LEAD = 24 * HOUR
"""Seconds before their last trading time at which a served community lists its series."""
WEEK = 7


def standard_series(exchange: Exchange, hours: tuple[int, int], first_day: int, last_day: int) -> Series:
    """The series of some hours [from, to) of every day of a span, traded until the first gate of its first day."""
    rules = exchange.gateway.rules
    first, end = (hour * HOUR // rules.slot_seconds for hour in hours)
    return Series(
        community=exchange.gateway.community,
        product=exchange.gateway.product,
        weekdays=EVERY_DAY,
        slot_of_day=first,
        slots=end - first,
        first_day=first_day,
        last_day=last_day,
        lot_wh=LOT_WATT * rules.slot_seconds // HOUR,
        last_trading=tariff_deadline(rules, first_day),
        margin_permille=MARGIN_PERMILLE,
        margin_floor=MARGIN_FLOOR,
    )


def offer_series(exchange: Exchange, scenario: Scenario, timeline: Timeline) -> None:
    """Have base and solar hours listed of each day of a scenario but the first, and of the weeks from the second on."""
    rules = exchange.gateway.rules
    first = day_of_slot(rules, scenario.first_slot) + 1
    end = first + scenario.days - 1
    spans = [(day, day) for day in range(first, end)]
    spans += [(day, min(day + WEEK, end) - 1) for day in range(first, end - 1, WEEK)]
    for span in spans:
        wanted = [standard_series(exchange, hours, *span) for hours in HOURS.values()]
        timeline.at(tariff_deadline(rules, span[0]) - LIST_LEAD, exchange.series.list_series, wanted)


class BlockTrading:
    """The series of one day."""

    def __init__(self, day: LiveDay) -> None:
        self._day = day

    def enter(self) -> None:
        """Enter the day's quotes."""
        day = self._day
        day.plan_at(tariff_deadline(day.rules, day.day) - QUOTE_LEAD, self._trade)

    def _trade(self) -> None:
        day = self._day
        with day.exchange.gateway.store.read() as transaction:
            reported = days.tariff(transaction, day.community, Feed.REFERENCE, day.day)
        if reported is None:
            return  # without a reference price there is no margin
        for hours in HOURS.values():
            wanted = standard_series(day.exchange, hours, day.day, day.day)
            [series] = day.exchange.series.list_series([wanted])
            submit_quotes(day, SERIES | series, quotes(day.agents, day.known, hours))
            day.tend()
