"""A chain as the services see it, and how to get one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from otaniemi.contracts.chain.blocks import Address, RawBlock, Receipt
from otaniemi.contracts.chain.errors import NodeNotFoundError

GAS_LIMIT = 60_000_000
"""Gas limit of a block on the chains that we start."""

DEVNET_CHAIN_ID = 31337

DEVNET_KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
"""The publicly known first key of every development node; it holds test ether only."""


class Chain(Protocol):
    """A chain whose clock is ours: each block gets the time that we name."""

    chain_id: int

    def set_time(self, timestamp: int) -> None:
        """Give the next block, and calls until then, Unix time ``timestamp``.

        Otherwise a block comes one second after its parent.

        Raises
        ------
        BlockTimeError
            The chain's head is as late or later.
        """

    def mine(self, transactions: Sequence[bytes]) -> list[Receipt]:
        """Put signed ``transactions`` on the chain in this order and return their receipts.

        One block, or as many as they fill; with no transactions an empty block.

        Raises
        ------
        TransactionRefusedError
            One of them cannot enter a block; which and why is in the message.
        """

    def call(self, to: Address, data: bytes, sender: Address = bytes(20)) -> bytes:
        """Return what a call would return on top of the head.

        Raises
        ------
        RevertedError
            It reverted; undecoded, ``data`` holds the revert data.
        """

    def nonce(self, address: Address) -> int:
        """How many transactions ``address`` has sent."""

    def balance(self, address: Address) -> int:
        """Ether of ``address``. [wei]"""

    def block(self, number: int) -> RawBlock:
        """Block ``number`` as bytes."""

    def blocks(self, first: int, last: int) -> list[RawBlock]:
        """Blocks ``first`` to ``last`` as bytes."""

    def head(self) -> RawBlock:
        """The newest block."""

    def close(self) -> None:
        """Let go of the node; one that we started stops."""


def open_chain(where: str, genesis_time: int) -> Chain:
    """Open the chain that ``where`` names.

    Parameters
    ----------
    where : str
        "embedded" (in this process), "anvil" (started here, stopped by ``close``) or the URL of a
        development node that lets us set block times.
    genesis_time : int
        Time of the first block on a chain that we start. [Unix s]

    Raises
    ------
    NodeNotFoundError
        anvil is not installed, or nothing answers at the URL.
    """
    # Each kind of node loads only what it needs: an EVM is slow to import.
    if where == "embedded":
        from otaniemi.contracts.chain.embedded import EmbeddedChain

        return EmbeddedChain(genesis_time)
    from otaniemi.contracts.chain.rpc import RpcChain

    if where == "anvil":
        from otaniemi.contracts.chain.anvil import AnvilProcess

        process = AnvilProcess.start(genesis_time)
        try:
            return RpcChain(process.url, on_close=process.stop)
        except BaseException:
            process.stop()
            raise
    if "://" not in where:
        raise NodeNotFoundError(f"{where!r} is no chain; valid are embedded, anvil, or the URL of a node")
    return RpcChain(where)
