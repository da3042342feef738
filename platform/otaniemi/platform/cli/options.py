"""Options that several commands share: which homes and days they work on."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class SlotLength(StrEnum):
    """Lengths of a slot that a day can be cut into."""

    QUARTER = "15min"
    REFERENCE = "12min"
    HOUR = "60min"

    @property
    def seconds(self) -> int:
        return int(self.value.removesuffix("min")) * 60


class ForecastKind(StrEnum):
    """What the homes plan with."""

    REALISTIC = "realistic"
    PERFECT = "perfect"


Homes = Annotated[
    int | None, typer.Option(min=2, max=1000, help="Number of homes (12; synthetic data only).")
]
Days = Annotated[int, typer.Option(min=1, max=366, help="Trading days in a row.")]
Slot = Annotated[SlotLength, typer.Option(help="Length of a slot.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of keys, synthetic homes and forecast errors.")]
CommunityFile = Annotated[Path | None, typer.Option(help="Community file: devices, tariffs, calendar.")]
HomesData = Annotated[Path | None, typer.Option(help="Directory with measured homes.")]
PricesFile = Annotated[Path | None, typer.Option(help="CSV of hourly spot prices.")]
Start = Annotated[str | None, typer.Option(help="First day, YYYY-MM-DD.", metavar="DATE")]
Forecast = Annotated[ForecastKind, typer.Option(help="What the homes plan with.")]
