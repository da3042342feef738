"""What the API offers of auctions of lots."""

from __future__ import annotations

from collections.abc import Sequence

from otaniemi.contracts.rules.calendar import Rules
from otaniemi.contracts.rules.dutch_auction import DutchTake
from otaniemi.contracts.rules.sealed_auction import SealedBid
from otaniemi.platform.api.auctions.messages import DutchView, SealedView, auction_view
from otaniemi.platform.api.turn import Turn
from otaniemi.platform.services.auctions import AuctionService


class AuctionDesk:
    """Auctions of one community, as they stand at the present.

    Parameters
    ----------
    service : AuctionService
    rules : Rules
    turn : callable
        Gives the engine to oneself, at the present.
    """

    def __init__(self, service: AuctionService, rules: Rules, turn: Turn) -> None:
        self._service, self._rules, self._turn = service, rules, turn

    def auctions(self, count: int, account: int | None = None) -> Sequence[SealedView | DutchView]:
        """The latest auctions of both kinds; with ``account``, those that it offers, bids or takes lots in."""
        with self._turn() as now:
            found = self._service.auctions(count, account)
            return [auction_view(state, self._rules, now) for state in found]

    def sealed(self, auction: int) -> SealedView:
        """One sealed auction."""
        with self._turn() as now:
            return SealedView.of(self._service.sealed(auction), self._rules, now)

    def dutch(self, auction: int) -> DutchView:
        """One Dutch auction."""
        with self._turn() as now:
            return DutchView.of(self._service.dutch(auction), self._rules, now)

    def commit(
        self, auction: int, account: int, commitment: bytes, valid_to: int, signature: bytes
    ) -> SealedView:
        """Bring a signed commitment to the chain; one that is there comes back as it stands."""
        with self._turn() as now:
            state = self._service.commit(auction, account, commitment, valid_to, signature)
            return SealedView.of(state, self._rules, now)

    def reveal(self, bid: SealedBid) -> SealedView:
        """Open a committed bid on the chain; one that is open comes back as it stands."""
        with self._turn() as now:
            return SealedView.of(self._service.reveal(bid), self._rules, now)

    def take(self, order: DutchTake, signature: bytes) -> DutchView:
        """Take lots for who signed; what was taken before comes back as it stands."""
        with self._turn() as now:
            return DutchView.of(self._service.take(order, signature), self._rules, now)
