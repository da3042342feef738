"""Schedules of thermal loads at prices, against all of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from otaniemi.optimizer.devices.thermal import Levels, ThermalLoad
from otaniemi.optimizer.errors import InfeasibleHouseError
from otaniemi.optimizer.methods.pricing import ThermalPricing

SEEDS = range(40)


def a_load(seed: int, *, slots: int = 8) -> ThermalLoad:
    """A heater of one or two levels whose temperature may keep nearly everything or nothing of a slot's."""
    rng = np.random.default_rng(seed)
    levels = int(rng.integers(2, 4))
    keep = [
        rng.uniform(0.9, 1.0, slots),
        rng.uniform(0.0, 1.0, slots),
        np.where(rng.random(slots) < 0.3, 0.0, rng.uniform(0.5, 1.0, slots)),
        np.where(rng.random(slots) < 0.3, 1e-4, 1.0),
    ][seed % 4]
    warming = rng.uniform(0.3, 2.0, slots)
    return ThermalLoad(
        name="heater",
        level_kw=np.arange(levels, dtype=float),
        keep=keep,
        drift=(1.0 - keep) * rng.uniform(15.0, 20.0),
        effect=warming[:, None] * np.arange(levels),
        outdoor_share=1.0 - keep,
        low_c=np.full(slots, rng.uniform(14.0, 17.0)),
        high_c=np.full(slots, rng.uniform(20.0, 24.0)),
        initial_c=18.5,
    )


def all_kept(load: ThermalLoad) -> Levels:
    """Every schedule that keeps the band, shape (schedules, slots)."""
    schedules = np.array(list(itertools.product(range(load.level_kw.size), repeat=load.slots)), np.int8)
    reached = load.temperatures(schedules)
    return schedules[((reached >= load.low_c) & (reached <= load.high_c)).all(axis=1)]


def prices_of(load: ThermalLoad, seed: int) -> np.ndarray:
    return np.random.default_rng(1000 + seed).normal(size=(load.slots, load.level_kw.size))


def cost(prices: np.ndarray, schedules: Levels) -> np.ndarray:
    return prices[np.arange(schedules.shape[1]), schedules].sum(axis=1)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_schedule_is_cheaper_than_the_first(seed: int) -> None:
    load = a_load(seed)
    prices, kept = prices_of(load, seed), all_kept(load)
    found = ThermalPricing(load).schedules(prices, cells=4000, ends=4)
    assert cost(prices, found)[0] == pytest.approx(cost(prices, kept).min(), abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS[::2])
def test_every_schedule_keeps_the_band_even_on_a_coarse_grid(seed: int) -> None:
    load = a_load(seed, slots=40)
    found = ThermalPricing(load).schedules(prices_of(load, seed), cells=5, ends=8)
    reached = load.temperatures(found)
    assert found.shape[0] >= 1
    assert ((reached >= load.low_c) & (reached <= load.high_c)).all()


@pytest.mark.parametrize("points", [10, 300, 10000])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_bound_is_never_above_the_cheapest_schedule(seed: int, points: int) -> None:
    load = a_load(seed)
    prices, kept = prices_of(load, seed), all_kept(load)
    assert ThermalPricing(load).bound(prices, points) <= cost(prices, kept).min() + 1e-9


def test_the_bound_of_a_fine_grid_is_tight() -> None:
    missed = []
    for seed in SEEDS:
        load = a_load(seed)
        prices, kept = prices_of(load, seed), all_kept(load)
        missed.append(cost(prices, kept).min() - ThermalPricing(load).bound(prices, 100_000))
    assert np.median(missed) < 1e-9


def test_schedules_end_in_different_parts_of_the_band() -> None:
    load = a_load(0, slots=30)
    found = ThermalPricing(load).schedules(prices_of(load, 0), cells=500, ends=4)
    assert np.unique(load.temperatures(found)[:, -1].round(6)).size == found.shape[0] > 1


def test_a_band_that_nothing_keeps_is_refused_by_the_device() -> None:
    load = a_load(0)
    low = load.low_c.copy()
    low[3] = 90.0
    cold = ThermalLoad(**{**vars(load), "low_c": low, "high_c": np.full(load.slots, 99.0)})
    with pytest.raises(InfeasibleHouseError, match="heater"):
        ThermalPricing(cold)
