"""What the contracts say: their events as frozen values.

Field names are those of the Solidity events in snake case; ``from`` is ``source``. Addresses are checksummed
text, markets ``rules.orders.Market``, rules ``rules.calendar.Rules``. Those of the other forms of trading stand
beside their contracts in ``chain.forms``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Self

from otaniemi.contracts.rules.calendar import Rules
from otaniemi.contracts.rules.keys import DeviceLimits
from otaniemi.contracts.rules.orders import Market
from otaniemi.contracts.rules.positions import Agreement, unpack_wh


class VoidReason(IntEnum):
    """What bills were voided by."""

    LINE = 0
    REFERENCE = 1
    ORDER = 2
    ABSENT = 3
    UNMETERED = 4
    SUM = 5
    WITHHELD = 6


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events."""

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        """The event of the decoded ``fields`` of a log."""
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class Transfer(Event):
    """Tokens moved. [micro-token]"""

    source: str
    to: str
    value: int


@dataclass(frozen=True, slots=True)
class Registered(Event):
    """An account was opened in a community."""

    account: int
    community: int
    owner: str


@dataclass(frozen=True, slots=True)
class DeviceKeySet(Event):
    """Who may order for the account beside its owner."""

    account: int
    key: str


@dataclass(frozen=True, slots=True)
class DeviceKeyLimited(Event):
    """Limits of the device key that was just set, as ``rules.keys.DeviceLimits``."""

    account: int
    expires_at: int
    most_wh: int
    price_min: int
    price_max: int

    @property
    def limits(self) -> DeviceLimits:
        """The limits together."""
        return DeviceLimits(self.expires_at, self.most_wh, self.price_min, self.price_max)


@dataclass(frozen=True, slots=True)
class OwnerChanged(Event):
    """The account has another owner."""

    account: int
    owner: str


@dataclass(frozen=True, slots=True)
class DayClosed(Event):
    """Markets of the day that have no orders yet take none."""

    community: int
    day: int


@dataclass(frozen=True, slots=True)
class DayReopened(Event):
    """Markets of the day can be opened again."""

    community: int
    day: int


@dataclass(frozen=True, slots=True)
class MeterApproved(Event):
    """A meter was bound to an account and product."""

    account: int
    product: int
    meter: bytes


@dataclass(frozen=True, slots=True)
class ModuleGranted(Event):
    """A contract becomes a module (1 market, 2 settlement) or stops being one (0) at a time [Unix s]."""

    module: str
    role: int
    effective_from: int


@dataclass(frozen=True, slots=True)
class Deposited(Event):
    """Money arrived for an account. [nano-token]"""

    account: int
    source: str
    nano: int


@dataclass(frozen=True, slots=True)
class WithdrawalRequested(Event):
    """Money left the free balance of an account, to be taken from a time on. [nano-token]"""

    account: int
    nano: int
    taken_from: int


@dataclass(frozen=True, slots=True)
class Withdrawn(Event):
    """Requested money was sent. [nano-token]"""

    account: int
    to: str
    nano: int


@dataclass(frozen=True, slots=True)
class LocksReleased(Event):
    """The locks of a trading day moved to the pot of a module. [nano-token]"""

    community: int
    day: int
    nano: int


@dataclass(frozen=True, slots=True)
class Reserved(Event):
    """A module moved money of its pot to the reserve. [nano-token]"""

    module: str
    nano: int


@dataclass(frozen=True, slots=True)
class RulesSet(Event):
    """Rules of a community that count from a trading day on."""

    community: int
    from_day: int
    rules: Rules


@dataclass(frozen=True, slots=True)
class OrdersAccepted(Event):
    """Records were appended to a market's hash chain, ``first_index`` the position of the first."""

    market: Market
    first_index: int
    records: bytes


@dataclass(frozen=True, slots=True)
class OrderSkipped(Event):
    """A relayed order was skipped; ``reason`` as in ``rules.orders.SkipReason``."""

    market: Market
    account: int
    nonce: int
    reason: int


@dataclass(frozen=True, slots=True)
class Cleared(Event):
    """A market was cleared. Prices [micro-token/kWh], energy [Wh]."""

    market: Market
    price: int
    lo: int
    hi: int
    volume: int
    demand_above: int
    supply_below: int
    count: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Labelled(Event):
    """Labels of a cleared market were given out at ``premium`` [micro-token/kWh]; energy [Wh]."""

    market: Market
    premium: int
    green: int
    above: int
    root: bytes


@dataclass(frozen=True, slots=True)
class MarketClosed(Event):
    """Both gates of a market moved to its block, as its slot was curtailed."""

    market: Market


@dataclass(frozen=True, slots=True)
class Voided(Event):
    """A market that nobody cleared before its slot began is void."""

    market: Market
    count: int
    root: bytes


@dataclass(frozen=True, slots=True)
class PositionOpened(Event):
    """Buyer and seller agreed, and the energy is to be delivered so; ``wh`` as ``rules.positions`` packs it."""

    community: int
    buyer: int
    seller: int
    product: int
    day: int
    form: int
    deal: int
    price: int
    source: int
    slot: int
    wh: bytes

    @property
    def agreement(self) -> Agreement:
        """What was agreed on."""
        terms = self.form, self.deal, self.price, self.source, self.slot
        return Agreement(self.buyer, self.seller, *terms, unpack_wh(self.wh))


@dataclass(frozen=True, slots=True)
class Curtailed(Event):
    """Trades and schedules of a slot count for ``permille`` of their energy only."""

    community: int
    product: int
    slot: int
    permille: int
    reason: str


@dataclass(frozen=True, slots=True)
class NominationsAccepted(Event):
    """Batch number ``batch`` of a product and trading day; ``entries`` as ``rules.schedules`` packs them."""

    community: int
    product: int
    day: int
    batch: int
    entries: bytes


@dataclass(frozen=True, slots=True)
class NominationSkipped(Event):
    """A relayed nomination was skipped; ``reason`` as in ``rules.orders.SkipReason``."""

    community: int
    product: int
    day: int
    account: int
    seq: int
    reason: int


@dataclass(frozen=True, slots=True)
class TariffReported(Event):
    """Prices of a trading day, packed as ``rules.tariffs`` does, which count, and who signed them."""

    community: int
    feed: int
    day: int
    round: int
    prices: bytes
    signers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TariffQuarantined(Event):
    """Prices that differ from those of ``base_day`` by more than the limit wait for a second round or the arbiter."""

    community: int
    feed: int
    day: int
    round: int
    base_day: int
    prices: bytes
    signers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QuarantineDecided(Event):
    """The arbiter decided about prices in quarantine."""

    community: int
    feed: int
    day: int
    counts: bool


@dataclass(frozen=True, slots=True)
class MetersReported(Event):
    """Meter tree of a slot [Wh], and who signed it."""

    community: int
    product: int
    slot: int
    round: int
    root: bytes
    import_wh: int
    export_wh: int
    count: int
    signers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReportChallenged(Event):
    """A report was challenged: ``kind`` is a feed, or 8 + product of meters, ``index`` a day or slot. [nano-token]"""

    community: int
    kind: int
    index: int
    id: int
    challenger: int
    bond: int
    deadline: int


@dataclass(frozen=True, slots=True)
class ChallengeClosed(Event):
    """A challenge of a report is over; neither upheld nor rejected: nobody decided. ``paid`` to the challenger."""

    id: int
    upheld: bool
    rejected: bool
    paid: int


@dataclass(frozen=True, slots=True)
class BondDeposited(Event):
    """Money of an account stands behind a reporter. [nano-token]"""

    reporter: str
    account: int
    nano: int


@dataclass(frozen=True, slots=True)
class BondReleased(Event):
    """A reporter's bond can be taken back from a time on. [Unix s]"""

    reporter: str
    free_from: int


@dataclass(frozen=True, slots=True)
class BondTaken(Event):
    """A reporter's bond went back to its account. [nano-token]"""

    reporter: str
    account: int
    nano: int


@dataclass(frozen=True, slots=True)
class ReporterSlashed(Event):
    """A reporter signed two values of a round: ``reward`` to the informer, the rest for challengers. [nano-token]"""

    reporter: str
    community: int
    informer: int
    reward: int
    reserved: int


@dataclass(frozen=True, slots=True)
class BillsProposed(Event):
    """Bills number ``id`` of a trading day were proposed; ``sums`` as ``rules.lines.Sums``. [nano-token]"""

    community: int
    day: int
    id: int
    proposer: int
    root: bytes
    sums: tuple[int, ...]
    count: int
    content_hash: bytes
    bond: int


@dataclass(frozen=True, slots=True)
class BillsVoided(Event):
    """Bills were shown to be wrong, or a node of them withheld; ``reason`` as in ``VoidReason``."""

    community: int
    day: int
    id: int
    challenger: int
    reason: int


@dataclass(frozen=True, slots=True)
class Demanded(Event):
    """Somebody put up a bond to see the node with this hash, which may be answered until then."""

    id: int
    hash: bytes
    demander: int
    bond: int
    until: int


@dataclass(frozen=True, slots=True)
class Answered(Event):
    """A demanded node was shown, by its preimage with tag; the window for challenges begins anew."""

    id: int
    hash: bytes
    preimage: bytes
    answerer: int


@dataclass(frozen=True, slots=True)
class DemandReturned(Event):
    """The bond of a demand that nobody answered went back. [nano-token]"""

    id: int
    hash: bytes
    demander: int
    bond: int


@dataclass(frozen=True, slots=True)
class WindowRestarted(Event):
    """The window for challenges ends later, as a demanded node was shown. [Unix s]"""

    id: int
    closes_at: int


@dataclass(frozen=True, slots=True)
class BillsFinal(Event):
    """Bills stand; the day's locks are in the pot. [nano-token]"""

    community: int
    day: int
    id: int
    released: int


@dataclass(frozen=True, slots=True)
class BondReturned(Event):
    """The bond of a proposer went back to it. [nano-token]"""

    id: int
    proposer: int
    bond: int


@dataclass(frozen=True, slots=True)
class Debit:
    """What was taken of an account. [nano-token]"""

    account: int
    taken: int


@dataclass(frozen=True, slots=True)
class Claim:
    """What the retailer and the operator still claim of an account that could not pay. [nano-token]"""

    account: int
    retailer: int
    operator: int


@dataclass(frozen=True, slots=True)
class Debited(Event):
    """Accounts from position ``first`` on were debited; ``entries`` of those that owe, ``claims`` where money lacks."""

    community: int
    day: int
    first: int
    entries: tuple[Debit, ...]
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class PartiesPaid(Event):
    """Companies were paid; negative: they paid. [nano-token]"""

    community: int
    day: int
    retailer: int
    grid_operator: int
    platform: int


@dataclass(frozen=True, slots=True)
class Credit:
    """What an account received. [nano-token]"""

    account: int
    nano: int


@dataclass(frozen=True, slots=True)
class Credited(Event):
    """Accounts were credited."""

    community: int
    day: int
    entries: tuple[Credit, ...]


@dataclass(frozen=True, slots=True)
class SettledAlone(Event):
    """Nobody billed the day; its locks are in the pot, from which every trade is paid as delivered. [nano-token]"""

    community: int
    day: int
    released: int


@dataclass(frozen=True, slots=True)
class PaidAlone(Event):
    """Trades of such a day were paid."""

    community: int
    day: int
    entries: tuple[Credit, ...]
