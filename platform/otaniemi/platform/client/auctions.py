"""Auctions of lots: offering them, bidding unseen, taking at a falling price."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TypeVar

from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.calendar import Product, Source
from otaniemi.contracts.rules.dutch_auction import DutchTake, DutchTerms
from otaniemi.contracts.rules.lots import Lots
from otaniemi.contracts.rules.sealed_auction import SealedBid, SealedTerms, commit_digest
from otaniemi.contracts.rules.signing import sign
from otaniemi.platform.api.auctions.messages import (
    AuctionView,
    BidView,
    CommitForm,
    DutchView,
    RevealForm,
    SealedView,
    TakeForm,
)
from otaniemi.platform.api.form import from_hex, to_hex
from otaniemi.platform.api.views import TransactionView
from otaniemi.platform.client.connection import Connection
from otaniemi.platform.client.errors import RefusedByServerError, TransactionFailedError, WrongProofError
from otaniemi.platform.kept_bids import BidFile, LostBidError

_ViewT = TypeVar("_ViewT", SealedView, DutchView)

OFFER_GAS, TAKE_GAS = 5_000_000, 1_500_000
"""Gas limits of an offer and of a take: the energy of each slot is stored."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A kept ``bid`` of an ``auction`` as both stand after revealing it, and why that was ``refused``."""

    auction: SealedView
    bid: BidView
    refused: str | None = None


class Auctions(Connection):
    """Sealed and Dutch auctions."""

    def auctions(self, limit: int = 100) -> list[SealedView | DutchView]:
        """The latest auctions, newest first of each kind."""
        return self._get(list[AuctionView], "auctions", limit=limit)

    def auctions_of(self, account: int, limit: int = 100) -> list[SealedView | DutchView]:
        """The latest auctions that an account offers, bids or takes lots in."""
        return self._get(list[AuctionView], f"accounts/{account}/auctions", limit=limit)

    def sealed_auction(self, auction: int) -> SealedView:
        """One sealed auction with its bids."""
        return self._get(SealedView, f"auctions/sealed/{auction}")

    def dutch_auction(self, auction: int) -> DutchView:
        """One Dutch auction with its price of now, and who took what."""
        return self._get(DutchView, f"auctions/dutch/{auction}")

    def lots(
        self,
        account: int,
        slot: int,
        wh: Sequence[int],
        count: int,
        selling: bool,
        source: int = Source.GRID,
        product: int = Product.ELECTRICITY,
    ) -> Lots:
        """``count`` equal lots of ``wh`` [Wh] in the slots from ``slot`` on, for `offer_sealed` and `offer_dutch`."""
        community = self.deployment.community
        return Lots(account, community, product, selling, int(source), count, slot, tuple(wh))

    def offer_sealed(self, key: Key, terms: SealedTerms, again: bool = False) -> SealedView:
        """Offer lots for sealed bids, in a transaction of one's own; what they can lock at most is put up.

        Parameters
        ----------
        key : Key
            The owner's, or the device key if nothing limits it; it pays the gas.
        terms : SealedTerms
            With `lots`.
        again : bool
            Offer the same lots once more. Without it an auction of the account that takes bids for the same lots, at
            the same prices, is the answer, so that a repeat after a lost connection does not offer them twice.

        Raises
        ------
        FieldError
            The chain would refuse it: field, value and what is valid.
        TransactionFailedError
            The chain refused it.
        """
        standing = None if again else self._offered_sealed(terms)
        if standing is not None:
            return standing
        terms.check(self.rules, int(self.community().now.timestamp()))
        self._transact(key, "SealedAuction", "create", terms.as_struct(), gas=OFFER_GAS)
        return _there(self._offered_sealed(terms), terms.lots)

    def offer_dutch(self, key: Key, terms: DutchTerms, again: bool = False) -> DutchView:
        """Offer lots at a falling price, rising where they are bought; parameters and errors as `offer_sealed`."""
        standing = None if again else self._offered_dutch(terms)
        if standing is not None:
            return standing
        terms.check(self.rules, int(self.community().now.timestamp()))
        self._transact(key, "DutchAuction", "create", terms.as_struct(), gas=OFFER_GAS)
        return _there(self._offered_dutch(terms), terms.lots)

    def close_auction(self, key: Key, auction: int) -> TransactionView:
        """End a Dutch auction of one's own before its time; what was put up for the lots that are left returns."""
        return self._transact(key, "DutchAuction", "close", auction)

    def bid_sealed(
        self, key: Key, account: int, auction: int, price: int, lots: int, kept: BidFile
    ) -> SealedView:
        """Bid unseen: the bid is kept in a file, and then its commitment is sent and the deposit put up.

        Sent again with the same price and lots it is the same bid.

        Parameters
        ----------
        key : Key
            The owner's, or the device key if nothing limits it.
        price : int
            What a lot is worth. [micro-token/kWh]
        lots : int
            Number wanted.
        kept : BidFile
            Where the salt stays until `reveal_bids` opens the bid. Who loses it loses the deposit.

        Raises
        ------
        FieldError
            It could not be revealed, or could not win: field, value and what is valid.
        KeptFileError
            The bid could not be kept; nothing was sent.
        WrongProofError
            What came back holds another commitment.
        """
        domain = self._domain("SealedAuction")
        view = self.sealed_auction(auction)
        bid = SealedBid(auction, account, price, lots, secrets.token_bytes(32))
        bid.check(view.terms(), self.rules)
        same = [known for known in kept.bids(domain) if replace(known, salt=bid.salt) == bid]
        if same:
            bid = same[-1]
        else:
            kept.keep(domain, bid)
        commitment, valid_to = bid.commitment(domain), int(view.commit_until.timestamp())
        signature = sign(key.secret, commit_digest(domain, auction, account, commitment, valid_to))
        form = CommitForm(
            auction=auction,
            account=account,
            commitment=to_hex(commitment),
            valid_to=valid_to,
            signature=to_hex(signature),
        )
        view = self._post(SealedView, "auctions/sealed/commitments", form)
        own = view.bid_of(account)
        if own is None or own.commitment != to_hex(commitment):
            raise WrongProofError(
                f"sealed auction {auction} does not hold the bid that was sent; see that it does"
            )
        return view

    def reveal_bids(self, kept: BidFile, key: Key | None = None, auction: int | None = None) -> list[Opened]:
        """Reveal all kept bids whose time it is; one that fails keeps none from being revealed.

        Parameters
        ----------
        kept : BidFile
        key : Key, optional
            Reveal in transactions of one's own instead of through the market; it pays the gas.
        auction : int, optional
            This one alone; all when left out.

        Returns
        -------
        list of Opened
            One for each bid that stands in an auction. Nothing is sent of a bid that is revealed, whose time has not
            come or has passed: see the auction's state.
        """
        domain, found = self._domain("SealedAuction"), list[Opened]()
        bids = [bid for bid in kept.bids(domain) if auction in (None, bid.auction)]
        for number, account in dict.fromkeys((bid.auction, bid.account) for bid in bids):
            view, refused = self._kept_auction(number), None
            own = None if view is None else view.bid_of(account)
            if view is None or own is None:
                continue  # kept, and never sent
            if view.state == "revealing" and own.state == "committed":
                try:
                    view = self._reveal(kept.find(domain, number, account, from_hex(own.commitment)), key)
                except (LostBidError, RefusedByServerError, TransactionFailedError) as error:
                    refused = str(error)
            found.append(Opened(view, view.bid_of(account) or own, refused))
        return found

    def take_lots(
        self,
        key: Key,
        account: int,
        auction: int,
        lots: int,
        limit: int,
        nonce: int | None = None,
        valid_to: int | None = None,
    ) -> DutchView:
        """Take lots of a Dutch auction at the price of now.

        Parameters
        ----------
        key : Key
            The device key, or the owner's.
        limit : int
            Worst price. [micro-token/kWh]
        nonce : int, optional
            A random one when left out. Sending a take twice with the same is one take.
        valid_to : int, optional
            Unix time after which nobody may carry it out; the auction's end when left out.
        """
        number = secrets.randbits(32) if nonce is None else nonce
        last = int(self.dutch_auction(auction).until.timestamp()) if valid_to is None else valid_to
        take = DutchTake(auction, account, lots, limit, number, last)
        signature = sign(key.secret, take.digest(self._domain("DutchAuction")))
        return self._post(DutchView, "auctions/dutch/takes", TakeForm.of(take, signature))

    def take_lots_directly(
        self, key: Key, account: int, auction: int, lots: int, limit: int
    ) -> TransactionView:
        """Take lots in a transaction of one's own, which ``key`` pays; parameters as `take_lots`."""
        return self._transact(key, "DutchAuction", "take", auction, account, lots, limit, gas=TAKE_GAS)

    def _kept_auction(self, number: int) -> SealedView | None:
        """A sealed auction; None where there is none, as after a development chain began anew."""
        try:
            return self.sealed_auction(number)
        except RefusedByServerError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return None

    def _reveal(self, bid: SealedBid, key: Key | None) -> SealedView:
        if key is None:
            return self._post(SealedView, "auctions/sealed/reveals", RevealForm.of(bid))
        opened = bid.auction, bid.account, bid.price, bid.lots, bid.salt
        self._transact(key, "SealedAuction", "reveal", *opened)
        return self.sealed_auction(bid.auction)

    def _offered_sealed(self, terms: SealedTerms) -> SealedView | None:
        """The account's newest auction of these lots and prices that takes bids."""
        for view in self.auctions_of(terms.lots.account):
            if isinstance(view, SealedView) and view.state == "open":
                seen = view.terms()
                times = seen.commit_until, seen.reveal_until
                if seen == replace(terms, commit_until=times[0], reveal_until=times[1]):
                    return view
        return None

    def _offered_dutch(self, terms: DutchTerms) -> DutchView | None:
        """The account's newest auction of these lots and prices that is not over."""
        for view in self.auctions_of(terms.lots.account):
            if isinstance(view, DutchView) and view.state in ("coming", "open"):
                seen = view.terms()
                if seen == replace(terms, begin=seen.begin, until=seen.until):
                    return view
        return None


def _there(view: _ViewT | None, lots: Lots) -> _ViewT:
    """An auction that was just created.

    Raises
    ------
    WrongProofError
        The market does not show it.
    """
    if view is None:
        raise WrongProofError(
            f"the auction of account {lots.account} was created, but the market does not show it"
        )
    return view
