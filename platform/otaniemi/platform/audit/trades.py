"""What the chain says about continuous trading, and what it refused, read for the judgement of an engine."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from otaniemi.contracts.chain import events as e
from otaniemi.contracts.chain.artifacts import explain
from otaniemi.contracts.chain.forms.blocks import SeriesCreated
from otaniemi.contracts.chain.forms.continuous import Cancelled, Matched, MatchSkipped
from otaniemi.contracts.rules.continuous import Limit
from otaniemi.contracts.rules.errors import SignatureError
from otaniemi.contracts.rules.signing import Domain, recover
from otaniemi.platform.audit.steps import Step
from otaniemi.platform.audit.versions import Versions


@dataclass(frozen=True, slots=True)
class Trade:
    """Two limits traded in a transaction of ``sender``."""

    where: str
    time: int
    sender: str
    event: Matched


@dataclass(frozen=True, slots=True)
class Refusal:
    """A pair that a batch of ``sender`` named and that did not trade.

    ``buy`` and ``sell`` are digests; ``signers`` the keys that signed them, as the batch carried them; ``reason`` the
    name of the error with the account or order that it blames.
    """

    sender: str
    buy: bytes
    sell: bytes
    quantity: int
    signers: tuple[str, str]
    reason: str
    blamed: object


@dataclass
class ContinuousFacts:
    """Trades, refusals and cancellations of a chain, with the keys that its accounts ever had."""

    domain: Domain
    versions: Versions = field(default_factory=Versions)
    trades: list[Trade] = field(default_factory=list)
    refusals: dict[bytes, Refusal] = field(default_factory=dict)
    cancelled: dict[tuple[int, int], int] = field(default_factory=dict)
    keys: defaultdict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    series_end: dict[int, int] = field(default_factory=dict)
    now: int = 0

    def take(self, step: Step) -> None:
        """Note what one transaction did."""
        self.now = step.time
        for event in step.events:
            match event:
                case e.RulesSet():
                    self.versions.take(event)
                case e.Registered(account, _, owner) | e.OwnerChanged(account, owner):
                    self.keys[account].add(owner)
                case e.DeviceKeySet(account, key):
                    self.keys[account].add(key)
                case SeriesCreated(series, _, terms):
                    self.series_end[series] = terms.last_trading
                case Cancelled(account, nonce):
                    self.cancelled.setdefault((account, nonce), step.time)
                case Matched():
                    self.trades.append(Trade(step.where, step.time, step.sender, event))
                case MatchSkipped(place, reason) if step.function == "matchBatch":
                    evidence = step.hash + place.to_bytes(4, "big")
                    self.refusals[evidence] = self._refusal(step, place, reason)

    def _refusal(self, step: Step, place: int, reason: bytes) -> Refusal:
        orders, fills = step.arguments["limits"], step.arguments["fills"]
        buy, sell, quantity = fills[place]
        (bought, buyer), (sold, seller) = self._named(orders[buy]), self._named(orders[sell])
        error = explain("matchBatch", reason)
        blamed = error.arguments.get("account", error.arguments.get("order"))
        return Refusal(step.sender, bought, sold, quantity, (buyer, seller), error.name, blamed)

    def _named(self, order: Any) -> tuple[bytes, str]:
        """Digest of an order in calldata, and the key that signed it; none where that cannot be told."""
        terms, signature = order[0], order[1]
        digest = Limit(*terms).digest(self.domain)
        try:
            return digest, recover(digest, signature)
        except SignatureError:
            return digest, ""
