"""The auditor of forms of trading, on events by hand: honest ones pass, and what the rules do not give is found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from otaniemi.contracts.chain import events as e
from otaniemi.contracts.chain.forms import bilateral, blocks, continuous, dutch, sealed
from otaniemi.contracts.rules import block_series, calendar
from otaniemi.contracts.rules.bilateral import GRACE, BilateralTerms
from otaniemi.contracts.rules.block_series import EVERY_DAY, TOP_UP_TIME, Series
from otaniemi.contracts.rules.continuous import NO_ENGINE, SERIES, Limit, deal_of
from otaniemi.contracts.rules.dutch_auction import DutchTerms
from otaniemi.contracts.rules.lots import Lots
from otaniemi.contracts.rules.positions import Form, pack_wh
from otaniemi.contracts.rules.sealed_auction import Outcome, SealedTerms
from otaniemi.contracts.rules.signing import Domain
from otaniemi.contracts.rules.tariffs import Feed
from otaniemi.platform.audit.agreements import Agreements
from otaniemi.platform.audit.forms import Forms, as_money_moved
from otaniemi.platform.audit.state import Account, State
from otaniemi.platform.audit.steps import Step

from ...support.rules import HOURLY

DAY = 19_680
START = calendar.day_start(HOURLY, DAY)
FIRST = calendar.first_slot(HOURLY, DAY)
NOW = START - 50_000
RICH = 10**12
HOST, LEFT, RIGHT = 4, 5, 6
NAMES = ("SealedAuction", "DutchAuction", "BlockSeries", "ContinuousMarket", "BilateralContracts")
DOMAINS = {name: Domain(31_337, "0x" + f"{number:040x}") for number, name in enumerate(NAMES, 1)}


@dataclass
class Desk:
    """An auditor who knows three homes with money."""

    state: State
    forms: Forms

    @classmethod
    def open(cls) -> Desk:
        state = State()
        state.versions[1].append((0, HOURLY))
        for account in (HOST, LEFT, RIGHT):
            state.accounts[account] = Account(1, "", "", products={0})
            state.ledger.deposit(account, RICH)
        return cls(state, Forms(state, DOMAINS))

    def hear(self, time: int, *events: e.Event, function: str = "", **arguments: Any) -> list[str]:
        """What is wrong with a transaction."""
        transaction = cast(Any, SimpleNamespace(sender=bytes(20)))
        step = Step(1, time, 0, transaction, "", function, arguments, events, bytes(32))
        return list(self._follow(step))

    def _follow(self, step: Step) -> Iterator[str]:
        positions = Agreements(self.state)
        for event in as_money_moved(step.events):
            handler = self.forms.handler(type(event))
            if isinstance(event, e.PositionOpened):
                yield from positions.opened(event, step)
            elif handler:
                yield from handler(event, step)
        yield from self.forms.finish(step)


@pytest.fixture
def desk() -> Desk:
    return Desk.open()


def _opened(
    form: Form, deal: int, buyer: int, seller: int, price: int, slot: int, *wh: int
) -> e.PositionOpened:
    return e.PositionOpened(1, buyer, seller, 0, DAY, form, deal, price, 1, slot, pack_wh(wh))


# Sealed auctions: two lots of 100 Wh; LEFT bids for both at 60,000, RIGHT for one at 55,000, which is the price.
LOTS = Lots(HOST, 1, 0, True, 1, 2, FIRST + 10, (100,))
SEALED = SealedTerms(LOTS, False, 50_000, 1_001, NOW + 600, NOW + 900)
PER_LOT = LOTS.per_lot(HOURLY, 50_000)
WON = sealed.BidSettled(1, 0, LEFT, Outcome.WON, 2, 55_000, 1_001, 2 * PER_LOT, 0, 0)
WON_POSITION = _opened(Form.SEALED, 1, LEFT, HOST, 55_000, FIRST + 10, 200)


def _award(desk: Desk) -> None:
    assert desk.hear(NOW, sealed.SealedCreated(1, HOST, SEALED, 2 * PER_LOT)) == []
    assert desk.hear(NOW, sealed.BidCommitted(1, 0, LEFT, bytes(32))) == []
    assert desk.hear(NOW, sealed.BidCommitted(1, 1, RIGHT, bytes(32))) == []
    assert desk.hear(NOW + 600, sealed.BidRevealed(1, 0, LEFT, 60_000, 2)) == []
    assert desk.hear(NOW + 899, sealed.BidRevealed(1, 1, RIGHT, 55_000, 1)) == []
    assert desk.hear(NOW + 900, sealed.SealedFinalised(1, 55_000, 2, 0)) == []


def test_a_sealed_auction_leaves_nothing_in_its_pot(desk: Desk) -> None:
    _award(desk)
    lost = sealed.BidSettled(1, 1, RIGHT, Outcome.LOST, 0, 55_000, 1_001, 0, 0, 0)
    assert desk.hear(NOW + 900, WON, WON_POSITION, lost) == []
    assert desk.state.ledger.pots["SealedAuction"] == 0


def test_a_winner_without_its_position_is_found(desk: Desk) -> None:
    _award(desk)
    (why,) = desk.hear(NOW + 900, WON)
    assert why.startswith("opens nothing; its form agreed on Agreement(buyer=5, seller=4")


def test_who_can_pay_keeps_the_deposit(desk: Desk) -> None:
    _award(desk)
    unpaid = replace(WON, outcome=Outcome.UNPAID, returned=0, forfeited=500, reserved=501)
    reserved = e.Reserved(DOMAINS["SealedAuction"].contract, 501)
    assert desk.hear(NOW + 900, reserved, unpaid) == [
        f"takes the deposit of bid 0, which could pay {200 * 75_000}"
    ]


def test_who_cannot_pay_loses_the_deposit_and_the_reserve_gets_its_half(desk: Desk) -> None:
    _award(desk)
    desk.state.ledger.request_withdrawal(LEFT, RICH - 1_001)
    unpaid = replace(WON, outcome=Outcome.UNPAID, returned=0, forfeited=500, reserved=501)
    why = desk.hear(NOW + 900, unpaid)
    assert why == ["reserves 0 nano-token of deposits; its bids say 501"]


@pytest.mark.parametrize("late", [False, True])
def test_a_winner_lapses_only_when_its_slots_begin_or_are_curtailed_or_its_day_is_closed(
    desk: Desk, late: bool
) -> None:
    _award(desk)
    lapsed = replace(WON, outcome=Outcome.LAPSED)
    time = calendar.slot_start(HOURLY, FIRST + 10) if late else NOW + 900
    assert (desk.hear(time, lapsed) == []) is late
    for shut in ("curtailed", "closed"):
        other = Desk.open()
        _award(other)
        if shut == "curtailed":
            other.state.curtailed[1, 0, FIRST + 10] = 0
        else:
            other.state.closed.add((1, DAY))
        assert other.hear(NOW + 900, lapsed) == []


@pytest.mark.parametrize(
    ("time", "event"),
    [
        (NOW + 600, sealed.BidCommitted(1, 2, 7, bytes(32))),
        (NOW, sealed.BidCommitted(1, 2, LEFT, bytes(32))),
        (NOW, sealed.BidCommitted(1, 2, HOST, bytes(32))),
        (NOW + 900, sealed.BidRevealed(1, 0, LEFT, 60_000, 2)),
        (NOW + 599, sealed.BidRevealed(1, 0, LEFT, 60_000, 2)),
        (NOW + 600, sealed.BidRevealed(1, 0, RIGHT, 60_000, 2)),
        (NOW + 600, sealed.BidRevealed(1, 5, RIGHT, 60_000, 2)),
        (NOW + 899, sealed.SealedFinalised(1, 50_000, 0, 2 * PER_LOT)),
        (NOW + 600, sealed.SealedCreated(2, HOST, SEALED, 2 * PER_LOT)),
        (NOW + 600, sealed.BidRevealed(9, 0, LEFT, 60_000, 2)),
    ],
)
def test_a_bid_out_of_its_time_or_turn_is_found(desk: Desk, time: int, event: e.Event) -> None:
    desk.hear(NOW, sealed.SealedCreated(1, HOST, SEALED, 2 * PER_LOT))
    desk.hear(NOW, sealed.BidCommitted(1, 0, LEFT, bytes(32)))
    desk.hear(NOW, sealed.BidCommitted(1, 1, RIGHT, bytes(32)))
    assert desk.hear(time, event)


def test_a_reveal_must_open_the_commitment(desk: Desk) -> None:
    desk.hear(NOW, sealed.SealedCreated(1, HOST, SEALED, 2 * PER_LOT))
    desk.hear(NOW, sealed.BidCommitted(1, 0, LEFT, bytes(32)))
    told = sealed.BidRevealed(1, 0, LEFT, 60_000, 2)
    assert "not what was committed" in desk.hear(NOW + 600, told, function="reveal", salt=bytes(32))[0]


def test_a_dutch_take_may_spend_what_it_gives_back_and_costs_the_price_of_its_second(desk: Desk) -> None:
    terms = DutchTerms(LOTS, 100_000, 40_000, NOW, NOW + 600)
    per_lot = LOTS.per_lot(HOURLY, 40_000)
    desk.state.ledger.request_withdrawal(HOST, RICH - 2 * per_lot)
    assert desk.hear(NOW, dutch.DutchCreated(1, HOST, terms, 2 * per_lot)) == []
    taken = dutch.DutchTaken(1, LEFT, 1, 70_000, per_lot)
    position = _opened(Form.DUTCH, 1, LEFT, HOST, 70_000, FIRST + 10, 100)
    assert desk.hear(NOW + 300, position, taken) == []
    assert "price of Dutch auction 1" in desk.hear(NOW + 301, position, taken)[0]
    assert desk.hear(NOW + 700, dutch.DutchClosed(1, 1, per_lot)) == []
    assert "never created" in desk.hear(NOW + 700, dutch.DutchClosed(2, 1, per_lot))[0]


# A series of two days with 400 Wh each for two lots, marked at 90,000 and traded at 100,000.
TERMS = Series(1, 0, EVERY_DAY, 20, 4, DAY, DAY + 1, 50, START, 200, 5_000)
SECURED = block_series.margins(TERMS, 100_000, 90_000, 800)
TRADED = blocks.BlockTraded(1, LEFT, RIGHT, 1, 2, 100_000, 1)
MATCHED = continuous.Matched(1, bytes(32), bytes([1]) * 32, 0, SERIES | 1, 1, LEFT, RIGHT, 100_000, 2, 0, 0)
MARGINS = (
    blocks.MarginMoved(1, LEFT, SECURED.initial(True)),
    blocks.MarginMoved(1, RIGHT, SECURED.initial(False)),
)


def _mark(desk: Desk, day: int, forward: int) -> list[str]:
    desk.state.tariffs[1, Feed.REFERENCE, day] = ((0, forward),) * 24
    return desk.hear(NOW, blocks.Marked(1, day, forward))


def _bind(desk: Desk) -> None:
    assert desk.hear(NOW, blocks.SeriesCreated(1, 1, TERMS)) == []
    assert _mark(desk, DAY - 1, 90_000) == []
    assert desk.hear(NOW, TRADED, *MARGINS, MATCHED) == []


def test_a_mark_is_that_of_a_report_that_counts(desk: Desk) -> None:
    desk.hear(NOW, blocks.SeriesCreated(1, 1, TERMS))
    assert "does not count" in desk.hear(NOW, blocks.Marked(1, DAY - 1, 90_000))[0]
    desk.state.tariffs[1, Feed.REFERENCE, DAY - 1] = ((0, 90_000),) * 24
    assert "at 90001; by the report" in desk.hear(NOW, blocks.Marked(1, DAY - 1, 90_001))[0]


def test_a_deal_without_match_or_margin_is_found(desk: Desk) -> None:
    desk.hear(NOW, blocks.SeriesCreated(1, 1, TERMS))
    _mark(desk, DAY - 1, 90_000)
    why = desk.hear(NOW, TRADED, MARGINS[0])
    assert why == [
        "makes deal 1, which nobody matched",
        f"does not move margin of {SECURED.initial(False)} of account {RIGHT} in deal 1",
    ]


def test_margins_move_by_the_latest_report_only(desk: Desk) -> None:
    _bind(desk)
    desk.state.tariffs[1, Feed.REFERENCE, DAY] = ((0, 1),) * 24
    returned = blocks.MarginMoved(1, LEFT, -1)
    assert f"older than the report of day {DAY}" in desk.hear(NOW, returned)[0]


def test_a_side_fails_only_after_a_call_or_without_money_for_a_day(desk: Desk) -> None:
    _bind(desk)
    _mark(desk, DAY, 60_000)
    after = block_series.margins(TERMS, 100_000, 60_000, 800)
    margin = SECURED.initial(True)
    desk.state.ledger.request_withdrawal(LEFT, desk.state.ledger.free[LEFT])
    missing = after.maintenance(True) - margin
    called = blocks.MarginCalled(1, LEFT, missing, NOW + TOP_UP_TIME)
    assert desk.hear(NOW, called) == []
    assert "are missing" in desk.hear(NOW, replace(called, missing=missing + 1))[0]
    assert "margin of deal 1 until" in desk.hear(NOW, replace(called, deadline=NOW))[0]
    desk.hear(NOW, called)
    paid = min(after.buyer, margin)
    end = (
        blocks.Defaulted(1, LEFT, 0, DAY, paid),
        blocks.DealClosed(1),
        *(blocks.MarginMoved(1, LEFT, paid - margin) for _ in range(margin > paid)),
        blocks.MarginMoved(1, RIGHT, -SECURED.initial(False) - paid),
    )
    assert desk.hear(NOW + TOP_UP_TIME, *end) == []
    early = Desk.open()
    _bind(early)
    _mark(early, DAY, 60_000)
    assert early.hear(NOW + TOP_UP_TIME - 1, *end) == [f"ends deal 1 for account {LEFT}, which did not fail"]


def test_a_day_of_a_deal_leaves_curtailed_slots_out(desk: Desk) -> None:
    _bind(desk)
    desk.state.curtailed[1, 0, FIRST + 21] = 500
    opens = block_series.delivery_window(TERMS, HOURLY, DAY).opens
    moved = [blocks.MarginMoved(1, move.account, -(move.nano - move.nano // 2)) for move in MARGINS]
    position = _opened(Form.BLOCK, 1, LEFT, RIGHT, 100_000, FIRST + 20, 100, 0, 100, 100)
    assert desk.hear(opens, blocks.Delivered(1, DAY), *moved, position) == []
    other = Desk.open()
    _bind(other)
    assert other.hear(opens, blocks.Delivered(1, DAY), *moved, position)
    early = Desk.open()
    _bind(early)
    early.state.curtailed[1, 0, FIRST + 21] = 500
    assert f"before {opens}" in early.hear(opens - 1, blocks.Delivered(1, DAY), *moved, position)[0]


def test_a_day_that_lapsed_returns_its_margin_with_the_next(desk: Desk) -> None:
    terms = replace(TERMS, last_day=DAY + 2)
    buyer, seller = 1_200 * 28_000, 1_200 * 18_000
    moves = blocks.MarginMoved(1, LEFT, buyer), blocks.MarginMoved(1, RIGHT, seller)
    assert desk.hear(NOW, blocks.SeriesCreated(1, 1, terms)) == []
    _mark(desk, DAY - 1, 90_000)
    assert desk.hear(NOW, TRADED, *moves, MATCHED) == []
    # Two of three days are over when the second is delivered.
    opens = block_series.delivery_window(terms, HOURLY, DAY + 1).opens
    moved = blocks.MarginMoved(1, LEFT, -buyer * 2 // 3), blocks.MarginMoved(1, RIGHT, -seller * 2 // 3)
    position = _opened(Form.BLOCK, 1, LEFT, RIGHT, 100_000, FIRST + 44, 100, 100, 100, 100)
    assert desk.hear(opens, blocks.Delivered(1, DAY + 1), *moved, replace(position, day=DAY + 1)) == []


# A contract over 100 Wh in the first two hours of each of two days, at 80,000.
CONTRACT = BilateralTerms(
    1, 0, HOST, LEFT, 1, DAY, DAY + 1, False, 80_000, 0, (100, 100) + (0,) * 22, 1, 7_000, 2**40, 0
)
CONCLUDED = bilateral.Concluded(1, HOST, LEFT, CONTRACT.digest(DOMAINS["BilateralContracts"]), CONTRACT)
DELIVERED = bilateral.Delivered(1, DAY)
DELIVERY = _opened(Form.BILATERAL, 1, LEFT, HOST, 80_000, FIRST, 100, 100)


def test_a_contract_delivers_what_its_terms_say_once_and_in_time(desk: Desk) -> None:
    assert desk.hear(NOW, CONCLUDED) == []
    assert desk.hear(NOW, DELIVERY, DELIVERED) == []
    assert "which is not due" in desk.hear(NOW, DELIVERY, DELIVERED)[0]
    late = replace(DELIVERED, day=DAY + 1)
    first = replace(DELIVERY, day=DAY + 1, slot=FIRST + 24)
    assert any("outside of" in why for why in desk.hear(START + 86_400, first, late))
    assert desk.state.ledger.pots["BilateralContracts"] == 14_000


def test_a_contract_that_begins_today_or_is_another_than_its_hash_is_found(desk: Desk) -> None:
    assert desk.hear(START, CONCLUDED)
    other = Desk.open()
    assert "not that of its terms" in other.hear(NOW, replace(CONCLUDED, hash=bytes(32)))[0]


def test_only_who_cannot_pay_is_in_default(desk: Desk) -> None:
    desk.hear(NOW, CONCLUDED)
    default = bilateral.Defaulted(1, LEFT, FIRST, DAY - 1)
    (why,) = desk.hear(START - GRACE, default)
    assert why == f"calls account {LEFT} in default, which has {RICH - 7_000} and needs {200 * 100_000}"
    poor = Desk.open()
    poor.hear(NOW, CONCLUDED)
    poor.state.ledger.request_withdrawal(LEFT, poor.state.ledger.free[LEFT])
    assert poor.hear(START - GRACE, default) == []
    assert poor.state.ledger.free[HOST] == RICH + 7_000
    assert "were paid before" in poor.hear(START - GRACE, default)[0]
    full = Desk.open()
    full.hear(NOW, CONCLUDED)
    full.state.positions[1, 0, LEFT, DAY] = [
        _opened(Form.BLOCK, 1, LEFT, HOST, 0, FIRST, 1).agreement.side(True)
    ] * 512
    assert full.hear(START - GRACE, default) == []
    shut = Desk.open()
    shut.hear(NOW, CONCLUDED)
    shut.state.ledger.request_withdrawal(LEFT, shut.state.ledger.free[LEFT])
    shut.state.closed.add((1, DAY))
    (why,) = shut.hear(START - GRACE, default)
    assert why == f"calls account {LEFT} in default of day {DAY}, which is closed"


@pytest.mark.parametrize(
    ("time", "event"),
    [
        (NOW, bilateral.Terminated(1, LEFT, DAY - 1, False)),
        (NOW, bilateral.Terminated(1, RIGHT, DAY, False)),
        (NOW, bilateral.Terminated(1, LEFT, DAY, True)),
        (NOW, bilateral.Defaulted(1, RIGHT, FIRST, DAY - 1)),
        (START - GRACE - 1, bilateral.Defaulted(1, LEFT, FIRST, DAY - 1)),
        (START, bilateral.Closed(1)),
        (NOW, bilateral.Closed(2)),
        (NOW, bilateral.DeliveredMetered(1, FIRST, 5, 80_000)),
    ],
)
def test_an_end_of_a_contract_that_its_terms_do_not_give_is_found(
    desk: Desk, time: int, event: e.Event
) -> None:
    desk.hear(NOW, CONCLUDED)
    desk.state.ledger.request_withdrawal(LEFT, desk.state.ledger.free[LEFT])
    assert desk.hear(time, event)


# A buys 250 Wh of a slot from B by limits that the calldata shows.
BUY = Limit(LEFT, 1, 0, FIRST + 5, 90_000, 250, 1, 0, True, 0, 2**40, NO_ENGINE)
SELL = replace(BUY, account=RIGHT, price=70_001, source=1, buy=False)
BOUGHT, SOLD = (limit.digest(DOMAINS["ContinuousMarket"]) for limit in (BUY, SELL))
NUMBER = deal_of(BOUGHT, SOLD, 250)
MATCH = continuous.Matched(1, BOUGHT, SOLD, 0, FIRST + 5, NUMBER, LEFT, RIGHT, 80_000, 250, 0, 0)
TRADE = _opened(Form.CONTINUOUS, NUMBER, LEFT, RIGHT, 80_000, FIRST + 5, 250)
SHOWN = {
    side: ([getattr(limit, name) for name in Limit.__slots__], b"", 0, 0, b"")
    for side, limit in (("buy", BUY), ("sell", SELL))
}


def test_a_match_is_the_one_of_its_limits(desk: Desk) -> None:
    assert desk.hear(NOW, TRADE, MATCH, function="matchOrders", **SHOWN) == []
    again = replace(MATCH, deal=deal_of(BOUGHT, SOLD, 500))
    position = replace(TRADE, deal=again.deal)
    why = desk.hear(NOW, position, again, function="matchOrders", **SHOWN)
    assert len(why) == 2
    assert all(one.startswith("fills 500 of an order") for one in why)


def test_a_match_that_its_engine_did_not_bring_is_found(desk: Desk) -> None:
    buy = replace(BUY, engine="0x" + "77" * 20)
    digest = buy.digest(DOMAINS["ContinuousMarket"])
    number = deal_of(digest, SOLD, 250)
    shown = SHOWN | {"buy": ([getattr(buy, name) for name in Limit.__slots__], b"", 0, 0, b"")}
    match, position = replace(MATCH, buy=digest, deal=number), replace(TRADE, deal=number)
    why = desk.hear(NOW, position, match, function="matchOrders", **shown)
    assert why == [f"matches an order of account {LEFT}, which its engine {buy.engine} did not bring"]


def test_a_trade_in_parts_that_takes_up_other_forms_room_is_found(desk: Desk) -> None:
    part = _opened(Form.CONTINUOUS, 1, LEFT, HOST, 0, FIRST + 10, 1)
    desk.state.positions[1, 0, LEFT, DAY] = [part.agreement.side(True)] * 256
    why = list(Agreements(desk.state).opened(part, cast(Any, SimpleNamespace(time=NOW))))
    assert why == [f"opens more than 256 positions of account {LEFT}"]
    block = _opened(Form.BLOCK, 1, LEFT, HOST, 0, FIRST + 10, 1)
    assert list(Agreements(desk.state).opened(block, cast(Any, SimpleNamespace(time=NOW)))) == []


def test_a_position_of_a_closed_day_is_found(desk: Desk) -> None:
    desk.state.closed.add((1, DAY))
    why = desk.hear(NOW, TRADE, MATCH, function="matchOrders", **SHOWN)
    assert why == [f"opens a position of day {DAY}, which is closed"]


def test_a_match_at_another_price_is_found_where_the_limits_are_shown(desk: Desk) -> None:
    dear, position = replace(MATCH, price=80_001), replace(TRADE, price=80_001)
    assert "the price is 80000" in desk.hear(NOW, position, dear, function="matchOrders", **SHOWN)[0]
    assert Desk.open().hear(NOW, position, dear) == []


@pytest.mark.parametrize("form", [*Form, 9])
def test_a_position_that_no_form_speaks_of_is_found(desk: Desk, form: int) -> None:
    (why,) = desk.hear(NOW, replace(TRADE, form=form))
    assert why.endswith("its form agreed on nothing")
