"""What the study's allocation rules do in a slot; the numbers are the study's or worked by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from otaniemi.optimizer.devices.battery import Battery
from otaniemi.optimizer.devices.vehicle import ElectricVehicle, EvSession
from otaniemi.optimizer.errors import HouseDataError
from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.house import House, Tariff
from otaniemi.optimizer.methods.allocation import Allocation, Rules
from otaniemi.optimizer.plan import house_of_case
from otaniemi.optimizer.program.home_program import Flows
from otaniemi.optimizer.study import study_house

SLOTS, HOURS = 120, 0.2
EVENING = EvSession(arrival_slot=90, departure_slot=120, initial_soc=0.5, target_soc=0.9)
EV = ElectricVehicle(16.0, 3.3, (EVENING,), 0.2, 1.0, 0.95, 0.95, v2h="home")
BATTERY = Battery(13.44, 2.0, 0.5, 0.5, 0.2, 1.0, 0.95, 0.95)


def price(*spans: tuple[int, int, float], rest: float = 0.5) -> Floats:
    """A price of `rest`, and others from one slot to before another."""
    prices = np.full(SLOTS, rest)
    for first, end, eur in spans:
        prices[first:end] = eur
    return prices


def home(prices: Floats, *, load: float = 0.0, sun: Floats | float = 0.0, **more: object) -> House:
    given = {"ev": None, "battery": None} | more
    return House(
        slots=SLOTS,
        slot_hours=HOURS,
        tariff=Tariff(prices, prices),
        base_load_kw=np.full(SLOTS, load),
        pv_kw=np.broadcast_to(np.asarray(sun, float), SLOTS).copy(),
        **given,  # type: ignore[arg-type]
    )


def allocated(house: House, case: int | None = 4, rules: Rules | None = None) -> Flows:
    house = house_of_case(house, case)
    (flows,) = Allocation(house, case, rules or Rules()).flows(house.base_load_kw * HOURS)
    return flows


PEAK_ALWAYS = price(rest=1.0)
"""Nothing is cheap: every price is the highest."""


def test_a_vehicle_that_only_loads_waits_until_the_slots_left_force_it() -> None:
    flows = allocated(home(PEAK_ALWAYS, ev=EV), case=3)
    assert np.flatnonzero(flows.ev_charge).tolist() == list(range(109, 120))
    assert flows.ev_charge[109:] == pytest.approx(np.full(11, 0.66))
    assert not flows.ev_discharge.any()


def test_whole_slots_end_within_a_slot_above_the_target() -> None:
    soc = allocated(home(PEAK_ALWAYS, ev=EV), case=3).ev_stored / 16.0
    assert np.diff(soc[108:]) == pytest.approx(np.full(11, 0.03919), abs=5e-6)
    assert 0.9 <= soc[-1] < 0.939


def test_half_full_to_nine_tenths_takes_what_the_study_says() -> None:
    flows = allocated(home(PEAK_ALWAYS, ev=replace(EV, max_soc=0.9)), case=3)
    assert flows.ev_charge.sum() == pytest.approx(6.74, abs=0.005)


def test_the_unplugged_vehicle_does_nothing() -> None:
    flows = allocated(home(price(rest=0.1), load=1.0, ev=EV))
    away = np.arange(SLOTS) < 90
    assert np.isnan(flows.ev_stored[away]).all()
    assert not flows.ev_charge[away].any()
    assert not flows.ev_discharge[away].any()


def test_the_vehicle_charges_as_soon_as_the_price_is_low() -> None:
    flows = allocated(home(price((95, 120, 0.2), rest=1.0), ev=EV), case=3)
    assert np.flatnonzero(flows.ev_charge).tolist() == list(range(95, 106))


def test_a_vehicle_as_a_source_serves_the_home_while_the_price_is_high() -> None:
    flows = allocated(home(price((90, 97, 1.0)), load=5.0, ev=EV))
    soc = flows.ev_stored / 16.0
    # Full power for six slots; the seventh is left the rest above the guard, 0.29 K 16 kWh.
    assert flows.ev_discharge[90:96] == pytest.approx(np.full(6, 0.66))
    assert np.diff(np.append(0.5, soc[90:96])) == pytest.approx(np.full(6, -0.04342), abs=5e-6)
    assert soc[96] == pytest.approx(0.21)
    assert not flows.ev_discharge[97:].any()
    assert flows.grid_import[90] == pytest.approx(1.0 - 0.66)
    assert soc[-1] >= 0.9


def test_an_empty_vehicle_gave_four_and_a_half_kilowatt_hours() -> None:
    flows = allocated(home(price((90, 97, 1.0)), load=5.0, ev=EV), rules=Rules(guard_soc=0.0))
    assert flows.ev_discharge.sum() == pytest.approx(4.56)


def test_the_vehicle_gives_no_more_than_the_home_lacks() -> None:
    flows = allocated(home(price((90, 97, 1.0)), load=1.5, sun=1.0, ev=EV))
    assert flows.ev_discharge[90:97] == pytest.approx(np.full(7, 0.1))
    assert not flows.grid_export[90:].any()


def test_discharging_stops_where_the_target_needs_every_slot_left() -> None:
    late = replace(EV, sessions=(EvSession(108, 120, 0.5, 0.9),))
    flows = allocated(home(PEAK_ALWAYS, load=5.0, ev=late))
    soc = flows.ev_stored / 16.0
    assert 0.0 < flows.ev_discharge.sum() < 0.66
    assert not (np.minimum(flows.ev_charge, flows.ev_discharge) > 0).any()
    assert soc[-1] >= 0.9 - 1e-12


def test_the_battery_steps_as_the_study_says() -> None:
    prices = price((0, 5, 0.1), (50, 55, 1.0))
    soc = allocated(home(prices, battery=BATTERY), case=3).battery_stored / 13.44
    assert np.diff(np.append(0.5, soc[:5])) == pytest.approx(np.full(5, 0.02827), abs=5e-6)
    assert np.diff(soc[49:55]) == pytest.approx(np.full(5, -0.03133), abs=5e-6)


def test_a_full_battery_delivers_ten_kilowatt_hours() -> None:
    full = replace(BATTERY, initial_soc=1.0, final_soc=0.2)
    flows = allocated(home(price((0, 60, 1.0)), battery=full), 3, Rules(guard_soc=0.0))
    assert flows.battery_discharge.sum() == pytest.approx(10.21, abs=0.005)
    assert flows.grid_export.sum() == pytest.approx(10.21, abs=0.005)


def test_the_guard_keeps_the_battery_off_its_bounds() -> None:
    prices = price((0, 40, 0.1), (60, 100, 1.0))
    soc = allocated(home(prices, battery=replace(BATTERY, final_soc=0.2)), 3, Rules(guard_soc=0.05))
    stored = soc.battery_stored / 13.44
    assert stored.max() == pytest.approx(0.95)
    assert stored.min() == pytest.approx(0.25)


def test_the_battery_ends_as_full_as_asked() -> None:
    for case in (2, 3, 4):
        sun = 3.0 * (np.abs(np.arange(SLOTS) - 60) < 20)
        flows = allocated(home(price((85, 100, 1.0)), load=0.6, sun=sun, battery=BATTERY), case)
        assert flows.battery_stored[-1] >= 0.5 * 13.44 - 1e-9
        assert flows.battery_discharge.sum() > 0.0


def test_between_the_thresholds_the_battery_stores_sun_and_serves_the_home() -> None:
    sun = 3.0 * (np.abs(np.arange(SLOTS) - 60) < 20)
    flows = allocated(home(price((110, 115, 0.72), rest=0.5), load=0.6, sun=sun, battery=BATTERY), case=3)
    assert flows.battery_charge[60] == pytest.approx(0.4)
    assert flows.battery_discharge[10] == pytest.approx(0.12)
    assert not (flows.battery_charge[flows.grid_import > 0] > 1e-12).any()


def test_in_case_2_only_sun_beyond_the_base_load_is_stored_and_nothing_is_sold() -> None:
    sun = 3.0 * (np.abs(np.arange(SLOTS) - 60) < 20)
    house = home(price((0, 30, 0.1)), load=1.4, sun=sun, battery=BATTERY)
    flows = allocated(house, case=2)
    assert flows.battery_charge.max() == pytest.approx(1.6 * HOURS)
    assert not (np.minimum(flows.battery_charge, flows.grid_import) > 0).any()
    assert not flows.grid_export.any()


def test_the_readings_put_the_thresholds_elsewhere() -> None:
    prices = np.array([0.5, 1.0])
    assert Rules().prices(prices) == pytest.approx((0.8, 0.6))
    assert Rules(reading="range").prices(prices) == pytest.approx((0.9, 0.8))
    tariff = price((0, 10, 0.62), (50, 60, 1.0), rest=0.9)
    tariff[100] = 0.3  # 0.62 is above 0.6 of the highest, and below 0.3 + 0.6 of the range, 0.72
    assert not allocated(home(tariff, battery=BATTERY), 3).battery_charge[:10].any()
    assert allocated(home(tariff, battery=BATTERY), 3, Rules(reading="range")).battery_charge[:10].any()


def test_days_are_allocated_independently_of_those_beside_them() -> None:
    house = house_of_case(study_house(), 4)
    loads = np.random.default_rng(1).uniform(0.0, 1.5, (3, 2, SLOTS))
    rules = Allocation(house, 4, Rules())
    together, missing = rules.costs(loads)
    assert together.shape == missing.shape == (3, 2)
    assert rules.costs(loads[1, 1])[0] == together[1, 1]


def test_an_import_limit_that_the_rules_break_is_counted() -> None:
    house = home(PEAK_ALWAYS, load=3.0, import_limit_kw=2.0)
    _, missing = Allocation(house, None, Rules()).costs(house.base_load_kw * HOURS)
    assert missing == pytest.approx(SLOTS * 0.2)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"sell_from": 0.5}, "sell_from"), ({"guard_soc": -1.0}, "guard_soc"), ({"reading": "mean"}, "reading")],
)
def test_impossible_rules_are_refused_by_name(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(HouseDataError, match=words):
        Rules(**wrong)  # type: ignore[arg-type]
