"""Pieces of charts: Plotly figures in plain dictionaries, all pages' charts alike.

Text and grid get their colours from the page, which knows its theme; the colour "ink" stands for that of its text.
"""

from __future__ import annotations

from typing import Any

from otaniemi.platform.report import colours
from otaniemi.platform.results import FloatArray

Figure = dict[str, Any]


def label(name: str) -> str:
    """A name as Plotly shall show it: its own markup must not be read as markup."""
    return name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def area(
    x: list[str], kw: FloatArray | None, name: str, colour: str, *, up: bool, in_legend: bool = True
) -> Figure:
    """Power stacked away from zero, up or down; without values a template for the page to fill. [kW]

    `x` holds the slots' starts and the last one's end; a name has one entry in the legend for both sides.
    """
    values = None if kw is None else [round(float(v), 3) for v in (*kw, kw[-1])]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": x,
        "y": values,
        "stackgroup": "up" if up else "down",
        "line": {"shape": "hv", "width": 0, "color": colour},
        "fillcolor": colour + ("e0" if up else "99"),
        "legendgroup": name,
        "showlegend": in_legend,
        "hovertemplate": "%{y:.2f} kW",
    }


def steps(x: list[str], y: list[float] | None, name: str, unit: str, colour: str, **more: Any) -> Figure:
    """A staircase over the slots; `x` as in `area`, `more` are Plotly's properties of a line."""
    line = {"shape": "hv", "color": colour, "width": more.pop("width", 0), "dash": more.pop("dash", "solid")}
    values = None if y is None else [round(float(v), 4) for v in (*y, y[-1])]
    return (
        {"type": "scatter", "mode": "lines", "name": name, "x": x, "y": values, "line": line}
        | {"hovertemplate": f"%{{y:.2f}} {unit}"}
        | more
    )


def single_bars(rows: list[tuple[str, float]], unit: str, digits: int) -> Figure:
    """A bar and its number for every named value."""
    return {
        "type": "bar",
        "orientation": "h",
        "y": [label(name) for name, _ in rows],
        "x": [value for _, value in rows],
        "text": [f"{value:.{digits}f} {unit}" for _, value in rows],
        "textposition": "auto",
        "marker": {"color": colours.MARKET},
        "hovertemplate": f"%{{y}}: %{{x:.{digits}f}} {unit}<extra></extra>",
        "showlegend": False,
    }


def layout(height: int) -> Figure:
    """What every chart has: its height, and the legend above it."""
    return {
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "legend": {
            "orientation": "h",
            "y": 1.03,
            "yanchor": "bottom",
            "x": 0,
            "xanchor": "left",
            "traceorder": "normal",
        },
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "dragmode": "zoom",
    }


def time_layout(y_title: str, *, height: int) -> Figure:
    """A chart over local time."""
    return layout(height) | {
        "xaxis": {"type": "date", "automargin": True, "title": {"text": "local time"}},
        "yaxis": {"title": {"text": y_title}, "automargin": True, "zeroline": True},
        "hovermode": "x unified",
    }


def bar_layout(x_title: str, height: int) -> Figure:
    """A chart of horizontal bars."""
    return layout(height) | {
        "xaxis": {"title": {"text": x_title}, "automargin": True, "zeroline": True},
        "yaxis": {"automargin": True, "type": "category", "ticksuffix": "  "},
    }
