"""Pairs of flows of which one is 0 in every slot, and how a program keeps them (docs/model.md, (8))."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from otaniemi.optimizer.house import House
from otaniemi.optimizer.program.extension import Extension
from otaniemi.optimizer.program.home_program import Flows
from otaniemi.optimizer.program.solver import Ints, Program
from otaniemi.optimizer.program.stack import Place

_SAME_KWH = 1e-7

Pair = tuple[str, str]
_BATTERY: Pair = ("battery_charge", "battery_discharge")
_EV: Pair = ("ev_charge", "ev_discharge")
_GRID: Pair = ("grid_import", "grid_export")
_STORED_SUN: Pair = ("battery_charge", "grid_import")

Mask = NDArray[np.bool_]


class Exclusions:
    """Which flows exclude each other, and where a binary keeps them apart.

    Wasting energy seldom pays, so a linear program keeps most exclusions by itself. Others get a binary, at once
    where breaking them could pay, or when a solution has broken them.

    Parameters
    ----------
    house : House
    case : int or None
        Case 2 adds that the battery charges only in slots without import.
    places : sequence of Place
        The scenarios.
    """

    def __init__(self, house: House, case: int | None, places: Sequence[Place]) -> None:
        pairs = [_GRID]
        pairs += [_BATTERY] if house.battery else []
        pairs += [_EV] if house.ev else []
        pairs += [_STORED_SUN] if house.battery and case == 2 else []
        self._house = house
        self._columns: dict[Pair, tuple[Ints, Ints]] = {}
        for pair in pairs:
            first, second = (np.array([place.column(name) for place in places]) for name in pair)
            self._columns[pair] = first, second
        buy, sell = house.tariff.import_eur_per_kwh, house.tariff.export_eur_per_kwh
        self._earning = sell > buy
        pays = {
            _GRID: self._earning,
            _BATTERY: buy < 0.0,
            _EV: buy < 0.0,
            _STORED_SUN: np.ones(buy.size, bool),
        }
        self._pays = {pair: np.tile(pays[pair], (len(places), 1)) for pair in pairs}
        self.let_go()

    def let_go(self) -> None:
        """Forget all binaries."""
        self._kept = {pair: np.zeros_like(pays) for pair, pays in self._pays.items()}

    def keep_paying(self) -> None:
        """A binary wherever breaking an exclusion could pay."""
        for pair, pays in self._pays.items():
            self._kept[pair] |= pays

    def keep_all(self) -> None:
        """A binary in every slot."""
        for kept in self._kept.values():
            kept[:] = True

    def keep_broken(self, flows: Sequence[Flows]) -> bool:
        """A binary wherever a plan has both flows; returns whether it has any."""
        any_broken = False
        for pair, kept in self._kept.items():
            both = [np.minimum(getattr(f, pair[0]), getattr(f, pair[1])) for f in flows]
            broken = (np.array(both) > _SAME_KWH) & ~kept
            any_broken |= bool(broken.any())
            kept |= broken
        return any_broken

    def extend(self, extended: Extension, program: Program) -> None:
        """Add the binaries and their rows to a program, where its bounds let both flows run."""
        for pair, kept in self._kept.items():
            if not kept.any():
                continue
            first, second = (columns[kept] for columns in self._columns[pair])
            there = (first >= 0) & (second >= 0)
            first, second = first[there], second[there]
            usable = (program.upper[first] > 0.0) & (program.upper[second] > 0.0)
            extended.exclude(first[usable], second[usable])

    def cancelled(self, flows: Flows) -> Flows:
        """The same plan without two opposite flows in one slot where cancelling them changes nothing else."""
        both = np.where(self._earning, 0.0, np.minimum(flows.grid_import, flows.grid_export))
        flows = replace(flows, grid_import=flows.grid_import - both, grid_export=flows.grid_export - both)
        house = self._house
        if house.battery and house.battery.charge_efficiency * house.battery.discharge_efficiency == 1.0:
            both = np.minimum(flows.battery_charge, flows.battery_discharge)
            flows = replace(
                flows,
                battery_charge=flows.battery_charge - both,
                battery_discharge=flows.battery_discharge - both,
            )
        if house.ev and house.ev.charge_efficiency * house.ev.discharge_efficiency == 1.0:
            both = np.minimum(flows.ev_charge, flows.ev_discharge)
            flows = replace(flows, ev_charge=flows.ev_charge - both, ev_discharge=flows.ev_discharge - both)
        return flows
