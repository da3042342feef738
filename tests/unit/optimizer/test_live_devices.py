"""Thermal devices of a home that trades: bands out of reach, better hours, other things to do in a slot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from otaniemi.optimizer.devices.battery import Battery
from otaniemi.optimizer.devices.thermal import ThermalLoad
from otaniemi.optimizer.devices.water_heater import WaterHeater
from otaniemi.optimizer.errors import HouseDataError
from otaniemi.optimizer.house import House, Tariff
from otaniemi.optimizer.plan import plan
from otaniemi.optimizer.program.choices import Choices
from otaniemi.optimizer.program.comfort import within_reach
from otaniemi.optimizer.program.thermostat import Thermostat
from otaniemi.optimizer.trading.community import CommunityModel, community_optimum
from otaniemi.optimizer.trading.home_model import HomeModel
from otaniemi.optimizer.trading.offers import offers
from otaniemi.optimizer.trading.shifting import Shifter


def loses_a_kelvin(initial_c: float, low: float = 20.0, high: float = 30.0, slots: int = 6) -> ThermalLoad:
    """Falls by 1 K in every slot and rises by 3 K when on, with 2 kW."""
    return ThermalLoad(
        name="water_heater",
        level_kw=np.array([0.0, 2.0]),
        keep=np.ones(slots),
        drift=np.full(slots, -1.0),
        effect=np.column_stack([np.zeros(slots), np.full(slots, 3.0)]),
        outdoor_share=np.zeros(slots),
        low_c=np.full(slots, low),
        high_c=np.full(slots, high),
        initial_c=initial_c,
    )


def heated(prices: list[float], initial_c: float = 50.0, pv_kw: list[float] | None = None) -> House:
    """A tank of 86 l that gains 10 K an hour from 1 kW and loses next to nothing, to be drawn down in hour 3."""
    tank = WaterHeater(
        rated_kw=1.0,
        volume_l=100.0,
        resistance_k_per_kw=1e6,
        min_c=45.0,
        max_c=75.0,
        initial_c=initial_c,
        inlet_c=20.0,
        ambient_c=20.0,
        draw_l=np.array([0.0, 0.0, 0.0, 25.0]),
        capacity_kwh_per_k=0.1,
    )
    return House(
        slots=4,
        slot_hours=1.0,
        tariff=Tariff(np.array(prices), np.full(4, 0.05)),
        base_load_kw=np.zeros(4),
        pv_kw=np.array(pv_kw or [0.0] * 4),
        thermal=(tank,),
    )


OFF = {"water_heater": np.zeros(4, np.int8)}


def test_a_band_that_can_be_kept_stays_as_it_is() -> None:
    load = loses_a_kelvin(22.0)
    assert within_reach(load) is load


def test_from_below_the_band_the_only_way_is_at_full_power_until_it_is_reached() -> None:
    load = within_reach(loses_a_kelvin(15.0))
    levels = Thermostat(load).keep(np.zeros(6, np.int8))
    # 17, 19, 21: in the band after three slots, and then down by 1 K as long as it lasts.
    assert levels[:3].tolist() == [1, 1, 1]
    assert load.temperatures(levels)[2:].min() >= 20.0


def test_from_above_the_band_the_device_stays_off_until_it_is_reached() -> None:
    load = within_reach(loses_a_kelvin(33.0))
    assert Thermostat(load).keep(np.ones(6, np.int8))[:3].tolist() == [0, 0, 0]


def test_a_band_narrower_than_a_step_is_widened_until_a_schedule_keeps_it() -> None:
    load = within_reach(loses_a_kelvin(20.5, low=20.4, high=20.6))
    reached = load.temperatures(Thermostat(load).keep(np.zeros(6, np.int8)))
    assert ((reached >= load.low_c) & (reached <= load.high_c)).all()


def test_a_device_moves_to_the_cheapest_slot_that_keeps_its_band() -> None:
    house = heated([0.3, 0.1, 0.2, 0.4])
    model = HomeModel(house, Choices({}, OFF))
    shifter = Shifter(model, house.tariff, 1.0, house.thermal_loads, OFF)
    shifter.improve()
    # 50 less a quarter of the way to 20 misses 45 degrees; an hour's heat before or in the hour mends it.
    assert shifter.levels["water_heater"].tolist() == [0, 1, 0, 0]
    assert model.value() == pytest.approx(0.1)


def test_a_device_moves_into_the_sun() -> None:
    house = heated([0.3, 0.1, 0.2, 0.4], pv_kw=[0.0, 0.0, 1.0, 0.0])
    shifter = Shifter(HomeModel(house, Choices({}, OFF)), house.tariff, 1.0, house.thermal_loads, OFF)
    shifter.improve()
    assert shifter.levels["water_heater"].tolist() == [0, 0, 1, 0]


def test_a_home_offers_to_run_its_heater_when_a_neighbour_sells_cheaply_enough() -> None:
    house = heated([0.3, 0.1, 0.2, 0.4])
    schedule = plan(house)
    assert schedule.levels["water_heater"].tolist() == [0, 1, 0, 0]
    fee = 0.02
    bought = [
        offer
        for offer in offers(house, schedule, np.full(4, 0.06), fee)
        if offer.side == "buy" and offer.slot == 1
    ]
    # At any price it needs no more than 1 kWh; beyond 0.06 the hours beside it serve as well.
    assert [(round(offer.price_eur_per_kwh, 6), offer.energy_kwh) for offer in bought] == [
        (0.06, pytest.approx(1.0))
    ]


def test_a_curve_with_an_alternative_is_the_cheaper_of_both() -> None:
    house = heated([0.3, 0.1, 0.2, 0.4])
    on = {"water_heater": np.array([0, 1, 0, 0], np.int8)}
    later = {"water_heater": np.array([0, 0, 1, 0], np.int8)}
    model = HomeModel(house, Choices({}, later))
    only = np.arange(4) == 1
    model.set_local(np.full(4, 0.07), np.full(4, 0.05), 9.0 * only, 0.0 * only)
    points = model.curve(1, 0.05, 0.3, [on])
    # Later the kWh costs 0.2; bought here, the price and a fee of 0.02, but never more than the 0.1 of the grid.
    assert [(round(p.price_eur_per_kwh, 6), round(p.demand_kwh, 6)) for p in points] == [
        (0.05, 1.0),
        (0.08, 0.0),
    ]
    assert [p.demand_kwh for p in model.curve(1, 0.05, 0.3)] == [0.0]


def test_alternatives_are_what_the_device_could_do_instead() -> None:
    house = heated([0.3, 0.1, 0.2, 0.4])
    on = {"water_heater": np.array([0, 1, 0, 0], np.int8)}
    shifter = Shifter(HomeModel(house, Choices({}, on)), house.tariff, 1.0, house.thermal_loads, on)
    others = [found["water_heater"].tolist() for found in shifter.alternatives(1)]
    assert others == [[0, 0, 1, 0]]


def test_devices_without_levels_are_refused_by_name() -> None:
    with pytest.raises(HouseDataError, match="thermal device 'water_heater' has no levels"):
        HomeModel(heated([0.1] * 4))


def test_all_homes_as_one_heat_with_the_neighbours_sun() -> None:
    sunny = replace(heated([0.3] * 4), thermal=(), pv_kw=np.array([0.0, 1.0, 0.0, 0.0]))
    together = community_optimum([sunny, heated([0.3] * 4)], 0.02)
    assert together.choices[1].levels["water_heater"].tolist() == [0, 1, 0, 0]
    assert together.cost_eur == pytest.approx(0.02)
    assert together.bound_eur <= together.cost_eur


def test_a_community_moves_levels_of_one_home_at_its_prices() -> None:
    sunny = replace(heated([0.3] * 4), thermal=(), pv_kw=np.array([0.0, 1.0, 0.0, 0.0]))
    late = {"water_heater": np.array([0, 0, 1, 0], np.int8)}
    model = CommunityModel([sunny, heated([0.3] * 4)], 0.02, [Choices({}, {}), Choices({}, late)])
    before = model.solve().cost_eur
    model.home(1).set_levels({"water_heater": np.array([0, 1, 0, 0], np.int8)})
    assert before == pytest.approx(0.3 - 0.05)
    assert model.solve().cost_eur == pytest.approx(0.02)


@pytest.mark.parametrize("community", [False, True])
def test_no_store_charges_and_discharges_at_once_where_importing_pays(community: bool) -> None:
    house = House(
        slots=2,
        slot_hours=1.0,
        tariff=Tariff(np.array([-0.2, 0.1]), np.array([-0.3, 0.0])),
        base_load_kw=np.ones(2),
        pv_kw=np.zeros(2),
        battery=Battery(4.0, 2.0, 0.5, 0.5, 0.0, 1.0, 0.8, 0.8, 0.001),
    )
    flows = CommunityModel([house], 0.02).solve().flows[0] if community else HomeModel(house).solve().flows
    assert np.minimum(flows.battery_charge, flows.battery_discharge).max() <= 1e-9
    # It may still waste by filling the battery in the first hour and emptying it in the second.
    exact = plan(house)
    found = (
        house.tariff.import_eur_per_kwh @ flows.grid_import
        - house.tariff.export_eur_per_kwh @ flows.grid_export
    )
    wear = 0.001 * float((flows.battery_charge + flows.battery_discharge).sum())
    assert found + wear == pytest.approx(exact.cost_eur, abs=1e-6)
