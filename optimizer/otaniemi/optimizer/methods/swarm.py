"""The reference study's particle swarm: switching bits and starts by swarm, energy flows by allocation rules.

A particle holds a bit for every slot and every power level above off of the thermal devices (a device on or off has
one per slot), and an integer start for every appliance. Bits move as in binary particle swarms: a bit is 1 with the
probability sigmoid(velocity). All particles of all seeds are rows of one array; every seed has its own generator, so
that its result does not depend on the seeds beside it.

References
----------
J. Kennedy and R. Eberhart, *A discrete binary version of the particle swarm algorithm*, IEEE SMC (1997).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from otaniemi.optimizer.devices.thermal import Levels
from otaniemi.optimizer.errors import InfeasibleHouseError
from otaniemi.optimizer.fields import Floats, whole
from otaniemi.optimizer.house import House
from otaniemi.optimizer.methods.allocation import Allocation, Rules
from otaniemi.optimizer.methods.exact import DayModel
from otaniemi.optimizer.program.choices import Choices
from otaniemi.optimizer.program.dispatch import Found, dispatch
from otaniemi.optimizer.program.thermostat import Thermostat, degree_slots

Singles = NDArray[np.float32]
_SAME = 1e-9


@dataclass(frozen=True)
class SwarmOptions:
    """Parameters of the swarm; the defaults are the study's, the penalties and the speed limit ours.

    Attributes
    ----------
    seeds : tuple of int
        One independent run for each.
    repair : bool
        True: a thermostat corrects every particle, which then keeps all bands. False: missed bands only cost a
        penalty, as in the study; the best particle may miss some.
    inertia : (float, float)
        From the first to the last iteration, falling linearly.
    own_factor, swarm_factor : float
        Learning factors towards the particle's own best and the swarm's.
    penalty_eur_per_k, penalty_eur_per_kwh : float
        For every kelvin outside a band in a slot, and every kWh beyond an import limit or short of a target.
    bit_speed : float
        Limit of a bit's velocity; at 6 a bit is drawn against it once in 400 times.
    """

    seeds: tuple[int, ...] = (0,)
    iterations: int = 3000
    population: int = 30
    repair: bool = True
    rules: Rules = field(default_factory=Rules)
    inertia: tuple[float, float] = (0.9, 0.2)
    own_factor: float = 2.0
    swarm_factor: float = 2.0
    penalty_eur_per_k: float = 1.0
    penalty_eur_per_kwh: float = 10.0
    bit_speed: float = 6.0

    def __post_init__(self) -> None:
        whole("iterations", self.iterations, 0, 10**7)
        whole("population", self.population, 1, 10**5)
        for seed in self.seeds:
            whole("seed", seed, 0, 2**63)

    def limited(self, iterations: int | None) -> SwarmOptions:
        """The same with at most so many iterations."""
        return self if iterations is None else replace(self, iterations=min(self.iterations, iterations))


@dataclass(frozen=True, eq=False)
class SwarmRun:
    """The best particle that one seed found.

    Attributes
    ----------
    choices : Choices
        Levels and starts.
    cost_eur : float
        Of the flows that the rules make of it, without penalties. [EUR]
    degree_slots : float
        Kelvins outside the bands, summed over devices and slots; 0 for a plan that can be run. [K]
    missing_kwh : float
        Energy beyond the import limit or short of a target; 0 for a plan that can be run. [kWh]
    history : array, shape (iterations + 1,)
        Best cost with penalties so far; it never rises. [EUR]
    """

    seed: int
    choices: Choices
    cost_eur: float
    degree_slots: float
    missing_kwh: float
    history: Floats

    @property
    def feasible(self) -> bool:
        """Whether every band, limit and target is kept."""
        return self.degree_slots <= _SAME and self.missing_kwh <= _SAME


def swarm(
    house: House,
    case: int | None,
    options: SwarmOptions,
    *,
    deadline: float | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[SwarmRun, ...]:
    """The best particle of every seed.

    Parameters
    ----------
    house : House
        As its case leaves it (`house_of_case`).
    case : 1 to 4, or None
    options : SwarmOptions
    deadline : float, optional
        Time of `time.perf_counter` after which no further iteration begins; the first particles are always judged.
    progress : callable, optional
        Called with the number of every finished iteration.
    """
    particles = _Particles(house, options)
    judge = _Judge(house, case, options)
    generators = [np.random.default_rng(seed) for seed in options.seeds]
    place, speed = particles.first(generators), particles.rest()
    value = judge.judge(particles, place)
    own, own_value = place.copy(), value
    rows = np.arange(len(generators))
    best = own_value.argmin(axis=1)
    leader, leader_value = own[rows, best].copy(), own_value[rows, best]
    history = [leader_value.copy()]
    first, last = options.inertia
    for done in range(options.iterations):
        if deadline is not None and time.perf_counter() >= deadline:
            break
        inertia = first + (last - first) * done / max(options.iterations - 1, 1)
        particles.move(place, speed, own, leader, inertia, generators)
        value = judge.judge(particles, place)
        better = value < own_value
        own[better], own_value[better] = place[better], value[better]
        best = own_value.argmin(axis=1)
        ahead = own_value[rows, best] < leader_value
        leader[ahead], leader_value[ahead] = own[rows, best][ahead], own_value[rows, best][ahead]
        history.append(leader_value.copy())
        if progress:
            progress(done + 1)
    return judge.runs(particles, leader, np.array(history))


def swarm_plan(house: House, case: int | None, options: SwarmOptions, deadline: float | None = None) -> Found:
    """The swarm's best plan that can be run, with the bound of the linear relaxation.

    Its flows are those of the rules. Where an import limit is too tight for the rules, the best flows for the swarm's
    choices; where there are none, the first plan of the exact model.

    Parameters
    ----------
    house : House
        As its case leaves it (`house_of_case`).
    case : 1 to 4, or None
    options : SwarmOptions
        Without repair its best is seldom a plan that can be run.
    deadline : float, optional
        See `swarm`. [s]

    Raises
    ------
    InfeasibleHouseError
        There is no plan.
    """
    model = DayModel(house, case)
    bound = model.relax().bound_eur
    runs = swarm(house, case, options, deadline=deadline)
    best = min(runs, key=lambda run: (not run.feasible, run.history[-1]))
    if best.feasible:
        load = house.base_load_kw * house.slot_hours + best.choices.device_kwh(house)
        flows = Allocation(house, case, options.rules).flows(load)
        return Found(best.choices, flows, best.cost_eur, min(bound, best.cost_eur), proven=False)
    if best.degree_slots == 0.0:
        try:
            found = dispatch(house, case, best.choices)
        except InfeasibleHouseError:
            pass
        else:
            return replace(found, bound_eur=min(bound, found.cost_eur), proven=False)
    return model.optimise(time.perf_counter(), None)


class _Particles:
    """Places and velocities, shape (seeds, population, variables): first all bits, then all starts."""

    def __init__(self, house: House, options: SwarmOptions) -> None:
        self._options, self._slots = options, house.slots
        self._steps = [load.level_kw.size - 1 for load in house.thermal_loads]
        self.bits = sum(self._steps) * house.slots
        allowed = [item.start_slots(house.slot_hours, house.slots) for item in house.appliances]
        self._first_start = np.array([starts[0] for starts in allowed], np.int64)
        self._last = np.array([len(starts) - 1 for starts in allowed], np.float32)
        self.variables = self.bits + len(allowed)
        shape = (len(options.seeds), options.population, self.variables)
        self._shape = shape
        self._chance = np.empty((len(options.seeds), 3, options.population, self.variables), np.float32)
        self._limit = np.concatenate(
            [np.full(self.bits, options.bit_speed), np.maximum(self._last / 2.0, 1.0)]
        )
        self._limit = self._limit.astype(np.float32)

    def _draw(self, generators: list[np.random.Generator]) -> Singles:
        for generator, chance in zip(generators, self._chance, strict=True):
            generator.random(out=chance, dtype=np.float32)
        return self._chance

    def first(self, generators: list[np.random.Generator]) -> Singles:
        """Random places."""
        chance = self._draw(generators)[:, 0]
        place = np.empty(self._shape, np.float32)
        place[..., : self.bits] = chance[..., : self.bits] < 0.5
        place[..., self.bits :] = chance[..., self.bits :] * self._last
        return place

    def rest(self) -> Singles:
        """Velocities of 0."""
        return np.zeros(self._shape, np.float32)

    def move(
        self,
        place: Singles,
        speed: Singles,
        own: Singles,
        leader: Singles,
        inertia: float,
        generators: list[np.random.Generator],
    ) -> None:
        """One step of every particle, in place."""
        chance, bits, options = self._draw(generators), self.bits, self._options
        speed *= np.float32(inertia)
        pull = own - place
        pull *= chance[:, 0]
        pull *= np.float32(options.own_factor)
        speed += pull
        np.subtract(leader[:, None], place, out=pull)
        pull *= chance[:, 1]
        pull *= np.float32(options.swarm_factor)
        speed += pull
        np.clip(speed, -self._limit, self._limit, out=speed)
        # chance < sigmoid(speed), without a division
        odds = np.exp(-speed[..., :bits])
        odds += 1.0
        odds *= chance[:, 2, :, :bits]
        place[..., :bits] = odds < 1.0
        place[..., bits:] = np.clip(place[..., bits:] + speed[..., bits:], 0.0, self._last)

    def levels(self, place: Singles) -> list[Levels]:
        """Level of every slot, an array of shape (..., slots) for every device: how many of its bits are 1."""
        found, at = [], 0
        for steps in self._steps:
            bits = place[..., at : at + steps * self._slots].astype(np.int8)
            found.append(bits.reshape(*bits.shape[:-1], steps, self._slots).sum(axis=-2, dtype=np.int8))
            at += steps * self._slots
        return found

    def set_levels(self, place: Singles, levels: list[Levels]) -> None:
        """Set the bits to these levels: the lowest ones 1."""
        at = 0
        for steps, level in zip(self._steps, levels, strict=True):
            for step in range(steps):
                place[..., at : at + self._slots] = level > step
                at += self._slots

    def starts(self, place: Singles) -> NDArray[np.int64]:
        """Start slots, shape (..., appliances)."""
        return np.rint(place[..., self.bits :]).astype(np.int64) + self._first_start


class _Judge:
    """Cost with penalties of particles."""

    def __init__(self, house: House, case: int | None, options: SwarmOptions) -> None:
        self._house, self._options = house, options
        self._allocation = Allocation(house, case, options.rules)
        self._thermostats = [Thermostat(load) for load in house.thermal_loads] if options.repair else []
        self._runs = []
        for item in house.appliances:
            run = np.zeros((house.slots, house.slots))
            for start in item.start_slots(house.slot_hours, house.slots):
                run[start, start : start + item.run_slots(house.slot_hours)] = (
                    item.rated_kw * house.slot_hours
                )
            self._runs.append(run)

    def judge(self, particles: _Particles, place: Singles) -> Floats:
        """Cost with penalties, shape (...); with repair, `place` gets the corrected bits. [EUR]"""
        levels = particles.levels(place)
        if self._thermostats:
            pairs = zip(self._thermostats, levels, strict=True)
            levels = [thermostat.keep(wished) for thermostat, wished in pairs]
            particles.set_levels(place, levels)
        cost, missing, outside = self._parts(levels, particles.starts(place))
        options = self._options
        return cost + options.penalty_eur_per_kwh * missing + options.penalty_eur_per_k * outside

    def runs(self, particles: _Particles, leader: Singles, history: Floats) -> tuple[SwarmRun, ...]:
        """What the leaders, shape (seeds, variables), mean."""
        house = self._house
        levels, starts = particles.levels(leader), particles.starts(leader)
        cost, missing, outside = self._parts(levels, starts)
        return tuple(
            SwarmRun(
                seed=seed,
                choices=Choices(
                    {item.name: int(start) for item, start in zip(house.appliances, starts[k], strict=True)},
                    {load.name: level[k] for load, level in zip(house.thermal_loads, levels, strict=True)},
                ),
                cost_eur=float(cost[k]),
                degree_slots=float(outside[k]),
                missing_kwh=float(missing[k]),
                history=history[:, k].copy(),
            )
            for k, seed in enumerate(self._options.seeds)
        )

    def _parts(self, levels: list[Levels], starts: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
        """Cost, missing energy and kelvins outside the bands, each of shape (...)."""
        house, dt = self._house, self._house.slot_hours
        load = np.empty((*starts.shape[:-1], house.slots))
        load[...] = house.base_load_kw * dt
        for run, start in zip(self._runs, np.moveaxis(starts, -1, 0), strict=True):
            load += run[start]
        outside = np.zeros(starts.shape[:-1])
        for thermal, level in zip(house.thermal_loads, levels, strict=True):
            load += (thermal.level_kw * dt)[level]
            outside += degree_slots(thermal, level)
        cost, missing = self._allocation.costs(load)
        return cost, missing, np.where(outside > _SAME, outside, 0.0)
