"""What the API needs of a running market, in core types: the one seam between HTTP and the engine.

Methods may be called from several threads. They raise `NotFoundError` for what does not exist, `RefusedError`
(or a `FieldError` of the rules) for what cannot be accepted, and a `ChainError` when the chain says no.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from otaniemi.contracts.chain.deploy import Deployment
from otaniemi.contracts.rules.bills import AccountBill
from otaniemi.contracts.rules.merkle_sum import Node
from otaniemi.contracts.rules.orders import Order, ProfileOrder
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.contracts.rules.tariffs import TariffReport
from otaniemi.oracles.meters import Reading
from otaniemi.platform.api.auctions.desk import AuctionDesk
from otaniemi.platform.api.contracts.desk import ContractDesk
from otaniemi.platform.api.limits.desk import LimitDesk
from otaniemi.platform.api.packages.desk import PackageDesk
from otaniemi.platform.api.series.desk import SeriesDesk
from otaniemi.platform.errors import OtaniemiError
from otaniemi.platform.services.admission import AccountState, NotFoundError, RefusedError
from otaniemi.platform.store.intake import Submission, SubmittedNomination
from otaniemi.platform.store.markets import AcceptedOrder, MarketResult, MarketState

__all__ = [
    "AccountState",
    "BillStage",
    "BillState",
    "MarketPlace",
    "NoDevnetError",
    "NotFoundError",
    "OrderState",
    "Position",
    "Present",
    "RecordState",
    "RefusedError",
    "SentTransaction",
]


class NoDevnetError(OtaniemiError):
    """Registration with test tokens exists on a devnet only."""

    def __init__(self) -> None:
        super().__init__("this market is no devnet; accounts are opened by the community's registrar")


@dataclass(frozen=True, slots=True)
class Present:
    """Where the market stands: its time [Unix s] and the newest block of its chain."""

    now: int
    block: int
    block_hash: bytes


@dataclass(frozen=True, slots=True)
class RecordState:
    """One record of an order on the chain; ``result``, ``prefix`` and ``proof`` are there once it is cleared.

    ``prefix`` is the energy at the clearing price that arrived before, ``label_prefix`` that wanted at the price of
    labels [Wh]; ``proof`` leads from the fill leaf to the root of the result, from the bottom up.
    """

    order: AcceptedOrder
    result: MarketResult | None
    prefix: int
    label_prefix: int
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class OrderState:
    """A signed order by its number: as it was sent here (None for a direct one), and what the chain has of it."""

    account: int
    nonce: int
    submission: Submission | None
    records: tuple[RecordState, ...]


@dataclass(frozen=True, slots=True)
class Position:
    """What an account has in one slot [Wh, import positive]; ``trade_nano`` is what it pays for the trade.

    ``schedule_wh`` equals the trade where nothing was nominated. What the meter counted stays private until the
    day's bills.
    """

    slot: int
    trade_wh: int
    trade_nano: int
    schedule_wh: int
    nominated: bool


class BillStage(StrEnum):
    """How far the bills of a day came."""

    PROPOSED = "proposed"
    PAID = "paid"


@dataclass(frozen=True, slots=True)
class BillState:
    """The bill of an account for a trading day and its proof up to the root of the day.

    ``index``, ``count`` and ``siblings`` lead from the account's node to ``root``, which ``transaction`` put
    on the chain.
    """

    day: int
    stage: BillStage
    bill: AccountBill
    index: int
    count: int
    siblings: tuple[Node, ...]
    root: Node
    transaction: bytes


@dataclass(frozen=True, slots=True)
class SentTransaction:
    """A raw transaction that a block took in; ``ok`` is False when it reverted, for the reason in ``error``."""

    hash: bytes
    block: int
    ok: bool
    error: str


class MarketPlace(Protocol):
    """A running market of one community."""

    @property
    def deployment(self) -> Deployment:
        """Where the community lives."""

    @property
    def relayer(self) -> str:
        """Address of the key that signs receipts for orders to be relayed."""

    @property
    def auctions(self) -> AuctionDesk:
        """Auctions of lots."""

    @property
    def limits(self) -> LimitDesk:
        """Continuous trading."""

    @property
    def packages(self) -> PackageDesk:
        """Price packages."""

    @property
    def contracts(self) -> ContractDesk:
        """Bilateral contracts."""

    @property
    def series(self) -> SeriesDesk:
        """Standard contracts."""

    @property
    def devnet(self) -> bool:
        """Whether the chain is for development, so that accounts and tokens are given away."""

    def present(self) -> Present:
        """Time and head of the chain."""

    def markets(self, product: int, first_slot: int, end_slot: int) -> Sequence[MarketState]:
        """The markets of slots ``first_slot`` .. ``end_slot - 1``, by slot and session."""

    def tariffs(self, day: int) -> tuple[TariffReport | None, TariffReport | None]:
        """Retail and imbalance prices of a trading day; None before they are reported."""

    def account(self, account: int) -> AccountState:
        """One account."""

    def accounts_of(self, owner: str) -> Sequence[int]:
        """The accounts of an owner's address, ascending."""

    def transactions_of(self, address: str) -> int:
        """How many transactions an address has sent: the nonce of its next one."""

    def submit_order(self, order: Order | ProfileOrder, signature: bytes) -> OrderState:
        """Take in a signed order to be relayed; one sent before comes back as it stands."""

    def order(self, account: int, nonce: int) -> OrderState:
        """One order of an account."""

    def orders(self, account: int, limit: int) -> Sequence[OrderState]:
        """The latest orders of an account, newest first."""

    def nominate(self, nomination: Nomination, signature: bytes) -> SubmittedNomination:
        """Take in a signed nomination to be relayed; one sent before comes back as it stands."""

    def positions(self, account: int, product: int, day: int) -> Sequence[Position]:
        """Trade and schedule of every slot of a trading day."""

    def bill(self, account: int, day: int) -> BillState:
        """The bill of an account, once the day's bills are proposed."""

    def take_reading(self, account: int, product: int, slot: int, reading: Reading, signature: bytes) -> bool:
        """Take in a reading signed by the account's device or owner key; False when it repeats an earlier one."""

    def send_transaction(self, raw: bytes) -> SentTransaction:
        """Put a transaction that somebody signed on the chain, as it is."""

    def register(self, owner: str, name: str) -> AccountState:
        """Open an account with an approved meter, test tokens, and ether for the owner's transactions.

        Raises
        ------
        NoDevnetError
            The market is not on a devnet.
        """
