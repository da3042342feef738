"""What is wrong with proposed bills, as the one challenge that shows it to the court (proofs [6]).

The search walks the proposed tree from its root and leaves out what is as in the right bills. It needs the preimages of
the rest; where one is not known, it demands it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from otaniemi.contracts.chain.evidence import (
    NO_EVIDENCE,
    LineEvidence,
    MeterNeighbour,
    MeterProof,
    ReferenceEvidence,
    evidence_of,
    meter_of,
    neighbours_of,
    record_behind,
)
from otaniemi.contracts.rules.bills import AccountBill, Bills, DayFacts, bases_of
from otaniemi.contracts.rules.lines import Consequences, Line, LineHead, consequences
from otaniemi.contracts.rules.merkle_sum import Node
from otaniemi.contracts.rules.openings import Opening, Path, Stage, open_root
from otaniemi.contracts.rules.references import decode_place
from otaniemi.contracts.rules.sums import LINE_TREE


@dataclass(frozen=True, slots=True)
class LineChallenge:
    """A line that is not what follows from its schedule, meter and prices, or stands in the wrong place."""

    path: Path
    evidence: LineEvidence


@dataclass(frozen=True, slots=True)
class ReferenceChallenge:
    """A reference to nothing, to somebody else's trade, or with the wrong fill or sums."""

    path: Path
    evidence: ReferenceEvidence


@dataclass(frozen=True, slots=True)
class OrderChallenge:
    """Adjacent accounts, or references of one line, that do not ascend; or a first account of another community."""

    first: Path
    second: Path


@dataclass(frozen=True, slots=True)
class AbsentChallenge:
    """An account with a meter leaf whose line is missing: the empty place, or the accounts beside its own."""

    paths: tuple[Path, ...]
    account: int
    product: int
    slot: int
    meter: MeterProof


@dataclass(frozen=True, slots=True)
class UnmeteredChallenge:
    """A line of an account that has no meter leaf in that slot."""

    path: Path
    neighbours: tuple[MeterNeighbour, ...]


@dataclass(frozen=True, slots=True)
class SumChallenge:
    """A node whose preimage, empty where its hash is 0, is malformed or does not give its sums."""

    path: Path
    preimage: bytes


@dataclass(frozen=True, slots=True)
class Demand:
    """A node whose preimage nobody has shown."""

    path: Path
    hash: bytes


Challenge = (
    LineChallenge | ReferenceChallenge | OrderChallenge | AbsentChallenge | UnmeteredChallenge | SumChallenge
)


def refutation(
    facts: DayFacts, honest: Bills, root: Node, count: int, known: Mapping[bytes, bytes]
) -> Challenge | Demand | None:
    """A challenge that voids bills with ``root`` over ``count`` accounts.

    A demand where all that is known is right; None where nothing is wrong with any line.

    Parameters
    ----------
    facts : DayFacts
    honest : Bills
        Those that follow from ``facts``.
    root : Node
    count : int
    known : mapping of hash to preimage with its tag
        Of the proposed tree, as far as it was shown; see ``openings.preimages``.
    """
    if (root, count) == (honest.root, len(honest.accounts)):
        return None
    demand: Demand | None = None
    for found in _Search(facts, honest, known).run(root, count):
        if not isinstance(found, Demand):
            return found
        demand = demand or found
    return demand


class _Search:
    """Walks proposed bills beside the right ones."""

    def __init__(self, facts: DayFacts, honest: Bills, known: Mapping[bytes, bytes]) -> None:
        self._facts, self._honest, self._known = facts, honest, known
        self._bases = bases_of(facts)
        self._accounts: dict[int, Opening] = {}

    def run(self, root: Node, count: int) -> Iterator[Challenge | Demand]:
        """Every fault that can be shown, each node's own first."""
        if count:
            top = open_root(root, count, self._facts.rules.slots_per_day)
            yield from self._upper(top)
            yield from self._order_of(list(self._accounts.values()), lambda opening: opening.account)
        if len(self._accounts) == count:
            yield from self._missing_accounts(count)
        bills = {bill.account: bill for bill in self._honest.accounts}
        for opening in self._accounts.values():
            yield from self._places(opening, bills.get(opening.account))

    def _open(self, opening: Opening) -> Iterator[Challenge | Demand | Opening]:
        """What is below a node, or why it cannot be opened."""
        preimage = self._known.get(opening.node.hash, b"")
        if opening.node.hash == LINE_TREE.empty.hash:
            yield SumChallenge(opening.path, b"")
        elif not preimage:
            yield Demand(opening.path, opening.node.hash)
        elif not opening.is_right(preimage):
            yield SumChallenge(opening.path, preimage)
        else:
            yield from opening.open(preimage)

    def _upper(self, opening: Opening) -> Iterator[Challenge | Demand]:
        for found in self._open(opening):
            if not isinstance(found, Opening):
                yield found
            elif found.stage <= Stage.ACCOUNT:
                yield from self._upper(found)
            else:
                self._accounts[found.account_index] = found

    def _missing_accounts(self, count: int) -> Iterator[AbsentChallenge]:
        """Accounts with lines that stand nowhere among all of the proposed ones, which ascend."""
        accounts = [opening.account for opening in self._accounts.values()]
        for bill in self._honest.accounts:
            at = bisect_left(accounts, bill.account)
            if accounts[at : at + 1] != [bill.account]:
                beside = range(max(at - 1, 0), min(at + 1, count))
                yield self._absent(tuple(self._accounts[index].path for index in beside), bill.lines[0])

    def _absent(self, paths: tuple[Path, ...], line: Line) -> AbsentChallenge:
        place = line.account, line.product, line.slot
        return AbsentChallenge(paths, *place, meter_of(self._facts, *place))

    def _places(self, opening: Opening, right: AccountBill | None) -> Iterator[Challenge | Demand]:
        """Faults at or below a node of an account's subtree."""
        level = right.levels[opening.height] if right else {}
        if opening.node == level.get(opening.index, LINE_TREE.empty):
            return
        if opening.is_empty:
            assert right is not None  # an empty place is right where there is no line
            lines = right.levels[0]
            position = next(at for at in opening.places if at in lines)
            path = Path(opening.account_index, position, 0, opening.nodes)
            yield self._absent((path,), self._line_at(right, position))
            return
        for found in self._open(opening):
            if not isinstance(found, Opening):
                yield found
            elif opening.stage == Stage.LINE:
                yield from self._line(found, right)
            else:
                yield from self._places(found, right)

    def _line_at(self, bill: AccountBill, position: int) -> Line:
        product, offset = self._place_of(position)
        slot = self._honest.first_slot + offset
        return next(line for line in bill.lines if (line.product, line.slot) == (product, slot))

    def _place_of(self, position: int) -> tuple[int, int]:
        """Product and slot of the day that stand at ``position`` of a subtree."""
        bits = (self._facts.rules.slots_per_day - 1).bit_length()
        return position >> bits, position & (1 << bits) - 1

    def _line(self, opening: Opening, right: AccountBill | None) -> Iterator[Challenge | Demand]:
        """Faults of an opened line and of its references."""
        line, facts = opening.line, self._facts
        assert line is not None
        product, offset = self._place_of(opening.position)
        key = product, opening.account, self._honest.first_slot + offset
        traded = offset < facts.rules.slots_per_day and facts.rules.products >> product & 1
        if not traded or (line.product, line.account, line.slot) != key:
            yield LineChallenge(opening.path, NO_EVIDENCE)
            return
        basis = self._bases.get(key)
        if basis is None and opening.account in facts.strangers:
            yield OrderChallenge(opening.path, opening.path)
        elif basis is None:
            yield UnmeteredChallenge(opening.path, neighbours_of(facts, line))
        elif not _holds(line, consequences(line.trade_wh, basis)):
            yield LineChallenge(opening.path, evidence_of(facts, line))
        elif line.reference_count:
            assert right is not None  # who has a meter leaf has a bill
            yield from self._references(opening, self._line_at(right, opening.position))

    def _references(self, opening: Opening, right: Line) -> Iterator[Challenge | Demand]:
        true = {reference.place: reference for reference in right.references}
        shown: dict[int, Opening] = {}
        for found in self._reference_leaves(opening):
            if not isinstance(found, Opening):
                yield found
                continue
            *place, fill = decode_place(found.reference)
            kind, chain, index = place
            reference = true.get((kind, chain, index))
            if reference is None or (reference.fill, reference.node().sums) != (fill, found.node.sums):
                where = right.account, right.product, right.slot
                evidence = record_behind(self._facts, *where, (kind, chain, index))
                yield ReferenceChallenge(found.path, evidence)
            shown[found.index] = found
        yield from self._order_of(list(shown.values()), lambda end: end.reference[:-4])

    def _reference_leaves(self, opening: Opening) -> Iterator[Challenge | Demand | Opening]:
        for found in self._open(opening):
            if isinstance(found, Opening) and found.stage != Stage.END:
                yield from self._reference_leaves(found)
            else:
                yield found

    @staticmethod
    def _order_of(shown: Sequence[Opening], key: Callable[[Opening], Any]) -> Iterator[OrderChallenge]:
        """Neighbours among ``shown``, by index, that do not ascend by ``key``."""
        for first, second in pairwise(shown):
            adjacent = _index(second) == _index(first) + 1
            if adjacent and key(first) >= key(second):
                yield OrderChallenge(first.path, second.path)


def _index(opening: Opening) -> int:
    return opening.index if opening.stage == Stage.END else opening.account_index


def _holds(line: LineHead, right: Consequences) -> bool:
    """Whether a line is what follows, given what it says about its trades."""
    said = Consequences(*(getattr(line, name) for name in Consequences._fields))
    empty = LINE_TREE.empty
    traded = (line.reference_root, line.reference_sums) != empty
    return said == right and (line.reference_count > 0 or not traded)
