"""``ContinuousMarket``: signed limits matched pair by pair."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from otaniemi.contracts.chain.contract import Contract
from otaniemi.contracts.chain.events import Event
from otaniemi.contracts.chain.sender import Call
from otaniemi.contracts.rules.continuous import Limit


class SignedLimit(NamedTuple):
    """A limit as it is brought to the chain.

    Attributes
    ----------
    signature : bytes
        By the account's owner or device key, 64 bytes, or what its contract wallet accepts; empty where the sender of
        the transaction is one of these keys.
    sequence, received_at : int
        As in the engine's ``Receipt``, 0 without one.
    receipt : bytes
        The engine's signature on it, 64 bytes or none.
    """

    limit: Limit
    signature: bytes
    sequence: int = 0
    received_at: int = 0
    receipt: bytes = b""


class Fill(NamedTuple):
    """Two limits of a list, by position, and what they trade; in the unit of their quantities."""

    buy: int
    sell: int
    quantity: int


class ContinuousMarket(Contract):
    """Trades of slots and block series; what an order gave its signature for is all that it can come to."""

    name = "ContinuousMarket"

    def match_orders(self, buy: SignedLimit, sell: SignedLimit, quantity: int) -> Call:
        """Trade a buy with a sell; reverts where they do not match."""
        return self._call("match", "matchOrders", _argument(buy), _argument(sell), quantity)

    def match_batch(self, limits: Sequence[SignedLimit], fills: Iterable[Fill]) -> Call:
        """Trade many pairs in order; those that fail are skipped."""
        arguments = [_argument(order) for order in limits]
        return self._call("match", "matchBatch", arguments, [tuple(fill) for fill in fills])

    def cancel(self, account: int, nonce: int) -> Call:
        """End all limits of an account with this nonce. Owner or device key only."""
        return self._call("order", "cancel", account, nonce)

    def filled(self, order: bytes) -> int:
        """What was traded of a limit, by its digest; in the unit of its quantity."""
        return int(self._view("filled", order))

    def is_cancelled(self, account: int, nonce: int) -> bool:
        """Whether the account cancelled the nonce."""
        return bool(self._view("isCancelled", account, nonce))

    def digest_of(self, limit: Limit) -> bytes:
        """Digest of a limit."""
        return bytes(self._view("digestOf", _struct(limit)))


@dataclass(frozen=True, slots=True)
class Matched(Event):
    """Two limits, named by their digests, traded. [micro-token/kWh]

    ``deal`` is the number of a series' deal in ``BlockSeries``, for a slot ``rules.continuous.deal_of`` the match;
    ``quantity`` is Wh or lots; a sequence is 0 where no valid receipt was brought.
    """

    community: int
    buy: bytes
    sell: bytes
    product: int
    instrument: int
    deal: int
    buyer: int
    seller: int
    price: int
    quantity: int
    buy_sequence: int
    sell_sequence: int


@dataclass(frozen=True, slots=True)
class MatchSkipped(Event):
    """Pair number ``fill`` of a batch did not trade; ``reason`` is what it would have reverted with."""

    fill: int
    reason: bytes


@dataclass(frozen=True, slots=True)
class Cancelled(Event):
    """No limit of the account with this nonce trades from now on."""

    account: int
    nonce: int


def _argument(order: SignedLimit) -> tuple[Any, ...]:
    return (_struct(order.limit), order.signature, order.sequence, order.received_at, order.receipt)


def _struct(limit: Limit) -> tuple[Any, ...]:
    return (
        limit.account, limit.community, limit.product, limit.instrument, limit.price, limit.quantity,
        limit.min_fill, limit.source, limit.buy, limit.nonce, limit.valid_to, limit.engine,
    )  # fmt: skip
