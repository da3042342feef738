"""The chain walked once: every transaction is judged by the rules, every event moves the auditor's own books."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from otaniemi.contracts.chain import events as e
from otaniemi.contracts.chain.artifacts import artifact
from otaniemi.contracts.chain.deploy import (
    CONTRACTS,
    CREATED_BY,
    MODULES,
    NAMES,
    Deployment,
    first_creation,
)
from otaniemi.contracts.chain.forms import packages
from otaniemi.contracts.rules.calendar import slot_start
from otaniemi.contracts.rules.clearing import clear, fill_root, void
from otaniemi.contracts.rules.errors import RulesError
from otaniemi.contracts.rules.keys import EXIT_WINDOW
from otaniemi.contracts.rules.labels import labels_of
from otaniemi.contracts.rules.lot_books import SEALED
from otaniemi.contracts.rules.orders import RECORD_BYTES, Market, Order
from otaniemi.contracts.rules.price_packages import PackageBook
from otaniemi.contracts.rules.schedules import Nomination, decode_entries
from otaniemi.contracts.rules.signing import Domain, checksum
from otaniemi.platform.audit.agreements import Agreements
from otaniemi.platform.audit.alone import Alone
from otaniemi.platform.audit.consents import Consents
from otaniemi.platform.audit.demands import Demands
from otaniemi.platform.audit.findings import HIDDEN, WALLETS, Finding
from otaniemi.platform.audit.forms import Forms, as_money_moved
from otaniemi.platform.audit.nominations import NominationJudge
from otaniemi.platform.audit.orders import OrderJudge
from otaniemi.platform.audit.payouts import Payouts
from otaniemi.platform.audit.published import Published
from otaniemi.platform.audit.reports import Reports
from otaniemi.platform.audit.state import Account, State
from otaniemi.platform.audit.steps import Step

_JUDGED = (e.OrdersAccepted, e.OrderSkipped, e.NominationsAccepted, e.NominationSkipped)
_PACKAGE_EVENTS = (
    packages.PackagePublished,
    packages.PackageWithdrawn,
    packages.Subscribed,
    packages.Switched,
    packages.Left,
)
_WH_BYTES = 4


class Replay:
    """Walks the steps of a chain and collects what does not hold; without ``published`` leaves, the chain alone.

    Attributes
    ----------
    state : State
        What the chain says, as far as it was walked.
    findings : list of Finding
        In order of discovery.
    counts : Counter
        What was checked.
    """

    def __init__(self, deployment: Deployment, published: Published | None) -> None:
        self.deployment = deployment
        self.state = State()
        self.findings: list[Finding] = published.findings if published else []
        self.counts: Counter[str] = Counter()
        self.payouts = Payouts(deployment.community, self.state, published, self.counts)
        self._published = published
        self._domains = {
            name: Domain(deployment.chain_id, address) for name, address in deployment.addresses.items()
        }
        self._reports = Reports(
            deployment.community, self._domains["Oracle"], self.state, published, self.counts
        )
        self._forms = Forms(self.state, self._domains)
        self._consents = Consents(self.state, self._domains, self.counts)
        self._created: set[str] = set()
        self._names = {address: name for name, address in deployment.addresses.items()}
        self._alone = alone = Alone(self.state, self.counts)
        agreements, demands = Agreements(self.state), Demands(self.state)
        self._handlers: Mapping[type[e.Event], Callable[[Any, Step], Iterable[str]]] = {
            e.Transfer: self._transfer,
            e.Registered: self._registered,
            e.DeviceKeySet: self._device_key,
            e.DeviceKeyLimited: self._device_key_limited,
            e.OwnerChanged: self._owner_changed,
            e.DayClosed: self._day_closed,
            e.DayReopened: self._day_reopened,
            e.MeterApproved: self._meter_approved,
            e.ModuleGranted: self._module_granted,
            e.Deposited: self._deposited,
            e.WithdrawalRequested: self._withdrawal_requested,
            e.Withdrawn: self._withdrawn,
            e.RulesSet: self._rules_set,
            e.OrdersAccepted: self._orders_accepted,
            e.OrderSkipped: self._order_skipped,
            e.Curtailed: self._curtailed,
            e.MarketClosed: self._market_closed,
            e.Cleared: self._cleared,
            e.Labelled: self._labelled,
            e.Voided: self._voided,
            e.NominationsAccepted: self._nominations_accepted,
            e.PositionOpened: agreements.opened,
            e.Demanded: demands.demanded,
            e.Answered: demands.answered,
            e.DemandReturned: demands.returned,
            e.SettledAlone: alone.settled,
            e.PaidAlone: alone.paid,
            e.Reserved: self._reserved,
            **dict.fromkeys(_PACKAGE_EVENTS, self._package_event),
        }

    def run(self, steps: Iterable[Step]) -> None:
        """Walk ``steps``, then look at what must hold at the end."""
        for step in steps:
            self.counts["transactions"] += 1
            for why in self._walk(step):
                self.findings.append(Finding(step.where, why))
        self._finish()

    def _walk(self, step: Step) -> Iterable[str]:
        if step.transaction.chain_id != self.deployment.chain_id:
            yield f"is signed for chain {step.transaction.chain_id}, not {self.deployment.chain_id}"
        if step.transaction.to is None:
            yield from self._creation(step)
        try:
            yield from self._judge(step)
            yield from self._consents.of(step)
            for event in as_money_moved(step.events):
                kind = type(event)
                handler = (
                    self._handlers.get(kind)
                    or self._forms.handler(kind)
                    or self._reports.handler(kind)
                    or self.payouts.handler(kind)
                )
                if handler:
                    yield from handler(event, step)
        except (RulesError, LookupError) as error:
            yield f"{step.function or 'its events'}: {error}"
        yield from self._forms.finish(step)

    def _finish(self) -> None:
        missing = [name for name in NAMES if name not in self._created]
        for name in missing:
            where = f"contract {name} at {self.deployment.addresses[name]}"
            self.findings.append(Finding(where, "was not created on this chain"))
        if not self.state.versions[self.deployment.community]:
            self.findings.append(
                Finding(f"community {self.deployment.community}", "has no rules on this chain")
            )
        self.findings += self.payouts.finish(self._alone.left)
        surplus = self.state.escrow_micro * 1000 - self.state.ledger.owed
        if surplus < 0:
            why = f"holds {-surplus:,} nano-token less than it owes"
            self.findings.append(Finding("contract Accounts", why))
        if self._published:
            self.findings += self._published.finish()

    def _creation(self, step: Step) -> Iterable[str]:
        """A contract of ours must be created by the committed code, with the others' addresses."""
        created, addresses = checksum(step.transaction.created), self.deployment.addresses
        for name in (name for name, address in addresses.items() if address == created):
            compiled = artifact(name)
            self._created.add(name)
            if not step.transaction.data.startswith(compiled.creation_code):
                yield f"creates {name} with other code than the committed one"
                return
            try:
                given = compiled.abi.constructed_with(step.transaction.data[len(compiled.creation_code) :])
            except ValueError as error:
                yield f"creates {name}: {error}"
                return
            for argument, value in zip(CONTRACTS[name], given, strict=True):
                if value != addresses.get(argument, value):
                    yield f"creates {name} with {value} for {argument}, not {addresses[argument]}"
            for own, creator in CREATED_BY.items():
                # What a contract of the committed code creates is what that code says.
                if creator == name and addresses[own] == first_creation(created):
                    self._created.add(own)

    def _judge(self, step: Step) -> Iterable[str]:
        """Orders and nominations, which events alone cannot vouch for: their signatures are in the calldata."""
        actual = [event for event in step.events if isinstance(event, _JUDGED)]
        a, now = step.arguments, step.time
        orders = OrderJudge(self.state, self._domains["CallAuction"], now)
        nominations = NominationJudge(self.state, self._domains["Schedules"], now)
        expected: list[e.Event] = []
        match step.function:
            case "relayOrders":
                expected = orders.relay_orders(Market.of(a["market"]), a["orders"])
            case "relayProfiles":
                expected = orders.relay_profiles(a["community"], a["product"], a["session"], a["profiles"])
            case "placeOrder":
                expected = orders.place_order(_direct_order(a, now), step.sender)
            case "placeOrderOfWallet":
                # Whether the wallet accepts the signature is its own code's to say; the contract asked it.
                self.counts[WALLETS] += 1
                direct = _direct_order(a, now)
                owner = (
                    self.state.accounts[direct.account].owner if direct.account in self.state.accounts else ""
                )
                expected = orders.place_order(direct, owner)
            case "nominateBatch":
                expected = nominations.nominate_batch(
                    a["community"], a["product"], a["day"], a["nominations"]
                )
            case "nominate":
                expected = nominations.nominate(_nomination(a), step.sender)
            case _ if step.contract not in ("CallAuction", "Schedules"):
                accepted = [event for event in actual if isinstance(event, e.OrdersAccepted)]
                orders.take_over(accepted)
                nominated = sum(isinstance(event, e.NominationsAccepted) for event in actual)
                self.counts[HIDDEN] += len(accepted) + nominated
                expected = [*actual]
        self.counts["signatures"] += orders.signatures + nominations.signatures
        yield from _difference(actual, expected)

    def _transfer(self, event: e.Transfer, _: Step) -> Iterable[str]:
        accounts = self.deployment.addresses["Accounts"]
        self.state.escrow_micro += event.value * ((event.to == accounts) - (event.source == accounts))
        return ()

    def _registered(self, event: e.Registered, _: Step) -> Iterable[str]:
        self.counts["accounts"] += 1
        self.state.accounts[event.account] = Account(event.community, event.owner, event.owner)
        return ()

    def _device_key(self, event: e.DeviceKeySet, _: Step) -> Iterable[str]:
        account = self.state.accounts[event.account]
        account.order_key, account.limits = event.key, None
        return ()

    def _device_key_limited(self, event: e.DeviceKeyLimited, _: Step) -> Iterable[str]:
        self.state.accounts[event.account].limits = event.limits
        return ()

    def _owner_changed(self, event: e.OwnerChanged, _: Step) -> Iterable[str]:
        self.state.accounts[event.account].owner = event.owner
        return ()

    def _day_closed(self, event: e.DayClosed, _: Step) -> Iterable[str]:
        self.state.closed.add((event.community, event.day))
        return ()

    def _day_reopened(self, event: e.DayReopened, _: Step) -> Iterable[str]:
        self.state.closed.discard((event.community, event.day))
        return ()

    def _meter_approved(self, event: e.MeterApproved, _: Step) -> Iterable[str]:
        self.state.accounts[event.account].products.add(event.product)
        return ()

    def _module_granted(self, event: e.ModuleGranted, step: Step) -> Iterable[str]:
        # Before anyone has an account there is nobody to give time to leave.
        right = step.time + (EXIT_WINDOW if self.state.accounts else 0)
        if event.effective_from != right:
            yield f"gives {event.module} a role from {event.effective_from} on, not from {right}"
        addresses = self.deployment.addresses
        rightful = {addresses[name]: role for name, role in MODULES.items()}
        if event.role not in (0, rightful.get(event.module)):
            yield f"gives {event.module}, which is none of the deployed modules, role {event.role} over money"

    def _package_event(self, event: e.Event, _: Step) -> Iterable[str]:
        for book in self.state.packages.values():
            packages.replay(book, event)
        return ()

    def _reserved(self, event: e.Reserved, _: Step) -> Iterable[str]:
        module = self._names[event.module]
        # What a sealed auction keeps of deposits its own event says as well.
        if module != SEALED:
            self.state.ledger.reserve_from_pot(module, event.nano)
        return ()

    def _deposited(self, event: e.Deposited, _: Step) -> Iterable[str]:
        self.state.ledger.deposit(event.account, event.nano)
        return ()

    def _withdrawal_requested(self, event: e.WithdrawalRequested, _: Step) -> Iterable[str]:
        self.state.ledger.request_withdrawal(event.account, event.nano)
        return ()

    def _withdrawn(self, event: e.Withdrawn, _: Step) -> Iterable[str]:
        sent, owner = self.state.ledger.withdraw(event.account), self.state.accounts[event.account].owner
        if (sent, owner) != (event.nano, event.to):
            yield f"sends {event.nano} to {event.to}; {sent} to {owner} were requested"

    def _rules_set(self, event: e.RulesSet, _: Step) -> Iterable[str]:
        versions = self.state.versions[event.community]
        if event.community not in self.state.packages:
            retailer_on = partial(self.state.retailer_on, event.community)
            self.state.packages[event.community] = PackageBook(retailer_on)
        versions.append((event.from_day, event.rules))
        first = event.community == self.deployment.community and len(versions) == 1
        if first and event.rules != self.deployment.rules:
            yield "sets other rules for the community than the deployment file tells"

    def _orders_accepted(self, event: e.OrdersAccepted, _: Step) -> Iterable[str]:
        self.counts["orders"] += len(event.records) // RECORD_BYTES
        self.state.batches[event.market].append(event.records)
        return ()

    def _order_skipped(self, _: e.OrderSkipped, __: Step) -> Iterable[str]:
        self.counts["skipped_orders"] += 1
        return ()

    def _cleared(self, event: e.Cleared, _: Step) -> Iterable[str]:
        self.counts["markets"] += 1
        rules, book = self.state.rules_of(event.market), self.state.book(event.market)
        if rules is None:
            yield f"clears {event.market}, where nothing is traded"
            return
        c = clear(book, rules.price_min, rules.price_max)
        self.state.cleared[event.market] = book, c
        self.state.results[event.market] = event
        right = e.Cleared(
            event.market,
            c.price,
            c.lo,
            c.hi,
            c.volume,
            c.demand_above,
            c.supply_below,
            len(book),
            fill_root(book, c),
        )
        yield from _difference([event], [right])

    def _labelled(self, event: e.Labelled, step: Step) -> Iterable[str]:
        self.counts["labelled_markets"] += 1
        market, rules = event.market, self.state.rules_of(event.market)
        if rules is None or market not in self.state.cleared:
            yield f"labels {market}, which was not cleared"
            return
        if step.time >= slot_start(rules, market.slot):
            yield f"labels {market} after its slot began"
        book, clearing = self.state.cleared[market]
        if clearing.labels is not None:
            yield f"labels {market} again"
        labels = labels_of(book, clearing)
        labelled = replace(clearing, labels=labels)
        self.state.cleared[market] = book, labelled
        self.state.results[market] = replace(self.state.results[market], root=event.root)
        right = e.Labelled(market, labels.premium, labels.green, labels.above, fill_root(book, labelled))
        yield from _difference([event], [right])

    def _curtailed(self, event: e.Curtailed, step: Step) -> Iterable[str]:
        place = event.community, event.product, event.slot
        rules = self.state.rules_of_slot(*place)
        if rules is not None and step.time >= slot_start(rules, event.slot):
            yield f"curtails slot {event.slot} after it began"
        if event.permille >= self.state.curtailed.get(place, 1_000):
            yield f"leaves {event.permille} permille of slot {event.slot}, no less than before"
        self.state.curtailed[place] = event.permille

    def _market_closed(self, event: e.MarketClosed, step: Step) -> Iterable[str]:
        market = event.market
        if market[:3] not in self.state.curtailed or not self.state.count(market):
            yield f"closes {market}, which has no orders or whose slot is not curtailed"
        self.state.closed_at[market] = step.time

    def _voided(self, event: e.Voided, step: Step) -> Iterable[str]:
        self.counts["markets"] += 1
        rules, book = self.state.rules_of(event.market), self.state.book(event.market)
        if rules is None:
            yield f"voids {event.market}, where nothing is traded"
            return
        nothing = void(book)
        self.state.cleared[event.market] = book, nothing
        self.state.results[event.market] = e.Cleared(event.market, 0, 0, 0, 0, 0, 0, event.count, event.root)
        yield from _difference([event], [e.Voided(event.market, len(book), fill_root(book, nothing))])
        if step.time < slot_start(rules, event.market.slot):
            yield f"voids {event.market} before its slot begins"

    def _nominations_accepted(self, event: e.NominationsAccepted, _: Step) -> Iterable[str]:
        nominations = decode_entries(event.community, event.product, event.entries)
        self.counts["nominations"] += len(nominations)
        self.state.nominations[event.community, event.product, event.day].append(nominations)
        return ()


def _direct_order(a: Mapping[str, Any], now: int) -> Order:
    market = Market.of(a["market"])
    terms = (a["price"], a["quantity"], a["source"], a["buy"], a["nonce"])
    return Order(a["account"], *market, *terms, valid_to=now)


def _nomination(a: Mapping[str, Any]) -> Nomination:
    packed: bytes = a["wh"]
    wh = [packed[at : at + _WH_BYTES] for at in range(0, len(packed), _WH_BYTES)]
    values = tuple(int.from_bytes(part, "big", signed=True) for part in wh)
    return Nomination(a["account"], a["community"], a["product"], a["slot"], a["seq"], values)


def _difference(actual: list[Any], expected: list[Any]) -> Iterable[str]:
    """The first event that should have been another."""
    for index in range(max(len(actual), len(expected))):
        got = actual[index] if index < len(actual) else "nothing"
        right = expected[index] if index < len(expected) else "nothing"
        if got != right:
            yield f"says {got}; by the rules it is {right}"
            return
