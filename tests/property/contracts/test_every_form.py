"""Every form of trading at once, in any order: money and energy are always where the plain rules say."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.support.forms_lots import Forms
from tests.support.forms_setting import (
    DAY,
    DAYS,
    EVERYBODY,
    FIRST,
    FOREVER,
    HOMES,
    REFERENCE,
    RULES,
    SLOTS,
    START_OF_DAY,
)

from otaniemi.contracts.chain.forms.continuous import SignedLimit
from otaniemi.contracts.rules.bilateral import BilateralTerms
from otaniemi.contracts.rules.calendar import slot_at
from otaniemi.contracts.rules.dutch_auction import DutchTerms
from otaniemi.contracts.rules.orders import Market, Order
from otaniemi.contracts.rules.sealed_auction import SealedTerms
from otaniemi.contracts.rules.tariffs import Feed

HOME = st.sampled_from(sorted(HOMES))
SLOT = st.integers(0, 3)  # 0 has begun, 1 comes next
PLACE = st.tuples(SLOT, st.integers(0, 1))  # with the session
PRICE = st.integers(-3, 20).map(lambda step: step * 10_000)
WH = st.sampled_from([100, 333, 800, 2_000])
OUTSIDE = st.sampled_from(
    [None, None, None, None, "price", "quantity", "nonce", "signer", "valid_to", "funds"]
)
ORDER = st.fixed_dictionaries({
    "account": HOME, "price": PRICE, "quantity": WH, "source": st.sampled_from([0, 1, 3, 64, 70]),
    "buy": st.booleans(), "wrong": OUTSIDE,
})  # fmt: skip


class EveryForm(RuleBasedStateMachine):
    """A day and a half of four homes."""

    @initialize(
        seed=st.integers(0, 2**16),
        start=st.sampled_from([-50_000, -30_000, 20_000]),
        cut=st.integers(0, 5),
    )
    def start(self, seed: int, start: int, cut: int) -> None:
        self.world, self.nonce = Forms(seed), 0
        self.billed = self.world.draw.random() < 0.7
        self.limits: list[tuple[SignedLimit, SignedLimit]] = []
        self.world.go_to(START_OF_DAY - 50_000)
        self.open()
        self.world.go_to(START_OF_DAY + start)
        if cut:
            self.world.curtail(SLOTS[cut], 333)

    @rule(seconds=st.sampled_from([30, 600, 3_600, 10_000]))
    def time_passes(self, seconds: int) -> None:
        self.world.go_to(min(self.world.now + seconds, START_OF_DAY + 86_400))

    @rule(slot=SLOT, session=st.integers(0, 1))
    def a_gate_comes_near(self, slot: int, session: int) -> None:
        market = self.market(slot, session)
        self.world.go_to(self.world.gate(market, relayed=False) - 2)

    @rule(account=st.sampled_from(EVERYBODY), micro=st.integers(1, 10**6))
    def deposit(self, account: int, micro: int) -> None:
        self.world.deposit(account, micro)

    @rule(account=HOME, share=st.sampled_from([0, 30, 101]))
    def request_withdrawal(self, account: int, share: int) -> None:
        self.world.request_withdrawal(account, self.world.free(account) * share // 100)

    @rule(account=HOME)
    def withdraw(self, account: int) -> None:
        self.world.withdraw(account)

    @rule(place=PLACE, asked=st.lists(ORDER, min_size=2, max_size=4))
    def relay(self, place: tuple[int, int], asked: list[dict[str, Any]]) -> None:
        market = self.market(*place)
        self.world.relay(market, [self.order(market, **one) for one in asked])

    @rule(place=PLACE, asked=ORDER)
    def place(self, place: tuple[int, int], asked: dict[str, Any]) -> None:
        # What is not relayed carries no time of its own, and a source that nobody knows is never sent.
        wrong = None if asked["wrong"] == "valid_to" else asked["wrong"]
        source = asked["source"] if asked["buy"] else 1
        order, signer = self.order(self.market(*place), **{**asked, "source": source, "wrong": wrong})
        self.world.place(order, signer)

    @rule(place=PLACE, labelled=st.booleans())
    def clear(self, place: tuple[int, int], labelled: bool) -> None:
        market = max(self.ready(), default=self.market(*place))
        self.world.clear(market)
        if labelled:
            self.world.label(market)

    @rule(place=PLACE)
    def label_or_void(self, place: tuple[int, int]) -> None:
        market = self.market(*place)
        self.world.label(market)
        self.world.void(min(self.ready(), default=market))

    @rule(slot=SLOT, permille=st.sampled_from([0, 333, 999]))
    def curtail(self, slot: int, permille: int) -> None:
        self.world.curtail(self.slot(slot), permille)
        for session in (0, 1):
            self.world.close_curtailed(self.market(slot, session))

    @rule(
        account=HOME, slot=SLOT, wh=st.lists(st.integers(-3_000, 3_000), min_size=1, max_size=3),
        relayed=st.booleans(),
    )  # fmt: skip
    def nominate(self, account: int, slot: int, wh: list[int], relayed: bool) -> None:
        slot = self.slot(slot)
        self.world.nominate(account, slot, tuple(wh[: SLOTS.stop - slot]), relayed)

    @rule(
        parties=st.permutations(sorted(HOMES)), slot=SLOT, series=st.booleans(), prices=st.tuples(PRICE, PRICE),
        sizes=st.tuples(WH, WH), source=st.sampled_from([0, 0, 1]), nonce=st.integers(0, 3), late=st.booleans(),
        honest=st.integers(0, 3),
    )  # fmt: skip
    def match_new(
        self, parties: list[int], slot: int, series: bool, prices: tuple[int, int], sizes: tuple[int, int],
        source: int, nonce: int, late: bool, honest: int,
    ) -> None:  # fmt: skip
        buyer, seller = parties[0], parties[1 if honest else 0]
        low, high = sorted(prices) if honest else prices
        sizes = (sizes[0] // 100, sizes[1] // 50) if series else sizes
        valid_to = self.world.now + (400 if late else 90_000)
        self.nonce += 1
        bid, offer = (
            self.world.limit(
                account, buy, series, self.slot(slot), price, size, size // 3, source, nonce, valid_to
            )
            for account, buy, price, size in ((buyer, True, high, sizes[0]), (seller, False, low, sizes[1]))
        )
        self.limits.append((bid, offer))
        self.world.match(bid, offer, min(sizes) // 2 or 1)

    @precondition(lambda self: self.limits)
    @rule(data=st.data(), quantity=st.sampled_from([1, 5, 100, 300]))
    def match_again(self, data: st.DataObject, quantity: int) -> None:
        bid, _ = data.draw(st.sampled_from(self.limits))
        _, offer = data.draw(st.sampled_from(self.limits))
        self.world.match(bid, offer, quantity)

    @rule(account=HOME, nonce=st.integers(0, 3), key=HOME)
    def cancel(self, account: int, nonce: int, key: int) -> None:
        self.world.cancel(account, nonce, key)

    @precondition(lambda self: self.world.deals)
    @rule(data=st.data(), day=st.sampled_from(DAYS), buyer=st.booleans(), what=st.integers(0, 3))
    def go_on_with_a_block_deal(self, data: st.DataObject, day: int, buyer: bool, what: int) -> None:
        number = data.draw(st.integers(1, len(self.world.deals)))
        if what < 2:
            self.world.deliver_block(number, day)
        elif what == 2:
            self.world.call_margin(number, buyer)
        else:
            self.world.close_block(number)

    @rule(day=st.sampled_from(DAYS))
    def remark(self, day: int) -> None:
        world = self.world
        if day not in world.reported and DAY in world.reported and world.now < START_OF_DAY + 40_000:
            world.report(Feed.REFERENCE, day, REFERENCE[day])
        world.remark(day)

    @rule(
        parties=st.permutations(sorted(HOMES)), first=st.sampled_from([DAY, DAY, DAY + 1]), price=PRICE,
        wh=st.lists(st.sampled_from([0, 250, 900]), min_size=5, max_size=5), notice=st.integers(0, 1),
        fee=st.sampled_from([0, 10**9, 10**12]), honest=st.integers(0, 3),
    )  # fmt: skip
    def conclude(
        self, parties: list[int], first: int, price: int, wh: list[int], notice: int, fee: int, honest: int
    ) -> None:
        terms = BilateralTerms(
            1, 0, parties[0], parties[1], 2, first, DAY + 1, False, price, 0, (*wh, 100), notice, fee,
            FOREVER, 7,
        )  # fmt: skip
        self.world.conclude(terms, honest=honest > 0)

    @precondition(lambda self: self.world.agreed)
    @rule(data=st.data(), day=st.sampled_from(DAYS), account=HOME, what=st.integers(0, 4))
    def go_on_with_a_contract(self, data: st.DataObject, day: int, account: int, what: int) -> None:
        number = data.draw(st.integers(1, len(self.world.agreed)))
        if what < 3:
            self.world.deliver_contract(number, day)
        elif what == 3:
            self.world.terminate(number, account, early=day == DAY)
        else:
            self.world.close_contract(number)

    @rule(account=HOME, package=st.integers(0, 3), feed_in=st.booleans(), day=st.sampled_from(DAYS))
    def choose(self, account: int, package: int, feed_in: bool, day: int) -> None:
        self.world.choose(account, package, feed_in, day)

    @rule(
        account=HOME, selling=st.booleans(), count=st.integers(1, 3), slot=SLOT,
        wh=st.lists(WH, min_size=1, max_size=2), price=PRICE, as_bid=st.booleans(),
    )  # fmt: skip
    def create_sealed(
        self, account: int, selling: bool, count: int, slot: int, wh: list[int], price: int, as_bid: bool
    ) -> None:
        world = self.world
        lots = world.lots(account, selling, count, self.slot(slot), tuple(wh), 1)
        until = world.now + 2_000
        world.create_sealed(SealedTerms(lots, as_bid, price, 10**8 + 1, until, until + 2_000))

    @precondition(lambda self: self.world.sealed_auctions)
    @rule(data=st.data(), account=HOME, price=PRICE, lots=st.integers(1, 3))
    def commit(self, data: st.DataObject, account: int, price: int, lots: int) -> None:
        self.world.commit(data.draw(st.integers(1, len(self.world.sealed_auctions))), account, price, lots)

    @precondition(lambda self: self.world.sealed_auctions)
    @rule(data=st.data(), honest=st.integers(0, 3), ends=st.booleans())
    def go_on_with_a_sealed_auction(self, data: st.DataObject, honest: int, ends: bool) -> None:
        number = data.draw(st.integers(1, len(self.world.sealed_auctions)))
        self.end_sealed(number, honest, ends)

    def end_sealed(self, number: int, honest: int, ends: bool) -> None:
        """Reveal the first ``honest`` bids, others wrongly, and find the winners where the time to reveal ``ends``."""
        auction = self.world.sealed_auctions[number - 1]
        self.world.go_to(auction.terms.commit_until)
        for which in range(len(auction.bids)):
            self.world.reveal(number, which, honest > which)
        if ends:
            self.world.go_to(auction.terms.reveal_until)
        self.world.finalise(number)
        self.world.settle_sealed(number)

    @rule(
        account=HOME, selling=st.booleans(), count=st.integers(1, 3), slot=SLOT,
        wh=st.lists(WH, min_size=1, max_size=2), prices=st.tuples(PRICE, PRICE), wait=st.sampled_from([0, 1, 900]),
    )  # fmt: skip
    def create_dutch(
        self,
        account: int,
        selling: bool,
        count: int,
        slot: int,
        wh: list[int],
        prices: tuple[int, int],
        wait: int,
    ) -> None:
        world = self.world
        lots = world.lots(account, selling, count, self.slot(slot), tuple(wh), 0)
        first, last = sorted(prices, reverse=selling)
        world.create_dutch(DutchTerms(lots, first, last, world.now + wait, world.now + 5_000))

    @precondition(lambda self: self.world.dutch_auctions)
    @rule(data=st.data(), account=HOME, lots=st.integers(1, 2), limit=PRICE, signed=st.booleans())
    def take(self, data: st.DataObject, account: int, lots: int, limit: int, signed: bool) -> None:
        number = data.draw(st.integers(1, len(self.world.dutch_auctions)))
        self.world.take_lots(number, account, lots, limit, signed)

    @precondition(lambda self: self.world.dutch_auctions)
    @rule(data=st.data(), account=HOME)
    def close(self, data: st.DataObject, account: int) -> None:
        number = data.draw(st.integers(1, len(self.world.dutch_auctions)))
        self.world.close_dutch(number, account)

    @invariant()
    def money_is_where_the_rules_say(self) -> None:
        self.world.assert_money_is_where_the_rules_say()

    @invariant()
    def as_much_is_bought_as_sold(self) -> None:
        self.world.assert_trades_balance()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.end_day(self.billed)

    def open(self) -> None:
        """Trade a little in every form, so that all of them meet in the bills."""
        world, draw = self.world, self.world.draw

        def price() -> int:
            return draw.randrange(-2, 15) * 10_000

        for slot in SLOTS[1:5]:
            asked: list[dict[str, Any]] = [
                {
                    "account": account, "price": price(), "quantity": draw.randrange(50, 900),
                    "source": draw.choice((64, 70)) if buy else 1, "buy": buy, "wrong": None,
                }
                for account, buy in zip(draw.sample(sorted(HOMES), 4), (True, False) * 2, strict=True)
            ]  # fmt: skip
            market = Market(1, 0, slot, slot % 2)
            world.relay(market, [self.order(market, **one) for one in asked])
        for series in (False, False, True):
            parties = draw.sample(sorted(HOMES), 4)
            self.match_new(
                parties, draw.randrange(2, 6), series, (price(), price()), (800, 600), 0, 9, False, 1
            )
        self.conclude(draw.sample(sorted(HOMES), 4), DAY, price(), [250, 0, 250, 0, 250], 1, 10**9, 1)
        self.choose(draw.choice(sorted(HOMES)), draw.randrange(1, 4), False, DAY)
        host, *others = draw.sample(sorted(HOMES), 4)
        self.create_sealed(host, draw.random() < 0.5, 2, 3, [150, 90], price(), draw.random() < 0.5)
        for account in others:
            world.commit(1, account, price(), draw.randrange(1, 3))
        self.create_dutch(host, draw.random() < 0.5, 2, 5, [120], (price(), price()), 0)
        world.take_lots(
            1, others[0], 1, world.dutch_auctions[0].terms.start_price, signed=draw.random() < 0.5
        )
        if world.sealed_auctions and draw.random() < 0.7:
            self.end_sealed(1, honest=4, ends=True)

    def slot(self, ahead: int) -> int:
        """The slot that comes so many after the present one, within the day."""
        return min(max(slot_at(RULES, self.world.now) + ahead, FIRST), SLOTS[-1])

    def market(self, ahead: int, session: int) -> Market:
        return Market(1, 0, self.slot(ahead), session)

    def ready(self) -> list[Market]:
        """Markets that wait for their price."""
        return [market for market in self.world.books if self.world.uncleared_fault(market) is None]

    def order(
        self,
        market: Market,
        account: int,
        price: int,
        quantity: int,
        source: int,
        buy: bool,
        wrong: str | None,
    ) -> tuple[Order, int]:
        """An order and whose key signs it; ``wrong`` says what is the matter with it."""
        self.nonce += 1
        nonce = 0 if wrong == "nonce" else self.nonce
        price = 1_000_001 if wrong == "price" else price
        quantity = 5_001 if wrong == "quantity" else 5_000 if wrong == "funds" else quantity
        valid_to = self.world.now - 1 if wrong == "valid_to" else FOREVER
        terms = (account, 1, 0, market.slot, market.session, price, quantity, source, buy, nonce, valid_to)
        signer = next(home for home in HOMES if home != account) if wrong == "signer" else account
        return Order(*terms), signer


TestEveryForm = EveryForm.TestCase
TestEveryForm.settings = settings(
    max_examples=10, stateful_step_count=40, derandomize=True, deadline=None, database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
