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
        What cannot keep its limit: "ev", "battery", "import_limit_kw", or the field of a thermal device.
    slot : int
        First slot in which it cannot.
    amount : float
        By how much: energy that is missing [kWh], or kelvin outside the band [K].
    reason : str
        The same as a sentence.
    unit : "kWh" or "K"
    """

    def __init__(self, device: str, slot: int, amount: float, reason: str, unit: str = "kWh") -> None:
        super().__init__(reason)
        self.device, self.slot, self.amount, self.unit, self.reason = device, slot, amount, unit, reason

    def to_dict(self) -> dict[str, Any]:
        """Plan file of a house that has no plan: status "infeasible" and why."""
        return {
            "status": "infeasible",
            "reason": self.reason,
            "device": self.device,
            "slot": self.slot,
            f"amount_{self.unit.lower()}": self.amount,
        }
