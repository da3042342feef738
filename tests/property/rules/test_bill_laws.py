"""Why telling the truth is the best nomination, and why a day's bills add up to zero."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otaniemi.contracts.rules.bills import DayFacts, bill_day
from otaniemi.contracts.rules.calendar import Rules, first_slot
from otaniemi.contracts.rules.clearing import clear
from otaniemi.contracts.rules.errors import LedgerError
from otaniemi.contracts.rules.ledger import Ledger
from otaniemi.contracts.rules.lines import LineHead, settle
from otaniemi.contracts.rules.meters import MeterLeaf
from otaniemi.contracts.rules.orders import Book, Market, Order
from otaniemi.contracts.rules.packages import NO_PACKAGES, HomePackages, PackagePrice
from otaniemi.contracts.rules.payout import pay_out
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.contracts.rules.sums import LINE_TREE
from otaniemi.contracts.rules.tariffs import SlotTariff, slot_tariffs

from ...support.bill_pass import led_to

PRICE = st.integers(-1_000, 2_000)
WH = st.integers(-50, 50)
SALT = bytes(32)
DAY = 20_000


@st.composite
def tariffs(draw: st.DrawFn) -> SlotTariff:
    """Any prices the oracle accepts, negative ones too."""
    low, high = sorted((draw(PRICE), draw(PRICE)))
    return slot_tariffs([(high, low)], [(draw(PRICE), draw(PRICE))])[0]


def _meter(net: int, quality: int = 0) -> MeterLeaf:
    return MeterLeaf(1, max(net, 0), max(-net, 0), quality, SALT)


@st.composite
def packages(draw: st.DrawFn) -> HomePackages:
    """Any packages, far better and far worse than the tariff, of little and of unlimited volume."""
    volumes = st.sampled_from([0, 1, 20, 2**32 - 1])
    return HomePackages(PackagePrice(draw(PRICE), draw(volumes)), PackagePrice(draw(PRICE), draw(volumes)), 0)


def _cost(
    trade: int, schedule: int, meter: int, tariff: SlotTariff, covered: HomePackages = NO_PACKAGES
) -> int:
    settled = settle(trade, schedule, _meter(meter), tariff, covered)
    return settled.retail + settled.imbalance


@settings(max_examples=1_000)
@given(trade=WH, meter=WH, schedule=WH, tariff=tariffs(), covered=packages())
def test_misnominating_never_pays_whatever_the_packages(
    trade: int, meter: int, schedule: int, tariff: SlotTariff, covered: HomePackages
) -> None:
    assert _cost(trade, meter, meter, tariff, covered) <= _cost(trade, schedule, meter, tariff, covered)


@settings(max_examples=1_000)
@given(
    meters=st.tuples(WH, WH),
    schedules=st.tuples(WH, WH),
    sold=WH,
    tariff=tariffs(),
)
def test_energy_passed_between_own_accounts_never_beats_one_meter(
    meters: tuple[int, int], schedules: tuple[int, int], sold: int, tariff: SlotTariff
) -> None:
    # The price between them cancels; what is left is retail and imbalance of both.
    trades = (sold, -sold)
    together = sum(_cost(t, s, m, tariff) for t, s, m in zip(trades, schedules, meters, strict=True))
    assert together >= _cost(0, sum(meters), sum(meters), tariff)


@given(
    meters=st.tuples(st.integers(0, 50), st.integers(0, 50)),
    schedules=st.tuples(WH, WH),
    sold=WH,
    tariff=tariffs(),
)
def test_virtual_energy_never_pays(
    meters: tuple[int, int], schedules: tuple[int, int], sold: int, tariff: SlotTariff
) -> None:
    # Neither account exports, so whatever one sells to the other does not exist.
    together = sum(_cost(t, s, m, tariff) for t, s, m in zip((sold, -sold), schedules, meters, strict=True))
    assert together >= sum(_cost(0, m, m, tariff) for m in meters)


@given(trade=WH, schedule=WH, estimate=st.integers(0, 50), tariff=tariffs())
def test_switching_the_meter_off_is_never_better_than_drawing_nothing_or_the_schedule(
    trade: int, schedule: int, estimate: int, tariff: SlotTariff
) -> None:
    settled = settle(trade, schedule, _meter(estimate, quality=1), tariff)
    for meter in (0, max(schedule, 0), estimate):
        assert settled.retail + settled.imbalance >= _cost(trade, schedule, meter, tariff)


@st.composite
def days(draw: st.DrawFn, rules: Rules) -> DayFacts:
    """Two slots, three sessions, five homes with any orders, nominations and readings."""
    first = first_slot(rules, DAY)
    accounts = range(4, 9)
    markets = {}
    for slot in (first, first + 95):
        for session in range(3):
            rows = draw(
                st.lists(
                    st.tuples(
                        st.sampled_from(accounts), st.integers(-3, 9), st.integers(1, 30), st.booleans()
                    ),
                    max_size=8,
                )
            )
            if rows:
                book = Book.of_orders(
                    [
                        Order(account, 1, 0, slot, session, 10_000 * price, wh, 1, buy, 0, 2**40)
                        for account, price, wh, buy in rows
                    ]
                )
                markets[Market(1, 0, slot, session)] = book, clear(book, rules.price_min, rules.price_max)
    nominations = draw(
        st.lists(
            st.lists(st.builds(Nomination, st.sampled_from(accounts), st.just(1), st.just(0), st.just(first),
                               st.integers(1, 3), st.lists(WH, max_size=96).map(tuple)), max_size=3),
            max_size=3,
        )
    )  # fmt: skip
    meters = {
        (0, slot): [
            MeterLeaf(
                account,
                draw(st.integers(0, 50)),
                0 if estimated else draw(st.integers(0, 50)),
                estimated,
                SALT,
            )
            for account in accounts
            for estimated in [draw(st.integers(0, 1))]
        ]
        for slot in (first, first + 95)
    }
    return DayFacts(
        rules, 1, DAY, markets, {0: nominations}, meters, [(250_000, 60_000)] * 96, [(9, 5_000)] * 96
    )


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_day_adds_up_to_zero(rules: Rules, data: st.DataObject) -> None:
    facts = data.draw(days(rules))
    bills = bill_day(facts)
    sums = bills.sums
    assert sums.trade_wh == sums.trade_money == 0
    assert sums.lock_release == sum(int(book.locks(rules).sum()) for book, _ in facts.markets.values())
    members = sum(bill.sums.due + bill.sums.lock_release for bill in bills.accounts)
    parties = sums.retail + (sums.imbalance + sums.grid_fee) + sums.platform_fee
    assert members == parties
    assert sums.debit == sum(max(bill.sums.due, 0) for bill in bills.accounts)
    for line in bills.lines:
        assert LineHead.decode(line.head.encode()) == line.head
    for chunk in bills.chunks(1):
        led = led_to(chunk.entries, chunk.first, len(bills.accounts), chunk.proof)
        assert led == LINE_TREE.commitment(bills.root)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_trades_and_fees_are_covered_by_the_accounts_own_locks(rules: Rules, data: st.DataObject) -> None:
    # So a peer is never unpaid.
    for bill in bill_day(data.draw(days(rules))).accounts:
        sums = bill.sums
        assert sums.trade_money + sums.grid_fee + sums.platform_fee <= sums.lock_release


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(0, 10**9))
def test_paying_a_day_out_creates_no_money_and_leaves_no_member_unpaid(
    rules: Rules, data: st.DataObject, spare: int
) -> None:
    facts = data.draw(days(rules))
    bills = bill_day(facts)
    ledger = Ledger()
    for party in (rules.retailer, rules.grid_operator, rules.platform):
        ledger.deposit(party, 10**15)
    for book, _ in facts.markets.values():
        for account, nano in zip(book.account.tolist(), book.locks(rules).tolist(), strict=True):
            ledger.deposit(account, nano)
            ledger.lock(account, nano, 1, DAY)
    for bill in bills.accounts:
        ledger.deposit(bill.account, spare)
    owed = ledger.owed
    before = Counter(ledger.free)
    payout = pay_out(ledger, "Settlement", rules, bills)
    assert ledger.owed == owed
    assert ledger.pots["Settlement"] == 0
    assert ledger.locks.total() == 0
    claims = {debit.account: debit.retail_claim + debit.operator_claim for debit in payout.debits}
    for bill in bills.accounts:
        assert ledger.free[bill.account] == before[bill.account] - bill.sums.due + claims.get(bill.account, 0)
        assert claims.get(bill.account, 0) == max(0, bill.sums.due - spare)
    paid = payout.retailer + payout.grid_operator + payout.platform
    moved = [
        ledger.free[party] - before[party] for party in (rules.retailer, rules.grid_operator, rules.platform)
    ]
    assert moved == [payout.retailer, payout.grid_operator, payout.platform]
    assert paid + sum(nano for _, nano in payout.credits) == payout.released + sum(
        d.taken for d in payout.debits
    )


def test_a_party_that_cannot_pay_must_deposit(rules: Rules) -> None:
    first = first_slot(rules, DAY)
    exporter = {(0, first): [MeterLeaf(4, 0, 1_000, 0, SALT)]}
    facts = DayFacts(
        rules, 1, DAY, {}, {0: [[Nomination(4, 1, 0, first, 1, (-1_000,))]]}, exporter,
        [(250_000, 60_000)] * 96, [(9, 5_000)] * 96,
    )  # fmt: skip
    with pytest.raises(LedgerError, match="account 1 owes 60,000,000 nano-token"):
        pay_out(Ledger(), "Settlement", rules, bill_day(facts))
