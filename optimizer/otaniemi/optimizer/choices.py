"""What a plan decides in whole numbers, the same in every scenario."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from otaniemi.optimizer.devices.thermal import Levels


@dataclass(frozen=True, eq=False)
class Choices:
    """Starts and levels.

    Attributes
    ----------
    starts : mapping
        Start slot of every appliance, by name.
    levels : mapping of integer arrays, shape (slots,)
        Level of every thermal device, by its field in the house file.
    """

    starts: Mapping[str, int]
    levels: Mapping[str, Levels]
