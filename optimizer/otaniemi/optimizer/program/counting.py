"""How often a thermal device can have run at a level up to a slot, whatever its schedule (docs/model.md)."""

from __future__ import annotations

import numpy as np

from otaniemi.optimizer.devices.thermal import Levels, ThermalLoad
from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.program.thermostat import Thermostat

_ROUNDING_C = 1e-6


def count_ranges(load: ThermalLoad, past: Levels) -> tuple[Floats, Floats]:
    """Least and most slots up to and including each that a schedule within the band spends at each level above 0.

    Follows, for every count, the range of temperatures that schedules with that count can have, cut in every slot
    to those from which the band can still be kept. The range is a hull, so no schedule is left out.

    Parameters
    ----------
    load : ThermalLoad
        With a band that some schedule keeps.
    past : integer array, shape (past slots,)
        Levels of the slots that are over.

    Returns
    -------
    least, most : arrays, shape (slots, levels - 1)
    """
    viable = Thermostat(load).viable[1:]
    floor = np.array([ends[0].min(initial=np.inf) for ends in viable]) - _ROUNDING_C
    ceiling = np.array([ends[1].max(initial=-np.inf) for ends in viable]) + _ROUNDING_C
    levels = load.level_kw.size - 1
    least, most = np.zeros((load.slots, levels)), np.zeros((load.slots, levels))
    for level in range(1, levels + 1):
        others = np.delete(load.effect, level, axis=1)
        coldest, warmest = others.min(axis=1), others.max(axis=1)
        low, high = np.full((2, load.slots + 1), np.nan)
        low[0] = high[0] = load.initial_c
        for slot in range(load.slots):
            low = load.keep[slot] * low + load.drift[slot]
            high = load.keep[slot] * high + load.drift[slot]
            stays = low + coldest[slot], high + warmest[slot]
            rises = (np.append(np.nan, ends[:-1] + load.effect[slot, level]) for ends in (low, high))
            if slot < past.size:
                low, high = rises if past[slot] == level else stays
            else:
                risen_low, risen_high = rises
                low, high = np.fmin(stays[0], risen_low), np.fmax(stays[1], risen_high)
            low, high = np.maximum(low, floor[slot]), np.minimum(high, ceiling[slot])
            possible = low <= high
            low, high = np.where(possible, low, np.nan), np.where(possible, high, np.nan)
            counts = np.flatnonzero(possible)
            least[slot, level - 1], most[slot, level - 1] = counts[0], counts[-1]
    return least, most
