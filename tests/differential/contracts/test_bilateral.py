"""Bilateral contracts on the embedded chain against the rules: digests, deliveries, ends and every nano-token."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import pytest
from tests.support.rules import HOURLY

from otaniemi.contracts.chain import bindings
from otaniemi.contracts.chain.artifacts import artifact, explain
from otaniemi.contracts.chain.blocks import Receipt, contract_address
from otaniemi.contracts.chain.deploy import Parties, create_community, create_contracts
from otaniemi.contracts.chain.embedded import EmbeddedChain
from otaniemi.contracts.chain.errors import RevertedError
from otaniemi.contracts.chain.evidence import MeterProof
from otaniemi.contracts.chain.forms.bilateral import BilateralContracts, replay
from otaniemi.contracts.chain.logs import EventDecoder
from otaniemi.contracts.chain.node import DEVNET_KEY
from otaniemi.contracts.chain.sender import Call, Key, Sender
from otaniemi.contracts.rules import calendar
from otaniemi.contracts.rules.bilateral import (
    BILATERAL,
    GRACE,
    BilateralBook,
    BilateralTerms,
    Run,
    day_window,
    slot_window,
)
from otaniemi.contracts.rules.calendar import Rules
from otaniemi.contracts.rules.ledger import Ledger
from otaniemi.contracts.rules.meters import METER_TREE, MeterLeaf, meter_proof, meter_report
from otaniemi.contracts.rules.orders import lock
from otaniemi.contracts.rules.signing import checksum, meter_digest, sign, tariff_digest
from otaniemi.contracts.rules.tariffs import Feed, TariffReport

GENESIS = 1_700_000_000
DEPOSIT_MICRO = 10**9
FORMS = {
    "Positions": ("AccessManager", "Accounts", "Communities"),
    "BilateralContracts": ("Accounts", "Communities", "Positions", "Oracle"),
}
DAYS = 12


@dataclass
class Town:
    """Homes with meters and money, beside a ledger and a book that follow the events."""

    chain: EmbeddedChain
    sender: Sender
    keeper: Key
    addresses: dict[str, str]
    community: int
    rules: Rules
    homes: dict[int, Key]
    book: BilateralBook

    def __post_init__(self) -> None:
        self.contract = BilateralContracts(self.chain, self.addresses["BilateralContracts"])
        self.accounts = bindings.Accounts(self.chain, self.addresses["Accounts"])
        self.positions = artifact("Positions").abi

    @property
    def today(self) -> int:
        return calendar.day_at(self.rules, self.chain.head().timestamp)

    def go_to(self, time: int) -> None:
        """Mine a block without transactions at ``time`` [Unix s]."""
        self.chain.set_time(time)
        self.chain.mine([])

    def try_send(self, call: Call, key: Key) -> str | None:
        """Mine ``call`` and follow its events, or say with which error it would revert."""
        assert call.to is not None
        try:
            self.chain.call(call.to, call.data, key.raw_address)
        except RevertedError as error:
            return explain(call.label, error.data).name
        self.follow(self.sender.send(key, call))
        return None

    def follow(self, receipt: Receipt) -> list[Run]:
        """Replay the events of a transaction, positions included; the positions that it opened."""
        runs = []
        for log in receipt.logs:
            event = EventDecoder(self.addresses).decode(log)
            if event is not None:
                replay(self.book, event)
            if log.address != bytes.fromhex(self.addresses["Positions"][2:]):
                continue
            decoded = self.positions.decode_event(log)
            assert decoded is not None
            _, fields = decoded
            packed = fields["wh"]
            wh = tuple(int.from_bytes(packed[at : at + 4], "big") for at in range(0, len(packed), 4))
            runs.append(Run(fields["slot"], fields["price"], wh))
            for account, buy in ((fields["buyer"], True), (fields["seller"], False)):
                nano = lock(self.rules, buy, fields["price"], sum(wh))
                self.book.ledger.lock(account, nano, self.community, fields["day"])
        return runs

    def terms(self, draw: random.Random, **change: object) -> BilateralTerms:
        """Random terms of two homes, a profile from tomorrow on."""
        seller, buyer = draw.sample(list(self.homes), 2)
        profile = tuple(draw.choice([0, 0, draw.randint(1, 900)]) for _ in range(23))
        terms = BilateralTerms(
            self.community, 0, seller, buyer, draw.randint(0, 4), self.today + 1, self.today + DAYS, False,
            draw.randint(-100_000, 300_000), 0, (*profile, 5), draw.randint(1, 4), draw.randint(0, 10**10),
            2**40, draw.getrandbits(64),
        )  # fmt: skip
        return replace(terms, **change)  # type: ignore[arg-type]

    def conclude(self, terms: BilateralTerms) -> int:
        """Put ``terms`` in force by both signatures; the number of the contract."""
        terms.check(self.rules)
        digest = terms.digest(self.contract.domain)
        signatures = [sign(self.homes[account].secret, digest) for account in (terms.seller, terms.buyer)]
        assert self.try_send(self.contract.conclude(terms, *signatures), self.keeper) is None
        return self.contract.deal_of(digest)

    def assert_money_is_where_the_book_says(self) -> None:
        for account in self.homes:
            assert self.accounts.free_of(account) == self.book.ledger.free[account]
        assert self.accounts.pot_of(self.contract.address) == self.book.ledger.pots[BILATERAL]


@pytest.fixture(scope="module")
def town() -> Town:
    """Deploys the contracts beside the rest, registers and funds."""
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
    roles = [
        manager.set_target_function_role(accounts, ("register", "approveMeter"), 1),
        manager.grant_role(1, keeper.address),
        *[accounts.grant_module(addresses[name], 1) for name in FORMS],
    ]
    sender.send_all([(keeper, call) for call in roles])
    rules = replace(HOURLY, platform_fee=1_000, reporters=(keeper.address,))
    parties = Parties(keeper.address, keeper.address, keeper.address)
    community, rules = create_community(sender, keeper, keeper, addresses, parties, rules)
    homes = {account: Key(account.to_bytes(32, "big")) for account in range(4, 8)}
    calls = [euro.mint(keeper.address, DEPOSIT_MICRO * 4), euro.approve(accounts.address, DEPOSIT_MICRO * 4)]
    ledger = Ledger()
    for account, key in homes.items():
        calls.append(accounts.register(key.address, community))
        calls.append(accounts.approve_meter(account, 0, account.to_bytes(32, "big")))
        calls.append(accounts.deposit(account, DEPOSIT_MICRO))
        ledger.deposit(account, DEPOSIT_MICRO * 1_000)
    sender.send_all([(keeper, call) for call in calls])
    sender.fund(keeper, [key.address for key in homes.values()], 10**18)
    return Town(chain, sender, keeper, addresses, community, rules, homes, BilateralBook(ledger))


def test_random_contracts_deliver_and_end_as_the_book_says(town: Town) -> None:
    draw = random.Random(3)
    signed = [town.terms(draw) for _ in range(4)]
    for terms in signed:
        town.conclude(terms)
    assert [deal.terms for deal in town.book.deals.values()] == signed
    refusals: dict[str, set[str | None]] = {"deliver": set(), "terminate": set(), "early": set()}
    for _ in range(DAYS):
        for number, deal in town.book.deals.items():
            party = draw.choice([deal.terms.seller, deal.terms.buyer])
            day, last_day = town.today + draw.randint(1, 2), deal.last_day
            due = deal.due(day)
            refusal = town.try_send(town.contract.deliver(deal.terms, day), town.keeper)
            assert (refusal is None) == due, refusal
            refusals["deliver"].add(refusal)
            if draw.random() < 0.1:
                notice = town.contract.terminate(number, party)
                refusal = town.try_send(notice, town.homes[party])
                assert (refusal is None) == (town.today + deal.terms.notice_days < last_day)
                refusals["terminate"].add(refusal)
            if draw.random() < 0.05:
                early, last_day = town.contract.terminate_early(number, party), deal.last_day
                refusal = town.try_send(early, town.homes[party])
                assert (refusal is None) == (town.today < last_day)
                refusals["early"].add(refusal)
            assert town.contract.last_day_of(number) == deal.last_day
            assert town.contract.is_delivered(number, day) == (day in deal.delivered)
        town.assert_money_is_where_the_book_says()
        town.go_to(town.chain.head().timestamp + 86_400)
    assert all(None in seen for seen in refusals.values())
    assert {"AlreadyDelivered", "OutsidePeriod"} <= refusals["deliver"]
    town.go_to(calendar.bills_due(town.rules, town.today + DAYS))
    for number, deal in town.book.deals.items():
        held = deal.deposits_held
        assert (town.try_send(town.contract.close(number), town.keeper) is None) == held
    town.assert_money_is_where_the_book_says()
    assert town.book.ledger.pots[BILATERAL] == 0


def test_a_profile_opens_the_positions_of_the_rules(town: Town) -> None:
    draw = random.Random(4)
    for _ in range(3):
        terms = town.terms(draw, fee=0)
        town.conclude(terms)
        runs = town.follow(town.sender.send(town.keeper, town.contract.deliver(terms, terms.from_day)))
        assert runs == terms.deliver(town.rules, terms.from_day)
        assert sum(sum(run.wh) for run in runs) == sum(terms.profile)


def test_the_window_of_a_day_is_that_of_the_contract(town: Town) -> None:
    terms = town.terms(random.Random(5), from_day=town.today + 5, fee=0)
    town.conclude(terms)
    opens, _ = day_window(town.rules, terms, terms.from_day)
    call = town.contract.deliver(terms, terms.from_day)
    # What is asked is answered as in the next block, a second after the newest.
    town.go_to(opens - 2)
    assert town.try_send(call, town.keeper) == "OutsideWindow"
    town.go_to(opens - 1)
    assert town.try_send(call, town.keeper) is None
    _, ends = day_window(town.rules, terms, terms.from_day + 1)
    town.go_to(ends - 1)
    assert town.try_send(town.contract.deliver(terms, terms.from_day + 1), town.keeper) == "OutsideWindow"


def test_who_spent_the_money_pays_with_the_deposit(town: Town) -> None:
    town.go_to(town.chain.head().timestamp + 3_600)
    terms = town.terms(random.Random(6), price=200_000, fee=10**9)
    number = town.conclude(terms)
    free = town.accounts.free_of(terms.seller)
    town.sender.send(town.homes[terms.seller], town.accounts.request_withdrawal(terms.seller, free))
    town.book.ledger.request_withdrawal(terms.seller, free - free % 1_000)
    _, ends = day_window(town.rules, terms, terms.from_day)
    claim = town.contract.claim_default(terms, terms.from_day, terms.buyer)
    assert town.try_send(claim, town.homes[terms.buyer]) == "OutsideWindow"
    town.go_to(ends - GRACE)
    assert town.try_send(town.contract.deliver(terms, terms.from_day), town.keeper) == "InsufficientFunds"
    assert town.try_send(claim, town.homes[terms.buyer]) is None
    assert town.book.deals[number].last_day == terms.from_day - 1
    town.assert_money_is_where_the_book_says()


def test_a_spot_price_and_a_share_follow_what_the_oracle_says(town: Town) -> None:
    draw = random.Random(7)
    town.go_to(calendar.day_start(town.rules, town.today + 1))
    spot = town.terms(draw, spot=True, fee=0, seller=6, buyer=7, from_day=town.today + 2)
    share = replace(spot, profile=(), share_permille=333)
    oracle, day = bindings.Oracle(town.chain, town.addresses["Oracle"]), spot.from_day
    for terms in (spot, share):
        town.conclude(terms)
    prices = TariffReport(
        town.community, Feed.REFERENCE, day, tuple((draw.choice([-5_000, 90_000]), 0) for _ in range(24))
    )
    signature = sign(town.keeper.secret, tariff_digest(oracle.domain, prices))
    town.sender.send(town.keeper, oracle.report_tariff(prices, signature))
    opens, _ = day_window(town.rules, spot, day)
    deliver = town.contract.deliver(spot, day, prices.packed_prices())
    town.go_to(opens - 2)
    assert town.try_send(deliver, town.keeper) == "OutsideWindow"
    town.go_to(opens - 1)
    runs = town.follow(town.sender.send(town.keeper, deliver))
    assert len(runs) > 2
    assert runs == spot.deliver(town.rules, day, prices.prices)

    slot = calendar.first_slot(town.rules, day) + 12
    leaves = [MeterLeaf(6, 101, 1_700, 0, bytes(32)), MeterLeaf(7, 900, 0, 0, bytes(32))]
    report = meter_report(town.community, 0, slot, leaves)
    town.go_to(calendar.slot_end(town.rules, slot))
    signature = sign(town.keeper.secret, meter_digest(oracle.domain, report))
    town.sender.send(town.keeper, oracle.report_meters(report, signature))
    siblings = b"".join(METER_TREE.pack(node) for node in meter_proof(leaves, 0))
    seen = MeterProof(0, leaves[0], siblings)
    metered = town.contract.deliver_metered(share, slot, seen, prices.packed_prices())
    assert town.try_send(metered, town.keeper) == "OutsideWindow"
    town.go_to(slot_window(town.rules, slot)[0])
    runs = town.follow(town.sender.send(town.keeper, metered))
    price = share.price_at(town.rules, prices.prices[12][0])
    assert runs == [Run(slot, price, (share.share(town.rules, 101, 1_700),))]
    assert town.try_send(metered, town.keeper) == "AlreadyDelivered"
    town.assert_money_is_where_the_book_says()
