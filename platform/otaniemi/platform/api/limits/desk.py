"""What the API offers of continuous trading."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from otaniemi.contracts.chain.errors import ChainError
from otaniemi.contracts.rules.continuous import Limit
from otaniemi.platform.api.turn import Turn
from otaniemi.platform.engine_log import LogEntry
from otaniemi.platform.services.continuous import BookState, ContinuousService, Instrument, LimitState
from otaniemi.platform.store.limits import KeptLimit, Snapshot


class LimitDesk:
    """Limit orders and books of one community.

    Parameters
    ----------
    service : ContinuousService
    community : int
    turn : callable
        Gives the engine to oneself, at the present.
    """

    def __init__(self, service: ContinuousService, community: int, turn: Turn) -> None:
        self._service, self._community, self._turn = service, community, turn

    @property
    def engine(self) -> str:
        """Address of the key that signs receipts for limit orders, which they must name."""
        return self._service.engine

    def submit(self, limit: Limit, signature: bytes) -> LimitState:
        """Take in a signed limit order and match it; one sent before comes back as it stands."""
        with self._turn():
            state = self._service.submit(limit, signature)
            self.deliver()
            return self._service.limit(state.kept.sequence)

    def cancel(self, account: int, nonce: int, signature: bytes) -> Sequence[LimitState]:
        """Drop an account's limit orders with ``nonce`` at its signed word."""
        with self._turn():
            return self._service.cancel(account, nonce, signature)

    def limit(self, sequence: int) -> LimitState:
        """One limit order by its number."""
        with self._turn():
            return self._service.limit(sequence)

    def limits(self, account: int, limit: int) -> Sequence[LimitState]:
        """The latest limit orders of an account, newest first."""
        with self._turn():
            return self._service.limits_of(account, limit)

    def book(self, product: int, instrument: int, levels: int) -> BookState:
        """The best prices of a book."""
        with self._turn():
            return self._service.book(Instrument(self._community, product, instrument), levels)

    def snapshots(self, product: int, instrument: int, first_minute: int, count: int) -> Sequence[Snapshot]:
        """How a book stood at the end of each minute in which it changed, from a minute on [Unix time // 60]."""
        with self._turn():
            place = Instrument(self._community, product, instrument)
            return self._service.snapshots(place, first_minute, count)

    def log(self, first: int, count: int) -> Sequence[tuple[LogEntry, KeptLimit | None]]:
        """The engine's log from a place on, each order that came with its terms and receipt."""
        with self._turn():
            return self._service.log(first, count)

    def deliver(self) -> None:
        """Bring matches to the chain; where it takes none, they wait for the next time."""
        with self._turn(), suppress(ChainError):
            self._service.deliver()
