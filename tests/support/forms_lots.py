"""Sealed and Dutch auctions in a ``World``, and the day on which all forms of trading end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from otaniemi.contracts.chain.forms.dutch import DutchAuction
from otaniemi.contracts.chain.forms.sealed import SealedAuction
from otaniemi.contracts.rules.bilateral import BILATERAL
from otaniemi.contracts.rules.block_deals import BLOCKS
from otaniemi.contracts.rules.calendar import (
    bills_due,
    day_start,
    slot_start,
)
from otaniemi.contracts.rules.dutch_auction import DutchTake, DutchTerms
from otaniemi.contracts.rules.lot_books import DUTCH, SEALED
from otaniemi.contracts.rules.lots import Lots
from otaniemi.contracts.rules.positions import Agreement, Form
from otaniemi.contracts.rules.sealed_auction import (
    Award,
    Revealed,
    SealedBid,
    SealedTerms,
    award,
    forfeit,
)
from otaniemi.contracts.rules.signing import sign

from .forms_contracts import Contracts
from .forms_setting import (
    ADMIN,
    COMMUNITY,
    DAY,
    DAYS,
    FIRST,
    FOREVER,
    HOMES,
)


@dataclass
class Sealed:
    """A sealed auction with the bids that its bidders keep to themselves."""

    terms: SealedTerms
    per_lot: int
    bids: list[SealedBid] = field(default_factory=list)
    revealed: list[Revealed] = field(default_factory=list)
    award: Award | None = None
    settled: set[int] = field(default_factory=set)


@dataclass
class Dutch:
    """A Dutch auction."""

    terms: DutchTerms
    per_lot: int
    left: int
    closed: bool = False


class Forms(Contracts):
    """A ``World`` in which everything is traded."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.sealed = SealedAuction(self.chain, self.addresses["SealedAuction"])
        self.dutch = DutchAuction(self.chain, self.addresses["DutchAuction"])
        self.sealed_auctions: list[Sealed] = []
        self.dutch_auctions: list[Dutch] = []

    def lots(self, host: int, selling: bool, count: int, slot: int, wh: tuple[int, ...], source: int) -> Lots:
        wh = wh[: FIRST + self.rules.slots_per_day - slot]
        return Lots(host, COMMUNITY, 0, selling, source, count, slot, wh)

    def create_sealed(self, terms: SealedTerms) -> None:
        lots = terms.lots
        per_lot = lots.per_lot(self.rules, terms.reserve_price)
        error = "InsufficientFunds" if per_lot * lots.count > self.free(lots.account) else None
        settles = terms.reveal_until + 300 + self.rules.nomination_batch_lead
        if not error and (terms.commit_until <= self.now or settles > slot_start(self.rules, lots.slot)):
            error = "InvalidTimes"
        self.attempt(HOMES[lots.account], self.sealed.create(terms), error)
        if not error:
            self.ledger.debit(SEALED, lots.account, per_lot * lots.count)
            self.sealed_auctions.append(Sealed(terms, per_lot))

    def commit(self, number: int, account: int, price: int, lots: int) -> None:
        auction = self.sealed_auctions[number - 1]
        terms = auction.terms
        most = terms.lots.most(self.rules)
        bid = SealedBid(number, account, price, min(lots, most), bytes([lots]) * 32)
        error = None
        if self.now >= terms.commit_until:
            error = "OutsideWindow"
        elif account == terms.lots.account:
            error = "OwnAuction"
        elif any(known.account == account for known in auction.bids):
            error = "AlreadyCommitted"
        elif terms.deposit > self.free(account):
            error = "InsufficientFunds"
        call = self.sealed.commit(number, account, bid.commitment(self.sealed.domain))
        self.attempt(HOMES[account], call, error)
        if not error:
            self.ledger.debit(SEALED, account, terms.deposit)
            auction.bids.append(bid)

    def reveal(self, number: int, which: int, honest: bool) -> None:
        auction = self.sealed_auctions[number - 1]
        terms, bid = auction.terms, auction.bids[which]
        error = None
        if not terms.commit_until <= self.now < terms.reveal_until:
            error = "OutsideWindow"
        elif any(known.bid == which for known in auction.revealed):
            error = "NotCommitted"
        elif not honest:
            error = "WrongCommitment"
        shown = bid if honest else replace(bid, price=bid.price + 1)
        self.attempt(ADMIN, self.sealed.reveal(shown), error)
        if not error:
            auction.revealed.append(Revealed(which, bid.price, bid.lots))

    def finalise(self, number: int) -> None:
        auction = self.sealed_auctions[number - 1]
        error = None
        if auction.award is not None:
            error = "AlreadyFinal"
        elif self.now < auction.terms.reveal_until:
            error = "OutsideWindow"
        self.attempt(ADMIN, self.sealed.finalise(number), error)
        if not error:
            lots, auction.award = auction.terms.lots, award(auction.terms, auction.revealed)
            unsold = lots.count - auction.award.sold
            self.ledger.credit(SEALED, lots.account, unsold * auction.per_lot)

    def settle_sealed(self, number: int) -> None:
        """Settle all bids, in order."""
        auction = self.sealed_auctions[number - 1]
        error = None if auction.award else "NotFinal"
        over = self.now >= slot_start(self.rules, auction.terms.lots.slot) or self._is_curtailed(
            auction.terms.lots
        )
        self.attempt(ADMIN, self.sealed.settle(number, range(len(auction.bids))), error)
        if error:
            return
        for which in range(len(auction.bids)):
            if which not in auction.settled:
                auction.settled.add(which)
                self._settle_bid(number, auction, which, over)

    def _settle_bid(self, number: int, auction: Sealed, which: int, over: bool) -> None:
        terms, account = auction.terms, auction.bids[which].account
        lots, host, deposit, found = terms.lots, terms.lots.account, terms.deposit, auction.award
        assert found is not None
        revealed = next((one for one in auction.revealed if one.bid == which), None)
        won = found.won.get(which, 0)
        price = found.price_of(terms, revealed) if revealed else 0
        need = lots.taker_lock(self.rules, price, won)
        unpaid = won > 0 and not over and self.free(account) + deposit < need
        if revealed is None or unpaid:
            to_host, to_reserve = forfeit(deposit)
            self.ledger.credit(SEALED, host, to_host)
            self.ledger.reserve_from_pot(SEALED, to_reserve)
        else:
            self.ledger.credit(SEALED, account, deposit)
        self.ledger.credit(SEALED, host, won * auction.per_lot)
        if won and not over and not unpaid:
            self._deliver_lots(lots, Form.SEALED, number, account, won, price)

    def create_dutch(self, terms: DutchTerms) -> None:
        lots = terms.lots
        per_lot = lots.per_lot(self.rules, terms.end_price)
        error = "InsufficientFunds" if per_lot * lots.count > self.free(lots.account) else None
        ends = terms.until + self.rules.nomination_direct_lead
        if not error and (terms.begin < self.now or ends >= slot_start(self.rules, lots.slot)):
            error = "InvalidTimes"
        self.attempt(HOMES[lots.account], self.dutch.create(terms), error)
        if not error:
            self.ledger.debit(DUTCH, lots.account, per_lot * lots.count)
            self.dutch_auctions.append(Dutch(terms, per_lot, lots.count))

    def take_lots(self, number: int, account: int, count: int, limit: int, signed: bool) -> None:
        auction = self.dutch_auctions[number - 1]
        terms, lots, price = auction.terms, auction.terms.lots, 0
        error = "AuctionClosed" if auction.closed else None
        if not error and not terms.begin <= self.now <= terms.until:
            error = "OutsideWindow"
        elif not error:
            price = terms.price_at(self.now)
            if price > limit if lots.selling else price < limit:
                error = "PriceBeyondLimit"
            elif not 1 <= count <= lots.most(self.rules):
                error = "QuantityOutOfRange"
            elif count > auction.left:
                error = "NotEnoughLots"
            elif account == lots.account:
                error = "SelfTrade"
            elif self._is_curtailed(lots):
                error = "SlotCurtailed"
            elif lots.taker_lock(self.rules, price, count) > self.free(account):
                error = "InsufficientFunds"
        if signed:
            order = DutchTake(number, account, count, limit, self.now % 2**32, FOREVER)
            signature = sign(HOMES[account].secret, order.digest(self.dutch.domain))
            self.attempt(ADMIN, self.dutch.take_signed(order, signature), error)
        else:
            self.attempt(HOMES[account], self.dutch.take(number, account, count, limit), error)
        if not error:
            auction.left -= count
            self.ledger.credit(DUTCH, lots.account, count * auction.per_lot)
            self._deliver_lots(lots, Form.DUTCH, number, account, count, price)

    def close_dutch(self, number: int, account: int) -> None:
        auction = self.dutch_auctions[number - 1]
        error = None
        if auction.closed:
            error = "AuctionClosed"
        elif self.now <= auction.terms.until and account != auction.terms.lots.account:
            error = "OutsideWindow"
        self.attempt(HOMES[account], self.dutch.close(number), error)
        if not error:
            self.ledger.credit(DUTCH, auction.terms.lots.account, auction.left * auction.per_lot)
            auction.left, auction.closed = 0, True

    def _is_curtailed(self, lots: Lots) -> bool:
        return any(wh and (0, lots.slot + place) in self.curtailments for place, wh in enumerate(lots.wh))

    def _deliver_lots(self, lots: Lots, form: Form, number: int, taker: int, count: int, price: int) -> None:
        buyer, seller = (taker, lots.account) if lots.selling else (lots.account, taker)
        wh = tuple(each * count for each in lots.wh)
        self.open(Agreement(buyer, seller, form, number, price, lots.source, lots.slot, wh))

    def end_day(self, billed: bool) -> None:
        """Let every form of trading come to its end, then the day."""
        for number, _ in enumerate(self.dutch_auctions, start=1):
            self.close_dutch(number, self.dutch_auctions[number - 1].terms.lots.account)
        for day in DAYS:
            for number in self.contracts.deals:
                self.deliver_contract(number, day)
            self.go_to(min(day_start(self.rules, DAY + 1), self.now + 7_200))
            for number, _ in enumerate(self.deals, start=1):
                self.deliver_block(number, day)
        super().end_day(billed)
        for number, sealed in enumerate(self.sealed_auctions, start=1):
            if sealed.award is None:
                self.finalise(number)
            self.settle_sealed(number)
        self.go_to(bills_due(self.rules, DAY + 1) + 1)
        for number, _ in enumerate(self.deals, start=1):
            self.close_block(number)
        for number in self.contracts.deals:
            self.close_contract(number)
        self.assert_money_is_where_the_rules_say()
        for pot in (SEALED, DUTCH, BLOCKS, BILATERAL):
            assert self.ledger.pots[pot] == 0
