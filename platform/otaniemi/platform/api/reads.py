"""Answers that the store holds: orders with their proofs, positions, bills."""

from __future__ import annotations

from sqlalchemy import Connection

from otaniemi.contracts.rules.bills import bills_of
from otaniemi.contracts.rules.calendar import Rules, slots_of_day
from otaniemi.contracts.rules.clearing import Clearing, clear, fill_leaves, void
from otaniemi.contracts.rules.errors import BillError
from otaniemi.contracts.rules.labels import label
from otaniemi.contracts.rules.merkle import levels_of, proof_of
from otaniemi.contracts.rules.orders import Book, Market
from otaniemi.contracts.rules.schedules import schedules
from otaniemi.platform.api.services import (
    BillStage,
    BillState,
    NotFoundError,
    OrderState,
    Position,
    RecordState,
)
from otaniemi.platform.store import days, intake, markets
from otaniemi.platform.store import positions as agreements
from otaniemi.platform.store.markets import AcceptedOrder, MarketResult


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
    results = _Results(transaction, rules)
    return OrderState(account, nonce, submission, tuple(results.of(order) for order in accepted))


def order_states(transaction: Connection, rules: Rules, account: int, limit: int) -> list[OrderState]:
    """The latest orders that an account sent here, newest first."""
    results, states = _Results(transaction, rules), []
    for submission in intake.orders_of(transaction, account, limit):
        nonce = submission.order.nonce
        accepted = markets.orders_by_nonce(transaction, account, nonce)
        states.append(OrderState(account, nonce, submission, tuple(results.of(order) for order in accepted)))
    return states


def positions(
    transaction: Connection, rules: Rules, community: int, account: int, product: int, day: int
) -> list[Position]:
    """What an account has in every slot of a trading day, from all forms of trading."""
    slots = slots_of_day(rules, day)
    results = {
        state.market: state.result
        for state in markets.between(transaction, community, product, slots.start, slots.stop)
    }
    trade_wh, trade_nano = dict.fromkeys(slots, 0), dict.fromkeys(slots, 0)
    for order in markets.orders_of(transaction, account, slots.start, slots.stop):
        result = results.get(order.market)
        if order.fill_wh and result and result.price is not None:
            signed = order.fill_wh if order.buy else -order.fill_wh
            trade_wh[order.market.slot] += signed
            trade_nano[order.market.slot] += signed * result.price + _label_nano(order, result)
    for side in agreements.positions_of_day(transaction, community, product, day).get((product, account), ()):
        for slot, wh in enumerate(side.wh, side.slot):
            signed = wh if side.buy else -wh
            trade_wh[slot] += signed
            trade_nano[slot] += signed * side.price
    nominated = schedules(days.nomination_batches(transaction, community, product, day))
    found = []
    for slot in slots:
        schedule = nominated.get((account, slot))
        schedule_wh = trade_wh[slot] if schedule is None else schedule.wh
        found.append(Position(slot, trade_wh[slot], trade_nano[slot], schedule_wh, schedule is not None))
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


def _label_nano(order: AcceptedOrder, result: MarketResult) -> int:
    """What an order pays for labels, negative: receives. [nano-token]"""
    if result.labels is None or order.labelled_wh is None:
        return 0
    nano = order.labelled_wh * result.labels.premium
    return nano if order.buy else -nano


class _Results:
    """Results and fill trees of the markets that the orders of one answer stand in, each worked out once."""

    def __init__(self, transaction: Connection, rules: Rules) -> None:
        self._transaction, self._rules = transaction, rules
        self._known: dict[Market, tuple[MarketResult, Clearing, list[list[bytes]]] | None] = {}

    def of(self, order: AcceptedOrder) -> RecordState:
        """What became of ``order``."""
        if order.market not in self._known:
            self._known[order.market] = self._work_out(order.market)
        known = self._known[order.market]
        if known is None:
            return RecordState(order, None, 0, 0, ())
        result, clearing, levels = known
        prefix = int(clearing.prefixes[order.index])
        label_prefix = int(clearing.labels.prefixes[order.index]) if clearing.labels else 0
        return RecordState(order, result, prefix, label_prefix, tuple(proof_of(levels, order.index)))

    def _work_out(self, market: Market) -> tuple[MarketResult, Clearing, list[list[bytes]]] | None:
        state = markets.get(self._transaction, market)
        if state is None or state.result is None:
            return None
        book = Book.of_records(markets.records_of(self._transaction, market))
        if state.result.price is None:
            clearing = void(book)
        else:
            clearing = clear(book, self._rules.price_min, self._rules.price_max)
        if state.result.labels is not None:
            clearing = label(book, clearing)
        return state.result, clearing, levels_of(fill_leaves(book, clearing))
