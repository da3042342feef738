"""A trading day of four homes with hourly slots on the embedded chain, small enough to rework by hand.

Home A buys day-ahead, B sells its PV, C does both and nominates something else than it traded, D only meters
(one of its readings is missing and estimated). Everything is signed; the record of the run lands in a directory.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from otaniemi.contracts.chain.billing import Court, Settlement
from otaniemi.contracts.chain.bindings import (
    Accounts,
    CallAuction,
    Oracle,
    Schedules,
    TestEuro,
)
from otaniemi.contracts.chain.deploy import Deployment, Parties, deploy
from otaniemi.contracts.chain.export import export_blocks
from otaniemi.contracts.chain.node import DEVNET_KEY, Chain, open_chain
from otaniemi.contracts.chain.sender import Key, Sender
from otaniemi.contracts.rules.bills import Bills, DayFacts, bill_day
from otaniemi.contracts.rules.calendar import (
    bills_due,
    day_at,
    day_start,
    direct_gate,
    first_slot,
    slot_end,
    slots_of_day,
)
from otaniemi.contracts.rules.clearing import Clearing, clear
from otaniemi.contracts.rules.meters import MeterLeaf, Quality, meter_report
from otaniemi.contracts.rules.orders import Book, Market, Order, ProfileOrder, Step
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.contracts.rules.signing import (
    meter_digest,
    nomination_digest,
    order_digest,
    profile_digest,
    sign,
    tariff_digest,
)
from otaniemi.contracts.rules.tariffs import Feed, TariffReport
from otaniemi.platform.audit.leaves import content_hash, write_bills, write_meters

from ...support.rules import HOURLY

COMMUNITY = 1
ADMIN = Key(DEVNET_KEY)
REPORTERS = sorted((Key(bytes([number]) * 32) for number in (11, 12, 13)), key=lambda key: key.raw_address)
HOMES = [Key(bytes([number]) * 32) for number in (21, 22, 23, 24)]
DEVICE = Key(bytes([31]) * 32)
A, B, C, D = 4, 5, 6, 7
FOREVER = 2**40

RULES = replace(
    HOURLY,
    price_min=-1_000_000,
    price_max=1_000_000,
    platform_fee=3_000,
    short_cap=900_000,
    bond=5_000_000,
    reporters=tuple(key.address for key in REPORTERS),
    quorum=2,
)

GENESIS = 1_700_000_000
DAY = day_at(RULES, GENESIS) + 2
FIRST = first_slot(RULES, DAY)
RETAIL = tuple((150_000 + 1000 * hour, 40_000 + 500 * hour) for hour in range(24))
IMBALANCE = tuple((200_000 - 900 * hour, -20_000 + 2000 * hour) for hour in range(24))


@dataclass
class SmallDay:
    """The chain while the day runs; what happened is kept for the bills."""

    chain: Chain
    sender: Sender
    deployment: Deployment
    books: dict[Market, list[bytes]] = field(default_factory=dict)
    batches: list[list[Nomination]] = field(default_factory=list)
    meters: dict[tuple[int, int], list[MeterLeaf]] = field(default_factory=dict)

    @classmethod
    def start(cls, where: str = "embedded") -> SmallDay:
        chain = open_chain(where, GENESIS)
        sender = Sender(chain)
        chain.set_time(GENESIS + 60)
        parties = Parties(ADMIN.address, ADMIN.address, ADMIN.address)
        deployment = deploy(sender, ADMIN, ADMIN, parties, RULES, withdrawal_delay=3600)
        day = cls(chain, sender, deployment)
        sender.fund(ADMIN, [key.address for key in HOMES], 10**18)
        accounts, token = day.accounts, TestEuro(chain, deployment.addresses["TestEuro"])
        calls = [accounts.register(home.address, COMMUNITY) for home in HOMES]
        calls += [accounts.approve_meter(A + i, 0, bytes([i + 1]) * 32) for i in range(4)]
        calls += [token.mint(ADMIN.address, 10**9), token.approve(accounts.address, 10**9)]
        calls += [accounts.deposit(account, 100_000_000) for account in range(1, D + 1)]
        sender.send_all([(ADMIN, call) for call in calls])
        sender.send(HOMES[2], accounts.set_device_key(C, DEVICE.address))
        return day

    @property
    def accounts(self) -> Accounts:
        return Accounts(self.chain, self.deployment.addresses["Accounts"])

    @property
    def auction(self) -> CallAuction:
        return CallAuction(self.chain, self.deployment.addresses["CallAuction"])

    @property
    def settlement(self) -> Settlement:
        return Settlement(self.chain, self.deployment.addresses["Settlement"])

    @property
    def court(self) -> Court:
        return Court(self.chain, self.deployment.addresses["Court"])

    def report_tariff(self, feed: Feed) -> None:
        oracle = Oracle(self.chain, self.deployment.addresses["Oracle"])
        report = TariffReport(COMMUNITY, feed, DAY, RETAIL if feed == Feed.RETAIL else IMBALANCE)
        signatures = [sign(key.secret, tariff_digest(oracle.domain, report)) for key in REPORTERS[:2]]
        self.sender.send(ADMIN, oracle.report_tariff(report, b"".join(signatures)))

    def trade(self) -> None:
        """Day-ahead profiles, some of which are skipped, single orders, and a direct order."""
        domain = self.auction.domain

        def profile(key: Key, account: int, nonce: int, whole: bool, *steps: Step) -> bytes:
            order = ProfileOrder(account, COMMUNITY, 0, 0, whole, nonce, FOREVER, steps)
            return order.wire(sign(key.secret, profile_digest(domain, order)))

        buys = [Step(FIRST + hour, 130_000 + 100 * hour, 1500, 0, True) for hour in range(24)]
        sells = [Step(FIRST + hour, 60_000 + 50 * hour, 1000 + 90 * hour, 1, False) for hour in range(24)]
        mixed = [Step(FIRST + hour, 90_000, 400, 3, hour % 2 == 0) for hour in range(24)]
        wire = [
            profile(HOMES[0], A, 0, False, *buys),
            profile(HOMES[1], B, 0, False, *sells),
            profile(DEVICE, C, 5, True, *mixed),
            profile(HOMES[3], C, 6, False, *mixed),  # not C's key
            profile(HOMES[0], A, 0, False, *buys),  # again
            profile(
                HOMES[1],
                B,
                1,
                False,
                Step(FIRST, 2_000_000, 5, 1, False),
                Step(FIRST + 1, 60_000, 5, 1, False),
            ),
            profile(HOMES[3], D, 0, True, Step(FIRST, 50_000, 5, 0, True), Step(FIRST, 50_000, 0, 0, True)),
        ]
        self.sender.send(ADMIN, self.auction.relay_profiles(COMMUNITY, 0, 0, b"".join(wire)))
        market = Market(COMMUNITY, 0, FIRST + 12, 1)
        orders = []
        for key, account, price, quantity, buy, nonce in (
            (HOMES[0], A, 120_000, 300, True, 30_001),
            (HOMES[1], B, 120_000, 200, False, 2),
            (HOMES[1], B, 120_000, 250, False, 3),
            (HOMES[3], D, 120_000, 19_999_999, True, 1),
            (HOMES[0], B, 120_000, 250, False, 4),
            (HOMES[3], D, 120_000, 100, True, 2),
        ):
            order = Order(account, COMMUNITY, 0, market.slot, 1, price, quantity, 1, buy, nonce, FOREVER)
            orders.append(order.wire(sign(key.secret, order_digest(domain, order))))
        self.sender.send(ADMIN, self.auction.relay_orders(market, b"".join(orders)))
        self.sender.send(HOMES[0], self.auction.place_order(market, A, 125_000, 77, 0, True, 30_002))
        self._collect()

    def clear(self, wanted: Iterable[Market]) -> None:
        for market in sorted(wanted):
            gate = direct_gate(RULES, market.slot, market.session)
            self.chain.set_time(max(gate, self.chain.head().timestamp + 1))
            book, clearing = self.cleared(market)
            sizes = [len(batch) // 16 for batch in self.books[market]]
            call = self.auction.clear(market, clearing.lo, clearing.hi, book.records(), sizes)
            self.sender.send(ADMIN, call)

    def cleared(self, market: Market) -> tuple[Book, Clearing]:
        book = Book.of_records(b"".join(self.books[market]))
        return book, clear(book, RULES.price_min, RULES.price_max)

    def nominate(self) -> None:
        schedules = Schedules(self.chain, self.deployment.addresses["Schedules"])
        first = [
            Nomination(C, COMMUNITY, 0, FIRST, 1, tuple(100 * hour - 900 for hour in range(24))),
            Nomination(A, COMMUNITY, 0, FIRST + 3, 4, (2000, 2500)),
        ]
        refused = Nomination(D, COMMUNITY, 0, FIRST + 3, 1, (30_000,))
        signers = [DEVICE, HOMES[0], HOMES[3]]
        wire = [
            nomination.wire(sign(key.secret, nomination_digest(schedules.domain, nomination)))
            for nomination, key in zip([*first, refused], signers, strict=True)
        ]
        self.sender.send(ADMIN, schedules.nominate_batch(COMMUNITY, 0, DAY, b"".join(wire)))
        again = Nomination(A, COMMUNITY, 0, FIRST + 4, 5, (-100,))
        self.sender.send(HOMES[0], schedules.nominate(again))
        self.batches = [first, [again]]

    def clear_and_report_meters(self) -> None:
        oracle = Oracle(self.chain, self.deployment.addresses["Oracle"])
        self._last_call(FIRST)
        for hour, slot in enumerate(slots_of_day(RULES, DAY)):
            self._last_call(slot + 1)
            leaves = [
                MeterLeaf(A, 1400 + 10 * hour, 0, Quality.MEASURED, bytes([hour, 1]) * 16),
                MeterLeaf(B, 0, 900 + 100 * hour, Quality.MEASURED, bytes([hour, 2]) * 16),
                MeterLeaf(C, 50, 60, Quality.MEASURED, bytes([hour, 3]) * 16),
                MeterLeaf(D, 500, 0, Quality(hour == 7), bytes([hour, 4]) * 16),
            ]
            self.meters[0, slot] = leaves
            report = meter_report(COMMUNITY, 0, slot, leaves)
            signatures = [sign(key.secret, meter_digest(oracle.domain, report)) for key in REPORTERS[1:]]
            self.chain.set_time(slot_end(RULES, slot) + 30)
            self.sender.send(ADMIN, oracle.report_meters(report, b"".join(signatures)))

    def _last_call(self, slot: int) -> None:
        self.clear(market for market in self.books if (market.slot, market.session) == (slot, 1))

    def facts(self) -> DayFacts:
        markets = {market: self.cleared(market) for market in self.books}
        batches = {0: self.batches}
        return DayFacts(
            self.deployment.rules, COMMUNITY, DAY, markets, batches, self.meters, RETAIL, IMBALANCE
        )

    def settle(self, bills: Bills) -> None:
        settlement, sender = self.settlement, self.sender
        self.chain.set_time(bills_due(RULES, DAY) + 60)
        number = settlement.proposal_count() + 1
        sender.send(ADMIN, settlement.propose_bills(bills, 3, content_hash(bills.lines)))
        self.chain.set_time(bills_due(RULES, DAY) + 60 + RULES.bill_window)
        sender.send(ADMIN, settlement.finalise(number))
        for chunk in bills.chunks(1):
            sender.send(ADMIN, settlement.debit(number, chunk))
        sender.send(ADMIN, settlement.pay_parties(number, bills.root))
        for before, entries in bills.credits(1):
            sender.send(ADMIN, settlement.credit(number, before, entries))

    def withdraw(self) -> None:
        self.sender.send(HOMES[1], self.accounts.request_withdrawal(B, 90_000_123))
        self.chain.set_time(self.chain.head().timestamp + 3600)
        self.sender.send(HOMES[1], self.accounts.withdraw(B))
        self.sender.send(HOMES[3], self.accounts.request_withdrawal(D, 5_000))

    def until_bills(self) -> Bills:
        """Play the day up to its bills, which are not proposed yet."""
        self.report_tariff(Feed.RETAIL)
        self.chain.set_time(day_start(RULES, DAY) - 50_000)
        self.trade()
        self.clear(market for market in self.books if market.session == 0)
        self.nominate()
        self.clear_and_report_meters()
        self.report_tariff(Feed.IMBALANCE)
        return bill_day(self.facts())

    def write(self, directory: Path, bills: Bills) -> None:
        """Write the record of the run as ``audit_run`` reads it."""
        (directory / "chain").mkdir(parents=True)
        (directory / "leaves").mkdir()
        head = self.chain.head()
        export_blocks(self.chain.blocks(0, head.number), directory / "chain")
        write_meters(directory / "leaves", DAY, self.meters)
        write_bills(directory / "leaves", DAY, bills.lines)
        data = self.deployment.to_json() | {"head": "0x" + head.hash.hex()}
        (directory / "deployment.json").write_text(json.dumps(data))

    def _collect(self) -> None:
        from otaniemi.contracts.chain.events import OrdersAccepted
        from otaniemi.contracts.chain.logs import EventDecoder

        decoder = EventDecoder(self.deployment.addresses)
        for number in range(self.chain.head().number + 1):
            for receipt in self.chain.block(number).decoded_receipts():
                for event in decoder.decode_all(receipt.logs):
                    if isinstance(event, OrdersAccepted):
                        self.books.setdefault(event.market, []).append(event.records)


def play(directory: Path, where: str = "embedded") -> SmallDay:
    """Play the whole day, write its record into ``directory``, and return it."""
    day = SmallDay.start(where)
    bills = day.until_bills()
    day.settle(bills)
    day.withdraw()
    day.write(directory, bills)
    return day
