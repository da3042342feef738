"""Putting the contracts on a chain (protocol section 9), and the file that says where they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from otaniemi.contracts.chain.artifacts import artifact
from otaniemi.contracts.chain.bindings import AccessManager, Accounts, Communities, Oracle, Positions
from otaniemi.contracts.chain.blocks import contract_address
from otaniemi.contracts.chain.errors import DeploymentError
from otaniemi.contracts.chain.sender import Call, Key, Sender
from otaniemi.contracts.rules.calendar import Rules
from otaniemi.contracts.rules.errors import RulesError
from otaniemi.contracts.rules.signing import address_bytes, checksum

REGISTRAR_ROLE, GUARDIAN_ROLE, REGULATOR_ROLE, ARBITER_ROLE = 1, 2, 3, 4
MARKET_MODULE, SETTLEMENT_MODULE = 1, 2

ADMIN, DELAY = "admin", "withdrawal_delay"

CONTRACTS: Mapping[str, tuple[str, ...]] = {
    "TestEuro": (),
    "AccessManager": (ADMIN,),
    "Accounts": ("AccessManager", "TestEuro", DELAY),
    "Communities": ("AccessManager", "Accounts"),
    "Positions": ("AccessManager", "Accounts", "Communities"),
    "CallAuction": ("Accounts", "Communities", "Positions"),
    "Schedules": ("Accounts", "Communities"),
    "Oracle": ("AccessManager", "Accounts", "Communities"),
    "PricePackages": ("Accounts", "Communities"),
    "Settlement": (
        "Accounts",
        "Communities",
        "CallAuction",
        "Schedules",
        "Oracle",
        "Positions",
        "PricePackages",
    ),
    "BlockSeries": ("AccessManager", "Accounts", "Communities", "Positions", "Oracle"),
    "ContinuousMarket": ("Accounts", "Communities", "Positions", "BlockSeries"),
    "BilateralContracts": ("Accounts", "Communities", "Positions", "Oracle"),
    "SealedAuction": ("Accounts", "Communities", "Positions"),
    "DutchAuction": ("Accounts", "Communities", "Positions"),
}
"""Every contract in order of creation, with its constructor's arguments."""

CREATED_BY: Mapping[str, str] = {"Court": "Settlement"}
"""Contracts that another one creates, as its first."""

NAMES = (*CONTRACTS, *CREATED_BY)
"""Everything that a deployment names."""

MODULES: Mapping[str, int] = {
    "CallAuction": MARKET_MODULE,
    "Oracle": MARKET_MODULE,
    "Positions": MARKET_MODULE,
    "BlockSeries": MARKET_MODULE,
    "ContinuousMarket": MARKET_MODULE,
    "BilateralContracts": MARKET_MODULE,
    "SealedAuction": MARKET_MODULE,
    "DutchAuction": MARKET_MODULE,
    "Settlement": SETTLEMENT_MODULE,
    "Court": SETTLEMENT_MODULE,
}
"""Contracts with power over money, and which."""


class Parties(NamedTuple):
    """Owners of the accounts of a community's companies."""

    retailer: str
    grid_operator: str
    platform: str


@dataclass(frozen=True)
class Deployment:
    """Where a community lives: everything that a reader of the chain must be told.

    Attributes
    ----------
    chain_id : int
    head : bytes
        Hash of the newest block that belongs to the record, zero while the chain goes on.
    addresses : mapping
        Contract name, as in ``NAMES``, to checksummed address.
    community : int
    rules : Rules
        Those of the community's first version.
    """

    chain_id: int
    head: bytes
    addresses: Mapping[str, str]
    community: int
    rules: Rules

    def to_json(self) -> dict[str, Any]:
        """The deployment as ``deployment.json`` holds it."""
        return {
            "chain_id": self.chain_id,
            "head": "0x" + self.head.hex(),
            "addresses": dict(self.addresses),
            "community": self.community,
            "rules": self.rules.to_dict(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Deployment:
        """The deployment that ``to_json`` wrote.

        Raises
        ------
        DeploymentError
            A field is missing, unknown or not what it should be.
        """
        fields = {"chain_id", "head", "addresses", "community", "rules"}
        if set(data) != fields:
            wrong = ", ".join(sorted(fields ^ set(data)))
            raise DeploymentError(
                f"{wrong}: missing or unknown; a deployment has {', '.join(sorted(fields))}"
            )
        addresses = data["addresses"]
        if not isinstance(addresses, dict) or set(addresses) != set(NAMES):
            raise DeploymentError(f"addresses: must name exactly {', '.join(NAMES)}")
        try:
            deployment = cls(
                chain_id=int(data["chain_id"]),
                head=bytes.fromhex(data["head"].removeprefix("0x")),
                addresses={name: checksum(address_bytes(addresses[name])) for name in NAMES},
                community=int(data["community"]),
                rules=Rules.from_dict(data["rules"]),
            )
        except (RulesError, TypeError, ValueError, AttributeError) as error:
            raise DeploymentError(f"not a deployment: {error}") from error
        if len(deployment.head) != 32:
            raise DeploymentError(f"head: has {len(deployment.head)} bytes; a block hash has 32")
        return deployment

    @classmethod
    def read(cls, path: Path) -> Deployment:
        """The deployment in a file.

        Raises
        ------
        DeploymentError
            The file cannot be read or holds no deployment.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise DeploymentError(f"{path}: cannot be read ({error.strerror})") from error
        except ValueError as error:
            raise DeploymentError(f"{path}: is not JSON ({error})") from error
        if not isinstance(data, dict):
            raise DeploymentError(f"{path}: is not a JSON object")
        try:
            return cls.from_json(data)
        except DeploymentError as error:
            raise DeploymentError(f"{path}: {error}") from error


def deploy(
    sender: Sender, admin: Key, registrar: Key, parties: Parties, rules: Rules, withdrawal_delay: int
) -> Deployment:
    """Create all contracts and one community with ``rules``, and return where they are.

    The admin is guardian, regulator and arbiter too. The accounts of the parties are opened first and take the place of
    those in ``rules``. ``withdrawal_delay`` is in seconds.
    """
    addresses = create_contracts(sender, admin, withdrawal_delay)
    grants = _grants(sender, addresses, registrar.address, admin.address)
    sender.send_all([(admin, call) for call in grants])
    community, actual = create_community(sender, admin, registrar, addresses, parties, rules)
    return Deployment(sender.chain.chain_id, bytes(32), addresses, community, actual)


def create_contracts(sender: Sender, admin: Key, withdrawal_delay: int) -> dict[str, str]:
    """Create every contract and return name to address."""
    first = sender.next_nonce(admin)
    addresses = {
        name: checksum(contract_address(admin.raw_address, first + position))
        for position, name in enumerate(CONTRACTS)
    }
    for name, creator in CREATED_BY.items():
        addresses[name] = first_creation(addresses[creator])
    values = {**addresses, ADMIN: admin.address, DELAY: withdrawal_delay}
    sender.send_all([(admin, Call(None, creation_data(name, values), "deploy")) for name in CONTRACTS])
    return addresses


def creation_data(name: str, values: Mapping[str, Any]) -> bytes:
    """What a transaction that creates contract ``name`` carries: code and constructor arguments."""
    compiled = artifact(name)
    return compiled.creation_code + compiled.abi.construct(*(values[key] for key in CONTRACTS[name]))


def first_creation(creator: str) -> str:
    """Address of the first contract that the contract at ``creator`` created."""
    return checksum(contract_address(address_bytes(creator), 1))


def create_community(
    sender: Sender,
    admin: Key,
    registrar: Key,
    addresses: Mapping[str, str],
    parties: Parties,
    rules: Rules,
) -> tuple[int, Rules]:
    """Open the parties' accounts and the community; return its number and its rules."""
    accounts = Accounts(sender.chain, addresses["Accounts"])
    communities = Communities(sender.chain, addresses["Communities"])
    community, first = communities.community_count() + 1, accounts.account_count() + 1
    sender.send_all([(registrar, accounts.register(owner, community)) for owner in parties])
    actual = replace(rules, retailer=first, grid_operator=first + 1, platform=first + 2)
    sender.send(admin, communities.create(actual))
    return community, actual


def _grants(sender: Sender, addresses: Mapping[str, str], registrar: str, admin: str) -> list[Call]:
    manager = AccessManager(sender.chain, addresses["AccessManager"])
    accounts = Accounts(sender.chain, addresses["Accounts"])
    communities = Communities(sender.chain, addresses["Communities"])
    positions = Positions(sender.chain, addresses["Positions"])
    oracle = Oracle(sender.chain, addresses["Oracle"])
    return [
        manager.label_role(REGISTRAR_ROLE, "REGISTRAR"),
        manager.set_target_function_role(accounts, ("register", "approveMeter"), REGISTRAR_ROLE),
        manager.grant_role(REGISTRAR_ROLE, registrar),
        manager.label_role(GUARDIAN_ROLE, "GUARDIAN"),
        manager.set_target_function_role(communities, ("closeDay",), GUARDIAN_ROLE),
        manager.grant_role(GUARDIAN_ROLE, admin),
        manager.label_role(REGULATOR_ROLE, "REGULATOR"),
        manager.set_target_function_role(positions, ("curtail",), REGULATOR_ROLE),
        manager.grant_role(REGULATOR_ROLE, admin),
        manager.label_role(ARBITER_ROLE, "ARBITER"),
        manager.set_target_function_role(oracle, ("decide", "decideQuarantine"), ARBITER_ROLE),
        manager.grant_role(ARBITER_ROLE, admin),
        *[accounts.grant_module(addresses[name], role) for name, role in MODULES.items()],
    ]
