"""Continuous trading of slots and of a block series in a ``World``, and what the rules say to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from otaniemi.contracts.chain.forms.blocks import BlockSeries
from otaniemi.contracts.chain.forms.continuous import ContinuousMarket, SignedLimit
from otaniemi.contracts.rules.block_deals import BLOCKS
from otaniemi.contracts.rules.block_series import (
    TOP_UP_TIME,
    Margins,
    compensation,
    delivery_window,
    kept,
    margins,
)
from otaniemi.contracts.rules.calendar import (
    nomination_direct_gate,
)
from otaniemi.contracts.rules.continuous import NO_ENGINE, Limit, deal_of, match_price
from otaniemi.contracts.rules.continuous import SERIES as SERIES_BIT
from otaniemi.contracts.rules.orders import lock
from otaniemi.contracts.rules.positions import Agreement, Form
from otaniemi.contracts.rules.signing import sign

from .forms_payment import Payment
from .forms_setting import (
    ADMIN,
    COMMUNITY,
    DAY,
    HOMES,
    SERIES,
)


@dataclass
class BlockDeal:
    """A deal of the series; ``margin`` and ``deadline`` by side, the buyer's under True."""

    party: dict[bool, int]
    lots: int
    price: int
    source: int
    next_day: int
    margin: dict[bool, int]
    deadline: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})


class Blocks(Payment):
    """A ``World`` with continuous trading and block deals."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.continuous = ContinuousMarket(self.chain, self.addresses["ContinuousMarket"])
        self.blocks = BlockSeries(self.chain, self.addresses["BlockSeries"])
        self.filled: dict[bytes, int] = {}
        self.cancelled: set[tuple[int, int]] = set()
        self.deals: list[BlockDeal] = []

    def limit(
        self, account: int, buy: bool, series: bool, slot: int, price: int, quantity: int, least: int,
        source: int, nonce: int, valid_to: int,
    ) -> SignedLimit:  # fmt: skip
        instrument = SERIES_BIT | 1 if series else slot
        terms = (account, COMMUNITY, 0, instrument, price, quantity, least, source, buy, nonce, valid_to)
        one = Limit(*terms, engine=NO_ENGINE)
        return SignedLimit(one, sign(HOMES[account].secret, one.digest(self.continuous.domain)))

    def cancel(self, account: int, nonce: int, key: int) -> None:
        error = None if key == account else "NotAllowed"
        self.attempt(HOMES[key], self.continuous.cancel(account, nonce), error)
        if not error:
            self.cancelled.add((account, nonce))

    def match(self, bid: SignedLimit, offer: SignedLimit, quantity: int) -> None:
        buy, sell = bid.limit, offer.limit
        names = [limit.digest(self.continuous.domain) for limit in (buy, sell)]
        error = self._match_fault(buy, sell, names, quantity)
        price = match_price(buy, sell, None, None)
        slot = buy.slot
        if slot is None:
            error = error or self._block_fault(buy.account, sell.account, quantity, price)
        else:
            deal = deal_of(names[0], names[1], self.filled.get(names[0], 0) + quantity)
            trade = Agreement(
                buy.account, sell.account, Form.CONTINUOUS, deal, price, sell.source, slot, (quantity,)
            )
            if not error and self.now >= nomination_direct_gate(self.rules, slot):
                error = "GateClosed"
            error = error or self.open_fault(trade)
        self.attempt(ADMIN, self.continuous.match_orders(bid, offer, quantity), error)
        if error:
            return
        for name in names:
            self.filled[name] = self.filled.get(name, 0) + quantity
        if slot is None:
            self._trade_block(buy.account, sell.account, quantity, price, sell.source)
        else:
            self.open(trade)

    def _match_fault(self, buy: Limit, sell: Limit, names: Sequence[bytes], quantity: int) -> str | None:
        if buy.instrument != sell.instrument:
            return "DifferentInstruments"
        if buy.price < sell.price:
            return "NotCrossing"
        if buy.account == sell.account:
            return "SelfTrade"
        if buy.source not in (0, sell.source):
            return "OtherSource"
        for limit in (buy, sell):
            if limit.valid_to < self.now:
                return "Expired"
            if (limit.account, limit.nonce) in self.cancelled:
                return "NonceCancelled"
        for limit, name in zip((buy, sell), names, strict=True):
            left = limit.quantity - self.filled.get(name, 0)
            if not max(1, min(limit.min_fill, left)) <= quantity <= left:
                return "QuantityOutOfRange"
        return None

    @property
    def mark_is_stale(self) -> bool:
        return any(self.mark[1] < day for day in (self.today, self.today + 1) if day in self.reported)

    def _secured(self, lots: int, price: int, day: int) -> Margins:
        return margins(SERIES, price, self.mark[0], SERIES.energy(lots, SERIES.deliveries(day)))

    def _block_fault(self, buyer: int, seller: int, lots: int, price: int) -> str | None:
        if self.now >= SERIES.last_trading:
            return "TradingEnded"
        if lots * SERIES.lot_wh > self.rules.connection_limit_wh:
            return "QuantityOutOfRange"
        if self.mark_is_stale:
            return "StaleMark"
        secured = self._secured(lots, price, DAY)
        lacks = secured.initial(True) > self.free(buyer) or secured.initial(False) > self.free(seller)
        return "InsufficientFunds" if lacks else None

    def _trade_block(self, buyer: int, seller: int, lots: int, price: int, source: int) -> None:
        secured, party = self._secured(lots, price, DAY), {True: buyer, False: seller}
        margin = {side: secured.initial(side) for side in party}
        for side, account in party.items():
            self.ledger.debit(BLOCKS, account, margin[side])
        self.deals.append(BlockDeal(party, lots, price, source, DAY, margin))

    def _next_day(self, deal: BlockDeal) -> int:
        for day in SERIES.delivery_days(max(deal.next_day, self.today)):
            if self.now < delivery_window(SERIES, self.rules, day).ends:
                return day
        return SERIES.last_day + 1

    def deliver_block(self, number: int, day: int) -> None:
        deal = self.deals[number - 1]
        window = delivery_window(SERIES, self.rules, day)
        slots = SERIES.slots_on(self.rules, day)
        wh = tuple(0 if (0, slot) in self.curtailments else deal.lots * SERIES.lot_wh for slot in slots)
        before, left = SERIES.deliveries(deal.next_day), SERIES.deliveries(day + 1)
        stays = {side: kept(nano, left, max(before, 1)) for side, nano in deal.margin.items()}
        failing = {
            side
            for side, account in deal.party.items()
            if sum(wh)
            and self.free(account) + deal.margin[side] - stays[side]
            < lock(self.rules, side, deal.price, sum(wh))
        }
        error = None
        if deal.next_day > SERIES.last_day:
            error = "UnknownDeal"
        elif self._next_day(deal) != day:
            error = "NotDeliverable"
        elif self.now < window.opens:
            error = "OutsideWindow"
        elif failing and self.now < window.due:
            error = "NotReady"
        elif failing and self.mark_is_stale:
            error = "StaleMark"
        self.attempt(ADMIN, self.blocks.deliver(number, day), error)
        if error:
            return
        if failing:
            self._default_block(deal, day, failing)
            return
        for side, account in deal.party.items():
            self.ledger.credit(BLOCKS, account, deal.margin[side] - stays[side])
        deal.margin, deal.next_day = stays, day + 1
        if sum(wh):
            parties = deal.party[True], deal.party[False]
            self.open(Agreement(*parties, Form.BLOCK, number, deal.price, deal.source, slots.start, wh))

    def call_margin(self, number: int, buyer: bool) -> None:
        deal = self.deals[number - 1]
        day = self._next_day(deal)
        error = None
        if deal.next_day > SERIES.last_day:
            error = "UnknownDeal"
        elif self.mark_is_stale:
            error = "StaleMark"
        elif day > SERIES.last_day:
            error = "NotDeliverable"
        now = self.now
        self.attempt(ADMIN, self.blocks.call_margin(number, buyer), error)
        if error:
            return
        account, before = deal.party[buyer], deal.margin[buyer]
        secured = self._secured(deal.lots, deal.price, day)
        missing = secured.initial(buyer) - deal.margin[buyer]
        if missing < 0:
            self.ledger.credit(BLOCKS, account, -missing)
            deal.margin[buyer] += missing
        elif deal.margin[buyer] < secured.maintenance(buyer):
            deal.margin[buyer] += self.ledger.debit(BLOCKS, account, missing)
        if deal.margin[buyer] != before:
            deal.next_day = day
        if deal.margin[buyer] >= secured.maintenance(buyer):
            deal.deadline[buyer] = 0
        elif not deal.deadline[buyer]:
            deal.deadline[buyer] = now + TOP_UP_TIME
        elif now >= deal.deadline[buyer]:
            self._default_block(deal, day, {buyer})

    def close_block(self, number: int) -> None:
        deal = self.deals[number - 1]
        error = None
        if deal.next_day > SERIES.last_day:
            error = "UnknownDeal"
        elif self._next_day(deal) <= SERIES.last_day:
            error = "NotOver"
        self.attempt(ADMIN, self.blocks.close(number), error)
        if not error:
            self._end_block(deal)

    def _default_block(self, deal: BlockDeal, day: int, failing: set[bool]) -> None:
        if len(failing) == 1:
            (side,) = failing
            paid = compensation(self._secured(deal.lots, deal.price, day), deal.margin[side], side)
            deal.margin[side] -= paid
            deal.margin[not side] += paid
        self._end_block(deal)

    def _end_block(self, deal: BlockDeal) -> None:
        deal.next_day = SERIES.last_day + 1
        for side, account in deal.party.items():
            self.ledger.credit(BLOCKS, account, deal.margin[side])
        deal.margin = {True: 0, False: 0}
