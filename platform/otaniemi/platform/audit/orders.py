"""Which relayed and direct orders a market had to take, and which it had to skip (protocol section 3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from otaniemi.contracts.chain.events import Event, OrdersAccepted, OrderSkipped
from otaniemi.contracts.rules.calendar import (
    MAX_LEAD_SECONDS,
    Rules,
    day_of_slot,
    direct_gate,
    relay_gate,
    slot_start,
)
from otaniemi.contracts.rules.errors import FieldError, SignatureError
from otaniemi.contracts.rules.keys import DeviceLimits
from otaniemi.contracts.rules.orders import (
    MARKET_CAPACITY,
    Book,
    Market,
    Order,
    ProfileOrder,
    SkipReason,
    Step,
    decode_orders,
    decode_profiles,
    is_known_source,
    lock,
    premium_of,
)
from otaniemi.contracts.rules.signing import Domain, order_digest, profile_digest, recover
from otaniemi.platform.audit.state import State

_LOW_NONCES = 2**24
"""A record holds a nonce modulo this; more than an account can use at a time."""


@dataclass
class _Shelf:
    """A market while a batch is added to it."""

    market: Market
    rules: Rules | None
    count: int
    too_far: bool
    added: list[bytes] = field(default_factory=list)


@dataclass
class OrderJudge:
    """Judges one transaction to ``CallAuction``, using nonces and locking money as the contract does.

    ``signatures`` counts those that were recovered.
    """

    state: State
    domain: Domain
    now: int
    signatures: int = 0

    def relay_orders(self, market: Market, wire: bytes) -> list[Event]:
        """The events of ``relayOrders``, in order."""
        shelf = self._open(market)
        events: list[Event] = []
        for order, signature in decode_orders(market, wire):
            reason = None if is_known_source(order.source, order.buy) else SkipReason.MALFORMED
            limits, nano = None, 0
            if reason is None:
                reason, limits = self._authorise(order, signature)
            if reason is None:
                reason, nano = self._judge_order(shelf, order, limits, direct=False)
            if reason is not None:
                events.append(OrderSkipped(market, order.account, order.nonce, reason))
                continue
            shelf.added.append(order.record())
            self._lock(order.account, order.nonce, nano, shelf)
        return [*events, *_accepted([shelf])]

    def relay_profiles(self, community: int, product: int, session: int, wire: bytes) -> list[Event]:
        """The events of ``relayProfiles``, in order."""
        shelves: dict[int, _Shelf] = {}
        events: list[Event] = []
        at = 0
        for profile, signature in decode_profiles(community, product, session, wire):
            whole = profile.wire(signature)
            canonical = wire[at : at + len(whole)] == whole
            at += len(whole)
            events += self._relay_profile(shelves, profile, signature, canonical)
        # Markets are told in the order in which the batch first came to them.
        return events + _accepted(list(shelves.values()))

    def place_order(self, order: Order, sender: str) -> list[Event]:
        """The events of ``placeOrder``; none where it should have reverted."""
        shelf = self._open(order.market)
        account = self.state.accounts.get(order.account)
        known = account is not None and account.community == order.community
        if account is None or not known or not is_known_source(order.source, order.buy):
            return []
        if order.product not in account.products or not account.may_order(sender):
            return []
        if not account.nonces.usable(order.nonce):
            return []
        reason, nano = self._judge_order(shelf, order, account.limits_for(sender), direct=True)
        if reason is not None:
            return []
        shelf.added.append(order.record())
        self._lock(order.account, order.nonce, nano, shelf)
        return _accepted([shelf])

    def take_over(self, events: Iterable[OrdersAccepted]) -> None:
        """Take records as they were accepted where no calldata shows their orders: nonces and locks follow from them.

        An account's usable nonces are fewer than 2**24 in a row, so the low bits in a record tell the whole.

        Raises
        ------
        FieldError
            A record is of no market, or its nonce was used.
        LedgerError
            A record is not covered.
        """
        used: set[tuple[int, int]] = set()
        for event in events:
            rules = self.state.rules_of(event.market)
            if rules is None:
                raise FieldError("market", event.market, "one where something is traded")
            day, book = day_of_slot(rules, event.market.slot), Book.of_records(event.records)
            columns = book.account.tolist(), book.nonce.tolist(), book.locks(rules).tolist()
            for account, low, nano in zip(*columns, strict=True):
                self.state.ledger.lock(account, nano, event.market.community, day)
                if (account, low) not in used:
                    used.add((account, low))
                    held = self.state.accounts[account]
                    base = held.nonces.base
                    held.nonces = held.nonces.use(base + (low - base) % _LOW_NONCES)

    def _relay_profile(
        self, shelves: dict[int, _Shelf], profile: ProfileOrder, signature: bytes, canonical: bool
    ) -> list[Event]:
        calendar = self.state.versions[profile.community][0][1]

        def skipped(slot: int, reason: SkipReason) -> OrderSkipped:
            market = Market(profile.community, profile.product, slot, profile.session)
            return OrderSkipped(market, profile.account, profile.nonce, reason)

        reason: SkipReason | None = SkipReason.MALFORMED
        limits = None
        if canonical and _well_formed(profile, calendar):
            reason, limits = self._authorise(profile, signature)
        if reason is not None:
            return [skipped(profile.steps[0].slot if profile.steps else 0, reason)]
        free = self.state.ledger.free[profile.account]
        if profile.all_or_nothing:
            left, before, previous = free, 0, -1
            for step in profile.steps:
                before = before + 1 if step.slot == previous else 0
                previous = step.slot
                shelf = self._shelf(shelves, profile, step.slot)
                fault, nano = self._judge(shelf, step, limits, left, before)
                if fault is not None:
                    return [skipped(step.slot, fault)]
                left -= nano
        events: list[Event] = []
        need, last = 0, None
        for step, (_, record) in zip(profile.steps, profile.records(), strict=True):
            shelf = self._shelf(shelves, profile, step.slot)
            fault, nano = self._judge(shelf, step, limits, free - need, 0)
            if fault is not None:
                events.append(skipped(step.slot, fault))
                continue
            shelf.added.append(record)
            need, last = need + nano, shelf
        if last is not None:
            self._lock(profile.account, profile.nonce, need, last)
        return events

    def _open(self, market: Market) -> _Shelf:
        rules, count = self.state.rules_of(market), self.state.count(market)
        if rules is not None and count == 0:
            # The guardian closes markets that have no orders yet, a curtailment those of its slot.
            day = day_of_slot(rules, market.slot)
            shut = (market.community, day) in self.state.closed or market[:3] in self.state.curtailed
            rules = None if shut else rules
        # A market that has orders was near enough when they came.
        far = rules is not None and slot_start(rules, market.slot) > self.now + MAX_LEAD_SECONDS
        return _Shelf(market, rules, count, far and count == 0)

    def _shelf(self, shelves: dict[int, _Shelf], profile: ProfileOrder, slot: int) -> _Shelf:
        if slot not in shelves:
            market = Market(profile.community, profile.product, slot, profile.session)
            shelves[slot] = self._open(market)
        return shelves[slot]

    def _authorise(
        self, order: Order | ProfileOrder, signature: bytes
    ) -> tuple[SkipReason | None, DeviceLimits | None]:
        """Checks 2 to 6, and what limits the key that signed."""
        account = self.state.accounts.get(order.account)
        if account is None or account.community != order.community:
            return SkipReason.UNKNOWN_ACCOUNT, None
        if order.product not in account.products:
            return SkipReason.NO_METER, None
        if order.valid_to < self.now:
            return SkipReason.EXPIRED, None
        self.signatures += 1
        try:
            signer = recover(self._digest(order), signature)
        except SignatureError:
            return SkipReason.BAD_SIGNATURE, None
        if not account.may_order(signer):
            return SkipReason.BAD_SIGNATURE, None
        if not account.nonces.usable(order.nonce):
            return SkipReason.NONCE_USED, None
        return None, account.limits_for(signer)

    def _digest(self, order: Order | ProfileOrder) -> bytes:
        if isinstance(order, Order):
            return order_digest(self.domain, order)
        return profile_digest(self.domain, order)

    def _judge_order(
        self, shelf: _Shelf, order: Order, limits: DeviceLimits | None, direct: bool
    ) -> tuple[SkipReason | None, int]:
        """Checks of a single order from the limits of its key on, and what it locks."""
        free = self.state.ledger.free[order.account]
        # The limits are not asked about an order of nothing, which its market refuses.
        asked = limits if order.quantity else None
        gate = direct_gate if direct else relay_gate
        return self._judge(shelf, order, asked, free, 0, gate)

    def _judge(
        self,
        shelf: _Shelf,
        step: Order | Step,
        limits: DeviceLimits | None,
        free: int,
        before: int,
        gate_of: Callable[[Rules, int, int], int] = relay_gate,
    ) -> tuple[SkipReason | None, int]:
        """Checks of a record from its key's limits on, and what it locks; ``before`` records will come before it."""
        rules, market = shelf.rules, shelf.market
        price, quantity, most = step.price, step.quantity, step.price + premium_of(step.source, step.buy)
        if limits is not None and not limits.permit_order(most, quantity, self.now):
            return SkipReason.KEY_LIMITED, 0
        if rules is None:
            return SkipReason.GATE_CLOSED, 0
        gate = gate_of(rules, market.slot, market.session)
        gate = min(gate, self.state.closed_at.get(market, gate))
        nano = lock(rules, step.buy, price, quantity, step.source)
        failures = (
            (self.now >= gate, SkipReason.GATE_CLOSED),
            (shelf.too_far, SkipReason.TOO_FAR_AHEAD),
            (not rules.price_min <= price <= rules.price_max, SkipReason.PRICE_OUT_OF_BAND),
            (not 1 <= quantity <= rules.connection_limit_wh, SkipReason.QUANTITY_OUT_OF_RANGE),
            (nano > free, SkipReason.INSUFFICIENT_COLLATERAL),
            (shelf.count + len(shelf.added) + before >= MARKET_CAPACITY, SkipReason.MARKET_FULL),
        )
        return next((reason for fails, reason in failures if fails), None), nano

    def _lock(self, account: int, nonce: int, nano: int, shelf: _Shelf) -> None:
        market, rules = shelf.market, shelf.rules
        assert rules is not None  # judged before
        held = self.state.accounts[account]
        held.nonces = held.nonces.use(nonce)
        self.state.ledger.lock(account, nano, market.community, day_of_slot(rules, market.slot))


def _well_formed(profile: ProfileOrder, calendar: Rules) -> bool:
    try:
        profile.check(calendar)
    except FieldError:
        return False
    return True


def _accepted(shelves: list[_Shelf]) -> list[Event]:
    return [
        OrdersAccepted(shelf.market, shelf.count, b"".join(shelf.added)) for shelf in shelves if shelf.added
    ]
