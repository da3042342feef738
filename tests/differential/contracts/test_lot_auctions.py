"""Sealed and Dutch auctions on the embedded chain against the rules: prices, winners, digests and every nano-token."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from tests.support.rules import HOURLY

from otaniemi.contracts.chain import bindings
from otaniemi.contracts.chain.artifacts import artifact, explain
from otaniemi.contracts.chain.blocks import contract_address
from otaniemi.contracts.chain.deploy import Parties, create_community, create_contracts
from otaniemi.contracts.chain.embedded import EmbeddedChain
from otaniemi.contracts.chain.errors import RevertedError
from otaniemi.contracts.chain.events import Event
from otaniemi.contracts.chain.forms import dutch, sealed
from otaniemi.contracts.chain.logs import EventDecoder
from otaniemi.contracts.chain.node import DEVNET_KEY
from otaniemi.contracts.chain.sender import Call, Key, Sender
from otaniemi.contracts.rules import calendar
from otaniemi.contracts.rules.calendar import Rules
from otaniemi.contracts.rules.dutch_auction import DutchTake, DutchTerms
from otaniemi.contracts.rules.errors import AuctionError
from otaniemi.contracts.rules.ledger import Ledger
from otaniemi.contracts.rules.lot_books import DUTCH, SEALED, DutchBook, SealedBook
from otaniemi.contracts.rules.lots import Lots
from otaniemi.contracts.rules.sealed_auction import (
    Outcome,
    SealedBid,
    SealedTerms,
    commit_digest,
)
from otaniemi.contracts.rules.signing import checksum, sign

GENESIS = 1_700_000_000
DEPOSIT_MICRO = 10**9
MARKET_MODULE = 1
FORMS = {
    "Positions": ("AccessManager", "Accounts", "Communities"),
    "SealedAuction": ("Accounts", "Communities", "Positions"),
    "DutchAuction": ("Accounts", "Communities", "Positions"),
}


@dataclass
class Town:
    """A host and bidders with meters and money, beside a ledger and books that follow the events."""

    chain: EmbeddedChain
    sender: Sender
    keeper: Key
    addresses: dict[str, str]
    community: int
    rules: Rules
    homes: dict[int, Key]
    ledger: Ledger

    def __post_init__(self) -> None:
        self.sealed = sealed.SealedAuction(self.chain, self.addresses["SealedAuction"])
        self.dutch = dutch.DutchAuction(self.chain, self.addresses["DutchAuction"])
        self.accounts = bindings.Accounts(self.chain, self.addresses["Accounts"])
        self.sealed_book, self.dutch_book = SealedBook(self.ledger), DutchBook(self.ledger)

    @property
    def now(self) -> int:
        return self.chain.head().timestamp

    def send(self, call: Call, key: Key | None = None) -> list[Event]:
        """Mine ``call``, follow its events in the books and return them."""
        receipt = self.sender.send(key or self.keeper, call)
        events = list(EventDecoder(self.addresses).decode_all(receipt.logs))
        for event in events:
            sealed.replay(self.sealed_book, event, self.rules)
            dutch.replay(self.dutch_book, event, self.rules, self.now)
        return events

    def refusal(self, call: Call, key: Key) -> str | None:
        """Name of the error with which ``call`` would revert now; None if it would pass."""
        assert call.to is not None
        try:
            self.chain.call(call.to, call.data, key.raw_address)
        except RevertedError as error:
            return explain(call.label, error.data).name
        return None

    def lock(self, account: int, nano: int) -> None:
        """A position of ``account`` opened."""
        self.ledger.lock(account, nano, self.community, 0)

    def lots(self, draw: random.Random, selling: bool) -> Lots:
        """Random lots of the first home, tomorrow."""
        slots = calendar.slots_of_day(self.rules, calendar.day_at(self.rules, self.now) + 1)
        wh = tuple(draw.randint(1, 500) for _ in range(draw.randint(1, 3)))
        return Lots(min(self.homes), self.community, 0, selling, draw.randint(0, 4), draw.randint(1, 4),
                    slots[draw.randint(0, 20)], wh)  # fmt: skip

    def assert_money_is_where_the_books_say(self) -> None:
        for account in self.homes:
            assert self.accounts.free_of(account) == self.ledger.free[account]
        for module in (SEALED, DUTCH):
            assert self.accounts.pot_of(self.addresses[module]) == self.ledger.pots[module]
        assert self.accounts.reserve() == self.ledger.reserve


@pytest.fixture(scope="module")
def town() -> Town:
    """Deploys the forms beside the rest, registers and funds."""
    chain = EmbeddedChain(GENESIS)
    sender, keeper = Sender(chain), Key(DEVNET_KEY)
    addresses = create_contracts(sender, keeper, 3_600)
    for name, arguments in FORMS.items():
        if name in addresses:
            continue
        compiled = artifact(name)
        address = contract_address(keeper.raw_address, sender.next_nonce(keeper))
        values = [addresses[argument] for argument in arguments]
        sender.send(keeper, Call(None, compiled.creation_code + compiled.abi.construct(*values), "deploy"))
        addresses[name] = checksum(address)
    manager = bindings.AccessManager(chain, addresses["AccessManager"])
    accounts = bindings.Accounts(chain, addresses["Accounts"])
    euro = bindings.TestEuro(chain, addresses["TestEuro"])
    sender.send_all(
        [
            (keeper, manager.set_target_function_role(accounts, ("register", "approveMeter"), 1)),
            (keeper, manager.grant_role(1, keeper.address)),
            *[(keeper, accounts.grant_module(addresses[name], MARKET_MODULE)) for name in FORMS],
        ]
    )
    rules = replace(HOURLY, platform_fee=1_000, reporters=(keeper.address,))
    parties = Parties(keeper.address, keeper.address, keeper.address)
    community, rules = create_community(sender, keeper, keeper, addresses, parties, rules)
    homes = {account: Key(account.to_bytes(32, "big")) for account in range(4, 9)}
    calls = [euro.mint(keeper.address, DEPOSIT_MICRO * 5), euro.approve(accounts.address, DEPOSIT_MICRO * 5)]
    for account, key in homes.items():
        calls.append(accounts.register(key.address, community))
        calls.append(accounts.approve_meter(account, 0, account.to_bytes(32, "big")))
        calls.append(accounts.deposit(account, DEPOSIT_MICRO))
    sender.send_all([(keeper, call) for call in calls])
    sender.fund(keeper, [key.address for key in homes.values()], 10**18)
    ledger = Ledger()
    for account in homes:
        ledger.deposit(account, DEPOSIT_MICRO * 1_000)
    return Town(chain, sender, keeper, addresses, community, rules, homes, ledger)


@pytest.mark.parametrize("seed", range(6))
def test_a_sealed_auction_ends_as_the_rules_say(town: Town, seed: int) -> None:
    draw = random.Random(seed)
    host, *bidders = town.homes
    start = town.now
    lots, reserve = town.lots(draw, selling=seed % 2 == 0), draw.randint(-1, 3) * 10_000
    terms = SealedTerms(lots, bool(seed & 2), reserve, 1_001, start + 600, start + 900)
    created = town.send(town.sealed.create(terms), town.homes[host])
    assert isinstance(created[0], sealed.SealedCreated)
    auction = created[0].auction
    assert town.sealed.auction_of(auction) == (terms, False, 0)
    most = terms.lots.most(town.rules)
    bids = [
        SealedBid(auction, account, draw.randint(-1, 5) * 10_000, draw.randint(1, most), draw.randbytes(32))
        for account in bidders
    ]
    for bid in bids:
        _commit(town, bid, signed=draw.random() < 0.5)
    town.chain.set_time(terms.commit_until)
    shown = draw.sample(bids, 3)
    wrong = replace(shown[0], price=shown[0].price + 1)
    assert town.refusal(town.sealed.reveal(wrong), town.keeper) == "WrongCommitment"
    for bid in shown:
        town.send(town.sealed.reveal(bid))
    town.chain.set_time(terms.reveal_until)
    (final,) = town.send(town.sealed.finalise(auction))
    assert isinstance(final, sealed.SealedFinalised)
    assert town.sealed.auction_of(auction) == (terms, True, final.price)
    settled = [event for event in town.send(town.sealed.settle(auction, range(4)))
               if isinstance(event, sealed.BidSettled)]  # fmt: skip
    assert [event.outcome is Outcome.UNREVEALED for event in settled] == [bid not in shown for bid in bids]
    for event in settled:
        if event.outcome is Outcome.WON:
            assert event.lots == town.sealed.won(auction, event.bid)
            town.lock(event.account, terms.lots.taker_lock(town.rules, event.price, event.lots))
            town.lock(host, _host_lock(town.rules, terms.lots, event.price, event.lots))
    assert town.ledger.pots[SEALED] == 0
    town.assert_money_is_where_the_books_say()
    assert town.send(town.sealed.settle(auction, range(4))) == []


def _commit(town: Town, bid: SealedBid, signed: bool) -> None:
    commitment = bid.commitment(town.sealed.domain)
    key = town.homes[bid.account]
    if not signed:
        town.send(town.sealed.commit(bid.auction, bid.account, commitment), key)
        return
    digest = commit_digest(town.sealed.domain, bid.auction, bid.account, commitment, 2**40)
    signature = sign(key.secret, digest)
    town.send(town.sealed.commit_signed(bid.auction, bid.account, commitment, 2**40, signature))


@pytest.mark.parametrize("seed", range(6))
def test_a_dutch_auction_asks_the_price_of_the_rules(town: Town, seed: int) -> None:
    draw = random.Random(seed)
    host, *takers = town.homes
    lots = town.lots(draw, selling=seed % 2 == 0)
    first, change = draw.randint(-300_000, 300_000), draw.randint(0, 400_000)
    last = first - change if lots.selling else first + change
    begin = town.now + 60
    terms = DutchTerms(lots, first, last, begin, begin + draw.randint(1, 5_000))
    (created,) = town.send(town.dutch.create(terms), town.homes[host])
    assert isinstance(created, dutch.DutchCreated)
    auction = created.auction
    assert town.dutch.auction_of(auction) == (terms, lots.count, False)
    for time in sorted(draw.choices(range(begin, terms.until + 1), k=lots.count)):
        assert town.dutch.price_at(auction, time) == terms.price_at(time)
        town.chain.set_time(max(time, town.now + 1))
        if town.now >= terms.until:
            break
        _take(town, terms, auction, draw.choice(takers), signed=draw.random() < 0.5)
    town.chain.set_time(max(terms.until, town.now) + 2)
    town.send(town.dutch.close(auction))
    assert town.ledger.pots[DUTCH] == 0
    town.assert_money_is_where_the_books_say()


def _take(town: Town, terms: DutchTerms, auction: int, account: int, signed: bool) -> None:
    key, limit = town.homes[account], terms.start_price
    if signed:
        order = DutchTake(auction, account, 1, limit, town.now % 2**32, 2**40)
        call = town.dutch.take_signed(order, sign(key.secret, order.digest(town.dutch.domain)))
        events = town.send(call)
        assert town.refusal(call, town.keeper) == "AlreadyTaken"
    else:
        events = town.send(town.dutch.take(auction, account, 1, limit), key)
    taken = _only(events, dutch.DutchTaken)
    town.lock(account, terms.lots.taker_lock(town.rules, taken.price, 1))
    town.lock(min(town.homes), _host_lock(town.rules, terms.lots, taken.price, 1))


def test_a_book_refuses_what_the_terms_do_not_give(town: Town) -> None:
    draw = random.Random(0)
    book = SealedBook(Ledger())
    terms = SealedTerms(town.lots(draw, selling=True), False, 0, 1_001, 600, 900)
    book.ledger.deposit(terms.lots.account, 10**12)
    with pytest.raises(AuctionError, match="money put up for sealed auction 1 is 1, by the rules"):
        book.create(1, terms, town.rules, 1)
    put_up = terms.lots.per_lot(town.rules, 0) * terms.lots.count
    book.create(1, terms, town.rules, put_up)
    with pytest.raises(AuctionError, match="price of sealed auction 1 is 5, by the rules 0"):
        book.finalise(1, 5, 0, put_up)


def _host_lock(rules: Rules, lots: Lots, price: int, count: int) -> int:
    return replace(lots, selling=not lots.selling).taker_lock(rules, price, count)


def _only(events: Sequence[Event], kind: type[dutch.DutchTaken]) -> dutch.DutchTaken:
    (event,) = [event for event in events if isinstance(event, kind)]
    return event
