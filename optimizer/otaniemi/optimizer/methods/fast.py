"""Near-optimal plans with a certificate: a master program over whole-day schedules, and a search led by its prices.

Once starts and schedules are chosen, only energy flows are left, a linear program. So the flows, one convex
combination of schedules per device and the inequalities of `hull` make a linear relaxation (`Master`) whose value is
close to the optimum, and its prices ask each thermal device for better schedules (`ThermalPricing`).

**Why the bound holds.** Let y be duals of the rows in which devices take energy. Relaxing those rows by y splits the
problem into flows and devices; the flows' part is a concave function of y, known at the master's optima (value less
duals of the convexity rows), hence bounded from below between two of them by their mixture. The devices' parts are
bounded by `ThermalPricing.bound`. Their sum never exceeds the optimum, whatever y is and whichever schedules or
inequalities the master lacks.

References
----------
Pessoa, Sadykov, Uchoa and Vanderbeck (2018), Automation and combination of linear-programming based stabilization
techniques in column generation. INFORMS Journal on Computing 30. docs/model.md, "Fast".
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np

from otaniemi.optimizer.devices.thermal import Levels
from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.house import House
from otaniemi.optimizer.methods.exact import DayModel
from otaniemi.optimizer.methods.master import Master
from otaniemi.optimizer.methods.pricing import ThermalPricing
from otaniemi.optimizer.methods.rules import rule_choices
from otaniemi.optimizer.program.choices import Choices
from otaniemi.optimizer.program.day_program import Begun, DayProgram, not_begun
from otaniemi.optimizer.program.dispatch import Dispatcher, Found
from otaniemi.optimizer.program.infeasible import explain
from otaniemi.optimizer.program.solver import PROVEN_EUR, Ints

_ROUNDS, _GAP = 150, 2e-4
_SHARE, _LEAST_SHARE, _STEP = 0.8, 0.5, 0.1
"""Weight of the centre's duals in those that are priced: at first, at least, and how fast it moves."""
_CELLS, _FINE_CELLS = 1000, 8000
_POINTS, _FINE_POINTS = 10000, 60000
_ENDS = 8
_SEEDS, _SEED_NOISE = 8, 0.05
_PATIENCE, _STALLED = 5, 0.9
_ROOT_ROUNDS, _NODES, _NODE_ROUNDS, _TORN_KWH = 40, 50, 6, 1e-3
_CANDIDATES, _MANY_CANDIDATES = 8, 60
_REPRICE = 3
_PASSES = 4
_BETTER_EUR = 1e-7
_SAFETY_EUR = PROVEN_EUR / 2
"""Taken off the bound for the tolerance of the linear program."""


def fast_plan(
    house: House,
    case: int | None,
    begun: Begun | None = None,
    *,
    gap_eur: float | None = None,
    rounds: int | None = None,
    deadline: float | None = None,
) -> Found:
    """A plan that is nearly the cheapest, with a proven bound of how nearly.

    Parameters
    ----------
    house : House
        As its case leaves it.
    case : int or None
    begun : Begun, optional
        A day that has begun.
    gap_eur : float, optional
        Proven gap at which to stop; None: a small share of what all loads cost at import prices. [EUR]
    rounds : int, optional
        Most rounds of pricing; few of them leave the plan good and the bound loose. Unlike a deadline, repeatable.
    deadline : float, optional
        Reading of `time.perf_counter` at which to stop. [s]

    Raises
    ------
    InfeasibleHouseError
        Limits that cannot hold together; names the device and the slot.
    """
    return _Fast(house, case, begun or not_begun(house), gap_eur, rounds, deadline).found()


@dataclass(frozen=True, eq=False)
class _Centre:
    """Duals, and the parts of the bound that flows and thermal devices (coarse grid, best known) have by them. [EUR]"""

    duals: Floats
    flow_part: float
    thermal_part: float
    fine_part: float


@dataclass(eq=False)
class _Node:
    """Part of the plans: those whose appliances start within these; indices of `starts_allowed`."""

    starts: tuple[Ints, ...]
    centre: _Centre = _Centre(np.zeros(0), 0.0, 0.0, 0.0)
    coarse: float = -np.inf
    bound: float = -np.inf
    weights: list[Floats] = field(default_factory=list)
    decided: bool = False


class _Fast:
    """One home's day; parameters as of `fast_plan`."""

    def __init__(
        self,
        house: House,
        case: int | None,
        begun: Begun,
        gap_eur: float | None,
        rounds: int | None,
        deadline: float | None,
    ) -> None:
        self._house, self._case, self._begun, self._deadline = house, case, begun, deadline
        self._rounds = _ROUNDS if rounds is None else rounds
        self._gap_eur = gap_eur
        self._day = DayProgram(house, case, begun)
        self._pricing = [ThermalPricing(load) for load in self._day.thermal_loads]
        self._master = Master(self._day)
        self._dispatcher = Dispatcher(house, case, self._begun)
        starts = [np.arange(len(allowed), dtype=np.int32) for allowed in self._day.starts_allowed]
        self._node = _Node(tuple(starts))
        self._leaves = [self._node]
        self._plan: list[Levels] = []
        self._cost = np.inf
        self._add_starts()

    def found(self) -> Found:
        """The best plan, and the proven bound."""
        self._seed()
        self._gap = _GAP * self._scale() if self._gap_eur is None else self._gap_eur
        self._adopt(self._first())
        if not self._late():
            self._price_rounds(_ROOT_ROUNDS)
            self._adopt(self._likeliest())
            if not self._good():
                self._dive(self._order())
                self._search_blocks()
                if self._misleading and not self._good():
                    self._dive(self._order()[::-1])
                    self._search_blocks()
                self._branch()
        return self._result()

    @property
    def _bound(self) -> float:
        """Proven lower bound: one of the leaves has the optimum. [EUR]"""
        return min(leaf.bound for leaf in self._leaves)

    def _late(self) -> bool:
        return self._deadline is not None and time.perf_counter() >= self._deadline

    def _add_starts(self) -> None:
        slots = np.arange(self._house.slots)
        for k, (appliance, allowed) in enumerate(
            zip(self._house.appliances, self._day.starts_allowed, strict=True)
        ):
            start = np.array(allowed)[:, None]
            runs = (slots >= start) & (slots < start + appliance.run_slots(self._house.slot_hours))
            self._master.add(len(self._pricing) + k, runs.astype(np.int8))

    def _add_cheapest(self, device: int, prices: Floats, ends: int = _ENDS, cells: int = _CELLS) -> int:
        """Add a thermal device's cheapest schedules at these prices; returns how many are new."""
        levels = self._pricing[device].schedules(prices, cells, ends)
        past = self._begun.past_levels(self._day.thermal_loads[device])
        levels[:, : past.size] = past
        return self._master.add(device, levels)

    def _solve(self) -> None:
        """Solve the master with all inequalities that matter."""
        if not self._master.solve():
            raise explain(self._day.stack.places, self._day.stack.program)
        while self._master.add_cuts():
            if not self._master.solve():
                raise explain(self._day.stack.places, self._day.stack.program)

    def _seed(self) -> None:
        """Price the relaxation in which slots are spent at several levels: its duals are the first centre."""
        self._solve()
        duals = self._master.duals()
        self._lower_bound(duals, self._flow_part(duals))
        noise = np.random.default_rng(0)
        for device in range(len(self._pricing)):
            prices = self._master.prices(device, duals)
            self._add_cheapest(device, prices)
            for _ in range(_SEEDS):
                shaken = prices * (1.0 + _SEED_NOISE * noise.standard_normal((self._house.slots, 1)))
                self._add_cheapest(device, shaken, 2)
        self._master.drop_relaxed()

    def _flow_part(self, duals: Floats) -> float:
        """What of the master's value belongs to the flows. [EUR]"""
        return self._master.value - sum(
            self._master.least(d, duals) for d in range(len(self._master.schedules))
        )

    def _lower_bound(self, duals: Floats, flow_part: float) -> None:
        """Bound the node by these duals; those of its best bound are its centre."""
        part = self._thermal_part(duals, _FINE_POINTS if self._node.decided else _POINTS)
        self._bound_node(self._node, _Centre(duals, flow_part, part, part))

    def _thermal_part(self, duals: Floats, points: int) -> float:
        prices = (self._master.prices(d, duals) for d in range(len(self._pricing)))
        return sum(pricing.bound(own, points) for pricing, own in zip(self._pricing, prices, strict=True))

    def _bound_node(self, node: _Node, centre: _Centre) -> None:
        others = centre.flow_part
        for device, allowed in enumerate(node.starts, len(self._pricing)):
            others += float(
                self._master.costs(device, self._master.prices(device, centre.duals))[allowed].min()
            )
        if others + centre.thermal_part > node.coarse:
            node.coarse, node.centre = others + centre.thermal_part, centre
        node.bound = max(node.bound, others + centre.fine_part)

    def _refine(self) -> None:
        """Bound the node by its centre on a fine grid."""
        centre = self._node.centre
        fine = self._thermal_part(centre.duals, _FINE_POINTS)
        self._node.centre = replace(centre, fine_part=max(fine, centre.fine_part))
        self._bound_node(self._node, self._node.centre)

    def _price_rounds(self, rounds: int) -> None:
        """Rounds of pricing until the node holds no better plan, or little is gained by more of them."""
        node, self._share = self._node, _SHARE
        before = [np.inf] * _PATIENCE
        for _ in range(min(rounds, self._rounds)):
            self._rounds -= 1
            self._solve()
            left = self._master.value - node.coarse
            if self._cost - node.bound <= self._gap or self._late():
                return
            if left <= self._gap / 4 or (not node.decided and left > _STALLED * before[-_PATIENCE]):
                break
            before.append(left)
            if not self._price():
                break
        self._refine()

    def _price(self) -> int:
        """Add schedules at duals between the centre and the master's, else at the master's; returns how many."""
        duals = self._master.duals()
        flow_part = self._flow_part(duals)
        centre, share = self._node.centre, self._share
        for part, cells in ((share, _CELLS), (0.0, _CELLS), (0.5, _FINE_CELLS), (0.0, _FINE_CELLS)):
            mixed = part * centre.duals + (1.0 - part) * duals
            before = self._node.coarse
            self._lower_bound(mixed, part * centre.flow_part + (1.0 - part) * flow_part)
            if part == share:
                # Longer steps from the centre while they pay, shorter ones where the master's duals mislead.
                better = self._node.coarse > before
                self._share = max(share - _STEP, _LEAST_SHARE) if better else share + _STEP * (1.0 - share)
            new = 0
            for d in range(len(self._pricing)):
                new += self._add_cheapest(d, self._master.prices(d, mixed), cells=cells)
            if new:
                return new
        return 0

    # Branching on starts.

    def _branch(self) -> None:
        """Split the windows of appliances where the bound is least, until it meets the plan."""
        for _ in range(_NODES):
            if self._good() or self._rounds <= 0:
                break
            node = min(self._leaves, key=lambda leaf: leaf.bound)
            children = self._split(node)
            if not children and node.decided:
                break
            if not children:
                node.decided = True
                self._visit(node, _ROOT_ROUNDS)
                self._dive(self._order())
                self._search_blocks()
                continue
            for child in children:
                self._bound_node(child, node.centre)
            self._leaves = [leaf for leaf in self._leaves if leaf is not node] + children
            for child in children:
                self._visit(child, _NODE_ROUNDS)

    def _visit(self, node: _Node, rounds: int) -> None:
        self._node = node
        thermal = len(self._pricing)
        for d in range(thermal):
            self._master.allow(d, None)
        for d, starts in enumerate(node.starts, thermal):
            self._master.allow(d, starts)
        self._price_rounds(rounds)
        node.weights = [self._master.weights(d) for d in range(thermal, thermal + len(node.starts))]
        self._adopt(self._likeliest())

    def _split(self, node: _Node) -> list[_Node]:
        """Two halves of the window of the appliance that is most torn; none if all are decided."""
        if not node.weights:
            self._visit(node, _NODE_ROUNDS)
        torn = np.zeros(len(node.starts))
        means = np.zeros(len(node.starts))
        for a, weights in enumerate(node.weights):
            starts = np.arange(weights.size)
            means[a] = weights @ starts
            energy = self._master.level_kwh[len(self._pricing) + a][-1]
            torn[a] = energy * (weights @ np.abs(starts - means[a]))
        if not torn.size or torn.max() < _TORN_KWH:
            return []
        a = int(torn.argmax())
        halves = node.starts[a][node.starts[a] <= means[a]], node.starts[a][node.starts[a] > means[a]]
        return [_Node((*node.starts[:a], half, *node.starts[a + 1 :]), node.centre) for half in halves]

    def _scale(self) -> float:
        """What all loads cost at import prices, whatever makes up for them. [EUR]"""
        house, buy = self._house, self._house.tariff.import_eur_per_kwh
        total = float(buy @ house.base_load_kw) * house.slot_hours
        for device in range(len(self._master.schedules)):
            prices = buy[:, None] * self._master.level_kwh[device]
            total += float(self._master.costs(device, prices).min())
        if house.ev:
            for session in house.ev.sessions:
                wanted = max(session.target_soc - session.initial_soc, 0.0) * house.ev.capacity_kwh
                total += wanted * float(buy[session.arrival_slot : session.departure_slot].mean())
        return abs(total)

    def _first(self) -> list[Levels]:
        """A plan made by rules, or what is planned of a day that has begun."""
        wanted = self._begun.choices if self._begun.now else rule_choices(self._house)
        first = []
        for d, load in enumerate(self._day.thermal_loads):
            levels = wanted.levels[load.name].astype(np.int8)
            reached = load.temperatures(levels)
            kept = ((reached >= load.low_c) & (reached <= load.high_c)).all()
            first.append(levels if kept else self._master.schedules[d][0])
        for d, (appliance, allowed) in enumerate(
            zip(self._house.appliances, self._day.starts_allowed, strict=True), len(self._pricing)
        ):
            start = wanted.starts[appliance.name]
            first.append(self._master.schedules[d][allowed.index(start) if start in allowed else 0])
        return first

    def _likeliest(self) -> list[Levels]:
        """Every device's schedule of most weight."""
        weights = [self._master.weights(d) for d in range(len(self._master.schedules))]
        return [own[int(w.argmax())] for own, w in zip(self._master.schedules, weights, strict=True)]

    def _kwh(self, plan: list[Levels]) -> Floats:
        energy = np.zeros(self._house.slots)
        for level_kwh, levels in zip(self._master.level_kwh, plan, strict=True):
            energy += level_kwh[levels]
        return energy

    def _adopt(self, plan: list[Levels]) -> bool:
        """Whether a plan is better than the best so far, which it then becomes."""
        cost = self._dispatcher.relaxed_eur(self._kwh(plan))
        if cost >= self._cost - _BETTER_EUR and np.isfinite(self._cost):
            return False
        better = np.isfinite(cost) or not self._plan
        if better:
            self._plan, self._cost = plan, cost
        return better

    def _good(self) -> bool:
        return self._cost - self._bound <= self._gap or self._late()

    def _order(self) -> list[int]:
        """Starts first, then thermal devices, the strongest first."""
        power = [energy[-1] for energy in self._master.level_kwh]
        thermal = len(self._pricing)
        return sorted(range(len(power)), key=lambda d: (d < thermal, -power[d]))

    def _dive(self, order: list[int]) -> None:
        """Fix device after device at its schedule of most weight, with new schedules for the others in between."""
        self._solve()
        free = set(range(len(self._pricing)))
        chosen: dict[int, int] = {}
        for device in order:
            chosen[device] = int(self._master.weights(device).argmax())
            self._master.allow(device, [chosen[device]])
            free.discard(device)
            self._reprice(free)
        self._adopt([self._master.schedules[d][chosen[d]] for d in range(len(chosen))])
        for device in chosen:
            self._master.allow(device, None)

    @property
    def _misleading(self) -> bool:
        """Whether mixtures of schedules can do what none of them can: keep a peak or a limit by their mean."""
        house = self._house
        return house.import_limit_kw is not None or house.tariff.peak_eur_per_kw > 0.0

    def _reprice(self, devices: set[int]) -> None:
        """Solve the master, with new schedules of these devices at its duals."""
        for _ in range(_REPRICE):
            self._solve()
            duals = self._master.duals()
            if not sum(self._add_cheapest(d, self._master.prices(d, duals)) for d in devices):
                return
        self._solve()

    def _search_blocks(self) -> None:
        """Free one device at a time and try its best schedules, until no device finds a better one."""
        devices = self._order()
        for _ in range(_PASSES):
            improved = False
            for device in devices:
                if self._good():
                    return
                improved |= self._search_block(device)
            if not improved:
                return

    def _search_block(self, device: int) -> bool:
        master = self._master
        for d, levels in enumerate(self._plan):
            master.add(d, levels[None])
            master.allow(d, None if d == device else [master.index(d, levels)])
        self._reprice({device} if device < len(self._pricing) else set())
        prices = master.prices(device, master.duals())
        worth = master.costs(device, prices)
        order = np.lexsort((worth, -np.round(master.weights(device), 6)))
        improved = False
        for candidate in order[: _MANY_CANDIDATES if self._misleading else _CANDIDATES]:
            plan = self._plan.copy()
            plan[device] = master.schedules[device][candidate]
            improved |= self._adopt(plan)
        for d in range(len(self._plan)):
            master.allow(d, None)
        return improved

    def _choices(self) -> Choices:
        thermal = len(self._pricing)
        levels = {load.name: self._plan[d] for d, load in enumerate(self._day.thermal_loads)}
        starts = {
            appliance.name: int(schedule.argmax())
            for appliance, schedule in zip(self._house.appliances, self._plan[thermal:], strict=True)
        }
        return Choices(starts, levels)

    def _result(self) -> Found:
        choices = self._choices()
        dispatch = self._dispatcher.solve(self._kwh(self._plan), self._deadline)
        if dispatch is None:
            # Under a tight import limit no schedules of the search may fit; then some exact plan does.
            return DayModel(self._house, self._case, self._begun).optimise(self._deadline, None)
        bound = min(self._bound - _SAFETY_EUR, dispatch.cost_eur)
        proven = dispatch.cost_eur - bound <= PROVEN_EUR
        return Found(choices, dispatch.flows, dispatch.cost_eur, bound, proven)
