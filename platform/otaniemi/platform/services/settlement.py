"""The settlement service: what everyone owes for a trading day, proposed, final, debited and credited.

The bills follow from the chain and the meter leaves alone; nobody can derive others, and a wrong line falls to one
challenge.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from otaniemi.contracts.chain import events
from otaniemi.contracts.chain.billing import BillsState, PayoutStep
from otaniemi.contracts.chain.sender import Call, Key
from otaniemi.contracts.rules.bills import Bills, DayFacts, bill_day
from otaniemi.contracts.rules.calendar import slots_of_day
from otaniemi.contracts.rules.clearing import clear, void
from otaniemi.contracts.rules.labels import label
from otaniemi.contracts.rules.meters import MeterLeaf
from otaniemi.contracts.rules.orders import Book
from otaniemi.contracts.rules.packages import HomePackages
from otaniemi.contracts.rules.positions import WHOLE
from otaniemi.contracts.rules.tariffs import Feed
from otaniemi.platform.audit.leaves import content_hash
from otaniemi.platform.errors import OtaniemiError
from otaniemi.platform.services.disputes import Disputes
from otaniemi.platform.services.gateway import Gateway
from otaniemi.platform.store import days, markets, members, positions, proposals, reports


class SettlementError(OtaniemiError):
    """A day cannot be billed yet."""


ACCOUNTS_POWER = 8
"""Accounts in one transaction of debits or credits: two to this power."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Bills ``number`` of a day, the transaction that proposed them, and whether they are final and paid."""

    number: int
    transaction: bytes
    paid: bool


class SettlementService:
    """Bills of one community.

    It remembers nothing: what is proposed and paid the chain says, what bills follow from the store has. So a service
    that starts anew on the same store and chain goes on where the last one stopped.

    Parameters
    ----------
    gateway : Gateway
    proposer : Key
        Owner of ``account``, who deposits the bond and pays the gas.
    account : int
        The proposer's account.

    Attributes
    ----------
    disputes : Disputes
        Where the proposer stands up for right bills.
    """

    def __init__(self, gateway: Gateway, proposer: Key, account: int) -> None:
        self._gateway, self._proposer, self._account = gateway, proposer, account
        self._settlement = gateway.contracts.settlement
        self.disputes = Disputes(gateway, proposer, account)

    def bill(self, day: int) -> Bills:
        """The bills of ``day``; see ``facts``."""
        return bill_day(self.facts(day))

    def leaves(self, day: int) -> dict[tuple[int, int], tuple[MeterLeaf, ...]]:
        """The leaves under the meter roots of ``day`` that count, by product and slot.

        Raises
        ------
        SettlementError
            A report is missing, or its leaves are not in the store.
        """
        gateway, oracle, found = self._gateway, self._gateway.contracts.oracle, {}
        for product, slot in itertools.product(gateway.rules.traded, slots_of_day(gateway.rules, day)):
            place = gateway.community, product, slot
            report = oracle.meter_root(*place)
            if report is None:
                raise SettlementError(
                    f"day {day}: meters of product {product} in slot {slot} are not reported yet"
                )
            with gateway.store.read() as transaction:
                leaves = reports.leaves_of(transaction, *place, report.root)
            if leaves is None:
                raise SettlementError(
                    f"day {day}: the leaves of meter root 0x{report.root.hex()} are not known"
                )
            found[int(product), slot] = leaves
        return found

    def facts(self, day: int) -> DayFacts:
        """What the bills of ``day`` follow from: the chain's index and the meter leaves.

        Raises
        ------
        SettlementError
            A market is not cleared, or a report is missing.
        """
        gateway, rules = self._gateway, self._gateway.rules
        gateway.catch_up()
        slots, leaves = slots_of_day(rules, day), self.leaves(day)
        with gateway.store.read() as transaction:
            retail = days.tariff(transaction, gateway.community, Feed.RETAIL, day)
            imbalance = days.tariff(transaction, gateway.community, Feed.IMBALANCE, day)
            if retail is None or imbalance is None:
                raise SettlementError(f"day {day}: its tariffs are not reported yet")
            places = [(gateway.community, int(product)) for product in rules.traded]
            books = {}
            for state in itertools.chain.from_iterable(
                markets.between(transaction, *place, slots.start, slots.stop) for place in places
            ):
                book = Book.of_records(markets.records_of(transaction, state.market))
                if not len(book):
                    continue
                if state.result is None:
                    raise SettlementError(f"day {day}: {state.market} is not cleared yet")
                void_ = state.result.price is None
                clearing = void(book) if void_ else clear(book, rules.price_min, rules.price_max)
                if state.result.labels is not None:
                    clearing = label(book, clearing)
                books[state.market] = book, clearing
            batches = {
                product: days.nomination_batches(transaction, community, product, day)
                for community, product in places
            }
            reported = days.tariff(transaction, gateway.community, Feed.REFERENCE, day)
            opened = {
                key: own
                for place in places
                for key, own in positions.positions_of_day(transaction, *place, day).items()
            }
            own = {member.account for member in members.of_community(transaction, gateway.community)}
        reference = reported.prices if reported else None
        listed = {leaf.account for reported_leaves in leaves.values() for leaf in reported_leaves}
        return DayFacts(
            rules=rules,
            community=gateway.community,
            day=day,
            markets=books,
            batches=batches,
            meters=leaves,
            retail=retail.prices,
            imbalance=imbalance.prices,
            reference=reference,
            positions=opened,
            curtailments=self._curtailments(day),
            packages=self._packages(day, listed, reference),
            strangers=listed - own,
        )

    def _curtailments(self, day: int) -> dict[tuple[int, int], int]:
        """Permille that remain of curtailed slots."""
        gateway, contract = self._gateway, self._gateway.contracts.positions
        if not contract.curtailed_slots(gateway.community, day):
            return {}
        remaining = {
            (int(product), slot): contract.remaining(gateway.community, product, slot)
            for product in gateway.rules.traded
            for slot in slots_of_day(gateway.rules, day)
        }
        return {place: permille for place, permille in remaining.items() if permille < WHOLE}

    def _packages(
        self, day: int, accounts: Iterable[int], reference: Sequence[tuple[int, int]] | None
    ) -> dict[tuple[int, int, int], HomePackages]:
        """What packages cover of homes that have any."""
        gateway, contract = self._gateway, self._gateway.contracts.price_packages
        found: dict[tuple[int, int, int], HomePackages] = {}
        if not contract.package_count():
            return {}
        for product, account in itertools.product(gateway.rules.traded, accounts):
            if not any(contract.package_at(account, product, feed_in, day) for feed_in in (False, True)):
                continue
            for at, slot in enumerate(slots_of_day(gateway.rules, day)):
                spot = None if reference is None else reference[at][0]
                prices = contract.prices_at(gateway.community, account, product, day, at, spot)
                found[int(product), account, slot] = prices
        return found

    def propose(self, bills: Bills) -> int:
        """Keep the lines of ``bills`` and put their root on the chain, with the bond; the proposal's number.

        Where the same bills stand already, whoever proposed them, it is their number, and no second bond is put up.
        """
        gateway = self._gateway
        gateway.catch_up()
        with gateway.store.begin() as transaction:
            days.keep_bills(transaction, bills.community, bills.day, bills.lines)
            claimed = proposals.claim(bills.root, len(bills.accounts))
            proposals.keep_claim(transaction, bills.community, bills.day, claimed)
        if standing := self.proposal(bills.day):
            return standing.number
        call = self._settlement.propose_bills(bills, self._account, content_hash(bills.lines))
        found = gateway.send([(self._proposer, call)])
        return next(event.id for event in found if isinstance(event, events.BillsProposed))

    def proposal(self, day: int) -> Proposal | None:
        """The proposal of the bills that are kept of ``day``: the final one, else the first that is open."""
        with self._gateway.store.read() as transaction:
            known = proposals.of_kept_lines(transaction, self._gateway.community, day)
        standing = {one: self._settlement.standing(one.number) for one in known}
        for state in (BillsState.FINAL, BillsState.OPEN):
            for one, where in standing.items():
                if where.state == state:
                    return Proposal(one.number, one.transaction, where.next == PayoutStep.DONE)
        return None

    def closes_at(self, number: int) -> int:
        """When the window of proposal ``number`` ends, as far as is known; answers to demands restart it."""
        return self._settlement.closes_at(number)

    def pay(self, number: int, bills: Bills) -> list[events.Event]:
        """After the window: make proposal ``number`` final, then all debits, the parties, and all credits.

        What the chain has of it already is left out, so that it can be asked for again after a failure. Where the same
        bills of somebody else were final first, those are paid and the bond comes back.

        Raises
        ------
        SettlementError
            The proposal was voided.
        """
        return self._gateway.send([(self._proposer, call) for call in self._payments(number, bills)])

    def _payments(self, number: int, bills: Bills) -> list[Call]:
        """What is left to do of the payment of ``bills``, in order."""
        settlement, where = self._settlement, self._settlement.standing(number)
        if where.state == BillsState.VOID:
            raise SettlementError(
                f"day {bills.day}: bills {number} were voided; propose the day's bills again"
            )
        final = settlement.final_of(bills.community, bills.day)
        if final not in (0, number):
            reclaim = [settlement.reclaim_bond(number)] if where.state == BillsState.OPEN else []
            same = self.proposal(bills.day)
            return reclaim + (self._payments(final, bills) if same and same.number == final else [])
        calls: list[Call] = []
        step = where.next
        if where.state == BillsState.OPEN:
            calls.append(settlement.finalise(number))
            step = PayoutStep.DEBITS
        if step == PayoutStep.DEBITS:
            calls += [settlement.debit(number, chunk) for chunk in bills.chunks(ACCOUNTS_POWER, where.cursor)]
        if step in (PayoutStep.DEBITS, PayoutStep.PARTIES):
            calls.append(settlement.pay_parties(number, bills.root))
        if step in (PayoutStep.DEBITS, PayoutStep.PARTIES, PayoutStep.CREDITS):
            left = where.credits if step == PayoutStep.CREDITS else None
            calls += [settlement.credit(number, *part) for part in bills.credits(ACCOUNTS_POWER, left)]
        return calls


def ledger_change(payments: Iterable[events.Event]) -> int:
    """Sum of the ledger changes of all parties that settlement events show; 0 when nothing was lost. [nano-token]"""
    total = 0
    for event in payments:
        match event:
            case events.BillsFinal():
                total -= event.released
            case events.Debited():
                total -= sum(entry.taken for entry in event.entries)
            case events.PartiesPaid():
                total += event.retailer + event.grid_operator + event.platform
            case events.Credited():
                total += sum(entry.nano for entry in event.entries)
            case _:
                pass
    return total
