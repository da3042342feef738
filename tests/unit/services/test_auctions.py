"""What the auction service refuses before the chain would, what it sends once, and how it ends auctions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from otaniemi.contracts.chain.errors import RevertedError
from otaniemi.contracts.chain.events import Event
from otaniemi.contracts.chain.forms import dutch, sealed
from otaniemi.contracts.rules.dutch_auction import DutchTake, DutchTerms
from otaniemi.contracts.rules.keys import DeviceLimits
from otaniemi.contracts.rules.lots import Lots
from otaniemi.contracts.rules.sealed_auction import MAX_BIDS, Outcome, SealedBid, SealedTerms, commit_digest
from otaniemi.contracts.rules.signing import Domain, sign
from otaniemi.platform.keys import derive_key
from otaniemi.platform.services.admission import NotFoundError, RefusedError
from otaniemi.platform.services.auctions import SETTLED_AT_ONCE, AuctionService
from otaniemi.platform.store.members import Member

from ...support.rules import HOURLY as RULES

SEALED, DUTCH = (Domain(31_337, "0x" + digit * 40) for digit in "12")
OFFERS, BIDDER = 4, 5
OWNER, PANEL, KEEPER = (derive_key(7, role, 0) for role in ("owner", "device", "keeper"))
LOTS = Lots(OFFERS, 1, 0, True, 2, 3, 469_843, (250, 0, 500))
SEALED_TERMS = SealedTerms(LOTS, False, 60_000, 10**9, 1_000, 1_300)
DUTCH_TERMS = DutchTerms(LOTS, 90_000, 30_000, 1_000, 1_600)
BID = SealedBid(7, BIDDER, 70_000, 2, b"\x5a" * 32)
COMMITTED = sealed.BidCommitted(7, 0, BIDDER, BID.commitment(SEALED))
REVEALED = sealed.BidRevealed(7, 0, BIDDER, 70_000, 2)


@dataclass
class Chain:
    """A gateway that says what a test lets the chain say, and notes what was sent."""

    events: list[Event] = field(
        default_factory=lambda: [
            sealed.SealedCreated(7, OFFERS, SEALED_TERMS, 30),
            dutch.DutchCreated(7, OFFERS, DUTCH_TERMS, 30),
        ]
    )
    now: int = 900
    free: int = 10**12
    limits: DeviceLimits | None = None
    meters: dict[int, bytes] = field(default_factory=lambda: {0: b"\x01" * 32})
    taken: bool = False
    refuses: bool = False
    sent: list[tuple[Any, ...]] = field(default_factory=list)
    community = 1
    rules = RULES
    store = SimpleNamespace(read=lambda: nullcontext())

    def __post_init__(self) -> None:
        self.clock = self

        def calls(domain: Domain, *names: str) -> Any:
            made: dict[str, Callable[..., Any]] = {
                name: lambda *arguments, name=name: (name, *arguments) for name in names
            }
            return SimpleNamespace(domain=domain, is_taken=lambda _: self.taken, **made)

        self.contracts = SimpleNamespace(
            sealed_auction=calls(SEALED, "commit_signed", "reveal", "finalise", "settle"),
            dutch_auction=calls(DUTCH, "take_signed", "close"),
        )

    def catch_up(self) -> None:
        """Nothing comes from elsewhere."""

    def member(self, _transaction: Any, account: int) -> Member:
        return Member(account, 1, OWNER.address, PANEL.address, self.meters, "Aino", self.limits)

    def account(self, _transaction: Any, _account: int) -> Any:
        return SimpleNamespace(free_nano=self.free)

    def send_one(self, key: Any, call: tuple[Any, ...]) -> None:
        assert key is KEEPER
        self.sent.append(call)
        if self.refuses:
            raise RevertedError("finalise", "OutOfGas", {}, b"")

    def events_of(self, _transaction: Any, contract: str, subject: int) -> list[Event]:
        return [event for event in self._of(contract) if event.auction == subject]  # type: ignore[attr-defined]

    def counts_of(self, _transaction: Any, contract: str) -> dict[int, Counter[str]]:
        return {7: Counter(type(event).__name__ for event in self._of(contract))}

    def _of(self, contract: str) -> Iterator[Event]:
        module = {"SealedAuction": sealed, "DutchAuction": dutch}[contract]
        return (event for event in self.events if type(event).__module__ == module.__name__)


def service_of(chain: Any) -> AuctionService:
    return AuctionService(chain, KEEPER)


def commit(
    chain: Chain, account: int = BIDDER, bid: SealedBid = BID, valid_to: int = 1_000, key: Any = PANEL
) -> None:
    commitment = bid.commitment(SEALED)
    signature = sign(key.secret, commit_digest(SEALED, bid.auction, account, commitment, valid_to))
    service_of(chain).commit(bid.auction, account, commitment, valid_to, signature)


def take(chain: Chain, key: Any = PANEL, **changed: int) -> None:
    order = replace(DutchTake(7, BIDDER, 1, 60_000, 5, 1_600), **changed)
    service_of(chain).take(order, sign(key.secret, order.digest(DUTCH)))


def test_a_commitment_is_brought_once() -> None:
    chain = Chain()
    commit(chain)
    [(name, auction, account, commitment, valid_to, _)] = chain.sent
    assert (name, auction, account, commitment, valid_to) == (
        "commit_signed", 7, BIDDER, BID.commitment(SEALED), 1_000,
    )  # fmt: skip
    chain.events.append(COMMITTED)
    chain.now = 2_000  # long after, the answer is how it stands
    commit(chain)
    assert len(chain.sent) == 1


@pytest.mark.parametrize(
    ("given", "bid", "field"),
    [
        ({"now": 1_000}, {}, "auction"),
        ({"free": 10**9 - 1}, {}, "account"),
        ({}, {"account": OFFERS}, "account"),
        ({}, {"valid_to": 899}, "valid_to"),
        ({"events": [sealed.SealedCreated(7, OFFERS, SEALED_TERMS, 30), COMMITTED]},
         {"bid": replace(BID, price=70_001)}, "commitment"),
        ({"events": [sealed.SealedCreated(7, OFFERS, SEALED_TERMS, 30),
                     *[sealed.BidCommitted(7, n, 100 + n, bytes(32)) for n in range(MAX_BIDS)]]}, {}, "auction"),
        ({"meters": {1: b"\x01" * 32}}, {}, "account"),
        ({}, {"key": KEEPER}, "signature"),
        ({"limits": DeviceLimits(10**9, 10**6, -10**6, 10**6)}, {}, "signature"),
    ],
    ids=["too late", "no deposit", "own auction", "expired", "second bid", "full", "no meter", "stranger", "limited"],
)  # fmt: skip
def test_a_commitment_that_the_chain_would_refuse_is_not_sent(
    given: dict[str, Any], bid: dict[str, Any], field: str
) -> None:
    chain = Chain(**given)
    with pytest.raises(RefusedError) as refusal:
        commit(chain, **bid)
    assert refusal.value.field == field
    assert chain.sent == []


@pytest.mark.parametrize(
    ("now", "committed", "bid", "field"),
    [
        (1_000, [], BID, "account"),
        (999, [COMMITTED], BID, "auction"),
        (1_300, [COMMITTED], BID, "auction"),
        (1_000, [COMMITTED], replace(BID, salt=b"\x5b" * 32), "salt"),
        (1_000, [COMMITTED], replace(BID, lots=1), "salt"),
    ],
    ids=["never committed", "too early", "too late", "another salt", "other lots"],
)
def test_a_bid_that_cannot_be_revealed_is_not_sent_nor_told(
    now: int, committed: list[Event], bid: SealedBid, field: str
) -> None:
    chain = Chain(now=now)
    chain.events += committed
    with pytest.raises(RefusedError) as refusal:
        service_of(chain).reveal(bid)
    assert refusal.value.field == field
    assert bid.salt.hex() not in str(refusal.value)
    assert chain.sent == []


def test_a_bid_is_revealed_once() -> None:
    chain = Chain(now=1_000)
    chain.events.append(COMMITTED)
    service_of(chain).reveal(BID)
    chain.events.append(REVEALED)
    chain.now = 1_300
    service_of(chain).reveal(BID)
    assert chain.sent == [("reveal", BID)]


@pytest.mark.parametrize(
    ("given", "changed", "field"),
    [
        ({"now": 999}, {}, "auction"),
        ({"now": 1_601}, {}, "auction"),
        ({"now": 1_299}, {}, "limit"),
        ({}, {"lots": 4}, "lots"),
        ({}, {"account": OFFERS}, "account"),
        ({}, {"valid_to": 1_299}, "valid_to"),
        ({"free": 750 * 80_000 - 1}, {}, "lots"),
        ({"meters": {}}, {}, "account"),
        ({"limits": DeviceLimits(10**9, 499, -(10**6), 10**6)}, {}, "lots"),
    ],
    ids=[
        "early",
        "over",
        "dearer",
        "too many",
        "own auction",
        "expired",
        "too little free",
        "no meter",
        "limited key",
    ],
)
def test_a_take_that_the_chain_would_refuse_is_not_sent(
    given: dict[str, Any], changed: dict[str, int], field: str
) -> None:
    chain = Chain(**{"now": 1_300} | given)
    with pytest.raises(RefusedError) as refusal:
        take(chain, **changed)
    assert refusal.value.field == field
    assert chain.sent == []


def test_lots_are_taken_at_the_price_of_the_moment_and_once() -> None:
    chain = Chain(now=1_300, free=750 * 80_000)
    take(chain)
    assert [call[0] for call in chain.sent] == ["take_signed"]
    chain.taken, chain.now = True, 2_000
    take(chain)
    assert len(chain.sent) == 1


def test_auctions_end_when_their_time_is_over() -> None:
    chain = Chain(now=1_299)
    chain.events += [sealed.BidCommitted(7, n, 100 + n, bytes(32)) for n in range(SETTLED_AT_ONCE + 1)]
    service = service_of(chain)
    service.tend()
    assert (chain.sent, service.next_due()) == ([], 1_300)
    chain.now = 1_300
    service.tend()
    assert chain.sent == [
        ("finalise", 7),
        ("settle", 7, list(range(SETTLED_AT_ONCE))),
        ("settle", 7, [SETTLED_AT_ONCE]),
    ]
    assert service.next_due() == 1_601
    chain.sent.clear()
    chain.events.append(sealed.SealedFinalised(7, 60_000, 0, 0))
    chain.events += [
        sealed.BidSettled(7, n, 100 + n, Outcome.UNREVEALED, 0, 60_000, 0, 0, 5, 5)
        for n in range(SETTLED_AT_ONCE)
    ]
    chain.now = 1_601
    service.tend()
    assert chain.sent == [("settle", 7, [SETTLED_AT_ONCE]), ("close", 7)]


def test_what_the_chain_refuses_waits_and_keeps_nothing_else_from_ending() -> None:
    chain = Chain(now=1_601, refuses=True)
    service = service_of(chain)
    service.tend()
    service.tend()
    assert chain.sent == [("finalise", 7), ("close", 7)] * 2


def test_auctions_of_other_communities_are_none_of_ours() -> None:
    chain = Chain(now=2_000)
    chain.events = [sealed.SealedCreated(7, 4, replace(SEALED_TERMS, lots=replace(LOTS, community=2)), 30)]
    service = service_of(chain)
    service.tend()
    assert chain.sent == []
    with pytest.raises(NotFoundError, match="there is no sealed auction 7"):
        service.sealed(7)
