"""What the auditor knows of the chain so far, rebuilt from events."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from otaniemi.contracts.chain.events import Cleared
from otaniemi.contracts.rules.calendar import Rules, day_of_slot
from otaniemi.contracts.rules.clearing import Clearing
from otaniemi.contracts.rules.keys import DeviceLimits
from otaniemi.contracts.rules.ledger import Ledger
from otaniemi.contracts.rules.meters import MeterReport
from otaniemi.contracts.rules.orders import RECORD_BYTES, Book, Market, NonceWindow
from otaniemi.contracts.rules.positions import WHOLE, Position
from otaniemi.contracts.rules.price_packages import PackageBook
from otaniemi.contracts.rules.schedules import Nomination

Prices = tuple[tuple[int, int], ...]


@dataclass
class Account:
    """An account: keys and what limits the device's, metered products, nonces."""

    community: int
    owner: str
    order_key: str
    limits: DeviceLimits | None = None
    products: set[int] = field(default_factory=set)
    nonces: NonceWindow = field(default_factory=NonceWindow)

    def may_order(self, key: str) -> bool:
        """Whether ``key`` may order and nominate for the account."""
        return key in (self.owner, self.order_key)

    def limits_for(self, key: str) -> DeviceLimits | None:
        """What limits ``key``; nothing limits the owner's."""
        return None if key == self.owner else self.limits


@dataclass
class State:
    """Accounts, rules, markets, nominations, reports and money.

    Attributes
    ----------
    versions : mapping of community to list of (first day, Rules)
    batches : mapping of Market to list of bytes
        Accepted records, one entry per batch.
    cleared : mapping of Market to (Book, Clearing)
        As derived from the records.
    results : mapping of Market to Cleared
        As the chain says, the root with labels once there are; all zero but count and root for a void market.
    nominations : mapping of (community, product, day) to list of batches of Nomination
    tariffs : mapping of (community, feed, day) to prices
    meters : mapping of (community, product, slot) to MeterReport
    positions : mapping of (community, product, account, day) to list of Position
    packages : mapping of community to PackageBook
        Of communities that were created.
    closed : set of (community, day)
        Whose markets take no first order.
    curtailed : mapping of (community, product, slot) to permille
        What counts of the trades of curtailed slots; their markets take no first order.
    closed_at : mapping of Market to Unix time
        When both gates of a market of a curtailed slot closed.
    escrow_micro : int
        Tokens that ``Accounts`` holds. [micro-token]
    """

    closed: set[tuple[int, int]] = field(default_factory=set)
    curtailed: dict[tuple[int, int, int], int] = field(default_factory=dict)
    closed_at: dict[Market, int] = field(default_factory=dict)
    accounts: dict[int, Account] = field(default_factory=dict)
    versions: defaultdict[int, list[tuple[int, Rules]]] = field(default_factory=lambda: defaultdict(list))
    batches: defaultdict[Market, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    cleared: dict[Market, tuple[Book, Clearing]] = field(default_factory=dict)
    results: dict[Market, Cleared] = field(default_factory=dict)
    nominations: defaultdict[tuple[int, int, int], list[list[Nomination]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    tariffs: dict[tuple[int, int, int], Prices] = field(default_factory=dict)
    meters: dict[tuple[int, int, int], MeterReport] = field(default_factory=dict)
    positions: defaultdict[tuple[int, int, int, int], list[Position]] = field(
        default_factory=lambda: defaultdict(list)
    )
    packages: dict[int, PackageBook] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    escrow_micro: int = 0

    def rules_at(self, community: int, day: int) -> Rules | None:
        """Rules of a community on a trading day; None where there is no such community."""
        counting = [rules for first, rules in self.versions[community] if first <= day]
        return counting[-1] if counting else None

    def rules_of(self, market: Market) -> Rules | None:
        """Rules of a market; None where nothing is traded."""
        if not self.versions[market.community]:
            return None
        # Slot length and offset never change, so any version tells the day.
        day = day_of_slot(self.versions[market.community][0][1], market.slot)
        rules = self.rules_at(market.community, day)
        if rules is None or market.session >= len(rules.sessions) or not rules.products >> market.product & 1:
            return None
        return rules

    def rules_of_slot(self, community: int, product: int, slot: int) -> Rules | None:
        """Rules of a slot; None where the product is not metered."""
        return self.rules_of(Market(community, product, slot, 0))

    def retailer_on(self, community: int, day: int) -> int:
        """Account of the retailer of a community on a trading day; 0 where there is no such community."""
        rules = self.rules_at(community, day)
        return rules.retailer if rules else 0

    def remaining(self, community: int, product: int, slot: int) -> int:
        """What remains of trades and schedules of a slot. [permille]"""
        return self.curtailed.get((community, product, slot), WHOLE)

    def count(self, market: Market) -> int:
        """Number of records of a market."""
        return sum(len(batch) for batch in self.batches[market]) // RECORD_BYTES

    def book(self, market: Market) -> Book:
        """The records of a market in order of arrival."""
        return Book.of_records(b"".join(self.batches[market]))
