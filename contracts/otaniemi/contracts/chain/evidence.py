"""What a challenge shows the contract: the facts from which a bill line follows, with their proofs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from otaniemi.contracts.rules.bills import DayFacts
from otaniemi.contracts.rules.clearing import fill_proof
from otaniemi.contracts.rules.lines import Line
from otaniemi.contracts.rules.merkle import levels_of, proof_of
from otaniemi.contracts.rules.meters import METER_TREE, MeterLeaf, meter_proof
from otaniemi.contracts.rules.orders import RECORD_BYTES, Market
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.contracts.rules.tariffs import Feed, TariffReport


@dataclass(frozen=True, slots=True)
class OrderProof:
    """The record that a reference points at, its prefixes [Wh], and the siblings up to its market's root."""

    record: bytes
    prefix: int
    label_prefix: int
    siblings: tuple[bytes, ...]


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
class LineEvidence:
    """Everything from which a line follows; ``orders`` in the order of the line's references."""

    orders: tuple[OrderProof, ...]
    nomination: NominationProof | None
    meter: MeterProof
    retail_prices: bytes
    imbalance_prices: bytes

    def as_arguments(self) -> tuple[Any, ...]:
        """The evidence as ``challengeLine`` takes it."""
        nominated = self.nomination
        shown = (
            (nominated.batch, nominated.leaf, _preimage(nominated.nomination), list(nominated.siblings))
            if nominated
            else (0, 0, b"", [])
        )
        return (
            [(order.record, order.prefix, order.label_prefix, list(order.siblings)) for order in self.orders],
            shown,
            self.meter.as_argument(),
            self.retail_prices,
            self.imbalance_prices,
        )


def evidence_of(facts: DayFacts, line: Line) -> LineEvidence:
    """The true evidence about the account, product and slot of ``line``, whatever else the line says.

    References of the line that point beyond a market's records are left out.

    Raises
    ------
    LookupError
        The account has no meter leaf in that slot.
    """
    leaves = facts.meters[line.product, line.slot]
    index = next(i for i, leaf in enumerate(leaves) if leaf.account == line.account)
    feeds = {Feed.RETAIL: facts.retail, Feed.IMBALANCE: facts.imbalance}
    packed = {
        feed: TariffReport(facts.community, feed, facts.day, tuple(prices)).packed_prices()
        for feed, prices in feeds.items()
    }
    return LineEvidence(
        orders=_orders(facts, line),
        nomination=_nomination(facts, line),
        meter=_meter_proof(leaves, index),
        retail_prices=packed[Feed.RETAIL],
        imbalance_prices=packed[Feed.IMBALANCE],
    )


def neighbours_of(facts: DayFacts, line: Line) -> tuple[MeterNeighbour, ...]:
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
    return tuple(MeterNeighbour(_meter_proof(leaves, index)) for index in beside)


def _meter_proof(leaves: Sequence[MeterLeaf], index: int) -> MeterProof:
    siblings = b"".join(METER_TREE.pack(node) for node in meter_proof(leaves, index))
    return MeterProof(index, leaves[index], siblings)


def _orders(facts: DayFacts, line: Line) -> tuple[OrderProof, ...]:
    proofs = []
    for reference in line.references:
        market = Market(facts.community, line.product, line.slot, reference.session)
        if market not in facts.markets or reference.index >= len(facts.markets[market][0]):
            continue
        book, clearing = facts.markets[market]
        at = reference.index * RECORD_BYTES
        proofs.append(
            OrderProof(
                book.records()[at : at + RECORD_BYTES],
                int(clearing.prefixes[reference.index]),
                int(clearing.labels.prefixes[reference.index]) if clearing.labels else 0,
                tuple(fill_proof(book, clearing, reference.index)),
            )
        )
    return tuple(proofs)


def _nomination(facts: DayFacts, line: Line) -> NominationProof | None:
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


def _covers(nomination: Nomination, line: Line) -> bool:
    slots = range(nomination.slot, nomination.slot + len(nomination.wh))
    return nomination.account == line.account and line.slot in slots


def _proof(batches: Sequence[Sequence[Nomination]], batch: int, leaf: int) -> NominationProof:
    levels = levels_of([nomination.leaf() for nomination in batches[batch]])
    return NominationProof(batch, leaf, batches[batch][leaf], tuple(proof_of(levels, leaf)))


def _preimage(nomination: Nomination) -> bytes:
    numbers = (nomination.account, nomination.slot, nomination.seq)
    return b"".join(number.to_bytes(4, "big") for number in numbers) + nomination.packed_wh()
