"""What the API answers, in JSON; some of it can be checked where it arrives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from otaniemi.contracts.rules.calendar import Product, Rules, first_slot, slot_start
from otaniemi.contracts.rules.clearing import Result, fill_leaf, traded
from otaniemi.contracts.rules.merkle import verify
from otaniemi.contracts.rules.orders import Order
from otaniemi.contracts.rules.tariffs import TariffReport
from otaniemi.platform.api.form import Address, Form, Hash, Signature, from_hex, instant, to_hex
from otaniemi.platform.api.services import (
    AccountState,
    OrderState,
    Position,
    Present,
    RecordState,
    SentTransaction,
)
from otaniemi.platform.store.intake import Status, SubmittedNomination
from otaniemi.platform.store.markets import MarketResult, MarketState


class CommunityView(Form):
    """The community, where its contracts are, and the present."""

    now: datetime
    block: int
    block_hash: Hash
    devnet: bool
    relayer: Annotated[Address, Field(description="signs receipts for orders to be relayed")]
    engine: Annotated[Address, Field(description="matches limit orders and signs their receipts")]
    deployment: Annotated[dict[str, Any], Field(description="as deployment.json")]

    @classmethod
    def of(
        cls, present: Present, devnet: bool, relayer: str, engine: str, deployment: dict[str, Any]
    ) -> CommunityView:
        return cls(
            now=instant(present.now),
            block=present.block,
            block_hash=to_hex(present.block_hash),
            devnet=devnet,
            relayer=relayer,
            engine=engine,
            deployment=deployment,
        )


class LabelsView(Form):
    """Labels of local renewable energy: their price, the energy that can carry one, what higher premiums bought."""

    premium: int
    green_wh: int
    above_wh: int


class ResultView(Form):
    """What a market cleared at; where ``volume_wh`` is 0 nothing is paid at ``price``, and a void one has none."""

    price: int | None
    volume_wh: int
    demand_above_wh: int
    supply_below_wh: int
    order_count: int
    root: Hash
    labels: LabelsView | None = None

    def result(self) -> Result:
        """The result as the rules take it."""
        totals = self.price or 0, self.volume_wh, self.demand_above_wh, self.supply_below_wh
        if self.labels is None:
            return Result(*totals)
        return Result(*totals, self.labels.premium, self.labels.green_wh - self.labels.above_wh, True)


class MarketView(Form):
    """A market: open to relayed orders, then to direct ones alone, then closed, then cleared; void where nobody did."""

    community: int
    product: int
    slot: int
    session: int
    start: datetime
    relay_gate: datetime
    direct_gate: datetime
    state: Literal["open", "direct", "closed", "cleared", "void"]
    result: ResultView | None

    @classmethod
    def of(cls, market: MarketState, rules: Rules, now: int) -> MarketView:
        state: Literal["open", "direct", "closed", "cleared", "void"] = "open"
        if market.result is not None:
            state = "void" if market.result.price is None else "cleared"
        elif now >= market.direct_gate:
            state = "closed"
        elif now >= market.relay_gate:
            state = "direct"
        return cls(
            **market.market._asdict(),
            start=instant(slot_start(rules, market.market.slot)),
            relay_gate=instant(market.relay_gate),
            direct_gate=instant(market.direct_gate),
            state=state,
            result=None if market.result is None else _result_view(market.result),
        )


class NonceView(Form):
    """Bit ``i`` of ``window`` says that nonce ``base + i`` is used; ``next`` is free."""

    base: int
    window: int
    next: int


class WithdrawalView(Form):
    """Money on its way to the owner; it can be taken from the instant on."""

    nano: int
    taken_from: datetime


class AccountView(Form):
    """An account and what its next messages may carry."""

    account: int
    community: int
    name: str
    owner: str
    device: str
    meter: Hash
    free_nano: int
    withdrawal: WithdrawalView | None
    nonce: NonceView
    next_seq: int

    @classmethod
    def of(cls, state: AccountState) -> AccountView:
        member = state.member
        withdrawal = None
        if state.pending_nano:
            withdrawal = WithdrawalView(nano=state.pending_nano, taken_from=instant(state.pending_from))
        return cls(
            account=member.account,
            community=member.community,
            name=member.name,
            owner=member.owner,
            device=member.device,
            meter=to_hex(member.meters.get(Product.ELECTRICITY, bytes(32))),
            free_nano=state.free_nano,
            withdrawal=withdrawal,
            nonce=NonceView(base=state.nonces.base, window=state.nonces.window, next=state.next_nonce),
            next_seq=state.next_seq,
        )


class OwnerView(Form):
    """What an address owns, and the nonce of its next transaction."""

    accounts: tuple[int, ...]
    transaction_nonce: int


class InclusionView(Form):
    """Proof that a fill is in the result of its market: from the leaf's siblings to the result's root."""

    prefix: int
    label_prefix: int = 0
    siblings: tuple[Hash, ...]


class RecordView(Form):
    """One record of an order on the chain, with its fill and its proof once the market is cleared."""

    community: int
    product: int
    slot: int
    session: int
    index: int
    price: int
    quantity: int
    source: int
    buy: bool
    transaction: Hash
    fill_wh: int | None
    labelled_wh: int | None = None
    result: ResultView | None
    inclusion: InclusionView | None

    @classmethod
    def of(cls, state: RecordState) -> RecordView:
        order = state.order
        cleared = state.result is not None
        siblings = tuple(to_hex(sibling) for sibling in state.proof)
        return cls(
            **order.market._asdict(),
            index=order.index,
            price=order.price,
            quantity=order.quantity,
            source=order.source,
            buy=order.buy,
            transaction=to_hex(order.transaction),
            fill_wh=order.fill_wh,
            labelled_wh=order.labelled_wh,
            result=None if state.result is None else _result_view(state.result),
            inclusion=InclusionView(prefix=state.prefix, label_prefix=state.label_prefix, siblings=siblings)
            if cleared
            else None,
        )

    def holds(self, account: int, nonce: int) -> bool:
        """Whether the fill follows from the result of its market, proven up to its root; True before clearing."""
        result, inclusion = self.result, self.inclusion
        if result is None or inclusion is None:
            return result is None and inclusion is None and self.fill_wh is None
        record = self._record(account, nonce)
        leaf = fill_leaf(self.index, record, inclusion.prefix, inclusion.label_prefix)
        siblings = [from_hex(sibling) for sibling in inclusion.siblings]
        trade = traded(record, inclusion.prefix, inclusion.label_prefix, result.result())
        return (
            verify(from_hex(result.root), leaf, self.index, result.order_count, siblings)
            and self.fill_wh == trade.wh
            and self.labelled_wh == (None if result.labels is None else trade.labelled)
        )

    def _record(self, account: int, nonce: int) -> bytes:
        return Order(
            account, self.community, self.product, self.slot, self.session,
            self.price, self.quantity, self.source, self.buy, nonce, 0,
        ).record()  # fmt: skip


class OrderView(Form):
    """An order by its number.

    ``received`` waits to be relayed, ``skipped`` was refused by the chain for ``reason``, ``accepted`` stands in
    its markets; once all of them are cleared it is ``filled`` (in part, perhaps) or ``unfilled``. ``receipt`` is the
    relayer's signature that it had the order at ``received_at`` (typed data ``RelayReceipt``).
    """

    account: int
    nonce: int
    state: Literal["received", "skipped", "accepted", "filled", "unfilled"]
    reason: str | None
    received_at: datetime | None
    receipt: Signature | None
    records: tuple[RecordView, ...]

    @classmethod
    def of(cls, state: OrderState) -> OrderView:
        sent = state.submission
        reason = sent.reason if sent else None
        return cls(
            account=state.account,
            nonce=state.nonce,
            state=_order_state(state),
            reason=None if reason is None else reason.name.lower().replace("_", " "),
            received_at=instant(sent.received_at) if sent else None,
            receipt=to_hex(sent.receipt) if sent and sent.receipt else None,
            records=tuple(RecordView.of(record) for record in state.records),
        )

    def holds(self) -> bool:
        """Whether every fill follows from the root of its market."""
        return all(record.holds(self.account, self.nonce) for record in self.records)


class NominationView(Form):
    """A nomination and how far it came."""

    account: int
    slot: int
    seq: int
    wh: tuple[int, ...]
    state: Literal["received", "relayed", "skipped"]

    @classmethod
    def of(cls, submitted: SubmittedNomination) -> NominationView:
        nomination = submitted.nomination
        return cls(
            account=nomination.account,
            slot=nomination.slot,
            seq=nomination.seq,
            wh=nomination.wh,
            state=submitted.status.value,
        )


class PositionView(Form):
    """Trade and schedule of one slot."""

    slot: int
    start: datetime
    trade_wh: int
    trade_nano: int
    schedule_wh: int
    nominated: bool

    @classmethod
    def of(cls, position: Position, rules: Rules) -> PositionView:
        return cls(
            slot=position.slot,
            start=instant(slot_start(rules, position.slot)),
            trade_wh=position.trade_wh,
            trade_nano=position.trade_nano,
            schedule_wh=position.schedule_wh,
            nominated=position.nominated,
        )


class RetailView(Form):
    """What a home pays and receives outside of the market in one slot."""

    import_price: int
    feed_in: int


class ImbalanceView(Form):
    """What a deviation from the schedule costs in one slot."""

    short: int
    long: int


class TariffsView(Form):
    """Prices of a trading day, one per slot from ``first_slot``; null before they are reported."""

    day: int
    first_slot: int
    retail: tuple[RetailView, ...] | None
    imbalance: tuple[ImbalanceView, ...] | None

    @classmethod
    def of(
        cls, rules: Rules, day: int, retail: TariffReport | None, imbalance: TariffReport | None
    ) -> TariffsView:
        retail_views = tuple(RetailView(import_price=a, feed_in=b) for a, b in _prices(retail))
        imbalance_views = tuple(ImbalanceView(short=a, long=b) for a, b in _prices(imbalance))
        return cls(
            day=day,
            first_slot=first_slot(rules, day),
            retail=retail_views if retail else None,
            imbalance=imbalance_views if imbalance else None,
        )


class TakenView(Form):
    """Whether a reading was new; false when it repeats an earlier one."""

    new: bool


class TransactionView(Form):
    """A transaction that block ``block`` took in; ``ok`` is false when it reverted, for the reason in ``error``."""

    hash: Hash
    block: int
    ok: bool
    error: str

    @classmethod
    def of(cls, sent: SentTransaction) -> TransactionView:
        return cls(hash=to_hex(sent.hash), block=sent.block, ok=sent.ok, error=sent.error)


class ProblemView(Form):
    """Why a request failed (RFC 9457); ``field``, ``value`` and ``valid`` where one field is in the way."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    field: str | None = None
    value: str | None = None
    valid: str | None = None


def _order_state(state: OrderState) -> Literal["received", "skipped", "accepted", "filled", "unfilled"]:
    if not state.records:
        sent = state.submission
        return "skipped" if sent is not None and sent.status == Status.SKIPPED else "received"
    if any(record.order.fill_wh is None for record in state.records):
        return "accepted"
    return "filled" if any(record.order.fill_wh for record in state.records) else "unfilled"


def _prices(report: TariffReport | None) -> tuple[tuple[int, int], ...]:
    return report.prices if report else ()


def _result_view(result: MarketResult) -> ResultView:
    return ResultView(
        price=result.price,
        volume_wh=result.volume_wh,
        demand_above_wh=result.demand_above_wh,
        supply_below_wh=result.supply_below_wh,
        order_count=result.count,
        root=to_hex(result.root),
        labels=None
        if result.labels is None
        else LabelsView(
            premium=result.labels.premium,
            green_wh=result.labels.green_wh,
            above_wh=result.labels.above_wh,
        ),
    )
