"""What a challenge shows the contract: the facts from which a bill line follows, with their proofs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from otaniemi.contracts.rules.bills import DayFacts
from otaniemi.contracts.rules.clearing import fill_proof
from otaniemi.contracts.rules.lines import LineFields
from otaniemi.contracts.rules.merkle import levels_of, proof_of
from otaniemi.contracts.rules.meters import METER_TREE, MeterLeaf, meter_proof
from otaniemi.contracts.rules.orders import RECORD_BYTES, Market
from otaniemi.contracts.rules.positions import other_hashes
from otaniemi.contracts.rules.references import Kind
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.contracts.rules.tariffs import Feed, TariffReport


@dataclass(frozen=True, slots=True)
class OrderProof:
    """The record that a reference points at, its prefixes [Wh], and the siblings up to its market's root."""

    record: bytes
    prefix: int
    label_prefix: int
    siblings: tuple[bytes, ...]

    def as_argument(self) -> tuple[Any, ...]:
        """The proof as the contracts take it."""
        return self.record, self.prefix, self.label_prefix, list(self.siblings)


@dataclass(frozen=True, slots=True)
class NominationProof:
    """A nomination as leaf ``leaf`` of ``batch`` of its day, and the siblings up to the batch's root."""

    batch: int
    leaf: int
    nomination: Nomination
    siblings: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class MeterProof:
    """A meter leaf at ``index`` of its slot; ``siblings`` packed, up to the slot's root."""

    index: int
    leaf: MeterLeaf
    siblings: bytes

    @classmethod
    def of(cls, leaves: Sequence[MeterLeaf], index: int) -> MeterProof:
        """The proof of leaf ``index`` of a slot's ``leaves``."""
        siblings = b"".join(METER_TREE.pack(node) for node in meter_proof(leaves, index))
        return cls(index, leaves[index], siblings)

    def as_argument(self) -> tuple[Any, ...]:
        """The leaf as challenges take it."""
        leaf = self.leaf
        return self.index, leaf.import_wh, leaf.export_wh, leaf.quality, leaf.salt, self.siblings


@dataclass(frozen=True, slots=True)
class MeterNeighbour:
    """A meter leaf beside the place where an account's own would stand."""

    proof: MeterProof

    def as_argument(self) -> tuple[Any, ...]:
        """The neighbour as ``challengeUnmetered`` takes it."""
        return self.proof.leaf.account, self.proof.as_argument()


@dataclass(frozen=True, slots=True)
class PositionProof:
    """The record of a position, and the hashes of all other records of its account's day."""

    record: bytes
    others: tuple[bytes, ...]

    def as_argument(self) -> tuple[Any, ...]:
        """The proof as the contracts take it."""
        return self.record, list(self.others)


@dataclass(frozen=True, slots=True)
class ReferenceEvidence:
    """The record that a reference points at; neither where there is none."""

    order: OrderProof | None = None
    position: PositionProof | None = None

    def as_argument(self) -> tuple[Any, ...]:
        """The evidence as ``challengeReference`` takes it."""
        order = self.order or OrderProof(bytes(RECORD_BYTES), 0, 0, ())
        position = self.position or PositionProof(b"", ())
        return order.as_argument(), position.as_argument()


@dataclass(frozen=True, slots=True)
class LineEvidence:
    """Everything from which a line follows, but for its references; prices as reported."""

    nomination: NominationProof | None
    meter: MeterProof
    retail_prices: bytes
    imbalance_prices: bytes
    reference_prices: bytes

    def as_argument(self) -> tuple[Any, ...]:
        """The evidence as ``challengeLine`` takes it."""
        nominated = self.nomination
        shown = (
            (nominated.batch, nominated.leaf, _preimage(nominated.nomination), list(nominated.siblings))
            if nominated
            else (0, 0, b"", [])
        )
        prices = self.retail_prices, self.imbalance_prices, self.reference_prices
        return shown, self.meter.as_argument(), *prices


NO_EVIDENCE = LineEvidence(None, MeterProof(0, MeterLeaf(0, 0, 0, 0, bytes(32)), b""), b"", b"", b"")
"""For a line that stands where no line of its own can."""


def evidence_of(facts: DayFacts, line: LineFields) -> LineEvidence:
    """The true evidence about the account, product and slot of ``line``, whatever else the line says.

    Raises
    ------
    LookupError
        The account has no meter leaf in that slot.
    """
    return LineEvidence(
        nomination=_nomination(facts, line),
        meter=meter_of(facts, line.account, line.product, line.slot),
        retail_prices=_packed(facts, Feed.RETAIL, facts.retail),
        imbalance_prices=_packed(facts, Feed.IMBALANCE, facts.imbalance),
        reference_prices=_packed(facts, Feed.REFERENCE, facts.reference or ()),
    )


def meter_of(facts: DayFacts, account: int, product: int, slot: int) -> MeterProof:
    """The meter leaf of an account in a slot.

    Raises
    ------
    LookupError
        There is none.
    """
    leaves = facts.meters.get((product, slot), ())
    for index, leaf in enumerate(leaves):
        if leaf.account == account:
            return MeterProof.of(leaves, index)
    raise LookupError(f"account {account} has no meter leaf of product {product} in slot {slot}")


def record_behind(
    facts: DayFacts, account: int, product: int, slot: int, place: tuple[int, int, int]
) -> ReferenceEvidence:
    """The record at ``place`` (kind, chain, index) that a line of the account refers to, where there is one."""
    kind, chain, index = place
    market = Market(facts.community, product, slot, chain)
    if kind == Kind.ORDER and market in facts.markets:
        book, clearing = facts.markets[market]
        if index < len(book):
            at = index * RECORD_BYTES
            order = OrderProof(
                book.records()[at : at + RECORD_BYTES],
                int(clearing.prefixes[index]),
                int(clearing.labels.prefixes[index]) if clearing.labels else 0,
                tuple(fill_proof(book, clearing, index)),
            )
            return ReferenceEvidence(order=order)
    positions = facts.positions.get((product, account), ())
    if kind == Kind.POSITION and not chain and index < len(positions):
        shown = PositionProof(positions[index].record(), other_hashes(positions, index))
        return ReferenceEvidence(position=shown)
    return ReferenceEvidence()


def neighbours_of(facts: DayFacts, line: LineFields) -> tuple[MeterNeighbour, ...]:
    """The leaves that leave no place for the account of ``line`` among the meters of its slot.

    Raises
    ------
    LookupError
        The account has a leaf there.
    """
    leaves = facts.meters.get((line.product, line.slot), ())
    accounts = [leaf.account for leaf in leaves]
    if line.account in accounts:
        raise LookupError(f"account {line.account} has a meter leaf in slot {line.slot}")
    after = sum(account < line.account for account in accounts)
    beside = range(max(after - 1, 0), min(after + 1, len(leaves)))
    return tuple(MeterNeighbour(MeterProof.of(leaves, index)) for index in beside)


def _packed(facts: DayFacts, feed: Feed, prices: Sequence[tuple[int, int]]) -> bytes:
    return TariffReport(facts.community, feed, facts.day, tuple(prices)).packed_prices()


def _nomination(facts: DayFacts, line: LineFields) -> NominationProof | None:
    """The claimed nomination where it is not what the line says, else the one that counts."""
    batches = facts.batches.get(line.product, ())
    if line.seq:
        if line.batch >= len(batches) or line.leaf >= len(batches[line.batch]):
            return None
        claimed = batches[line.batch][line.leaf]
        if claimed.seq != line.seq or not _covers(claimed, line):
            return _proof(batches, line.batch, line.leaf)
    covering = [
        (nomination.seq, -batch, -leaf)
        for batch, nominations in enumerate(batches)
        for leaf, nomination in enumerate(nominations)
        if _covers(nomination, line)
    ]
    if not covering:
        return None
    # The highest seq counts, the first accepted among equals.
    _, batch, leaf = max(covering)
    return _proof(batches, -batch, -leaf)


def _covers(nomination: Nomination, line: LineFields) -> bool:
    slots = range(nomination.slot, nomination.slot + len(nomination.wh))
    return nomination.account == line.account and line.slot in slots


def _proof(batches: Sequence[Sequence[Nomination]], batch: int, leaf: int) -> NominationProof:
    levels = levels_of([nomination.leaf() for nomination in batches[batch]])
    return NominationProof(batch, leaf, batches[batch][leaf], tuple(proof_of(levels, leaf)))


def _preimage(nomination: Nomination) -> bytes:
    numbers = (nomination.account, nomination.slot, nomination.seq)
    return b"".join(number.to_bytes(4, "big") for number in numbers) + nomination.packed_wh()
