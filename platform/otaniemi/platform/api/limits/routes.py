"""The routes of continuous trading."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from otaniemi.platform.api.form import from_hex
from otaniemi.platform.api.limits.desk import LimitDesk
from otaniemi.platform.api.limits.messages import (
    BookView,
    CancelForm,
    LimitForm,
    LimitView,
    LogView,
    SnapshotView,
)
from otaniemi.platform.api.parameters import AccountNumber, Count, Product, router_for

Sequence = Annotated[int, Path(ge=1, le=2**63 - 1, description="number that the engine gave the order")]
Instrument = Annotated[int, Path(ge=0, le=2**33 - 1, description="a slot, or 2^32 + number of a series")]


def limit_routes(desk: LimitDesk) -> APIRouter:
    """Limit orders in, books and the engine's log out."""
    router = router_for("continuous trading")

    @router.post("/limits", status_code=202)
    def submit_limit(signed: LimitForm) -> LimitView:
        """Send a signed limit order; it is numbered, matched at once, and the receipt comes back."""
        return LimitView.of(desk.submit(signed.limit(), from_hex(signed.signature)))

    @router.post("/limits/cancel")
    def cancel_limits(signed: CancelForm) -> list[LimitView]:
        """Drop an account's limit orders with a nonce; what is matched stays matched."""
        found = desk.cancel(signed.account, signed.nonce, from_hex(signed.signature))
        return [LimitView.of(state) for state in found]

    @router.get("/limits/{sequence}")
    def limit(sequence: Sequence) -> LimitView:
        """One limit order by its number, with its matches."""
        return LimitView.of(desk.limit(sequence))

    @router.get("/accounts/{account}/limits")
    def limits(account: AccountNumber, limit: Count = 100) -> list[LimitView]:
        """The latest limit orders of an account, newest first."""
        return [LimitView.of(state) for state in desk.limits(account, limit)]

    @router.get("/books/{instrument}")
    def book(
        instrument: Instrument, product: Product = 0, levels: Annotated[int, Query(ge=1, le=100)] = 10
    ) -> BookView:
        """What stands in a book now: the best prices with their quantities."""
        return BookView.of(desk.book(product, instrument, levels))

    @router.get("/books/{instrument}/history")
    def history(
        instrument: Instrument,
        product: Product = 0,
        since: Annotated[int, Query(ge=0, le=2**40, description="Unix time")] = 0,
        limit: Count = 100,
    ) -> list[SnapshotView]:
        """How a book stood at the end of each minute in which it changed."""
        return [SnapshotView.of(one) for one in desk.snapshots(product, instrument, since // 60, limit)]

    @router.get("/engine/log")
    def engine_log(
        first: Annotated[int, Query(ge=1, le=2**63 - 1, description="place of the first entry")] = 1,
        limit: Count = 100,
    ) -> list[LogView]:
        """All that changed a book, in order: `otaniemi audit --engine-log` judges it."""
        return [LogView.of(entry, kept) for entry, kept in desk.log(first, limit)]

    return router
