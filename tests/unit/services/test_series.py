"""What the keeper of standard contracts does when: marks, deliveries, margin calls, ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from otaniemi.contracts.chain.errors import RevertedError
from otaniemi.contracts.chain.events import Event
from otaniemi.contracts.chain.forms import blocks
from otaniemi.contracts.rules.block_series import EVERY_DAY, TOP_UP_TIME, Series, delivery_window
from otaniemi.contracts.rules.tariffs import Feed, TariffReport
from otaniemi.platform.keys import derive_key
from otaniemi.platform.services.admission import NotFoundError
from otaniemi.platform.services.series import SeriesService
from otaniemi.platform.store import Store, days

from ...support.rules import HOURLY as RULES

DAY = 19_577
TERMS = Series(1, 0, EVERY_DAY, 10, 6, DAY, DAY + 1, 100, 2_000_000_000, 200, 10_000)
"""Two days of 600 Wh a lot."""
MARK = 100_000
MOVE, LOCK = 1_200 * 20_000, 600 * 120_000
"""Margin against a move, of two days of a lot; what a buyer locks for a day of it at the mark. [nano-token]"""
BUYER, SELLER = 5, 6
ADMIN, KEEPER = derive_key(7, "admin", 0), derive_key(7, "keeper", 0)


@dataclass
class Chain:
    """A gateway that says what a test lets the chain say, and notes what was sent."""

    store: Store
    events: list[Event]
    now: int = 0
    free: Counter[int] = field(default_factory=lambda: Counter({BUYER: 10**12, SELLER: 10**12}))
    deadlines: tuple[int, int] = (0, 0)
    sent: list[tuple[Any, ...]] = field(default_factory=list)
    refuses: bool = False
    community = 1
    rules = RULES

    @property
    def clock(self) -> Any:
        return self

    @property
    def contracts(self) -> Any:
        def call(name: str) -> Any:
            return lambda *arguments: (name, *arguments)

        there = SimpleNamespace(buyer_deadline=self.deadlines[0], seller_deadline=self.deadlines[1])
        names = ("remark", "deliver", "call_margin", "close")
        contract = SimpleNamespace(**{name: call(name) for name in names}, deal_of=lambda _: there)
        accounts = SimpleNamespace(free_of=lambda account: self.free[account])
        return SimpleNamespace(block_series=contract, accounts=accounts)

    def catch_up(self) -> None:
        """Nothing comes from elsewhere."""

    def send_one(self, key: Any, call: tuple[Any, ...]) -> None:
        assert key is KEEPER
        self.sent.append(call)
        if self.refuses:
            raise RevertedError("deliver", "NotReady", {}, b"")

    def events_of(self, _transaction: Any, _contract: str, subject: int) -> list[Event]:
        return [event for event in self.events if subject in (_number(event),)]

    def subjects_of(self, _transaction: Any, _contract: str, kinds: Any, _account: Any = None) -> list[int]:
        return [_number(event) for event in self.events if type(event).__name__ in kinds]

    def counts_of(self, _transaction: Any, _contract: str) -> dict[int, Counter[str]]:
        found: dict[int, Counter[str]] = {}
        for event in self.events:
            found.setdefault(_number(event), Counter())[type(event).__name__] += 1
        return found


def _number(event: Any) -> int:
    number: int = event.deal if hasattr(event, "deal") else event.series
    return number


def deal(margin: int = MOVE, price: int = MARK) -> list[Event]:
    """A deal of one lot with its margins; the series was marked by the first day's report."""
    return [
        blocks.SeriesCreated(2, 1, TERMS),
        blocks.Marked(2, DAY, MARK),
        blocks.BlockTraded(1, BUYER, SELLER, 2, 1, price, 0),
        blocks.MarginMoved(1, BUYER, margin),
        blocks.MarginMoved(1, SELLER, MOVE),
    ]


@contextmanager
def keeping(
    folder: Path, events: list[Event], now: int, **given: Any
) -> Iterator[tuple[Chain, SeriesService]]:
    store = Store(folder / "store.db")
    chain: Any = Chain(store, events, now, **given)
    yield chain, SeriesService(chain, ADMIN, KEEPER)
    store.close()


WINDOW = delivery_window(TERMS, RULES, DAY)


@pytest.mark.parametrize(
    ("now", "free", "sent"),
    [
        (WINDOW.opens - 1, 10**12, []),
        (WINDOW.opens, 10**12, [("deliver", 1, DAY)]),
        (WINDOW.opens, LOCK - MOVE // 2 - 1, []),
        (WINDOW.opens, LOCK - MOVE // 2, [("deliver", 1, DAY)]),
        (WINDOW.due, 0, [("deliver", 1, DAY)]),
        (WINDOW.ends, 10**12, [("deliver", 1, DAY + 1)]),
    ],
    ids=["early", "open", "too little free", "just enough", "due: it may end", "the next day"],
)
def test_a_day_is_delivered_when_both_can_take_it_or_it_is_due(
    tmp_path: Path, now: int, free: int, sent: list[object]
) -> None:
    with keeping(tmp_path, deal(), now, free=Counter({BUYER: free, SELLER: 10**12})) as (chain, service):
        service.tend()
        assert chain.sent == sent


def test_a_deal_without_days_left_is_closed_and_what_is_refused_waits(tmp_path: Path) -> None:
    late = delivery_window(TERMS, RULES, DAY + 1).ends
    with keeping(tmp_path, deal(), late, refuses=True) as (chain, service):
        service.tend()
        service.tend()
        assert chain.sent == [("close", 1)] * 2
        assert service.next_due() is None
        chain.events.append(blocks.DealClosed(1))
        service.tend()
        assert len(chain.sent) == 2


@pytest.mark.parametrize(
    ("margin", "free", "called", "deadline", "sent"),
    [
        (MOVE, 0, False, 0, []),
        (MOVE + 1, 0, False, 0, [("call_margin", 1, True)]),
        (MOVE // 2, 10, False, 0, []),
        (MOVE // 2 - 1, 0, False, 0, [("call_margin", 1, True)]),
        (MOVE // 2 - 1, 0, True, 1, []),
        (MOVE // 2 - 1, 1, True, 1, [("call_margin", 1, True)]),
        (MOVE // 2 - 1, 0, True, 0, [("call_margin", 1, True)]),
    ],
    ids=["as it is", "too much", "enough", "too little", "called", "money came", "deadline over"],
)
def test_margin_is_called_when_that_moves_something(
    tmp_path: Path, margin: int, free: int, called: bool, deadline: int, sent: list[object]
) -> None:
    now = WINDOW.opens - 3_600
    events = deal(margin) + ([blocks.MarginCalled(1, BUYER, 1, now + deadline)] if called else [])
    given = {"free": Counter({BUYER: free, SELLER: 10**12}), "deadlines": (now + deadline, 0)}
    with keeping(tmp_path, events, now, **given if called else {"free": given["free"]}) as (chain, service):
        service.tend()
        assert chain.sent == sent


def test_a_series_is_marked_by_a_later_report_while_it_is_traded_or_held(tmp_path: Path) -> None:
    with keeping(tmp_path, deal()[:2], WINDOW.opens) as (chain, service):
        report = TariffReport(1, Feed.REFERENCE, DAY + 1, ((1, MARK),) * 24)
        for day in (DAY, DAY + 1):
            with chain.store.begin() as transaction:
                days.add_tariff(transaction, TariffReport(1, Feed.REFERENCE, day, report.prices), 1)
        service.tend()
        assert chain.sent == []  # tomorrow's prices are those of the day it has; the day after comes later
        chain.now += 86_400
        service.tend()
        assert chain.sent == [("remark", 2, report)]
        chain.events.append(blocks.Marked(2, DAY + 1, MARK))
        service.tend()
        assert len(chain.sent) == 1


def test_the_next_moment_is_told_and_unknown_numbers_are_refused(tmp_path: Path) -> None:
    with keeping(tmp_path, deal(), WINDOW.opens - TOP_UP_TIME) as (chain, service):
        assert service.next_due() == WINDOW.opens
        chain.now = WINDOW.opens
        assert service.next_due() == WINDOW.due
        with pytest.raises(NotFoundError, match="there is no deal 9"):
            service.deal(9)
        with pytest.raises(NotFoundError, match="there is no series 9"):
            service.series(9)
