"""Did an engine keep price-time priority? Its log, its receipts and the chain must tell one story (section 13).

The log is followed with the auditor's own order books: what came and left decides what had to trade. Every match must
be the one that was due, every trade of the engine on the chain must be a match of the log, and nobody may have left
without a reason that the chain or the account's own signature shows.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from otaniemi.contracts.rules.continuous import NO_ENGINE, Limit, Receipt
from otaniemi.contracts.rules.errors import FieldError, SignatureError
from otaniemi.contracts.rules.order_book import Entry, Match, OrderBook
from otaniemi.contracts.rules.signing import Domain, address_bytes, checksum, recover
from otaniemi.platform.audit.audit import Evidence
from otaniemi.platform.audit.findings import AuditReport, Finding
from otaniemi.platform.audit.steps import steps_of
from otaniemi.platform.audit.trades import ContinuousFacts, Refusal, Trade
from otaniemi.platform.engine_log import (
    NO_HEAD,
    HeldReceipt,
    LogEntry,
    LogKind,
    Removal,
    Told,
    cancel_digest,
    head_digest,
    stands_until,
)

GRACE = 600
"""Seconds that an engine has to bring a match to the chain."""

SKEW = 60
"""Seconds by which a chain's blocks may run ahead of the engine's clock."""

OWN_FAULTS = frozenset(
    {
        "", "WrongSides", "DifferentInstruments", "NotCrossing", "SelfTrade", "OtherSource", "UnknownInstrument",
        "PriceOutOfBand", "GateClosed", "Expired",
    }
)  # fmt: skip
"""Refusals for which no order is to blame but the batch: false pairs, too little gas, too late."""

TOO_SMALL = "QuantityOutOfRange"
"""What the rest of a match meets whose other part was undone; nobody is to blame."""


@dataclass
class Came:
    """An order of the log: its terms, digest and place in a book."""

    limit: Limit
    digest: bytes
    entry: Entry
    left: bool = False

    def __str__(self) -> str:
        return f"{self.entry.sequence} ({'buy' if self.limit.buy else 'sell'} at {self.limit.price:,})"


@dataclass
class PriorityJudge:
    """Follows the log of ``engine`` (an address); ``facts`` are those of the whole chain.

    Attributes
    ----------
    findings : list of Finding
        In order of discovery.
    counts : Counter
        What was checked.
    """

    engine: str
    facts: ContinuousFacts
    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.engine = checksum(address_bytes(self.engine))
        self._orders: dict[int, Came] = {}
        self._books: dict[tuple[int, int, int], OrderBook] = {}
        self._due: deque[Match] = deque()
        self._matches: list[tuple[Match, int]] = []
        self._refused: set[bytes] = set()
        self._where, self._at, self._next_place, self._head = "engine log", 0, 1, NO_HEAD

    def judge(self, log: Sequence[Told]) -> None:
        """Walk the log, then hold the chain's trades against it."""
        for told in log:
            entry = told.entry
            self._where = f"engine log entry {entry.place}"
            if entry.place != self._next_place:
                self._blame(f"comes where entry {self._next_place} was due")
            if entry.at < self._at:
                self._blame(f"is of {entry.at}, before the entry ahead of it")
            self._check_head(told)
            self._next_place, self._at = entry.place + 1, max(entry.at, self._at)
            self.counts["log_entries"] += 1
            try:
                match entry.kind:
                    case LogKind.RECEIVED:
                        self._received(told)
                    case LogKind.MATCHED:
                        self._matched(_match_of(told))
                    case LogKind.UNDONE:
                        self._undone(told, _match_of(told))
                    case LogKind.REMOVED:
                        self._removed(told)
            except (FieldError, KeyError, TypeError) as error:
                self._blame(f"cannot be followed: {error!r}")
        if log:
            self._check_signature(log[-1].entry)
        self._flush()
        self._hold_against_chain()

    def knows(self, sequence: int, digest: bytes) -> bool:
        """Whether the log tells an order with this number and digest."""
        came = self._orders.get(sequence)
        return came is not None and came.digest == digest

    @property
    def last_time(self) -> int:
        """When the last entry of the log happened. [Unix s]"""
        return self._at

    def _check_head(self, told: Told) -> None:
        """Hold the head of an entry against what came before; that of the last entry is signed for all."""
        order = told.limit.digest(self.facts.domain) if told.limit else b""
        if told.entry.head != told.entry.head_after(self._head, order):
            self._blame("has another head than the log up to here gives")
        # Each entry is judged by its own word for what came before, so that one wrong head is one finding.
        self._head = told.entry.head

    def _check_signature(self, entry: LogEntry) -> None:
        digest = head_digest(self.facts.domain, entry.place, entry.head)
        if not _signed_by(digest, entry.signature, [self.engine]):
            self._blame(f"is not signed by engine {self.engine}, so this log may be anybody's")

    def _received(self, told: Told) -> None:
        self._flush()
        limit, receipt, number = told.limit, told.receipt, told.entry.first
        if limit is None or receipt is None:
            self._blame("tells of an order without its terms and receipt")
            return
        self.counts["limit_orders"] += 1
        digest = limit.digest(self.facts.domain)
        if (receipt.order, receipt.sequence, receipt.received_at) != (digest, number, told.entry.at):
            self._blame(f"holds a receipt of another order, number or time than those of order {number}")
        elif not _signed_by(receipt.digest(self.facts.domain), told.signature, [self.engine]):
            self._blame(f"holds a receipt for order {number} that engine {self.engine} did not sign")
        if number != len(self._orders) + 1:
            self._blame(f"tells order {number} where order {len(self._orders) + 1} was due")
        rules = self.facts.versions.of_slot(limit.community, limit.slot or 0)
        if rules is None:
            self._blame(f"tells of an order for community {limit.community}, which is none")
            return
        until = stands_until(limit, rules, self.facts.series_end.get(limit.series or 0))
        came = Came(limit, digest, Entry.of(limit, number, until))
        self._orders[number] = came
        if until < told.entry.at:
            self._blame(f"takes in order {came}, which could no longer trade")
            came.left = True
            return
        self._due.extend(self._book(limit).add(came.entry))

    def _matched(self, match: Match) -> None:
        self.counts["matches"] += 1
        buy, sell = self._orders[match.buy], self._orders[match.sell]
        self._matches.append((match, self._at))
        if self._due and self._due[0] == match:
            self._due.popleft()
            return
        why = f"orders {buy} and {sell} trade {match.quantity:,} at {match.price:,}"
        if self._due:
            self._blame(f"{why}, but price and time give {self._told(self._due[0])}")
        else:
            self._blame(f"{why}, but nothing was due")
        self._put_back()
        self._book(buy.limit).apply(match)

    def _undone(self, told: Told, match: Match) -> None:
        self._flush()
        buy, sell = self._orders[match.buy], self._orders[match.sell]
        refusal = self._refusal(told.entry.evidence)
        pair = (buy.digest, sell.digest, match.quantity)
        if refusal is None or (refusal.buy, refusal.sell, refusal.quantity) != pair:
            self._blame(f"undoes {self._told(match)}, which the chain did not refuse")
        elif refusal.reason != TOO_SMALL and not any(
            self._is_fault(came, refusal, self.facts.keys[came.limit.account]) for came in (buy, sell)
        ):
            self._blame(
                f"undoes {self._told(match)} by a refusal that the batch is to blame for: {refusal.reason!r}"
            )
        elif told.entry.evidence in self._refused:
            self._blame(f"undoes {self._told(match)} by a refusal that undid a match before")
        self._refused.add(told.entry.evidence)
        live = [index for index, (one, _) in enumerate(self._matches) if one == match]
        if not live:
            self._blame(f"undoes {self._told(match)}, which the log does not tell")
            return
        del self._matches[live[0]]
        for came in sorted((buy, sell), key=lambda one: one.entry.sequence):
            if not came.left and came.entry.until >= self._at:
                self._due.extend(self._book(came.limit).restore(came.entry, match.quantity))

    def _removed(self, told: Told) -> None:
        self._flush()
        came = self._orders[told.entry.first]
        if not self._may_leave(came, told):
            self._blame(f"takes out order {came} as {told.entry.note!r}, which nothing shows")
        came.left = True
        self._book(came.limit).remove(came.entry.sequence)

    def _may_leave(self, came: Came, told: Told) -> bool:
        """Whether the evidence is what the reason asks for."""
        limit, evidence = came.limit, told.entry.evidence
        keys = self.facts.keys[limit.account]
        match told.entry.note:
            case Removal.CANCELLED:
                word = cancel_digest(self.facts.domain, limit.account, limit.nonce)
                return _signed_by(word, evidence, keys)
            case Removal.CANCELLED_ON_CHAIN:
                at = self.facts.cancelled.get((limit.account, limit.nonce))
                return at is not None and at <= self._at + SKEW
            case Removal.REJECTED:
                refusal = self._refusal(evidence)
                return refusal is not None and self._is_fault(came, refusal, keys)
        return False

    def _is_fault(self, came: Came, refusal: Refusal, keys: Iterable[str]) -> bool:
        """Whether the chain refused a pair because of this order, and not of what the engine made of it."""
        if came.digest not in (refusal.buy, refusal.sell) or refusal.reason in {*OWN_FAULTS, TOO_SMALL}:
            return False
        if refusal.reason == "NotSigned":
            # A key that was revoked since is the account's doing, a spoilt signature the engine's.
            signer = refusal.signers[0 if came.digest == refusal.buy else 1]
            return refusal.blamed == came.limit.account and signer in keys
        return refusal.blamed in (None, came.limit.account, came.digest)

    def _refusal(self, evidence: bytes) -> Refusal | None:
        refusal = self.facts.refusals.get(evidence)
        return refusal if refusal and refusal.sender == self.engine else None

    def _flush(self) -> None:
        """Blame the engine for what was due and did not happen."""
        if self._due:
            self._blame(f"comes before a match that price and time give: {self._told(self._due[0])}")
            self._put_back()

    def _put_back(self) -> None:
        for match in self._due:
            for came in (self._orders[match.buy], self._orders[match.sell]):
                self._book(came.limit).put_back(came.entry, match.quantity)
        self._due.clear()

    def _hold_against_chain(self) -> None:
        digests = {number: came.digest for number, came in self._orders.items()}
        told: dict[tuple[bytes, bytes, int], deque[tuple[Match, int]]] = {}
        for match, at in self._matches:
            key = digests[match.buy], digests[match.sell], match.quantity
            told.setdefault(key, deque()).append((match, at))
        for trade in self.facts.trades:
            waiting = told.get((trade.event.buy, trade.event.sell, trade.event.quantity))
            if trade.sender != self.engine:
                self.counts["trades_of_others"] += 1
                continue
            self.counts["trades"] += 1
            if not waiting:
                self.findings.append(
                    Finding(trade.where, f"{_name(trade)}, which the engine's log does not tell")
                )
                continue
            match, _ = waiting.popleft()
            if trade.event.price != match.price:
                price = f"the earlier order's limit is {match.price:,}"
                self.findings.append(
                    Finding(trade.where, f"{_name(trade)} at {trade.event.price:,}, but {price}")
                )
        late = sorted((match, at) for rest in told.values() for match, at in rest)
        for match, at in late:
            if at + GRACE < self.facts.now:
                self.findings.append(Finding("engine log", f"{self._told(match)} never came to the chain"))

    def _book(self, limit: Limit) -> OrderBook:
        key = limit.community, limit.product, limit.instrument
        book = self._books.setdefault(key, OrderBook())
        book.expire(self._at)
        return book

    def _told(self, match: Match) -> str:
        buy, sell = self._orders[match.buy], self._orders[match.sell]
        return f"{match.quantity:,} of orders {buy} and {sell}"

    def _blame(self, why: str) -> None:
        self.findings.append(Finding(self._where, why))


def judge_engine(evidence: Evidence, log: Sequence[Told], held: Sequence[HeldReceipt]) -> AuditReport:
    """Hold an engine's log against a chain, and against the receipts that homes kept.

    The engine is the one that the log's orders name.
    """
    deployment = evidence.deployment
    facts = ContinuousFacts(Domain(deployment.chain_id, deployment.addresses["ContinuousMarket"]))
    for step in steps_of(evidence.blocks, deployment.addresses):
        facts.take(step)
    facts.now = evidence.blocks[-1].timestamp
    named = [told.limit.engine for told in log if told.limit] or [receipt.limit.engine for receipt in held]
    judge = PriorityJudge(named[0] if named else NO_ENGINE, facts)
    judge.judge(log)
    findings = [*judge.findings, *hidden_orders(judge, facts.domain, held)]
    return AuditReport(
        tuple(findings), {"blocks": len(evidence.blocks), **judge.counts, "receipts": len(held)}
    )


def hidden_orders(judge: PriorityJudge, domain: Domain, held: Sequence[HeldReceipt]) -> Iterator[Finding]:
    """Orders that the engine signed receipts for and that its log, once judged, does not tell under their numbers."""
    for one in held:
        digest = one.limit.digest(domain)
        receipt = Receipt(digest, one.sequence, one.received_at)
        signed = _signed_by(receipt.digest(domain), one.signature, [judge.engine])
        known = judge.knows(one.sequence, digest)
        if signed and not known and one.received_at <= judge.last_time:
            yield Finding(
                f"receipt for limit order {one.sequence} of account {one.limit.account}",
                f"engine {judge.engine} signed it, but its log does not tell this order under this number",
            )


def _match_of(told: Told) -> Match:
    entry = told.entry
    assert entry.second is not None
    assert entry.quantity is not None
    assert entry.price is not None
    return Match(entry.first, entry.second, entry.quantity, entry.price)


def _name(trade: Trade) -> str:
    event = trade.event
    numbers = f"orders {event.buy_sequence} and {event.sell_sequence}"
    return f"{numbers} of accounts {event.buyer} and {event.seller} trade {event.quantity:,}"


def _signed_by(digest: bytes, signature: bytes, keys: Iterable[str]) -> bool:
    try:
        signer = address_bytes(recover(digest, signature))
    except SignatureError:
        return False
    return any(address_bytes(key) == signer for key in keys)
