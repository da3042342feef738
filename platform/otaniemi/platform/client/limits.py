"""Continuous trading."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from functools import cached_property

from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.calendar import DAY_SECONDS, Product, Source, slot_start
from otaniemi.contracts.rules.continuous import SERIES, Limit
from otaniemi.contracts.rules.signing import sign
from otaniemi.platform.api.form import to_hex
from otaniemi.platform.api.limits.messages import (
    BookView,
    CancelForm,
    LimitForm,
    LimitView,
    LogView,
    SnapshotView,
)
from otaniemi.platform.api.views import TransactionView
from otaniemi.platform.client.connection import Connection
from otaniemi.platform.client.errors import WrongProofError
from otaniemi.platform.engine_log import cancel_digest
from otaniemi.platform.kept import KeptLimit, keep

MOST_PARTS = 20
"""Parts in which a limit order trades at most, unless it says otherwise; the last one may be smaller."""

LOG_PAGE = 1_000
"""Entries of the engine's log in one answer."""


class Limits(Connection):
    """Limit orders, books, and the engine's log."""

    def place_limit(
        self,
        key: Key,
        account: int,
        instrument: int,
        buy: bool,
        price: int,
        quantity: int,
        min_fill: int | None = None,
        source: int = Source.GRID,
        product: int = Product.ELECTRICITY,
        nonce: int | None = None,
        valid_to: int | None = None,
    ) -> LimitView:
        """Sign a limit order and send it to the engine; its receipt is checked, and kept in the file of receipts.

        Parameters
        ----------
        key : Key
            The device key, or the owner's.
        account : int
        instrument : int
            A slot, or ``SERIES | number`` of a series.
        buy : bool
            False to sell.
        price : int
            Limit. [micro-token/kWh]
        quantity : int
            Energy of a slot [Wh], lots of a series.
        min_fill : int, optional
            Smallest part that it trades at once, unless less is left; a twentieth of the quantity when left out, so
            that nobody can use up the account's positions of a day with crumbs.
        source : int
            What sold energy comes from; a buy with another than grid takes only that.
        nonce : int, optional
            What `cancel_limits` names; a random one when left out. Sending an order twice with the same is one order.
        valid_to : int, optional
            Last instant at which it trades [Unix s]; as long as its slot when left out, a day for a series.

        Raises
        ------
        WrongProofError
            The order was taken, but the receipt is not the engine's for this order.
        """
        number = secrets.randbits(32) if nonce is None else nonce
        last = self._end_of(instrument) if valid_to is None else valid_to
        community, engine = self.deployment.community, self._engine
        least = quantity // MOST_PARTS if min_fill is None else min_fill
        terms = price, quantity, least, int(source), buy, number, last, engine
        limit = Limit(account, community, product, instrument, *terms)
        domain = self._domain("ContinuousMarket")
        form = LimitForm.of(limit, sign(key.secret, limit.digest(domain)))
        view = self._post(LimitView, "limits", form)
        kept = KeptLimit(limit=form, receipt=view.receipt)
        if not kept.holds(domain):
            raise WrongProofError(
                f"what came back for a limit order of account {account} is no receipt of {engine}"
            )
        if self._receipts is not None:
            keep(self._receipts, kept)
        return view

    def cancel_limits(self, key: Key, account: int, nonce: int) -> list[LimitView]:
        """Have the engine drop an account's limit orders with ``nonce``, at once and without gas."""
        digest = cancel_digest(self._domain("ContinuousMarket"), account, nonce)
        form = CancelForm(account=account, nonce=nonce, signature=to_hex(sign(key.secret, digest)))
        return self._post(list[LimitView], "limits/cancel", form)

    def cancel_limits_on_chain(self, key: Key, account: int, nonce: int) -> TransactionView:
        """End an account's limit orders with ``nonce`` for everybody, in a transaction of one's own."""
        return self._transact(key, "ContinuousMarket", "cancel", account, nonce)

    def limit(self, sequence: int) -> LimitView:
        """One limit order by its number, with its matches."""
        return self._get(LimitView, f"limits/{sequence}")

    def limits(self, account: int, limit: int = 100) -> list[LimitView]:
        """The latest limit orders of an account, newest first."""
        return self._get(list[LimitView], f"accounts/{account}/limits", limit=limit)

    def book(self, instrument: int, product: int = Product.ELECTRICITY, levels: int = 10) -> BookView:
        """The best prices of a book."""
        return self._get(BookView, f"books/{instrument}", product=product, levels=levels)

    def book_history(
        self, instrument: int, product: int = Product.ELECTRICITY, since: int = 0, limit: int = 100
    ) -> list[SnapshotView]:
        """How a book stood at the end of each minute in which it changed, from Unix time ``since`` on."""
        path = f"books/{instrument}/history"
        return self._get(list[SnapshotView], path, product=product, since=since, limit=limit)

    def engine_log(self) -> Iterator[LogView]:
        """The whole log of the engine, entry by entry."""
        first = 1
        while entries := self._get(list[LogView], "engine/log", first=first, limit=LOG_PAGE):
            yield from entries
            first = entries[-1].place + 1

    @cached_property
    def _engine(self) -> str:
        return self.community().engine

    def _end_of(self, instrument: int) -> int:
        if instrument & SERIES:
            return int(self.community().now.timestamp()) + DAY_SECONDS
        return slot_start(self.rules, instrument)
