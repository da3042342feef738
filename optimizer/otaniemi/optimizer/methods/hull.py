"""What a home's devices take in a slot is one of a few amounts, not their mean: the inequalities that say so.

Where a flow is limited (sun, battery, vehicle, connection), the cost of a slot bends over the load, and a mixture of
schedules looks cheaper by its mean load than it is. So a slot gets a weight for every configuration of its devices,
and flows obey, for every choice of limited flows that are counted at their limit in each configuration,

    other sources + other sinks' room  >=  sum over configurations  w max(0, load + other sinks' limits - limits)

which holds in every single configuration and hence for their mixture. A source's limit is what it can give, a sink's
room is how much less than its limit it takes. Docs: docs/model.md, "Fast".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.program.day_program import DayProgram
from otaniemi.optimizer.program.exclusions import Mask
from otaniemi.optimizer.program.solver import Ints
from otaniemi.optimizer.program.stack import Place

_MOST_CONFIGURATIONS = 16
_SOURCES = ("grid_import", "pv_used", "battery_discharge", "ev_discharge")
_SINKS = ("grid_export", "battery_charge", "ev_charge")
_VIOLATED_KWH = 1e-4


@dataclass(frozen=True, eq=False)
class Switched:
    """A device as the slots see it: in a slot it takes one of a few energies.

    Attributes
    ----------
    level_kwh : array, shape (levels,)
        Energy of a slot at each level; 0 at level 0. [kWh]
    active : boolean array, shape (slots,)
        Slots in which it may run.
    """

    level_kwh: Floats
    active: Mask


@dataclass(frozen=True, eq=False)
class Configurations:
    """Configurations of the slots in which the cost bends; flat arrays over all of them.

    Attributes
    ----------
    slot, load_kwh : array, shape (configurations,)
        Slot, and energy of the devices that it covers. [kWh]
    level : integer array, shape (configurations, devices)
        Level of each device; -1 where the slot's configurations do not cover it.
    """

    slot: Ints
    load_kwh: Floats
    level: Ints


def configurations(devices: Sequence[Switched], bends: Bends) -> Configurations:
    """All configurations of the strongest devices of every slot that bends, at most 16 a slot."""
    slots, loads, levels = [], [], []
    power = [device.level_kwh[-1] for device in devices]
    strongest = sorted(range(len(devices)), key=lambda d: -power[d])
    for slot in range(bends.slots):
        covered: list[int] = []
        count = 1
        for d in strongest:
            count *= devices[d].level_kwh.size if devices[d].active[slot] else 1
            if devices[d].active[slot] and count <= _MOST_CONFIGURATIONS:
                covered.append(d)
        for chosen in _between(bends, slot, [devices[d].level_kwh for d in covered]):
            level = np.full(len(devices), -1, np.int32)
            level[covered] = chosen
            slots.append(slot)
            levels.append(level)
            loads.append(sum(devices[d].level_kwh[k] for d, k in zip(covered, chosen, strict=True)))
    return Configurations(
        np.array(slots, np.int32),
        np.array(loads, float),
        np.array(levels, np.int32).reshape(len(levels), len(devices)),
    )


def _between(bends: Bends, slot: int, level_kwh: list[Floats]) -> list[tuple[int, ...]]:
    """Configurations of a slot; none where the cost does not bend between the least and the greatest."""
    if not level_kwh or not bends.between(slot, 0.0, float(sum(energy[-1] for energy in level_kwh))):
        return []
    return list(product(*(range(energy.size) for energy in level_kwh)))


class Bends:
    """Where the cost of every slot bends over the load, in every scenario.

    Parameters
    ----------
    day : DayProgram
        Without devices' energy.
    """

    def __init__(self, day: DayProgram) -> None:
        self.slots, self._now = day.house.slots, day.begun.now
        self.sides = [_Sides(day, place) for place in day.stack.places]

    def between(self, slot: int, least_kwh: float, most_kwh: float) -> bool:
        """Whether the cost bends between two loads of the devices. [kWh]"""
        if slot < self._now:
            return False
        for side in self.sides:
            bend = side.limit[slot] - side.base[slot]
            if ((bend > least_kwh + _VIOLATED_KWH) & (bend < most_kwh - _VIOLATED_KWH)).any():
                return True
        return False


class _Sides:
    """One scenario's limited flows, and every choice of those that are counted at their limit.

    Attributes
    ----------
    base : array, shape (slots,)
        Load besides the devices, and what is sold less what is bought. [kWh]
    column : integer array, shape (slots, flows)
        -1 where it cannot flow.
    sign : array, shape (flows,)
        1 for sources, -1 for sinks.
    free : boolean array, shape (choices, flows)
        Flows not counted at their limit.
    limit : array, shape (slots, choices)
        Sources at their limit, less free sinks at theirs. [kWh]
    room : array, shape (slots, choices)
        Limits of the free sinks. [kWh]
    """

    def __init__(self, day: DayProgram, place: Place) -> None:
        house, program, home = day.house, day.stack.program, place.home
        trades = day.begun.trades_kwh
        self.base = home.load_kwh - trades
        names = [name for name in (*_SOURCES, *_SINKS) if (place.column(name) >= 0).any()]
        self.column = np.column_stack([place.column(name) for name in names])
        cap = np.where(self.column >= 0, program.upper[self.column], 0.0)
        unlimited = []
        for name, limit_kw, trade in (
            ("grid_import", house.import_limit_kw, -trades),
            ("grid_export", house.export_limit_kw, trades),
        ):
            if limit_kw is None:
                unlimited.append(name)
            else:
                cap[:, names.index(name)] = np.maximum(limit_kw * house.slot_hours + trade, 0.0)
        self.sign = np.array([1.0 if name in _SOURCES else -1.0 for name in names])
        # Without a limit a source is never counted at it, and a sink always has room.
        choices = [
            ((True,) if name in _SOURCES else (False,)) if name in unlimited else (False, True)
            for name in names
        ]
        self.free = np.array(list(product(*choices)))
        source = self.sign > 0
        at_limit = (~self.free & source).astype(float)
        free_sink = (self.free & ~source).astype(float)
        finite = np.where([name in unlimited for name in names], 0.0, cap)
        self.room = finite @ free_sink.T
        self.limit = finite @ at_limit.T - self.room


class Cuts:
    """The inequalities of the configurations, found where a solution breaks them.

    Parameters
    ----------
    bends : Bends
    found : Configurations
    first_weight : int
        Column of the first configuration's weight; the others follow.
    slack : array, shape (scenarios, slots)
        Column of energy from nowhere, -1 where there is none.
    """

    def __init__(self, bends: Bends, found: Configurations, first_weight: int, slack: Ints) -> None:
        self._bends, self._slack = bends, slack
        self._slots, first, count = np.unique(found.slot, return_index=True, return_counts=True)
        most = int(count.max(initial=0))
        at = first[:, None] + np.arange(most)
        self._there = np.arange(most) < count[:, None]
        at = np.where(self._there, at, 0)
        self._weights = at + first_weight
        self._lack = []
        for side in bends.sides:
            load = np.where(self._there, found.load_kwh[at], -np.inf) + side.base[self._slots, None]
            self._lack.append(np.maximum(load[:, None, :] - side.limit[self._slots][:, :, None], 0.0))

    def broken(self, solution: Floats) -> list[tuple[Ints, Floats, float]]:
        """In each slot and scenario the inequality that a solution breaks most: columns, factors, least value."""
        if not self._slots.size:
            return []
        weights = np.where(self._there, solution[self._weights], 0.0)
        cuts = []
        for side, lack, slack in zip(self._bends.sides, self._lack, self._slack, strict=True):
            column = side.column[self._slots]
            flow = np.where(column >= 0, solution[column], 0.0) * side.sign
            given = flow @ side.free.T.astype(float) + side.room[self._slots]
            slack_at = slack[self._slots]
            given += np.where(slack_at >= 0, solution[slack_at], 0.0)[:, None]
            missing = np.einsum("sdc,sc->sd", lack, weights) - given
            worst = missing.argmax(axis=1)
            for s in np.flatnonzero(missing[np.arange(worst.size), worst] > _VIOLATED_KWH):
                choice, there = worst[s], self._there[s]
                free = side.free[choice] & (column[s] >= 0)
                columns = [column[s][free], self._weights[s][there]]
                values = [side.sign[free], -lack[s, choice][there]]
                if slack_at[s] >= 0:
                    columns.append(slack_at[s : s + 1])
                    values.append(np.ones(1))
                least = -float(side.room[self._slots[s], choice])
                cuts.append((np.concatenate(columns).astype(np.int32), np.concatenate(values), least))
        return cuts
