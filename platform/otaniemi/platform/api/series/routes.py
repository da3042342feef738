"""The routes of standard contracts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from otaniemi.platform.api.parameters import AccountNumber, Count, router_for
from otaniemi.platform.api.series.desk import SeriesDesk
from otaniemi.platform.api.series.messages import DealView, SeriesView

Series = Annotated[int, Path(ge=1, le=2**32 - 1, description="number of the series")]
Deal = Annotated[int, Path(ge=1, le=2**63 - 1, description="number of the deal")]


def series_routes(desk: SeriesDesk) -> APIRouter:
    """Series, deals and their margins. Who buys or sells lots sends a limit order: `/limits`."""
    router = router_for("standard contracts")

    @router.get("/series")
    def all_series(limit: Count = 100) -> list[SeriesView]:
        """The latest series with their calendar and mark, newest first."""
        return list(desk.all_series(limit))

    @router.get("/series/{series}")
    def series(series: Series) -> SeriesView:
        """One series."""
        return desk.series(series)

    @router.get("/accounts/{account}/deals")
    def deals(account: AccountNumber, limit: Count = 100) -> list[DealView]:
        """The latest deals of an account with their margins, newest first."""
        return list(desk.deals(account, limit))

    @router.get("/deals/{deal}")
    def deal(deal: Deal) -> DealView:
        """One deal."""
        return desk.deal(deal)

    @router.post("/deals/{deal}/margin")
    def call_margin(deal: Deal) -> DealView:
        """Have the margins of a deal brought to what the mark asks for, from what both sides have free."""
        return desk.call_margin(deal)

    return router
