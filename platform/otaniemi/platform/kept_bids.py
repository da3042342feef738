"""Sealed bids as their bidder keeps them: who loses the salt of a committed bid loses its deposit.

A bid is on the disk before anything of it is sent, and stays there. Only its bidder can read the file.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Annotated

from pydantic import Field

from otaniemi.contracts.rules.sealed_auction import SealedBid
from otaniemi.contracts.rules.signing import Domain, address_bytes
from otaniemi.platform.api.form import I32, U32, U64, Address, Form, Hash, from_hex, to_hex
from otaniemi.platform.errors import OtaniemiError
from otaniemi.platform.kept import KeptFileError, parse

OWNER_ONLY = 0o600


class LostBidError(OtaniemiError):
    """A bid stands on the chain whose salt is not kept here."""


class KeptBid(Form):
    """A sealed bid for an auction of ``contract`` on ``chain_id``; its salt is not shown."""

    chain_id: Annotated[int, Field(ge=0)]
    contract: Address
    auction: U64
    account: U32
    price: I32
    lots: Annotated[int, Field(ge=1, le=2**16 - 1)]
    salt: Annotated[Hash, Field(repr=False)]

    @classmethod
    def of(cls, domain: Domain, bid: SealedBid) -> KeptBid:
        """The form of a bid in ``domain``, that of ``SealedAuction``."""
        return cls(
            chain_id=domain.chain_id,
            contract=domain.contract,
            auction=bid.auction,
            account=bid.account,
            price=bid.price,
            lots=bid.lots,
            salt=to_hex(bid.salt),
        )

    def bid(self) -> SealedBid:
        """The bid as the rules take it."""
        return SealedBid(self.auction, self.account, self.price, self.lots, from_hex(self.salt))

    def is_in(self, domain: Domain) -> bool:
        """Whether it is a bid of this chain and contract."""
        return (self.chain_id, address_bytes(self.contract)) == (
            domain.chain_id,
            address_bytes(domain.contract),
        )


class BidFile:
    """A file of sealed bids, one line of JSON each, that only grows.

    Parameters
    ----------
    path : Path
        Created when the first bid is kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def bids(self, domain: Domain) -> list[SealedBid]:
        """The bids in ``domain``, that of ``SealedAuction``, in the order in which they were kept.

        A line that does not end was cut off before anything of its bid was sent, and counts for nothing.

        Raises
        ------
        KeptFileError
            The file cannot be read, or a whole line is no bid.
        """
        try:
            text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        except (OSError, UnicodeDecodeError) as error:
            raise KeptFileError(f"{self.path} cannot be read: {error}") from error
        whole = text[: text.rfind("\n") + 1]
        found = []
        for number, line in enumerate(whole.splitlines(), 1):
            kept = parse(KeptBid, self.path, number, line)
            if kept.is_in(domain):
                found.append(kept.bid())
        return found

    def keep(self, domain: Domain, bid: SealedBid) -> None:
        """Add a bid; when this returns it outlives a power failure.

        Raises
        ------
        KeptFileError
            The file cannot be written; then nothing of the bid must be sent.
        """
        line = KeptBid.of(domain, bid).model_dump_json() + "\n"
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT, OWNER_ONLY)
            try:
                # Another process may keep a bid at the same time.
                fcntl.flock(file, fcntl.LOCK_EX)
                os.fchmod(file, OWNER_ONLY)
                _append(file, line.encode())
            finally:
                os.close(file)
            _sync_directory(self.path.absolute().parent)
        except OSError as error:
            raise KeptFileError(f"{self.path} cannot be written: {error.strerror}") from error

    def find(self, domain: Domain, auction: int, account: int, commitment: bytes) -> SealedBid:
        """The bid of ``account`` behind a commitment.

        Raises
        ------
        LostBidError
            It is not kept here.
        """
        for bid in self.bids(domain):
            if (bid.auction, bid.account) == (auction, account) and bid.commitment(domain) == commitment:
                return bid
        raise LostBidError(
            f"account {account} committed a bid in sealed auction {auction} that {self.path} does not hold; "
            "reveal it with the file in which it was kept, or its deposit is lost"
        )


def _append(file: int, line: bytes) -> None:
    """Write a line after the last whole one, and wait for the disk."""
    size = os.fstat(file).st_size
    end = os.pread(file, size, 0).rfind(b"\n") + 1
    os.ftruncate(file, end)
    written = 0
    while written < len(line):
        written += os.pwrite(file, line[written:], end + written)
    os.fsync(file)


def _sync_directory(path: Path) -> None:
    """Wait until the disk has the file's name too."""
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
