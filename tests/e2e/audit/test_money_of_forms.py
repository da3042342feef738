"""Every form of trading on a real chain: its money is followed to the last nano-token, and every word is checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from otaniemi.contracts.chain import events as e
from otaniemi.contracts.chain.forms import bilateral, blocks, continuous, dutch, sealed
from otaniemi.contracts.chain.read import read_verified
from otaniemi.contracts.rules.positions import Form
from otaniemi.contracts.rules.sealed_auction import Outcome
from otaniemi.platform.audit.audit import audit_run
from otaniemi.platform.audit.replay import Replay
from otaniemi.platform.audit.steps import Step, steps_of

from .small_day import A, B, C, D
from .traded_day import TradedDay, play

Traded = tuple[TradedDay, Path, list[Step]]


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Traded:
    """The day, its record, and the steps of its chain."""
    run = tmp_path_factory.mktemp("traded") / "run"
    day = play(run)
    blocks = read_verified(run / "chain", day.chain.head().hash)
    return day, run, list(steps_of(blocks, day.deployment.addresses))


def _replay(day: TradedDay, steps: Sequence[Step]) -> Replay:
    replay = Replay(replace(day.deployment, head=day.chain.head().hash), None)
    replay.run(steps)
    return replay


def test_a_day_of_all_forms_holds(traded: Traded) -> None:
    _, run, steps = traded
    assert audit_run(run).findings == ()
    opened = [event for step in steps for event in step.events if isinstance(event, e.PositionOpened)]
    assert {event.form for event in opened} == set(Form) - {Form.CALL, Form.PACKAGE}


def test_the_ledger_of_the_audit_is_that_of_the_chain(traded: Traded) -> None:
    day, _, steps = traded
    state = _replay(day, steps).state
    ledger = state.ledger
    assert state.escrow_micro * 1_000 == ledger.owed
    for account in (1, 2, 3, A, B, C, D):
        assert day.accounts.free_of(account) == ledger.free[account]
    for name, address in day.deployment.addresses.items():
        assert day.accounts.pot_of(address) == ledger.pots[name], name
    assert day.accounts.reserve() == ledger.reserve == 500_001


KINDS: tuple[type[e.Event], ...] = (
    e.PositionOpened,
    e.Reserved,
    *(
        sealed.SealedCreated,
        sealed.BidCommitted,
        sealed.BidRevealed,
        sealed.SealedFinalised,
        sealed.BidSettled,
    ),
    *(dutch.DutchCreated, dutch.DutchTaken, dutch.DutchClosed),
    *(bilateral.Concluded, bilateral.Delivered, bilateral.DeliveredMetered, bilateral.Terminated),
    bilateral.Closed,
    *(blocks.SeriesCreated, blocks.Marked, blocks.BlockTraded, blocks.MarginMoved, blocks.Delivered),
    blocks.DealClosed,
    continuous.Matched,
)
LAST_WORDS = (dutch.DutchClosed, bilateral.Terminated, bilateral.Closed, blocks.DealClosed)
"""Nothing follows from them that would be missed; that a receipt has all its events is the proof of the block."""


def _changed(value: Any) -> Any:
    """``value`` and a little more."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, Outcome):
        return Outcome((value + 1) % len(Outcome))
    if isinstance(value, int):
        return value + 1
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    if isinstance(value, str):
        return "0x" + "00" * 20
    assert is_dataclass(value)
    assert not isinstance(value, type)
    first = fields(value)[0].name
    return replace(value, **{first: _changed(getattr(value, first))})


@pytest.mark.parametrize(
    "kind", KINDS, ids=lambda kind: f"{kind.__module__.rpartition('.')[2]}-{kind.__name__}"
)
def test_a_word_that_is_another_or_missing_is_found(traded: Traded, kind: type[e.Event]) -> None:
    day, _, steps = traded
    place = next(i for i, step in enumerate(steps) if any(isinstance(event, kind) for event in step.events))
    events = steps[place].events
    index = next(i for i, event in enumerate(events) if isinstance(event, kind))
    names = [name.name for name in fields(kind)]
    changes = {
        name: replace(events[index], **{name: _changed(getattr(events[index], name))}) for name in names
    }
    unseen = []
    missing = {} if kind in LAST_WORDS else {"whole": None}
    for what, event in (changes | missing).items():
        own = (*events[:index], *([event] if event else []), *events[index + 1 :])
        lies = [*steps[:place], replace(steps[place], events=own), *steps[place + 1 :]]
        if not _replay(day, lies).findings:
            unseen.append(what)
    assert unseen == []
