"""One home's bill with its proofs, which hold without anyone else's data.

From the chain: roots and results, the home's orders, nominations and tariffs. From the home, or from whoever
published the leaves: its lines, its meter leaves, and the siblings that lead from them to the roots.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from otaniemi.contracts.chain.events import BillsProposed
from otaniemi.contracts.chain.evidence import (
    LineEvidence,
    OrderProof,
    ReferenceEvidence,
    evidence_of,
    record_behind,
)
from otaniemi.contracts.rules.bills import LineProof, bases_of, bills_of, trades_of, verify_line
from otaniemi.contracts.rules.calendar import Rules
from otaniemi.contracts.rules.clearing import fill_leaf
from otaniemi.contracts.rules.lines import Basis, Line, bill_line
from otaniemi.contracts.rules.merkle import verify
from otaniemi.contracts.rules.merkle_sum import Node
from otaniemi.contracts.rules.meters import METER_TREE
from otaniemi.contracts.rules.orders import Market
from otaniemi.contracts.rules.references import Reference
from otaniemi.contracts.rules.sums import LINE_TREE, Sums
from otaniemi.platform.audit.days import facts_of
from otaniemi.platform.audit.leaves import Meters
from otaniemi.platform.audit.state import State


@dataclass(frozen=True)
class ProvenLine:
    """A line, its place under the day's root, and the facts that it follows from.

    ``records`` are behind the line's references, in their order.
    """

    line: Line
    place: LineProof
    evidence: LineEvidence
    records: tuple[ReferenceEvidence, ...]


@dataclass(frozen=True)
class ProvenBill:
    """The bill of ``account`` on a trading day; ``proposal`` is what the chain holds of the day.

    ``settled`` is what the account really paid (negative: received), None while the day is not paid. [nano-token]
    """

    account: int
    proposal: BillsProposed
    lines: tuple[ProvenLine, ...]
    settled: int | None

    @property
    def sums(self) -> Sums:
        """Totals of the lines."""
        totals = [sum(column) for column in zip(*(proven.line.sums for proven in self.lines), strict=True)]
        return Sums(*totals) if totals else Sums(*LINE_TREE.empty.sums)

    def to_json(self) -> dict[str, Any]:
        """The bill with every proof, bytes in hexadecimal."""
        return {
            "account": self.account,
            "day": self.proposal.day,
            "bills": self.proposal.id,
            "root": self.proposal.root.hex(),
            "due": self.sums.due,
            "settled": self.settled,
            "lines": [_line_json(proven) for proven in self.lines],
        }


def prove(
    state: State,
    rules: Rules,
    proposal: BillsProposed,
    account: int,
    meters: Meters,
    lines: Sequence[Line],
    settled: int | None,
) -> ProvenBill:
    """Find the proofs of an account's bill in the published leaves of its day.

    Raises
    ------
    RulesError
        The account has no bill that day, or the lines are not of one day.
    LookupError
        A tariff or meter leaf is missing.
    """
    bills = bills_of(rules, proposal.community, proposal.day, lines)
    facts = facts_of(state, rules, proposal.community, proposal.day, meters)
    own = bills.accounts[bills.index(account)].lines
    proven = []
    for line in own:
        key = account, line.product, line.slot
        records = [record_behind(facts, *key, reference.place) for reference in line.references]
        place = bills.line_proof(*key)
        proven.append(ProvenLine(line, place, evidence_of(facts, line), tuple(records)))
    return ProvenBill(account, proposal, tuple(proven), settled)


def faults_of(bill: ProvenBill, state: State, rules: Rules) -> Iterator[tuple[Line, str]]:
    """Every line that does not hold against the chain, and why."""
    community, day = bill.proposal.community, bill.proposal.day
    own = {(proven.line.product, proven.line.slot): [proven.evidence.meter.leaf] for proven in bill.lines}
    facts = facts_of(state, rules, community, day, own)
    trades, bases = trades_of(facts), bases_of(facts)
    for proven in bill.lines:
        line = proven.line
        key = line.product, line.account, line.slot
        for why in _faults_of_line(proven, bill.proposal, state, trades.get(key, ()), bases.get(key)):
            yield line, why


def _faults_of_line(
    proven: ProvenLine,
    proposal: BillsProposed,
    state: State,
    references: Sequence[Reference],
    basis: Basis | None,
) -> Iterator[str]:
    """Faults of a line; ``references`` are the right ones, by the chain."""
    line, evidence = proven.line, proven.evidence
    root = Node(proposal.root, tuple(proposal.sums))
    if proven.place.count != proposal.count or not verify_line(root, line, proven.place):
        yield f"does not lead to root 0x{proposal.root.hex()} of bills {proposal.id}"
    if [reference.place for reference in line.references] != [reference.place for reference in references]:
        yield "does not list exactly the account's trades of the slot"
    for reference, record in zip(line.references, proven.records, strict=True):
        if record.order is not None and not _leads_to_fill(record.order, reference, proposal, line, state):
            yield f"order {reference.index} of session {reference.chain} does not lead to the fill root"
    reading, report = evidence.meter.leaf, state.meters[proposal.community, line.product, line.slot]
    siblings = _unpacked(evidence.meter.siblings)
    climbed = METER_TREE.root_by(reading.node(), evidence.meter.index, report.count, siblings)
    if climbed != Node(report.root, (report.import_wh, report.export_wh)) or reading.account != line.account:
        yield f"its meter leaf does not lead to root 0x{report.root.hex()} of the slot"
    if basis is None:
        yield "is of an account that is not of the community"
        return
    right = bill_line(line.product, line.slot, references, basis)
    if right != line:
        yield f"is not what follows: {right}"


def _leads_to_fill(
    order: OrderProof, reference: Reference, proposal: BillsProposed, line: Line, state: State
) -> bool:
    market = Market(proposal.community, line.product, line.slot, reference.chain)
    result = state.results[market]
    leaf = fill_leaf(reference.index, order.record, order.prefix, order.label_prefix)
    return verify(result.root, leaf, reference.index, result.count, order.siblings)


def _unpacked(packed: bytes) -> list[Node]:
    """Nodes of the meter tree, 48 bytes each."""
    size = 32 + METER_TREE.width * METER_TREE.size
    nodes = []
    for at in range(0, len(packed), size):
        sums = tuple(
            int.from_bytes(packed[start : start + METER_TREE.size], "big")
            for start in range(at + 32, at + size, METER_TREE.size)
        )
        nodes.append(Node(packed[at : at + 32], sums))
    return nodes


def _line_json(proven: ProvenLine) -> dict[str, Any]:
    line, place, evidence = proven.line, proven.place, proven.evidence
    nomination = evidence.nomination
    return {
        **asdict(line),
        "references": [
            {**asdict(reference), **_record_json(record)}
            for reference, record in zip(line.references, proven.records, strict=True)
        ],
        "hash": line.node().hash.hex(),
        "position": place.position,
        "siblings": [LINE_TREE.pack(node).hex() for node in place.siblings],
        "index": place.index,
        "count": place.count,
        "upper": [LINE_TREE.pack(node).hex() for node in place.upper],
        "meter": {
            **asdict(evidence.meter.leaf),
            "salt": evidence.meter.leaf.salt.hex(),
            "index": evidence.meter.index,
            "siblings": evidence.meter.siblings.hex(),
        },
        "nomination": nomination
        and {
            "batch": nomination.batch,
            "leaf": nomination.leaf,
            "entry": nomination.nomination.entry().hex(),
            "siblings": [sibling.hex() for sibling in nomination.siblings],
        },
    }


def _record_json(evidence: ReferenceEvidence) -> dict[str, Any]:
    """What proves the record of an order, or of a position."""
    if evidence.order is not None:
        order = evidence.order
        siblings = [sibling.hex() for sibling in order.siblings]
        prefixes = {"prefix": order.prefix, "label_prefix": order.label_prefix}
        return {"record": order.record.hex(), **prefixes, "siblings": siblings}
    if evidence.position is not None:
        position = evidence.position
        return {"record": position.record.hex(), "others": [other.hex() for other in position.others]}
    return {}
