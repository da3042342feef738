"""What is best for a home: its house, its plan and the offers that follow. Knows no chain, file or clock.

>>> from otaniemi.optimizer import House, plan
>>> house = House.from_dict({
...     "slots": 3, "slot_hours": 1.0, "base_load_kw": [0.5, 0.5, 0.5],
...     "tariff": {"import_eur_per_kwh": [0.10, 0.30, 0.20], "export_eur_per_kwh": [0.02, 0.02, 0.02]},
...     "battery": {"capacity_kwh": 4, "power_kw": 1, "initial_soc": 0.5, "final_soc": 0.5},
... })
>>> schedule = plan(house, method="milp")
>>> f"{schedule.cost_eur:.2f} EUR {schedule.status}; the battery gives {schedule.battery_discharge_kw.round(2)} kW"
'0.15 EUR optimal; the battery gives [0.  0.5 0.5] kW'

docs/guides/optimizer.md is the tutorial, docs/guides/house.md the format of a house, docs/model.md what is solved.
"""

from otaniemi.optimizer.devices.thermal import ThermalDevice, ThermalLoad
from otaniemi.optimizer.errors import HouseDataError, InfeasibleHouseError, OptimizerError
from otaniemi.optimizer.fleet import HomePlanned, WorkerLostError, plan_many
from otaniemi.optimizer.horizon import ending_for
from otaniemi.optimizer.house import House, Scenario, Tariff
from otaniemi.optimizer.plan import plan
from otaniemi.optimizer.program.home_program import State
from otaniemi.optimizer.replan import replan
from otaniemi.optimizer.savings import Savings, savings
from otaniemi.optimizer.scenarios import ForecastErrors, scenarios_of
from otaniemi.optimizer.schedule import Cost, Schedule
from otaniemi.optimizer.stochastic import StochasticValue, value_of_stochastic_solution
from otaniemi.optimizer.trading.community import community_optimum
from otaniemi.optimizer.trading.offers import Offer, offers

__all__ = [
    "Cost",
    "ForecastErrors",
    "HomePlanned",
    "House",
    "HouseDataError",
    "InfeasibleHouseError",
    "Offer",
    "OptimizerError",
    "Savings",
    "Scenario",
    "Schedule",
    "State",
    "StochasticValue",
    "Tariff",
    "ThermalDevice",
    "ThermalLoad",
    "WorkerLostError",
    "community_optimum",
    "ending_for",
    "offers",
    "plan",
    "plan_many",
    "replan",
    "savings",
    "scenarios_of",
    "value_of_stochastic_solution",
]
