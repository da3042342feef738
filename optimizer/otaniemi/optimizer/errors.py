"""Errors of the optimizer."""

from __future__ import annotations

from typing import Any


class OptimizerError(Exception):
    """Something the optimizer cannot work with; the message says what, which and what would be valid."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are rebuilt from their message alone, which subclasses with fields of their own refuse.
        return _rebuilt, (type(self), self.args), self.__dict__


def _rebuilt(kind: type[OptimizerError], args: tuple[Any, ...]) -> OptimizerError:
    error = kind.__new__(kind)
    error.args = args
    return error


class HouseDataError(OptimizerError, ValueError):
    """A house, a tariff or an argument that describes no possible home."""


class InfeasibleHouseError(OptimizerError):
    """A possible home whose limits cannot hold together.

    Parameters
    ----------
    device : str
        What cannot keep its limit: "ev", "battery" or "import_limit_kw".
    slot : int
        First slot in which it cannot.
    amount_kwh : float
        Energy that is missing. [kWh]
    reason : str
        The same as a sentence.
    """

    def __init__(self, device: str, slot: int, amount_kwh: float, reason: str) -> None:
        super().__init__(reason)
        self.device, self.slot, self.amount_kwh, self.reason = device, slot, amount_kwh, reason

    def to_dict(self) -> dict[str, Any]:
        """Plan file of a house that has no plan: status "infeasible" and why."""
        return {
            "status": "infeasible",
            "reason": self.reason,
            "device": self.device,
            "slot": self.slot,
            "amount_kwh": self.amount_kwh,
        }
