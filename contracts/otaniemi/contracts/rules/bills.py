"""Bills of a trading day: every line, the tree that commits to them, and what it means for each party.

See protocol section 7. Lines stand in a subtree per account, at ``product << k | slot of the day``; the
account nodes above it are what ``debit`` takes in chunks, and notes for ``credit`` what they receive.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from otaniemi.contracts.rules.calendar import Rules, first_slot
from otaniemi.contracts.rules.clearing import Clearing
from otaniemi.contracts.rules.clearing import trades_of as order_trades
from otaniemi.contracts.rules.errors import BillError, FieldError
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.lines import Basis, Line, bill_line
from otaniemi.contracts.rules.merkle_sum import Node, proof_of
from otaniemi.contracts.rules.meters import MeterLeaf
from otaniemi.contracts.rules.orders import Book, Market
from otaniemi.contracts.rules.packages import NO_PACKAGES, HomePackages
from otaniemi.contracts.rules.positions import WHOLE, Position
from otaniemi.contracts.rules.references import Reference, refer_order, refer_position
from otaniemi.contracts.rules.schedules import Nomination, schedules
from otaniemi.contracts.rules.sums import LINE_TREE, Sums
from otaniemi.contracts.rules.tariffs import slot_tariffs

ACCOUNT_TAG = b"\x04"
PRODUCT_BITS = 2

_CHUNK_POWER = 8

Prices = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True, eq=False)
class DayFacts:
    """What the bills of one trading day follow from.

    Attributes
    ----------
    markets : mapping of Market to (Book, Clearing)
        Every market of the day that received an order.
    batches : mapping of product to sequence of batches of Nomination
        Accepted nominations, in order of acceptance.
    meters : mapping of (product, slot) to sequence of MeterLeaf
        The reported leaves.
    retail, imbalance : sequence of (int, int), n pairs
        Import and feed-in, short and long price per slot [micro-token/kWh].
    reference : sequence of (int, int), n pairs, or None
        Spot and forward price per slot [micro-token/kWh], which packages may follow; None where not reported.
    positions : mapping of (product, account) to sequence of Position
        In the order of the account's chain of the day.
    curtailments : mapping of (product, slot) to int
        Permille that remain, of curtailed slots.
    packages : mapping of (product, account, slot) to HomePackages
        Of homes that have any.
    strangers : collection of int
        Accounts of other communities that a meter report lists all the same; they have no lines.
    """

    rules: Rules
    community: int
    day: int
    markets: Mapping[Market, tuple[Book, Clearing]]
    batches: Mapping[int, Sequence[Sequence[Nomination]]]
    meters: Mapping[tuple[int, int], Sequence[MeterLeaf]]
    retail: Prices
    imbalance: Prices
    reference: Prices | None = None
    positions: Mapping[tuple[int, int], Sequence[Position]] = field(default_factory=dict)
    curtailments: Mapping[tuple[int, int], int] = field(default_factory=dict)
    packages: Mapping[tuple[int, int, int], HomePackages] = field(default_factory=dict)
    strangers: Collection[int] = frozenset()

    def remaining(self, product: int, slot: int) -> int:
        """What remains of trades and schedules of a slot [permille]."""
        return self.curtailments.get((product, slot), WHOLE)


@dataclass(frozen=True, slots=True, eq=False)
class AccountBill:
    """One account's day: ``subtree`` is the root over its ``lines``, ``node`` stands in the upper tree."""

    account: int
    lines: tuple[Line, ...]
    levels: tuple[Mapping[int, Node], ...]
    subtree: Node
    node: Node

    @property
    def sums(self) -> Sums:
        """Totals of the account, with its debit."""
        return Sums(*self.node.sums)

    @property
    def entry(self) -> bytes:
        """The node as a pass of debits shows it, 68 bytes."""
        return account_head(self.account, self.subtree) + LINE_TREE.commitment(self.subtree)

    @property
    def opened(self) -> bytes:
        """The node as it is opened, 196 bytes."""
        return account_head(self.account, self.subtree) + LINE_TREE.pack(self.subtree)


class Chunk(NamedTuple):
    """What ``debit`` takes at once: accounts from index ``first`` on, and the proof from their entries to the root."""

    first: int
    accounts: list[AccountBill]
    proof: bytes

    @property
    def entries(self) -> bytes:
        """The account nodes as they are shown."""
        return b"".join([bill.entry for bill in self.accounts])


@dataclass(frozen=True, slots=True)
class LineProof:
    """Where a line stands: its position in the subtree, siblings in it, then siblings in the upper tree.

    ``position`` and ``siblings`` (exactly the subtree's depth) lead to the account's subtree; ``index``,
    ``count`` and ``upper`` from the account node to the day's root. Siblings run from the bottom up.
    """

    position: int
    siblings: tuple[Node, ...]
    index: int
    count: int
    upper: tuple[Node, ...]


@dataclass(frozen=True, eq=False)
class Bills:
    """The bills of trading day ``day``; accounts strictly ascending."""

    community: int
    day: int
    first_slot: int
    depth: int
    accounts: tuple[AccountBill, ...]

    @cached_property
    def levels(self) -> list[list[Node]]:
        """The upper tree, from the account nodes to the root."""
        return LINE_TREE.levels([bill.node for bill in self.accounts])

    @property
    def root(self) -> Node:
        """What is proposed: hash and sums of the whole day."""
        return self.levels[-1][0] if self.accounts else LINE_TREE.empty

    @property
    def sums(self) -> Sums:
        """Totals of the day."""
        return Sums(*self.root.sums)

    @property
    def lines(self) -> list[Line]:
        """Every line, by account, product and slot."""
        return [line for bill in self.accounts for line in bill.lines]

    def index(self, account: int) -> int:
        """Position of ``account`` in the upper tree.

        Raises
        ------
        BillError
            The account has no bill that day.
        """
        index = self._indices.get(account)
        if index is None:
            raise BillError(f"account {account} has no bill on day {self.day}")
        return index

    def account_proof(self, account: int) -> list[Node]:
        """Siblings of the account's node in the upper tree, from the bottom up."""
        return proof_of(self.levels, self.index(account))

    def line_proof(self, account: int, product: int, slot: int) -> LineProof:
        """Proof of one line up to the root of the day, or of the empty place of a line that there is not."""
        index = self.index(account)
        position = product << self.depth - PRODUCT_BITS | slot - self.first_slot
        levels = self.accounts[index].levels
        siblings = [
            level.get(position >> height ^ 1, LINE_TREE.empty) for height, level in enumerate(levels[:-1])
        ]
        upper = proof_of(self.levels, index)
        return LineProof(position, tuple(siblings), index, len(self.accounts), tuple(upper))

    def chunks(self, power: int = _CHUNK_POWER, first: int = 0) -> list[Chunk]:
        """What ``debit`` takes from account ``first`` on, at most ``2 ** power`` accounts at once."""
        chunks = []
        while first < len(self.accounts):
            # A chunk is aligned to its size, so after others were paid one by one they grow again.
            size = min(1 << power, first & -first or 1 << power)
            bills = list(self.accounts[first : first + size])
            chunks.append(Chunk(first, bills, self._proof_of(first, len(bills))))
            first += size
        return chunks

    def credits(self, power: int = _CHUNK_POWER, left: bytes | None = None) -> list[tuple[bytes, bytes]]:
        """What ``credit`` takes once all are debited, the last accounts first.

        That is what the chain of credits is afterwards, and at most ``2 ** power`` entries ``account u32 ‖ nano u64``.

        Parameters
        ----------
        left : bytes, optional
            The chain of what is still to be paid; of all credits where it is not given.

        Raises
        ------
        BillError
            The chain is not of these bills.
        """
        entries = [
            bill.account.to_bytes(4, "big") + (-bill.sums.due).to_bytes(8, "big")
            for bill in self.accounts
            if bill.sums.due < 0
        ]
        chains = [bytes(32)]
        for entry in entries:
            chains.append(keccak(chains[-1] + entry))
        if left is not None and left not in chains:
            raise BillError(f"0x{left.hex()} is not a chain of credits of day {self.day}")
        end, found = len(entries) if left is None else chains.index(left), []
        while end:
            first = max(0, end - (1 << power))
            found.append((chains[first], b"".join(entries[first:end])))
            end = first
        return found

    def _proof_of(self, first: int, length: int) -> bytes:
        """What leads from a whole subtree of accounts to the root; see ``debit`` in protocol section 7."""
        end, shown = first + length, []
        for level in self.levels[:-1]:
            for left in range(first & ~1, min(end, len(level) - 1), 2):
                if end - first == 1:
                    shown.append(level[first ^ 1].hash)
                shown.append(LINE_TREE.hash_sums(level[left], level[left + 1]))
            first, end = first >> 1, (end + 1) >> 1
        return b"".join([*shown, LINE_TREE.pack_sums(self.root)])

    @cached_property
    def _indices(self) -> dict[int, int]:
        return {bill.account: index for index, bill in enumerate(self.accounts)}


def bill_day(facts: DayFacts) -> Bills:
    """The bills that follow from ``facts``; nobody can derive others.

    Raises
    ------
    BillError
        A trade has no meter leaf in its slot.
    FieldError
        The two price feeds differ in length.
    """
    trades = trades_of(facts)
    lines = []
    for (product, account, slot), basis in bases_of(facts).items():
        own = trades.pop((product, account, slot), ())
        lines.append(bill_line(product, slot, own, basis))
    for product, account, slot in trades:
        raise BillError(
            f"account {account} has trades of product {product} in slot {slot} but no meter leaf there"
        )
    return bills_of(facts.rules, facts.community, facts.day, lines)


def bases_of(facts: DayFacts) -> dict[tuple[int, int, int], Basis]:
    """What every line follows from besides its trades, by product, account and slot.

    Raises
    ------
    FieldError
        The two price feeds differ in length.
    """
    first, tariffs = first_slot(facts.rules, facts.day), slot_tariffs(facts.retail, facts.imbalance)
    scheduled = {
        (product, account, slot): entry
        for product, batches in facts.batches.items()
        for (account, slot), entry in schedules(batches).items()
    }
    bases = {}
    for (product, slot), leaves in facts.meters.items():
        tariff, remaining = tariffs[slot - first], facts.remaining(product, slot)
        for leaf in leaves:
            if leaf.account not in facts.strangers:
                key = product, leaf.account, slot
                packages = facts.packages.get(key, NO_PACKAGES)
                bases[key] = Basis(leaf, tariff, scheduled.get(key), packages, remaining)
    return bases


def trades_of(facts: DayFacts) -> dict[tuple[int, int, int], list[Reference]]:
    """References to everything that was traded, by product, account and slot, in the order of a line's."""
    rules = facts.rules
    trades: defaultdict[tuple[int, int, int], list[Reference]] = defaultdict(list)
    for market, (book, clearing) in sorted(facts.markets.items(), key=lambda item: item[0].session):
        product, slot, session = market.product, market.slot, market.session
        remaining = facts.remaining(product, slot)
        columns = book.account.tolist(), book.buy.tolist(), book.locks(rules).tolist()
        rows = zip(*columns, order_trades(book, clearing, remaining), strict=True)
        for index, (account, buy, locked, (wh, money, _)) in enumerate(rows):
            reference = refer_order(rules, session, index, buy, wh, money, locked)
            trades[product, account, slot].append(reference)
    for (product, account), positions in facts.positions.items():
        for index, position in enumerate(positions):
            for slot, wh in enumerate(position.wh, start=position.slot):
                if wh:
                    remaining = facts.remaining(product, slot)
                    reference = refer_position(rules, index, position, slot, remaining)
                    trades[product, account, slot].append(reference)
    return trades


def bills_of(rules: Rules, community: int, day: int, lines: Iterable[Line]) -> Bills:
    """The tree over ``lines`` of one day, in any order.

    Raises
    ------
    BillError
        A line lies outside of the day, or two lines share account, product and slot.
    """
    first, slot_bits = first_slot(rules, day), (rules.slots_per_day - 1).bit_length()
    by_account: defaultdict[int, dict[int, Line]] = defaultdict(dict)
    for line in lines:
        offset = line.slot - first
        if not (0 <= offset < rules.slots_per_day and line.product < 2**PRODUCT_BITS):
            raise BillError(
                f"product {line.product}, slot {line.slot} of account {line.account} is not of day {day}"
            )
        position = line.product << slot_bits | offset
        if position in by_account[line.account]:
            raise BillError(
                f"account {line.account} has two lines for product {line.product}, slot {line.slot}"
            )
        by_account[line.account][position] = line
    depth = slot_bits + PRODUCT_BITS
    accounts = [_account_bill(account, depth, placed) for account, placed in sorted(by_account.items())]
    return Bills(community, day, first, depth, tuple(accounts))


def account_node(account: int, subtree: Node) -> Node:
    """Node of an account in the upper tree, over the root of its ``subtree``."""
    debit = max(Sums(*subtree.sums).due, 0)
    shown = account_head(account, subtree) + LINE_TREE.commitment(subtree)
    return Node(keccak(ACCOUNT_TAG + shown), (*subtree.sums[:-1], debit))


def account_head(account: int, subtree: Node) -> bytes:
    """What a node of an account says of it: ``account u32 ‖ due i128 ‖ retail i128``.

    Raises
    ------
    FieldError
        The account owes more than 128 bits.
    """
    sums = Sums(*subtree.sums)
    try:
        money = [value.to_bytes(16, "big", signed=True) for value in (sums.due, sums.retail)]
    except OverflowError as error:
        raise FieldError("due", sums.due, "a signed integer of 128 bits") from error
    return account.to_bytes(4, "big") + b"".join(money)


def subtree_by(node: Node, position: int, siblings: Sequence[Node]) -> Node:
    """Root of the subtree in which ``node`` stands at ``position`` under ``siblings``, from the bottom up."""
    for height, sibling in enumerate(siblings):
        node = _join(sibling, node) if position >> height & 1 else _join(node, sibling)
    return node


def verify_line(root: Node, line: Line, proof: LineProof) -> bool:
    """Whether ``line`` stands where ``proof`` says in the day whose bills have ``root``."""
    subtree = subtree_by(line.node(), proof.position, proof.siblings)
    node = account_node(line.account, subtree)
    return LINE_TREE.root_by(node, proof.index, proof.count, proof.upper) == root


def _account_bill(account: int, depth: int, placed: Mapping[int, Line]) -> AccountBill:
    level = {position: line.node() for position, line in sorted(placed.items())}
    levels = [level]
    for _ in range(depth):
        below = levels[-1]
        levels.append(
            {
                position: _join(
                    below.get(2 * position, LINE_TREE.empty), below.get(2 * position + 1, LINE_TREE.empty)
                )
                for position in dict.fromkeys(position >> 1 for position in below)
            }
        )
    subtree = levels[-1][0]
    lines = tuple(line for _, line in sorted(placed.items()))
    return AccountBill(account, lines, tuple(levels), subtree, account_node(account, subtree))


def _join(left: Node, right: Node) -> Node:
    return LINE_TREE.empty if left == right == LINE_TREE.empty else LINE_TREE.join(left, right)
