"""Nominations, meter leaves and tariffs, byte by byte."""

from __future__ import annotations

from dataclasses import replace

import pytest

from otaniemi.contracts.rules.calendar import Rules
from otaniemi.contracts.rules.errors import FieldError
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.meters import METER_TREE, MeterLeaf, Quality, meter_proof, meter_report
from otaniemi.contracts.rules.schedules import (
    Nomination,
    Scheduled,
    batch_root,
    decode_entries,
    decode_nominations,
    schedules,
)
from otaniemi.contracts.rules.tariffs import Feed, SlotTariff, TariffReport, slot_tariffs, unpack_prices

SALT = b"\x5a" * 32


def test_a_nomination_is_packed_as_int32_per_slot() -> None:
    nomination = Nomination(account=1, community=9, product=0, slot=2, seq=3, wh=(-1, 500))
    assert nomination.entry().hex() == "0000000100000002000000030002ffffffff000001f4"
    assert nomination.leaf() == keccak(bytes.fromhex("00000000010000000200000003ffffffff000001f4"))


def test_nominations_survive_events_and_the_wire() -> None:
    first = Nomination(1, 9, 0, 2, 3, (-1, 500))
    second = Nomination(7, 9, 0, 4, 1, (0,))
    assert decode_entries(9, 0, first.entry() + second.entry()) == [first, second]
    signature = bytes(range(64))
    assert decode_nominations(9, 0, first.wire(signature)) == [(first, signature)]
    with pytest.raises(FieldError, match="length of nominations"):
        decode_entries(9, 0, first.entry()[:-1])


def test_the_highest_sequence_counts_and_the_first_among_equals() -> None:
    batches = [
        [Nomination(1, 9, 0, 10, 1, (100, 101, 102)), Nomination(2, 9, 0, 10, 1, (7,))],
        [Nomination(1, 9, 0, 11, 2, (201,))],
        [Nomination(1, 9, 0, 10, 1, (300, 301, 302)), Nomination(1, 9, 0, 11, 2, (999,))],
    ]
    assert schedules(batches) == {
        (1, 10): Scheduled(wh=100, seq=1, batch=0, leaf=0),
        (1, 11): Scheduled(wh=201, seq=2, batch=1, leaf=0),
        (1, 12): Scheduled(wh=102, seq=1, batch=0, leaf=0),
        (2, 10): Scheduled(wh=7, seq=1, batch=0, leaf=1),
    }


def test_a_batch_of_one_is_its_leaf() -> None:
    nomination = Nomination(1, 9, 0, 2, 3, (4,))
    assert batch_root([nomination]) == nomination.leaf()[:-2] + bytes(2)


def test_a_meter_leaf_hashes_its_fields_and_adds_up() -> None:
    leaf = MeterLeaf(account=1, import_wh=2, export_wh=3, quality=Quality.MEASURED, salt=SALT)
    node = leaf.node()
    assert node.hash == keccak(bytes.fromhex("0000000001000000020000000300") + SALT)
    assert node.sums == (2, 3)
    other = MeterLeaf(4, 50, 0, Quality.ESTIMATED, SALT)
    report = meter_report(9, 0, 77, [leaf, other])
    sums = bytes.fromhex("00000000000000020000000000000003")
    other_sums = bytes.fromhex("00000000000000320000000000000000")
    assert report.root == keccak(b"\x01" + node.hash + sums + other.node().hash + other_sums)
    assert (report.import_wh, report.export_wh, report.count) == (52, 3, 2)
    proof = meter_proof([leaf, other], 1)
    root = METER_TREE.root_by(other.node(), 1, 2, proof)
    assert root is not None
    assert root.hash == report.root


def test_meter_accounts_must_ascend() -> None:
    leaf = MeterLeaf(4, 0, 0, 0, SALT)
    for leaves in ([leaf, leaf], [leaf, replace(leaf, account=3)]):
        with pytest.raises(FieldError, match="strictly ascending"):
            meter_report(9, 0, 77, leaves)


def test_an_estimate_never_exports() -> None:
    with pytest.raises(FieldError, match="export_wh of an estimate"):
        MeterLeaf(4, 0, 1, Quality.ESTIMATED, SALT)


def test_tariffs_are_two_int32_a_slot() -> None:
    report = TariffReport(9, Feed.IMBALANCE, 19_000, ((1, -2), (3, 4)))
    assert report.packed_prices().hex() == "00000001fffffffe0000000300000004"
    assert unpack_prices(report.packed_prices()) == report.prices
    assert report.hash() == keccak(report.packed_prices())


def test_tariffs_that_the_oracle_would_refuse_are_refused(rules: Rules) -> None:
    good = TariffReport(9, Feed.RETAIL, 19_000, ((250_000, 60_000),) * 96)
    good.check(rules)
    for prices in (good.prices[1:], ((2_000_001, 0), *good.prices[1:]), ((10, 11), *good.prices[1:])):
        with pytest.raises(FieldError):
            replace(good, prices=prices).check(rules)
    replace(good, feed=Feed.IMBALANCE, prices=((10, 11),) * 96).check(rules)


def test_imbalance_prices_are_bounded_by_retail_prices() -> None:
    retail = [(250, 60), (250, 60), (-10, -20)]
    imbalance = [(300, 20), (100, 400), (-30, -5)]
    assert slot_tariffs(retail, imbalance) == [
        SlotTariff(250, 60, 300, 20),
        SlotTariff(250, 60, 250, 60),
        SlotTariff(-10, -20, -10, -20),
    ]
    with pytest.raises(FieldError, match="imbalance feed"):
        slot_tariffs(retail, imbalance[:2])
