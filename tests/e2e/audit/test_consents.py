"""Who agreed, audited: by keys in every form, by a wallet, and through another contract that hides the calldata."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from otaniemi.contracts.chain import bindings
from otaniemi.contracts.chain import events as e
from otaniemi.contracts.chain.forms import bilateral, continuous, dutch, packages, sealed
from otaniemi.contracts.chain.sender import Call, Key
from otaniemi.contracts.rules.bilateral import BilateralTerms
from otaniemi.contracts.rules.continuous import Limit
from otaniemi.contracts.rules.dutch_auction import DutchTake, DutchTerms
from otaniemi.contracts.rules.keys import DeviceLimits
from otaniemi.contracts.rules.lots import Lots
from otaniemi.contracts.rules.orders import Market, ProfileOrder
from otaniemi.contracts.rules.orders import Step as Part
from otaniemi.contracts.rules.price_packages import Band, PackageChoice, PackageTerms
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.contracts.rules.sealed_auction import SealedBid, SealedTerms, commit_digest
from otaniemi.contracts.rules.signing import (
    Domain,
    checksum,
    nomination_digest,
    profile_digest,
    sign,
    tariff_digest,
)
from otaniemi.contracts.rules.tariffs import Feed, TariffReport
from otaniemi.platform.audit.findings import HIDDEN, WALLETS, AuditReport
from otaniemi.platform.audit.replay import Replay
from otaniemi.platform.audit.steps import Step, steps_of

from .small_day import (
    ADMIN,
    COMMUNITY,
    DAY,
    DEVICE,
    FIRST,
    FOREVER,
    HOMES,
    REPORTERS,
    RETAIL,
    A,
    B,
    C,
    D,
    SmallDay,
)

KEYS = dict(zip((A, B, C, D), HOMES, strict=True))
WALLET = D + 1
LIMITED = Key(bytes([51]) * 32)
# Calls the address in its first 20 bytes of calldata with the rest of it.
FORWARDER = bytes.fromhex("601d8060093d393df3601436038060145f375f5f915f5f5f3560601c5af1601b575f5ffd5b00")
# Accepts every signature.
YES_MAN = bytes.fromhex("600e8060093d393df3631626ba7e60e01b5f5260205ff3")


@dataclass
class Agreed:
    """A community that agreed on things in every way, and the steps of its chain."""

    day: SmallDay
    steps: list[Step]

    def walk(self, steps: list[Step]) -> Replay:
        replay = Replay(self.day.deployment, None)
        replay.run(steps)
        return replay

    def wrong(self, function: str, change: Callable[[Step], Step]) -> list[str]:
        """What is found where every call of ``function`` is another."""
        changed = [change(step) if step.function == function else step for step in self.steps]
        assert changed != self.steps
        return [finding.why for finding in self.walk(changed).findings]


class AgreeingDay(SmallDay):
    """What homes agree on before any gate."""

    def contract(self, kind: type[Any]) -> Any:
        return kind(self.chain, self.deployment.addresses[kind.name])

    def domain(self, name: str) -> Domain:
        return Domain(self.chain.chain_id, self.deployment.addresses[name])

    def through(self, call: Call) -> Call:
        """The call by way of another contract."""
        assert call.to is not None
        return replace(call, to=self.forwarder, data=call.to + call.data)

    def agree(self) -> None:
        self.forwarder = self.sender.create(ADMIN, FORWARDER, "deploy")
        self._open_wallet()
        self.sender.fund(ADMIN, [LIMITED.address], 10**18)
        self.sender.send(HOMES[3], self.accounts.set_limited_device_key(
            D, LIMITED.address, DeviceLimits(2**33, 500, 0, 200_000)))  # fmt: skip
        self._sell_lots()
        self._choose_packages()
        self._contract()
        self._match()
        self._order_through_the_forwarder()
        oracle = self.contract(bindings.Oracle)
        report = TariffReport(COMMUNITY, Feed.RETAIL, DAY, RETAIL)
        signatures = [sign(key.secret, tariff_digest(oracle.domain, report)) for key in REPORTERS[:2]]
        self.sender.send(ADMIN, self.through(oracle.report_tariff(report, b"".join(signatures))))
        after = replace(report, day=DAY + 1)
        signatures = [sign(key.secret, tariff_digest(oracle.domain, after)) for key in REPORTERS[:2]]
        base = report.packed_prices()
        self.sender.send(ADMIN, oracle.report_tariff(after, b"".join(signatures), base))

    def _open_wallet(self) -> None:
        wallet = self.sender.create(ADMIN, YES_MAN, "deploy")
        token = self.contract(bindings.TestEuro)
        calls = [
            self.accounts.register(checksum(wallet), COMMUNITY),
            self.accounts.approve_meter(WALLET, 0, b"\x09" * 32),
            token.mint(ADMIN.address, 10**8),
            token.approve(self.accounts.address, 10**8),
            self.accounts.deposit(WALLET, 10**8),
        ]
        self.sender.send_all([(ADMIN, call) for call in calls])

    def _sell_lots(self) -> None:
        """B sells lots in both kinds of auctions; others take and bid, also by signatures that ADMIN brings."""
        auction, now = self.contract(dutch.DutchAuction), self.chain.head().timestamp
        lots = Lots(B, COMMUNITY, 0, True, 1, 4, FIRST + 7, (150, 0, 200))
        self.sender.send(HOMES[1], auction.create(DutchTerms(lots, 120_000, 80_000, now + 10, now + 610)))
        self.chain.set_time(now + 20)
        self.sender.send(HOMES[0], auction.take(1, A, 1, 120_000))
        for account, key in ((C, DEVICE), (D, LIMITED)):
            take = DutchTake(1, account, 1, 120_000, 0, FOREVER)
            signature = sign(key.secret, take.digest(auction.domain))
            self.sender.send(ADMIN, auction.take_signed(take, signature))
        self.sender.send(HOMES[1], auction.close(1))
        bids, now = self.contract(sealed.SealedAuction), self.chain.head().timestamp
        terms = SealedTerms(replace(lots, slot=FIRST + 9), False, 50_000, 1_000, now + 600, now + 1200)
        self.sender.send(HOMES[1], bids.create(terms))
        for account, key in ((A, HOMES[0]), (C, HOMES[2])):
            commitment = SealedBid(1, account, 90_000, 1, bytes(32)).commitment(bids.domain)
            if account == A:
                self.sender.send(key, bids.commit(1, A, commitment))
            else:
                digest = commit_digest(bids.domain, 1, account, commitment, FOREVER)
                signed = bids.commit_signed(1, account, commitment, FOREVER, sign(key.secret, digest))
                self.sender.send(ADMIN, signed)

    def _choose_packages(self) -> None:
        contract = self.contract(packages.PricePackages)
        offer = PackageTerms(
            COMMUNITY, 0, False, False, (Band(24, 100_000),), 150, 9, DAY, DAY, 5_000_000, 1, 0, bytes(32)
        )
        self.sender.send(ADMIN, contract.publish(offer))
        self.sender.send(HOMES[0], contract.subscribe(A, 1, DAY))
        for account in (B, WALLET):
            choice = PackageChoice(account, 0, False, 1, DAY, FOREVER)
            signature = b"yes" if account == WALLET else sign(HOMES[1].secret, choice.digest(contract.domain))
            self.sender.send(ADMIN, contract.choose_signed(choice, signature))
        choice = PackageChoice(C, 0, False, 1, DAY, FOREVER)
        signed = contract.choose_signed(choice, sign(HOMES[2].secret, choice.digest(contract.domain)))
        self.sender.send(ADMIN, self.through(signed))

    def _contract(self) -> None:
        contract = self.contract(bilateral.BilateralContracts)
        terms = BilateralTerms(
            COMMUNITY, 0, B, A, 1, DAY, DAY, False, 95_000, 0, (100,) * 24, 1, 1_000, FOREVER, 7
        )
        digest = terms.digest(contract.domain)
        signatures = [sign(KEYS[account].secret, digest) for account in (B, A)]
        self.sender.send(ADMIN, contract.conclude(terms, *signatures))
        proposed = replace(terms, salt=8)
        self.sender.send(HOMES[1], contract.propose(proposed, B))
        self.sender.send(HOMES[0], contract.accept(proposed, A))
        self.sender.send(HOMES[0], contract.terminate_early(2, A))

    def _match(self) -> None:
        """D's limited key buys from C's, in a batch beside a pair that fails."""
        market = self.contract(continuous.ContinuousMarket)

        def signed(account: int, key: Key, price: int, quantity: int) -> continuous.SignedLimit:
            terms = price, quantity, 1, 0 if account == D else 1, account == D, 1, FOREVER
            limit = Limit(account, COMMUNITY, 0, FIRST + 15, *terms, "0x" + "0" * 40)
            return continuous.SignedLimit(limit, sign(key.secret, limit.digest(market.domain)), 0, 0, b"")

        buy, sell = signed(D, LIMITED, 100_000, 400), signed(C, DEVICE, 90_000, 400)
        forged = signed(D, HOMES[0], 110_000, 100)
        fills = [continuous.Fill(0, 1, 100), continuous.Fill(2, 1, 100)]
        self.sender.send(ADMIN, market.match_batch([buy, sell, forged], fills))
        self.sender.send(ADMIN, market.match_orders(buy, sell, 50))
        self.sender.send(LIMITED, market.cancel(D, 1))

    def _order_through_the_forwarder(self) -> None:
        """A profile of A and a nomination come hidden; shown again, the profile is skipped for its nonce."""
        auction, schedules = self.auction, self.contract(bindings.Schedules)
        steps = tuple(Part(FIRST + hour, 100_000, 500, 0, True) for hour in range(3))
        profile = ProfileOrder(A, COMMUNITY, 0, 0, False, 3, FOREVER, steps)
        wire = profile.wire(sign(HOMES[0].secret, profile_digest(auction.domain, profile)))
        relay = auction.relay_profiles(COMMUNITY, 0, 0, wire)
        self.sender.send(ADMIN, self.through(relay))
        self.sender.send(ADMIN, relay)
        nomination = Nomination(A, COMMUNITY, 0, FIRST, 1, (500,))
        signature = sign(HOMES[0].secret, nomination_digest(schedules.domain, nomination))
        batch = schedules.nominate_batch(COMMUNITY, 0, DAY, nomination.wire(signature))
        self.sender.send(ADMIN, self.through(batch))


@pytest.fixture(scope="module")
def agreed() -> Agreed:
    day = AgreeingDay.start()
    assert isinstance(day, AgreeingDay)
    day.agree()
    blocks = day.chain.blocks(0, day.chain.head().number)
    return Agreed(day, list(steps_of(blocks, day.deployment.addresses)))


def test_everybody_agreed_and_what_only_the_contracts_saw_is_counted(agreed: Agreed) -> None:
    replay = agreed.walk(agreed.steps)
    assert replay.findings == []
    assert (replay.counts[WALLETS], replay.counts[HIDDEN]) == (1, 6)
    skipped = [event for step in agreed.steps for event in step.events if isinstance(event, e.OrderSkipped)]
    assert len(skipped) == 1
    assert len(agreed.day.books) == 0
    assert replay.state.count(Market(COMMUNITY, 0, FIRST, 0)) == 1
    for account in (A, B, C, D, WALLET):
        assert agreed.day.accounts.free_of(account) == replay.state.ledger.free[account]
    last = AuditReport((), replay.counts).as_lines()[-1]
    assert last.endswith("1 signatures of wallets, 6 events of calls through other contracts.")


@pytest.mark.parametrize(
    ("function", "argument"),
    [
        ("takeSigned", "signature"),
        ("commitSigned", "signature"),
        ("chooseSigned", "signature"),
        ("conclude", "seller_signature"),
        ("conclude", "buyer_signature"),
    ],
)
def test_a_signature_of_somebody_else_is_found(agreed: Agreed, function: str, argument: str) -> None:
    def forge(step: Step) -> Step:
        return replace(step, arguments={**step.arguments, argument: sign(ADMIN.secret, bytes(32))})

    found = agreed.wrong(function, forge)
    assert found
    assert all("which may not act for it" in why for why in found)


@pytest.mark.parametrize("function", ["matchOrders", "matchBatch"])
def test_a_limit_that_its_account_did_not_sign_is_found(agreed: Agreed, function: str) -> None:
    def forge(step: Step) -> Step:
        arguments = dict(step.arguments)
        if function == "matchOrders":
            limit, _, *rest = arguments["buy"]
            arguments["buy"] = (limit, sign(ADMIN.secret, bytes(32)), *rest)
        else:
            (limit, _, *rest), *others = arguments["limits"]
            arguments["limits"] = [(limit, sign(ADMIN.secret, bytes(32)), *rest), *others]
        return replace(step, arguments=arguments)

    [why] = agreed.wrong(function, forge)
    assert why.startswith(f"binds account {D} by a signature of ")


@pytest.mark.parametrize(
    "function",
    [
        "take",
        "create",
        "close",
        "commit",
        "subscribe",
        "publish",
        "propose",
        "accept",
        "terminateEarly",
        "cancel",
    ],
)
def test_a_call_by_somebody_else_is_found(agreed: Agreed, function: str) -> None:
    stranger = Key(bytes([77]) * 32).raw_address

    def by_stranger(step: Step) -> Step:
        return replace(step, transaction=replace(step.transaction, sender=stranger))

    found = agreed.wrong(function, by_stranger)
    assert found
    assert all("which may not act for it" in why for why in found)


@pytest.mark.parametrize(
    "limits",
    [{"most_wh": 100}, {"price_max": 99_000}, {"expires_at": 1}],
    ids=["more energy", "a higher price", "after its end"],
)
def test_a_key_that_acts_beyond_its_limits_is_found(agreed: Agreed, limits: dict[str, int]) -> None:
    def tighter(step: Step) -> Step:
        events = tuple(
            replace(event, **limits) if isinstance(event, e.DeviceKeyLimited) else event
            for event in step.events
        )
        return replace(step, events=events)

    found = agreed.wrong("setLimitedDeviceKey", tighter)
    assert any(f"binds account {D} by a signature of {LIMITED.address}" in text for text in found)


def test_a_report_that_other_reporters_signed_is_found(agreed: Agreed) -> None:
    def forge(step: Step) -> Step:
        kept = step.arguments["signatures"][:64]
        forged = kept + sign(ADMIN.secret, bytes(32))
        return replace(step, arguments={**step.arguments, "signatures": forged})

    [why] = agreed.wrong("reportTariff", forge)
    assert why.startswith(f"says that {REPORTERS[0].address}, {REPORTERS[1].address} signed; it was ")


def test_another_choice_than_the_signed_one_is_found(agreed: Agreed) -> None:
    def other(step: Step) -> Step:
        events = tuple(
            replace(event, package=event.package + 1) if isinstance(event, packages.Subscribed) else event
            for event in step.events
        )
        return replace(step, events=events)

    assert any("signed was PackageChoice" in why for why in agreed.wrong("chooseSigned", other))
