"""Did a relayer bring every order that it signed a receipt for? Judged by the chain alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from otaniemi.contracts.chain.events import OrdersAccepted, RulesSet
from otaniemi.contracts.rules.calendar import relay_gate
from otaniemi.contracts.rules.orders import RECORD_BYTES, Market, decode_orders, decode_profiles
from otaniemi.contracts.rules.signing import Domain
from otaniemi.platform.audit.audit import Evidence
from otaniemi.platform.audit.findings import EvidenceMissingError, Finding
from otaniemi.platform.audit.steps import Step, steps_of
from otaniemi.platform.audit.versions import Versions
from otaniemi.platform.kept import KeptOrder

_Wire = tuple[tuple[int, ...], bytes]


def censorship(evidence: Evidence, kept: Sequence[KeptOrder]) -> list[Finding]:
    """Orders that a relayer had before the gate of their first market, and that it did not bring there in time.

    To bring an order is to carry it as it was signed, before the gate and while it is valid, in a relay batch that
    succeeds; whether the market then takes it is the chain's to say. An order of which a record stands in time, whoever
    placed it, is missing to nobody. What came too late, or whose gate has not passed yet, proves nothing.

    Raises
    ------
    EvidenceMissingError
        A receipt is not signed by the relayer that it names, or for another market.
    """
    deployment = evidence.deployment
    domain = Domain(deployment.chain_id, deployment.addresses["CallAuction"])
    for one in kept:
        if not one.holds(domain):
            raise EvidenceMissingError(f"{_name(one)}: relayer {one.relayer} did not sign it for this market")
    seen = _Seen({_wire(one) for one in kept}, {item for one in kept for item in one.records()})
    for step in steps_of(evidence.blocks, deployment.addresses):
        seen.take(step)
    return [finding for one in kept if (finding := seen.fault_of(one, evidence.blocks[-1].timestamp))]


@dataclass
class _Seen:
    """When the chain first saw the wanted wires and records, and the rules of their communities."""

    wires: set[_Wire]
    records: set[tuple[Market, bytes]]
    carried: dict[_Wire, int] = field(default_factory=dict)
    stands: dict[tuple[Market, bytes], int] = field(default_factory=dict)
    versions: Versions = field(default_factory=Versions)

    def take(self, step: Step) -> None:
        """Note what one transaction brought."""
        for wire in _carried(step):
            if wire in self.wires:
                self.carried.setdefault(wire, step.time)
        for event in step.events:
            if isinstance(event, RulesSet):
                self.versions.take(event)
            elif isinstance(event, OrdersAccepted):
                for start in range(0, len(event.records), RECORD_BYTES):
                    place = event.market, event.records[start : start + RECORD_BYTES]
                    if place in self.records:
                        self.stands.setdefault(place, step.time)

    def fault_of(self, one: KeptOrder, now: int) -> Finding | None:
        """What the relayer failed to do at ``now``, the time of the last block."""
        records = one.records()
        gates = [self._gate(market) for market, _ in records]
        if not gates or None in gates:
            return None
        gate = min(gate for gate in gates if gate is not None)
        if one.received_at >= gate or now < gate:
            return None
        if any(self.stands.get(record, gate) < gate for record in records):
            return None
        carried = self.carried.get(_wire(one))
        had = f"relayer {one.relayer} had it at {one.received_at} and the gate was at {gate}"
        if carried is None or carried >= gate:
            return Finding(_name(one), f"{had}, but it brought it to no market in time")
        if carried > one.order.valid_to >= one.received_at:
            return Finding(_name(one), f"{had}, but it held it back until it had expired")
        return None

    def _gate(self, market: Market) -> int | None:
        """Relay gate of a market; None where nothing is traded."""
        rules = self.versions.of_slot(market.community, market.slot)
        if rules is None or market.session >= len(rules.sessions):
            return None
        return relay_gate(rules, market.slot, market.session)


def _carried(step: Step) -> list[_Wire]:
    """Orders in the calldata of a relay batch, each with where it was sent."""
    if step.contract != "CallAuction" or step.function not in ("relayOrders", "relayProfiles"):
        return []
    if step.function == "relayOrders":
        market = Market.of(step.arguments["market"])
        found = decode_orders(market, step.arguments["orders"])
        return [(tuple(market), order.wire(signature)) for order, signature in found]
    a = step.arguments
    place = a["community"], a["product"], a["session"]
    return [(place, profile.wire(mark)) for profile, mark in decode_profiles(*place, a["profiles"])]


def _wire(one: KeptOrder) -> _Wire:
    order = one.order
    if order.kind == "order":
        return (order.community, order.product, order.slot, order.session), one.wire
    return (order.community, order.product, order.session), one.wire


def _name(one: KeptOrder) -> str:
    return f"receipt for order {one.order.nonce} of account {one.order.account}"
