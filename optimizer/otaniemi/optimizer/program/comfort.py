"""The band of a thermal load when no schedule keeps it any more: widened to the nearest that can be reached."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from otaniemi.optimizer.devices.thermal import ThermalLoad
from otaniemi.optimizer.program.thermostat import Thermostat

_MARGIN_C = 1e-6
_FIRST_SLACK_C = 0.05


def within_reach(load: ThermalLoad) -> ThermalLoad:
    """The same load if a schedule keeps its band; else with the band widened as little as lets one keep it.

    A measured temperature outside the band, or a day too hot for the device, must not leave a home without a plan.
    Where even the strongest schedule stays outside, the band reaches to that schedule, which makes it the only one
    until the band proper is reached: the fastest way back. Where whole levels still find no way, for a step is
    longer than the band is wide, both sides widen, 0.05 K at first and twice as much each time.
    """
    if _keepable(load):
        return load
    levels = np.stack([load.effect.argmin(axis=1), load.effect.argmax(axis=1)]).astype(np.int8)
    coldest, warmest = load.temperatures(levels)
    reached = replace(
        load,
        low_c=np.minimum(load.low_c, warmest - _MARGIN_C),
        high_c=np.maximum(load.high_c, coldest + _MARGIN_C),
    )
    slack = 0.0
    widened = reached
    while not _keepable(widened):
        slack = max(2.0 * slack, _FIRST_SLACK_C)
        widened = replace(reached, low_c=reached.low_c - slack, high_c=reached.high_c + slack)
    return widened


def _keepable(load: ThermalLoad) -> bool:
    """Whether some schedule keeps the band to the end."""
    low, high = Thermostat(load).viable[0]
    return bool(((low <= load.initial_c) & (load.initial_c <= high)).any())
