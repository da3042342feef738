"""Thermal devices of a home that trades: their levels moved to where they cost least, slot by slot within the band.

A kept linear program knows what a plan costs at given levels; the dynamic programme of `pricing` knows the cheapest
levels at given prices of every slot and level. In turn they find better levels: prices from the plan, levels from the
prices, and the plan with those levels if it is cheaper. Nothing is kept that the linear program has not confirmed.
Docs: docs/model.md, "Kept model".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from otaniemi.optimizer.devices.thermal import Levels, ThermalLoad
from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.house import Tariff
from otaniemi.optimizer.methods.pricing import ThermalPricing
from otaniemi.optimizer.program.comfort import within_reach
from otaniemi.optimizer.program.thermostat import Thermostat

_CELLS = 200
_WORTH_EUR = 1e-4
"""Least saving for which levels change."""
_FORBIDDEN_EUR = 1e6


class Kept(Protocol):
    """A kept program with a home in it: `HomeModel`, or a home of a `CommunityModel`."""

    def set_levels(self, levels: Mapping[str, Levels]) -> None:
        """Run the home's thermal devices at these levels."""

    def value(self) -> float:
        """Cost of the cheapest plan; inf where there is none."""

    def load_prices(self) -> tuple[Floats, Floats]:
        """See `HomeModel.load_prices`."""


class Shifter:
    """The levels of a home's thermal devices over a day, as far as they are open.

    Parameters
    ----------
    model : Kept
        Follows the levels.
    tariff : Tariff
        Of the home.
    slot_hours : float
    loads : sequence of ThermalLoad
        From where they are now (`ThermalLoad.from_slot`); a band that cannot be kept is widened as little as may be.
    levels : mapping
        To begin with; made to keep the bands.

    Attributes
    ----------
    levels : dict
        Level of every device and slot, by field; integer arrays of shape (slots,).
    """

    def __init__(
        self,
        model: Kept,
        tariff: Tariff,
        slot_hours: float,
        loads: Sequence[ThermalLoad],
        levels: Mapping[str, Levels],
    ) -> None:
        self._model, self._tariff, self._dt = model, tariff, slot_hours
        self.levels = dict(levels)
        self.see(loads)

    def see(self, loads: Sequence[ThermalLoad], now: int = 0) -> bool:
        """Go on from these loads (`ThermalLoad.from_slot`) in slot `now`: measured temperatures, a new forecast.

        Levels change as little as bands allow; returns whether they had to.
        """
        self._loads, self._now = {load.name: load for load in loads}, now
        self._pricing: dict[str, ThermalPricing] = {}
        moved = False
        for name, load in self._loads.items():
            if not _keeps(load, self.levels[name]):
                self._loads[name] = within_reach(load)
                self.levels[name] = Thermostat(self._loads[name]).keep(self.levels[name])
                moved = True
        if moved:
            self._model.set_levels(self.levels)
        return moved

    def improve(self, rounds: int = 2) -> None:
        """Move each device's levels to where they cost least, while that saves more than 0.01 ct."""
        if not self._loads:
            return
        best = self._model.value()
        for _ in range(rounds):
            before = best
            for name, load in self._loads.items():
                for opinion in self._level_prices(load):
                    candidate = self._cheapest(load, opinion)
                    self._model.set_levels(self.levels | {name: candidate})
                    value = self._model.value()
                    if value < best - _WORTH_EUR:
                        best, self.levels[name] = value, candidate
                self._model.set_levels(self.levels)
                self._model.value()
            if best == before:
                return

    def alternatives(self, slot: int) -> list[dict[str, Levels]]:
        """Other things the devices could do in a slot: each device at each other level, its later levels adapted.

        By the mean of what marginal prices and the tariff say.
        """
        found = []
        if self._loads:
            self._model.value()
        for name, load in self._loads.items():
            prices = self._level_prices(load)[-1]
            for level in range(load.level_kw.size):
                if level == self.levels[name][slot]:
                    continue
                forced = prices.copy()
                forced[slot] += _FORBIDDEN_EUR
                forced[slot, level] -= _FORBIDDEN_EUR
                candidate = self._cheapest(load, forced)
                if candidate[slot] == level:
                    found.append(self.levels | {name: candidate})
        return found

    def _cheapest(self, load: ThermalLoad, prices: Floats) -> Levels:
        if load.name not in self._pricing:
            self._pricing[load.name] = ThermalPricing(load.rest(self._now))
        levels = self.levels[load.name].copy()
        levels[self._now :] = self._pricing[load.name].schedules(prices[self._now :], _CELLS)[0]
        return levels

    def _level_prices(self, load: ThermalLoad) -> Floats:
        """What every level costs in every slot, three opinions, shape (3, slots, levels). [EUR]

        By the plan's marginal prices, which let storage follow the device but hold for small changes only; by the
        tariff for what the home then takes from the grid, storage staying as planned; and their mean.
        """
        marginal, grid_kwh = self._model.load_prices()
        energy = load.level_kw * self._dt
        linear = marginal[:, None] * energy
        taken = grid_kwh[:, None] - energy[self.levels[load.name]][:, None] + energy
        buy, sell = self._tariff.import_eur_per_kwh[:, None], self._tariff.export_eur_per_kwh[:, None]
        retail = buy * np.maximum(taken, 0.0) - sell * np.maximum(-taken, 0.0)
        retail -= retail[:, :1]
        return np.stack([linear, retail, (linear + retail) / 2.0])


def _keeps(load: ThermalLoad, levels: Levels) -> bool:
    """Whether levels keep the band."""
    reached = load.temperatures(levels)
    return bool(((reached >= load.low_c) & (reached <= load.high_c)).all())
