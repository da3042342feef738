"""What is traded, and at which prices."""

from __future__ import annotations

from otaniemi.contracts.rules.calendar import Product
from otaniemi.platform.api.views import MarketView, TariffsView
from otaniemi.platform.client.connection import Connection


class Markets(Connection):
    """Markets and tariffs."""

    def markets(self, day: int | None = None, product: int = Product.ELECTRICITY) -> list[MarketView]:
        """The markets of a trading day, today's when left out, with gates and results."""
        return self._get(list[MarketView], "markets", day=day, product=product)

    def tariffs(self, day: int | None = None) -> TariffsView:
        """Retail and imbalance prices of a trading day."""
        return self._get(TariffsView, "tariffs", day=day)
