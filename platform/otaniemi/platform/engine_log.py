"""What a matching engine does, as a log that anyone can follow and judge (protocol section 13).

The log is the engine's own account of its books: every order with its receipt, every match, every match that the chain
refused, and every order that left before its time. Price-time priority makes the matches a function of the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from otaniemi.contracts.rules.calendar import Rules, nomination_direct_gate
from otaniemi.contracts.rules.continuous import Limit, Receipt
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.signing import Domain, struct_digest, words

SETTLE_LEAD = 10
"""Seconds before its last instant on the chain at which an order last trades, so that each match arrives in time."""

CANCEL_TYPE = "CancelLimits(uint32 account,uint32 nonce)"
LOG_HEAD_TYPE = "LogHead(uint64 place,bytes32 head)"

NO_HEAD = bytes(32)
"""Head of a log without entries."""

_CANCEL, _LOG_HEAD = (keccak(text.encode()) for text in (CANCEL_TYPE, LOG_HEAD_TYPE))


class LogKind(StrEnum):
    """What changed a book."""

    RECEIVED = "received"
    MATCHED = "matched"
    UNDONE = "undone"
    REMOVED = "removed"


class Removal(StrEnum):
    """Why an order left before its time, and what the entry's evidence is."""

    CANCELLED = "cancelled"
    """By its account's signature on ``CancelLimits``, which is the evidence."""
    CANCELLED_ON_CHAIN = "cancelled on chain"
    REJECTED = "rejected"
    """By the chain, in a match that the entry before undoes or one of its own transaction and place."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of a log.

    Attributes
    ----------
    place : int
        From 1 on, without gaps.
    at : int
        When it happened, never decreasing. [Unix s]
    kind : LogKind
    first, second : int, int or None
        Sequence numbers: of the order that came or left; of buy and sell of a match.
    quantity, price : int or None
        Of a match.
    note : str
        Why an order left or a match was undone.
    evidence : bytes
        What proves it: a signature; hash of a transaction, and for a refused match its place in the batch (4 bytes).
    head : bytes
        Commits to this entry and all before it.
    signature : bytes
        The engine's on ``LogHead``, so that it cannot tell two stories.
    """

    place: int
    at: int
    kind: LogKind
    first: int
    second: int | None
    quantity: int | None
    price: int | None
    note: str
    evidence: bytes
    head: bytes = NO_HEAD
    signature: bytes = b""

    def head_after(self, previous: bytes, order: bytes) -> bytes:
        """The head of the log with this entry; ``order`` is the digest of the order that came, else empty."""
        numbers = (self.place, self.at, self.first, self.second or 0, self.quantity or 0, self.price or 0)
        texts = (self.kind.value.encode(), self.note.encode(), self.evidence, order)
        return keccak(previous + words(*numbers) + b"".join(keccak(text) for text in texts))


def head_digest(domain: Domain, place: int, head: bytes) -> bytes:
    """What the engine signs of its log up to ``place``; ``domain`` is that of ``ContinuousMarket``."""
    return struct_digest(domain, _LOG_HEAD + words(place) + head)


def stands_until(limit: Limit, rules: Rules, series_end: int | None = None) -> int:
    """Last instant at which ``limit`` can be matched; ``series_end`` is when trading of its series ends. [Unix s]"""
    gate = series_end if limit.slot is None else nomination_direct_gate(rules, limit.slot)
    last = limit.valid_to if gate is None else min(limit.valid_to, gate - 1)
    return last - SETTLE_LEAD


def cancel_digest(domain: Domain, account: int, nonce: int) -> bytes:
    """What an account signs to have the engine drop its limits with ``nonce``; ``domain`` is ``ContinuousMarket``'s."""
    return struct_digest(domain, _CANCEL + words(account, nonce))


@dataclass(frozen=True, slots=True)
class Told:
    """An entry of a published log; where an order came, its terms and the engine's receipt with its signature."""

    entry: LogEntry
    limit: Limit | None
    receipt: Receipt | None
    signature: bytes


@dataclass(frozen=True, slots=True)
class HeldReceipt:
    """A receipt that a home kept for its limit order, with the engine's signature."""

    limit: Limit
    sequence: int
    received_at: int
    signature: bytes
