"""The call auction on the chain against the rules: digests, hash chain, price, fills and their root."""

from __future__ import annotations

import random
from typing import Any

import pytest

from otaniemi.contracts.chain.artifacts import explain
from otaniemi.contracts.chain.errors import RevertedError
from otaniemi.contracts.chain.events import Cleared, Labelled, OrdersAccepted, OrderSkipped
from otaniemi.contracts.chain.sender import Call
from otaniemi.contracts.rules import calendar, signing
from otaniemi.contracts.rules.clearing import Clearing, clear, fill_root
from otaniemi.contracts.rules.labels import label
from otaniemi.contracts.rules.orders import (
    EMPTY_HEAD,
    PREMIUM_STEP,
    RECORD_BYTES,
    Book,
    Market,
    ProfileOrder,
    SkipReason,
    Step,
    chain_head,
    preference,
)
from otaniemi.contracts.rules.resume import START, advance, advance_labels, root_of

BOOKS = 24
Row = tuple[int, bool, int, int, int]


def _rows(draw: random.Random, accounts: list[int], number: int) -> list[Row]:
    spread = draw.choice((1, 3, 50_000, 400_000))
    center = draw.choice((-100_000, 0, 100_000))
    one_sided = number in (0, 1)
    return [
        (
            draw.choice(accounts),
            bool(number) if one_sided else draw.random() < 0.5,
            center + draw.randint(-spread, spread),
            draw.randint(1, 999),
            draw.randint(0, 4),
        )
        for _ in range(draw.randint(1, 60))
    ]


def _preferring(draw: random.Random, rows: list[Row]) -> list[Row]:
    """The rows, of whose bids most prefer local renewable energy, at few premiums."""
    premiums = draw.choices(range(64), k=3)
    return [
        (*row[:4], preference(PREMIUM_STEP * draw.choice(premiums)))
        if row[1] and draw.random() < 0.7
        else row
        for row in rows
    ]


@pytest.fixture(scope="module")
def cleared(town: Any) -> list[tuple[Market, Book, list[int], Any]]:
    """Random books, relayed in random batches and cleared with the hints of the rules."""
    draw = random.Random(20)
    community, accounts = town.deployment.community, list(town.homes)
    slots = calendar.slots_of_day(town.rules, calendar.day_at(town.rules, town.chain.head().timestamp) + 2)
    markets = []
    for number in range(BOOKS):
        market = Market(community, 0, slots[number], 0)
        rows = _preferring(draw, _rows(draw, accounts, number))
        batches, head, records, at = [], EMPTY_HEAD, b"", 0
        while at < len(rows):
            size = draw.randint(1, 25)
            (event,) = town.send(town.auction.relay_orders(market, town.wire(market, rows[at : at + size])))
            assert isinstance(event, OrdersAccepted)
            assert (event.market, event.first_index) == (market, at)
            head = chain_head(head, event.records)
            records += event.records
            batches.append(len(event.records) // RECORD_BYTES)
            at += size
        assert town.auction.head_of(market) == head
        book = Book.of_records(records)
        columns = (book.account, book.buy, book.price, book.quantity, book.source)
        assert list(zip(*(column.tolist() for column in columns), strict=True)) == rows
        markets.append((market, book, batches))
    town.chain.set_time(calendar.direct_gate(town.rules, slots[0], 0))
    return [(*entry, _clear(town, *entry)) for entry in markets]


def _clear(town: Any, market: Market, book: Book, batches: list[int]) -> Cleared:
    rules, records = town.rules, book.records()
    result = clear(book, rules.price_min, rules.price_max)
    lo, hi = result.lo, result.hi
    for wrong in ((lo - 1, hi), (lo + 1, hi), (lo, hi - 1), (lo, hi + 1), (lo - 1, hi - 1), (lo + 1, hi + 1)):
        refusal = town.refusal(town.auction.clear(market, *wrong, records, batches))
        assert refusal in ("NotClearing", "HintOutOfBand")
    flipped = bytes([records[0] ^ 1]) + records[1:]
    assert town.refusal(town.auction.clear(market, lo, hi, flipped, batches)) == "ChainMismatch"
    if len(batches) < 2:
        (event,) = town.send(town.auction.clear(market, lo, hi, records, batches))
        assert isinstance(event, Cleared)
        return event
    return _clear_in_parts(town, market, book, batches, (lo, hi))


def _clear_in_parts(
    town: Any, market: Market, book: Book, batches: list[int], hints: tuple[int, int]
) -> Cleared:
    """Batch by batch; the chain knows no progress but the one that the rules reckon."""
    progress, whole, at = START, book.records(), 0
    for size in batches[:-1]:
        part = whole[at : at + size * RECORD_BYTES]
        town.send(town.auction.advance(market, *hints, progress, part, [size]))
        progress, at = advance(progress, [part], *hints), at + len(part)
        wrong = progress._replace(demand=progress.demand + 1)
        assert (
            town.refusal(town.auction.clear_from(market, *hints, wrong, whole[at:], batches[-1:]))
            == "UnknownProgress"
        )
    (event,) = town.send(town.auction.clear_from(market, *hints, progress, whole[at:], batches[-1:]))
    assert isinstance(event, Cleared)
    assert root_of(advance(progress, [whole[at:]], *hints)) == event.root
    return event


def test_the_contract_clears_every_book_as_the_rules_do(
    town: Any, cleared: list[tuple[Market, Book, list[int], Cleared]]
) -> None:
    traded = 0
    for market, book, _, event in cleared:
        result = clear(book, town.rules.price_min, town.rules.price_max)
        assert event == Cleared(
            market, result.price, result.lo, result.hi, result.volume, result.demand_above, result.supply_below,
            len(book), fill_root(book, result),
        )  # fmt: skip
        traded += result.volume > 0
    assert 10 < traded < BOOKS  # crossing books and others were among them


def test_the_contract_labels_every_book_as_the_rules_do(
    town: Any, cleared: list[tuple[Market, Book, list[int], Cleared]]
) -> None:
    scarce = 0
    for market, book, batches, _ in cleared:
        clearing = label(book, clear(book, town.rules.price_min, town.rules.price_max))
        event = _label(town, market, book, batches, clearing)
        labels = clearing.labels
        assert labels is not None
        assert event == Labelled(
            market, labels.premium, labels.green, labels.above, fill_root(book, clearing)
        )
        assert town.refusal(_whole(town, market, labels.premium, book, batches)) == "AlreadyLabelled"
        scarce += labels.premium > 0 and labels.green > 0
    assert scarce > 3


def _label(town: Any, market: Market, book: Book, batches: list[int], clearing: Clearing) -> Labelled:
    """In one transaction, or batch by batch from the progress that the rules reckon."""
    premium = clearing.result.premium
    for wrong in (premium - PREMIUM_STEP, premium + PREMIUM_STEP, premium + 1):
        if wrong >= 0:
            assert town.refusal(_whole(town, market, wrong, book, batches)) == "NotLabelPrice"
    progress, whole, at = START, book.records(), 0
    for size in batches[:-1] if len(batches) % 2 else []:
        part = whole[at : at + size * RECORD_BYTES]
        town.send(town.auction.advance_labels(market, premium, progress, part, [size]))
        progress, at = advance_labels(progress, [part], book, clearing), at + len(part)
    left = batches[-1:] if at else batches
    (event,) = town.send(town.auction.label(market, premium, progress, whole[at:], left))
    assert isinstance(event, Labelled)
    return event


def _whole(town: Any, market: Market, premium: int, book: Book, batches: list[int]) -> Call:
    call: Call = town.auction.label(market, premium, START, book.records(), batches)
    return call


def test_the_locks_are_those_of_the_rules(
    town: Any, cleared: list[tuple[Market, Book, list[int], Cleared]]
) -> None:
    day = calendar.day_of_slot(town.rules, cleared[0][0].slot)
    expected = sum(int(book.locks(town.rules).sum()) for _, book, _, _ in cleared)
    assert town.accounts.lock_total(town.deployment.community, day) == expected


def test_a_profile_is_accepted_step_by_step(town: Any) -> None:
    community, (account, *_) = town.deployment.community, town.homes
    day = calendar.day_at(town.rules, town.chain.head().timestamp) + 4
    slots = calendar.slots_of_day(town.rules, day)
    steps = (
        Step(slots[2], 50_000, 700, 1, False),
        Step(slots[2], 5_000_000, 700, 1, False),  # beyond the band
        Step(slots[5], -7, 10, 0, True),
    )
    nonce = town.nonces[account] = town.nonces.get(account, -1) + 1
    profile = ProfileOrder(account, community, 0, 0, False, nonce, 2**40, steps)
    signature = signing.sign(town.homes[account].secret, signing.profile_digest(town.auction.domain, profile))
    events = town.send(town.auction.relay_profiles(community, 0, 0, profile.wire(signature)))
    records = profile.records()
    assert [event for event in events if isinstance(event, OrdersAccepted)] == [
        OrdersAccepted(records[0][0], 0, records[0][1]),
        OrdersAccepted(records[2][0], 0, records[2][1]),
    ]
    assert [event for event in events if isinstance(event, OrderSkipped)] == [
        OrderSkipped(records[1][0], account, nonce, SkipReason.PRICE_OUT_OF_BAND)
    ]


def test_a_signature_of_another_key_or_chain_is_skipped(town: Any) -> None:
    day = calendar.day_at(town.rules, town.chain.head().timestamp) + 4
    market = Market(town.deployment.community, 0, calendar.first_slot(town.rules, day), 0)
    account, *_ = town.homes
    wire = town.wire(market, [(account, True, 5, 5, 0)])
    nonce = town.nonces[account]
    events = town.send(town.auction.relay_orders(market, wire[:-1] + bytes([wire[-1] ^ 1])))
    assert events == [OrderSkipped(market, account, nonce, SkipReason.BAD_SIGNATURE)]
    assert isinstance(town.send(town.auction.relay_orders(market, wire))[0], OrdersAccepted)
    assert town.send(town.auction.relay_orders(market, wire)) == [
        OrderSkipped(market, account, nonce, SkipReason.NONCE_USED)
    ]


def test_a_key_with_higher_bits_is_no_market(town: Any) -> None:
    community, account = town.deployment.community, next(iter(town.homes))
    slots = calendar.slots_of_day(town.rules, calendar.day_at(town.rules, town.chain.head().timestamp) + 3)
    market = Market(community, 0, slots[20], 0)
    wire = town.wire(market, [(account, True, 1, 5, 0)])
    shadow = town.auction._call("relay", "relayOrders", market.key | 1 << 80, wire)
    assert town.refusal(shadow) == "MalformedWire"
    placed = (market.key | 1 << 80, account, 1, 5, 0, True, town.nonces[account])
    call = town.auction._call("order", "placeOrder", *placed)
    with pytest.raises(RevertedError) as refused:
        town.chain.call(call.to, call.data, town.homes[account].raw_address)
    assert explain("order", refused.value.data).name == "GateClosed"
    assert town.auction.head_of(market) == EMPTY_HEAD
    (event,) = town.send(town.auction.relay_orders(market, wire))
    assert isinstance(event, OrdersAccepted)
