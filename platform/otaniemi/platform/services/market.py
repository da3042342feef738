"""The market service: signed orders in, relay batches to the chain before the gate, clearing after it.

Nobody has to trust it. The chain verifies every signature and every clearing, and who does not find an order on the
chain before the direct gate places it there directly.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from otaniemi.contracts.chain import events
from otaniemi.contracts.chain.sender import Call, Key
from otaniemi.contracts.rules.calendar import direct_gate, relay_gate, slot_start
from otaniemi.contracts.rules.clearing import Clearing, clear
from otaniemi.contracts.rules.labels import is_worth_labelling, label
from otaniemi.contracts.rules.orders import RECORD_BYTES, Book, Market, Order, ProfileOrder, SkipReason
from otaniemi.contracts.rules.receipts import RelayReceipt
from otaniemi.contracts.rules.resume import START, Progress, advance, advance_labels
from otaniemi.contracts.rules.signing import sign
from otaniemi.platform.services.admission import check_order
from otaniemi.platform.services.batches import profile_batches
from otaniemi.platform.services.gateway import Gateway
from otaniemi.platform.store import intake, markets

ORDERS_PER_TRANSACTION = 700
"""Single orders in one transaction, some 10 M gas."""

RECORDS_PER_TRANSACTION = 6_000
"""Records of a market in one transaction of its clearing or labels: below 128 KiB, 8 and 10 M gas."""


@dataclass(frozen=True, slots=True, eq=False)
class ClearedMarket:
    """A market with its orders in order of arrival and what became of them."""

    market: Market
    book: Book
    clearing: Clearing


class MarketService:
    """Intake, relay and clearing for one community.

    Parameters
    ----------
    gateway : Gateway
    relayer, keeper : Key
        Who pays the gas of relay batches and of clearing; the relayer signs receipts too.
    """

    def __init__(self, gateway: Gateway, relayer: Key, keeper: Key) -> None:
        self._gateway, self._relayer, self._keeper = gateway, relayer, keeper
        self._domain = gateway.contracts.call_auction.domain

    @property
    def relayer(self) -> str:
        """Address of the key that signs receipts."""
        return self._relayer.address

    def submit(self, order: Order | ProfileOrder, signature: bytes) -> intake.Submission:
        """Keep a signed order for the next relay batch and sign a receipt; sent again, it comes back as it stands.

        Raises
        ------
        RefusedError
            The chain would skip it: field, value and what is valid.
        NumberTakenError
            Another order of the account has its nonce.
        """
        gateway, now = self._gateway, self._gateway.clock.now
        with gateway.store.begin() as transaction:
            known = intake.get_order(transaction, order.account, order.nonce)
            if known is not None and (known.order, known.signature) == (order, signature):
                return known
            state = gateway.account(transaction, order.account)
            check_order(order, signature, state, gateway.rules, self._domain, now)
            digest = RelayReceipt.of(self._domain, order, now).digest(self._domain)
            receipt = sign(self._relayer.secret, digest)
            return intake.receive_order(transaction, order, signature, now, receipt)

    def open(self, slots: Iterable[int]) -> None:
        """Enter the markets of ``slots`` with their gates, so that people see them before the first order."""
        gateway, rules = self._gateway, self._gateway.rules
        wanted = [
            Market(gateway.community, product, slot, session)
            for product in rules.traded
            for slot in slots
            for session in range(len(rules.sessions))
        ]
        gates = [
            (
                market,
                relay_gate(rules, market.slot, market.session),
                direct_gate(rules, market.slot, market.session),
            )
            for market in wanted
        ]
        with gateway.store.begin() as transaction:
            markets.open_markets(transaction, gates)

    def relay(self, session: int) -> list[events.OrderSkipped]:
        """Put every order that waits for ``session`` on the chain; what it skipped comes back."""
        gateway = self._gateway
        gateway.catch_up()
        with gateway.store.read() as transaction:
            waiting = {
                product: intake.waiting_orders(transaction, gateway.community, product, session)
                for product in gateway.rules.traded
            }
        calls = [
            call for product, orders in waiting.items() for call in self._batches(product, session, orders)
        ]
        if not calls:
            return []
        found = gateway.send([(self._relayer, call) for call in calls])
        skipped = [event for event in found if isinstance(event, events.OrderSkipped)]
        reasons = [(event.account, event.nonce, SkipReason(event.reason)) for event in skipped]
        block = gateway.sender.chain.head().number
        with gateway.store.begin() as transaction:
            intake.orders_skipped(transaction, reasons, block)
        return skipped

    def clear(self, wanted: Iterable[Market]) -> list[ClearedMarket]:
        """Clear those of the ``wanted`` markets that have orders and were not cleared, in this order.

        Where a bid would get a label they are given out too, also in markets that somebody cleared and did not label. A
        market whose slot has begun is void instead, and does not come back.
        """
        gateway, rules = self._gateway, self._gateway.rules
        cleared: list[ClearedMarket] = []
        calls: list[tuple[Key, Call]] = []
        gateway.catch_up()
        with gateway.store.read() as transaction:
            for market in wanted:
                state = markets.get(transaction, market)
                if state is None or _is_done(state):
                    continue
                batches = markets.batches_of(transaction, market)
                if not batches:
                    continue
                if slot_start(rules, market.slot) <= gateway.clock.now:
                    if state.result is None:
                        calls += self._void(market, batches)
                    continue
                book = Book.of_records(b"".join(batches))
                clearing = clear(book, rules.price_min, rules.price_max)
                steps = self._clear(market, batches, clearing) if state.result is None else []
                if is_worth_labelling(book, clearing):
                    clearing = label(book, clearing)
                    steps += self._label(market, batches, book, clearing)
                if steps:
                    calls += steps
                    cleared.append(ClearedMarket(market, book, clearing))
        gateway.send(calls)
        return cleared

    def _clear(self, market: Market, batches: Sequence[bytes], clearing: Clearing) -> list[tuple[Key, Call]]:
        auction, lo, hi = self._gateway.contracts.call_auction, clearing.lo, clearing.hi
        calls, progress, last = self._advance(market, batches, lo, hi)
        if calls:
            final = auction.clear_from(market, lo, hi, progress, b"".join(last), _lengths(last))
        else:
            final = auction.clear(market, lo, hi, b"".join(last), _lengths(last))
        return [*calls, (self._keeper, final)]

    def _label(
        self, market: Market, batches: Sequence[bytes], book: Book, clearing: Clearing
    ) -> list[tuple[Key, Call]]:
        auction, premium, progress = self._gateway.contracts.call_auction, clearing.result.premium, START
        *parts, last = _parts(batches)
        calls = []
        for part in parts:
            call = auction.advance_labels(market, premium, progress, b"".join(part), _lengths(part))
            calls.append((self._keeper, call))
            progress = advance_labels(progress, part, book, clearing)
        final = auction.label(market, premium, progress, b"".join(last), _lengths(last))
        return [*calls, (self._keeper, final)]

    def _void(self, market: Market, batches: Sequence[bytes]) -> list[tuple[Key, Call]]:
        rules = self._gateway.rules
        calls, progress, last = self._advance(market, batches, rules.price_max, rules.price_min)
        auction = self._gateway.contracts.call_auction
        return [
            *calls,
            (self._keeper, auction.void_slot(market, progress, b"".join(last), _lengths(last))),
        ]

    def _advance(
        self, market: Market, batches: Sequence[bytes], lo: int, hi: int
    ) -> tuple[list[tuple[Key, Call]], Progress, Sequence[bytes]]:
        """All parts of a market but the last, where they lead, and the last part."""
        auction, progress = self._gateway.contracts.call_auction, START
        *parts, last = _parts(batches)
        calls = []
        for part in parts:
            call = auction.advance(market, lo, hi, progress, b"".join(part), _lengths(part))
            calls.append((self._keeper, call))
            progress = advance(progress, part, lo, hi)
        return calls, progress, last

    def _batches(self, product: int, session: int, waiting: Sequence[intake.Submission]) -> list[Call]:
        auction, community = self._gateway.contracts.call_auction, self._gateway.community
        profiles: list[tuple[ProfileOrder, bytes]] = []
        singles: defaultdict[Market, list[bytes]] = defaultdict(list)
        for submission in waiting:
            order, signature = submission.order, submission.signature
            if isinstance(order, Order):
                singles[order.market].append(order.wire(signature))
            else:
                profiles.append((order, order.wire(signature)))
        calls = [
            auction.relay_profiles(community, product, session, wire) for wire in profile_batches(profiles)
        ]
        for market, wires in singles.items():
            for first in range(0, len(wires), ORDERS_PER_TRANSACTION):
                calls.append(
                    auction.relay_orders(market, b"".join(wires[first : first + ORDERS_PER_TRANSACTION]))
                )
        return calls


def _is_done(state: markets.MarketState) -> bool:
    """Whether a market is void or labelled."""
    return state.result is not None and (state.result.price is None or state.result.labels is not None)


def _lengths(batches: Sequence[bytes]) -> list[int]:
    """Number of records of every batch."""
    return [len(batch) // RECORD_BYTES for batch in batches]


def _parts(batches: Sequence[bytes]) -> list[list[bytes]]:
    """Whole batches that fit a transaction of ``RECORDS_PER_TRANSACTION``, in order; one part at least."""
    parts: list[list[bytes]] = [[]]
    held = 0
    for batch in batches:
        records = len(batch) // RECORD_BYTES
        if held + records > RECORDS_PER_TRANSACTION and parts[-1]:
            parts.append([])
            held = 0
        parts[-1].append(batch)
        held += records
    return parts
