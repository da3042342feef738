"""Market efficiency on the study days of a measured community, against homes alone and all homes as one."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from rich.progress import Progress

from otaniemi.contracts.rules.units import eur_of_nano
from otaniemi.platform.agents.trading import LocalVenue, Venue, trade_day
from otaniemi.platform.agents.yardsticks import efficiency, unmatched_nano, yardsticks
from otaniemi.platform.community import Community, bundled_community
from otaniemi.platform.data.measured import load_measured
from otaniemi.platform.data.scenario import HOUR, DataError, TradingDay
from otaniemi.platform.forecast import Kind, forecaster

SEED = 7
KINDS: dict[str, tuple[Kind, ...]] = {
    "perfect": ("perfect",),
    "realistic": ("realistic",),
    "both": ("perfect", "realistic"),
}
HOMES_DATA = "citylearn2022_homes"
PRICES = "nordpool_fi_2023/spot_fi_hourly.csv.gz"


class DayRow(TypedDict):
    """One day: costs of all homes together; ``left_eur`` is market less optimum and has two parts.

    ``unmatched_eur`` is what neighbours lost by importing and exporting in the same slot, ``timing_eur`` what storage
    lost by moving energy at other times (and, with forecast errors, by knowing less). ``worst_home`` is the home that
    gained least against alone, ``worst_loss_eur`` its loss (negative: a gain).
    """

    date: str
    efficiency: float | None
    alone_eur: float
    market_eur: float
    optimum_eur: float
    perfect_foresight_eur: float
    left_eur: float
    unmatched_eur: float
    timing_eur: float
    homes_worse_off: int
    worst_home: int
    worst_loss_eur: float
    traded_kwh: float
    imbalance_kwh: float


def bench_efficiency(
    homes_data: Path | None,
    prices: Path | None,
    forecast: str,
    bars: Progress,
    venue: Callable[[], Venue] = LocalVenue,
) -> dict[str, Any]:
    """Trade every study day of the bundled measured community, with each kind of forecast.

    Parameters
    ----------
    homes_data, prices : Path or None
        As for `load_measured`; None looks in the directory named by ``OTANIEMI_DATA``, else in ``../shared/data``.
    forecast : "perfect", "realistic" or "both"
    bars : Progress
    venue : callable
        Makes the market of a day.

    Returns
    -------
    dict
        ``mean`` and ``min`` efficiency, ``worst_loss_eur`` of a home-day and ``days``, a list of `DayRow`, of the
        first kind of forecast; with "both" the realistic ones too, under ``realistic_...``.

    Raises
    ------
    DataError
        Unknown kind of forecast, or data that cannot be used.
    """
    if forecast not in KINDS:
        raise DataError(f"forecast is {forecast!r}; valid: {', '.join(KINDS)}")
    data = Path(os.environ.get("OTANIEMI_DATA", "../shared/data"))
    homes_data = data / HOMES_DATA if homes_data is None else homes_data
    prices = data / PRICES if prices is None else prices
    community = bundled_community()
    days = study_days(community, homes_data, prices)
    kinds = KINDS[forecast]
    task = bars.add_task("efficiency", total=len(days) * len(kinds), detail="")
    result: dict[str, Any] = {"community": community.name, "homes": len(community.homes), "seed": SEED}
    for kind in kinds:
        rows = []
        for date, day in days:
            bars.update(task, detail=f"{date}, {kind} forecast")
            rows.append(trade_and_measure(day, date, kind, venue()))
            bars.update(task, advance=1)
        reached = [row["efficiency"] for row in rows if row["efficiency"] is not None]
        prefix = "" if kind == kinds[0] else f"{kind}_"
        result |= {
            f"{prefix}forecast": kind,
            f"{prefix}mean": float(np.mean(reached)),
            f"{prefix}min": min(reached),
            f"{prefix}worst_loss_eur": max(row["worst_loss_eur"] for row in rows),
            f"{prefix}days": rows,
        }
    return result


def study_days(community: Community, homes_data: Path, prices: Path) -> list[tuple[dt.date, TradingDay]]:
    """The hourly study days of a measured community.

    Raises
    ------
    DataError
        See `load_measured`.
    """
    days = []
    for span in community.study_days:
        dates = span.days()
        scenario = load_measured(community, homes_data, prices, span.first, len(dates), HOUR)
        days += [(date, scenario.day(index)) for index, date in enumerate(dates)]
    return days


def trade_and_measure(day: TradingDay, date: dt.date, kind: Kind, venue: Venue) -> DayRow:
    """Trade a day and set its cost beside the yardsticks."""
    forecasts = forecaster(day, kind, SEED)
    sticks = yardsticks(day, forecasts, kind)
    records = [agent.record for agent in trade_day(day, forecasts, kind, venue)]
    costs = [record.cost_nano() for record in records]
    losses = [cost - alone for cost, alone in zip(costs, sticks.alone_nano, strict=True)]
    worst = int(np.argmax(losses))
    alone, market, optimum = sum(sticks.alone_nano), sum(costs), sticks.optimum_nano
    unmatched = unmatched_nano(day, records)
    return DayRow(
        date=date.isoformat(),
        efficiency=efficiency(alone, market, optimum),
        alone_eur=eur_of_nano(alone),
        market_eur=eur_of_nano(market),
        optimum_eur=eur_of_nano(optimum),
        perfect_foresight_eur=eur_of_nano(sticks.perfect_nano),
        left_eur=eur_of_nano(market - optimum),
        unmatched_eur=eur_of_nano(unmatched),
        timing_eur=eur_of_nano(market - optimum - unmatched),
        homes_worse_off=sum(loss > 0 for loss in losses),
        worst_home=day.homes[worst].home,
        worst_loss_eur=eur_of_nano(losses[worst]),
        traded_kwh=sum(int(np.maximum(record.trade_wh, 0).sum()) for record in records) / 1000,
        imbalance_kwh=sum(record.imbalance_wh() for record in records) / 1000,
    )
