"""Standard contracts: series of the next day, traded in lots like slots, delivered as positions."""

from __future__ import annotations

from otaniemi.contracts.rules.block_series import EVERY_DAY, Series
from otaniemi.contracts.rules.calendar import tariff_deadline
from otaniemi.contracts.rules.continuous import SERIES
from otaniemi.contracts.rules.tariffs import Feed
from otaniemi.platform.agents.forms.block import LOT_WATT, quotes
from otaniemi.platform.agents.forms.block import SERIES as HOURS
from otaniemi.platform.data.scenario import HOUR
from otaniemi.platform.forms.continuous import submit_quotes
from otaniemi.platform.live_day import LiveDay
from otaniemi.platform.store import days

QUOTE_LEAD = 60 * 60
"""Seconds before the day's first gate at which the homes quote."""
MARGIN_PERMILLE = 200
MARGIN_FLOOR = 10_000
"""Of a deal until it is delivered. [micro-token/kWh]"""


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
            [series] = day.exchange.series.list_series([self._series(hours)])
            submit_quotes(day, SERIES | series, quotes(day.agents, day.known, hours))
            day.tend()

    def _series(self, hours: tuple[int, int]) -> Series:
        day = self._day
        first, end = (hour * HOUR // day.rules.slot_seconds for hour in hours)
        return Series(
            community=day.community,
            product=day.product,
            weekdays=EVERY_DAY,
            slot_of_day=first,
            slots=end - first,
            first_day=day.day,
            last_day=day.day,
            lot_wh=LOT_WATT * day.rules.slot_seconds // HOUR,
            last_trading=tariff_deadline(day.rules, day.day),
            margin_permille=MARGIN_PERMILLE,
            margin_floor=MARGIN_FLOOR,
        )
