"""What it is worth to plan with scenarios, and what knowing the day would be worth."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace

from otaniemi.optimizer.errors import HouseDataError, InfeasibleHouseError
from otaniemi.optimizer.house import House, Scenario
from otaniemi.optimizer.plan import house_of_case, plan
from otaniemi.optimizer.program.choices import Choices
from otaniemi.optimizer.program.dispatch import dispatch
from otaniemi.optimizer.program.thermostat import degree_slots
from otaniemi.optimizer.schedule import Schedule

_SAME_KH = 1e-6
"""Discomfort that rounding may leave. [K h]"""


@dataclass(frozen=True)
class StochasticValue:
    """Expected costs of one home's day, by what its starts and levels are chosen for.

    Attributes
    ----------
    rp_eur : float
        Here and now: chosen for all scenarios at once (the recourse problem). [EUR]
    eev_eur : float
        Chosen for the mean day, within the bands that hold in every scenario, then run in every scenario with the
        best energy flows there; infinite where an import limit does not hold in one. [EUR]
    ws_eur : float
        Wait and see: chosen in each scenario as if it were known. [EUR]
    gap_eur : float
        Most by which `rp_eur` may exceed the least expected cost: the plan's gap. [EUR]
    mean_day_eur, mean_day_kelvin_hours : float
        As `eev_eur` for who also trusts the mean day's temperatures: what the energy costs [EUR], and the expected
        discomfort, kelvins outside the band times hours. [K h]
    """

    rp_eur: float
    eev_eur: float
    ws_eur: float
    gap_eur: float
    mean_day_eur: float
    mean_day_kelvin_hours: float

    @property
    def vss_eur(self) -> float:
        """Value of the stochastic solution at equal comfort: what planning for the mean day alone costs more. [EUR]"""
        return self.eev_eur - self.rp_eur

    @property
    def evpi_eur(self) -> float:
        """Expected value of perfect information: what knowing the scenario would save. [EUR]"""
        return self.rp_eur - self.ws_eur

    def to_dict(self) -> dict[str, float]:
        """All values by name."""
        return asdict(self) | {"vss_eur": self.vss_eur, "evpi_eur": self.evpi_eur}


def value_of_stochastic_solution(
    house: House,
    method: str = "fast",
    case: int | None = None,
    time_limit: float | None = None,
    node_limit: int | None = None,
    here_and_now: Schedule | None = None,
) -> StochasticValue:
    """Costs of a home's day here and now, planned for the mean day, and with the scenario known.

    Exact plans give ``ws <= rp <= eev``. A plan with a gap makes `vss_eur` too low, and `evpi_eur` too high, by at
    most `gap_eur`; gaps of the other plans work the other way.

    Parameters
    ----------
    house : House
        With scenarios; of a certain day all costs are the same.
    method, case, time_limit, node_limit
        As in `plan`, for each of the plans: one for every scenario, up to three more.
    here_and_now : Schedule, optional
        The house's plan of that case where it is there already.

    Raises
    ------
    HouseDataError
        What `plan` refuses, and method "lp".
    InfeasibleHouseError
        The house has no plan that holds in every scenario.

    References
    ----------
    docs/model.md, "Scenarios"; J. Birge and F. Louveaux, *Introduction to Stochastic Programming* (2011), ch. 4.
    """
    if method == "lp":
        raise HouseDataError("method is 'lp'; a relaxation has no choices to run, another method is needed")

    def planned(changed: House) -> Schedule:
        return plan(changed, method=method, case=case, time_limit=time_limit, node_limit=node_limit)

    def run(schedule: Schedule) -> float:
        try:
            return dispatch(house_of_case(house, case), case, _choices(schedule)).cost_eur
        except InfeasibleHouseError:
            return math.inf

    here = here_and_now or planned(house)
    mean = planned(_mean_day(house))
    safe = planned(_mean_sun(house)) if _missed_kelvin_hours(house, mean) > 0.0 else mean
    mean_eur = run(mean)
    known = [scenario.probability * planned(_known(house, scenario)).cost_eur for scenario in house.scenarios]
    return StochasticValue(
        rp_eur=here.cost_eur,
        eev_eur=mean_eur if safe is mean else run(safe),
        ws_eur=math.fsum(known),
        gap_eur=here.gap_eur,
        mean_day_eur=mean_eur,
        mean_day_kelvin_hours=_missed_kelvin_hours(house, mean),
    )


def _known(house: House, scenario: Scenario) -> House:
    """The house on a day that is sure to be that of a scenario."""
    return replace(house, scenarios=(replace(scenario, probability=1.0),))


def _mean_day(house: House) -> House:
    """The house on the mean day."""
    offset = math.fsum(s.probability * s.outdoor_offset_c for s in house.scenarios)
    return _known(house, Scenario(1.0, offset, _mean_factor(house)))


def _mean_sun(house: House) -> House:
    """The house on a day with the mean sun whose bands hold in every scenario."""
    factor = _mean_factor(house)
    offsets = [scenario.outdoor_offset_c for scenario in house.scenarios]
    # The coldest and the warmest day narrow the bands as all of them do, and energy flows are the same in both.
    ends = (Scenario(0.5, min(offsets), factor), Scenario(0.5, max(offsets), factor))
    return replace(house, scenarios=ends)


def _mean_factor(house: House) -> float:
    return math.fsum(s.probability * s.pv_factor for s in house.scenarios)


def _choices(schedule: Schedule) -> Choices:
    return Choices(schedule.starts, schedule.levels)


def _missed_kelvin_hours(house: House, schedule: Schedule) -> float:
    """Expected discomfort of a plan's levels. [K h]"""
    missed = [
        scenario.probability * float(degree_slots(load, schedule.levels[load.name]))
        for scenario in house.scenarios
        for load in _known(house, scenario).thermal_loads
    ]
    total = house.slot_hours * math.fsum(missed)
    return total if total > _SAME_KH else 0.0
