"""A day's bill in JSON, with all that is needed to check it up to its root on the chain."""

from __future__ import annotations

from otaniemi.contracts.rules.bills import bills_of
from otaniemi.contracts.rules.calendar import Rules
from otaniemi.contracts.rules.errors import RulesError
from otaniemi.contracts.rules.lines import Line
from otaniemi.contracts.rules.merkle_sum import Node
from otaniemi.contracts.rules.references import Reference
from otaniemi.contracts.rules.sums import LINE_TREE, Sums
from otaniemi.platform.api.form import Form, Hash, fields_of, from_hex, to_hex
from otaniemi.platform.api.services import BillStage, BillState


class ReferenceView(Form):
    """A trade behind a line, its fill [Wh] and what it adds to the line.

    Kind 0 is record ``index`` of the call auction of session ``chain``, kind 1 record ``index`` of the account's
    positions of the day.
    """

    kind: int
    chain: int
    index: int
    fill: int
    trade_wh: int
    trade_money: int
    grid_fee: int
    platform_fee: int
    lock_release: int


class LineView(Form):
    """One slot of a bill; money is what the account pays."""

    account: int
    product: int
    slot: int
    trade_wh: int
    trade_money: int
    seq: int
    batch: int
    leaf: int
    schedule_wh: int
    meter_wh: int
    quality: int
    retail: int
    imbalance: int
    grid_fee: int
    platform_fee: int
    lock_release: int
    references: tuple[ReferenceView, ...]

    @classmethod
    def of(cls, line: Line) -> LineView:
        references = tuple(ReferenceView(**fields_of(reference)) for reference in line.references)
        return cls(**{**fields_of(line), "references": references})

    def line(self) -> Line:
        """The line as the rules know it."""
        references = tuple(Reference(**reference.model_dump()) for reference in self.references)
        return Line(**{**self.model_dump(), "references": references})


class SumsView(Form):
    """Totals over lines: energy traded [Wh] and money [nano-token]; ``debit`` is what is due, if positive."""

    trade_wh: int
    trade_money: int
    retail: int
    imbalance: int
    grid_fee: int
    platform_fee: int
    lock_release: int
    debit: int


class NodeView(Form):
    """A node of the day's tree."""

    hash: Hash
    sums: SumsView

    @classmethod
    def of(cls, node: Node) -> NodeView:
        return cls(hash=to_hex(node.hash), sums=SumsView(**Sums(*node.sums)._asdict()))

    def node(self) -> Node:
        """The node as the rules know it."""
        return Node(from_hex(self.hash), tuple(self.sums.model_dump().values()))


class BillView(Form):
    """The bill of an account for one trading day.

    ``due_nano`` is paid beyond the released locks, negative is a credit. The lines give the account's node;
    ``index``, ``count`` and ``siblings`` lead from it to ``root``, which ``transaction`` put on the chain.
    """

    account: int
    day: int
    stage: BillStage
    lines: tuple[LineView, ...]
    sums: SumsView
    due_nano: int
    index: int
    count: int
    siblings: tuple[NodeView, ...]
    root: NodeView
    transaction: Hash

    @classmethod
    def of(cls, state: BillState) -> BillView:
        return cls(
            account=state.bill.account,
            day=state.day,
            stage=state.stage,
            lines=tuple(LineView.of(line) for line in state.bill.lines),
            sums=SumsView(**state.bill.sums._asdict()),
            due_nano=state.bill.sums.due,
            index=state.index,
            count=state.count,
            siblings=tuple(NodeView.of(sibling) for sibling in state.siblings),
            root=NodeView.of(state.root),
            transaction=to_hex(state.transaction),
        )

    def holds(self, rules: Rules, community: int) -> bool:
        """Whether the lines add up to the sums and lead to the root."""
        try:
            bills = bills_of(rules, community, self.day, [line.line() for line in self.lines])
            siblings = [sibling.node() for sibling in self.siblings]
            own = bills.accounts[0]
            root = LINE_TREE.root_by(own.node, self.index, self.count, siblings)
        except (RulesError, OverflowError, IndexError):
            return False
        alone = len(bills.accounts) == 1 and own.account == self.account
        due = own.sums.due == self.due_nano
        return alone and due and own.sums._asdict() == self.sums.model_dump() and root == self.root.node()
