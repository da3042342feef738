"""Auctions of lots in JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from otaniemi.contracts.rules.calendar import Rules, slot_start
from otaniemi.contracts.rules.dutch_auction import DutchTake, DutchTerms
from otaniemi.contracts.rules.lots import Lots
from otaniemi.contracts.rules.sealed_auction import SealedBid, SealedTerms
from otaniemi.platform.api.form import (
    I32,
    U32,
    U64,
    Form,
    Hash,
    Signature,
    fields_of,
    from_hex,
    instant,
    to_hex,
)
from otaniemi.platform.services.auction_states import BidState, DutchState, SealedState

Number = Annotated[U64, Field(ge=1, description="number of the auction among those of its kind")]
Account = Annotated[U32, Field(ge=1)]
Count = Annotated[int, Field(ge=1, le=2**16 - 1, description="lots")]


class CommitForm(Form):
    """A sealed bid's commitment (typed data ``SealedCommit``); what it hides stays at home until it is revealed."""

    auction: Number
    account: Account
    commitment: Annotated[Hash, Field(description="digest of the typed data `SealedBid`")]
    valid_to: Annotated[U64, Field(description="Unix time")]
    signature: Signature


class RevealForm(Form):
    """A committed bid and the salt that opens it; whoever knows the salt may send it."""

    auction: Number
    account: Account
    price: I32
    lots: Count
    salt: Annotated[Hash, Field(repr=False)]

    @classmethod
    def of(cls, bid: SealedBid) -> RevealForm:
        return cls(**fields_of(bid) | {"salt": to_hex(bid.salt)})

    def bid(self) -> SealedBid:
        """The bid as the rules take it."""
        return SealedBid(self.auction, self.account, self.price, self.lots, from_hex(self.salt))


class TakeForm(Form):
    """An order to take lots of a Dutch auction at once (typed data ``DutchTake``)."""

    auction: Number
    account: Account
    lots: Count
    limit: Annotated[I32, Field(description="worst price [micro-token/kWh]")]
    nonce: Annotated[U32, Field(description="takes that differ in nothing else are carried out once each")]
    valid_to: Annotated[U64, Field(description="Unix time")]
    signature: Signature

    @classmethod
    def of(cls, take: DutchTake, signature: bytes) -> TakeForm:
        """The form of a signed take."""
        return cls(**fields_of(take), signature=to_hex(signature))

    def take(self) -> DutchTake:
        """The take without its signature."""
        return DutchTake(**self.model_dump(exclude={"signature"}))


class LotsView(Form):
    """Equal lots of energy: ``wh`` of each in the slots from ``slot`` on, which begins at ``start``."""

    account: int
    community: int
    product: int
    selling: bool
    source: int
    count: int
    slot: int
    start: datetime
    wh: tuple[int, ...]

    @classmethod
    def of(cls, lots: Lots, rules: Rules) -> LotsView:
        return cls(**fields_of(lots), start=instant(slot_start(rules, lots.slot)))

    def lots(self) -> Lots:
        """The lots as the rules take them."""
        return Lots(**self.model_dump(exclude={"start"}))


class BidView(Form):
    """A sealed bid; ``price`` and ``lots`` once it is revealed, ``due`` what a winner of ``won`` lots pays.

    ``lapsed`` ones have their deposit back although they won, ``unpaid`` and ``unrevealed`` ones have lost it.
    """

    account: int
    commitment: Hash
    state: Literal["committed", "revealed", "lost", "won", "unrevealed", "unpaid", "lapsed"]
    price: int | None
    lots: int | None
    won: int
    due: int | None

    @classmethod
    def of(cls, bid: BidState) -> BidView:
        state = "committed" if bid.price is None else "revealed"
        return cls.model_validate(
            {
                "account": bid.account,
                "commitment": to_hex(bid.commitment),
                "state": state if bid.outcome is None else bid.outcome.name.lower(),
                "price": bid.price,
                "lots": bid.lots,
                "won": bid.won,
                "due": bid.due,
            }
        )


class SealedView(Form):
    """A sealed auction: ``open`` to bids, ``revealing`` them, ``ended``, and ``settled`` once every bid is.

    ``reserve_price`` is the worst for who offers; ``price`` is known once winners are.
    """

    kind: Literal["sealed"] = "sealed"
    auction: int
    lots: LotsView
    pay_as_bid: bool
    reserve_price: int
    deposit_nano: int
    commit_until: datetime
    reveal_until: datetime
    put_up_nano: int
    state: Literal["open", "revealing", "ended", "settled"]
    price: int | None
    sold: int
    bids: tuple[BidView, ...]

    @classmethod
    def of(cls, state: SealedState, rules: Rules, now: int) -> SealedView:
        terms = state.terms
        return cls(
            auction=state.auction,
            lots=LotsView.of(terms.lots, rules),
            pay_as_bid=terms.pay_as_bid,
            reserve_price=terms.reserve_price,
            deposit_nano=terms.deposit,
            commit_until=instant(terms.commit_until),
            reveal_until=instant(terms.reveal_until),
            put_up_nano=state.put_up,
            state=_sealed_stage(state, now),
            price=state.price,
            sold=state.sold,
            bids=tuple(BidView.of(bid) for bid in state.bids),
        )

    def bid_of(self, account: int) -> BidView | None:
        """The bid of an account, None without one."""
        return next((bid for bid in self.bids if bid.account == account), None)

    def terms(self) -> SealedTerms:
        """The terms as the rules take them."""
        commit_until, reveal_until = int(self.commit_until.timestamp()), int(self.reveal_until.timestamp())
        money = self.pay_as_bid, self.reserve_price, self.deposit_nano
        return SealedTerms(self.lots.lots(), *money, commit_until, reveal_until)


class TakeView(Form):
    """Lots that an account took."""

    account: int
    lots: int
    price: int


class DutchView(Form):
    """A Dutch auction: ``coming``, ``open`` at ``price``, ``sold`` out, ``ended`` by time, or ``closed``."""

    kind: Literal["dutch"] = "dutch"
    auction: int
    lots: LotsView
    start_price: int
    end_price: int
    begin: datetime
    until: datetime
    put_up_nano: int
    state: Literal["coming", "open", "sold", "ended", "closed"]
    price: Annotated[int | None, Field(description="now, while it is open [micro-token/kWh]")]
    left: int
    takes: tuple[TakeView, ...]

    @classmethod
    def of(cls, state: DutchState, rules: Rules, now: int) -> DutchView:
        terms = state.terms
        stage = _dutch_stage(state, now)
        return cls(
            auction=state.auction,
            lots=LotsView.of(terms.lots, rules),
            start_price=terms.start_price,
            end_price=terms.end_price,
            begin=instant(terms.begin),
            until=instant(terms.until),
            put_up_nano=state.put_up,
            state=stage,
            price=terms.price_at(now) if stage == "open" else None,
            left=state.left,
            takes=tuple(TakeView(**fields_of(take)) for take in state.takes),
        )

    def terms(self) -> DutchTerms:
        """The terms as the rules take them."""
        begin, until = int(self.begin.timestamp()), int(self.until.timestamp())
        return DutchTerms(self.lots.lots(), self.start_price, self.end_price, begin, until)


AuctionView = Annotated[SealedView | DutchView, Field(discriminator="kind")]


def auction_view(state: SealedState | DutchState, rules: Rules, now: int) -> SealedView | DutchView:
    """An auction of either kind."""
    if isinstance(state, SealedState):
        return SealedView.of(state, rules, now)
    return DutchView.of(state, rules, now)


def _sealed_stage(state: SealedState, now: int) -> Literal["open", "revealing", "ended", "settled"]:
    if now < state.terms.commit_until:
        return "open"
    if now < state.terms.reveal_until:
        return "revealing"
    return "ended" if state.price is None or state.unsettled else "settled"


def _dutch_stage(state: DutchState, now: int) -> Literal["coming", "open", "sold", "ended", "closed"]:
    if state.left == 0:
        return "sold" if sum(take.lots for take in state.takes) == state.terms.lots.count else "closed"
    if now < state.terms.begin:
        return "coming"
    return "open" if now <= state.terms.until else "ended"
