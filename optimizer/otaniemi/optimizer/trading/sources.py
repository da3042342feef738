"""Where offered energy comes from: home load takes PV, then battery, then vehicle; what is left is sold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.program.home_program import Flows

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


def split_by_source(flows: Flows, load_kwh: Floats, trades_kwh: Floats, sold_kwh: Floats) -> SourceSplit:
    """Energy that a plan gives away, by source.

    The home's own use (load and charging, less what grid and neighbours bring) takes PV, then battery, then
    vehicle; what is left is given away under its source. Vehicle energy never goes to the grid, so it is counted
    into what is sold before PV and battery. Energy that no own source covers is labelled "grid".

    Parameters
    ----------
    flows : Flows
    load_kwh : array, shape (slots,)
        Base load and appliances. [kWh]
    trades_kwh : array, shape (slots,)
        Committed trades, import positive; committed sales are served before new ones. [kWh]
    sold_kwh : array, shape (slots,)
        New sales to label. [kWh]
    """
    bought = flows.grid_import + flows.local_buy + np.maximum(trades_kwh, 0.0)
    use = np.maximum(load_kwh + flows.battery_charge + flows.ev_charge - bought, 0.0)
    left = []
    for given in (flows.pv_used, flows.battery_discharge, flows.ev_discharge):
        taken = np.minimum(given, use)
        use = use - taken
        left.append(given - taken)
    pv, battery, v2h = left
    committed = np.maximum(-trades_kwh, 0.0)
    rest = sold_kwh + committed
    shares = []
    for source in (v2h, pv, battery):
        shares.append(np.minimum(source, rest))
        rest = rest - shares[-1]
    shares = [shares[1], shares[2], shares[0], rest]
    for k, share in enumerate(shares):
        taken = np.minimum(share, committed)
        committed = committed - taken
        shares[k] = share - taken
    return SourceSplit(*shares)
