"""One home's offers, positions, schedule and meter."""

from __future__ import annotations

import numpy as np
import pytest

from otaniemi.contracts.rules.calendar import Source
from otaniemi.contracts.rules.orders import Step
from otaniemi.optimizer.program.choices import Choices
from otaniemi.platform.agents.home import HomeAgent
from otaniemi.platform.agents.record import Fill
from otaniemi.platform.forecast import Perfect


def agent(day, home: int = 0) -> HomeAgent:
    return HomeAgent(day, home, Perfect(day), 0, Choices({}, {}))


def test_without_storage_deficit_is_bid_at_import_less_fee_and_surplus_offered_at_feed_in(
    make_day, sun_and_shade
) -> None:
    day = make_day(sun_and_shade, (300, 400), (1300, 0))
    assert agent(day, 0).last_call(12, 11) == [Step(1012, 50_000, 1000, Source.PV, False)]
    assert agent(day, 0).last_call(3, 2) == [Step(1003, 180_000, 300, Source.GRID, True)]
    assert agent(day, 1).last_call(12, 11) == [Step(1012, 180_000, 400, Source.GRID, True)]


def test_day_ahead_offers_half_of_every_step_when_half_is_the_share(make_day, sun_and_shade) -> None:
    day = make_day(sun_and_shade, (300, 401), (1300, 0))
    announced = np.full(24, 115_000)
    whole = agent(day, 1).day_ahead(-12, announced, averaging=False, share=1.0)
    half = agent(day, 1).day_ahead(-12, announced, averaging=False, share=0.5)
    assert [step.quantity for step in whole] == [401] * 24
    assert [step.quantity for step in half] == [200] * 24


def test_a_battery_sells_in_the_dear_hours_what_it_keeps_after_the_home(make_day, with_battery) -> None:
    retail = np.full(24, 100_000)
    retail[18:20] = 400_000
    day = make_day(with_battery, (500, 200, 900), (0, 0, 0), retail)
    steps = agent(day, 1).last_call(18, 17)
    assert {step.source for step in steps if not step.buy} == {Source.BATTERY}
    # 2 kW of power, of which the home takes 200 Wh first.
    assert sum(step.quantity for step in steps if not step.buy) == 1800


def test_storage_is_kept_for_a_later_hour_that_was_announced_dearer(make_day, with_battery) -> None:
    retail = np.full(24, 100_000)
    retail[17:20] = 400_000
    day = make_day(with_battery, (0, 0, 900), (0, 0, 0), retail)
    one = agent(day, 1)
    announced = np.full(24, 60_000)
    announced[17], announced[18:20] = 200_000, 350_000
    one.day_ahead(-12, announced, averaging=False, share=1.0)
    assert sum(step.quantity for step in one.last_call(17, 16) if not step.buy) < 2000
    assert sum(step.quantity for step in one.last_call(18, 17) if not step.buy) == 2000


def test_a_sale_is_nominated_and_delivered(make_day, with_battery) -> None:
    retail = np.full(24, 100_000)
    retail[0] = 400_000
    day = make_day(with_battery, (500, 200, 900), (0, 0, 0), retail)
    one = agent(day, 1)
    sale = Step(1000, 300_000, 1500, Source.BATTERY, False)
    one.on_fills([Fill(sale, 1500, 310_000)])
    assert one.nominate(0, 0) <= -1500
    metered = one.deliver(0, 200, 0)
    assert metered.export_wh >= 1500
    assert metered.battery_wh == -metered.export_wh - 200
    assert one.record.trade_nano[0] == -1500 * 310_000
    assert one.record.fee_nano.sum() == 0


def test_the_meter_shows_what_the_forecast_missed(make_day, sun_and_shade) -> None:
    day = make_day(sun_and_shade, (300, 400), (0, 0))
    one = agent(day, 1)
    assert one.nominate(0, 0) == 400
    assert one.deliver(0, 650, 0).net_wh == 650
    assert one.record.imbalance_wh() == 250
    # 400 Wh at retail, 250 Wh short at 0.23 EUR/kWh.
    assert one.record.cost_nano() == 400 * 200_000 + 250 * 230_000


@pytest.mark.parametrize(("long_micro", "net"), [(20_000, -1000), (-1, -700)])
def test_pv_beyond_the_schedule_is_curtailed_only_where_it_costs_money(
    make_day, sun_and_shade, long_micro: int, net: int
) -> None:
    day = make_day(sun_and_shade, (300, 400), (1000, 0))
    day.prices.long_micro[:] = long_micro
    one = agent(day)
    for slot in range(11):
        one.nominate(slot, slot)
    assert one.record.schedule_wh[10] == -700
    assert one.deliver(10, 300, 1300).net_wh == net


def test_bought_energy_pays_the_local_fee(make_day, sun_and_shade) -> None:
    day = make_day(sun_and_shade, (300, 400), (0, 0))
    one = agent(day, 1)
    one.on_fills([Fill(Step(1005, 180_000, 400, Source.GRID, True), 400, 100_000)])
    for slot in range(24):
        one.nominate(slot, slot)
        one.deliver(slot, 400, 0)
    assert one.record.fee_nano.sum() == 400 * 20_000
    assert one.record.cost_nano() == 23 * 400 * 200_000 + 400 * 120_000


def test_states_of_charge_at_both_midnights_are_the_files(make_day, with_battery) -> None:
    day = make_day(with_battery[1:2], (300,), (2500,))
    one = agent(day)
    for slot in range(24):
        one.nominate(slot, slot)
        one.deliver(slot, int(day.load_wh[0, slot]), int(day.pv_wh[0, slot]))
    assert one.record.battery_kwh[-1] == pytest.approx(3.0, abs=1e-6)
