"""Auctions of lots replayed from their events, with their money in a ledger (protocol section 14).

What the rules determine is compared with what the contract said; the positions of winners are none of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from otaniemi.contracts.rules.calendar import Rules
from otaniemi.contracts.rules.dutch_auction import DutchTerms
from otaniemi.contracts.rules.errors import AuctionError
from otaniemi.contracts.rules.ledger import Ledger
from otaniemi.contracts.rules.sealed_auction import (
    Award,
    Outcome,
    Revealed,
    SealedTerms,
    award,
    forfeit,
)

SEALED, DUTCH = "SealedAuction", "DutchAuction"
"""Whose pots the ledger names."""

_T = TypeVar("_T")


@dataclass(slots=True)
class _Sealed:
    terms: SealedTerms
    per_lot: int
    bidders: list[int] = field(default_factory=list)
    revealed: dict[int, Revealed] = field(default_factory=dict)
    award: Award | None = None
    settled: set[int] = field(default_factory=set)


@dataclass(slots=True)
class SealedBook:
    """All sealed auctions of a community. Money is nano-token, prices micro-token/kWh.

    Every method takes what one event says and raises ``AuctionError`` where the rules say otherwise, ``LedgerError``
    where an account or the pot has less than is taken.
    """

    ledger: Ledger
    _auctions: dict[int, _Sealed] = field(default_factory=dict)

    def create(self, auction: int, terms: SealedTerms, rules: Rules, put_up: int) -> None:
        """An auction was created under the ``rules`` of its day; ``put_up`` moved to the pot."""
        per_lot = terms.lots.per_lot(rules, terms.reserve_price)
        _same(f"money put up for sealed auction {auction}", put_up, per_lot * terms.lots.count)
        self._put_up(terms.lots.account, put_up)
        self._auctions[auction] = _Sealed(terms, per_lot)

    def commit(self, auction: int, bid: int, account: int) -> None:
        """A bid was committed."""
        known = self._known(auction)
        _same(f"number of a bid of sealed auction {auction}", bid, len(known.bidders))
        self._put_up(account, known.terms.deposit)
        known.bidders.append(account)

    def reveal(self, auction: int, bid: int, price: int, lots: int) -> None:
        """A bid was revealed."""
        known = self._known(auction)
        if bid in known.revealed or not 0 <= bid < len(known.bidders):
            raise AuctionError(f"sealed auction {auction}: bid {bid} cannot be revealed (again)")
        known.revealed[bid] = Revealed(bid, price, lots)

    def finalise(self, auction: int, price: int, sold: int, released: int) -> None:
        """Winners were found."""
        known = self._known(auction)
        if known.award is not None:
            raise AuctionError(f"sealed auction {auction}: it was final before")
        # A dict keeps the order of revealing.
        known.award = award(known.terms, list(known.revealed.values()))
        _same(f"price of sealed auction {auction}", price, known.award.price)
        _same(f"sold lots of sealed auction {auction}", sold, known.award.sold)
        unsold = known.per_lot * (known.terms.lots.count - sold)
        _same(f"money released by sealed auction {auction}", released, unsold)
        self.ledger.credit(SEALED, known.terms.lots.account, released)

    def settle(
        self,
        auction: int,
        bid: int,
        outcome: Outcome,
        lots: int,
        price: int,
        returned: int,
        released: int,
        forfeited: int,
        reserved: int,
    ) -> None:
        """A bid came to its end. Whether a winner could pay, and in time, is taken as said."""
        known, where = self._known(auction), f"bid {bid} of sealed auction {auction}"
        if known.award is None or bid in known.settled or not 0 <= bid < len(known.bidders):
            raise AuctionError(f"{where} cannot be settled (again)")
        known.settled.add(bid)
        won = known.award.won.get(bid, 0)
        _same(f"lots of {where}", lots, won)
        if bid not in known.revealed:
            possible = {Outcome.UNREVEALED}
        else:
            possible = {Outcome.WON, Outcome.UNPAID, Outcome.LAPSED} if won else {Outcome.LOST}
        if won:
            due = known.award.price_of(known.terms, known.revealed[bid])
            _same(f"price of {where}", price, due)
        if outcome not in possible:
            raise AuctionError(f"outcome of {where} is {outcome.name}, not {_names(possible)}")
        deposit = known.terms.deposit
        lost = outcome in (Outcome.UNREVEALED, Outcome.UNPAID)
        shares = (0, *forfeit(deposit)) if lost else (deposit, 0, 0)
        _same(f"deposit of {where}", (returned, forfeited, reserved), shares)
        _same(f"money released by {where}", released, known.per_lot * won)
        self.ledger.credit(SEALED, known.bidders[bid], returned)
        self.ledger.credit(SEALED, known.terms.lots.account, forfeited + released)
        self.ledger.reserve_from_pot(SEALED, reserved)

    def _known(self, auction: int) -> _Sealed:
        if auction not in self._auctions:
            raise AuctionError(f"sealed auction {auction}: it was never created")
        return self._auctions[auction]

    def _put_up(self, account: int, nano: int) -> None:
        _same(f"money put up by account {account}", nano, self.ledger.debit(SEALED, account, nano))


@dataclass(slots=True)
class _Dutch:
    terms: DutchTerms
    per_lot: int
    left: int


@dataclass(slots=True)
class DutchBook:
    """All Dutch auctions of a community; as ``SealedBook``."""

    ledger: Ledger
    _auctions: dict[int, _Dutch] = field(default_factory=dict)

    def create(self, auction: int, terms: DutchTerms, rules: Rules, put_up: int) -> None:
        """An auction was created under the ``rules`` of its day; ``put_up`` moved to the pot."""
        lots = terms.lots
        per_lot = lots.per_lot(rules, terms.end_price)
        _same(f"money put up for Dutch auction {auction}", put_up, per_lot * lots.count)
        taken = self.ledger.debit(DUTCH, lots.account, put_up)
        _same(f"money put up by account {lots.account}", put_up, taken)
        self._auctions[auction] = _Dutch(terms, per_lot, lots.count)

    def take(self, auction: int, time: int, lots: int, price: int, released: int) -> None:
        """Lots were taken in a block of ``time`` [Unix s]."""
        known = self._known(auction)
        _same(f"price of Dutch auction {auction} at {time}", price, known.terms.price_at(time))
        self._release(auction, known, lots, released)

    def close(self, auction: int, unsold: int, released: int) -> None:
        """The auction is over."""
        known = self._known(auction)
        _same(f"unsold lots of Dutch auction {auction}", unsold, known.left)
        self._release(auction, known, unsold, released)

    def _release(self, auction: int, known: _Dutch, lots: int, released: int) -> None:
        if lots > known.left:
            raise AuctionError(f"Dutch auction {auction}: {lots} lots taken of {known.left}")
        _same(f"money released by Dutch auction {auction}", released, known.per_lot * lots)
        known.left -= lots
        self.ledger.credit(DUTCH, known.terms.lots.account, released)

    def _known(self, auction: int) -> _Dutch:
        if auction not in self._auctions:
            raise AuctionError(f"Dutch auction {auction}: it was never created")
        return self._auctions[auction]


def _same(what: str, said: _T, due: _T) -> None:
    if said != due:
        raise AuctionError(f"{what} is {said}, by the rules {due}")


def _names(outcomes: set[Outcome]) -> str:
    return " or ".join(sorted(outcome.name for outcome in outcomes))
