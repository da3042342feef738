"""The matching engine over a plain chain: receipts, matches, and what happens when process or chain say no."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from otaniemi.contracts.chain.forms.continuous import Fill, SignedLimit
from otaniemi.contracts.rules.block_series import EVERY_DAY, Series
from otaniemi.contracts.rules.continuous import SERIES, Receipt
from otaniemi.contracts.rules.keys import DeviceLimits
from otaniemi.contracts.rules.order_book import Level
from otaniemi.contracts.rules.signing import recover, sign
from otaniemi.platform.clock import SimulatedClock
from otaniemi.platform.engine_log import SETTLE_LEAD, cancel_digest
from otaniemi.platform.keys import derive_key
from otaniemi.platform.services import continuous
from otaniemi.platform.services.admission import MAX_STANDING, NotFoundError, RefusedError
from otaniemi.platform.services.continuous import Stage, UnknownTradeError
from otaniemi.platform.store import Store, chain_index, limits, members
from otaniemi.platform.store.limits import MatchStatus

from ...support.limit_chain import COMMUNITY, DOMAIN, LimitChain, PowerFailure
from ...support.limit_world import BOOK, BUY, ENGINE, GATE, NOW, SELL, SLOT, World
from ...support.rules import HOURLY as RULES


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world in which nothing ever comes to a book."""
    store = Store(tmp_path_factory.mktemp("quiet") / "store.db")
    yield World(LimitChain(RULES), store, SimulatedClock(NOW))
    store.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = Store(tmp_path / "store.db")
    yield World(LimitChain(RULES), store, SimulatedClock(NOW))
    store.close()


def test_an_order_gets_the_next_number_in_a_receipt_that_the_engine_signed(world: World) -> None:
    first, second = world.place(1, BUY, 90_000, 500), world.place(2, BUY, 91_000, 500)
    world.clock.move_to(NOW + 5)
    third = world.place(3, BUY, 92_000, 500)
    assert [state.kept.sequence for state in (first, second, third)] == [1, 2, 3]
    for state, at in ((first, NOW), (third, NOW + 5)):
        kept = state.kept
        assert kept.digest == kept.limit.digest(DOMAIN)
        receipt = Receipt(kept.digest, kept.sequence, at)
        assert recover(receipt.digest(DOMAIN), kept.receipt) == ENGINE.address


def test_an_order_sent_again_is_one_order(world: World) -> None:
    first = world.place(1, BUY, 90_000, 500)
    world.clock.move_to(NOW + 60)
    assert world.place(1, BUY, 90_000, 500) == first
    assert world.depth() == ((Level(90_000, 500, 1),), ())


def test_matches_reach_the_chain_at_the_price_of_the_earlier_order(world: World) -> None:
    world.place(1, SELL, 80_000, 300)
    world.place(2, SELL, 70_000, 300)
    state = world.place(3, BUY, 90_000, 500)
    assert (state.stage, state.waiting, state.settled) == (Stage.FILLED, 500, 0)
    assert world.service.deliver() == 2
    assert [(t.buyer, t.seller, t.quantity, t.price) for t in world.chain.trades] == [
        (3, 2, 300, 70_000),
        (3, 1, 200, 80_000),
    ]
    state = world.service.limit(3)
    assert (state.waiting, state.settled) == (0, 500)
    assert [match.status for match in state.matches] == [MatchStatus.SETTLED] * 2
    assert world.depth() == ((), (Level(80_000, 100, 1),))
    assert world.service.deliver() == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"community": 2}, "community"),
        ({"product": 1}, "product"),
        ({"engine": "0x" + "00" * 20}, "engine"),
        ({"instrument": SERIES | 1}, "instrument"),
        ({"instrument": SLOT - 2}, "instrument"),
        ({"instrument": SLOT + 24 * 9}, "slot"),
        ({"valid_to": NOW + SETTLE_LEAD - 1}, "valid_to"),
        ({"source": 5}, "source"),
        ({"price": 4_000_001}, "price"),
        ({"quantity": 20_001}, "quantity"),
    ],
)
def test_an_order_that_could_not_trade_is_refused_by_field(
    quiet: World, change: dict[str, int], field: str
) -> None:
    with pytest.raises(RefusedError) as refusal:
        quiet.send(replace(quiet.limit(1, BUY, 90_000, 500), **change))  # type: ignore[arg-type]
    assert refusal.value.field == field
    assert quiet.service.log(1, 9) == []


def test_a_strangers_signature_and_a_device_beyond_its_limits_are_refused(world: World) -> None:
    limit = world.limit(1, BUY, 90_000, 500)
    with pytest.raises(RefusedError, match="signature is that of"):
        world.service.submit(limit, sign(world.key(2).secret, limit.digest(DOMAIN)))
    device = derive_key(7, "device", 1)
    with world.store.begin() as transaction:
        members.rotate_device(transaction, 1, device.address, 1)
        members.limit_device(transaction, 1, DeviceLimits(GATE, 499, 0, 10**6), 1)
    with pytest.raises(RefusedError, match="up to 499 Wh with the device key"):
        world.service.submit(limit, sign(device.secret, limit.digest(DOMAIN)))
    smaller = replace(limit, quantity=499)
    assert world.service.submit(smaller, sign(device.secret, smaller.digest(DOMAIN))).rest == 499


def test_orders_that_stand_count_against_the_free_money(world: World) -> None:
    world.chain.free[1] = 1_000 * (100_000 + 20_000)
    world.place(1, BUY, 100_000, 600, nonce=1)
    with pytest.raises(
        RefusedError, match="quantity is 132000000 nano-token to lock with the orders that stand"
    ):
        world.place(1, BUY, 100_000, 500, nonce=2)
    world.place(1, BUY, 100_000, 400, nonce=2)


def test_an_account_has_only_so_many_orders_that_stand(world: World) -> None:
    for nonce in range(MAX_STANDING):
        world.place(1, BUY, 1, 1, nonce=nonce)
    with pytest.raises(RefusedError, match=f"fewer than {MAX_STANDING} standing orders"):
        world.place(1, BUY, 1, 1, nonce=MAX_STANDING)
    world.place(2, SELL, 1, 1)
    world.service.deliver()
    world.place(1, BUY, 1, 1, nonce=MAX_STANDING)  # one was filled, so another one has room


def test_a_cancelled_order_leaves_and_its_number_is_spent(world: World) -> None:
    world.place(1, BUY, 90_000, 500, nonce=4)
    word = cancel_digest(DOMAIN, 1, 4)
    with pytest.raises(RefusedError, match="signature is that of"):
        world.service.cancel(1, 4, sign(world.key(2).secret, word))
    [state] = world.service.cancel(1, 4, sign(world.key(1).secret, word))
    assert (state.stage, state.rest, state.kept.removed) == (Stage.REMOVED, 0, "cancelled")
    assert world.depth() == ((), ())
    with pytest.raises(NotFoundError):
        world.service.cancel(1, 4, sign(world.key(1).secret, word))
    with pytest.raises(RefusedError, match="one that the account has not cancelled"):
        world.place(1, BUY, 95_000, 500, nonce=4)


def test_a_nonce_cancelled_on_the_chain_takes_its_orders_along(world: World) -> None:
    world.place(1, BUY, 90_000, 500, nonce=4)
    world.chain.cancel(1, 4)
    world.service.deliver()
    assert world.service.limit(1).kept.removed == "cancelled on chain"
    with pytest.raises(RefusedError, match="nonce"):
        world.place(1, BUY, 95_000, 500, nonce=4)


def test_an_order_stands_until_its_matches_could_come_too_late(world: World) -> None:
    world.place(1, BUY, 90_000, 500)
    world.clock.move_to(GATE - 1 - SETTLE_LEAD)
    assert world.service.limit(1).stage is Stage.STANDING
    world.clock.move_to(GATE - SETTLE_LEAD)
    assert world.service.limit(1).stage is Stage.EXPIRED
    assert world.depth() == ((), ())
    with pytest.raises(RefusedError, match="instrument"):
        world.place(2, SELL, 80_000, 500)


def test_whom_the_chain_refuses_leaves_and_the_other_has_its_place_again(world: World) -> None:
    world.place(1, SELL, 70_000, 300)
    world.place(2, SELL, 80_000, 300)
    world.chain.free[1] = 0  # spent elsewhere after its order came
    world.place(3, BUY, 90_000, 500)
    assert world.service.deliver() == 2
    world.place(4, SELL, 85_000, 300)
    assert world.service.deliver() == 1
    assert [(t.buyer, t.seller, t.quantity, t.price) for t in world.chain.trades] == [
        (3, 2, 200, 80_000),
        (3, 2, 100, 80_000),  # what the first seller did not deliver
        (3, 4, 200, 90_000),  # the buyer's place is that of its old number
    ]
    assert world.service.limit(1).kept.removed == "rejected"
    kinds = [
        (entry.kind.value, entry.first, entry.second, entry.note) for entry, _ in world.service.log(1, 99)
    ]
    assert kinds == [
        ("received", 1, None, ""), ("received", 2, None, ""),
        ("received", 3, None, ""), ("matched", 3, 1, ""), ("matched", 3, 2, ""),
        ("removed", 1, None, "rejected"), ("undone", 3, 1, "InsufficientFunds"),
        ("matched", 3, 2, ""),
        ("received", 4, None, ""), ("matched", 3, 4, ""),
    ]  # fmt: skip
    evidence = [entry.evidence for entry, _ in world.service.log(6, 2)]
    assert evidence == [world.chain.blocks[0][0] + bytes(4)] * 2


def test_a_match_that_an_undone_one_made_too_small_is_undone_without_blame(world: World) -> None:
    world.place(1, SELL, 70_000, 190)
    world.place(2, SELL, 75_000, 110)
    world.chain.free[1] = 0
    world.place(3, BUY, 90_000, 300, least=150)
    # The 110 of order 2 were to be the last part of order 3; without the 190 they are less than it takes.
    assert [match.quantity for match in world.service.limit(3).matches] == [190, 110]
    assert world.service.deliver() == 0
    assert [world.service.limit(number).stage.value for number in (1, 2, 3)] == [
        "removed",
        "standing",
        "standing",
    ]
    assert world.depth() == ((Level(90_000, 300, 1),), (Level(75_000, 110, 1),))
    world.place(4, SELL, 80_000, 250)
    world.service.deliver()
    assert [(t.seller, t.quantity, t.price) for t in world.chain.trades] == [
        (4, 250, 90_000),
        (2, 50, 75_000),
    ]


def test_a_trade_of_the_engines_key_that_the_store_does_not_tell_stops_the_engine(world: World) -> None:
    sell, buy = world.place(1, SELL, 70_000, 300).kept, world.place(2, BUY, 60_000, 300).kept
    crossing = replace(buy.limit, price=75_000, nonce=9)
    signed = [SignedLimit(crossing, b""), SignedLimit(sell.limit, sell.signature)]
    world.chain.bring(signed, [Fill(0, 1, 100)], NOW)
    with pytest.raises(
        UnknownTradeError, match="trades 100 of orders 0 and 1, which this store does not tell"
    ):
        world.service.deliver()
    assert world.depth() == ((Level(60_000, 300, 1),), (Level(70_000, 300, 1),))


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_around_a_transaction_doubles_no_trade(world: World, when: str) -> None:
    world.place(1, SELL, 70_000, 300)
    world.place(2, BUY, 70_000, 100)
    world.place(3, BUY, 70_000, 100)
    world.gateway.dies = when
    with pytest.raises(PowerFailure):
        world.service.deliver()
    assert len(world.chain.trades) == (2 if when == "after" else 0)
    world.restart()
    assert world.depth() == ((), (Level(70_000, 100, 1),))
    world.service.deliver()
    assert [(t.buyer, t.quantity) for t in world.chain.trades] == [(2, 100), (3, 100)]
    assert world.service.limit(1).settled == 200


def test_blocks_that_are_read_again_settle_the_same_matches(world: World) -> None:
    world.place(1, SELL, 70_000, 300)
    world.place(2, BUY, 70_000, 100)
    world.service.deliver()
    before = world.service.limit(1)
    with world.store.begin() as transaction:
        chain_index.forget_from(transaction, 0)
    assert world.service.limit(1).waiting == 100
    world.restart()
    world.service.deliver()
    assert world.service.limit(1) == before
    assert len(world.chain.trades) == 1


def test_a_failure_while_an_order_is_taken_in_leaves_no_trace(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.place(1, SELL, 70_000, 300)
    with monkeypatch.context() as patch:
        patch.setattr(limits, "keep_snapshot", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            world.place(2, BUY, 70_000, 100)
    assert world.depth() == ((), (Level(70_000, 300, 1),))
    assert world.place(3, BUY, 70_000, 300).kept.sequence == 2
    world.service.deliver()
    assert [(t.buyer, t.quantity) for t in world.chain.trades] == [(3, 300)]


SERIES_1 = Series(COMMUNITY, 0, EVERY_DAY, 18, 2, 19_590, 19_599, 500, NOW + 600, 200, 10_000)
"""500 Wh a slot, two slots a day, ten days: 10 kWh a lot; margins of 20 % of the mark."""


def test_lots_of_a_series_trade_by_their_margins_until_its_last_trading(world: World) -> None:
    world.chain.series[1] = SERIES_1
    sell = replace(world.limit(1, SELL, 85_000, 3), instrument=SERIES | 1)
    buy = replace(world.limit(2, BUY, 90_000, 2), instrument=SERIES | 1)
    # A lot moves by 10,000 Wh x 16,000; a buyer at 90,000 could leave 10,000 a Wh behind the mark of 80,000.
    world.chain.free[2] = 2 * 10_000 * (16_000 + 10_000) - 1
    world.send(sell)
    with pytest.raises(RefusedError, match="quantity is 520000000 nano-token to lock"):
        world.send(buy)
    world.chain.free[2] += 1
    world.send(buy)
    assert world.service.deliver() == 1
    assert [(t.instrument, t.quantity, t.price) for t in world.chain.trades] == [(SERIES | 1, 2, 85_000)]
    world.clock.move_to(SERIES_1.last_trading - SETTLE_LEAD)
    assert world.service.limit(1).stage is Stage.EXPIRED
    with pytest.raises(RefusedError, match="instrument"):
        world.send(replace(buy, nonce=5))
    with pytest.raises(RefusedError, match="a slot, or a series of community 1 and product 0"):
        world.send(replace(sell, instrument=SERIES | 2))


def test_snapshots_keep_the_end_of_each_minute_that_changed_a_book(world: World) -> None:
    world.place(1, SELL, 70_000, 300)
    world.place(2, SELL, 60_000, 200)
    world.clock.move_to(NOW + 180)
    world.place(3, BUY, 65_000, 250)
    first, second = world.service.snapshots(BOOK, 0, 9)
    assert (first.minute, first.sequence, second.minute, second.sequence) == (NOW // 60, 2, NOW // 60 + 3, 3)
    assert (first.buys, first.sells) == ((), (Level(60_000, 200, 1), Level(70_000, 300, 1)))
    assert (second.buys, second.sells) == ((Level(65_000, 50, 1),), (Level(70_000, 300, 1),))
    assert world.service.snapshots(BOOK, NOW // 60 + 1, 9) == [second]


def test_crashes_at_random_moments_change_no_trade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(continuous, "FILLS_PER_TRANSACTION", 2)
    draw = random.Random(11)
    orders = [
        (draw.randint(1, 9), draw.random() < 0.5, draw.randint(60, 70) * 1_000, draw.randint(1, 400),
         draw.choice([0, 0, 50, 1]))
        for _ in range(60)
    ]  # fmt: skip
    trades = []
    for crashes in (False, True):
        store = Store(tmp_path / f"{crashes}.db")
        world = World(LimitChain(RULES), store, SimulatedClock(NOW))
        for nonce, (account, buy, price, quantity, least) in enumerate(orders):
            world.place(account, buy, price, quantity, min(least, quantity), nonce)
            if crashes:
                world.gateway.dies = draw.choice([None, "before", "after"])
            try:
                world.service.deliver()
            except PowerFailure:
                world.restart()
        world.gateway.dies = None
        world.service.deliver()
        trades.append(world.chain.trades)
        store.close()
    assert trades[0] == trades[1]
    assert len(trades[0]) > 20
