"""A day of two homes worked by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from otaniemi.contracts.rules.bills import (
    DayFacts,
    account_node,
    bill_day,
    bills_of,
    subtree_by,
    verify_line,
)
from otaniemi.contracts.rules.calendar import Rules, first_slot
from otaniemi.contracts.rules.clearing import clear
from otaniemi.contracts.rules.errors import BillError, FieldError
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.lines import Line, LineHead, Settled, settle
from otaniemi.contracts.rules.merkle_sum import Node
from otaniemi.contracts.rules.meters import MeterLeaf
from otaniemi.contracts.rules.openings import hash_of
from otaniemi.contracts.rules.orders import Book, Market, Order
from otaniemi.contracts.rules.packages import NO_PACKAGE, HomePackages, PackagePrice
from otaniemi.contracts.rules.positions import Agreement
from otaniemi.contracts.rules.references import Reference
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.contracts.rules.sums import LINE_TREE, Sums
from otaniemi.contracts.rules.tariffs import SlotTariff

from ...support.bill_pass import led_to

DAY = 20_000
SALT = bytes(32)
TARIFF = SlotTariff(import_price=250, feed_in=60, short=300, long=20)


def _meter(net: int, quality: int = 0, account: int = 4) -> MeterLeaf:
    return MeterLeaf(account, max(net, 0), max(-net, 0), quality, SALT)


@pytest.mark.parametrize(
    ("trade", "schedule", "meter", "retail", "imbalance"),
    [
        (0, 1_000, 1_000, 250_000, 0),  # what was nominated is bought at the import price
        (400, 1_000, 1_000, 150_000, 0),  # less what was traded
        (0, -1_000, -1_000, -60_000, 0),  # metered export is paid at the feed-in price
        (
            0,
            -1_000,
            -600,
            -60 * 600 - 20 * 400,
            400 * 300,
        ),  # the rest at the long price, the missing at the short
        (-1_000, -1_000, 0, 0, 300_000),  # who sells and does not deliver owes imbalance
        (500, 500, 200, 0, -300 * 20),  # drawing less than bought is taken at the long price
        (500, 0, 0, -500 * 20, 0),  # bought and nominated away without export: the long price
    ],
)
def test_retail_and_imbalance(trade: int, schedule: int, meter: int, retail: int, imbalance: int) -> None:
    assert settle(trade, schedule, _meter(meter), TARIFF) == Settled(meter, retail, imbalance)


def test_an_estimated_meter_is_billed_at_the_dearest_candidate() -> None:
    # Sold 500: candidates 0 (schedule), 700 (estimate), 0. 700 costs 1,200 Wh of imbalance.
    assert settle(-500, -500, _meter(700, quality=1), TARIFF) == Settled(700, 0, 1_200 * 300)
    # Nothing traded, 900 nominated: drawing 0 would be credited 900 at the long price, drawing 900 costs most.
    assert settle(0, 900, _meter(100, quality=1), TARIFF) == Settled(900, 225_000, 0)


def test_the_first_of_equally_dear_candidates_is_billed() -> None:
    flat = SlotTariff(0, 0, 0, 0)
    assert settle(0, 300, _meter(700, quality=1), flat).meter_wh == 300


@pytest.fixture(scope="module")
def facts(rules: Rules) -> DayFacts:
    slot = first_slot(rules, DAY) + 5
    market = Market(1, 0, slot, 0)

    def order(account: int, price: int, quantity: int, buy: bool, nonce: int) -> Order:
        return Order(account, 1, 0, slot, 0, price, quantity, 1, buy, nonce, 2**40)

    book = Book.of_orders(
        [order(4, 200_000, 600, True, 0), order(5, 100_000, 500, False, 0), order(4, 50_000, 100, True, 1)]
    )
    last = Market(1, 0, slot, 2)
    empty = Book.of_orders([order(5, 300_000, 50, False, 1)])
    return DayFacts(
        rules=rules,
        community=1,
        day=DAY,
        markets={
            last: (empty, clear(empty, rules.price_min, rules.price_max)),
            market: (book, clear(book, rules.price_min, rules.price_max)),
        },
        batches={
            0: [[Nomination(5, 1, 0, slot, 1, (-450,))], [Nomination(4, 1, 0, slot - 1, 7, (80, 700, 90))]]
        },
        meters={(0, slot): [_meter(720), _meter(-440, account=5)]},
        retail=[(250_000, 60_000)] * 96,
        imbalance=[(300_000, 20_000)] * 96,
    )


def test_the_lines_of_the_day(facts: DayFacts) -> None:
    slot = first_slot(facts.rules, DAY) + 5
    buyer, seller = bill_day(facts).lines
    # Demand 600 against supply 500: the price is the bid's 200,000; fees 20,000 + 1,000.
    assert buyer == Line(
        account=4, product=0, slot=slot, trade_wh=500, trade_money=500 * 200_000, seq=7, batch=1, leaf=0,
        schedule_wh=700, meter_wh=720, quality=0, retail=200 * 250_000, imbalance=20 * 300_000,
        grid_fee=500 * 20_000, platform_fee=500 * 1_000, lock_release=600 * 221_000 + 100 * 71_000,
        references=(
            Reference(0, 0, 0, 500, 500, 500 * 200_000, 500 * 20_000, 500 * 1_000, 600 * 221_000),
            Reference(0, 0, 2, 0, 0, 0, 0, 0, 100 * 71_000),
        ),
    )  # fmt: skip
    # Sold 500, nominated -450: 50 Wh are bought back at the import price; 10 Wh more are missing.
    assert seller == Line(
        account=5, product=0, slot=slot, trade_wh=-500, trade_money=-500 * 200_000, seq=1, batch=0, leaf=0,
        schedule_wh=-450, meter_wh=-440, quality=0, retail=50 * 250_000, imbalance=10 * 300_000,
        grid_fee=0, platform_fee=0, lock_release=550 * 2_000_000,
        references=(
            Reference(0, 0, 1, 500, -500, -500 * 200_000, 0, 0, 500 * 2_000_000),
            Reference(0, 2, 0, 0, 0, 0, 0, 0, 50 * 2_000_000),
        ),
    )  # fmt: skip


def test_the_day_adds_up(facts: DayFacts) -> None:
    sums = bill_day(facts).sums
    assert sums.trade_wh == sums.trade_money == 0
    assert sums.lock_release == sum(int(book.locks(facts.rules).sum()) for book, _ in facts.markets.values())


def test_a_line_is_178_bytes_and_ends_with_the_root_of_its_references(facts: DayFacts) -> None:
    for line in bill_day(facts).lines:
        head = line.head
        data = head.encode()
        assert len(data) == 178
        assert LineHead.decode(data) == head
        assert line.node() == Node(keccak(b"\x02" + data), line.sums)
        first, second = (reference.node() for reference in line.references)
        assert data[142:] == (2).to_bytes(4, "big") + LINE_TREE.join(first, second).hash
        assert first.hash == keccak(b"\x06" + line.references[0].encode())
    assert line.references[1].encode().hex() == "00" + "00000002" + "00000000" + "00000000"
    with pytest.raises(FieldError, match="length of a line is 177"):
        LineHead.decode(data[:-1])


def test_references_are_packed_with_what_they_add(facts: DayFacts) -> None:
    references = [line.references for line in bill_day(facts).lines]
    for several in references:
        assert Reference.unpack_all(b"".join(one.pack() for one in several)) == several
    with pytest.raises(FieldError, match="length of references is 92"):
        Reference.unpack_all(references[0][0].pack()[1:])


def test_a_position_stands_behind_the_orders_and_counts_in_each_of_its_slots(facts: DayFacts) -> None:
    slot = first_slot(facts.rules, DAY) + 5
    agreement = Agreement(4, 5, 1, 9, -30_000, 1, slot - 1, (0, 300, 8))
    positions = {(0, 4): [agreement.side(True)], (0, 5): [agreement.side(False)]}
    homes = [_meter(720), _meter(-440, account=5)]
    meters = {(0, slot - 1): homes, (0, slot): homes, (0, slot + 1): homes}
    bills = bill_day(replace(facts, positions=positions, meters=meters))
    before, buyer, after = bills.accounts[0].lines
    assert before.references == ()
    assert buyer.references[2] == Reference(1, 0, 0, 300, 300, -9_000_000, 6_000_000, 300_000, 300 * 21_000)
    assert (buyer.trade_wh, buyer.trade_money) == (800, 500 * 200_000 - 9_000_000)
    assert after.references == (Reference(1, 0, 0, 8, 8, -240_000, 160_000, 8_000, 8 * 21_000),)
    seller = bills.accounts[1].lines[1]
    assert seller.references[1] == Reference(0, 2, 0, 0, 0, 0, 0, 0, 50 * 2_000_000)
    assert seller.references[2] == Reference(1, 0, 0, 300, -300, 9_000_000, 0, 0, 300 * 2_030_000)


def test_a_curtailed_slot_counts_in_part_and_the_operator_takes_the_rounding(facts: DayFacts) -> None:
    slot = first_slot(facts.rules, DAY) + 5
    bills = bill_day(replace(facts, curtailments={(0, slot): 333}))
    buyer, seller = bills.lines
    # 500 Wh become 166, 700 nominated become 233, -450 become -149; locks are released in full.
    assert [reference.fill for reference in buyer.references] == [166, 0]
    assert (buyer.trade_wh, buyer.schedule_wh, buyer.grid_fee) == (166, 233, 166 * 20_000)
    assert (seller.trade_wh, seller.schedule_wh) == (-166, -149)
    assert bills.sums.lock_release == bill_day(facts).sums.lock_release


@pytest.mark.parametrize(
    ("trade", "schedule", "meter", "supply", "feed_in", "retail", "imbalance"),
    [
        (0, 1_000, 1_000, (200, 400), (0, 0), 400 * 200 + 600 * 250, 0),  # the package first
        (0, 300, 300, (200, 400), (0, 0), 300 * 200, 0),
        (-500, 300, 300, (200, 2**32 - 1), (0, 0), 300 * 200 + 500 * 250, 0),  # and nothing that is resold
        (0, -1_000, -900, (0, 0), (80, 500), -(500 * 80 + 400 * 60 + 100 * 20), 100 * 300),
        (
            0,
            100,
            300,
            (350, 1),
            (0, 0),
            350 + 99 * 250,
            200 * 350,
        ),  # missing energy costs no less than a package
        (0, 100, 0, (0, 0), (10, 1), 100 * 250, -100 * 10),  # nor is surplus worth more
        (0, 100, 300, (350, 0), (10, 0), 100 * 250, 200 * 300),  # a price without volume is none
    ],
)
def test_packages_cover_retail_energy_first(
    trade: int, schedule: int, meter: int, supply: tuple[int, int], feed_in: tuple[int, int], retail: int,
    imbalance: int,
) -> None:  # fmt: skip
    packages = HomePackages(PackagePrice(*supply), PackagePrice(*feed_in), 7)
    settled = settle(trade, schedule, _meter(meter), TARIFF, packages)
    assert settled == Settled(meter, retail + 7, imbalance)


def test_the_daily_fee_does_not_choose_the_estimate() -> None:
    packages = HomePackages(NO_PACKAGE, NO_PACKAGE, 10**9)
    assert settle(-500, -500, _meter(700, quality=1), TARIFF, packages) == Settled(700, 10**9, 1_200 * 300)


def test_the_account_node_carries_what_is_due(facts: DayFacts) -> None:
    buyer = bill_day(facts).accounts[0]
    due = 500 * 200_000 + 200 * 250_000 + 20 * 300_000 + 500 * 21_000 - 600 * 221_000 - 100 * 71_000
    assert buyer.sums.due == due > 0
    assert buyer.sums.debit == due
    packed = b"".join([value.to_bytes(16, "big", signed=True) for value in buyer.subtree.sums])
    head = b"".join([(4).to_bytes(4, "big"), due.to_bytes(16, "big"), (200 * 250_000).to_bytes(16, "big")])
    assert buyer.entry == head + keccak(buyer.subtree.hash + packed)
    assert buyer.opened == head + buyer.subtree.hash + packed
    assert buyer.node.hash == keccak(b"\x04" + buyer.entry)
    assert bill_day(facts).accounts[1].sums.debit == 0


def test_a_line_is_proven_and_no_other(facts: DayFacts) -> None:
    bills = bill_day(facts)
    for line in bills.lines:
        proof = bills.line_proof(line.account, line.product, line.slot)
        assert len(proof.siblings) == 9  # 128 slots and 4 products
        assert proof.position == 5
        assert verify_line(bills.root, line, proof)
        assert not verify_line(bills.root, replace(line, meter_wh=line.meter_wh + 1), proof)
        assert not verify_line(bills.root, replace(line, account=6), proof)


def test_an_absent_line_is_proven_by_its_empty_place(facts: DayFacts) -> None:
    bills = bill_day(facts)
    proof = bills.line_proof(4, 0, bills.first_slot + 6)
    subtree = subtree_by(LINE_TREE.empty, proof.position, proof.siblings)
    root = LINE_TREE.root_by(account_node(4, subtree), proof.index, proof.count, proof.upper)
    assert root == bills.root


def test_chunks_prove_every_account(facts: DayFacts, rules: Rules) -> None:
    line = bill_day(facts).lines[0]
    bills = bills_of(rules, 1, DAY, [replace(line, account=account) for account in range(10, 23)])
    chunks = bills.chunks(2)
    assert [(first, len(part)) for first, part, _ in chunks] == [(0, 4), (4, 4), (8, 4), (12, 1)]
    for chunk in chunks:
        assert led_to(chunk.entries, chunk.first, 13, chunk.proof) == LINE_TREE.commitment(bills.root)


def test_an_inner_node_hashes_the_hash_of_its_childrens_sums() -> None:
    left, right = Node(b"\1" * 32, (1, -2, 3, 4, 5, 6, 7, 8)), Node(b"\2" * 32, (0,) * 7 + (9,))
    packed = [
        b"".join([value.to_bytes(16, "big", signed=True) for value in node.sums]) for node in (left, right)
    ]
    joined = LINE_TREE.join(left, right)
    assert joined.hash == keccak(b"\x03" + left.hash + right.hash + keccak(packed[0] + packed[1]))
    assert joined.sums == (1, -2, 3, 4, 5, 6, 7, 17)


def test_what_inner_nodes_and_accounts_are_hashed_from_opens_nothing(facts: DayFacts) -> None:
    bills = bill_day(facts)
    first, second = bills.accounts
    assert hash_of(b"\x04" + first.opened) == first.node.hash
    assert hash_of(b"\x04" + first.entry) == bytes(32)
    both = LINE_TREE.hash_sums(first.node, second.node)
    opened = b"\x03" + LINE_TREE.pack(first.node) + LINE_TREE.pack(second.node)
    assert hash_of(opened) == bills.root.hash
    assert hash_of(b"\x03" + first.node.hash + second.node.hash + both) == bytes(32)


def test_an_account_that_owes_more_than_128_bits_has_no_node() -> None:
    subtree = Node(bytes(32), (0, 2**127 - 1, 1, 0, 0, 0, 0, 0))
    with pytest.raises(FieldError, match=f"due is {2**127}"):
        account_node(4, subtree)


def test_credits_are_a_chain_that_is_paid_from_its_end(facts: DayFacts, rules: Rules) -> None:
    line = bill_day(facts).lines[0]
    moneys = {10: -5, 11: 7, 12: 3, 13: -1, 14: -(10**9)}
    nothing = dict.fromkeys(("trade_money", "imbalance", "grid_fee", "platform_fee", "lock_release"), 0)
    bare = replace(line, **nothing)
    lines = [replace(bare, account=account, retail=money) for account, money in moneys.items()]
    entries = [account.to_bytes(4, "big") + (-moneys[account]).to_bytes(8, "big") for account in (10, 13, 14)]
    one = keccak(bytes(32) + entries[0])
    three = keccak(keccak(one + entries[1]) + entries[2])
    bills = bills_of(rules, 1, DAY, lines)
    assert bills.credits(1) == [(one, entries[1] + entries[2]), (bytes(32), entries[0])]
    assert bills.credits(2) == bills.credits(2, left=three) == [(bytes(32), b"".join(entries))]
    assert bills.credits(0, left=one) == [(bytes(32), entries[0])]
    assert bills.credits(2, left=bytes(32)) == []
    with pytest.raises(BillError, match=f"0x{entries[0].hex()} is not a chain of credits of day {DAY}"):
        bills.credits(left=entries[0])


def test_an_empty_day_has_the_empty_root(rules: Rules) -> None:
    bills = bills_of(rules, 1, DAY, [])
    assert bills.root == Node(bytes(32), (0,) * 8)
    assert bills.sums == Sums(0, 0, 0, 0, 0, 0, 0, 0)


def test_an_order_without_a_meter_leaf_cannot_be_billed(facts: DayFacts) -> None:
    slot = first_slot(facts.rules, DAY) + 5
    with pytest.raises(BillError, match="account 5 has trades"):
        bill_day(replace(facts, meters={(0, slot): [_meter(720)]}))


def test_a_line_holds_any_number_of_orders(facts: DayFacts) -> None:
    slot = first_slot(facts.rules, DAY) + 5
    book = Book.of_orders([Order(4, 1, 0, slot, 0, 1, 1, 0, True, nonce, 2**40) for nonce in range(300)])
    markets = {Market(1, 0, slot, 0): (book, clear(book, -10, 10))}
    assert len(bill_day(replace(facts, markets=markets)).lines[0].references) == 300


def test_lines_of_another_day_or_twice_are_refused(facts: DayFacts, rules: Rules) -> None:
    line = bill_day(facts).lines[0]
    with pytest.raises(BillError, match="is not of day"):
        bills_of(rules, 1, DAY, [replace(line, slot=line.slot + 96)])
    with pytest.raises(BillError, match="two lines"):
        bills_of(rules, 1, DAY, [line, line])
    with pytest.raises(BillError, match="account 9 has no bill"):
        bills_of(rules, 1, DAY, [line]).account_proof(9)


def test_a_day_of_100_homes_is_billed_with_every_order(rules: Rules) -> None:
    first = first_slot(rules, DAY)
    meters = {
        (0, slot): [MeterLeaf(account, account, 0, 0, SALT) for account in range(4, 104)]
        for slot in range(first, first + 96)
    }
    markets = {}
    for slot in range(first, first + 96):
        for session in range(5):
            buys = [account % 2 == 0 for account in range(100)]
            book = replace(Book.of_columns(buys, [100_000] * 100, [500] * 100), account=np.arange(4, 104))
            markets[Market(1, 0, slot, session)] = book, clear(book, rules.price_min, rules.price_max)
    facts = DayFacts(rules, 1, DAY, markets, {}, meters, [(250_000, 60_000)] * 96, [(300_000, 20_000)] * 96)
    bills = bill_day(facts)
    assert bills.root.hash != bytes(32)
    assert sum(len(line.references) for line in bills.lines) == 5 * 9_600
