"""One home's bill with its proofs, which hold without anyone else's data.

From the chain: roots and results, the home's orders, nominations and tariffs. From the home, or from whoever
published the leaves: its lines, its meter leaves, and the siblings that lead from them to the roots.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from otaniemi.contracts.chain.events import BillsProposed
from otaniemi.contracts.chain.evidence import LineEvidence, evidence_of
from otaniemi.contracts.rules.bills import LineProof, bills_of, verify_line
from otaniemi.contracts.rules.calendar import MAX_SESSIONS, Rules, first_slot
from otaniemi.contracts.rules.clearing import fill_leaf, fill_of
from otaniemi.contracts.rules.errors import BillError
from otaniemi.contracts.rules.lines import LINE_TREE, FilledOrder, Line, Reference, Sums, bill_line
from otaniemi.contracts.rules.merkle import verify
from otaniemi.contracts.rules.merkle_sum import Node
from otaniemi.contracts.rules.meters import METER_TREE
from otaniemi.contracts.rules.orders import Book, Market
from otaniemi.contracts.rules.schedules import Scheduled, schedules
from otaniemi.contracts.rules.tariffs import Feed, SlotTariff, slot_tariffs
from otaniemi.platform.audit.days import facts_of
from otaniemi.platform.audit.leaves import Meters
from otaniemi.platform.audit.state import State


@dataclass(frozen=True)
class ProvenLine:
    """A line, its place under the day's root, and the facts that it follows from."""

    line: Line
    place: LineProof
    evidence: LineEvidence


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
    proven = tuple(
        ProvenLine(line, bills.line_proof(account, line.product, line.slot), evidence_of(facts, line))
        for line in own
    )
    return ProvenBill(account, proposal, proven, settled)


def faults_of(bill: ProvenBill, state: State, rules: Rules) -> Iterator[tuple[Line, str]]:
    """Every line that does not hold against the chain, and why."""
    community, day = bill.proposal.community, bill.proposal.day
    nominated = {
        (product, *key): scheduled
        for (place, product, nominated_day), batches in state.nominations.items()
        if (place, nominated_day) == (community, day)
        for key, scheduled in schedules(batches).items()
    }
    tariffs = slot_tariffs(*(state.tariffs[community, feed, day] for feed in (Feed.RETAIL, Feed.IMBALANCE)))
    for proven in bill.lines:
        line = proven.line
        scheduled = nominated.get((line.product, line.account, line.slot))
        tariff = tariffs[line.slot - first_slot(rules, day)]
        for why in _faults_of_line(proven, bill.proposal, state, rules, scheduled, tariff):
            yield line, why


def _faults_of_line(
    proven: ProvenLine,
    proposal: BillsProposed,
    state: State,
    rules: Rules,
    scheduled: Scheduled | None,
    tariff: SlotTariff,
) -> Iterator[str]:
    line, evidence = proven.line, proven.evidence
    root = Node(proposal.root, tuple(proposal.sums))
    if proven.place.count != proposal.count or not verify_line(root, line, proven.place):
        yield f"does not lead to root 0x{proposal.root.hex()} of bills {proposal.id}"
    orders = []
    for reference, order in zip(line.references, evidence.orders, strict=False):
        market = Market(proposal.community, line.product, line.slot, reference.session)
        result, book = state.results[market], Book.of_records(order.record)
        leaf = fill_leaf(reference.index, order.record, order.prefix, order.label_prefix)
        if not verify(result.root, leaf, reference.index, result.count, order.siblings):
            yield f"order {reference.index} of session {reference.session} does not lead to the fill root"
        buy, price, quantity = bool(book.buy[0]), int(book.price[0]), int(book.quantity[0])
        totals = result.price, result.volume, result.demand_above, result.supply_below
        fill = fill_of(buy, price, quantity, order.prefix, *totals)
        orders.append(FilledOrder(*_place(reference), buy, price, quantity, fill, result.price))
    listed = [_place(reference) for reference in line.references]
    if listed != _orders_on_chain(state, proposal.community, line):
        yield "does not list exactly the account's orders of the slot"
    reading, report = evidence.meter.leaf, state.meters[proposal.community, line.product, line.slot]
    siblings = _unpacked(evidence.meter.siblings)
    climbed = METER_TREE.root_by(reading.node(), evidence.meter.index, report.count, siblings)
    if climbed != Node(report.root, (report.import_wh, report.export_wh)) or reading.account != line.account:
        yield f"its meter leaf does not lead to root 0x{report.root.hex()} of the slot"
    try:
        right = bill_line(rules, line.product, line.slot, orders, scheduled, reading, tariff)
    except BillError as error:
        yield str(error)
        return
    if right != line:
        yield f"is not what follows: {right}"


def _place(reference: Reference) -> tuple[int, int]:
    return reference.session, reference.index


def _orders_on_chain(state: State, community: int, line: Line) -> list[tuple[int, int]]:
    """Session and index of every accepted order of the line's account in its slot."""
    places = []
    for session in range(MAX_SESSIONS):
        market = Market(community, line.product, line.slot, session)
        if market in state.cleared:
            book, _ = state.cleared[market]
            indices = (book.account == line.account).nonzero()[0].tolist()
            places += [(market.session, index) for index in indices]
    return places


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
            {
                **asdict(reference),
                "record": order.record.hex(),
                "prefix": order.prefix,
                "label_prefix": order.label_prefix,
                "siblings": [sibling.hex() for sibling in order.siblings],
            }
            for reference, order in zip(line.references, evidence.orders, strict=True)
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
