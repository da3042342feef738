"""From a plan to price-quantity steps: what a home buys and sells in a slot, and at which limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from otaniemi.optimizer.errors import HouseDataError
from otaniemi.optimizer.fields import series
from otaniemi.optimizer.house import House
from otaniemi.optimizer.schedule import Schedule
from otaniemi.optimizer.trading.home_model import CurvePoint, HomeModel
from otaniemi.optimizer.trading.shifting import Shifter
from otaniemi.optimizer.trading.sources import BATTERY, GRID, PV, V2H

_NO_LIMIT = (math.inf, math.inf, math.inf, math.inf)
_CODES = (PV, BATTERY, V2H, GRID)
_NOTHING_KWH = 1e-9


@dataclass(frozen=True)
class Offer:
    """One step: buy at most at the limit price, or sell at least at it.

    Attributes
    ----------
    slot : int
    side : "buy" or "sell"
    price_eur_per_kwh : float
        Limit of the local price; the buyer pays the local fee on top. [EUR/kWh]
    energy_kwh : float
        More than 0. [kWh]
    source : int
        0 grid (and every purchase), 1 PV, 2 battery, 3 vehicle.
    """

    slot: int
    side: str
    price_eur_per_kwh: float
    energy_kwh: float
    source: int


def offers(
    house: House,
    schedule: Schedule,
    local_price_eur_per_kwh: ArrayLike,
    local_fee_eur_per_kwh: float,
    price_low: ArrayLike | None = None,
    price_high: ArrayLike | None = None,
) -> list[Offer]:
    """Price-quantity steps of every slot around a home's plan at announced local prices.

    The home plans at the announced prices, varies the price of each slot alone, and offers the changes of its
    demand, clipped at the plan: it never buys or sells more than planned, of no source, in any slot. A thermal
    device may run otherwise in that slot and make up for it in others.

    Parameters
    ----------
    house : House
    schedule : Schedule
        Its starts are kept, and its levels but for those of one device at a time.
    local_price_eur_per_kwh : array, shape (slots,)
        Announced prices. [EUR/kWh]
    local_fee_eur_per_kwh : float
        Paid by the buyer for every local kWh. [EUR/kWh]
    price_low, price_high : array, shape (slots,), optional
        Range of limits; the feed-in price and the import price less the fee by default. [EUR/kWh]

    Returns
    -------
    list of Offer
        By slot; purchases from high limits to low, sales from low to high.

    Raises
    ------
    HouseDataError
        Arrays of wrong length, or a slot whose range is empty.
    """
    slots, tariff = house.slots, house.tariff
    price = series("local_price_eur_per_kwh", local_price_eur_per_kwh, slots)
    high = tariff.import_eur_per_kwh - local_fee_eur_per_kwh if price_high is None else price_high
    low = series("price_low", tariff.export_eur_per_kwh if price_low is None else price_low, slots)
    high = series("price_high", high, slots)
    empty = np.flatnonzero(low > high)
    if empty.size:
        slot = int(empty[0])
        raise HouseDataError(f"price_high is {high[slot]:g} in slot {slot}; at least {low[slot]:g} is needed")
    model = HomeModel(house, schedule.choices)
    model.set_local(price + local_fee_eur_per_kwh, price, *model.most_tradable())
    shifter = Shifter(model, house.tariff, house.slot_hours, house.thermal_loads, schedule.choices.levels)
    plan = model.solve()
    steps: list[Offer] = []
    for slot in range(slots):
        curve = model.curve(slot, float(low[slot]), float(high[slot]), shifter.alternatives(slot))
        most_bought = max(float(plan.net_kwh[slot]), 0.0)
        steps += steps_of_curve(slot, curve, float(high[slot]), most_bought, plan.surplus.at(slot))
    return steps


def steps_of_curve(
    slot: int,
    curve: Sequence[CurvePoint],
    price_high: float,
    most_bought_kwh: float = math.inf,
    most_sold_kwh: tuple[float, float, float, float] = _NO_LIMIT,
) -> list[Offer]:
    """Steps of one slot's curve, clipped at a plan.

    Parameters
    ----------
    slot : int
    curve : sequence of CurvePoint
        From `HomeModel.curve`.
    price_high : float
        End of the curve's range; what is still bought there is wanted at it. [EUR/kWh]
    most_bought_kwh : float
        Purchases beyond it are cut, those with low limits first. [kWh]
    most_sold_kwh : (pv, battery, v2h, grid)
        Sales of a source beyond it are cut, those with high limits first. [kWh]

    Returns
    -------
    list of Offer
        Purchases from high limits to low, then sales from low to high.
    """
    bought: list[Offer] = []
    covered = 0.0
    limits = [point.price_eur_per_kwh for point in curve[1:]] + [price_high]
    for point, limit in zip(reversed(curve), reversed(limits), strict=True):
        wanted = min(max(point.demand_kwh, 0.0), most_bought_kwh)
        if wanted - covered > _NOTHING_KWH:
            bought.append(Offer(slot, "buy", limit, wanted - covered, GRID))
            covered = wanted
    sold: list[Offer] = []
    given = [0.0, 0.0, 0.0, 0.0]
    for point in curve:
        step = max(-point.demand_kwh, 0.0) - sum(given)
        for k, code in enumerate(_CODES):
            energy = min(min(point.offered[k], most_sold_kwh[k]) - given[k], step)
            if energy > _NOTHING_KWH:
                sold.append(Offer(slot, "sell", point.price_eur_per_kwh, energy, code))
                given[k] += energy
                step -= energy
    return bought + sold
