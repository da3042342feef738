"""Laws of the plan of all homes as one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otaniemi.optimizer.house import House
from otaniemi.optimizer.plan import plan
from otaniemi.optimizer.program.home_program import State
from otaniemi.optimizer.trading.community import CommunityModel, community_optimum

from .homes import homes

few = settings(max_examples=25, deadline=None, derandomize=True)
SLOTS = 5


@st.composite
def communities(draw: st.DrawFn, appliances: bool = True) -> list[House]:
    """Two to four homes under one tariff that leaves room for a local fee of 0.02."""
    data: list[dict[str, Any]] = [
        draw(homes(slots=SLOTS, appliances=appliances)) for _ in range(draw(st.integers(2, 4)))
    ]
    for home in data:
        home["tariff"], home["slot_hours"] = data[0]["tariff"], 1.0
        home["appliances"] = [
            a | {"hours": 1, "latest_h": SLOTS, "earliest_h": 0} for a in home.get("appliances", [])
        ]
        if "ev" in home:
            home["ev"]["sessions"] = [
                {"arrival_slot": 1, "departure_slot": SLOTS, "initial_soc": 0.5, "target_soc": 0.5}
            ]
    return [House.from_dict(home) for home in data]


@few
@given(communities())
def test_together_is_never_dearer_than_alone(houses: list[House]) -> None:
    together = community_optimum(houses, 0.02)
    assert together.cost_eur <= sum(plan(house).cost_eur for house in houses) + 1e-5
    assert together.bound_eur <= together.cost_eur
    if not any(house.battery and house.ev and house.ev.v2h == "sell" for house in houses):
        assert together.gap_eur <= 1e-5


@few
@given(communities())
def test_a_fee_beyond_any_gain_leaves_everyone_alone(houses: list[House]) -> None:
    together = community_optimum(houses, 10.0)
    assert together.cost_eur == pytest.approx(sum(plan(house).cost_eur for house in houses), abs=1e-5)
    assert together.local_kwh.max() <= 1e-6


@few
@given(communities(), st.floats(0.0, 0.1), st.floats(0.0, 0.1))
def test_a_higher_fee_never_lowers_the_cost(houses: list[House], one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert community_optimum(houses, low).cost_eur <= community_optimum(houses, high).cost_eur + 1e-5


@few
@given(communities())
def test_the_cost_follows_from_the_flows(houses: list[House]) -> None:
    together = community_optimum(houses, 0.02)
    cost = 0.02 * together.local_kwh.sum()
    for house, flows, choices in zip(houses, together.flows, together.choices, strict=True):
        cost += house.tariff.import_eur_per_kwh @ flows.grid_import
        cost -= house.tariff.export_eur_per_kwh @ flows.grid_export
        if house.battery:
            cost += house.battery.wear_eur_per_kwh * (flows.battery_charge + flows.battery_discharge).sum()
        if house.ev:
            cost += house.ev.wear_eur_per_kwh * flows.ev_discharge.sum()
        assert (flows.grid_export <= flows.pv_used + flows.battery_discharge + 1e-6).all()
        assert (np.minimum(flows.local_buy, flows.local_sell) <= 1e-9).all()
        if house.ev and house.ev.v2h == "sell":
            load = np.array(house.base_load_kw) + choices.device_kwh(house)
            assert (flows.ev_discharge <= load + flows.local_sell + 2e-6).all()
    assert together.cost_eur == pytest.approx(cost, abs=1e-6)
    sold = np.sum([flows.local_sell for flows in together.flows], axis=0)
    assert sold == pytest.approx(together.local_kwh, abs=1e-6)


@few
@given(communities(appliances=False).filter(lambda houses: community_optimum(houses, 0.02).gap_eur < 1e-7))
def test_hourly_replanning_without_surprises_costs_the_optimum(houses: list[House]) -> None:
    best = community_optimum(houses, 0.02)
    model = CommunityModel(houses, 0.02)
    spent, plan_now = 0.0, model.solve()
    for now in range(1, SLOTS):
        states = []
        for flows in plan_now.flows:
            battery, ev = flows.battery_stored[now - 1], flows.ev_stored[now - 1]
            states.append(State(None if np.isnan(battery) else battery, None if np.isnan(ev) else ev))
        before = plan_now.cost_eur
        model.fix_past(now, states)
        plan_now = model.solve()
        spent += before - plan_now.cost_eur
    assert spent + plan_now.cost_eur == pytest.approx(best.cost_eur, abs=1e-6)
