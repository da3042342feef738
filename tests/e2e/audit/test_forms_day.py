"""A day with a contract, lots, a package and a curtailed hour: billed, paid and rebuilt from the chain alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from otaniemi.contracts.chain import events as e
from otaniemi.contracts.chain.bindings import Positions
from otaniemi.contracts.chain.blocks import Receipt
from otaniemi.contracts.chain.deploy import MODULES
from otaniemi.contracts.chain.evidence import record_behind
from otaniemi.contracts.chain.forms.bilateral import BilateralContracts
from otaniemi.contracts.chain.forms.dutch import DutchAuction
from otaniemi.contracts.chain.forms.packages import PricePackages
from otaniemi.contracts.chain.logs import EventDecoder
from otaniemi.contracts.chain.read import read_verified
from otaniemi.contracts.rules.bilateral import BilateralTerms
from otaniemi.contracts.rules.bills import DayFacts, bill_day, trades_of
from otaniemi.contracts.rules.calendar import bills_due
from otaniemi.contracts.rules.dutch_auction import DutchTerms
from otaniemi.contracts.rules.lots import Lots
from otaniemi.contracts.rules.packages import NO_PACKAGE, HomePackages, PackagePrice
from otaniemi.contracts.rules.positions import Position, chain_of
from otaniemi.contracts.rules.price_packages import Band, PackageTerms
from otaniemi.contracts.rules.references import Kind
from otaniemi.platform.audit.alone import DELAY
from otaniemi.platform.audit.audit import audit_account, audit_run, evidence_of_run
from otaniemi.platform.audit.findings import HIDDEN
from otaniemi.platform.audit.published import Published
from otaniemi.platform.audit.replay import Replay
from otaniemi.platform.audit.steps import steps_of

from .small_day import ADMIN, COMMUNITY, DAY, FIRST, HOMES, RULES, A, B, C, D, SmallDay

CURTAILED = FIRST + 5
PERMILLE = 333


@dataclass
class FormsDay(SmallDay):
    """The small day, on which B also delivers to A, who has a package, and sells lots; one hour is cut to a third."""

    positions: dict[tuple[int, int], list[Position]] = field(default_factory=dict)

    def trade(self) -> None:
        addresses = self.deployment.addresses
        bilateral = BilateralContracts(self.chain, addresses["BilateralContracts"])
        packages = PricePackages(self.chain, addresses["PricePackages"])
        profile = tuple(100 * (hour % 5) for hour in range(24))
        terms = BilateralTerms(
            community=COMMUNITY, product=0, seller=B, buyer=A, source=1, from_day=DAY, to_day=DAY, spot=False,
            price=95_000, share_permille=0, profile=profile, notice_days=1, fee=1_000_000, valid_to=2**40, salt=7,
        )  # fmt: skip
        self.sender.send(HOMES[1], bilateral.propose(terms, B))
        self.sender.send(HOMES[0], bilateral.accept(terms, A))
        receipt = self.sender.send(ADMIN, bilateral.deliver(terms, DAY))
        self._keep(receipt)
        self._auction_off()
        offer = PackageTerms(
            COMMUNITY, 0, False, False, (Band(24, 100_000),), 150, 3, DAY, DAY, 5_000_000, 1, 0, bytes(32)
        )
        self.sender.send(ADMIN, packages.publish(offer))
        self.sender.send(HOMES[0], packages.subscribe(A, 1, DAY))
        super().trade()
        contract = Positions(self.chain, addresses["Positions"])
        self.sender.send(ADMIN, contract.curtail(COMMUNITY, 0, CURTAILED, PERMILLE, "a line is down"))

    def _auction_off(self) -> None:
        """B offers three lots at falling prices, of which D takes two at once and C one later."""
        auction = DutchAuction(self.chain, self.deployment.addresses["DutchAuction"])
        now = self.chain.head().timestamp
        lots = Lots(B, COMMUNITY, 0, True, 1, 3, FIRST + 7, (150, 0, 200))
        terms = DutchTerms(lots, 120_000, 80_000, now + 10, now + 610)
        self.sender.send(HOMES[1], auction.create(terms))
        for account, key, count, later in ((D, HOMES[3], 2, 20), (C, HOMES[2], 1, 400)):
            self.chain.set_time(now + later)
            self._keep(self.sender.send(key, auction.take(1, account, count, 120_000)))

    def _keep(self, receipt: Receipt) -> None:
        for event in EventDecoder(self.deployment.addresses).decode_all(receipt.logs):
            if isinstance(event, e.PositionOpened):
                self.positions.setdefault((0, event.buyer), []).append(event.agreement.side(buy=True))
                self.positions.setdefault((0, event.seller), []).append(event.agreement.side(buy=False))

    def facts(self) -> DayFacts:
        supply = PackagePrice(100_000, 150)
        packages = {
            (0, A, slot): HomePackages(supply, NO_PACKAGE, 5_000_000 * (slot == FIRST))
            for slot in range(FIRST, FIRST + 24)
        }
        curtailments = {(0, CURTAILED): PERMILLE}
        return replace(
            super().facts(), positions=self.positions, curtailments=curtailments, packages=packages
        )


@pytest.fixture(scope="module")
def forms_day(tmp_path_factory: pytest.TempPathFactory) -> tuple[FormsDay, Path]:
    """The day, paid, and its record."""
    day = FormsDay.start()
    assert isinstance(day, FormsDay)
    bills = day.until_bills()
    day.settle(bills)
    directory = tmp_path_factory.mktemp("forms") / "run"
    day.write(directory, bills)
    return day, directory


def test_the_bills_of_the_day_are_rebuilt_from_the_chain(forms_day: tuple[FormsDay, Path]) -> None:
    day, run = forms_day
    report = audit_run(run)
    assert report.findings == ()
    assert report.counts["billed_days"] == 1
    bills = bill_day(day.facts())
    assert {one.kind for line in bills.lines for one in line.references} == {0, 1}
    # The operator takes what rounding left, and everybody was paid.
    assert bills.sums.trade_wh or bills.sums.trade_money
    assert day.accounts.pot_of(day.settlement.address) == 0
    fee, nominated = (
        next(line for line in bills.lines if (line.account, line.slot) == (A, slot))
        for slot in (FIRST, FIRST + 3)
    )
    assert fee.retail == 5_000_000  # nothing nominated, but a package
    rest = nominated.schedule_wh - nominated.trade_wh
    assert min(rest, nominated.meter_wh) > 150
    assert nominated.retail == 150 * 100_000 + (rest - 150) * 153_000


@pytest.mark.parametrize("account", [A, B, C, D])
def test_every_home_proves_its_bill(forms_day: tuple[FormsDay, Path], account: int) -> None:
    proven = audit_account(evidence_of_run(forms_day[1]), account)
    assert proven.report.findings == ()
    references = [one for line in proven.to_json()["bills"][0]["lines"] for one in line["references"]]
    kinds = {one["kind"] for one in references}
    assert kinds == {int(kind) for kind in Kind}
    for one in references:
        assert ("others" in one) == (one["kind"] == Kind.POSITION)


CHANGES: dict[str, tuple[type[e.Event], Callable[[Any], e.Event]]] = {
    "energy": (e.PositionOpened, lambda event: replace(event, wh=event.wh[:-1] + b"\7")),
    "price": (e.PositionOpened, lambda event: replace(event, price=event.price + 1)),
    "buyer": (e.PositionOpened, lambda event: replace(event, buyer=C)),
    "seller": (e.PositionOpened, lambda event: replace(event, seller=A)),
    "stranger": (e.PositionOpened, lambda event: replace(event, buyer=99)),
    "day": (e.PositionOpened, lambda event: replace(event, day=event.day + 1)),
    "slot": (e.PositionOpened, lambda event: replace(event, slot=event.slot + 1)),
    "source": (e.PositionOpened, lambda event: replace(event, source=9)),
    "too much": (e.PositionOpened, lambda event: replace(event, wh=b"\x7f" * len(event.wh))),
    "nothing": (e.PositionOpened, lambda event: replace(event, wh=bytes(len(event.wh)))),
    "permille": (e.Curtailed, lambda event: replace(event, permille=event.permille + 1)),
    "permille that raise": (e.Curtailed, lambda event: replace(event, permille=1000)),
    "curtailed slot": (e.Curtailed, lambda event: replace(event, slot=event.slot - 48)),
}


@pytest.mark.parametrize("what", CHANGES)
def test_an_event_that_says_something_else_is_found(forms_day: tuple[FormsDay, Path], what: str) -> None:
    day, run = forms_day
    kind, change = CHANGES[what]
    deployment = replace(day.deployment, head=day.chain.head().hash)
    steps = list(steps_of(read_verified(run / "chain", deployment.head), deployment.addresses))
    changed = [
        replace(
            step, events=tuple(change(event) if isinstance(event, kind) else event for event in step.events)
        )
        for step in steps
    ]
    replay = Replay(deployment, Published(run / "leaves"))
    replay.run(changed)
    assert replay.findings


def test_the_auditors_books_are_those_of_the_chain(forms_day: tuple[FormsDay, Path]) -> None:
    day, run = forms_day
    deployment = replace(day.deployment, head=day.chain.head().hash)
    replay = Replay(deployment, Published(run / "leaves"))
    replay.run(steps_of(read_verified(run / "chain", deployment.head), deployment.addresses))
    ledger = replay.state.ledger
    accounts = range(1, D + 1)
    assert {account: ledger.free[account] for account in accounts} == {
        account: day.accounts.free_of(account) for account in accounts
    }
    for name in MODULES:
        assert ledger.pots[name] == day.accounts.pot_of(deployment.addresses[name])
    assert ledger.pots["BilateralContracts"] == 2 * 1_000_000
    assert day.accounts.owed() == ledger.owed


def test_the_chain_of_positions_is_that_of_the_rules(forms_day: tuple[FormsDay, Path]) -> None:
    day, _ = forms_day
    contract = Positions(day.chain, day.deployment.addresses["Positions"])
    for (product, account), positions in day.positions.items():
        assert contract.chain_of(COMMUNITY, product, account, DAY) == chain_of(positions)


def test_a_day_that_nobody_bills_is_settled_trade_by_trade(tmp_path: Path) -> None:
    day = FormsDay.start()
    bills = day.until_bills()
    facts, settlement, before = day.facts(), day.settlement, {}
    for account in (1, 2, 3, A, B, C, D):
        before[account] = day.accounts.free_of(account)
    released = day.accounts.lock_total(COMMUNITY, DAY)
    day.chain.set_time(bills_due(RULES, DAY) + DELAY)
    day.sender.send(ADMIN, settlement.settle_alone(COMMUNITY, DAY))
    for market, (book, _) in facts.markets.items():
        places = [(int(book.account[index]), index) for index in range(len(book))]
        proofs = [
            record_behind(facts, account, 0, market.slot, (Kind.ORDER, market.session, index)).order
            for account, index in places
        ]
        call = settlement.settle_alone_orders(market, range(len(book)), [one for one in proofs if one])
        day.sender.send(ADMIN, call)
        day.sender.send(ADMIN, call)  # a second time pays nobody
    for (product, account), positions in facts.positions.items():
        shown = [
            record_behind(facts, account, product, FIRST, (Kind.POSITION, 0, index)).position
            for index in range(len(positions))
        ]
        call = settlement.settle_alone_positions(
            COMMUNITY, product, account, DAY, range(len(positions)), [one for one in shown if one]
        )
        day.sender.send(ADMIN, call)
    gained = {account: day.accounts.free_of(account) - before[account] for account in before}
    for account in (A, B, C, D):
        due = sum(
            one.lock_release - one.trade_money - one.grid_fee - one.platform_fee
            for (_, trader, _), own in trades_of(facts).items()
            if trader == account
            for one in own
        )
        assert abs(gained[account] - due) <= abs(bills.sums.trade_money)
    left = day.accounts.pot_of(settlement.address)
    assert sum(gained.values()) + left == released
    assert left <= abs(bills.sums.trade_money)
    day.write(tmp_path / "run", bills)
    for path in (tmp_path / "run" / "leaves").glob("bills-*"):
        path.unlink()
    assert audit_run(tmp_path / "run").findings == ()
    # Paid through another contract, which hides what was shown, it is taken as the contract says.
    blocks = day.chain.blocks(0, day.chain.head().number)
    steps = [
        replace(step, contract="", function="", arguments={}) if "Alone" in step.function else step
        for step in steps_of(blocks, day.deployment.addresses)
    ]
    hidden = Replay(day.deployment, None)
    hidden.run(steps)
    assert hidden.findings == []
    paid = sum(isinstance(event, e.PaidAlone) for step in steps for event in step.events)
    assert hidden.counts[HIDDEN] == paid > 0
