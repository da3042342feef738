"""A sealed bid is on the disk before anything of it is sent, and no crash or mistake costs the others."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from otaniemi.contracts.rules.sealed_auction import SealedBid
from otaniemi.contracts.rules.signing import Domain
from otaniemi.platform.kept import KeptFileError
from otaniemi.platform.kept_bids import BidFile, KeptBid, LostBidError

DOMAIN = Domain(31_337, "0x" + "11" * 20)
BID = SealedBid(3, 16, -90_000, 2, b"\x5a" * 32)
OTHER = SealedBid(3, 17, 80_000, 1, b"\x6b" * 32)


@pytest.fixture
def kept(tmp_path: Path) -> BidFile:
    return BidFile(tmp_path / "bids.jsonl")


def test_bids_come_back_in_order_and_only_those_of_the_contract(kept: BidFile) -> None:
    assert kept.bids(DOMAIN) == []
    kept.keep(DOMAIN, BID)
    kept.keep(Domain(1, DOMAIN.contract), OTHER)
    kept.keep(DOMAIN, OTHER)
    assert kept.bids(DOMAIN) == [BID, OTHER]
    assert kept.find(DOMAIN, 3, 16, BID.commitment(DOMAIN)) == BID


def test_a_commitment_of_a_lost_bid_is_named(kept: BidFile) -> None:
    kept.keep(DOMAIN, BID)
    with pytest.raises(LostBidError, match="account 16 committed a bid in sealed auction 3"):
        kept.find(DOMAIN, 3, 16, OTHER.commitment(DOMAIN))


def test_only_the_bidder_reads_the_file_and_nothing_prints_the_salt(kept: BidFile) -> None:
    kept.path.touch(0o644)
    kept.keep(DOMAIN, BID)
    assert stat.S_IMODE(kept.path.stat().st_mode) == 0o600
    assert "5a5a" not in repr(KeptBid.of(DOMAIN, BID))


def test_a_line_that_a_crash_cut_off_counts_for_nothing_and_the_next_bid_takes_its_place(
    kept: BidFile,
) -> None:
    kept.keep(DOMAIN, BID)
    whole = kept.path.read_bytes()
    kept.path.write_bytes(whole + whole[: len(whole) // 2])
    assert kept.bids(DOMAIN) == [BID]
    kept.keep(DOMAIN, OTHER)
    assert kept.bids(DOMAIN) == [BID, OTHER]


def test_a_whole_line_that_is_no_bid_is_named_without_what_it_holds(kept: BidFile) -> None:
    kept.keep(DOMAIN, BID)
    kept.path.write_text(kept.path.read_text().replace('"lots":2', '"lots":0'))
    with pytest.raises(KeptFileError, match=r"bids.jsonl line 1: lots: ") as error:
        kept.bids(DOMAIN)
    assert "5a5a" not in str(error.value)


def test_nothing_is_kept_unless_the_disk_has_it(kept: BidFile, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KeptFileError, match="cannot be written: No space left on device"):
        kept.keep(DOMAIN, BID)
