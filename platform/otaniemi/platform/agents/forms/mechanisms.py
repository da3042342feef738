"""The same day under each form of trading alone, and under all of them: who gains how much, and how evenly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np

from otaniemi.contracts.rules.positions import Form
from otaniemi.contracts.rules.units import eur_of_nano
from otaniemi.platform.agents.forms.day import trade_in_forms
from otaniemi.platform.agents.record import HomeRecord
from otaniemi.platform.agents.yardsticks import homes_alone
from otaniemi.platform.data.scenario import TradingDay
from otaniemi.platform.forecast import Forecaster, Kind

NO_FORM: frozenset[Form] = frozenset()


@dataclass(frozen=True)
class MechanismOutcome:
    """What a choice of forms came to. Tuples are by home; energy in Wh, money in nano-token.

    Attributes
    ----------
    alone_nano, cost_nano : tuple of int
        What the homes pay without and with the forms, fees and wear included.
    retailer_nano : int
        What the retailer gains by packages instead of its standard prices.
    pv_wh, fed_in_wh : int
        Energy of the sun that was there, and what was given to the grid beyond trades.
    trades, traded_wh : int
    """

    forms: frozenset[Form]
    alone_nano: tuple[int, ...]
    cost_nano: tuple[int, ...]
    retailer_nano: int
    pv_wh: int
    fed_in_wh: int
    trades: int
    traded_wh: int

    def __add__(self, other: MechanismOutcome) -> MechanismOutcome:
        """Both days together."""
        return replace(
            self,
            alone_nano=_sums(self.alone_nano, other.alone_nano),
            cost_nano=_sums(self.cost_nano, other.cost_nano),
            retailer_nano=self.retailer_nano + other.retailer_nano,
            pv_wh=self.pv_wh + other.pv_wh,
            fed_in_wh=self.fed_in_wh + other.fed_in_wh,
            trades=self.trades + other.trades,
            traded_wh=self.traded_wh + other.traded_wh,
        )


class MechanismRow(TypedDict):
    """An outcome as tables show it.

    ``welfare_eur`` is what homes and retailer gain together over every home alone: payments between them cancel.
    ``bills_eur`` is what the homes pay, wear included. ``self_consumption`` is the share of solar energy that is not
    given to the grid beyond trades, None without sun. ``gini`` is that of the homes' gains, a loss counted as no gain;
    0 is even.
    """

    forms: str
    welfare_eur: float
    bills_eur: float
    self_consumption: float | None
    gini: float
    worst_home: int
    worst_gain_eur: float
    homes_worse_off: int
    trades: int
    traded_kwh: float


def choices(forms: Iterable[Form]) -> list[frozenset[Form]]:
    """No form, each of ``forms`` alone, and all of them where there are several."""
    ordered = sorted(forms)
    alone = [NO_FORM, *(frozenset({form}) for form in ordered)]
    return [*alone, frozenset(ordered)] if len(ordered) > 1 else alone


def compare(
    day: TradingDay,
    forecaster: Forecaster,
    kind: Kind,
    wanted: Sequence[frozenset[Form]],
    done: Callable[[frozenset[Form]], None] = lambda _: None,
) -> list[MechanismOutcome]:
    """Trade a day in every choice of forms.

    Parameters
    ----------
    done : callable
        Told of each choice once it was traded.
    """
    by_themselves = homes_alone(day, forecaster)
    alone = tuple([record.cost_nano() for record in by_themselves])
    outcomes = []
    for forms in wanted:
        records, trades, wh = by_themselves, 0, 0
        if forms:
            traded = trade_in_forms(day, forecaster, kind, forms)
            records = [agent.record for agent in traded.agents]
            trades, wh = sum(traded.trades.values()), sum(traded.wh.values())
        outcomes.append(outcome_of(day, forms, records, alone, trades, wh))
        done(forms)
    return outcomes


def row(outcome: MechanismOutcome, homes: Sequence[int]) -> MechanismRow:
    """An outcome in the units of people; ``homes`` are the numbers of the homes."""
    gains = [before - cost for before, cost in zip(outcome.alone_nano, outcome.cost_nano, strict=True)]
    worst = int(np.argmin(gains))
    return MechanismRow(
        forms=name(outcome.forms),
        welfare_eur=eur_of_nano(sum(gains) + outcome.retailer_nano),
        bills_eur=eur_of_nano(sum(outcome.cost_nano)),
        self_consumption=max(1.0 - outcome.fed_in_wh / outcome.pv_wh, 0.0) if outcome.pv_wh else None,
        gini=gini([max(gain, 0) for gain in gains]),
        worst_home=homes[worst],
        worst_gain_eur=eur_of_nano(gains[worst]),
        homes_worse_off=sum(gain < 0 for gain in gains),
        trades=outcome.trades,
        traded_kwh=outcome.traded_wh / 1000,
    )


def gini(values: Sequence[float]) -> float:
    """Gini coefficient of values of at least 0: mean difference of all pairs over twice the mean; 0 where all are 0."""
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    total = float(ordered.sum())
    if total == 0.0:
        return 0.0
    weights = 2 * np.arange(1, ordered.size + 1) - ordered.size - 1
    return float((weights * ordered).sum()) / (ordered.size * total)


def name(forms: frozenset[Form]) -> str:
    """How a choice of forms is called in tables."""
    if forms == frozenset(Form):
        return "all"
    return "+".join(form.name.lower() for form in sorted(forms)) or "none"


def outcome_of(
    day: TradingDay,
    forms: frozenset[Form],
    records: Sequence[HomeRecord],
    alone_nano: tuple[int, ...],
    trades: int,
    traded_wh: int,
) -> MechanismOutcome:
    """What a day came to for the homes of ``records``."""
    return MechanismOutcome(
        forms=forms,
        alone_nano=alone_nano,
        cost_nano=tuple([record.cost_nano() for record in records]),
        retailer_nano=sum(record.cost_nano() - record.standard_cost_nano() for record in records),
        pv_wh=int(day.pv_wh.sum()),
        fed_in_wh=sum(int(np.maximum(record.trade_wh - record.meter_wh, 0).sum()) for record in records),
        trades=trades,
        traded_wh=traded_wh,
    )


def _sums(first: Sequence[int], second: Sequence[int]) -> tuple[int, ...]:
    return tuple([one + other for one, other in zip(first, second, strict=True)])
