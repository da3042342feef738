"""What the report and the picture draw, computed from a run's record.

Here integers become kW, kWh, EUR and ct/kWh, for the eye only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from otaniemi.platform.results import BookOrder, FloatArray, HomeResult, IntArray, RunRecord

STORAGES = ("battery", "ev")
CONSUMERS = ("load", "appliances", "thermal")


@dataclass(frozen=True)
class Flow:
    """The community's power balance, mean power of each slot.

    Attributes
    ----------
    supply_kw, use_kw : dict of array, shape (slots,)
        By device: "pv", "battery", "ev" and "grid" feed; "load", "appliances", "thermal", "battery", "ev" and "grid"
        take.
        All are non-negative; the two sums are equal in every slot where the devices explain the meters. [kW]
    traded_kw : array, shape (slots,)
        Energy bought from neighbours over all sessions. [kW]
    """

    supply_kw: dict[str, FloatArray]
    use_kw: dict[str, FloatArray]
    traded_kw: FloatArray


@dataclass(frozen=True)
class Gain:
    """One home's cost alone and with the market. [EUR]"""

    home: HomeResult
    alone_eur: float
    market_eur: float

    @property
    def gain_eur(self) -> float:
        """Saved by the market; negative when the home is worse off. [EUR]"""
        return self.alone_eur - self.market_eur


@dataclass(frozen=True)
class Curve:
    """One side of an order book as a staircase: cumulative quantity [kWh] and limit [ct/kWh] of each corner."""

    kwh: list[float]
    ct: list[float]
    orders: list[BookOrder]


def ct_per_kwh(micro: int | None) -> float | None:
    """Cents per kWh of a price in micro-token per kWh; None stays None."""
    return None if micro is None else micro / 1e4


def eur(nano: int) -> float:
    """Euro of an amount in nano-token."""
    return nano / 1e9


def community_flow(record: RunRecord) -> Flow:
    """Where the community's power came from and went, slot by slot.

    Storage is summed over the homes that charge and over those that discharge; the grid is the community's net
    exchange, so what neighbours pass to each other appears on neither side.
    """
    to_kw = 3.6 / record.slot_seconds
    slots = len(record.slot_starts)
    device = {
        name: np.array(
            [home.device_wh[name] for home in record.homes if name in home.device_wh], dtype=np.int64
        )
        for name in ("pv", *CONSUMERS, *STORAGES)
    }
    net = sum((home.meter_wh for home in record.homes), np.zeros(slots, dtype=np.int64))

    def power(signed_wh: IntArray) -> FloatArray:
        positive: IntArray = np.maximum(signed_wh, 0).reshape(-1, slots)
        return np.asarray(positive.sum(axis=0) * to_kw, dtype=np.float64)

    supply = (
        {"pv": power(-device["pv"])}
        | {name: power(-device[name]) for name in STORAGES}
        | {"grid": power(net)}
    )
    use = {name: power(device[name]) for name in (*CONSUMERS, *STORAGES)} | {"grid": power(-net)}
    traded = np.array([session.volume_wh for session in record.sessions], dtype=np.int64).reshape(-1, slots)
    return Flow(
        {name: kw for name, kw in supply.items() if name == "grid" or kw.any()},
        {name: kw for name, kw in use.items() if name in ("load", "grid") or kw.any()},
        traded.sum(axis=0) * to_kw,
    )


def gains(record: RunRecord) -> list[Gain]:
    """Every home's gain, the largest first; equal gains by account."""
    every = [Gain(home, eur(home.cost_alone_nano), eur(home.cost_market_nano)) for home in record.homes]
    return sorted(every, key=lambda gain: (-gain.gain_eur, gain.home.account))


def most_active(homes: Sequence[HomeResult]) -> list[HomeResult]:
    """The homes by traded energy, the most first; of equals, the lower account first."""
    return sorted(homes, key=lambda home: (-int(np.abs(home.trade_wh).sum()), home.account))


def book_curve(orders: Sequence[BookOrder], *, buy: bool) -> Curve:
    """Demand or supply as a staircase, the best limit first; orders of one price keep their order of arrival."""
    side = sorted((o for o in orders if o.buy == buy), key=lambda o: -o.price_micro if buy else o.price_micro)
    curve, total = Curve([], [], []), 0
    for order in side:
        for quantity in (total, total + order.quantity_wh):
            curve.kwh.append(quantity / 1e3)
            curve.ct.append(order.price_micro / 1e4)
            curve.orders.append(order)
        total += order.quantity_wh
    return curve


def local_band(record: RunRecord) -> tuple[list[float], list[float]]:
    """The prices at which a local trade serves both sides: feed-in, and import less the local fee. [ct/kWh]

    Where the fee eats the whole spread the band has no width.
    """
    low = [price / 1e4 for price in record.feed_in_micro]
    high = [
        max(i - record.local_fee_micro, f) / 1e4
        for i, f in zip(record.import_micro, record.feed_in_micro, strict=True)
    ]
    return low, high


def traded_price(record: RunRecord) -> list[float | None]:
    """Volume-weighted price of each slot over all sessions; None where nothing traded. [ct/kWh]"""
    prices: list[float | None] = []
    for slot in range(len(record.slot_starts)):
        deals = [(s.volume_wh[slot], s.price_micro[slot]) for s in record.sessions]
        volume = sum(wh for wh, price in deals if price is not None)
        money = sum(wh * price for wh, price in deals if price is not None)
        prices.append(money / volume / 1e4 if volume else None)
    return prices


def slot_edges(record: RunRecord) -> list[str]:
    """Local start of every slot and, last, the end of the last one, so that a staircase covers all of it."""
    starts = [datetime.fromisoformat(start).replace(tzinfo=None) for start in record.slot_starts]
    return [moment.isoformat() for moment in (*starts, starts[-1] + timedelta(seconds=record.slot_seconds))]
