"""Every form of trading alone, and all of them, on the days of a scenario."""

from __future__ import annotations

import datetime as dt
from typing import Any

from rich.progress import Progress

from otaniemi.contracts.rules.positions import Form
from otaniemi.platform.agents.forms.mechanisms import MechanismOutcome, choices, compare, name, row
from otaniemi.platform.data.scenario import Scenario
from otaniemi.platform.forecast import Kind, forecaster


def bench_mechanisms(scenario: Scenario, kind: Kind, seed: int, bars: Progress) -> dict[str, Any]:
    """Trade every day under each form, in memory by the rules of the chain.

    Returns
    -------
    dict
        ``rows``: a `MechanismRow` per choice of forms, over all days together.
    """
    wanted = choices(Form)
    task = bars.add_task("mechanisms", total=scenario.days * len(wanted), detail="")
    totals: list[MechanismOutcome] = []
    for index in range(scenario.days):
        day = scenario.day(index)

        def traded(
            forms: frozenset[Form], date: dt.date = scenario.first_day + dt.timedelta(days=index)
        ) -> None:
            bars.update(task, advance=1, detail=f"{date}, {name(forms)}")

        outcomes = compare(day, forecaster(day, kind, seed), kind, wanted, traded)
        totals = [a + b for a, b in zip(totals, outcomes, strict=True)] if totals else outcomes
    return {
        "community": scenario.name,
        "data_source": scenario.source,
        "homes": len(scenario.homes),
        "days": scenario.days,
        "forecast": kind,
        "seed": seed,
        "rows": [row(outcome, [home.home for home in scenario.homes]) for outcome in totals],
    }
