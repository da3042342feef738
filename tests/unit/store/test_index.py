"""The index of the chain: what goes in comes out, twice is once, and a reorganisation undoes its blocks."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, func, select

from otaniemi.contracts.chain.blocks import Log
from otaniemi.contracts.rules.clearing import clear, fill_root
from otaniemi.contracts.rules.keys import DeviceLimits
from otaniemi.contracts.rules.lines import Line
from otaniemi.contracts.rules.orders import Book, Market, Order, SkipReason
from otaniemi.contracts.rules.positions import Agreement
from otaniemi.contracts.rules.references import Reference
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.contracts.rules.tariffs import Feed, TariffReport
from otaniemi.oracles.meters import Reading
from otaniemi.platform.store import (
    Store,
    chain_index,
    days,
    form_logs,
    intake,
    markets,
    members,
    positions,
    readings,
    schema,
)
from otaniemi.platform.store.chain_index import IndexedBlock
from otaniemi.platform.store.intake import Status
from otaniemi.platform.store.markets import MarketLabels, MarketResult
from otaniemi.platform.store.members import Member

MARKET = Market(1, 0, 469_000, 2)
MEMBER = Member(7, 1, "0x" + "a" * 40, "0x" + "b" * 40, {0: b"\x07" * 32}, "Aino")
LINE = Line(
    7,
    0,
    469_000,
    -500,
    -30_000_000,
    1,
    0,
    2,
    -400,
    -300,
    0,
    5,
    -6,
    7,
    8,
    9,
    (Reference(0, 2, 1, 500, -500, -30_000_000, 0, 0, 2**70),),
)


def order(account: int, buy: bool, price: int, quantity: int, nonce: int = 0) -> Order:
    return Order(account, 1, 0, 469_000, 2, price, quantity, 0, buy, nonce, 1_700_000_000)


BUY, SELL, LOSER = order(7, True, 90_000, 800), order(8, False, 50_000, 500), order(7, True, 40_000, 100, 1)


def trade(transaction: Connection, block: int = 3) -> MarketResult:
    """Two batches of orders, then the clearing."""
    book = Book.of_orders([BUY, SELL, LOSER])
    clearing = clear(book, -4_000_000, 4_000_000)
    result = MarketResult(
        clearing.price,
        clearing.volume,
        clearing.demand_above,
        clearing.supply_below,
        len(book),
        fill_root(book, clearing),
    )
    markets.open_markets(transaction, [(MARKET, 100, 200)])
    markets.add_records(transaction, MARKET, 0, BUY.record() + SELL.record(), b"\xaa" * 32, block - 2)
    markets.add_records(transaction, MARKET, 2, LOSER.record(), b"\xbb" * 32, block - 1)
    markets.set_result(transaction, MARKET, result, clearing.fills.tolist(), block)
    return result


def enter(transaction: Connection, member: Member, block: int = 1) -> None:
    members.register(transaction, member.account, member.community, member.owner, block)
    members.rotate_device(transaction, member.account, member.device, block)
    for product, meter in member.meters.items():
        members.approve_meter(transaction, member.account, product, meter, block)
    members.rename(transaction, member.account, member.name)


def test_members_are_found_by_account_owner_and_community(transaction: Connection) -> None:
    second = replace(MEMBER, account=9, name="Väinö")
    for member in (second, MEMBER):
        enter(transaction, member)
    assert members.get(transaction, 7) == MEMBER
    assert members.get(transaction, 8) is None
    assert (
        members.of_owner(transaction, MEMBER.owner)
        == members.of_community(transaction, 1)
        == [MEMBER, second]
    )


def test_an_owner_orders_for_a_fresh_account_without_meter_and_name(transaction: Connection) -> None:
    members.register(transaction, 7, 1, MEMBER.owner, 1)
    fresh = Member(7, 1, MEMBER.owner, MEMBER.owner, {}, "account 7")
    assert members.get(transaction, 7) == fresh
    members.rotate_device(transaction, 8, MEMBER.device, 2)
    assert members.of_community(transaction, 1) == [fresh]


def test_a_forgotten_block_leaves_the_keys_that_were_there_before(transaction: Connection) -> None:
    enter(transaction, MEMBER)
    members.rotate_device(transaction, 7, "0x" + "c" * 40, 2)
    members.approve_meter(transaction, 7, 1, b"\x09" * 32, 3)
    changed = replace(MEMBER, device="0x" + "c" * 40, meters={0: b"\x07" * 32, 1: b"\x09" * 32})
    assert members.of_community(transaction, 1) == [changed]
    limits = DeviceLimits(2**33, 500, -10, 10)
    members.limit_device(transaction, 7, limits, 4)
    members.hand_over(transaction, 7, "0x" + "d" * 40, 5)
    assert members.of_owner(transaction, "0x" + "d" * 40) == [
        replace(changed, limits=limits, owner="0x" + "d" * 40)
    ]
    chain_index.forget_from(transaction, 5)
    assert members.get(transaction, 7) == replace(changed, limits=limits)
    members.rotate_device(transaction, 7, "0x" + "e" * 40, 5)
    assert members.get(transaction, 7) == replace(changed, device="0x" + "e" * 40)
    chain_index.forget_from(transaction, 3)
    assert members.get(transaction, 7) == replace(changed, meters=MEMBER.meters)
    chain_index.forget_from(transaction, 2)
    assert members.get(transaction, 7) == MEMBER


def test_a_market_is_open_until_its_result(transaction: Connection) -> None:
    markets.open_markets(transaction, [(MARKET, 100, 200), (MARKET._replace(session=0), 10, 20)])
    first, second = markets.between(transaction, 1, 0, 469_000, 469_001)
    assert (first.market.session, first.relay_gate, second.direct_gate, second.result) == (0, 10, 200, None)
    assert markets.between(transaction, 1, 0, 469_001, 470_000) == []
    result = trade(transaction)
    cleared = markets.get(transaction, MARKET)
    assert cleared is not None
    assert cleared.result == result
    assert result.volume_wh == 500


def test_labels_stand_beside_the_result_and_go_with_their_block(transaction: Connection) -> None:
    result = trade(transaction, block=3)
    labels = MarketLabels(2_000, 500, 300)
    markets.set_labels(transaction, MARKET, labels, b"\xcc" * 32, [400, 500, 0], 4)
    state = markets.get(transaction, MARKET)
    assert state is not None
    assert state.result == replace(result, root=b"\xcc" * 32, labels=labels)
    bought, unfilled = markets.orders_of(transaction, 7, 469_000, 469_001)
    assert (bought.labelled_wh, unfilled.labelled_wh) == (400, 0)
    chain_index.forget_from(transaction, 4)
    state = markets.get(transaction, MARKET)
    assert state is not None
    assert state.result == result
    bought, unfilled = markets.orders_of(transaction, 7, 469_000, 469_001)
    assert (bought.fill_wh, bought.labelled_wh, unfilled.labelled_wh) == (500, None, None)


def test_the_book_comes_back_in_order_of_arrival(transaction: Connection) -> None:
    trade(transaction)
    assert markets.records_of(transaction, MARKET) == BUY.record() + SELL.record() + LOSER.record()


def test_accepted_orders_carry_their_fill_and_transaction(transaction: Connection) -> None:
    trade(transaction)
    bought, unfilled = markets.orders_of(transaction, 7, 469_000, 469_001)
    assert (bought.index, bought.price, bought.quantity, bought.buy) == (0, 90_000, 800, True)
    assert (bought.fill_wh, bought.transaction) == (500, b"\xaa" * 32)
    assert (unfilled.index, unfilled.fill_wh, unfilled.transaction) == (2, 0, b"\xbb" * 32)
    assert markets.orders_by_nonce(transaction, 7, 2**24 + 1) == [unfilled]


def test_a_batch_read_twice_is_there_once(transaction: Connection) -> None:
    trade(transaction)
    before = markets.orders_of(transaction, 7, 0, 2**31)
    trade(transaction)
    assert markets.orders_of(transaction, 7, 0, 2**31) == before


def test_prices_in_quarantine_are_not_the_days_until_they_count(transaction: Connection) -> None:
    first = TariffReport(1, Feed.RETAIL, 19_576, ((300_000, 20_000),) * 24)
    jump = replace(first, prices=((900_000, 20_000),) * 24)
    days.add_tariff(transaction, first, block=1)
    days.add_waiting_tariff(transaction, jump, block=2)
    assert days.tariff(transaction, 1, Feed.RETAIL, 19_576) == first
    days.count_waiting_tariff(transaction, 1, Feed.RETAIL, 19_576, block=3)
    assert days.tariff(transaction, 1, Feed.RETAIL, 19_576) == jump
    days.add_tariff(transaction, first, block=4)
    assert days.tariff(transaction, 1, Feed.RETAIL, 19_576) == first


def test_a_lost_block_leaves_the_prices_that_were_there_before(transaction: Connection) -> None:
    first = TariffReport(1, Feed.RETAIL, 19_576, ((300_000, 20_000),) * 24)
    second = replace(first, prices=((310_000, 20_000),) * 24)
    days.add_tariff(transaction, first, block=1)
    for _ in range(2):
        days.add_tariff(transaction, second, block=3)
    assert days.tariff(transaction, 1, Feed.RETAIL, 19_576) == second
    chain_index.forget_from(transaction, 2)
    assert days.tariff(transaction, 1, Feed.RETAIL, 19_576) == first


def test_tariffs_nominations_and_bills_come_back_as_they_were(transaction: Connection) -> None:
    tariff = TariffReport(1, Feed.IMBALANCE, 19_576, ((300_000, -20_000),) * 24)
    one, two = Nomination(7, 1, 0, 469_000, 1, (5, -6)), Nomination(8, 1, 0, 469_000, 1, (0,))
    unfilled = replace(LINE, slot=469_001, references=())
    for _ in range(2):
        days.add_tariff(transaction, tariff, block=1)
        days.add_nominations(transaction, 19_576, 0, [one, two], block=1)
        days.add_nominations(transaction, 19_576, 1, [one], block=2)
        days.keep_bills(transaction, 1, 19_576, [unfilled, replace(LINE, account=8), LINE])
    assert days.tariff(transaction, 1, Feed.IMBALANCE, 19_576) == tariff
    assert days.tariff(transaction, 1, Feed.RETAIL, 19_576) is None
    assert days.nomination_batches(transaction, 1, 0, 19_576) == [[one, two], [one]]
    assert days.bill_lines(transaction, 1, 19_576, account=7) == [LINE, unfilled]
    assert len(days.bill_lines(transaction, 1, 19_576)) == 3


def test_agreements_come_back_in_the_order_of_the_chain(transaction: Connection) -> None:
    first = Agreement(7, 8, 1, 2**64 - 1, -5, 1, 469_000, (0, 700))
    second = Agreement(8, 9, 5, 3, 80_000, 0, 469_001, (20,))
    for _ in range(2):  # an event read twice is there once
        positions.add_agreement(transaction, 1, 0, 19_576, first, b"\xbb" * 32, 0, block=4)
        positions.add_agreement(transaction, 1, 0, 19_576, second, b"\xaa" * 32, 0, block=5)
    positions.add_agreement(transaction, 1, 0, 19_577, first, b"\xaa" * 32, 1, block=5)
    assert positions.agreements_of_day(transaction, 1, 0, 19_576) == [first, second]
    of_day = positions.positions_of_day(transaction, 1, 0, 19_576)
    assert of_day[0, 8] == [first.side(buy=False), second.side(buy=True)]
    assert set(of_day) == {(0, 7), (0, 8), (0, 9)}
    chain_index.forget_from(transaction, 5)
    assert positions.agreements_of_day(transaction, 1, 0, 19_576) == [first]
    assert positions.agreements_of_day(transaction, 1, 0, 19_577) == []


def test_logs_of_a_contract_come_back_in_the_order_of_the_chain(transaction: Connection) -> None:
    ours, other = b"\x01" * 20, b"\x02" * 20
    first, second, third = (
        Log(ours, (b"\x07" * 32, b"\x08" * 32), b"data"),
        Log(ours, (), b""),
        Log(ours, (bytes(32),), b"\xff"),
    )
    for _ in range(2):  # a receipt read twice is there once
        form_logs.add_logs(transaction, b"\xbb" * 32, [first, Log(other, (), b"x"), second], block=4)
    form_logs.add_logs(transaction, b"\xaa" * 32, [third], block=5)
    assert form_logs.logs_of(transaction, ours) == [first, second, third]
    chain_index.forget_from(transaction, 5)
    assert form_logs.logs_of(transaction, ours) == [first, second]


def test_logs_are_found_by_the_number_and_the_accounts_that_they_name(transaction: Connection) -> None:
    ours, created, traded = b"\x01" * 20, b"\xcc" * 32, b"\xdd" * 32

    def log(kind: bytes, *numbers: int) -> Log:
        return Log(ours, (kind, *[number.to_bytes(32, "big") for number in numbers]), b"")

    logs = [
        log(created, 1, 5),
        log(created, 2, 6),
        log(traded, 1, 7, 8),
        log(traded, 1, 9, 5),
        log(created, 3),
    ]
    form_logs.add_logs(transaction, b"\xaa" * 32, [*logs, Log(b"\x02" * 20, logs[0].topics, b"")], block=1)
    assert form_logs.logs_of(transaction, ours, 1) == [logs[0], logs[2], logs[3]]
    assert form_logs.subjects(transaction, ours, [created]) == [3, 2, 1]
    assert form_logs.subjects(transaction, ours, [created, traded], 5) == [1]
    assert form_logs.subjects(transaction, ours, [traded], 8) == [1]
    assert form_logs.subjects(transaction, ours, [created], 1) == []
    assert sorted(form_logs.counts(transaction, ours)) == [
        (1, created, 1),
        (1, traded, 2),
        (2, created, 1),
        (3, created, 1),
    ]


def test_the_first_reading_of_a_slot_stands(transaction: Connection) -> None:
    assert readings.add_reading(transaction, 0, 5, 7, Reading(100, 0), now=9)
    assert not readings.add_reading(transaction, 0, 5, 7, Reading(999, 0), now=10)
    assert readings.readings_of(transaction, 0, 7, 0, 9) == {5: Reading(100, 0)}


def test_bills_drawn_up_again_replace_the_first(transaction: Connection) -> None:
    days.keep_bills(transaction, 1, 19_576, [LINE, replace(LINE, account=8)])
    days.keep_bills(transaction, 1, 19_576, [replace(LINE, retail=6)])
    assert days.bill_lines(transaction, 1, 19_576) == [replace(LINE, retail=6)]


def test_the_index_knows_how_far_it_came(transaction: Connection) -> None:
    assert chain_index.last_block(transaction) is None
    for number in (1, 2, 2):
        chain_index.add_block(transaction, IndexedBlock(number, bytes([number]) * 32))
    assert chain_index.last_block(transaction) == IndexedBlock(2, b"\x02" * 32)
    assert chain_index.hash_of_block(transaction, 1) == b"\x01" * 32
    assert chain_index.hash_of_block(transaction, 3) is None


def test_a_reorganisation_undoes_its_blocks_alone(transaction: Connection) -> None:
    enter(transaction, MEMBER)
    for message in (BUY, LOSER):
        intake.receive_order(transaction, message, b"\x01" * 64, now=5)
    trade(transaction, block=3)
    intake.orders_accepted(transaction, [(MARKET, BUY.record())], block=1)
    intake.orders_skipped(transaction, [(7, 1, SkipReason.EXPIRED)], block=2)
    chain_index.add_block(transaction, IndexedBlock(1, b"\x01" * 32))
    chain_index.add_block(transaction, IndexedBlock(2, b"\x02" * 32))
    chain_index.forget_from(transaction, 2)
    assert chain_index.last_block(transaction) == IndexedBlock(1, b"\x01" * 32)
    assert markets.records_of(transaction, MARKET) == BUY.record() + SELL.record()
    market = markets.get(transaction, MARKET)
    assert market is not None
    assert market.result is None
    assert [kept.fill_wh for kept in markets.orders_of(transaction, 7, 0, 2**31)] == [None]
    assert members.get(transaction, 7) == MEMBER
    assert [kept.status for kept in intake.orders_of(transaction, 7)] == [Status.RECEIVED, Status.RELAYED]


def test_the_index_can_be_dropped_and_what_is_private_stays(transaction: Connection) -> None:
    enter(transaction, MEMBER)
    trade(transaction)
    days.keep_bills(transaction, 1, 19_576, [LINE])
    readings.add_reading(transaction, 0, 5, 7, Reading(100, 0), now=9)
    chain_index.forget_from(transaction, 0)
    for table in schema.INDEX:
        assert transaction.scalar(select(func.count()).select_from(table)) == 0
    assert readings.readings_of(transaction, 0, 7, 0, 9) == {5: Reading(100, 0)}
    assert days.bill_lines(transaction, 1, 19_576) == [LINE]
    members.register(transaction, 7, 1, MEMBER.owner, 1)
    assert members.of_community(transaction, 1)[0].name == MEMBER.name


def test_a_book_of_five_thousand_orders_is_stored(store: Store) -> None:
    count = 5_000
    records = b"".join(order(7, True, 90_000, 1, nonce).record() for nonce in range(count))
    with store.begin() as transaction:
        markets.open_markets(transaction, [(MARKET, 100, 200)])
        markets.add_records(transaction, MARKET, 0, records, b"\xaa" * 32, 1)
        markets.set_result(transaction, MARKET, MarketResult(0, 0, 0, 0, count, bytes(32)), [0] * count, 2)
    with store.read() as transaction:
        assert markets.records_of(transaction, MARKET) == records
