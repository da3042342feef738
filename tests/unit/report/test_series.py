from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from otaniemi.platform.report.series import (
    book_curve,
    community_flow,
    ct_per_kwh,
    eur,
    gains,
    local_band,
    most_active,
    slot_edges,
    traded_price,
)
from otaniemi.platform.results import BookOrder, RunRecord, SessionResult


def test_supply_equals_use_in_every_slot(record: RunRecord) -> None:
    flow = community_flow(record)
    np.testing.assert_allclose(sum(flow.supply_kw.values()), sum(flow.use_kw.values()), atol=1e-9)
    assert set(flow.supply_kw) == {"pv", "battery", "ev", "grid"}
    assert set(flow.use_kw) == {"load", "appliances", "battery", "ev", "grid"}


def test_power_is_the_mean_of_the_slot_and_neighbours_cancel_at_the_grid(record: RunRecord) -> None:
    wh = np.array([500, 250])
    seller = replace(record.homes[0], device_wh={"pv": -wh}, meter_wh=-wh)
    buyer = replace(record.homes[1], device_wh={"load": 2 * wh}, meter_wh=2 * wh)
    session = SessionResult(0, "day-ahead call", [100_000, 100_000], [500, 250])
    flow = community_flow(
        replace(record, homes=[seller, buyer], slot_starts=record.slot_starts[:2], sessions=[session])
    )
    assert flow.supply_kw["pv"].tolist() == [2.0, 1.0]  # 500 Wh in a quarter of an hour
    assert flow.supply_kw["grid"].tolist() == [2.0, 1.0]
    assert flow.use_kw["load"].tolist() == [4.0, 2.0]
    assert flow.use_kw["grid"].tolist() == [0.0, 0.0]
    assert flow.traded_kw.tolist() == [2.0, 1.0]


def test_a_storage_that_charges_while_another_discharges_shows_on_both_sides(record: RunRecord) -> None:
    wh = np.full(len(record.slot_starts), 250)
    charging = replace(record.homes[0], device_wh={"battery": wh}, meter_wh=wh)
    discharging = replace(record.homes[1], device_wh={"battery": -wh}, meter_wh=-wh)
    flow = community_flow(replace(record, homes=[charging, discharging]))
    assert set(flow.supply_kw["battery"]) == set(flow.use_kw["battery"]) == {1.0}
    assert not flow.supply_kw["grid"].any()


def test_gains_come_largest_first(record: RunRecord) -> None:
    costs = [(3_000_000_000, 2_500_000_000), (1_000_000_000, 1_200_000_000), (2_000_000_000, 1_000_000_000)]
    homes = [
        replace(home, cost_alone_nano=alone, cost_market_nano=market)
        for home, (alone, market) in zip(record.homes, costs, strict=False)
    ]
    every = gains(replace(record, homes=homes))
    assert [round(gain.gain_eur, 9) for gain in every] == [1.0, 0.5, -0.2]
    assert [gain.home.account for gain in every] == [3, 1, 2]


def test_activity_counts_bought_and_sold_energy(record: RunRecord) -> None:
    slots = len(record.slot_starts)
    trades = [np.full(slots, 5), np.tile([9, -9], slots // 2), np.full(slots, -9)]
    homes = [replace(home, trade_wh=trade) for home, trade in zip(record.homes, trades, strict=False)]
    assert [home.account for home in most_active(homes)] == [2, 3, 1]


def test_a_book_becomes_staircases_best_limit_first() -> None:
    orders = [
        BookOrder(1, True, 100_000, 500, 500, "grid"),
        BookOrder(2, False, 80_000, 300, 300, "pv"),
        BookOrder(3, True, 120_000, 200, 200, "grid"),
        BookOrder(4, False, 60_000, 400, 400, "v2h"),
    ]
    demand, supply = book_curve(orders, buy=True), book_curve(orders, buy=False)
    assert (demand.kwh, demand.ct) == ([0.0, 0.2, 0.2, 0.7], [12.0, 12.0, 10.0, 10.0])
    assert (supply.kwh, supply.ct) == ([0.0, 0.4, 0.4, 0.7], [6.0, 6.0, 8.0, 8.0])
    assert [order.account for order in supply.orders] == [4, 4, 2, 2]


def test_the_local_band_runs_from_feed_in_to_import_less_the_fee_and_never_turns_over(
    record: RunRecord,
) -> None:
    run = replace(
        record, import_micro=[200_000, 60_000], feed_in_micro=[50_000, 50_000], local_fee_micro=20_000
    )
    assert local_band(run) == ([5.0, 5.0], [18.0, 5.0])


def test_the_traded_price_weighs_sessions_by_volume(record: RunRecord) -> None:
    sessions = [
        SessionResult(0, "day-ahead call", [100_000, None], [300, 0]),
        SessionResult(2, "last call", [140_000, None], [100, 0]),
    ]
    assert traded_price(replace(record, sessions=sessions, slot_starts=record.slot_starts[:2])) == [
        11.0,
        None,
    ]


def test_edges_are_local_and_cover_the_last_slot(record: RunRecord) -> None:
    edges = slot_edges(record)
    assert (edges[0], edges[-1]) == ("2025-06-17T00:00:00", "2025-06-18T00:00:00")
    assert len(edges) == len(record.slot_starts) + 1


@pytest.mark.parametrize(("micro", "ct"), [(123_456, 12.3456), (-10_000, -1.0), (0, 0.0), (None, None)])
def test_micro_tokens_become_cents(micro: int | None, ct: float | None) -> None:
    assert ct_per_kwh(micro) == ct


def test_nano_tokens_become_euro() -> None:
    assert eur(1_500_000_000) == 1.5
