"""What a market is measured against: every home alone, and all homes planned as one.

Both plan with the forecasts that the market's homes have, re-plan before every slot, nominate what they plan and are
settled against the metered truth by the same rules; states of charge at the day's ends are the same in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from otaniemi.contracts.rules.units import NANO_PER_TOKEN, eur_per_kwh, offerable_wh, whs_of
from otaniemi.optimizer.program.home_program import State, appliance_load
from otaniemi.optimizer.trading.community import CommunityModel, CommunityPlan, community_optimum
from otaniemi.optimizer.trading.shifting import Shifter
from otaniemi.platform.agents.house import expected_house, loads_from, power, true_loads
from otaniemi.platform.agents.record import HomeRecord
from otaniemi.platform.agents.trading import DAY_AHEAD_S, NOMINATION_S, home_agents, nominate_and_deliver
from otaniemi.platform.data.scenario import IntArray, TradingDay
from otaniemi.platform.forecast import Forecaster, Kind, Perfect, known_at


@dataclass(frozen=True)
class Yardsticks:
    """Costs of one day. [nano-token]

    Attributes
    ----------
    alone_nano : tuple of int
        By home, without a market.
    optimum_nano : int
        All homes planned as one with the same forecasts; a proven bound when the forecast is perfect.
    perfect_nano : int
        Proven bound of the cost with a perfect forecast.
    gap_nano : int
        How far the best plan found lies above that bound; 0 without appliances and thermal devices.
    """

    alone_nano: tuple[int, ...]
    optimum_nano: int
    perfect_nano: int
    gap_nano: int


def yardsticks(day: TradingDay, forecaster: Forecaster, kind: Kind) -> Yardsticks:
    """Measure a day without its market."""
    best = plan_as_one(day, Perfect(day), day.slots)
    perfect = round(best.bound_eur * NANO_PER_TOKEN)
    return Yardsticks(
        alone_nano=tuple(record.cost_nano() for record in homes_alone(day, forecaster)),
        optimum_nano=perfect if kind == "perfect" else homes_as_one(day, forecaster),
        perfect_nano=perfect,
        gap_nano=round(best.gap_eur * NANO_PER_TOKEN),
    )


def homes_alone(day: TradingDay, forecaster: Forecaster) -> list[HomeRecord]:
    """The day of every home without a market."""
    agents = home_agents(day, forecaster, known_at(0, DAY_AHEAD_S, day.slot_seconds))
    for slot in range(day.slots):
        nominate_and_deliver(agents, slot)
    return [agent.record for agent in agents]


def plan_as_one(day: TradingDay, forecaster: Forecaster, known: int) -> CommunityPlan:
    """The cheapest plan of all homes together."""
    houses = [expected_house(day, home, forecaster, known) for home in range(len(day.homes))]
    return community_optimum(houses, eur_per_kwh(day.local_fee_micro))


def homes_as_one(day: TradingDay, forecaster: Forecaster) -> int:
    """Cost of the day when one planner moves energy between the homes at the local fee. [nano-token]

    Imbalance is every home's own, as in the market.
    """
    known = known_at(0, DAY_AHEAD_S, day.slot_seconds)
    homes = range(len(day.homes))
    choices = plan_as_one(day, forecaster, known).choices
    houses = [expected_house(day, home, forecaster, known) for home in homes]
    model = CommunityModel(houses, eur_per_kwh(day.local_fee_micro), choices)
    records = [
        HomeRecord(
            day,
            houses[home],
            whs_of(appliance_load(houses[home], choices[home].starts)),
            true_loads(day, home),
        )
        for home in homes
    ]
    shifters = [
        Shifter(model.home(home), house.tariff, day.slot_hours, house.thermal_loads, choices[home].levels)
        for home, house in enumerate(houses)
    ]
    for slot in range(day.slots):
        known = known_at(slot, NOMINATION_S, day.slot_seconds)
        load = np.array([forecaster.load_wh(home, known) for home in homes])
        pv = np.array([forecaster.pv_wh(home, known) for home in homes])
        model.set_forecast(power(load, day), power(pv, day))
        if slot:
            model.fix_past(slot, [_state(record, slot - 1) for record in records])
        for house, record, shifter in zip(houses, records, shifters, strict=True):
            if house.thermal:
                outdoor = forecaster.outdoor_c(known)
                shifter.see(loads_from(day, house.thermal, outdoor, record, known, slot), slot)
                shifter.improve(1)
        plan = model.solve()
        for home, wh in enumerate(_moved(plan, slot)):
            records[home].trade(slot, wh, 0)
            records[home].set_devices(
                slot, plan.flows[home], shifters[home].levels, int(load[home, slot]), int(pv[home, slot])
            )
            records[home].deliver(slot, int(day.load_wh[home, slot]), int(day.pv_wh[home, slot]))
    return sum(record.cost_nano() for record in records)


def unmatched_nano(day: TradingDay, records: Sequence[HomeRecord]) -> int:
    """What neighbours left on the table by importing and exporting in the same slot. [nano-token]

    The rest of what a market leaves compared with one plan is storage and appliances at other times.
    """
    residual = np.array([record.schedule_wh - record.trade_wh for record in records])
    both = np.minimum(np.maximum(residual, 0).sum(axis=0), np.maximum(-residual, 0).sum(axis=0))
    gain = day.prices.import_micro - day.prices.feed_in_micro - day.local_fee_micro
    return int((both * np.maximum(gain, 0)).sum())


def efficiency(alone_nano: int, market_nano: int, optimum_nano: int) -> float | None:
    """Share of what planning as one would gain that the market gained; None when there is nothing to gain."""
    gain = alone_nano - optimum_nano
    return (alone_nano - market_nano) / gain if gain > 0 else None


def _moved(plan: CommunityPlan, slot: int) -> list[int]:
    """What every home takes from the others (gives, where negative) in whole Wh that sum to zero."""
    taken = [offerable_wh(float(flows.local_buy[slot])) for flows in plan.flows]
    given = [offerable_wh(float(flows.local_sell[slot])) for flows in plan.flows]
    total = min(sum(taken), sum(given))
    return [buy - sell for buy, sell in zip(_first(taken, total), _first(given, total), strict=True)]


def _first(wh: list[int], total: int) -> list[int]:
    """The amounts, cut off where their sum reaches ``total``."""
    ends = np.minimum(np.cumsum(wh), total)
    parts: IntArray = np.diff(ends, prepend=0)
    return [int(part) for part in parts]


def _state(record: HomeRecord, slot: int) -> State:
    battery, ev = float(record.battery_kwh[slot]), float(record.ev_kwh[slot])
    return State(None if np.isnan(battery) else battery, None if np.isnan(ev) else ev)
