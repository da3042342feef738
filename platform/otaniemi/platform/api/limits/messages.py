"""Continuous trading in JSON: limit orders, books, and the engine's log."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from otaniemi.contracts.rules.continuous import Limit
from otaniemi.contracts.rules.order_book import Level
from otaniemi.platform.api.form import (
    I32,
    U8,
    U32,
    U64,
    Address,
    Form,
    Hash,
    Signature,
    fields_of,
    from_hex,
    instant,
    to_hex,
)
from otaniemi.platform.engine_log import LogEntry, LogKind
from otaniemi.platform.services.continuous import BookState, LimitState
from otaniemi.platform.store.limits import KeptLimit, KeptMatch, MatchStatus, Snapshot


class TermsForm(Form):
    """What a limit order says."""

    account: Annotated[U32, Field(ge=1)]
    community: Annotated[U32, Field(ge=1)]
    product: U8
    instrument: Annotated[
        int, Field(ge=0, le=2**33 - 1, description="a slot, or 2^32 + number of a series of blocks")
    ]
    price: Annotated[I32, Field(description="limit [micro-token/kWh]")]
    quantity: Annotated[U32, Field(ge=1, description="of a slot [Wh], of a series [lots]")]
    min_fill: Annotated[U32, Field(description="smallest part that trades at once")]
    source: Annotated[U8, Field(description="of a sell; a buy with one other than 0 takes only that")]
    buy: bool
    nonce: Annotated[U32, Field(description="what a cancellation names")]
    valid_to: Annotated[U64, Field(description="Unix time")]
    engine: Annotated[Address, Field(description="whose receipts say which of two orders came first")]

    def limit(self) -> Limit:
        """The terms as they are signed."""
        return Limit(**{name: getattr(self, name) for name in TermsForm.model_fields})


class LimitForm(TermsForm):
    """A signed limit order (typed data ``Limit``)."""

    signature: Signature

    @classmethod
    def of(cls, limit: Limit, signature: bytes) -> LimitForm:
        """The form of a signed limit order."""
        return cls(**fields_of(limit), signature=to_hex(signature))


class CancelForm(Form):
    """An account's word to drop its limit orders with ``nonce`` (typed data ``CancelLimits``)."""

    account: U32
    nonce: U32
    signature: Signature


class ReceiptForm(Form):
    """The engine's word that the order with ``digest`` came as number ``sequence`` (typed data ``Receipt``)."""

    digest: Hash
    sequence: U64
    received_at: datetime
    signature: Signature

    @classmethod
    def of(cls, kept: KeptLimit) -> ReceiptForm:
        return cls(
            digest=to_hex(kept.digest),
            sequence=kept.sequence,
            received_at=instant(kept.received_at),
            signature=to_hex(kept.receipt),
        )


class MatchView(Form):
    """A match of two orders, by sequence: ``waiting`` for the chain, ``settled`` there, or ``undone`` by it.

    ``other`` says that somebody else brought the two to the chain.
    """

    number: int
    buy: int
    sell: int
    quantity: int
    price: int
    matched_at: datetime
    status: Literal["waiting", "settled", "undone"]
    transaction: Hash | None

    @classmethod
    def of(cls, match: KeptMatch) -> MatchView:
        values = fields_of(match) | {
            "matched_at": instant(match.matched_at),
            "status": MatchStatus(match.status).value,
            "transaction": None if match.transaction is None else to_hex(match.transaction),
        }
        return cls(**{name: values[name] for name in cls.model_fields})


class LimitView(Form):
    """A limit order: what can still trade, what waits for the chain and what stands there."""

    terms: TermsForm
    receipt: ReceiptForm
    state: Literal["standing", "filled", "expired", "removed"]
    removed: str | None
    rest: int
    waiting: int
    settled: int
    matches: tuple[MatchView, ...]

    @classmethod
    def of(cls, state: LimitState) -> LimitView:
        return cls(
            terms=TermsForm(**fields_of(state.kept.limit)),
            receipt=ReceiptForm.of(state.kept),
            state=state.stage.value,
            removed=state.kept.removed,
            rest=state.rest,
            waiting=state.waiting,
            settled=state.settled,
            matches=tuple(MatchView.of(match) for match in state.matches),
        )


class LevelView(Form):
    """What stands at one price."""

    price: int
    quantity: int
    orders: int


class BookView(Form):
    """The best prices of a book, best first; ``sequence`` is the number of the newest order of all books."""

    community: int
    product: int
    instrument: int
    sequence: int
    buys: tuple[LevelView, ...]
    sells: tuple[LevelView, ...]

    @classmethod
    def of(cls, state: BookState) -> BookView:
        return cls(
            **state.instrument._asdict(),
            sequence=state.sequence,
            buys=_levels(state.buys),
            sells=_levels(state.sells),
        )


class SnapshotView(Form):
    """A book at the end of a minute in which it changed."""

    minute: datetime
    sequence: int
    buys: tuple[LevelView, ...]
    sells: tuple[LevelView, ...]

    @classmethod
    def of(cls, snapshot: Snapshot) -> SnapshotView:
        return cls(
            minute=instant(snapshot.minute * 60),
            sequence=snapshot.sequence,
            buys=_levels(snapshot.buys),
            sells=_levels(snapshot.sells),
        )


class LogView(Form):
    """An entry of the engine's log; ``terms`` and ``receipt`` are there where an order came.

    ``first`` and ``second`` are sequence numbers: the order that came or left, or buy and sell of a match. Signatures
    of accounts on orders stay out, so that nobody else can bring them to the chain.
    """

    place: int
    at: datetime
    kind: Literal["received", "matched", "undone", "removed"]
    first: int
    second: int | None
    quantity: int | None
    price: int | None
    note: str
    evidence: Annotated[str, Field(pattern=r"^0x([0-9a-f]{2})*$")]
    head: Annotated[Hash, Field(description="commits to the log up to here")]
    signature: Annotated[Signature, Field(description="the engine's (typed data `LogHead`)")]
    terms: TermsForm | None
    receipt: ReceiptForm | None

    @classmethod
    def of(cls, entry: LogEntry, kept: KeptLimit | None) -> LogView:
        return cls(
            place=entry.place,
            at=instant(entry.at),
            kind=entry.kind.value,
            first=entry.first,
            second=entry.second,
            quantity=entry.quantity,
            price=entry.price,
            note=entry.note,
            evidence=to_hex(entry.evidence),
            head=to_hex(entry.head),
            signature=to_hex(entry.signature),
            terms=None if kept is None else TermsForm(**fields_of(kept.limit)),
            receipt=None if kept is None else ReceiptForm.of(kept),
        )

    def entry(self) -> LogEntry:
        """The entry without the terms of its order."""
        values = {name: getattr(self, name) for name in LogEntry.__dataclass_fields__}
        values |= {name: from_hex(values[name]) for name in ("evidence", "head", "signature")}
        return LogEntry(**values | {"at": int(self.at.timestamp()), "kind": LogKind(self.kind)})


def _levels(levels: tuple[Level, ...]) -> tuple[LevelView, ...]:
    return tuple(LevelView(**level._asdict()) for level in levels)
