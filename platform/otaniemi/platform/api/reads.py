"""Answers that the store holds: orders with their proofs, positions, bills."""

from __future__ import annotations

from sqlalchemy import Connection

from otaniemi.contracts.rules.bills import bills_of
from otaniemi.contracts.rules.calendar import Rules, slots_of_day
from otaniemi.contracts.rules.clearing import clear, fill_proof
from otaniemi.contracts.rules.errors import BillError
from otaniemi.contracts.rules.orders import Book
from otaniemi.contracts.rules.schedules import schedules
from otaniemi.platform.api.services import (
    BillStage,
    BillState,
    NotFoundError,
    OrderState,
    Position,
    RecordState,
)
from otaniemi.platform.store import days, intake, markets, series
from otaniemi.platform.store.markets import AcceptedOrder


def order_state(transaction: Connection, rules: Rules, account: int, nonce: int) -> OrderState:
    """An order by its number, with the proof of every fill.

    Raises
    ------
    NotFoundError
        Neither sent here nor on the chain.
    """
    submission = intake.get_order(transaction, account, nonce)
    accepted = markets.orders_by_nonce(transaction, account, nonce)
    if submission is None and not accepted:
        raise NotFoundError(f"order of account {account} with nonce", nonce)
    records = tuple(_record_state(transaction, rules, order) for order in accepted)
    return OrderState(account, nonce, submission, records)


def order_states(transaction: Connection, rules: Rules, account: int, limit: int) -> list[OrderState]:
    """The latest orders that an account sent here, newest first."""
    sent = intake.orders_of(transaction, account, limit)
    return [order_state(transaction, rules, account, submission.order.nonce) for submission in sent]


def positions(
    transaction: Connection, rules: Rules, community: int, account: int, product: int, day: int
) -> list[Position]:
    """What an account has in every slot of a trading day."""
    slots = slots_of_day(rules, day)
    results = {
        state.market: state.result
        for state in markets.between(transaction, community, product, slots.start, slots.stop)
    }
    trade_wh, trade_nano = dict.fromkeys(slots, 0), dict.fromkeys(slots, 0)
    for order in markets.orders_of(transaction, account, slots.start, slots.stop):
        result = results.get(order.market)
        if order.fill_wh and result:
            signed = order.fill_wh if order.buy else -order.fill_wh
            trade_wh[order.market.slot] += signed
            trade_nano[order.market.slot] += signed * result.price
    nominated = schedules(days.nomination_batches(transaction, community, product, day))
    readings = series.readings_of(transaction, product, account, slots.start, slots.stop)
    found = []
    for slot in slots:
        schedule = nominated.get((account, slot))
        schedule_wh = trade_wh[slot] if schedule is None else schedule.wh
        found.append(
            Position(
                slot, trade_wh[slot], trade_nano[slot], schedule_wh, schedule is not None, readings.get(slot)
            )
        )
    return found


def bill_state(
    transaction: Connection,
    rules: Rules,
    community: int,
    account: int,
    day: int,
    stage: BillStage,
    origin: bytes,
) -> BillState:
    """The bill of an account from the lines of its day; ``origin`` is the transaction that proposed them.

    Raises
    ------
    NotFoundError
        The account has no line that day.
    """
    bills = bills_of(rules, community, day, days.bill_lines(transaction, community, day))
    try:
        index = bills.index(account)
    except BillError as error:
        raise NotFoundError(f"bill of account {account} for day", day) from error
    siblings = tuple(bills.account_proof(account))
    count = len(bills.accounts)
    return BillState(day, stage, bills.accounts[index], index, count, siblings, bills.root, origin)


def _record_state(transaction: Connection, rules: Rules, order: AcceptedOrder) -> RecordState:
    state = markets.get(transaction, order.market)
    if state is None or state.result is None:
        return RecordState(order, None, 0, ())
    book = Book.of_records(markets.records_of(transaction, order.market))
    clearing = clear(book, rules.price_min, rules.price_max)
    proof = tuple(fill_proof(book, clearing, order.index))
    return RecordState(order, state.result, int(clearing.prefixes[order.index]), proof)
