"""A contract of 27 bytes for tests of the chain, and keys to call it with."""

from __future__ import annotations

from otaniemi.contracts.chain.node import DEVNET_KEY, Chain
from otaniemi.contracts.chain.sender import Call, Key, Sender

GENESIS = 1_700_000_000

# Emits its calldata under topic 7; reverts with it when the first byte is 0.
RUNTIME = bytes.fromhex("3660006000376000516000" + "1a601357366000fd5b6007366000a100")
CREATION = bytes.fromhex(f"60{len(RUNTIME):02x}8060093d393df3") + RUNTIME

FUNDER = Key(DEVNET_KEY)
KEYS = [Key(bytes([number]) * 32) for number in range(1, 6)]


def chain_with_echo(chain: Chain) -> tuple[Sender, bytes]:
    """Fund the keys, deploy the contract, and return a sender and the address."""
    sender = Sender(chain)
    sender.fund(FUNDER, [key.address for key in KEYS], 10**18)
    return sender, sender.create(FUNDER, CREATION, "deploy")


def echo(address: bytes, data: bytes, label: str = "echo") -> Call:
    return Call(address, data, label, gas=200_000)
