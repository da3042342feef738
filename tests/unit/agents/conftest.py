"""Small days to trade."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from otaniemi.platform.community import Battery, Home
from otaniemi.platform.data.scenario import Prices, TradingDay

MakeDay = Callable[..., TradingDay]

BATTERY = Battery(
    capacity_kwh=6.0,
    power_kw=2.0,
    initial_soc=0.5,
    final_soc=0.5,
    min_soc=0.1,
    charge_efficiency=0.95,
    discharge_efficiency=0.95,
    wear_eur_per_kwh=0.005,
)


@pytest.fixture
def make_day() -> MakeDay:
    """Makes an hourly day of flat loads and a given PV; import 0.20, feed-in 0.05, fee 0.02 EUR/kWh."""

    def make(
        homes: tuple[Home, ...],
        load_wh: tuple[int, ...],
        pv_wh: tuple[int, ...],
        import_micro: np.ndarray | int = 200_000,
    ) -> TradingDay:
        retail = np.broadcast_to(np.asarray(import_micro, np.int64), 24)
        feed_in = np.full(24, 50_000)
        noon = np.zeros(24, np.int64)
        noon[10:14] = 1
        load = np.array(load_wh)[:, None] * np.ones(24, np.int64)
        return TradingDay(
            index=0,
            first_slot=1000,
            slot_seconds=3600,
            homes=homes,
            load_wh=load,
            pv_wh=np.array(pv_wh)[:, None] * noon,
            outdoor_c=np.full(24, 18.0),
            past_load_wh=np.tile(load, (1, 7)),
            prices=Prices(retail, feed_in, retail + 30_000, feed_in - 30_000, feed_in),
            local_fee_micro=20_000,
        )

    return make


@pytest.fixture
def sun_and_shade() -> tuple[Home, ...]:
    """A home with PV beside one without."""
    return Home(home=1, pv_scale=1.0), Home(home=2, pv_scale=0.0)


@pytest.fixture
def with_battery() -> tuple[Home, ...]:
    """A home with PV, one with a battery, one with neither."""
    return Home(home=1, pv_scale=1.0), Home(home=2, pv_scale=0.0, battery=BATTERY), Home(home=3, pv_scale=0.0)
