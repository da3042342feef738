"""The call auction of a ``World``, curtailments and nominations, and what the rules say to them."""

from __future__ import annotations

from collections.abc import Sequence

from otaniemi.contracts.chain.events import OrderSkipped
from otaniemi.contracts.rules.calendar import (
    direct_gate,
    nomination_batch_gate,
    nomination_direct_gate,
    relay_gate,
    slot_start,
)
from otaniemi.contracts.rules.clearing import clear, void
from otaniemi.contracts.rules.labels import label
from otaniemi.contracts.rules.orders import Market, Order, SkipReason, is_known_source, lock
from otaniemi.contracts.rules.positions import WHOLE
from otaniemi.contracts.rules.resume import START
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.contracts.rules.signing import nomination_digest, order_digest, sign

from .forms_setting import (
    ADMIN,
    COMMUNITY,
    DAY,
    HOMES,
)
from .forms_world import World

_REFUSED = {
    SkipReason.BAD_SIGNATURE: "NotOrderKey",
    SkipReason.NONCE_USED: "NonceUsed",
    SkipReason.GATE_CLOSED: "GateClosed",
    SkipReason.PRICE_OUT_OF_BAND: "PriceOutOfBand",
    SkipReason.QUANTITY_OUT_OF_RANGE: "QuantityOutOfRange",
    SkipReason.INSUFFICIENT_COLLATERAL: "InsufficientCollateral",
}


class Orders(World):
    """A ``World`` with call auctions."""

    def gate(self, market: Market, relayed: bool) -> int:
        """When the market refuses orders from."""
        if market in self.closed:
            return self.closed[market]
        if market not in self.books and (0, market.slot) in self.curtailments:
            return 0
        gate = relay_gate if relayed else direct_gate
        return gate(self.rules, market.slot, market.session)

    def order_fault(self, order: Order, signer: int, gate: int) -> SkipReason | None:
        """Why the market would skip the order, or refuse it when it is not relayed."""
        rules = self.rules
        need = lock(rules, order.buy, order.price, order.quantity, order.source)
        checks = (
            (SkipReason.MALFORMED, not is_known_source(order.source, order.buy)),
            (SkipReason.EXPIRED, order.valid_to < self.now),
            (SkipReason.BAD_SIGNATURE, signer != order.account),
            (SkipReason.NONCE_USED, not self.nonces[order.account].usable(order.nonce)),
            (SkipReason.GATE_CLOSED, self.now >= gate),
            (SkipReason.PRICE_OUT_OF_BAND, not rules.price_min <= order.price <= rules.price_max),
            (SkipReason.QUANTITY_OUT_OF_RANGE, not 1 <= order.quantity <= rules.connection_limit_wh),
            (SkipReason.INSUFFICIENT_COLLATERAL, need > self.free(order.account)),
        )
        return next((reason for reason, fails in checks if fails), None)

    def accept(self, order: Order) -> bytes:
        """Lock an order's money and spend its nonce; its record."""
        nano = lock(self.rules, order.buy, order.price, order.quantity, order.source)
        self.ledger.lock(order.account, nano, COMMUNITY, DAY)
        self.nonces[order.account] = self.nonces[order.account].use(order.nonce)
        return order.record()

    def relay(self, market: Market, signed: Sequence[tuple[Order, int]]) -> None:
        """Bring orders, each signed by the key of an account; what is wrong with them is skipped."""
        digests = [
            (order, sign(HOMES[key].secret, order_digest(self.auction.domain, order)))
            for order, key in signed
        ]
        wire = b"".join(order.wire(signature) for order, signature in digests)
        gate, records, skipped = self.gate(market, relayed=True), b"", []
        for order, signer in signed:
            fault = self.order_fault(order, signer, gate)
            if fault is None:
                records += self.accept(order)
            else:
                skipped.append(OrderSkipped(market, order.account, order.nonce, fault))
        receipt = self.attempt(ADMIN, self.auction.relay_orders(market, wire))
        said = [one for one in self.decoder.decode_all(receipt.logs) if isinstance(one, OrderSkipped)]
        assert said == skipped
        if records:
            self.books.setdefault(market, []).append(records)

    def place(self, order: Order, signer: int) -> None:
        """Order directly with the key of an account."""
        fault = self.order_fault(order, signer, self.gate(order.market, relayed=False))
        error = _REFUSED[fault] if fault else None
        o = order
        call = self.auction.place_order(o.market, o.account, o.price, o.quantity, o.source, o.buy, o.nonce)
        self.attempt(HOMES[signer], call, error)
        if not error:
            self.books.setdefault(o.market, []).append(self.accept(o))

    def clear(self, market: Market) -> None:
        error = self.uncleared_fault(market)
        if not error and self.now >= slot_start(self.rules, market.slot):
            error = "SlotBegun"
        found = clear(self.book(market), self.rules.price_min, self.rules.price_max)
        self.attempt(ADMIN, self.auction.clear(market, found.lo, found.hi, *self.records(market)), error)
        if not error:
            self.results[market] = found

    def label(self, market: Market) -> None:
        result, error, premium = self.results.get(market), None, 0
        if result is None:
            error = "NotCleared"
        elif self.now >= slot_start(self.rules, market.slot):
            error = "SlotBegun"
        elif result.labels is not None:
            error = "AlreadyLabelled"
        else:
            result = label(self.book(market), result)
            assert result.labels is not None
            premium = result.labels.premium
        self.attempt(ADMIN, self.auction.label(market, premium, START, *self.records(market)), error)
        if not error and result:
            self.results[market] = result

    def curtail(self, slot: int, permille: int) -> None:
        error = None
        if slot_start(self.rules, slot) <= self.now:
            error = "SlotBegun"
        elif permille >= self.curtailments.get((0, slot), WHOLE):
            error = "InvalidPermille"
        self.attempt(
            ADMIN, self.position_contract.curtail(COMMUNITY, 0, slot, permille, "a line is down"), error
        )
        if not error:
            self.curtailments[0, slot] = permille

    def close_curtailed(self, market: Market) -> None:
        error = None
        if market not in self.books:
            error = "MarketEmpty"
        elif self.now >= self.gate(market, relayed=False):
            error = "GateClosed"
        elif (0, market.slot) not in self.curtailments:
            error = "NotCurtailed"
        now = self.now
        self.attempt(ADMIN, self.auction.close_curtailed(market), error)
        if not error:
            self.closed[market] = now

    def nominate(self, account: int, slot: int, wh: tuple[int, ...], relayed: bool) -> None:
        """Nominate as the next batch; ``seq`` counts batches."""
        nomination = Nomination(account, COMMUNITY, 0, slot, len(self.batches) + 1, wh)
        gate = (nomination_batch_gate if relayed else nomination_direct_gate)(self.rules, slot)
        late = self.now >= gate
        if relayed:
            signature = sign(HOMES[account].secret, nomination_digest(self.schedules.domain, nomination))
            self.attempt(ADMIN, self.schedules.nominate_batch(COMMUNITY, 0, DAY, nomination.wire(signature)))
        else:
            error = "GateClosed" if late else None
            self.attempt(HOMES[account], self.schedules.nominate(nomination), error)
        if not late:
            self.batches.append([nomination])

    def void(self, market: Market) -> None:
        """End a market that nobody cleared."""
        error = self.uncleared_fault(market)
        if error is None and self.now < slot_start(self.rules, market.slot):
            error = "SlotAhead"
        call = self.auction.void_slot(market, START, *self.records(market))
        self.attempt(ADMIN, call, error)
        if not error:
            self.results[market] = void(self.book(market))

    def uncleared_fault(self, market: Market) -> str | None:
        if market not in self.books:
            return "MarketEmpty"
        if self.now < self.gate(market, relayed=False):
            return "GateOpen"
        return "AlreadyCleared" if market in self.results else None

    def records(self, market: Market) -> tuple[bytes, list[int]]:
        batches = self.books.get(market, [])
        return b"".join(batches), [len(batch) // 16 for batch in batches]
