"""Laws of the kept model of a home: hot starts change nothing, curves are exact, offers keep to the plan."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otaniemi.optimizer.house import House
from otaniemi.optimizer.plan import plan
from otaniemi.optimizer.program.home_program import State
from otaniemi.optimizer.replan import replan
from otaniemi.optimizer.trading.home_model import HomeModel
from otaniemi.optimizer.trading.offers import offers, steps_of_curve

from ...support.house_twin import judge
from .homes import homes

few = settings(max_examples=40, deadline=None, derandomize=True)
FEE = 0.02
seeds = st.integers(0, 2**32 - 1)


def opened(house: House, seed: int) -> tuple[HomeModel, np.ndarray]:
    """A model with local trade open at random prices between feed-in and import price."""
    rng = np.random.default_rng(seed)
    low, high = house.tariff.export_eur_per_kwh, house.tariff.import_eur_per_kwh - FEE
    price = low + (high - low) * rng.random(house.slots)
    model = HomeModel(house, plan(house).choices)
    model.set_local(price + FEE, price, *model.most_tradable())
    return model, price


@few
@given(homes(), seeds)
def test_a_hot_start_finds_what_a_fresh_model_finds(data: dict[str, Any], seed: int) -> None:
    house = House.from_dict(data)
    rng = np.random.default_rng(seed)
    choices = plan(house).choices
    kept = HomeModel(house, choices)
    for _ in range(4):
        base, pv = house.base_load_kw * rng.random(house.slots), house.pv_kw * rng.random(house.slots)
        price = house.tariff.export_eur_per_kwh + 0.01 * rng.random(house.slots)
        trades = rng.normal(0.0, 0.3, house.slots)
        until = int(rng.integers(0, house.slots))
        battery = 0.6 * house.battery.capacity_kwh if house.battery else None
        ev = 0.6 * house.ev.capacity_kwh if house.ev else None
        fresh = HomeModel(house, choices)
        for model in (kept, fresh):
            model.set_forecast(base, pv)
            model.set_local(price + FEE, price, *model.most_tradable())
            model.fix_trades(trades)
            model.fix_past(until, battery, ev)
        assert kept.solve().value_eur == pytest.approx(fresh.solve().value_eur, abs=1e-6)


@few
@given(homes())
def test_at_retail_alone_the_kept_model_agrees_with_the_plan(data: dict[str, Any]) -> None:
    house = House.from_dict(data)
    exact = plan(house)
    kept = HomeModel(house, exact.choices).solve()
    assert kept.value_eur == pytest.approx(exact.cost_eur, abs=1e-6)
    assert kept.net_kwh == pytest.approx(kept.flows.grid_import - kept.flows.grid_export)


@few
@given(homes(), seeds)
def test_every_point_of_a_curve_is_an_optimum_at_its_price(data: dict[str, Any], seed: int) -> None:
    house = House.from_dict(data)
    model, price = opened(house, seed)
    rng = np.random.default_rng(seed)
    slot = int(rng.integers(0, house.slots))
    low = float(house.tariff.export_eur_per_kwh[slot])
    high = float(house.tariff.import_eur_per_kwh[slot]) - FEE
    curve = model.curve(slot, low, high)
    demands = [point.demand_kwh for point in curve]
    assert curve[0].price_eur_per_kwh == low
    assert demands == sorted(demands, reverse=True)

    def value_at(p: float) -> float:
        changed = price.copy()
        changed[slot] = p
        model.set_local(changed + FEE, changed, *model.most_tradable())
        return model.solve().value_eur

    start = value_at(low)
    for p in np.linspace(low, high, 7):
        ends = [*(point.price_eur_per_kwh for point in curve[1:]), high]
        area = sum(
            point.demand_kwh * max(min(p, end) - point.price_eur_per_kwh, 0.0)
            for point, end in zip(curve, ends, strict=True)
        )
        assert value_at(float(p)) == pytest.approx(start + area, abs=1e-6)
    for point in curve:
        assert sum(point.offered) == pytest.approx(max(-point.demand_kwh, 0.0), abs=1e-6)


@few
@given(homes(), seeds)
def test_a_curve_leaves_the_announced_prices_in_place(data: dict[str, Any], seed: int) -> None:
    model, _ = opened(House.from_dict(data), seed)
    before = model.solve().value_eur
    model.curve(0, 0.0, 0.3)
    assert model.solve().value_eur == pytest.approx(before, abs=1e-8)


@few
@given(homes(v2h="sell"), seeds)
def test_vehicle_energy_goes_to_load_and_neighbours_only(data: dict[str, Any], seed: int) -> None:
    house = House.from_dict(data)
    model, _ = opened(house, seed)
    model.fix_trades(np.random.default_rng(seed).normal(0.0, 0.5, house.slots))
    flows = model.solve().flows
    trades = model._trades
    load = model._home.load_kwh
    bought, sold = np.maximum(trades, 0.0), np.maximum(-trades, 0.0)
    fed_in_from_own = flows.pv_used + flows.battery_discharge + bought
    at_home = flows.ev_discharge > 1e-7
    assert (flows.grid_export <= fed_in_from_own + 1e-6)[at_home].all()
    assert (flows.ev_discharge <= load + flows.local_sell + sold + 2e-6).all()


@few
@given(homes(), seeds)
def test_offers_are_monotone_and_keep_to_the_plan_of_their_source(data: dict[str, Any], seed: int) -> None:
    house = House.from_dict(data)
    model, price = opened(house, seed)
    planned = model.solve()
    steps = offers(house, plan(house), price, FEE)
    for slot in range(house.slots):
        bought = [s for s in steps if s.slot == slot and s.side == "buy"]
        sold = [s for s in steps if s.slot == slot and s.side == "sell"]
        assert [s.price_eur_per_kwh for s in bought] == sorted(
            (s.price_eur_per_kwh for s in bought), reverse=True
        )
        assert [s.price_eur_per_kwh for s in sold] == sorted(s.price_eur_per_kwh for s in sold)
        net = planned.net_kwh[slot]
        assert sum(s.energy_kwh for s in bought) <= max(net, 0.0) + 1e-9
        assert sum(s.energy_kwh for s in sold) <= max(-net, 0.0) + 1e-6
        own = {
            1: planned.flows.pv_used[slot],
            2: planned.flows.battery_discharge[slot],
            3: planned.flows.ev_discharge[slot],
        }
        for source, most in own.items():
            assert sum(s.energy_kwh for s in sold if s.source == source) <= most + 1e-9
        assert all(s.source in own for s in sold)


@few
@given(homes(), seeds)
def test_unclipped_steps_add_up_to_the_curve(data: dict[str, Any], seed: int) -> None:
    house = House.from_dict(data)
    model, _ = opened(house, seed)
    low, high = float(house.tariff.export_eur_per_kwh[0]), float(house.tariff.import_eur_per_kwh[0]) - FEE
    curve = model.curve(0, low, high)
    steps = steps_of_curve(0, curve, high)
    for point, end in zip(curve, [*(p.price_eur_per_kwh for p in curve[1:]), high], strict=True):
        if end - point.price_eur_per_kwh < 1e-9:
            continue
        middle = (point.price_eur_per_kwh + end) / 2
        bought = sum(s.energy_kwh for s in steps if s.side == "buy" and s.price_eur_per_kwh >= middle)
        sold = sum(s.energy_kwh for s in steps if s.side == "sell" and s.price_eur_per_kwh <= middle)
        assert bought - sold == pytest.approx(point.demand_kwh, abs=1e-6)


@few
@given(homes(), seeds)
def test_replanning_what_went_as_planned_changes_no_cost(data: dict[str, Any], seed: int) -> None:
    house = House.from_dict(data)
    before = plan(house)
    now = int(np.random.default_rng(seed).integers(0, house.slots))

    def stored(soc: np.ndarray, capacity: float) -> float | None:
        return None if now == 0 or np.isnan(soc[now - 1]) else float(soc[now - 1]) * capacity

    state = State(
        stored(before.battery_soc, house.battery.capacity_kwh if house.battery else 0.0),
        stored(before.ev_soc, house.ev.capacity_kwh if house.ev else 0.0),
    )
    after = replan(house, before, now, state, np.zeros(house.slots))
    assert after.cost_eur == pytest.approx(before.cost_eur, abs=5e-6)
    assert 0.0 <= after.gap_eur <= 1e-6
    assert judge(data, after.to_dict()).findings == []


@few
@given(homes(), seeds)
def test_replanning_delivers_the_committed_trades(data: dict[str, Any], seed: int) -> None:
    house = House.from_dict(data)
    trades = np.random.default_rng(seed).normal(0.0, 1.0, house.slots)
    after = replan(house, plan(house), 0, State(), trades).to_dict()
    verdict = judge(data, after)
    assert verdict.findings == []
    assert after["traded_kw"] == pytest.approx(trades / house.slot_hours)
    assert verdict.cost_eur == pytest.approx(after["cost_eur"], abs=1e-6)
