"""What the API offers of standard contracts."""

from __future__ import annotations

from collections.abc import Sequence

from otaniemi.contracts.rules.calendar import Rules
from otaniemi.platform.api.series.messages import DealView, SeriesView
from otaniemi.platform.api.turn import Turn
from otaniemi.platform.services.series import SeriesService


class SeriesDesk:
    """Series of one community and their deals, as they stand at the present.

    Parameters
    ----------
    service : SeriesService
    rules : Rules
    turn : callable
        Gives the engine to oneself, at the present.
    """

    def __init__(self, service: SeriesService, rules: Rules, turn: Turn) -> None:
        self._service, self._rules, self._turn = service, rules, turn

    def all_series(self, count: int) -> Sequence[SeriesView]:
        """The latest series, newest first."""
        with self._turn() as now:
            found = self._service.all_series()[:count]
            return [SeriesView.of(state, self._rules, now) for state in found]

    def series(self, number: int) -> SeriesView:
        """One series."""
        with self._turn() as now:
            return SeriesView.of(self._service.series(number), self._rules, now)

    def deals(self, account: int, count: int) -> Sequence[DealView]:
        """The latest deals of an account, newest first."""
        with self._turn():
            return [DealView.of(stand) for stand in self._service.deals_of(account, count)]

    def deal(self, number: int) -> DealView:
        """One deal."""
        with self._turn():
            return DealView.of(self._service.deal(number))

    def call_margin(self, number: int) -> DealView:
        """Bring the margins of a deal to what the mark asks for, as far as both sides' free balances go."""
        with self._turn():
            return DealView.of(self._service.call_margin(number))
