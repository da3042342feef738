"""When the service delivers bilateral contracts, without a chain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from otaniemi.contracts.rules.bilateral import BilateralTerms, slot_window
from otaniemi.contracts.rules.calendar import bills_due, day_start, first_slot, slots_of_day
from otaniemi.contracts.rules.meters import MeterLeaf, MeterReport, meter_report
from otaniemi.contracts.rules.tariffs import Feed, TariffReport
from otaniemi.platform.services.contract_deliveries import Deliveries
from otaniemi.platform.services.contract_states import ContractState
from otaniemi.platform.store import Store, days, reports

from ...support.rules import HOURLY as RULES

DAY = 19_576
NIGHT = 12 * 3_600
PROFILE = (0,) * 12 + (500,) + (0,) * 11
TERMS = BilateralTerms(1, 0, 7, 8, 1, DAY, DAY + 1, False, 90_000, 0, PROFILE, 1, 0, 0, 3)
SHARE = replace(TERMS, share_permille=500, profile=())
SLOT = first_slot(RULES, DAY) + 12
SALT = bytes(32)


class Town:
    """What deliveries need of a gateway; calls come back as their function and arguments."""

    rules, community, product = RULES, 1, 0

    def __init__(self, store: Store) -> None:
        self.store, self.clock = store, SimpleNamespace(now=day_start(RULES, DAY) - NIGHT)
        self.free, self.curtailed = {7: 10**12, 8: 10**12}, set[int]()
        self.roots: dict[int, MeterReport] = {}
        self.asked: list[int] = []
        self.contracts = SimpleNamespace(
            bilateral_contracts=SimpleNamespace(
                deliver=lambda *told: ("deliver", *told[1:]),
                deliver_metered=lambda _, slot, proof, prices: ("metered", slot, proof.leaf.account, prices),
                close=lambda deal: ("close", deal),
            ),
            accounts=SimpleNamespace(free_of=self.free.get),
            positions=SimpleNamespace(
                curtailed_slots=lambda *_: len(self.curtailed),
                remaining=lambda *place: 400 if place[-1] in self.curtailed else 1_000,
            ),
            oracle=SimpleNamespace(meter_root=self._root),
        )

    def _root(self, _community: int, _product: int, slot: int) -> MeterReport | None:
        self.asked.append(slot)
        return self.roots.get(slot)

    def meter(self, *leaves: MeterLeaf) -> None:
        """Report the meters of `SLOT`."""
        report = self.roots[SLOT] = meter_report(1, 0, SLOT, leaves)
        with self.store.begin() as transaction:
            reports.keep_leaves(transaction, report, leaves)


@pytest.fixture
def town(tmp_path: Path) -> Any:
    store = Store(tmp_path / "store.db")
    yield Town(store)
    store.close()


@pytest.fixture
def due(town: Any) -> Callable[..., list[Any]]:
    deliveries = Deliveries(town)

    def ask(terms: BilateralTerms = TERMS, **changed: Any) -> list[Any]:
        state = ContractState(bytes(32), terms, 7, 1, DAY + 1, deposits_held=True)
        for name, value in changed.items():
            setattr(state, name, value)
        return list(deliveries.due(state))

    return ask


def test_a_profile_is_delivered_on_the_eve_of_each_day_once(town: Any, due: Any) -> None:
    assert due() == [("deliver", DAY, b"")]
    assert due(delivered={DAY}) == []
    town.clock.now = day_start(RULES, DAY) - 86_401
    assert due() == []
    town.clock.now = day_start(RULES, DAY)
    assert due() == [("deliver", DAY + 1, b"")]
    assert due(last_day=DAY) == []
    assert due(deal=0) == []


def test_a_profile_waits_until_both_can_lock_it(town: Any, due: Any) -> None:
    need = 500 * (90_000 + RULES.grid_fee + RULES.platform_fee)
    for account, enough in ((8, need), (7, 500 * RULES.short_cap)):
        town.free[account] = enough - 1
        assert due() == []
        town.free[account] = enough
        assert due() == [("deliver", DAY, b"")]


def test_nothing_is_delivered_of_curtailed_slots(town: Any, due: Any) -> None:
    town.curtailed = {SLOT}
    assert due() == []
    town.curtailed = {SLOT + 1}
    assert due() == [("deliver", DAY, b"")]


def test_an_indexed_profile_waits_for_prices_that_can_no_longer_change(town: Any, due: Any) -> None:
    spot = replace(TERMS, spot=True, price=1_000)
    town.clock.now = day_start(RULES, DAY) - 60
    assert due(spot) == []
    reference = TariffReport(1, Feed.REFERENCE, DAY, ((50_000, 40_000),) * 24)
    with town.store.begin() as transaction:
        days.add_tariff(transaction, reference, 1)
    assert due(spot) == [("deliver", DAY, reference.packed_prices())]
    town.clock.now = day_start(RULES, DAY) - 86_400
    assert due(spot) == []


def test_a_share_is_delivered_once_its_meters_are_final(town: Any, due: Any) -> None:
    town.meter(MeterLeaf(7, 10, 811, 0, SALT), MeterLeaf(8, 300, 0, 0, SALT))
    opens, ends = slot_window(RULES, SLOT)
    town.clock.now = opens - 1
    assert due(SHARE) == []
    town.clock.now = opens
    assert due(SHARE) == [("metered", SLOT, 7, b"")]
    assert due(SHARE, delivered={SLOT}) == []
    town.free[8] = 0
    assert due(SHARE) == []
    town.free[8] = 10**12
    town.clock.now = ends
    assert due(SHARE) == []


@pytest.mark.parametrize(
    "leaf", [MeterLeaf(7, 500, 300, 0, SALT), MeterLeaf(7, 0, 0, 1, SALT), MeterLeaf(9, 0, 900, 0, SALT)]
)
def test_a_slot_without_measured_surplus_is_looked_at_once(town: Any, due: Any, leaf: MeterLeaf) -> None:
    town.meter(leaf)
    town.clock.now = slot_window(RULES, SLOT)[0]
    for _ in range(2):
        assert due(SHARE) == []
    assert town.asked.count(SLOT) == 1


def test_deposits_return_after_the_bills_of_the_last_day(town: Any, due: Any) -> None:
    paid = replace(TERMS, fee=10**9)
    town.clock.now = bills_due(RULES, DAY + 1)
    assert due(paid) == [("close", 1)]
    assert due(paid, deposits_held=False) == []
    assert due(TERMS) == []
    town.clock.now -= 1
    assert due(paid) == []


def test_the_next_thing_to_do_is_the_next_window_that_opens(town: Any) -> None:
    deliveries = Deliveries(town)
    state = ContractState(bytes(32), TERMS, 7, 1, DAY + 1, deposits_held=True)
    assert deliveries.next_due(state) == day_start(RULES, DAY)  # the eve of the second day
    state.terms = SHARE
    assert deliveries.next_due(state) == slot_window(RULES, slots_of_day(RULES, DAY)[0])[0]
    town.clock.now = bills_due(RULES, DAY + 1) - 1
    state.terms = replace(TERMS, fee=1)
    assert deliveries.next_due(state) == bills_due(RULES, DAY + 1)
    town.clock.now += 1
    assert deliveries.next_due(state) is None
