"""Standard contracts: series, deals and margins. Lots are traded by `place_limit`."""

from __future__ import annotations

from otaniemi.contracts.chain.sender import Key
from otaniemi.platform.api.form import Form
from otaniemi.platform.api.series.messages import DealView, SeriesView
from otaniemi.platform.api.views import TransactionView
from otaniemi.platform.client.connection import Connection

CALL_GAS = 1_500_000
"""Gas limit of a margin call: the days of a long series are counted."""


class StandardContracts(Connection):
    """Series and deals."""

    def series(self, limit: int = 100) -> list[SeriesView]:
        """The latest series, newest first; their ``instrument`` is what `place_limit` and `book` take."""
        return self._get(list[SeriesView], "series", limit=limit)

    def one_series(self, series: int) -> SeriesView:
        """One series."""
        return self._get(SeriesView, f"series/{series}")

    def deals(self, account: int, limit: int = 100) -> list[DealView]:
        """The latest deals of an account with their margins, newest first."""
        return self._get(list[DealView], f"accounts/{account}/deals", limit=limit)

    def deal(self, deal: int) -> DealView:
        """One deal."""
        return self._get(DealView, f"deals/{deal}")

    def top_up_margin(self, deal: int) -> DealView:
        """Have the margins of a deal brought to what the mark asks for, from what both sides have free.

        It answers a margin call, and brings back what is above. The market does it too when the mark moves.
        """
        return self._post(DealView, f"deals/{deal}/margin", Form())

    def top_up_margin_directly(self, key: Key, deal: int, buyer: bool) -> TransactionView:
        """Bring one side's margin to what the mark asks for in a transaction of one's own, which ``key`` pays."""
        return self._transact(key, "BlockSeries", "callMargin", deal, buyer, gas=CALL_GAS)
