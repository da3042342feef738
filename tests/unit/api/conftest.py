"""A market without a chain: the store and the rules are real, blocks are only counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from otaniemi.contracts.chain.blocks import decode_transaction
from otaniemi.contracts.chain.deploy import NAMES, Deployment
from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.bills import DayFacts, bill_day
from otaniemi.contracts.rules.calendar import direct_gate, first_slot, relay_gate, slots_of_day
from otaniemi.contracts.rules.clearing import Clearing, clear, fill_root, trade_of
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.labels import labels_of
from otaniemi.contracts.rules.meters import MeterLeaf, Quality
from otaniemi.contracts.rules.orders import Book, Market, NonceWindow, Order, ProfileOrder
from otaniemi.contracts.rules.receipts import RelayReceipt
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.contracts.rules.signing import Domain, checksum, sign
from otaniemi.contracts.rules.tariffs import BILLED_FEEDS, Feed, TariffReport
from otaniemi.oracles.meters import MeterFeed, Reading
from otaniemi.platform.api import create_app, reads
from otaniemi.platform.api.limits.desk import LimitDesk
from otaniemi.platform.api.services import (
    AccountState,
    BillStage,
    BillState,
    NoDevnetError,
    NotFoundError,
    OrderState,
    Position,
    Present,
    SentTransaction,
)
from otaniemi.platform.client import MarketClient
from otaniemi.platform.keys import derive_key
from otaniemi.platform.services.admission import check_nomination, check_order, check_reading
from otaniemi.platform.services.continuous import ContinuousService
from otaniemi.platform.store import Store, days, intake, markets, members, readings
from otaniemi.platform.store.intake import SubmittedNomination
from otaniemi.platform.store.markets import MarketLabels, MarketResult, MarketState

from ...support.limit_chain import FakeGateway, LimitChain
from ...support.rules import HOURLY as RULES

DAY = 19_576  # 2023-08-07
COMMUNITY = 1
FREE = 100 * 10**9
RELAYER, ENGINE = derive_key(7, "relayer", 0), derive_key(7, "engine", 0)


@dataclass
class FakePlace:
    """A `MarketPlace` in which the test takes the part of the chain."""

    store: Store
    now: int
    devnet: bool = True
    relayer: str = RELAYER.address
    sent: list[bytes] = field(default_factory=list)
    nonces: dict[int, NonceWindow] = field(default_factory=dict)
    block: int = 1
    packages: Any = None
    contracts: Any = None
    """Choices and contracts need the chain; tests of a served community have it."""

    def __post_init__(self) -> None:
        addresses = {name: f"0x{place:040x}" for place, name in enumerate(NAMES, 1)}
        self.deployment = Deployment(31_337, bytes(32), addresses, COMMUNITY, RULES)
        self.feed = MeterFeed(RULES)
        self.limit_chain = LimitChain(RULES, self.domain("ContinuousMarket"), defaultdict(lambda: FREE))
        gateway: Any = FakeGateway(self.limit_chain, self.store, self)
        self.continuous = ContinuousService(gateway, gateway, gateway, ENGINE)
        self.auctions: Any = None  # these two are tested on the real contracts
        self.series: Any = None
        self.limits = LimitDesk(self.continuous, COMMUNITY, lambda: nullcontext(self.now))
        with self.store.begin() as transaction:
            gates = [
                (market, relay_gate(RULES, market.slot, session), direct_gate(RULES, market.slot, session))
                for slot in slots_of_day(RULES, DAY)
                for session in range(len(RULES.sessions))
                for market in [Market(COMMUNITY, 0, slot, session)]
            ]
            markets.open_markets(transaction, gates)

    def domain(self, contract: str) -> Domain:
        return Domain(self.deployment.chain_id, self.deployment.addresses[contract])

    def present(self) -> Present:
        return Present(self.now, self.block, keccak(bytes([self.block])))

    def markets(self, product: int, first_slot: int, end_slot: int) -> Sequence[MarketState]:
        with self.store.read() as transaction:
            return markets.between(transaction, COMMUNITY, product, first_slot, end_slot)

    def tariffs(self, day: int) -> tuple[TariffReport | None, TariffReport | None]:
        with self.store.read() as transaction:
            retail, imbalance = (days.tariff(transaction, COMMUNITY, feed, day) for feed in BILLED_FEEDS)
            return retail, imbalance

    def account(self, account: int) -> AccountState:
        nonces = self.nonces.get(account, NonceWindow())
        with self.store.read() as transaction:
            member = members.get(transaction, account)
            if member is None:
                raise NotFoundError("account", account)
            next_nonce = intake.next_nonce(transaction, account, nonces)
            return AccountState(member, FREE, 0, 0, nonces, next_nonce, intake.next_seq(transaction, account))

    def accounts_of(self, owner: str) -> Sequence[int]:
        with self.store.read() as transaction:
            return [member.account for member in members.of_owner(transaction, owner)]

    def transactions_of(self, _address: str) -> int:
        return len(self.sent)

    def submit_order(self, order: Order | ProfileOrder, signature: bytes) -> OrderState:
        state = self.account(order.account)
        with self.store.begin() as transaction:
            if intake.get_order(transaction, order.account, order.nonce) is None:
                check_order(order, signature, state, RULES, self.domain("CallAuction"), self.now)
            receipt = RelayReceipt.of(self.domain("CallAuction"), order, self.now)
            signed = sign(RELAYER.secret, receipt.digest(self.domain("CallAuction")))
            intake.receive_order(transaction, order, signature, self.now, signed)
            return reads.order_state(transaction, RULES, order.account, order.nonce)

    def order(self, account: int, nonce: int) -> OrderState:
        with self.store.read() as transaction:
            return reads.order_state(transaction, RULES, account, nonce)

    def orders(self, account: int, limit: int) -> Sequence[OrderState]:
        with self.store.read() as transaction:
            return reads.order_states(transaction, RULES, account, limit)

    def nominate(self, nomination: Nomination, signature: bytes) -> SubmittedNomination:
        member = self.account(nomination.account).member
        check_nomination(nomination, signature, member, RULES, self.domain("Schedules"), self.now)
        with self.store.begin() as transaction:
            return intake.receive_nomination(transaction, nomination, signature, self.now)

    def positions(self, account: int, product: int, day: int) -> Sequence[Position]:
        with self.store.read() as transaction:
            return reads.positions(transaction, RULES, COMMUNITY, account, product, day)

    def bill(self, account: int, day: int) -> BillState:
        with self.store.read() as transaction:
            stage, origin = BillStage.PROPOSED, b"\xbb" * 32
            return reads.bill_state(transaction, RULES, COMMUNITY, account, day, stage, origin)

    def take_reading(self, account: int, product: int, slot: int, reading: Reading, signature: bytes) -> bool:
        member = self.account(account).member
        check_reading(account, product, slot, reading, signature, member, self.domain("Oracle"))
        new = self.feed.take(account, slot, reading, self.now)
        with self.store.begin() as transaction:
            readings.add_reading(transaction, product, slot, account, reading, self.now)
        return new

    def send_transaction(self, raw: bytes) -> SentTransaction:
        self.sent.append(raw)
        data = decode_transaction(raw).data
        if data[:4] == keccak(b"setDeviceKey(uint32,address)")[:4]:
            account, device = int.from_bytes(data[4:36], "big"), checksum(data[48:68])
            with self.store.begin() as transaction:
                members.rotate_device(transaction, account, device, self.block)
        ok = len(self.sent) < 3
        return SentTransaction(
            keccak(raw), self.block, ok, "" if ok else "withdraw reverted: NothingToWithdraw"
        )

    def register(self, owner: str, name: str) -> AccountState:
        if not self.devnet:
            raise NoDevnetError
        with self.store.begin() as transaction:
            account = 10 + len(members.of_community(transaction, COMMUNITY))
            members.register(transaction, account, COMMUNITY, owner, self.block)
            members.approve_meter(transaction, account, 0, keccak(owner.encode()), self.block)
            members.rename(transaction, account, name)
        return self.account(account)

    # The part of the chain

    def relay(self, session: int) -> None:
        """Accept every waiting order of a session."""
        self.block += 1
        with self.store.begin() as transaction:
            for waiting in intake.waiting_orders(transaction, COMMUNITY, 0, session):
                order = waiting.order
                single = isinstance(order, Order)
                placed = [(order.market, order.record())] if isinstance(order, Order) else order.records()
                for market, record in placed:
                    index = len(markets.records_of(transaction, market)) // len(record)
                    origin = keccak(order.wire(waiting.signature) + bytes([single]))
                    markets.add_records(transaction, market, index, record, origin, self.block)
                intake.orders_accepted(transaction, placed, self.block)
                window = self.nonces.get(order.account, NonceWindow())
                self.nonces[order.account] = window.use(order.nonce)

    def clear(self, market: Market) -> tuple[Book, Clearing]:
        """Clear a market."""
        self.block += 1
        with self.store.begin() as transaction:
            book = Book.of_records(markets.records_of(transaction, market))
            clearing = clear(book, RULES.price_min, RULES.price_max)
            result = MarketResult(
                clearing.price,
                clearing.volume,
                clearing.demand_above,
                clearing.supply_below,
                len(book),
                fill_root(book, clearing),
            )
            markets.set_result(transaction, market, result, clearing.fills.tolist(), self.block)
        return book, clearing

    def label(self, market: Market, book: Book, clearing: Clearing) -> Clearing:
        """Give out the labels of a cleared market."""
        self.block += 1
        labels = labels_of(book, clearing)
        labelled = replace(clearing, labels=labels)
        parts = [trade_of(book, labelled, place).labelled for place in range(len(book))]
        told = MarketLabels(labels.premium, labels.green, labels.above)
        with self.store.begin() as transaction:
            root = fill_root(book, labelled)
            markets.set_labels(transaction, market, told, root, parts, self.block)
        return labelled

    def report_tariffs(self) -> None:
        """The same prices all day."""
        with self.store.begin() as transaction:
            for feed, pair in ((Feed.RETAIL, (200_000, 50_000)), (Feed.IMBALANCE, (230_000, 20_000))):
                days.add_tariff(transaction, TariffReport(COMMUNITY, feed, DAY, (pair,) * 24), self.block)

    def bill_day(self, market: Market, cleared: tuple[Book, Clearing], accounts: Sequence[int]) -> None:
        """Bill the day of one traded market; silent meters are estimated at 0."""
        slots = slots_of_day(RULES, DAY)
        leaves = {}
        for slot in slots:
            seen = self.feed.observe(slot, accounts).items()
            leaves[0, slot] = [
                MeterLeaf(account, reading.import_wh, reading.export_wh, Quality.MEASURED, bytes(32))
                if reading
                else MeterLeaf(account, 0, 0, Quality.ESTIMATED, bytes(32))
                for account, reading in sorted(seen)
            ]
        prices = [((200_000, 50_000),) * 24, ((230_000, 20_000),) * 24]
        facts = DayFacts(RULES, COMMUNITY, DAY, {market: cleared}, {}, leaves, *prices)
        with self.store.begin() as transaction:
            days.keep_bills(transaction, COMMUNITY, DAY, bill_day(facts).lines)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[FakePlace]:
    store = Store(tmp_path / "store.db")
    noon_before = first_slot(RULES, DAY) * 3600 - 43_200
    yield FakePlace(store, noon_before)
    store.close()


@pytest.fixture
def http(place: FakePlace) -> Iterator[TestClient]:
    with TestClient(create_app(place), raise_server_exceptions=False) as http:
        yield http


@pytest.fixture
def client(http: TestClient) -> MarketClient:
    return MarketClient("", http)


@pytest.fixture
def slot() -> int:
    """18:00 of the trading day."""
    return first_slot(RULES, DAY) + 18


@pytest.fixture
def keys() -> tuple[Key, Key]:
    """Two owners."""
    return derive_key(7, "owner", 1), derive_key(7, "owner", 2)
