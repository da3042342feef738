"""Where offered energy comes from: home load takes PV, then battery, then vehicle; what is left is sold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from otaniemi.optimizer.home_program import Flows
from otaniemi.optimizer.house import Floats

GRID, PV, BATTERY, V2H = 0, 1, 2, 3


@dataclass(frozen=True, eq=False)
class SourceSplit:
    """Sold energy of every slot by source, shape (slots,). [kWh]"""

    pv: Floats
    battery: Floats
    v2h: Floats
    grid: Floats

    def at(self, slot: int) -> tuple[float, float, float, float]:
        """(pv, battery, v2h, grid) of one slot."""
        return float(self.pv[slot]), float(self.battery[slot]), float(self.v2h[slot]), float(self.grid[slot])

    def total(self) -> Floats:
        """Sold energy of every slot."""
        return self.pv + self.battery + self.v2h + self.grid


def split_by_source(flows: Flows, load_kwh: Floats, trades_kwh: Floats) -> SourceSplit:
    """Local sales of a plan by source.

    The home's own use (load and charging, less what grid and neighbours bring) takes PV, then battery, then
    vehicle. Vehicle energy never goes to the grid, so what is left of it is sold first; committed sales come
    before new ones and the grid takes the rest. Energy that no own source covers is labelled "grid".

    Parameters
    ----------
    flows : Flows
    load_kwh : array, shape (slots,)
        Base load and appliances. [kWh]
    trades_kwh : array, shape (slots,)
        Committed trades, import positive; committed sales are covered by the sources before new ones. [kWh]
    """
    bought = flows.grid_import + flows.local_buy + np.maximum(trades_kwh, 0.0)
    use = np.maximum(load_kwh + flows.battery_charge + flows.ev_charge - bought, 0.0)
    committed = np.maximum(-trades_kwh, 0.0)
    left = []
    for given in (flows.pv_used, flows.battery_discharge, flows.ev_discharge):
        taken = np.minimum(given, use)
        use = use - taken
        left.append(given - taken)
    pv, battery, v2h = left
    sold = flows.local_sell + committed
    sold_v2h = np.minimum(v2h, sold)
    sold_pv = np.minimum(pv, sold - sold_v2h)
    sold_battery = np.minimum(battery, sold - sold_v2h - sold_pv)
    grid = sold - sold_v2h - sold_pv - sold_battery
    split = [sold_pv, sold_battery, sold_v2h, grid]
    # Committed sales take their share in the same order: PV, battery, vehicle, grid.
    for k, part in enumerate(split):
        taken = np.minimum(part, committed)
        committed = committed - taken
        split[k] = part - taken
    return SourceSplit(*split)
