"""Plans worked out by hand, and limits that cannot hold."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from otaniemi.optimizer.errors import HouseDataError, InfeasibleHouseError
from otaniemi.optimizer.house import House
from otaniemi.optimizer.methods.exact import DayModel
from otaniemi.optimizer.plan import plan
from otaniemi.optimizer.program.choices import Choices
from otaniemi.optimizer.program.dispatch import Found
from otaniemi.optimizer.program.home_program import State
from otaniemi.optimizer.replan import replan
from otaniemi.optimizer.schedule import flows_of
from otaniemi.optimizer.trading.community import CommunityModel, community_optimum
from otaniemi.optimizer.trading.home_model import CurvePoint, HomeModel
from otaniemi.optimizer.trading.offers import Offer, steps_of_curve

EV = {
    "capacity_kwh": 10,
    "power_kw": 2,
    "v2h": "sell",
    "wear_eur_per_kwh": 0.02,
    "sessions": [{"arrival_slot": 0, "departure_slot": 2, "initial_soc": 0.5, "target_soc": 0.5}],
}
BATTERY = {"capacity_kwh": 10, "power_kw": 2, "initial_soc": 0.5, "final_soc": 0.5, "wear_eur_per_kwh": 0.01}

FULL_AND_LOSSY = BATTERY | {
    "initial_soc": 1.0,
    "charge_efficiency": 0.5,
    "discharge_efficiency": 0.5,
    "wear_eur_per_kwh": 0.0,
}


def house(prices: list[float], feed_in: list[float], load: list[float], **fields: Any) -> House:
    """A home of hourly slots."""
    tariff = {"import_eur_per_kwh": prices, "export_eur_per_kwh": feed_in}
    data = {"slots": len(prices), "slot_hours": 1.0, "tariff": tariff, "base_load_kw": load, **fields}
    return House.from_dict(data)


def test_a_battery_shifts_cheap_energy_to_the_dear_hour() -> None:
    day = plan(house([0.1, 0.5], [0.0, 0.0], [1.0, 1.0], battery=BATTERY))
    # 2 kWh at 0.1, wear 0.01 on 1 kWh in and on 1 kWh out.
    assert day.cost_eur == pytest.approx(2 * 0.1 + 2 * 0.01)
    assert day.battery_charge_kw == pytest.approx([1.0, 0.0])
    assert day.battery_soc == pytest.approx([0.6, 0.5])
    assert day.status == "optimal"


def test_an_appliance_runs_in_its_cheapest_hours() -> None:
    washer = {"name": "washer", "rated_kw": 1.0, "hours": 2, "earliest_h": 0, "latest_h": 4}
    day = plan(house([0.3, 0.1, 0.2, 0.3], [0.0] * 4, [0.0] * 4, appliances=[washer]))
    assert day.starts == {"washer": 1}
    assert day.cost_eur == pytest.approx(0.3)
    assert day.appliance_kw.tolist() == [0.0, 1.0, 1.0, 0.0]


def test_with_time_the_exact_method_knows_what_the_fast_one_found(monkeypatch: pytest.MonkeyPatch) -> None:
    washer = {"name": "washer", "rated_kw": 1.0, "hours": 2, "earliest_h": 0, "latest_h": 4}
    home = house([0.3, 0.1, 0.2, 0.3], [0.0] * 4, [0.0] * 4, appliances=[washer])
    known = plan(home)
    planning = import_module("otaniemi.optimizer.plan")
    cut_short = Found(
        Choices({"washer": 2}, {}), (flows_of(home, plan(home)),), cost_eur=0.5, bound_eur=0.29, proven=False
    )
    monkeypatch.setattr(DayModel, "optimise", lambda *_: cut_short)
    loose = replace(cut_short, choices=Choices({"washer": 1}, {}), cost_eur=0.3, bound_eur=0.1)
    monkeypatch.setattr(planning, "fast_plan", lambda *_, **__: loose)
    best = plan(home, time_limit=2.0)
    assert (best.starts, best.cost_eur) == ({"washer": 1}, pytest.approx(known.cost_eur))
    assert (best.status, best.bound_eur) == ("time_limit", pytest.approx(0.29))
    monkeypatch.setattr(planning, "fast_plan", lambda *_, **__: replace(loose, proven=True))
    assert plan(home, time_limit=2.0).status == "optimal"
    assert plan(home, time_limit=0.5).starts == {"washer": 2}


def test_the_vehicle_feeds_the_home_but_not_the_grid() -> None:
    day = plan(house([0.5, 0.1], [0.4, 0.0], [1.0, 0.0], ev=EV))
    # It saves 1 kWh at 0.5, wears 0.02, recharges at 0.1; 0.4 for a second kWh is not to be had.
    assert day.ev_discharge_kw == pytest.approx([1.0, 0.0])
    assert day.export_kw == pytest.approx([0.0, 0.0])
    assert day.cost_eur == pytest.approx(0.02 + 0.1)


def test_paid_to_import_a_home_does_not_burn_energy_in_its_battery() -> None:
    day = plan(house([-0.1], [-0.2], [1.0], battery=FULL_AND_LOSSY))
    # Full, it can only take in more by giving some back in the same hour: 2 in, 0.5 out, 1.5 burnt.
    assert day.import_kw == pytest.approx([1.0])
    assert day.battery_charge_kw == pytest.approx([0.0])


def test_when_feeding_in_pays_more_a_home_still_does_one_at_a_time() -> None:
    day = plan(house([0.1], [0.3], [1.0], pv_kw=[2.0]))
    assert day.import_kw == pytest.approx([0.0])
    assert day.export_kw == pytest.approx([1.0])
    assert day.cost_eur == pytest.approx(-0.3)


def test_sun_is_curtailed_when_feeding_in_costs_money() -> None:
    day = plan(house([0.1], [-0.3], [1.0], pv_kw=[2.0]))
    assert day.pv_used_kw == pytest.approx([1.0])
    assert day.cost_eur == pytest.approx(0.0)


def test_case_2_stores_only_sun_beyond_the_base_load() -> None:
    day = plan(house([0.1, 0.5], [0.4, 0.4], [1.0, 2.0], pv_kw=[1.5, 0.0], battery=BATTERY), case=2)
    assert day.battery_charge_kw == pytest.approx([0.5, 0.0])
    assert day.export_kw == pytest.approx([0.0, 0.0])
    assert day.cost_eur == pytest.approx(1.5 * 0.5 + 2 * 0.5 * 0.01)


def test_the_plan_file_is_plain_json_with_null_while_the_vehicle_is_away() -> None:
    written = plan(house([0.1] * 3, [0.0] * 3, [1.0] * 3, ev=EV)).to_dict()
    again = json.loads(json.dumps(written, allow_nan=False))
    assert again == written
    assert again["ev_soc"][2] is None
    assert again["gap_eur"] == again["cost_eur"] - again["bound_eur"]


def test_a_target_out_of_reach_names_the_vehicle_the_slot_and_the_energy() -> None:
    ev = EV | {"sessions": [EV["sessions"][0] | {"target_soc": 1.0}]}
    with pytest.raises(
        InfeasibleHouseError, match=r"ev: target_soc 1 at the end of slot 1 .*1.000 kWh"
    ) as caught:
        plan(house([0.1] * 2, [0.0] * 2, [1.0] * 2, ev=ev))
    assert (caught.value.device, caught.value.slot) == ("ev", 1)
    assert caught.value.to_dict()["status"] == "infeasible"


def test_an_import_limit_that_cannot_hold_names_the_slot_and_the_energy() -> None:
    with pytest.raises(
        InfeasibleHouseError, match=r"import_limit_kw: 2.0 kW cannot hold in slot 1; 1.000 kWh"
    ):
        plan(house([0.1] * 3, [0.0] * 3, [1.0, 3.0, 1.0], import_limit_kw=2.0))
    with pytest.raises(InfeasibleHouseError, match=r"slot 1; 1.000 kWh"):
        HomeModel(house([0.1] * 3, [0.0] * 3, [1.0, 3.0, 1.0], import_limit_kw=2.0)).solve()


def test_without_time_appliances_still_share_a_tight_connection() -> None:
    machines = [
        {"name": name, "rated_kw": 2.0, "hours": 1, "earliest_h": 0, "latest_h": 3}
        for name in ("a", "b", "c")
    ]
    home = house([0.3, 0.1, 0.2], [0.0] * 3, [0.0] * 3, appliances=machines, import_limit_kw=2.0)
    day = plan(home, time_limit=0.0)
    assert sorted(day.starts.values()) == [0, 1, 2]
    assert day.import_kw == pytest.approx([2.0, 2.0, 2.0])


@pytest.mark.parametrize("how", [{"method": "guess"}, {"case": 5}, {"time_limit": -1.0}, {"node_limit": -1}])
def test_an_unknown_way_to_plan_is_refused(how: dict[str, Any]) -> None:
    with pytest.raises(HouseDataError, match=next(iter(how))):
        plan(house([0.1], [0.0], [1.0]), **how)


def test_the_curve_of_a_full_battery_steps_at_its_wear_and_the_next_best_use() -> None:
    home = house([0.5, 0.3], [0.05, 0.05], [1.0, 1.0], battery=BATTERY)
    model = HomeModel(home)
    model.set_local(np.array([0.22, 0.22]), np.array([0.2, 0.2]), np.array([9.0, 0.0]), np.array([9.0, 0.0]))
    curve = model.curve(0, 0.05, 0.48)
    # Recharging in hour 1 costs 0.3 + wear twice 0.01 = 0.32: below 0.30 (0.32 less the fee of 0.02) the home buys
    # its load and nothing else; from there its battery serves the load; from 0.32 the rest of its 2 kW is sold.
    assert [round(point.price_eur_per_kwh, 6) for point in curve] == [0.05, 0.26, 0.3, 0.32]
    assert [round(point.demand_kwh, 6) for point in curve] == [2.0, 1.0, 0.0, -1.0]
    assert curve[-1].offered == pytest.approx((0.0, 1.0, 0.0, 0.0))


def test_steps_are_clipped_from_the_far_end() -> None:
    curve = [
        CurvePoint(0.1, 3.0, (0.0, 0.0, 0.0, 0.0)),
        CurvePoint(0.2, 1.0, (0.0, 0.0, 0.0, 0.0)),
        CurvePoint(0.3, -1.0, (1.0, 0.0, 0.0, 0.0)),
        CurvePoint(0.4, -3.0, (1.0, 0.0, 2.0, 0.0)),
    ]
    assert steps_of_curve(5, curve, 0.5, 2.0, (1.0, 0.0, 0.5, 0.0)) == [
        Offer(5, "buy", 0.3, 1.0, 0),
        Offer(5, "buy", 0.2, 1.0, 0),
        Offer(5, "sell", 0.3, 1.0, 1),
        Offer(5, "sell", 0.4, 0.5, 3),
    ]


def test_what_is_wanted_at_any_price_is_bid_at_the_top_and_what_is_spare_offered_at_the_bottom() -> None:
    load = HomeModel(house([0.5], [0.1], [1.0]))
    load.set_local(np.array([0.3]), np.array([0.28]), 9.0, 9.0)
    assert steps_of_curve(0, load.curve(0, 0.1, 0.48), 0.48) == [Offer(0, "buy", 0.48, 1.0, 0)]
    sun = HomeModel(house([0.5], [0.1], [0.0], pv_kw=[2.0]))
    sun.set_local(np.array([0.3]), np.array([0.28]), 9.0, 9.0)
    assert steps_of_curve(0, sun.curve(0, 0.1, 0.48), 0.48) == [Offer(0, "sell", 0.1, 2.0, 1)]


def test_home_load_takes_sun_then_battery_then_vehicle() -> None:
    ev = EV | {"sessions": [EV["sessions"][0] | {"target_soc": 0.2}]}
    empty = BATTERY | {"final_soc": 0.2}
    home = house([0.5] * 2, [0.1] * 2, [2.5, 0.0], pv_kw=[1.0, 0.0], battery=empty, ev=ev)
    model = HomeModel(home)
    model.set_local(np.array([0.47, 0.5]), np.array([0.45, 0.4]), 0.0, np.array([2.5, 0.0]))
    # 1 sun, 2 battery and 2 vehicle meet 2.5 load: 0.5 battery and 2 vehicle are left.
    surplus = model.solve().surplus.at(0)
    assert surplus == pytest.approx((0.0, 0.5, 2.0, 0.0))


def test_sold_energy_is_delivered_and_bought_energy_is_used() -> None:
    model = HomeModel(house([0.5, 0.5], [0.1, 0.1], [1.0, 1.0], pv_kw=[0.0, 3.0]))
    model.fix_trades(np.array([0.4, -1.5]))
    done = model.solve()
    assert done.flows.grid_import == pytest.approx([0.6, 0.0])
    assert done.flows.grid_export == pytest.approx([0.0, 0.5])
    assert done.net_kwh == pytest.approx([1.0, -2.0])
    assert done.value_eur == pytest.approx(0.6 * 0.5 - 0.5 * 0.1)


def test_a_missed_charge_is_made_up_as_far_as_power_allows() -> None:
    model = HomeModel(house([0.1] * 2, [0.0] * 2, [0.0] * 2, ev=EV))
    model.fix_past(1, ev_kwh=2.0)
    assert model.solve().flows.ev_charge == pytest.approx([0.0, 2.0])
    with pytest.raises(HouseDataError, match="until_slot is 3; 0 to 2"):
        model.fix_past(3)


def test_a_kept_model_refuses_feed_in_above_import() -> None:
    with pytest.raises(HouseDataError, match="exceeds the import price in slot 1"):
        HomeModel(house([0.2, 0.2], [0.1, 0.3], [1.0, 1.0]))


def test_a_kept_model_needs_the_starts_of_appliances() -> None:
    washer = {"name": "washer", "rated_kw": 1.0, "hours": 2, "earliest_h": 0, "latest_h": 4}
    with pytest.raises(HouseDataError, match="appliance 'washer' starts in slot None; a slot from 0 to 2"):
        HomeModel(house([0.1] * 4, [0.0] * 4, [0.0] * 4, appliances=[washer]))


def test_replanning_keeps_what_has_run_and_moves_what_has_not() -> None:
    machines = [
        {"name": "washer", "rated_kw": 1.0, "hours": 1, "earliest_h": 0, "latest_h": 1},
        {"name": "dryer", "rated_kw": 1.0, "hours": 1, "earliest_h": 0, "latest_h": 4},
    ]
    morning = house([0.3, 0.3, 0.1, 0.2], [0.0] * 4, [0.0] * 4, appliances=machines)
    before = plan(morning)
    assert before.starts == {"washer": 0, "dryer": 2}
    noon = house([0.3, 0.3, 0.1, 0.2], [0.0] * 4, [0.0] * 4, appliances=machines, pv_kw=[0, 0, 0, 1.0])
    after = replan(noon, before, 1, State(), np.zeros(4))
    assert after.starts == {"washer": 0, "dryer": 3}
    assert after.import_kw == pytest.approx([1.0, 0.0, 0.0, 0.0])
    with pytest.raises(HouseDataError, match="now is slot 4; a slot from 0 to 3"):
        replan(noon, before, 4, State(), np.zeros(4))


def test_bought_energy_that_nobody_needs_is_not_burnt_in_the_battery() -> None:
    home = house([0.1], [-0.2], [1.0], battery=FULL_AND_LOSSY)
    after = replan(home, plan(home), 0, State(), np.array([4.0]))
    # Of 4 kWh bought the load takes 1; feeding in the rest costs 0.2 each.
    assert after.battery_charge_kw == pytest.approx([0.0])
    assert after.cost_eur == pytest.approx(0.6)


def test_neighbours_share_sun_for_the_fee() -> None:
    sunny = house([0.5], [0.1], [0.0], pv_kw=[2.0])
    shady = house([0.5], [0.1], [1.5])
    together = community_optimum([sunny, shady], 0.02)
    assert together.cost_eur == pytest.approx(1.5 * 0.02 - 0.5 * 0.1)
    assert together.local_kwh == pytest.approx([1.5])
    assert together.net_kwh == pytest.approx(np.array([[-2.0], [1.5]]))
    assert together.gap_eur == 0.0


def test_no_neighbour_passes_vehicle_energy_on_to_the_grid() -> None:
    with_ev = house([0.5, 0.1], [0.4, 0.1], [0.0, 0.0], ev=EV)
    bystander = house([0.5, 0.1], [0.4, 0.1], [0.0, 0.0], pv_kw=[1.0, 0.0])
    # The bystander's own kWh earns 0.4; another from the vehicle would earn it too, for 0.01 + 0.02 + 0.1.
    assert community_optimum([with_ev, bystander], 0.01).cost_eur == pytest.approx(-0.4)


def test_no_home_sells_vehicle_energy_to_itself_to_fill_its_battery() -> None:
    ev = EV | {"sessions": [{"arrival_slot": 0, "departure_slot": 1, "initial_soc": 0.5, "target_soc": 0.3}]}
    both = house([0.5, 0.6], [0.1, 0.4], [0.0, 0.0], ev=ev, battery=BATTERY)
    bystander = house([0.5, 0.6], [0.1, 0.4], [0.0, 0.0])
    # 2 kWh of the vehicle could be had for 0.02 + 0.01, stored for 0.01, and fed in for 0.4 less 0.01 an hour later.
    together = community_optimum([both, bystander], 0.01)
    assert together.cost_eur == pytest.approx(0.0)
    assert together.bound_eur == pytest.approx(2 * (0.02 + 0.01 + 0.02 - 0.4))
    model = HomeModel(both)
    model.set_local(np.array([0.21, 0.5]), np.array([0.2, 0.4]), 9.0, 0.0)
    assert model.solve().flows.ev_discharge == pytest.approx([0.0, 0.0])
    model.set_local(np.array([0.21, 0.5]), np.array([0.2, 0.4]), np.array([9.0, 0.0]), np.array([1.0, 0.0]))
    done = model.solve().flows
    assert done.ev_discharge[0] <= done.local_sell[0] + 1e-6


def test_homes_of_different_length_are_no_community() -> None:
    with pytest.raises(HouseDataError, match="has 2 slots of 1 h; 1 of 1 h"):
        CommunityModel([house([0.5], [0.1], [0.0]), house([0.5] * 2, [0.1] * 2, [0.0] * 2)], 0.02)
