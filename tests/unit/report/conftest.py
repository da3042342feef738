"""A made-up run with every part that the report shows, for any number of homes, days and slot lengths."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import pytest

from otaniemi.platform.results import (
    BookOrder,
    FloatArray,
    HomeResult,
    IntArray,
    RunRecord,
    SampleBook,
    SessionResult,
    Temperature,
)

RecordMaker = Callable[..., RunRecord]


def make_record(homes: int = 12, days: int = 1, slot_seconds: int = 900, name: str = "home {}") -> RunRecord:
    """A run whose meters are the sums of its devices and whose trades are what neighbours can share."""
    random = np.random.default_rng(7)
    slots = days * 86_400 // slot_seconds
    hour = (np.arange(slots) + 0.5) * slot_seconds / 3600 % 24
    wh_of_kw = slot_seconds / 3.6
    profiles = [_devices(index, hour, random, wh_of_kw) for index in range(homes)]
    nets = np.array([sum(devices.values()) for devices, _, _ in profiles])
    shared = np.minimum(np.maximum(nets, 0).sum(axis=0), np.maximum(-nets, 0).sum(axis=0))
    imports = (
        120_000 + 90_000 * np.exp(-(((hour - 18.5) / 2.5) ** 2)) + 50_000 * np.exp(-(((hour - 8) / 1.5) ** 2))
    ).astype(int)
    feed_in = imports // 3 - 10_000
    middle = (imports - 20_000 + feed_in) // 2
    sessions = [
        SessionResult(
            number,
            title,
            [int(p + shift) if v else None for p, v in zip(middle, volume, strict=True)],
            volume,
        )
        for number, title, share, shift in (
            (0, "day-ahead call", 0.7, 0),
            (1, "second call", 0.2, 6_000),
            (2, "last call", 0.1, -9_000),
        )
        for volume in [[int(wh * share) for wh in shared]]
    ]
    records = [
        _home(index, name.format(index + 1), profile, net, shared, nets, random)
        for index, (profile, net) in enumerate(zip(profiles, nets, strict=True))
    ]
    start = datetime(2025, 6, 17)
    alone, market = (
        sum(getattr(h, f"cost_{kind}_nano") for h in records) / 1e9 for kind in ("alone", "market")
    )
    busiest = int(np.argmax(shared))
    summary = {
        "homes": homes,
        "slots": slots,
        "slot_seconds": slot_seconds,
        "seed": 7,
        "data_source": "synthetic",
        "forecast": "realistic",
        "orders": 988,
        "trades": 640,
        "traded_wh": int(shared.sum()),
        "v2h_sold_wh": sum(h.sold_wh.get("v2h", 0) for h in records),
        "cost_no_market_eur": alone,
        "cost_market_eur": market,
        "cost_community_optimum_eur": market - 0.05 * (alone - market),
        "cost_perfect_foresight_eur": market - 0.4 * (alone - market),
        "market_efficiency": 1 / 1.05,
        "imbalance_wh": 8_000,
        "bills": homes * days,
        "bills_sum_nano": 0,
        "escrow_surplus_nano": 0,
        "gas": {"total": 38_400_000, "per_order": 14_210.3, "per_home_day": 3_200_000},
        "transactions": 412,
        "wall_s": {"optimize": 14.2, "chain": 19.8, "settle": 4.1, "total": 41.3},
        "audit": {"ok": True, "leaves": 4_321},
    }
    return RunRecord(
        title="A day in the neighbourhood",
        data_source="synthetic",
        slot_starts=[
            (start + timedelta(seconds=i * slot_seconds)).isoformat() + "+02:00" for i in range(slots)
        ],
        slot_seconds=slot_seconds,
        import_micro=[int(p) for p in imports],
        feed_in_micro=[int(p) for p in feed_in],
        local_fee_micro=20_000,
        sessions=sessions,
        homes=records,
        book=_book(busiest, int(middle[busiest]), random),
        gas={
            "relay": 14_000_000,
            "clear": 2_100_000,
            "nominate": 9_000_000,
            "report": 6_000_000,
            "settle": 7_300_000,
        },
        blocks=731,
        head_hash="0x" + "ab" * 32,
        audit_lines=["988 orders in 288 markets: every hash chain matches", "288 clearings recomputed"],
        limits=["Evening: cars came home empty; 12.3 kWh of demand at 18:00-21:00 stayed with the retailer."],
        imbalance_split_wh={"market": 1_900, "forecast": 5_600, "control": 500},
        summary=summary,
        notes=["PV forecast: truth with an AR(1) error of 25 % a day ahead."],
    )


def _devices(
    index: int, hour: FloatArray, random: np.random.Generator, wh_of_kw: float
) -> tuple[dict[str, IntArray], FloatArray | None, FloatArray | None]:
    def wh(kw: FloatArray) -> IntArray:
        return np.rint(kw * wh_of_kw).astype(np.int64)

    load = (
        0.35
        + 0.9 * np.exp(-(((hour - 19) / 2) ** 2))
        + 0.4 * np.exp(-(((hour - 7.5) / 1) ** 2))
        + random.random(len(hour)) / 4
    )
    devices = {"load": wh(load)}
    if index % 3 != 2:
        devices["pv"] = -wh(
            np.maximum(0, (3 + index % 4) * np.sin((hour - 5) / 14 * np.pi)) * ((hour > 5) & (hour < 19))
        )
    battery = np.where((hour > 10) & (hour < 14), 1.2, 0) - np.where((hour > 18) & (hour < 22), 1.0, 0)
    car = np.where((hour > 1) & (hour < 5), 3.0, 0) - np.where((hour > 17.5) & (hour < 20.5), 2.5, 0)
    soc, car_soc = None, None
    if index % 2 == 0:
        devices["battery"] = wh(battery)
        soc = np.clip(0.3 + np.cumsum(battery) * wh_of_kw / 8000, 0, 1)
    if index % 4 == 1:
        devices["ev"] = wh(car)
        car_soc = np.where(
            (hour > 7) & (hour < 17), np.nan, np.clip(0.5 + np.cumsum(car) * wh_of_kw / 40_000, 0, 1)
        )
    if index % 5 == 0:
        devices["appliances"] = wh(np.where((hour > 12) & (hour < 14), 1.1, 0))
    return devices, soc, car_soc


def _home(
    index: int,
    name: str,
    profile: tuple[dict[str, IntArray], FloatArray | None, FloatArray | None],
    net: IntArray,
    shared: IntArray,
    nets: IntArray,
    random: np.random.Generator,
) -> HomeResult:
    devices, soc, car_soc = profile
    side = np.where(net > 0, np.maximum(nets, 0).sum(axis=0), np.maximum(-nets, 0).sum(axis=0))
    trade = (net * (shared / np.maximum(side, 1))).astype(np.int64)
    planned = net + random.integers(-120, 120, len(net))
    sold = int(np.maximum(-trade, 0).sum())
    saved = int(np.abs(trade).sum()) * 30_000 - (index == 7) * 900_000_000
    return HomeResult(
        name=name,
        account=index + 1,
        devices=list(devices),
        cost_alone_nano=int(net.sum()) * 140_000,
        cost_market_nano=int(net.sum()) * 140_000 - saved,
        planned_wh=planned,
        trade_wh=trade,
        schedule_wh=planned + (net - planned) // 2,
        meter_wh=net,
        sold_wh={"pv": sold} if "ev" not in devices else {"pv": sold // 2, "v2h": sold - sold // 2},
        device_wh=devices,
        battery_soc=soc,
        ev_soc=car_soc,
        bill_nano={
            "trade": 412_000_000,
            "retail": 1_300_000_000,
            "imbalance": 21_000_000,
            "grid_fee": 90_000_000,
            "platform_fee": 0,
        },
        temperatures=[Temperature("water_heater", np.full(len(net), 58.0), 50.0, 70.0)],
    )


def _book(slot: int, price: int, random: np.random.Generator) -> SampleBook:
    bids = [
        (True, price + int(d), int(q), "grid")
        for d, q in zip(random.integers(-20_000, 60_000, 14), random.integers(50, 900, 14), strict=True)
    ]
    offers = [
        (False, price + int(d), int(q), source)
        for d, q, source in zip(
            random.integers(-50_000, 30_000, 11),
            random.integers(50, 900, 11),
            ["pv", "battery", "v2h"] * 4,
            strict=False,
        )
    ]
    limits = sorted(p for _, p, _, _ in bids + offers)
    price = next(
        p
        for p in limits
        if sum(q for _, b, q, _ in bids if b > p) <= sum(q for _, o, q, _ in offers if o <= p)
    )
    volume = min(sum(q for _, p, q, _ in bids if p >= price), sum(q for _, p, q, _ in offers if p <= price))
    orders, left = [], {True: volume, False: volume}
    for buy, limit, quantity, source in sorted(bids, key=lambda o: -o[1]) + sorted(
        offers, key=lambda o: o[1]
    ):
        fill = min(quantity, left[buy])
        left[buy] -= fill
        orders.append(BookOrder(len(orders) + 1, buy, limit, quantity, fill, source))
    return SampleBook(slot, "day-ahead call", price, orders)


@pytest.fixture
def new_record() -> RecordMaker:
    """Makes a run: `new_record(homes=3, days=2, slot_seconds=3600, name="home {}")`."""
    return make_record


@pytest.fixture
def record() -> RunRecord:
    """Twelve homes, one day of quarter hours."""
    return make_record()
