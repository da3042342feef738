"""The reference study as a page: its figures beside ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.study import STUDY_COSTS, STUDY_EV_END_SOC, study_house
from otaniemi.platform.benchmarks.study import PLAIN, REPAIRED, CaseStudy, Study
from otaniemi.platform.report import charts, colours
from otaniemi.platform.report.charts import Figure
from otaniemi.platform.report.document import KeyFigure, band, chart, document, section, table
from otaniemi.platform.report.plan_figures import edges

CASES = {
    1: "loads scheduled",
    2: "with sun, and a battery for it",
    3: "with export and arbitrage",
    4: "with the car's energy (V2H)",
}
_COLOUR = dict(zip(CASES, colours.SESSION, strict=True))
_POINTS = 400
"""Of a curve over the iterations that the page draws."""

_UNITS = """Made by <code>otaniemi bench study</code>. Costs in EUR, income negative; the study's currency is unclear.
Its tariffs and profiles are not published: ours are fitted so that the exact ratios of the cases come close to the
study's, which therefore confirms nothing. Power in kW on the AC side, mean of the slot."""


def render(study: Study) -> str:
    """A study as HTML that opens without a network and asks for nothing."""
    ends = edges(study_house())
    figures = {
        "cases": _costs(study),
        "power": _ev_power(study, ends),
        "soc": _ev_soc(study, ends),
        "repaired": _convergence(study, REPAIRED),
        "plain": _convergence(study, PLAIN),
    }
    return document(
        "The reference study",
        _header(study),
        "\n".join(_sections(study)),
        f"<p>{_UNITS}</p>",
        {"figures": figures, "zoom": [ends[0], ends[-1]]},
        "charts.js",
    )


def _header(study: Study) -> str:
    first, last = study.cases[0], study.cases[-1]
    cut = 1 - last.exact.cost_eur / first.exact.cost_eur
    feasible = sum(judged.run.feasible for one in study.cases for judged in one.swarms[PLAIN])
    runs = study.seeds * len(study.cases)
    order = study.to_dict()["order_holds_repaired"]
    figures = [
        KeyFigure(
            "case 4 saves", f"{100 * cut:.1f}", "%", "of case 1 by the exact method; the study says 93.7 %"
        ),
        KeyFigure(
            "swarm, case 4", f"{last.mean_eur(REPAIRED):.2f}", "EUR", f"{last.exact.cost_eur:.2f} exactly"
        ),
        KeyFigure(
            "order of the cases", "holds" if order else "fails", "", "in the repaired swarm's means", order
        ),
        KeyFigure("plain swarm", f"{feasible} of {runs}", "", "runs kept every temperature band"),
    ]
    return f"""<header>
<h1>The reference study</h1>
<p class="soft">Cases 1 to 4 by branch and bound and by {study.seeds} runs of the particle swarm,
{study.iterations} iterations each; thresholds as fractions of the {
        "highest price" if study.rules.reading == "highest" else "price range"
    }.</p>
{band(figures)}
</header>"""


def _sections(study: Study) -> list[str]:
    tables: Mapping[str, Any] = study.to_dict()
    plain = (
        "Best cost with penalties so far, mean of the runs, logarithmic. Nothing but the penalty keeps the bands; "
        "the table says in how many runs that sufficed, and by how many kelvins, summed over the slots, it failed."
    )
    return [
        section(
            "Cost of the cases",
            "The study's figures are means of its swarm. "
            + "; ".join(f"{k}: {v}" for k, v in CASES.items())
            + ".",
            chart("cases", "Cost of cases 1 to 4: the study, exact, and the swarm")
            + _listed(tables["exact"]),
        ),
        section("How much the cases save", "", _listed(tables["cuts"])),
        section(
            "The car's power",
            "Charging above zero, discharging into the home below.",
            chart("power", "Power of the car over the day, kW"),
        ),
        section(
            "The car's state of charge",
            f"It comes home half full and leaves with 90 % or more, in the study {100 * STUDY_EV_END_SOC:g} %.",
            chart("soc", "State of charge of the car over the day, percent"),
        ),
        section(
            "The swarm with repair",
            "Best cost so far, mean of the runs; dotted: the exact optimum.",
            chart("repaired", "Cost over the iterations of the repaired swarm, EUR")
            + _listed(tables["repaired"]),
        ),
        section(
            "Why it costs more than the optimum",
            "By search: the best energy flows for its switching and starts still cost more than the optimum. "
            "By rules: its flows follow the allocation rules instead.",
            _listed(tables["excess"]),
        ),
        section(
            "The swarm as the study states it",
            plain,
            chart("plain", "Cost with penalties over the iterations of the plain swarm, EUR")
            + _listed(tables["plain"]),
        ),
    ]


def _listed(rows: Sequence[Mapping[str, Any]]) -> str:
    heads = [name.replace("_", " ") for name in rows[0]]
    return table(heads, [[_cell(value) for value in row.values()] for row in rows])


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _costs(study: Study) -> Figure:
    """Three bars for every case. [EUR]"""
    names = [f"case {one.case}" for one in study.cases][::-1]
    bars = {
        "the study": ([STUDY_COSTS[one.case] for one in study.cases], colours.ALONE),
        "exact": ([one.exact.cost_eur for one in study.cases], colours.MARKET),
        "swarm, repaired": ([one.mean_eur(REPAIRED) for one in study.cases], colours.DEVICE["pv"]),
    }
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "y": names,
            "x": costs[::-1],
            "text": [f"{cost:.2f}" for cost in costs[::-1]],
            "textposition": "auto",
            "marker": {"color": colour},
            "hovertemplate": "%{x:.2f} EUR",
        }
        for name, (costs, colour) in list(bars.items())[::-1]
    ]
    layout = charts.bar_layout("net cost of the day, EUR", 380)
    layout["legend"] |= {"traceorder": "reversed"}
    return {"data": traces, "layout": layout}


def _ev_power(study: Study, x: list[str]) -> Figure:
    """Power of the car, exact and of the best seed. [kW]"""
    traces = []
    for one in study.cases:
        flows = one.best(REPAIRED).flows
        swarm_kw = (flows.ev_charge - flows.ev_discharge) / study_house().slot_hours
        exact_kw = one.exact.ev_charge_kw - one.exact.ev_discharge_kw
        traces += _pair(one, x, exact_kw, swarm_kw, "kW")
    return {"data": traces, "layout": _day("kW")}


def _ev_soc(study: Study, x: list[str]) -> Figure:
    """State of charge of the car at the end of the slot, exact and of the best seed. [%]"""
    ev = study_house().ev
    assert ev is not None
    traces = []
    for one in study.cases:
        swarm_soc = one.best(REPAIRED).flows.ev_stored / ev.capacity_kwh
        traces += _pair(one, x, 100 * one.exact.ev_soc, 100 * swarm_soc, "%")
    return {"data": traces, "layout": _day("%")}


def _day(unit: str) -> Figure:
    """Layout of a chart over the day, which has no date."""
    layout = charts.time_layout(unit, height=340)
    layout["xaxis"] |= {"tickformat": "%H:%M", "title": {"text": "time of day"}}
    return layout


def _pair(one: CaseStudy, x: list[str], exact: Floats, swarm: Floats, unit: str) -> list[Figure]:
    """Two lines of a case; those of cases 1 and 2, in which the car is a plain load, show when asked for."""
    pair = []
    for name, values, dash in (("exact", exact, "solid"), ("swarm", swarm, "dot")):
        held = [None if np.isnan(value) else round(float(value), 3) for value in (*values, values[-1])]
        line = charts.steps(x, None, f"case {one.case}, {name}", unit, _COLOUR[one.case], width=2, dash=dash)
        pair.append(line | {"y": held, "visible": True if one.case > 2 else "legendonly"})
    return pair


def _convergence(study: Study, variant: str) -> Figure:
    """Best cost with penalties over the iterations, mean of the seeds. [EUR]"""
    traces = []
    for one in study.cases:
        mean = np.mean([judged.run.history for judged in one.swarms[variant]], axis=0)
        at = np.unique(np.linspace(0, mean.size - 1, _POINTS).astype(int))
        line = {"color": _COLOUR[one.case], "width": 2}
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": f"case {one.case}",
                "x": at.tolist(),
                "y": [round(float(value), 4) for value in mean[at]],
                "line": line,
                "hovertemplate": "%{y:.3f} EUR",
            }
        )
        if variant == REPAIRED:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": f"case {one.case}, exact",
                    "x": [0, mean.size - 1],
                    "y": [one.exact.cost_eur] * 2,
                    "line": line | {"dash": "dot", "width": 1.5},
                    "showlegend": False,
                    "hovertemplate": "%{y:.3f} EUR",
                }
            )
    layout = charts.layout(360) | {
        "xaxis": {"title": {"text": "iterations"}},
        "yaxis": {"title": {"text": "EUR"}, "type": "linear" if variant == REPAIRED else "log"},
        "hovermode": "x unified",
    }
    return {"data": traces, "layout": layout}
