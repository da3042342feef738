"""A community on the embedded chain beside a plain account of it, which only the rules feed.

Every call says beforehand with which error it fails; what it does to money and trades is entered here by the rules.
The chain is read to compare alone.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace

from otaniemi.contracts.chain.artifacts import explain
from otaniemi.contracts.chain.billing import Settlement
from otaniemi.contracts.chain.bindings import Accounts, CallAuction, Oracle, Positions, Schedules, TestEuro
from otaniemi.contracts.chain.blocks import Receipt
from otaniemi.contracts.chain.deploy import Parties, deploy
from otaniemi.contracts.chain.embedded import EmbeddedChain
from otaniemi.contracts.chain.forms.blocks import BlockSeries
from otaniemi.contracts.chain.forms.packages import PricePackages
from otaniemi.contracts.chain.logs import EventDecoder
from otaniemi.contracts.chain.sender import Call, Key, Sender
from otaniemi.contracts.rules.bills import DayFacts, trades_of
from otaniemi.contracts.rules.block_series import mark_of
from otaniemi.contracts.rules.calendar import (
    day_at,
    day_of_slot,
    slot_end,
    slot_start,
)
from otaniemi.contracts.rules.clearing import Clearing, void
from otaniemi.contracts.rules.ledger import Ledger
from otaniemi.contracts.rules.meters import MeterLeaf, Quality, meter_report
from otaniemi.contracts.rules.orders import Book, Market, NonceWindow, lock
from otaniemi.contracts.rules.positions import Agreement, Position
from otaniemi.contracts.rules.price_packages import PackageBook
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.contracts.rules.signing import meter_digest, sign, tariff_digest
from otaniemi.contracts.rules.tariffs import Feed, TariffReport

from .forms_setting import (
    ADMIN,
    COMMUNITY,
    DAY,
    DAYS,
    DELAY,
    EVERYBODY,
    FIRST,
    GENESIS,
    HOMES,
    IMBALANCE,
    PACKAGES,
    REFERENCE,
    RETAIL,
    RULES,
    SERIES,
    SETTLEMENT,
    SLOTS,
)


class World:
    """Four homes and three companies: time, money and positions."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.chain = EmbeddedChain(GENESIS)
        self.sender = Sender(self.chain)
        self._at = 0
        self.go_to(GENESIS + 60)
        parties = Parties(ADMIN.address, ADMIN.address, ADMIN.address)
        deployment = deploy(self.sender, ADMIN, ADMIN, parties, RULES, DELAY)
        self.rules, self.addresses = deployment.rules, deployment.addresses
        self.decoder = EventDecoder(self.addresses)
        self.accounts = Accounts(self.chain, self.addresses["Accounts"])
        self.token = TestEuro(self.chain, self.addresses["TestEuro"])
        self.auction = CallAuction(self.chain, self.addresses["CallAuction"])
        self.oracle = Oracle(self.chain, self.addresses["Oracle"])
        self.schedules = Schedules(self.chain, self.addresses["Schedules"])
        self.position_contract = Positions(self.chain, self.addresses["Positions"])
        self.settlement = Settlement(self.chain, self.addresses[SETTLEMENT])

        self.ledger = Ledger()
        self.withdrawals: dict[int, int] = {}
        self.positions: defaultdict[tuple[int, int], list[Position]] = defaultdict(list)
        self.books: dict[Market, list[bytes]] = {}
        self.results: dict[Market, Clearing] = {}
        self.nonces = {account: NonceWindow() for account in HOMES}
        self.closed: dict[Market, int] = {}
        self.curtailments: dict[tuple[int, int], int] = {}
        self.batches: list[list[Nomination]] = []
        self.meters: dict[tuple[int, int], list[MeterLeaf]] = {}
        self.reported: set[int] = set()
        self.mark = (0, 0)
        self.package_book = PackageBook(lambda _: self.rules.retailer)
        self._furnish()

    @property
    def now(self) -> int:
        """Time of the next block."""
        return max(self._at, self.chain.head().timestamp + 1)

    @property
    def today(self) -> int:
        return day_at(self.rules, self.now)

    def go_to(self, time: int) -> None:
        """Let time pass; meters of slots that end, and what imbalance cost, are reported in time."""
        for slot in SLOTS:
            due = slot_end(RULES, slot) + 30
            if self.now < due <= time:
                self._jump(due)
                self._report_meters(slot)
                if slot == SLOTS[-1]:
                    self.report(Feed.IMBALANCE, DAY, IMBALANCE)
        if time > self.now:
            self._jump(time)

    def attempt(self, key: Key, call: Call, error: str | None = None) -> Receipt:
        """Mine ``call``, which is to fail with ``error``, or not at all."""
        (receipt,) = self.sender.try_all([(key, call)])
        said = None if receipt.ok else explain(call.label, receipt.revert_data).name
        assert said == error, f"{call.label}: {said}, by the rules {error}"
        return receipt

    def free(self, account: int) -> int:
        return self.ledger.free[account]

    def deposit(self, account: int, micro: int) -> None:
        self.attempt(ADMIN, self.accounts.deposit(account, micro))
        self.ledger.deposit(account, micro * 1_000)

    def request_withdrawal(self, account: int, nano: int) -> None:
        rounded, error = nano - nano % 1_000, None
        if account in self.withdrawals:
            error = "WithdrawalPending"
        elif not rounded:
            error = "ZeroAmount"
        elif rounded > self.free(account):
            error = "InsufficientFunds"
        now = self.now
        self.attempt(self.key(account), self.accounts.request_withdrawal(account, nano), error)
        if not error:
            self.ledger.request_withdrawal(account, rounded)
            self.withdrawals[account] = now + DELAY

    def withdraw(self, account: int) -> None:
        due = self.withdrawals.get(account)
        error = "NothingToWithdraw" if due is None or self.now < due else None
        self.attempt(self.key(account), self.accounts.withdraw(account), error)
        if not error:
            del self.withdrawals[account]
            self.ledger.withdraw(account)

    def key(self, account: int) -> Key:
        return HOMES.get(account, ADMIN)

    def open_fault(self, agreement: Agreement) -> str | None:
        """Why ``Positions`` would refuse to open it now."""
        if slot_start(self.rules, agreement.slot) <= self.now:
            return "OutsideWindow"
        for slot, wh in enumerate(agreement.wh, start=agreement.slot):
            if wh > self.rules.connection_limit_wh:
                return "QuantityOutOfRange"
            if wh and (0, slot) in self.curtailments:
                return "SlotCurtailed"
        for account, buy in ((agreement.buyer, True), (agreement.seller, False)):
            if lock(self.rules, buy, agreement.price, sum(agreement.wh)) > self.free(account):
                return "InsufficientFunds"
        return None

    def open(self, agreement: Agreement) -> None:
        """Enter a position on both sides, with its locks."""
        day = day_of_slot(self.rules, agreement.slot)
        for account, buy in ((agreement.buyer, True), (agreement.seller, False)):
            self.positions[day, account].append(agreement.side(buy))
            nano = lock(self.rules, buy, agreement.price, sum(agreement.wh))
            self.ledger.lock(account, nano, COMMUNITY, day)

    def report(self, feed: Feed, day: int, prices: tuple[tuple[int, int], ...]) -> TariffReport:
        report = TariffReport(COMMUNITY, feed, day, prices)
        base_day = self.oracle.base_day_of(COMMUNITY, feed, day)
        base = replace(report, prices=REFERENCE[base_day]).packed_prices() if base_day else b""
        signature = sign(ADMIN.secret, tariff_digest(self.oracle.domain, report))
        self.attempt(ADMIN, self.oracle.report_tariff(report, signature, base))
        if feed == Feed.REFERENCE:
            self.reported.add(day)
        return report

    def remark(self, day: int) -> None:
        """Mark the series by the reference prices of ``day``."""
        report = TariffReport(COMMUNITY, Feed.REFERENCE, day, REFERENCE[day])
        error = "NotReported" if day not in self.reported else "LaterMark" if day < self.mark[1] else None
        blocks = BlockSeries(self.chain, self.addresses["BlockSeries"])
        self.attempt(ADMIN, blocks.remark(1, report), error)
        if not error:
            self.mark = mark_of(SERIES, report.prices), day

    def assert_money_is_where_the_rules_say(self) -> None:
        ledger = self.ledger
        assert self.token.balance_of(self.accounts.address) * 1_000 == ledger.owed == self.accounts.owed()
        for account in EVERYBODY:
            assert self.accounts.free_of(account) == ledger.free[account], f"free balance of {account}"
        for account in HOMES:
            assert self.accounts.withdrawal_of(account)[0] == ledger.pending[account], f"pending of {account}"
        for day in DAYS:
            assert self.accounts.lock_total(COMMUNITY, day) == ledger.locks[COMMUNITY, day], f"locks of {day}"
        for name in ("SealedAuction", "DutchAuction", "BilateralContracts", "BlockSeries", SETTLEMENT):
            assert self.accounts.pot_of(self.addresses[name]) == ledger.pots[name], f"pot of {name}"
        assert self.accounts.reserve() == ledger.reserve

    def assert_trades_balance(self) -> None:
        """As much energy is bought as sold, in every slot and over all forms."""
        for day in DAYS:
            bought: defaultdict[int, int] = defaultdict(int)
            for (_, _, slot), own in trades_of(replace(self.facts(day), curtailments={})).items():
                bought[slot] += sum(reference.trade_wh for reference in own)
            assert not any(bought.values()), f"energy of day {day} by slot: {dict(bought)}"

    def facts(self, day: int = DAY) -> DayFacts:
        markets = {
            market: (self.book(market), self.results.get(market) or void(self.book(market)))
            for market in self.books
            if day_of_slot(self.rules, market.slot) == day
        }
        packages = {
            (0, account, slot): self.package_book.prices_at(
                account, 0, DAY, slot - FIRST, REFERENCE[DAY][slot - FIRST][0]
            )
            for account in HOMES
            for slot in SLOTS
        }
        positions = {(0, account): held for (of, account), held in self.positions.items() if of == day}
        return DayFacts(
            self.rules, COMMUNITY, day, markets, {0: self.batches}, self.meters, RETAIL, IMBALANCE,
            REFERENCE[DAY], positions, self.curtailments, packages,
        )  # fmt: skip

    def book(self, market: Market) -> Book:
        return Book.of_records(b"".join(self.books.get(market, [])))

    def _jump(self, time: int) -> None:
        self.chain.set_time(time)
        self._at = time

    def _report_meters(self, slot: int) -> None:
        leaves = [
            MeterLeaf(account, self.draw.randrange(2_000), 0, Quality.ESTIMATED, bytes(32))
            if self.draw.random() < 0.1
            else MeterLeaf(
                account, self.draw.randrange(4_000), self.draw.randrange(2_000), Quality.MEASURED, bytes(32)
            )
            for account in HOMES
        ]
        self.meters[0, slot] = leaves
        report = meter_report(COMMUNITY, 0, slot, leaves)
        signature = sign(ADMIN.secret, meter_digest(self.oracle.domain, report))
        self.attempt(ADMIN, self.oracle.report_meters(report, signature))

    def _furnish(self) -> None:
        """Register the homes, give everybody money, and offer a series and packages."""
        self.sender.fund(ADMIN, [key.address for key in HOMES.values()], 10**18)
        calls = [self.accounts.register(key.address, COMMUNITY) for key in HOMES.values()]
        calls += [self.accounts.approve_meter(account, 0, bytes([account]) * 32) for account in HOMES]
        calls += [self.token.mint(ADMIN.address, 10**12), self.token.approve(self.accounts.address, 10**12)]
        packages = PricePackages(self.chain, self.addresses["PricePackages"])
        calls += [packages.publish(terms) for terms in PACKAGES]
        calls.append(BlockSeries(self.chain, self.addresses["BlockSeries"]).create(SERIES))
        self.sender.send_all([(ADMIN, call) for call in calls])
        for number, terms in enumerate(PACKAGES, start=1):
            self.package_book.publish(number, self.rules.retailer, self.rules.short_cap, terms)
        for account in EVERYBODY:
            self.deposit(account, 12_000_000 if account in HOMES else 10**9)
        self.report(Feed.RETAIL, DAY, RETAIL)
        self.report(Feed.REFERENCE, DAY, REFERENCE[DAY])
        self.remark(DAY)
