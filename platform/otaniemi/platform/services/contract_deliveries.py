"""What bilateral contracts are to deliver, and when: days of profiles on their eve, slots of shares once metered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otaniemi.contracts.chain.evidence import MeterProof
from otaniemi.contracts.chain.sender import Call
from otaniemi.contracts.rules.bilateral import BilateralTerms, Run, day_window, slot_window
from otaniemi.contracts.rules.calendar import (
    DAY_SECONDS,
    Rules,
    bills_due,
    day_at,
    day_of_slot,
    first_slot,
    slot_at,
    slots_of_day,
)
from otaniemi.contracts.rules.meters import MeterLeaf, Quality
from otaniemi.contracts.rules.orders import lock
from otaniemi.contracts.rules.positions import WHOLE
from otaniemi.contracts.rules.tariffs import Feed, TariffReport
from otaniemi.platform.services.contract_states import ContractState
from otaniemi.platform.services.gateway import Gateway
from otaniemi.platform.store import days, reports


class Deliveries:
    """What is due for the contracts of one community."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._contract = gateway.contracts.bilateral_contracts
        # Meters no longer change when a share is due, so one without surplus is looked at once.
        self._without_surplus: set[tuple[int, int]] = set()

    def next_due(self, state: ContractState) -> int | None:
        """When there is next something to do for a contract [Unix s]; None where nothing is left."""
        gateway, terms, moments = self._gateway, state.terms, list[int]()
        if terms is None or not state.deal:
            return None
        if state.deposits_held and terms.fee:
            moments.append(bills_due(gateway.rules, state.last_day))
        for day in range(max(terms.from_day, self._today - 1), min(state.last_day, self._today + 2) + 1):
            if terms.profile:
                moments.append(_eve(gateway.rules, terms, day)[0])
            else:
                slots = slots_of_day(gateway.rules, day)
                moments += [slot_window(gateway.rules, slot)[0] for slot in slots]
        return min((moment for moment in moments if moment > gateway.clock.now), default=None)

    def due(self, state: ContractState) -> Iterator[Call]:
        """What can be done now for a contract."""
        rules, now, terms = self._gateway.rules, self._gateway.clock.now, state.terms
        if terms is None or not state.deal:
            return
        if state.deposits_held and terms.fee and now >= bills_due(rules, state.last_day):
            yield self._contract.close(state.deal)
        if terms.profile:
            for day in range(max(terms.from_day, self._today), min(state.last_day, self._today + 1) + 1):
                opens, ends = _eve(rules, terms, day)
                if opens <= now < ends and day not in state.delivered:
                    yield from self._day(terms, day)
            return
        first = first_slot(rules, max(terms.from_day, self._today - 1))
        for slot in range(first, slot_at(rules, now)):
            opens, ends = slot_window(rules, slot)
            in_period = day_of_slot(rules, slot) <= state.last_day
            if not in_period or not opens <= now < ends or slot in state.delivered:
                continue
            if (state.deal, slot) not in self._without_surplus:
                yield from self._slot(terms, state.deal, slot)

    def _day(self, terms: BilateralTerms, day: int) -> Iterator[Call]:
        """The delivery of a day of a profile, if both can pay for it."""
        reference = self._reference(day)
        if terms.spot and reference is None:
            return
        prices = reference.prices if terms.spot and reference else None
        runs = terms.deliver(self._gateway.rules, day, prices, self._curtailed(terms.product, day))
        if runs and self._both_can_take(terms, runs):
            packed = reference.packed_prices() if terms.spot and reference else b""
            yield self._contract.deliver(terms, day, packed)

    def _slot(self, terms: BilateralTerms, deal: int, slot: int) -> Iterator[Call]:
        """The delivery of a slot by the seller's meter, if it was measured and both can pay."""
        rules, leaves = self._gateway.rules, self._leaves(terms.product, slot)
        index = next((at for at, leaf in enumerate(leaves) if leaf.account == terms.seller), None)
        leaf = None if index is None else leaves[index]
        measured = leaf is not None and leaf.quality == Quality.MEASURED
        wh = terms.share(rules, leaf.import_wh, leaf.export_wh) if leaf and measured else 0
        if index is None or not wh:
            self._without_surplus.add((deal, slot))
            return
        day = day_of_slot(rules, slot)
        reference = self._reference(day)
        if (terms.spot and reference is None) or slot in self._curtailed(terms.product, day):
            return
        spot = reference.prices[slot - first_slot(rules, day)][0] if reference else None
        if self._both_can_take(terms, [Run(slot, terms.price_at(rules, spot), (wh,))]):
            packed = reference.packed_prices() if terms.spot and reference else b""
            yield self._contract.deliver_metered(terms, slot, MeterProof.of(leaves, index), packed)

    def _both_can_take(self, terms: BilateralTerms, runs: Sequence[Run]) -> bool:
        """Whether both sides can lock what ``runs`` need."""
        rules, accounts = self._gateway.rules, self._gateway.contracts.accounts
        return all(
            accounts.free_of(account) >= sum(lock(rules, buy, run.price, sum(run.wh)) for run in runs)
            for buy, account in ((True, terms.buyer), (False, terms.seller))
        )

    def _curtailed(self, product: int, day: int) -> frozenset[int]:
        gateway, contract = self._gateway, self._gateway.contracts.positions
        if not contract.curtailed_slots(gateway.community, day):
            return frozenset()
        where = gateway.community, product
        return frozenset(
            slot for slot in slots_of_day(gateway.rules, day) if contract.remaining(*where, slot) < WHOLE
        )

    def _reference(self, day: int) -> TariffReport | None:
        with self._gateway.store.read() as transaction:
            return days.tariff(transaction, self._gateway.community, Feed.REFERENCE, day)

    def _leaves(self, product: int, slot: int) -> tuple[MeterLeaf, ...]:
        """The meters of a slot as they count; none where they were not reported."""
        gateway, where = self._gateway, (self._gateway.community, product, slot)
        report = gateway.contracts.oracle.meter_root(*where)
        if report is None:
            return ()
        with gateway.store.read() as transaction:
            return reports.leaves_of(transaction, *where, report.root) or ()

    @property
    def _today(self) -> int:
        return day_at(self._gateway.rules, self._gateway.clock.now)


def _eve(rules: Rules, terms: BilateralTerms, day: int) -> tuple[int, int]:
    """From when and until when a day of a profile is delivered here: not before its eve, as it locks [Unix s]."""
    opens, ends = day_window(rules, terms, day)
    return max(opens, ends - DAY_SECONDS), ends
