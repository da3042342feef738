"""A community on a fresh chain: rules, contracts, companies and homes with keys, meters and test tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from otaniemi.contracts.chain import events
from otaniemi.contracts.chain.deploy import Deployment, Parties, deploy
from otaniemi.contracts.chain.node import DEVNET_KEY, Chain
from otaniemi.contracts.chain.sender import Key, Sender
from otaniemi.contracts.rules.calendar import Rules, Session
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.units import micro_of_eur, nano_of_micro
from otaniemi.oracles.reporters import sign_bond
from otaniemi.platform.clock import Clock
from otaniemi.platform.data.scenario import Scenario
from otaniemi.platform.keys import derive_key
from otaniemi.platform.services.contracts import Contracts
from otaniemi.platform.services.gateway import Gateway
from otaniemi.platform.store import members
from otaniemi.platform.store.database import Store

HOUR = 3600
SESSIONS = (
    Session(per_slot=False, relay_gate=-11 * HOUR, direct_gate=-10 * HOUR - 50 * 60),
    Session(per_slot=False, relay_gate=-10 * HOUR, direct_gate=-9 * HOUR - 50 * 60),
    Session(per_slot=True, relay_gate=-20 * 60, direct_gate=-15 * 60),
)
SESSION_NAMES = ("day-ahead call", "second call", "last call")

REPORTERS, QUORUM = 3, 2
ELECTRICITY_ONLY = 1
"""A bit per product."""
CONNECTION_KW = 43
"""Three phases of 63 A."""
PRICE_BAND = 4_000_000
CAP_STEP = 250_000
REPORTER_BOND_EUR = 100.0
DEVIATION_LIMIT = 500_000
WITHDRAWAL_DELAY = 3 * 24 * HOUR

HOME_DEPOSIT_EUR = 5_000.0
COMPANY_DEPOSIT_EUR = 1_000_000.0
WEI_FOR_GAS = 10**18
FOUNDING_LEAD = 4 * HOUR
"""How long before the first gate a community is founded."""


@dataclass(frozen=True)
class Staff:
    """The keys that run the services; each pays the gas of its own transactions."""

    admin: Key
    registrar: Key
    relayer: Key
    keeper: Key
    oracle: Key
    engine: Key
    parties: tuple[Key, Key, Key]
    reporters: tuple[Key, ...]

    @classmethod
    def of_seed(cls, seed: int) -> Staff:
        """A devnet's staff."""
        single = {
            role: derive_key(seed, role, 0)
            for role in ("admin", "registrar", "relayer", "keeper", "oracle", "engine")
        }
        parties = (
            derive_key(seed, "retailer", 0),
            derive_key(seed, "grid operator", 0),
            derive_key(seed, "platform", 0),
        )
        reporters = sorted(
            (derive_key(seed, "reporter", i) for i in range(REPORTERS)), key=lambda key: key.raw_address
        )
        return cls(**single, parties=parties, reporters=tuple(reporters))


@dataclass(frozen=True)
class Wallet:
    """A member's account and keys; the device key orders and nominates, the owner's withdraws."""

    account: int
    owner: Key
    device: Key


@dataclass(frozen=True)
class Founded:
    """A running community."""

    gateway: Gateway
    deployment: Deployment
    staff: Staff
    homes: tuple[Wallet, ...]


def founded_at(scenario: Scenario) -> int:
    """When a scenario's community is founded: before its first price report. [Unix s]"""
    earliest_gate = min(session.relay_gate for session in SESSIONS)
    return scenario.first_slot * scenario.slot_seconds + earliest_gate - FOUNDING_LEAD


def community_rules(scenario: Scenario, reporters: Sequence[Key]) -> Rules:
    """The default rules for a scenario; prices beyond its own are left room for."""
    prices = scenario.prices
    bought = prices.import_micro, prices.feed_in_micro, prices.short_micro, prices.long_micro
    arrays = *bought, prices.spot_micro
    highest = max(int(abs(array).max()) for array in arrays)
    return Rules(
        slot_seconds=scenario.slot_seconds,
        utc_offset=scenario.utc_offset_s,
        products=ELECTRICITY_ONLY,
        price_min=-PRICE_BAND,
        price_max=PRICE_BAND,
        grid_fee=scenario.local_fee_micro,
        platform_fee=0,
        short_cap=-(-highest // CAP_STEP) * CAP_STEP,
        connection_limit_wh=CONNECTION_KW * 1000 * scenario.slot_seconds // HOUR,
        retailer=0,
        grid_operator=0,
        platform=0,
        nomination_batch_lead=8 * 60,
        nomination_direct_lead=5 * 60,
        meter_window=2 * HOUR,
        bill_delay=6 * HOUR,
        bill_window=24 * HOUR,
        deviation_limit=DEVIATION_LIMIT,
        challenge_window=2 * HOUR,
        bond=nano_of_micro(micro_of_eur(100.0)),
        reporters=tuple(key.address for key in reporters),
        quorum=QUORUM,
        sessions=SESSIONS,
    )


def found(chain: Chain, scenario: Scenario, seed: int, store: Store, clock: Clock) -> Founded:
    """Deploy the contracts, open a community with the scenario's homes and give everyone test tokens."""
    staff = Staff.of_seed(seed)
    homes = scenario.homes
    owners = [derive_key(seed, "owner", index) for index in range(len(homes))]
    devices = [derive_key(seed, "device", index) for index in range(len(homes))]
    sender = Sender(chain)
    chain.set_time(clock.now)
    payers = [
        staff.admin,
        staff.registrar,
        staff.relayer,
        staff.keeper,
        staff.oracle,
        staff.engine,
        *staff.parties,
        *owners,
    ]
    sender.fund(Key(DEVNET_KEY), [key.address for key in payers], WEI_FOR_GAS)
    parties = Parties(*(key.address for key in staff.parties))
    rules = community_rules(scenario, staff.reporters)
    deployment = deploy(sender, staff.admin, staff.registrar, parties, rules, WITHDRAWAL_DELAY)
    contracts = Contracts(chain, deployment.addresses)
    gateway = Gateway(sender, contracts, deployment.rules, deployment.community, 0, store, clock)
    gateway.catch_up()
    actual = deployment.rules
    endow(gateway, staff, (actual.retailer, actual.grid_operator, actual.platform), COMPANY_DEPOSIT_EUR)
    names = [f"home {home.home}" for home in homes]
    put_up_bonds(gateway, staff, actual.platform)
    accounts = open_accounts(gateway, staff, [key.address for key in owners], names, HOME_DEPOSIT_EUR)
    wallets = [Wallet(*entry) for entry in zip(accounts, owners, devices, strict=True)]
    setting = gateway.contracts.accounts.set_device_key
    gateway.send([(wallet.owner, setting(wallet.account, wallet.device.address)) for wallet in wallets])
    return Founded(gateway, deployment, staff, tuple(wallets))


def employ_retailer(founded: Founded, address: str) -> None:
    """Let the key of ``address`` act for the retailer's account, and pay for its gas."""
    gateway, retailer = founded.gateway, founded.staff.parties[0]
    gateway.set_time()
    gateway.sender.fund(Key(DEVNET_KEY), [address], WEI_FOR_GAS)
    call = gateway.contracts.accounts.set_device_key(gateway.rules.retailer, address)
    gateway.send([(retailer, call)])


def put_up_bonds(gateway: Gateway, staff: Staff, account: int) -> None:
    """Let the platform's ``account`` vouch for every reporter, as each agrees."""
    oracle, owner = gateway.contracts.oracle, staff.parties[2]
    nano = nano_of_micro(micro_of_eur(REPORTER_BOND_EUR))
    consents = [sign_bond(key.secret, oracle.domain, account) for key in staff.reporters]
    gateway.send([(owner, oracle.deposit_bond(account, nano, consent)) for consent in consents])


def open_accounts(
    gateway: Gateway, staff: Staff, owners: Sequence[str], names: Sequence[str], deposit_eur: float
) -> list[int]:
    """Register ``owners`` with an approved meter and test tokens each; their accounts in the same order."""
    contract = gateway.contracts.accounts
    found_events = gateway.send(
        [(staff.registrar, contract.register(owner, gateway.community)) for owner in owners]
    )
    accounts = [event.account for event in found_events if isinstance(event, events.Registered)]
    meters = [keccak(b"meter" + account.to_bytes(4, "big")) for account in accounts]
    gateway.send(
        [
            (staff.registrar, contract.approve_meter(account, gateway.product, meter))
            for account, meter in zip(accounts, meters, strict=True)
        ]
    )
    endow(gateway, staff, accounts, deposit_eur)
    with gateway.store.begin() as transaction:
        for account, name in zip(accounts, names, strict=True):
            members.rename(transaction, account, name)
    return accounts


def endow(gateway: Gateway, staff: Staff, accounts: Sequence[int], eur: float) -> None:
    """Give each of ``accounts`` freshly minted test tokens of a devnet."""
    token, contract, micro = gateway.contracts.test_euro, gateway.contracts.accounts, micro_of_eur(eur)
    admin = staff.admin
    gateway.send(
        [
            (admin, token.mint(admin.address, micro * len(accounts))),
            (admin, token.approve(contract.address, micro * len(accounts))),
            *[(admin, contract.deposit(account, micro)) for account in accounts],
        ]
    )
