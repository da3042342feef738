"""What the API offers of a running community: the engine behind one lock, and the thread that lives its days."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from otaniemi.contracts.chain.artifacts import explain
from otaniemi.contracts.chain.deploy import Deployment
from otaniemi.contracts.chain.node import DEVNET_KEY
from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.orders import Order, ProfileOrder
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.contracts.rules.signing import address_bytes
from otaniemi.contracts.rules.tariffs import BILLED_FEEDS, TariffReport
from otaniemi.oracles.meters import Reading
from otaniemi.platform.api import reads
from otaniemi.platform.api.auctions.desk import AuctionDesk
from otaniemi.platform.api.contracts.desk import ContractDesk
from otaniemi.platform.api.limits.desk import LimitDesk
from otaniemi.platform.api.packages.desk import PackageDesk
from otaniemi.platform.api.series.desk import SeriesDesk
from otaniemi.platform.api.services import (
    AccountState,
    BillStage,
    BillState,
    NotFoundError,
    OrderState,
    Position,
    Present,
    SentTransaction,
)
from otaniemi.platform.clock import Timeline
from otaniemi.platform.services.admission import check_reading
from otaniemi.platform.services.exchange import Exchange
from otaniemi.platform.services.founding import HOME_DEPOSIT_EUR, WEI_FOR_GAS, open_accounts
from otaniemi.platform.store import days, markets, members
from otaniemi.platform.store.intake import SubmittedNomination
from otaniemi.platform.store.markets import MarketState

PATIENCE = 30
"""How long the community sleeps at once. [s of the market]"""


class LiveMarketPlace:
    """See ``api.services.MarketPlace``. Every call and every step of the timeline holds the same lock."""

    devnet = True

    def __init__(self, exchange: Exchange, timeline: Timeline) -> None:
        self._exchange, self._gateway, self._timeline = exchange, exchange.gateway, timeline
        self._lock = threading.RLock()
        self._entered: set[int] = set()
        self._tended_head, self._due = b"", 0
        self.auctions = AuctionDesk(exchange.auctions, self._gateway.rules, self._now)
        self.series = SeriesDesk(exchange.series, self._gateway.rules, self._now)
        self.limits = LimitDesk(exchange.continuous, self._gateway.community, self._now)
        self.packages = PackageDesk(exchange.packages, self._now)
        self.contracts = ContractDesk(exchange.contracts, self._now)

    @property
    def deployment(self) -> Deployment:
        return self._exchange.founded.deployment

    @property
    def relayer(self) -> str:
        return self._exchange.market.relayer

    def live(self) -> None:
        """Take the timeline's actions as they fall due, until none is left or the clock is stopped."""
        with self._now():
            self._tend()
        while self.step():
            pass

    def step(self) -> bool:
        """Wait for the next action and take it, with all that follows; False when none is left or the clock stopped."""
        timeline = self._timeline
        while (moment := timeline.next_moment()) is not None and not timeline.clock.stopped:
            # What comes in meanwhile may be due earlier.
            timeline.clock.move_to(min(moment, timeline.clock.present() + PATIENCE))
            with self._lock:
                if (timeline.next_moment() or 0) <= timeline.clock.now:
                    timeline.step()
                    self.limits.deliver()
                    self._tend()
                    return True
        return False

    def present(self) -> Present:
        with self._now() as now:
            head = self._gateway.sender.chain.head()
            return Present(now, head.number, head.hash)

    def markets(self, product: int, first_slot: int, end_slot: int) -> Sequence[MarketState]:
        with self._now(), self._gateway.store.read() as transaction:
            return markets.between(transaction, self._gateway.community, product, first_slot, end_slot)

    def tariffs(self, day: int) -> tuple[TariffReport | None, TariffReport | None]:
        with self._now(), self._gateway.store.read() as transaction:
            retail, imbalance = (
                days.tariff(transaction, self._gateway.community, feed, day) for feed in BILLED_FEEDS
            )
            return retail, imbalance

    def account(self, account: int) -> AccountState:
        with self._now(), self._gateway.store.read() as transaction:
            return self._gateway.account(transaction, account)

    def accounts_of(self, owner: str) -> Sequence[int]:
        with self._now(), self._gateway.store.read() as transaction:
            return [member.account for member in members.of_owner(transaction, owner)]

    def transactions_of(self, address: str) -> int:
        with self._now():
            return self._gateway.sender.chain.nonce(address_bytes(address))

    def submit_order(self, order: Order | ProfileOrder, signature: bytes) -> OrderState:
        with self._now():
            self._exchange.market.submit(order, signature)
            return self.order(order.account, order.nonce)

    def order(self, account: int, nonce: int) -> OrderState:
        with self._now(), self._gateway.store.read() as transaction:
            return reads.order_state(transaction, self._gateway.rules, account, nonce)

    def orders(self, account: int, limit: int) -> Sequence[OrderState]:
        with self._now(), self._gateway.store.read() as transaction:
            return reads.order_states(transaction, self._gateway.rules, account, limit)

    def nominate(self, nomination: Nomination, signature: bytes) -> SubmittedNomination:
        with self._now():
            return self._exchange.schedules.submit(nomination, signature)

    def positions(self, account: int, product: int, day: int) -> Sequence[Position]:
        gateway = self._gateway
        with self._now(), gateway.store.read() as transaction:
            gateway.member(transaction, account)
            return reads.positions(transaction, gateway.rules, gateway.community, account, product, day)

    def bill(self, account: int, day: int) -> BillState:
        gateway = self._gateway
        with self._now(), gateway.store.read() as transaction:
            gateway.member(transaction, account)
            proposal = self._exchange.settlement.proposal(day)
            if proposal is None:
                raise NotFoundError("bill, not yet at least, for day", day)
            stage = BillStage.PAID if proposal.paid else BillStage.PROPOSED
            return reads.bill_state(
                transaction, gateway.rules, gateway.community, account, day, stage, proposal.transaction
            )

    def take_reading(self, account: int, product: int, slot: int, reading: Reading, signature: bytes) -> bool:
        with self._now():
            with self._gateway.store.read() as transaction:
                member = self._gateway.member(transaction, account)
            domain = self._gateway.contracts.oracle.domain
            check_reading(account, product, slot, reading, signature, member, domain)
            return self._exchange.oracles.take_reading(account, product, slot, reading)

    def send_transaction(self, raw: bytes) -> SentTransaction:
        with self._now():
            receipt = self._gateway.send_raw([raw])[0]
            error = "" if receipt.ok else str(explain("transaction", receipt.revert_data))
            self._tend()
            return SentTransaction(receipt.transaction, receipt.block, receipt.ok, error)

    def register(self, owner: str, name: str) -> AccountState:
        with self._now():
            gateway, staff = self._gateway, self._exchange.founded.staff
            gateway.set_time()
            gateway.sender.fund(Key(DEVNET_KEY), [owner], WEI_FOR_GAS)
            account = open_accounts(gateway, staff, [owner], [name], HOME_DEPOSIT_EUR)[0]
            return self.account(account)

    def _tend(self) -> None:
        """Do what is due in auctions and contracts when the chain is new or it is time; enter when there is more."""
        chain = self._gateway.sender.chain
        if chain.head().hash == self._tended_head and self._gateway.clock.now < self._due:
            return
        self._exchange.tend()
        due = self._exchange.next_due()
        self._tended_head, self._due = chain.head().hash, sys.maxsize if due is None else due
        if due is not None and due not in self._entered:
            self._entered.add(due)
            # The step that takes it tends to it.
            self._timeline.at(due, self._entered.discard, due)

    @contextmanager
    def _now(self) -> Iterator[int]:
        """The engine to oneself, at the present."""
        with self._lock:
            yield self._timeline.touch()
