"""Continuous trading and block series on the chain against the rules: digests, who matches, prices, margins."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from otaniemi.contracts.chain import bindings
from otaniemi.contracts.chain.artifacts import artifact, explain
from otaniemi.contracts.chain.bindings import AccessManager, Accounts, Communities, Contract, Oracle
from otaniemi.contracts.chain.embedded import EmbeddedChain
from otaniemi.contracts.chain.errors import RevertedError
from otaniemi.contracts.chain.forms import blocks
from otaniemi.contracts.chain.forms.blocks import BlockSeries, Delivered
from otaniemi.contracts.chain.forms.continuous import ContinuousMarket, Fill, SignedLimit
from otaniemi.contracts.chain.logs import EventDecoder
from otaniemi.contracts.chain.node import DEVNET_KEY
from otaniemi.contracts.chain.sender import Call, Key, Sender
from otaniemi.contracts.rules import block_series, calendar, continuous, signing
from otaniemi.contracts.rules.block_deals import BLOCKS, BlockBook
from otaniemi.contracts.rules.block_series import Series
from otaniemi.contracts.rules.continuous import NO_ENGINE, SERIES, Limit, Receipt
from otaniemi.contracts.rules.ledger import Ledger
from otaniemi.contracts.rules.orders import lock
from otaniemi.contracts.rules.tariffs import Feed, TariffReport

from ...support.rules import HOURLY

GENESIS = 1_700_000_000
DEPOSIT_MICRO = 10**9
PAIRS = 60
ENGINES = (Key(bytes([7]) * 32), Key(bytes([8]) * 32))
CREATED = {
    "TestEuro": (),
    "AccessManager": ("admin",),
    "Accounts": ("AccessManager", "TestEuro", "delay"),
    "Communities": ("AccessManager", "Accounts"),
    "Positions": ("AccessManager", "Accounts", "Communities"),
    "Oracle": ("AccessManager", "Accounts", "Communities"),
    "BlockSeries": ("AccessManager", "Accounts", "Communities", "Positions", "Oracle"),
    "ContinuousMarket": ("Accounts", "Communities", "Positions", "BlockSeries"),
}


@dataclass
class Floor:
    """Where continuous trading takes place; ``book`` follows its block deals and their money."""

    chain: EmbeddedChain
    sender: Sender
    keeper: Key
    reporters: list[Key]
    rules: calendar.Rules
    homes: dict[int, Key]
    accounts: Accounts
    oracle: Oracle
    blocks: BlockSeries
    market: ContinuousMarket
    book: BlockBook
    reported: dict[int, bytes] = field(default_factory=dict)

    @property
    def today(self) -> int:
        return calendar.day_at(self.rules, self.chain.head().timestamp)

    def send(
        self, contract: Contract, call: Call, sender: Key | None = None
    ) -> list[tuple[str, dict[str, Any]]]:
        """Mine ``call`` of ``sender``, by default the keeper, follow its block deals and return the events of
        ``contract``.
        """
        receipt = self.sender.send(sender or self.keeper, call)
        now = self.chain.head().timestamp
        for event in EventDecoder({BLOCKS: self.blocks.address}).decode_all(receipt.logs):
            blocks.replay(self.book, event, self.rules, now)
            if isinstance(event, Delivered):
                self._lock(event)
        logs = (log for log in receipt.logs if log.address == contract.raw_address)
        return [decoded for log in logs if (decoded := contract.abi.decode_event(log))]

    def _lock(self, event: Delivered) -> None:
        """A day's position takes the money of both from the ledger."""
        deal = self.blocks.deal_of(event.deal)
        assert deal is not None
        terms = self.blocks.series_of(deal.series)
        assert terms is not None
        for account in (deal.buyer, deal.seller):
            nano = lock(self.rules, account == deal.buyer, deal.price, terms.energy(deal.lots, 1))
            self.book.ledger.lock(account, nano, 1, event.day)

    def follow(self) -> None:
        """Start the ledger anew from the balances on the chain, for deals to come."""
        self.book.ledger.free.clear()
        for account in self.homes:
            self.book.ledger.deposit(account, self.accounts.free_of(account))

    def assert_money_is_where_the_book_says(self) -> None:
        ledger = self.book.ledger
        free = {account: self.accounts.free_of(account) for account in self.homes}
        assert free == {account: ledger.free[account] for account in self.homes}
        assert self.accounts.pot_of(self.blocks.address) == ledger.pots[BLOCKS]

    def refusal(self, call: Call) -> str | None:
        """Name of the error with which ``call`` would revert now."""
        assert call.to is not None
        try:
            self.chain.call(call.to, call.data, self.keeper.raw_address)
        except RevertedError as error:
            return explain(call.label, error.data).name
        return None

    def sign(self, limit: Limit, sequence: int = 0, engine: Key = ENGINES[0]) -> SignedLimit:
        """``limit`` signed by its owner, with a receipt where ``sequence`` is not 0."""
        digest = limit.digest(self.market.domain)
        signature = signing.sign(self.homes[limit.account].secret, digest)
        if sequence == 0:
            return SignedLimit(limit, signature)
        receipt = Receipt(digest, sequence, 5)
        signed = signing.sign(engine.secret, receipt.digest(self.market.domain))
        return SignedLimit(limit, signature, sequence, 5, signed)

    def mark(self, series: int, day: int, prices: Sequence[int]) -> None:
        """Report forward prices of a day and mark a series by them."""
        report = TariffReport(1, Feed.REFERENCE, day, tuple((-price, price) for price in prices))
        digest = signing.tariff_digest(self.oracle.domain, report)
        signatures = b"".join(signing.sign(key.secret, digest) for key in self.reporters)
        base = self.reported.get(self.oracle.base_day_of(1, Feed.REFERENCE, day) or 0, b"")
        self.send(self.oracle, self.oracle.report_tariff(report, signatures, base))
        self.reported[day] = report.packed_prices()
        self.send(self.blocks, self.blocks.remark(series, report))


@pytest.fixture(scope="module")
def floor() -> Floor:
    chain = EmbeddedChain(GENESIS)
    sender, keeper = Sender(chain), Key(DEVNET_KEY)
    values: dict[str, Any] = {"admin": keeper.address, "delay": 3_600}
    for name, names in CREATED.items():
        code = artifact(name).creation_code + artifact(name).abi.construct(*(values[key] for key in names))
        values[name] = signing.checksum(sender.create(keeper, code, "deploy"))
    accounts, oracle = Accounts(chain, values["Accounts"]), Oracle(chain, values["Oracle"])
    manager = AccessManager(chain, values["AccessManager"])
    modules = ("Positions", "Oracle", "BlockSeries", "ContinuousMarket")
    calls = [accounts.grant_module(values[name], 1) for name in modules]
    calls.append(manager.set_target_function_role(accounts, ("register", "approveMeter"), 1))
    calls.append(manager.grant_role(1, keeper.address))
    homes = {account: Key(account.to_bytes(32, "big")) for account in range(4, 9)}
    reporters = sorted((Key(bytes([9]) * 31 + bytes([i])) for i in range(3)), key=lambda key: key.raw_address)
    rules = replace(HOURLY, reporters=tuple(key.address for key in reporters), quorum=2)
    calls += [accounts.register(keeper.address, 1) for _ in range(3)]
    calls.append(Communities(chain, values["Communities"]).create(rules))
    euro = bindings.TestEuro(chain, values["TestEuro"])
    calls.append(euro.mint(keeper.address, DEPOSIT_MICRO * len(homes)))
    calls.append(euro.approve(accounts.address, DEPOSIT_MICRO * len(homes)))
    for account, key in homes.items():
        calls.append(accounts.register(key.address, 1))
        calls.append(accounts.approve_meter(account, 0, account.to_bytes(32, "big")))
        calls.append(accounts.deposit(account, DEPOSIT_MICRO))
    sender.send_all([(keeper, call) for call in calls])
    sender.fund(keeper, [ENGINES[0].address], 10**18)
    series = BlockSeries(chain, values["BlockSeries"])
    market = ContinuousMarket(chain, values["ContinuousMarket"])
    book = BlockBook(Ledger())
    return Floor(chain, sender, keeper, reporters, rules, homes, accounts, oracle, series, market, book)


def test_a_batch_trades_exactly_the_pairs_that_the_rules_match(floor: Floor) -> None:
    draw = random.Random(12)
    slot = calendar.slots_of_day(floor.rules, floor.today + 1)[3]
    limits = [_limit(draw, floor, slot) for _ in range(24)]
    numbers = [draw.choice((0, 1, 2, 3)) for _ in limits]
    signers = [draw.choice(ENGINES) for _ in limits]
    orders = [floor.sign(*entry) for entry in zip(limits, numbers, signers, strict=True)]
    digests = [limit.digest(floor.market.domain) for limit in limits]
    assert [floor.market.digest_of(limit) for limit in limits] == digests
    filled = [0] * len(limits)
    fills: list[Fill] = []
    expected: list[tuple[int, ...] | None] = []
    for _ in range(PAIRS):
        buy = draw.choice([i for i, limit in enumerate(limits) if limit.buy or draw.random() < 0.05])
        sell = draw.choice([i for i, limit in enumerate(limits) if not limit.buy or draw.random() < 0.05])
        a, b = limits[buy], limits[sell]
        most = continuous.fillable(a, b, filled[buy], filled[sell])
        quantity = draw.choice((most // 3, most // 4, most // 5, most, most + 1, 8, 0))
        fills.append(Fill(buy, sell, quantity))
        parts = (continuous.smallest_fill(a, filled[buy]), continuous.smallest_fill(b, filled[sell]), 1)
        rest = min(a.quantity - filled[buy], b.quantity - filled[sell])
        brought = all(limit.may_be_brought_by(ENGINES[0].address) for limit in (a, b))
        if not brought or not continuous.match(a, b) or not max(parts) <= quantity <= rest:
            expected.append(None)
            continue
        filled[buy] += quantity
        filled[sell] += quantity
        valid = [
            numbers[i] if numbers[i] and signers[i].address == limits[i].engine else None for i in (buy, sell)
        ]
        price = continuous.match_price(a, b, *valid)
        deal = continuous.deal_of(digests[buy], digests[sell], filled[buy])
        expected.append((deal, a.account, b.account, price, quantity, valid[0] or 0, valid[1] or 0))
    before = {account: floor.accounts.free_of(account) for account in floor.homes}
    events = floor.send(floor.market, floor.market.match_batch(orders, fills), ENGINES[0])
    assert len(events) == PAIRS
    names = ("deal", "buyer", "seller", "price", "quantity", "buy_sequence", "sell_sequence")
    for number, ((kind, values), outcome) in enumerate(zip(events, expected, strict=True)):
        if outcome is None:
            assert (kind, values["fill"]) == ("MatchSkipped", number)
            continue
        assert (kind, *(values[name] for name in names)) == ("Matched", *outcome)
        _, buyer, seller, price, quantity, *_ = outcome
        before[buyer] -= lock(floor.rules, True, price, quantity)
        before[seller] -= lock(floor.rules, False, price, quantity)
    assert {account: floor.accounts.free_of(account) for account in floor.homes} == before
    assert [floor.market.filled(digest) for digest in digests] == filled
    assert sum(outcome is not None for outcome in expected) >= PAIRS // 5


def test_a_block_deal_costs_and_returns_what_the_rules_say(floor: Floor) -> None:
    first, buyer, seller = floor.today + 3, 4, 5
    day_start = calendar.day_start(floor.rules, first)
    terms = Series(1, 0, 0b1010101 | 1 << (first + 3) % 7 | 1 << (first + 8) % 7, 8, 3, first, first + 5, 50,
                   day_start - 43_200, 150, 4_000)  # fmt: skip
    block_series.check(terms, floor.rules, floor.chain.head().timestamp)
    floor.send(floor.blocks, floor.blocks.create(terms))
    series = floor.blocks.series_count()
    assert floor.blocks.series_of(series) == terms
    forward = [90_000 + 1_000 * hour for hour in range(24)]
    floor.mark(series, first - 2, forward)
    mark = block_series.mark_of(terms, [(0, price) for price in forward])
    assert floor.blocks.mark_of(series) == (mark, first - 2)

    buy = Limit(buyer, 1, 0, SERIES | series, mark + 9_000, 4, 1, 0, True, 0, 2**40, ENGINES[0].address)
    sell = replace(buy, account=seller, price=mark - 1_000, buy=False, source=1)
    free = {account: floor.accounts.free_of(account) for account in (buyer, seller)}
    floor.follow()
    call = floor.market.match_orders(floor.sign(buy, 1), floor.sign(sell, 2), 4)
    assert floor.refusal(call) == "NotEngine"
    assert [name for name, _ in floor.send(floor.market, call, ENGINES[0])] == ["Matched"]
    deal = floor.blocks.deal_count()
    days = terms.deliveries()
    secured = block_series.margins(terms, mark + 9_000, mark, terms.energy(4, days))
    margin = {buyer: secured.initial(buyer=True), seller: secured.initial(buyer=False)}
    free = {account: money - margin[account] for account, money in free.items()}
    _check(floor, deal, free, margin)

    left = days
    for day in list(terms.delivery_days())[:2]:
        window = block_series.delivery_window(terms, floor.rules, day)
        floor.chain.set_time(window.opens - 1)
        assert floor.refusal(floor.blocks.deliver(deal, day)) == "OutsideWindow"
        floor.chain.set_time(window.opens)
        floor.send(floor.blocks, floor.blocks.deliver(deal, day))
        left -= 1
        for account in (buyer, seller):
            kept = block_series.kept(margin[account], left, left + 1)
            free[account] += margin[account] - kept
            free[account] -= lock(floor.rules, account == buyer, mark + 9_000, terms.energy(4, 1))
            margin[account] = kept
        _check(floor, deal, free, margin)
        assert floor.refusal(floor.blocks.deliver(deal, day)) in ("NotDeliverable", "OutsideWindow")

    floor.mark(series, floor.today + 2, [mark - 20_000] * 24)
    secured = block_series.margins(terms, mark + 9_000, mark - 20_000, terms.energy(4, left))
    for account, is_buyer in ((buyer, True), (seller, False)):
        floor.send(floor.blocks, floor.blocks.call_margin(deal, is_buyer))
        initial = secured.initial(is_buyer)
        assert (margin[account] < secured.maintenance(is_buyer)) is is_buyer
        if is_buyer or margin[account] > initial:
            free[account] += margin[account] - initial
            margin[account] = initial
        _check(floor, deal, free, margin)
    _default(floor, deal, terms, left, mark - 20_000, free, margin)


def _default(
    floor: Floor,
    deal: int,
    terms: Series,
    left: int,
    mark: int,
    free: dict[int, int],
    margin: dict[int, int],
) -> None:
    """The buyer takes its money away before the third day, and leaves."""
    buyer, seller = free
    withdrawal = free[buyer] // 1_000 * 1_000
    floor.sender.fund(floor.keeper, [floor.homes[buyer].address], 10**18)
    floor.sender.send(floor.homes[buyer], floor.accounts.request_withdrawal(buyer, withdrawal))
    floor.book.ledger.request_withdrawal(buyer, withdrawal)
    free[buyer] -= withdrawal
    day = list(terms.delivery_days())[-left]
    window = block_series.delivery_window(terms, floor.rules, day)
    floor.chain.set_time(window.due - 1)
    assert floor.refusal(floor.blocks.deliver(deal, day)) == "NotReady"
    floor.chain.set_time(window.due)
    events = dict(floor.send(floor.blocks, floor.blocks.deliver(deal, day)))
    secured = block_series.margins(terms, mark + 29_000, mark, terms.energy(4, left))
    paid = block_series.compensation(secured, margin[buyer], buyer=True)
    assert events["Defaulted"]["compensation"] == paid > 0
    free[buyer] += margin[buyer] - paid
    free[seller] += margin[seller] + paid
    _check(floor, deal, free, {buyer: 0, seller: 0})
    assert floor.accounts.pot_of(floor.blocks.address) == 0


def _check(floor: Floor, deal: int, free: dict[int, int], margin: dict[int, int]) -> None:
    terms = floor.blocks.deal_of(deal)
    assert terms is not None
    assert (terms.buyer_margin, terms.seller_margin) == tuple(margin.values())
    assert {account: floor.accounts.free_of(account) for account in free} == free
    floor.assert_money_is_where_the_book_says()


def test_deals_replay_from_their_events_whatever_happens(floor: Floor) -> None:
    draw = random.Random(6)
    first = floor.today + 2
    terms = Series(1, 0, block_series.EVERY_DAY, 10, 2, first, first + 3, 100,
                   calendar.day_start(floor.rules, first) - 3_600 * 8, 200, 3_000)  # fmt: skip
    floor.send(floor.blocks, floor.blocks.create(terms))
    series, made = floor.blocks.series_count(), floor.blocks.deal_count()
    marked = floor.today + 1
    floor.mark(series, marked, [50_000] * 24)
    floor.follow()
    for number in range(4):
        price = 50_000 + draw.randint(-9_000, 9_000)
        buyer, seller = draw.sample([6, 7, 8], 2)
        buy = Limit(buyer, 1, 0, SERIES | series, price, 5, 1, 0, True, 100 + number, 2**40, NO_ENGINE)
        sell = replace(buy, account=seller, buy=False, source=2)
        floor.send(floor.market, floor.market.match_orders(floor.sign(buy), floor.sign(sell), 5))
    deals = range(made + 1, floor.blocks.deal_count() + 1)
    seen: set[str] = set()
    now, end = floor.chain.head().timestamp, calendar.day_start(floor.rules, terms.last_day + 1)
    while now < end:
        now = max(now, floor.chain.head().timestamp) + draw.randint(2 * 3_600, 8 * 3_600)
        floor.chain.set_time(now)
        today = calendar.day_at(floor.rules, now)
        if marked < today + 1:
            marked = today + 2
            floor.mark(series, marked, [draw.choice((20_000, 50_000, 65_000, 90_000))] * 24)
        if draw.random() < 0.2:
            account = draw.choice((6, 7, 8))
            _withdraw(floor, account, floor.book.ledger.free[account] - draw.choice((0, 10**9)))
        for deal in deals:
            known = floor.blocks.deal_of(deal)
            assert known is not None
            days = [day for day in terms.delivery_days() if day >= known.next_day]
            calls = [floor.blocks.call_margin(deal, draw.random() < 0.5), floor.blocks.close(deal)]
            calls += [floor.blocks.deliver(deal, day) for day in days[:2]]
            for call in calls:
                if floor.refusal(call) is None:
                    seen |= {name for name, _ in floor.send(floor.blocks, call)}
        floor.assert_money_is_where_the_book_says()
    assert floor.accounts.pot_of(floor.blocks.address) == 0
    assert seen >= {"Delivered", "MarginMoved", "Defaulted", "DealClosed"}


def _withdraw(floor: Floor, account: int, nano: int) -> None:
    """Take money out of an account's free balance, if nothing is under way to its owner."""
    nano -= nano % 1_000
    key = floor.homes[account]
    if nano <= 0 or floor.accounts.withdrawal_of(account)[0] != 0:
        return
    if floor.chain.balance(key.raw_address) == 0:
        floor.sender.fund(floor.keeper, [key.address], 10**18)
    floor.sender.send(key, floor.accounts.request_withdrawal(account, nano))
    floor.book.ledger.request_withdrawal(account, nano)


def _limit(draw: random.Random, floor: Floor, slot: int) -> Limit:
    buy = draw.random() < 0.5
    quantity = draw.randint(9, 400)
    engine = draw.choice((NO_ENGINE, *[ENGINES[0].address] * 4, ENGINES[1].address))
    price = draw.randint(-5, 5) * 1_000 + (5_000 if buy else -5_000) + draw.randint(0, 1)
    terms = (price, quantity, draw.randint(0, 9), draw.choice((0, 0, 0, 0, 1)), buy)
    return Limit(draw.choice(list(floor.homes)), 1, 0, slot, *terms, draw.randint(0, 9), 2**40, engine)
