"""The report as one HTML file that needs nothing else: script, style and data are inside."""

from __future__ import annotations

import json
from datetime import datetime
from html import escape
from importlib.resources import files
from typing import Any, NamedTuple

from plotly.offline import get_plotlyjs

from otaniemi.platform.report import figures, sections
from otaniemi.platform.report.series import most_active
from otaniemi.platform.results import HomeResult, RunRecord

HOME_SLOTS = 72_000
"""Homes times slots that the page carries in full; about 4 MB."""

_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"

_UNITS = """Made by <code>otaniemi</code>. Power in kW, energy in kWh, prices in ct/kWh, money in EUR (1 token = 1 EUR);
times are local times of the community. The exact integers (Wh, micro-token/kWh, nano-token) are in <code>leaves/</code>
beside this file."""


class _KeyFigure(NamedTuple):
    """One number of the summary band; `holds` marks those that can be right or wrong."""

    name: str
    value: str
    unit: str
    why: str
    holds: bool | None = None


def render(record: RunRecord) -> str:
    """The report of a run as HTML.

    It opens without a network and asks for nothing: Plotly's script is inside, and a content policy forbids every
    request. Homes are shown one at a time; of a long run of many homes the page carries the most active, and says so.
    """
    shown = shown_homes(record)
    data = {
        "figures": figures.every(record),
        "homes": [figures.home_series(home) for home in shown],
        "slotSeconds": record.slot_seconds,
    }
    here = files(__package__)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{escape(record.title)} - Otaniemi</title>
<style>
{here.joinpath("page.css").read_text(encoding="utf-8")}</style>
</head>
<body>
{_header(record)}
<main>
{sections.every(record, shown)}
</main>
<footer class="soft"><p>{_UNITS} Data: {escape(sections.source(record))}.</p></footer>
<script type="application/json" id="report-data">{_json(data)}</script>
<script>{get_plotlyjs()}</script>
<script>
{here.joinpath("page.js").read_text(encoding="utf-8")}</script>
</body>
</html>
"""


def shown_homes(record: RunRecord) -> list[HomeResult]:
    """The homes that the page carries in full, by account: all, or as many most active ones as `HOME_SLOTS` allows."""
    room = max(1, HOME_SLOTS // len(record.slot_starts))
    return sorted(most_active(record.homes)[:room], key=lambda home: home.account)


def _json(value: Any) -> str:
    """JSON that no text inside it can leave: `<` never stands for itself."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _header(record: RunRecord) -> str:
    s, slots = record.summary, len(record.slot_starts)
    days = slots * record.slot_seconds / 86_400
    start = datetime.fromisoformat(record.slot_starts[0])
    facts = (
        f"{len(record.homes)} homes, {slots} slots of {record.slot_seconds // 60} minutes "
        f"({days:g} {'day' if days == 1 else 'days'}) from {start:%A, %d %B %Y, %H:%M}; "
        f"forecast {s['forecast']}; seed {s['seed']}."
    )
    return f"""<header>
<h1>{escape(record.title)}</h1>
<div class="badge">Data: {escape(sections.source(record))}</div>
<p class="soft">{escape(facts)}</p>
<dl class="band">{"".join(_card(figure) for figure in _key_figures(record.summary))}</dl>
</header>"""


def _key_figures(s: dict[str, Any]) -> list[_KeyFigure]:
    share, alone, market = s["market_efficiency"], s["cost_no_market_eur"], s["cost_market_eur"]
    bills, surplus, audit, gas = s["bills_sum_nano"], s["escrow_surplus_nano"], s["audit"], s["gas"]
    efficiency = (
        _KeyFigure("market efficiency", "-", "", "there was nothing to gain")
        if share is None
        else _KeyFigure(
            "market efficiency", f"{100 * share:.1f}", "%", "of what planning all homes as one would save"
        )
    )
    return [
        efficiency,
        _KeyFigure(
            "saved by the market", f"{alone - market:.2f}", "EUR", f"{alone:.2f} alone, {market:.2f} with it"
        ),
        _KeyFigure(
            "traded", f"{s['traded_wh'] / 1e3:.2f}", "kWh", f"{s['trades']} of {s['orders']} orders filled"
        ),
        _KeyFigure(
            "sold from cars", f"{s['v2h_sold_wh'] / 1e3:.2f}", "kWh", "vehicle-to-home energy for neighbours"
        ),
        _KeyFigure("bills sum to", str(bills), "nano-token", "all parties together", bills == 0),
        _KeyFigure("escrow surplus", str(surplus), "nano-token", "held but owed to no one", surplus == 0),
        _KeyFigure(
            "audit",
            "holds" if audit["ok"] else "fails",
            "",
            f"{audit['leaves']} leaves recomputed",
            bool(audit["ok"]),
        ),
        _KeyFigure(
            "gas per home and day",
            f"{gas['per_home_day'] / 1e6:.2f}",
            "million",
            f"{gas['per_order']:,.0f} to relay and clear an order",
        ),
    ]


def _card(figure: _KeyFigure) -> str:
    mark = {None: "", True: " ✓", False: " ✗"}[figure.holds]
    tone = {None: "", True: " good", False: " bad"}[figure.holds]
    return (
        f'<div class="figure-card"><dt>{escape(figure.name)}</dt>'
        f'<dd class="value{tone}">{escape(figure.value)}{mark} <span class="unit">{escape(figure.unit)}</span></dd>'
        f'<dd class="why">{escape(figure.why)}</dd></div>'
    )
