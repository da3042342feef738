"""A sealed auction on the day before: committed, revealed, finalised and settled on the chain."""

from __future__ import annotations

from otaniemi.contracts.chain.forms.sealed import SealedAuction, SealedCreated
from otaniemi.contracts.rules.calendar import tariff_deadline
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.sealed_auction import LEAST_TIME, SealedBid
from otaniemi.platform.agents.forms.lots import Lots
from otaniemi.platform.agents.forms.sealed import bids, evening, sealed_terms
from otaniemi.platform.live_day import LiveDay

CREATE_LEAD = 42 * 60
"""Seconds before the day's first gate at which lots are offered."""
COMMIT_S = 5 * 60
"""How long bids are taken. [s]"""


class SealedTrading:
    """The auction of one evening."""

    def __init__(self, day: LiveDay) -> None:
        self._day = day
        self._auction = 0
        self._bids: list[SealedBid] = []

    def enter(self) -> None:
        """Enter the offer; the rest follows where there is one."""
        day = self._day
        day.plan_at(tariff_deadline(day.rules, day.day) - CREATE_LEAD, self._create)

    def _create(self) -> None:
        day = self._day
        offered = evening(day.agents, day.known)
        if offered is None:
            return
        seller, until = day.wallets[offered.seller], day.now + COMMIT_S
        first = day.slots[0]
        terms = sealed_terms(offered, seller.account, day.community, day.product, first, until)
        found = day.send([(seller.owner, self._contract.create(terms))])
        self._auction = next(event.auction for event in found if isinstance(event, SealedCreated))
        day.plan_at(day.now + COMMIT_S // 2, self._commit, offered)
        day.at(until, self._reveal)
        day.at(until + LEAST_TIME, day.tend)

    def _commit(self, offered: Lots) -> None:
        day, contract = self._day, self._contract
        calls = []
        for bid in bids(day.agents, day.known, offered):
            wallet = day.wallets[bid.home]
            # Nobody else can derive it, and a home that restarts finds it again.
            salt = keccak(wallet.device.secret + self._auction.to_bytes(8, "big"))
            sealed = SealedBid(self._auction, wallet.account, bid.price, bid.lots, salt)
            self._bids.append(sealed)
            commitment = sealed.commitment(contract.domain)
            calls.append((wallet.owner, contract.commit(self._auction, wallet.account, commitment)))
        day.send(calls)

    def _reveal(self) -> None:
        keeper = self._day.exchange.founded.staff.keeper
        self._day.send([(keeper, self._contract.reveal(bid)) for bid in self._bids])

    @property
    def _contract(self) -> SealedAuction:
        return self._day.exchange.gateway.contracts.sealed_auction
