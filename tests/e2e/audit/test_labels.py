"""Labels and curtailed slots, audited: the auditor follows the chain, and a changed word is found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from otaniemi.contracts.chain import events as e
from otaniemi.contracts.chain.bindings import Positions
from otaniemi.contracts.chain.errors import RevertedError
from otaniemi.contracts.rules.calendar import direct_gate
from otaniemi.contracts.rules.clearing import clear
from otaniemi.contracts.rules.labels import labels_of
from otaniemi.contracts.rules.orders import Book, Market, preference
from otaniemi.contracts.rules.resume import START
from otaniemi.platform.audit.replay import Replay
from otaniemi.platform.audit.steps import Step, steps_of

from .small_day import ADMIN, COMMUNITY, FIRST, HOMES, RULES, A, B, C, D, SmallDay

LABELLED = Market(COMMUNITY, 0, FIRST + 10, 0)
CURTAILED = Market(COMMUNITY, 0, FIRST + 11, 0)
EMPTY = Market(COMMUNITY, 0, FIRST + 11, 1)


@pytest.fixture(scope="module")
def day() -> SmallDay:
    """400 Wh of PV meet bids of 300, 200 and 100 Wh; the next slot is curtailed before its gate."""
    day = SmallDay.start()
    orders = [
        (B, 60_000, 400, 1, False),
        (D, 60_000, 300, 0, False),
        (A, 120_000, 300, preference(20_000), True),
        (C, 120_000, 200, preference(5_000), True),
        (D, 110_000, 100, 0, True),
    ]
    keys = dict(zip((A, B, C, D), HOMES, strict=True))
    nonces = dict.fromkeys(keys, 0)
    for account, price, quantity, source, buy in orders:
        for market in (LABELLED, CURTAILED):
            call = day.auction.place_order(market, account, price, quantity, source, buy, nonces[account])
            day.sender.send(keys[account], call)
            nonces[account] += 1
    positions = Positions(day.chain, day.deployment.addresses["Positions"])
    for permille in (500, 250):
        day.sender.send(ADMIN, positions.curtail(COMMUNITY, 0, CURTAILED.slot, permille, "storm"))
    assert positions.remaining(COMMUNITY, 0, CURTAILED.slot) == 250
    day.sender.send(ADMIN, day.auction.close_curtailed(CURTAILED))
    for market, error in ((CURTAILED, "GateClosed"), (EMPTY, "GateClosed")):
        with pytest.raises(RevertedError, match=error):
            day.sender.send(HOMES[0], day.auction.place_order(market, A, 1, 1, 0, True, nonces[A]))
    day._collect()
    book, clearing = day.cleared(CURTAILED)
    call = day.auction.clear(CURTAILED, clearing.lo, clearing.hi, book.records(), [1] * len(book))
    day.sender.send(ADMIN, call)
    assert day.chain.head().timestamp < direct_gate(RULES, CURTAILED.slot, 0)
    day.clear([LABELLED])
    book = day.cleared(LABELLED)[0]
    call = day.auction.label(LABELLED, 5_000, START, book.records(), [1] * len(book))
    day.sender.send(ADMIN, call)
    return day


@pytest.fixture(scope="module")
def steps(day: SmallDay) -> list[Step]:
    blocks = day.chain.blocks(0, day.chain.head().number)
    return list(steps_of(blocks, day.deployment.addresses))


def walk(day: SmallDay, steps: list[Step]) -> Replay:
    replay = Replay(day.deployment, None)
    replay.run(steps)
    return replay


def test_labels_and_closed_markets_hold_as_they_were(day: SmallDay, steps: list[Step]) -> None:
    replay = walk(day, steps)
    assert replay.findings == []
    assert replay.counts["labelled_markets"] == 1
    book, clearing = replay.state.cleared[LABELLED]
    assert clearing.labels is not None
    # The higher premium is labelled whole, the other gets the 100 Wh that are left.
    assert clearing.labels.wh.tolist() == [0, 0, 300, 100, 0]
    assert (clearing.labels.premium, clearing.labels.green) == (5_000, 400)
    assert replay.state.curtailed == {CURTAILED[:3]: 250}
    plain = clear(Book.of_records(book.records()), RULES.price_min, RULES.price_max)
    assert labels_of(book, plain).wh.tolist() == clearing.labels.wh.tolist()


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (e.Labelled, "market", CURTAILED),
        (e.Labelled, "premium", 6_000),
        (e.Labelled, "green", 401),
        (e.Labelled, "above", 299),
        (e.Labelled, "root", bytes(32)),
        (e.Curtailed, "permille", 1_000),
        (e.Curtailed, "slot", LABELLED.slot),
        (e.MarketClosed, "market", LABELLED),
        (e.MarketClosed, "market", EMPTY),
    ],
)
def test_a_changed_word_is_found(
    day: SmallDay, steps: list[Step], kind: type[e.Event], field: str, value: Any
) -> None:
    def changed(step: Step) -> Step:
        told = [
            replace(event, **{field: value}) if isinstance(event, kind) else event for event in step.events
        ]
        return replace(step, events=tuple(told))

    assert walk(day, [changed(step) for step in steps]).findings


def test_labels_before_the_clearing_or_in_the_slot_are_found(day: SmallDay, steps: list[Step]) -> None:
    at = next(i for i, step in enumerate(steps) if any(isinstance(x, e.Labelled) for x in step.events))
    label = steps[at]
    early = [*steps[: at - 1], label, steps[at - 1], *steps[at + 1 :]]
    late = [*steps[:at], replace(label, time=LABELLED.slot * RULES.slot_seconds), *steps[at + 1 :]]
    for told in (early, late, [*steps, label]):
        assert walk(day, told).findings
