"""The routes of auctions of lots."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from otaniemi.platform.api.auctions.desk import AuctionDesk
from otaniemi.platform.api.auctions.messages import (
    AuctionView,
    CommitForm,
    DutchView,
    RevealForm,
    SealedView,
    TakeForm,
)
from otaniemi.platform.api.form import from_hex
from otaniemi.platform.api.parameters import AccountNumber, Count, router_for

Auction = Annotated[
    int, Path(ge=1, le=2**63 - 1, description="number of the auction among those of its kind")
]


def auction_routes(desk: AuctionDesk) -> APIRouter:
    """Signed bids and takes in, auctions out. Who offers sends a transaction: `/transactions`."""
    router = router_for("auctions")

    @router.get("/auctions")
    def auctions(limit: Count = 100) -> list[AuctionView]:
        """The latest sealed and Dutch auctions, newest first of each kind."""
        return list(desk.auctions(limit))

    @router.get("/accounts/{account}/auctions")
    def auctions_of(account: AccountNumber, limit: Count = 100) -> list[AuctionView]:
        """The latest auctions that an account offers, bids or takes lots in."""
        return list(desk.auctions(limit, account))

    @router.get("/auctions/sealed/{auction}")
    def sealed(auction: Auction) -> SealedView:
        """One sealed auction with its bids."""
        return desk.sealed(auction)

    @router.get("/auctions/dutch/{auction}")
    def dutch(auction: Auction) -> DutchView:
        """One Dutch auction with its price of now, and who took what."""
        return desk.dutch(auction)

    @router.post("/auctions/sealed/commitments", status_code=201)
    def commit(signed: CommitForm) -> SealedView:
        """Bid unseen; sent twice it is one bid. The deposit is lost if the bid is not revealed in time."""
        commitment, signature = from_hex(signed.commitment), from_hex(signed.signature)
        return desk.commit(signed.auction, signed.account, commitment, signed.valid_to, signature)

    @router.post("/auctions/sealed/reveals", status_code=201)
    def reveal(opened: RevealForm) -> SealedView:
        """Reveal a bid between the end of bidding and that of revealing; sent twice it is revealed once."""
        return desk.reveal(opened.bid())

    @router.post("/auctions/dutch/takes", status_code=201)
    def take(signed: TakeForm) -> DutchView:
        """Take lots at the price of now, no worse than the limit; sent twice they are taken once."""
        return desk.take(signed.take(), from_hex(signed.signature))

    return router
