"""The settlement service: what everyone owes for a trading day, proposed, final, debited and credited.

The bills follow from the chain and the meter leaves alone; nobody can derive others, and a wrong line falls to one
challenge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from otaniemi.contracts.chain import events
from otaniemi.contracts.chain.sender import Key
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
from otaniemi.platform.store import days, markets, members, positions


class SettlementError(OtaniemiError):
    """A day cannot be billed yet."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """The transaction that proposed a day's bills, and whether they are final and paid."""

    transaction: bytes
    paid: bool


class SettlementService:
    """Bills of one community.

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
    proposals : dict
        By trading day.
    """

    def __init__(self, gateway: Gateway, proposer: Key, account: int) -> None:
        self._gateway, self._proposer, self._account = gateway, proposer, account
        self._settlement = gateway.contracts.settlement
        self.disputes = Disputes(gateway, proposer, account)
        self.proposals: dict[int, Proposal] = {}

    def bill(self, day: int, leaves: Mapping[int, tuple[MeterLeaf, ...]]) -> Bills:
        """The bills of ``day``; see ``facts``."""
        return bill_day(self.facts(day, leaves))

    def facts(self, day: int, leaves: Mapping[int, tuple[MeterLeaf, ...]]) -> DayFacts:
        """What the bills of ``day`` follow from: the chain's index and the meter leaves by slot.

        Raises
        ------
        SettlementError
            A market is not cleared, or a report is missing.
        """
        gateway, rules = self._gateway, self._gateway.rules
        slots = slots_of_day(rules, day)
        with gateway.store.read() as transaction:
            retail = days.tariff(transaction, gateway.community, Feed.RETAIL, day)
            imbalance = days.tariff(transaction, gateway.community, Feed.IMBALANCE, day)
            if retail is None or imbalance is None:
                raise SettlementError(f"day {day}: its tariffs are not reported yet")
            if missing := [slot for slot in slots if slot not in leaves]:
                raise SettlementError(f"day {day}: meters of slot {missing[0]} are not reported yet")
            books = {}
            for state in markets.between(
                transaction, gateway.community, gateway.product, slots.start, slots.stop
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
            batches = days.nomination_batches(transaction, gateway.community, gateway.product, day)
            reported = days.tariff(transaction, gateway.community, Feed.REFERENCE, day)
            opened = positions.positions_of_day(transaction, gateway.community, gateway.product, day)
            own = {member.account for member in members.of_community(transaction, gateway.community)}
        reference = reported.prices if reported else None
        listed = {leaf.account for slot in slots for leaf in leaves[slot]}
        return DayFacts(
            rules=rules,
            community=gateway.community,
            day=day,
            markets=books,
            batches={gateway.product: batches},
            meters={(gateway.product, slot): leaves[slot] for slot in slots},
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
        product = gateway.product
        remaining = {
            (product, slot): contract.remaining(gateway.community, product, slot)
            for slot in slots_of_day(gateway.rules, day)
        }
        return {place: permille for place, permille in remaining.items() if permille < WHOLE}

    def _packages(
        self, day: int, accounts: Iterable[int], reference: Sequence[tuple[int, int]] | None
    ) -> dict[tuple[int, int, int], HomePackages]:
        """What packages cover of homes that have any."""
        gateway, contract = self._gateway, self._gateway.contracts.price_packages
        product, found = gateway.product, {}
        if not contract.package_count():
            return {}
        for account in accounts:
            if not any(contract.package_at(account, product, feed_in, day) for feed_in in (False, True)):
                continue
            for at, slot in enumerate(slots_of_day(gateway.rules, day)):
                spot = None if reference is None else reference[at][0]
                prices = contract.prices_at(gateway.community, account, product, day, at, spot)
                found[product, account, slot] = prices
        return found

    def propose(self, bills: Bills) -> int:
        """Put the root of ``bills`` on the chain, with the bond, and keep the lines; the proposal's number."""
        gateway = self._gateway
        call = self._settlement.propose_bills(bills, self._account, content_hash(bills.lines))
        receipt, found = gateway.send_one(self._proposer, call)
        with gateway.store.begin() as transaction:
            days.keep_bills(transaction, bills.community, bills.day, bills.lines)
        self.proposals[bills.day] = Proposal(receipt.transaction, paid=False)
        return next(event.id for event in found if isinstance(event, events.BillsProposed))

    def closes_at(self, number: int) -> int:
        """When the window of proposal ``number`` ends, as far as is known; answers to demands restart it."""
        return self._settlement.closes_at(number)

    def pay(self, number: int, bills: Bills) -> list[events.Event]:
        """After the window: make proposal ``number`` final, then all debits, the parties, and all credits."""
        settlement, chunks = self._settlement, bills.chunks()
        calls = [
            settlement.finalise(number),
            *[settlement.debit(number, chunk) for chunk in chunks],
            settlement.pay_parties(number, bills.root),
            *[settlement.credit(number, chunk) for chunk in chunks],
        ]
        payments = self._gateway.send([(self._proposer, call) for call in calls])
        self.proposals[bills.day] = replace(self.proposals[bills.day], paid=True)
        return payments


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
