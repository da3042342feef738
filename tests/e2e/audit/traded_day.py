"""The small day, on which homes also trade in every form beside the call auction."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

from otaniemi.contracts.chain import events as e
from otaniemi.contracts.chain.bindings import Oracle
from otaniemi.contracts.chain.evidence import meter_of
from otaniemi.contracts.chain.forms.bilateral import BilateralContracts
from otaniemi.contracts.chain.forms.blocks import BlockSeries
from otaniemi.contracts.chain.forms.continuous import ContinuousMarket, SignedLimit
from otaniemi.contracts.chain.forms.dutch import DutchAuction
from otaniemi.contracts.chain.forms.sealed import SealedAuction
from otaniemi.contracts.chain.logs import EventDecoder
from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.bilateral import BilateralTerms
from otaniemi.contracts.rules.bills import DayFacts
from otaniemi.contracts.rules.block_series import EVERY_DAY, Series, delivery_window
from otaniemi.contracts.rules.calendar import day_start
from otaniemi.contracts.rules.continuous import SERIES, Limit, Receipt
from otaniemi.contracts.rules.dutch_auction import DutchTerms
from otaniemi.contracts.rules.lots import Lots
from otaniemi.contracts.rules.positions import Position
from otaniemi.contracts.rules.sealed_auction import SealedBid, SealedTerms
from otaniemi.contracts.rules.signing import sign, tariff_digest
from otaniemi.contracts.rules.tariffs import Feed, TariffReport

from .small_day import (
    ADMIN,
    COMMUNITY,
    DAY,
    FIRST,
    FOREVER,
    HOMES,
    REPORTERS,
    RULES,
    A,
    B,
    C,
    D,
    SmallDay,
)

BLOCK = Series(COMMUNITY, 0, EVERY_DAY, 20, 2, DAY, DAY + 1, 50, day_start(RULES, DAY), 200, 5_000)
ENGINE = Key(bytes([41]) * 32)
KEYS = dict(zip((A, B, C, D), HOMES, strict=True))


class TradedDay(SmallDay):
    """Sealed and Dutch auctions, matches, a block deal and bilateral contracts, each to its end."""

    def contract(self, kind: type[Any]) -> Any:
        return kind(self.chain, self.deployment.addresses[kind.name])

    def trade(self) -> None:
        self._auction_by_sealed_bids()
        self._auction_at_falling_prices()
        self._agree_bilaterally()
        self._match()
        super().trade()

    def nominate(self) -> None:
        super().nominate()
        blocks = self.contract(BlockSeries)
        self.chain.set_time(delivery_window(BLOCK, RULES, DAY).opens)
        self.sender.send(ADMIN, blocks.deliver(1, DAY))
        self._mark(300_000, before=90_000)
        self.sender.send(ADMIN, blocks.call_margin(1, buyer=True))
        self.sender.send(ADMIN, blocks.call_margin(1, buyer=False))

    def clear_and_report_meters(self) -> None:
        super().clear_and_report_meters()
        proof = meter_of(super().facts(), B, 0, FIRST + 3)
        self.sender.send(
            ADMIN, self.contract(BilateralContracts).deliver_metered(self.share, FIRST + 3, proof)
        )

    def finish(self) -> None:
        """End what is still in force once the bills are paid."""
        self.sender.send(ADMIN, self.contract(BlockSeries).close(1))
        for deal in (1, 2):
            self.sender.send(ADMIN, self.contract(BilateralContracts).close(deal))
        self.withdraw()

    def facts(self) -> DayFacts:
        positions: defaultdict[tuple[int, int], list[Position]] = defaultdict(list)
        decoder = EventDecoder(self.deployment.addresses)
        for block in self.chain.blocks(0, self.chain.head().number):
            for receipt in block.decoded_receipts():
                for event in decoder.decode_all(receipt.logs):
                    if isinstance(event, e.PositionOpened):
                        for account, buy in ((event.buyer, True), (event.seller, False)):
                            positions[event.product, account].append(event.agreement.side(buy))
        return replace(super().facts(), positions=dict(positions))

    def _auction_by_sealed_bids(self) -> None:
        """B sells three lots; A and C win, D never shows its bid."""
        contract, now = self.contract(SealedAuction), day_start(RULES, DAY) - 50_000
        lots = Lots(B, COMMUNITY, 0, True, 1, 3, FIRST + 10, (100, 200))
        terms = SealedTerms(lots, False, 50_000, 1_000_001, now + 600, now + 900)
        self.sender.send(KEYS[B], contract.create(terms))
        bids = [
            SealedBid(1, account, price, count, bytes([account]) * 32)
            for account, price, count in ((A, 120_000, 1), (C, 110_000, 3), (D, 130_000, 1))
        ]
        for bid in bids:
            commitment = bid.commitment(contract.domain)
            self.sender.send(KEYS[bid.account], contract.commit(1, bid.account, commitment))
        self.chain.set_time(terms.commit_until)
        for bid in bids[:2]:
            self.sender.send(ADMIN, contract.reveal(bid))
        self.chain.set_time(terms.reveal_until)
        self.sender.send(ADMIN, contract.finalise(1))
        self.sender.send(ADMIN, contract.settle(1, range(3)))

    def _auction_at_falling_prices(self) -> None:
        """C buys two lots at a rising price and gets one, B sells two at a falling one and A takes both."""
        contract, now = self.contract(DutchAuction), self.chain.head().timestamp
        bought = Lots(C, COMMUNITY, 0, False, 0, 2, FIRST + 12, (300,))
        sold = Lots(B, COMMUNITY, 0, True, 1, 2, FIRST + 13, (150, 0, 50))
        self.sender.send(KEYS[C], contract.create(DutchTerms(bought, 20_000, 90_000, now + 60, now + 660)))
        self.sender.send(KEYS[B], contract.create(DutchTerms(sold, 150_000, 30_000, now + 60, now + 660)))
        self.chain.set_time(now + 210)
        self.sender.send(KEYS[B], contract.take(1, B, 1, 0))
        self.sender.send(KEYS[A], contract.take(2, A, 2, 200_000))
        self.chain.set_time(now + 700)
        self.sender.send(ADMIN, contract.close(1))
        self.sender.send(ADMIN, contract.close(2))

    def _agree_bilaterally(self) -> None:
        """A profile, a share of B's surplus, and a contract that its buyer leaves at once."""
        contract = self.contract(BilateralContracts)
        profile = tuple(100 * (hour % 5) for hour in range(24))
        terms = BilateralTerms(
            COMMUNITY, 0, B, A, 1, DAY, DAY, False, 95_000, 0, profile, 1, 1_000_000, FOREVER, 7
        )
        share = replace(terms, buyer=D, share_permille=125, profile=(), fee=3_000, salt=8)
        left = replace(terms, buyer=C, to_day=DAY + 5, fee=2_000_000, salt=9)
        self.share = share
        for one in (terms, share, left):
            self.sender.send(KEYS[B], contract.propose(one, B))
            self.sender.send(KEYS[one.buyer], contract.accept(one, one.buyer))
        self.sender.send(ADMIN, contract.deliver(terms, DAY))
        self.sender.send(KEYS[C], contract.terminate(3, C))
        self.sender.send(KEYS[C], contract.terminate_early(3, C))

    def _match(self) -> None:
        """A and B trade a slot twice, by calls of their own and in a batch, and two lots of a series."""
        market, blocks = self.contract(ContinuousMarket), self.contract(BlockSeries)
        self.sender.send(ADMIN, blocks.create(BLOCK))
        self._mark(90_000)

        def signed(account: int, instrument: int, price: int, quantity: int, buy: bool) -> SignedLimit:
            terms = price, quantity, 1, 0 if buy else 1, buy, 1, FOREVER, ENGINE.address
            limit = Limit(account, COMMUNITY, 0, instrument, *terms)
            digest = limit.digest(market.domain)
            receipt = Receipt(digest, 2 - buy, 7)
            signatures = [sign(key.secret, what) for key, what in
                          ((KEYS[account], digest), (ENGINE, receipt.digest(market.domain)))]  # fmt: skip
            return SignedLimit(limit, signatures[0], receipt.sequence, receipt.received_at, signatures[1])

        buy, sell = (signed(account, FIRST + 15, price, 400, account == A)
                     for account, price in ((A, 101_000), (B, 80_001)))  # fmt: skip
        self.sender.fund(ADMIN, [ENGINE.address], 10**18)
        self.sender.send(ENGINE, market.match_orders(buy, sell, 250))
        self.sender.send(ENGINE, market.match_batch([buy, sell], [(0, 1, 100), (1, 0, 1), (0, 1, 50)]))
        bought, sold = (signed(account, SERIES | 1, price, 2, account == A)
                        for account, price in ((A, 100_000), (B, 90_000)))  # fmt: skip
        self.sender.send(ENGINE, market.match_orders(bought, sold, 2))

    def _mark(self, forward: int, before: int | None = None) -> None:
        """Report the day's reference prices, or the next one's after ``before``, and mark the series by them."""
        oracle = self.contract(Oracle)
        report = _reference(DAY if before is None else DAY + 1, forward)
        base = b"" if before is None else _reference(DAY, before).packed_prices()
        signatures = [sign(key.secret, tariff_digest(oracle.domain, report)) for key in REPORTERS[:2]]
        self.sender.send(ADMIN, oracle.report_tariff(report, b"".join(signatures), base))
        self.sender.send(ADMIN, self.contract(BlockSeries).remark(1, report))


def _reference(day: int, forward: int) -> TariffReport:
    return TariffReport(COMMUNITY, Feed.REFERENCE, day, tuple((0, forward + hour) for hour in range(24)))


def play(directory: Path) -> TradedDay:
    """Play the whole day, write its record into ``directory``, and return it."""
    day = TradedDay.start()
    assert isinstance(day, TradedDay)
    bills = day.until_bills()
    day.settle(bills)
    day.finish()
    day.write(directory, bills)
    return day
