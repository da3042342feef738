"""Laws of levels that move: bands hold, costs never rise, curves with alternatives are exact."""

from __future__ import annotations

import numpy as np
import pytest

from otaniemi.optimizer.house import House
from otaniemi.optimizer.methods.rules import rule_choices
from otaniemi.optimizer.plan import plan
from otaniemi.optimizer.program.choices import Choices
from otaniemi.optimizer.program.home_program import State
from otaniemi.optimizer.replan import replan
from otaniemi.optimizer.trading.home_model import HomeModel
from otaniemi.optimizer.trading.shifting import Shifter

from ...support.house_twin import judge
from ...support.random_houses import random_house

SEEDS = range(12)
FEE = 0.02
DEVICES = ("air_conditioner", "water_heater", "heat_pump", "battery", "pv")


def thermal_house(seed: int) -> House:
    return House.from_dict(random_house(seed, slots=24, slot_hours=0.5, devices=DEVICES, kinds=()).house)


def by_rules(house: House) -> tuple[HomeModel, Shifter]:
    choices = rule_choices(house)
    model = HomeModel(house, choices)
    return model, Shifter(model, house.tariff, house.slot_hours, house.thermal_loads, choices.levels)


@pytest.mark.parametrize("seed", SEEDS)
def test_moved_levels_keep_their_bands_cost_no_more_and_no_less_than_is_proven(seed: int) -> None:
    house = thermal_house(seed)
    model, shifter = by_rules(house)
    before = model.value()
    shifter.improve()
    after = HomeModel(house, Choices({}, shifter.levels)).value()
    assert model.value() == pytest.approx(after, abs=1e-6)
    assert plan(house, "lp").bound_eur - 1e-6 <= after <= before + 1e-9
    for load in house.thermal_loads:
        reached = load.temperatures(shifter.levels[load.name])
        assert (reached >= load.low_c - 1e-6).all()
        assert (reached <= load.high_c + 1e-6).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_curve_with_alternatives_is_the_least_of_their_curves(seed: int) -> None:
    house = thermal_house(seed)
    model, shifter = by_rules(house)
    shifter.improve()
    slot = seed % house.slots
    low = float(house.tariff.export_eur_per_kwh[slot])
    high = max(float(house.tariff.import_eur_per_kwh[slot]) - FEE, low)
    price = house.tariff.export_eur_per_kwh
    caps = model.most_tradable()
    model.set_local(price + FEE, price, *caps)
    options = [dict(shifter.levels), *shifter.alternatives(slot)]
    curve = model.curve(slot, low, high, options[1:])
    demands = [point.demand_kwh for point in curve]
    assert demands == sorted(demands, reverse=True)

    def least(p: float) -> float:
        changed = price.copy()
        changed[slot] = p
        values = []
        for levels in options:
            one = HomeModel(house, Choices({}, levels))
            one.set_local(changed + FEE, changed, *caps)
            values.append(one.value())
        return min(values)

    ends = [*(point.price_eur_per_kwh for point in curve[1:]), high]
    start = least(low)
    for p in np.linspace(low, high, 5):
        area = sum(
            point.demand_kwh * max(min(p, end) - point.price_eur_per_kwh, 0.0)
            for point, end in zip(curve, ends, strict=True)
        )
        assert least(float(p)) == pytest.approx(start + area, abs=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_alternatives_run_a_device_otherwise_in_the_slot_and_keep_every_band(seed: int) -> None:
    house = thermal_house(seed)
    _, shifter = by_rules(house)
    slot = (7 * seed) % house.slots
    for found in shifter.alternatives(slot):
        changed = [name for name, levels in found.items() if levels[slot] != shifter.levels[name][slot]]
        assert len(changed) == 1
        for load in house.thermal_loads:
            reached = load.temperatures(found[load.name])
            assert (reached >= load.low_c - 1e-6).all()
            assert (reached <= load.high_c + 1e-6).all()


@pytest.mark.parametrize("seed", range(4))
def test_a_begun_day_is_replanned_fast_from_measured_temperatures(seed: int) -> None:
    data = random_house(seed, slots=24, slot_hours=0.5, devices=DEVICES, kinds=()).house
    house = House.from_dict(data)
    before = plan(house, "fast")
    now = 8
    trades = np.where(np.arange(24) == 10, 0.4, 0.0)
    after = replan(house, before, now, State(), trades, method="fast")
    verdict = judge(data, after.to_dict())
    assert verdict.findings == []
    assert verdict.cost_eur == pytest.approx(after.cost_eur, abs=1e-6)
    assert after.bound_eur <= replan(house, before, now, State(), trades).cost_eur + 1e-6
    for name, levels in before.levels.items():
        assert (after.levels[name][:now] == levels[:now]).all()
