"""Sealed and Dutch auctions of lots: their money, their times, and what they deliver to whom (protocol section 14)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from otaniemi.contracts.chain import events as e
from otaniemi.contracts.chain.forms import dutch, sealed
from otaniemi.contracts.rules.calendar import Rules, day_of_slot, slot_start
from otaniemi.contracts.rules.dutch_auction import DutchTerms
from otaniemi.contracts.rules.errors import AuctionError
from otaniemi.contracts.rules.lot_books import SEALED, DutchBook, SealedBook
from otaniemi.contracts.rules.lots import Lots
from otaniemi.contracts.rules.positions import MAX_POSITIONS, WHOLE, Agreement, Form
from otaniemi.contracts.rules.sealed_auction import Outcome, SealedBid, SealedTerms
from otaniemi.contracts.rules.signing import Domain
from otaniemi.platform.audit.agreed import Agreed
from otaniemi.platform.audit.state import State
from otaniemi.platform.audit.steps import Step


@dataclass
class _Sealed:
    """An auction and its bids: account and commitment, in order."""

    terms: SealedTerms
    bids: list[tuple[int, bytes]] = field(default_factory=list)


class Auctions:
    """Follows auctions of lots; what they come to is added to ``agreed``."""

    def __init__(self, state: State, domains: Mapping[str, Domain], agreed: list[Agreed]) -> None:
        self._state, self._agreed = state, agreed
        self._sealed_domain = domains[SEALED]
        self._sealed_book, self._dutch_book = SealedBook(state.ledger), DutchBook(state.ledger)
        self._sealed: dict[int, _Sealed] = {}
        self._dutch: dict[int, DutchTerms] = {}
        self.handlers: Mapping[type[e.Event], Callable[[Any, Step], Iterable[str]]] = {
            sealed.SealedCreated: self._sealed_created,
            sealed.BidCommitted: self._committed,
            sealed.BidRevealed: self._revealed,
            sealed.SealedFinalised: self._finalised,
            sealed.BidSettled: self._settled,
            dutch.DutchCreated: self._dutch_created,
            dutch.DutchTaken: self._taken,
            dutch.DutchClosed: self._closed,
        }

    def reserves(self, step: Step) -> Iterator[str]:
        """What went to the reserve in a transaction must be what its settled bids say, which the book moved."""
        module = self._sealed_domain.contract
        said = sum(event.reserved for event in step.events if isinstance(event, sealed.BidSettled))
        moved = sum(
            event.nano for event in step.events if isinstance(event, e.Reserved) and event.module == module
        )
        if said != moved:
            yield f"reserves {moved} nano-token of deposits; its bids say {said}"

    def _sealed_created(self, event: sealed.SealedCreated, step: Step) -> Iterator[str]:
        lots = event.terms.lots
        if (event.auction, event.account) != (len(self._sealed) + 1, lots.account):
            yield f"creates sealed auction {event.auction} of account {event.account} out of turn"
        if step.time >= event.terms.commit_until:
            yield f"creates sealed auction {event.auction} when its bids are over"
        self._sealed[event.auction] = _Sealed(event.terms)
        sealed.replay(self._sealed_book, event, self._rules(lots))

    def _committed(self, event: sealed.BidCommitted, step: Step) -> Iterator[str]:
        known = self._known(event.auction)
        if step.time >= known.terms.commit_until:
            yield f"takes a bid of sealed auction {event.auction} after {known.terms.commit_until}"
        if event.account in {known.terms.lots.account, *(account for account, _ in known.bids)}:
            yield f"takes a bid of account {event.account}, which offers or bids already"
        known.bids.append((event.account, event.commitment))
        sealed.replay(self._sealed_book, event, self._rules(known.terms.lots))

    def _revealed(self, event: sealed.BidRevealed, step: Step) -> Iterator[str]:
        known = self._known(event.auction)
        account, commitment = self._bid(event.auction, event.bid)
        opens, ends = known.terms.commit_until, known.terms.reveal_until
        if not opens <= step.time < ends:
            yield f"reveals a bid at {step.time}, outside of {opens} to {ends}"
        if event.account != account:
            yield f"reveals bid {event.bid} for account {event.account}, not {account}"
        if step.function == "reveal":
            salt = bytes(step.arguments["salt"])
            bid = SealedBid(event.auction, event.account, event.price, event.lots, salt)
            if bid.commitment(self._sealed_domain) != commitment:
                yield f"reveals {event.lots} lots at {event.price}, which is not what was committed"
        sealed.replay(self._sealed_book, event, self._rules(known.terms.lots))

    def _finalised(self, event: sealed.SealedFinalised, step: Step) -> Iterator[str]:
        known = self._known(event.auction)
        if step.time < known.terms.reveal_until:
            yield f"finds the winners of sealed auction {event.auction} before {known.terms.reveal_until}"
        sealed.replay(self._sealed_book, event, self._rules(known.terms.lots))

    def _settled(self, event: sealed.BidSettled, step: Step) -> Iterator[str]:
        terms = self._known(event.auction).terms
        account, _ = self._bid(event.auction, event.bid)
        if event.account != account:
            yield f"settles bid {event.bid} of account {event.account}, not {account}"
        yield from self._wrong_outcome(event, terms, step.time)
        sealed.replay(self._sealed_book, event, self._rules(terms.lots))
        if event.outcome is Outcome.WON:
            self._deliver(terms.lots, Form.SEALED, event.auction, event.account, event.lots, event.price)

    def _wrong_outcome(self, event: sealed.BidSettled, terms: SealedTerms, now: int) -> Iterator[str]:
        """Why a winner should have ended otherwise."""
        if event.outcome not in (Outcome.WON, Outcome.UNPAID, Outcome.LAPSED):
            return
        lots, rules = terms.lots, self._rules(terms.lots)
        over = now >= slot_start(rules, lots.slot) or self._is_shut(lots)
        full = self._is_full(lots, lots.account)
        if (event.outcome is Outcome.LAPSED) != (over or full):
            yield f"says that bid {event.bid} is {event.outcome.name}, when its slots are {'over' if over else 'open'}"
            return
        need = lots.taker_lock(rules, event.price, event.lots)
        pays = self._state.ledger.free[event.account] + terms.deposit >= need
        pays = pays and not self._is_full(lots, event.account)
        if event.outcome is Outcome.UNPAID and pays:
            yield f"takes the deposit of bid {event.bid}, which could pay {need}"

    def _dutch_created(self, event: dutch.DutchCreated, step: Step) -> Iterator[str]:
        lots = event.terms.lots
        if (event.auction, event.account) != (len(self._dutch) + 1, lots.account):
            yield f"creates Dutch auction {event.auction} of account {event.account} out of turn"
        if event.terms.begin < step.time:
            yield f"creates Dutch auction {event.auction} after it began"
        self._dutch[event.auction] = event.terms
        dutch.replay(self._dutch_book, event, self._rules(lots), step.time)

    def _taken(self, event: dutch.DutchTaken, step: Step) -> Iterable[str]:
        lots = self._dutch_terms(event.auction).lots
        dutch.replay(self._dutch_book, event, self._rules(lots), step.time)
        self._deliver(lots, Form.DUTCH, event.auction, event.account, event.lots, event.price)
        return ()

    def _closed(self, event: dutch.DutchClosed, step: Step) -> Iterable[str]:
        lots = self._dutch_terms(event.auction).lots
        dutch.replay(self._dutch_book, event, self._rules(lots), step.time)
        return ()

    def _deliver(self, lots: Lots, form: Form, auction: int, taker: int, count: int, price: int) -> None:
        buyer, seller = (taker, lots.account) if lots.selling else (lots.account, taker)
        wh = tuple(energy * count for energy in lots.wh)
        agreement = Agreement(buyer, seller, form, auction, price, lots.source, lots.slot, wh)
        self._agreed.append(Agreed(lots.community, lots.product, agreement))

    def _is_shut(self, lots: Lots) -> bool:
        """Whether the day was closed or a slot of the lots curtailed."""
        day = day_of_slot(self._rules(lots), lots.slot)
        return (lots.community, day) in self._state.closed or any(
            energy and self._state.remaining(lots.community, lots.product, lots.slot + offset) != WHOLE
            for offset, energy in enumerate(lots.wh)
        )

    def _is_full(self, lots: Lots, account: int) -> bool:
        day = day_of_slot(self._rules(lots), lots.slot)
        return len(self._state.positions[lots.community, lots.product, account, day]) >= MAX_POSITIONS

    def _rules(self, lots: Lots) -> Rules:
        rules = self._state.rules_of_slot(lots.community, lots.product, lots.slot)
        if rules is None:
            raise AuctionError(f"product {lots.product} of community {lots.community} is not traded")
        return rules

    def _known(self, auction: int) -> _Sealed:
        if auction not in self._sealed:
            raise AuctionError(f"sealed auction {auction} was never created")
        return self._sealed[auction]

    def _bid(self, auction: int, bid: int) -> tuple[int, bytes]:
        bids = self._known(auction).bids
        if bid >= len(bids):
            raise AuctionError(f"sealed auction {auction} has no bid {bid}")
        return bids[bid]

    def _dutch_terms(self, auction: int) -> DutchTerms:
        if auction not in self._dutch:
            raise AuctionError(f"Dutch auction {auction} was never created")
        return self._dutch[auction]
