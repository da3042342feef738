"""What is best for a home: its house, its plan and the offers that follow. Knows no chain, file or clock."""

from otaniemi.optimizer.errors import HouseDataError, InfeasibleHouseError, OptimizerError
from otaniemi.optimizer.house import House
from otaniemi.optimizer.plan import plan
from otaniemi.optimizer.schedule import Schedule

__all__ = ["House", "HouseDataError", "InfeasibleHouseError", "OptimizerError", "Schedule", "plan"]
