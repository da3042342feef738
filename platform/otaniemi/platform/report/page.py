"""The report of a run as a page."""

from __future__ import annotations

from datetime import datetime
from html import escape
from typing import Any

from otaniemi.platform.report import figures, sections
from otaniemi.platform.report.document import KeyFigure, band, document
from otaniemi.platform.report.series import most_active, slot_edges
from otaniemi.platform.results import HomeResult, RunRecord

HOME_SLOTS = 72_000
"""Homes times slots that the page carries in full; about 4 MB."""

_UNITS = """Made by <code>otaniemi</code>. Power in kW, energy in kWh, prices in ct/kWh, money in EUR (1 token = 1 EUR);
times are local times of the community. The exact integers (Wh, micro-token/kWh, nano-token) are in <code>leaves/</code>
beside this file."""


def render(record: RunRecord) -> str:
    """The report of a run as HTML.

    It opens without a network and asks for nothing: Plotly's script is inside, and a content policy forbids every
    request. Homes are shown one at a time; of a long run of many homes the page carries the most active, and says so.
    """
    shown, edges = shown_homes(record), slot_edges(record)
    data = {
        "figures": figures.every(record),
        "homes": [figures.home_series(home) for home in shown],
        "slotSeconds": record.slot_seconds,
        "zoom": [edges[0], edges[-1]],
    }
    return document(
        record.title,
        _header(record),
        sections.every(record, shown),
        f"<p>{_UNITS} Data: {escape(sections.source(record))}.</p>",
        data,
        "page.js",
    )


def shown_homes(record: RunRecord) -> list[HomeResult]:
    """The homes that the page carries in full, by account: all, or as many most active ones as `HOME_SLOTS` allows."""
    room = max(1, HOME_SLOTS // len(record.slot_starts))
    return sorted(most_active(record.homes)[:room], key=lambda home: home.account)


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
{band(_key_figures(record.summary))}
</header>"""


def _key_figures(s: dict[str, Any]) -> list[KeyFigure]:
    share, alone, market = s["market_efficiency"], s["cost_no_market_eur"], s["cost_market_eur"]
    bills, surplus, audit, gas = s["bills_sum_nano"], s["escrow_surplus_nano"], s["audit"], s["gas"]
    efficiency = (
        KeyFigure("market efficiency", "-", "", "there was nothing to gain")
        if share is None
        else KeyFigure(
            "market efficiency", f"{100 * share:.1f}", "%", "of what planning all homes as one would save"
        )
    )
    return [
        efficiency,
        KeyFigure(
            "saved by the market", f"{alone - market:.2f}", "EUR", f"{alone:.2f} alone, {market:.2f} with it"
        ),
        KeyFigure(
            "traded", f"{s['traded_wh'] / 1e3:.2f}", "kWh", f"{s['trades']} of {s['orders']} orders filled"
        ),
        KeyFigure(
            "sold from cars", f"{s['v2h_sold_wh'] / 1e3:.2f}", "kWh", "vehicle-to-home energy for neighbours"
        ),
        KeyFigure("bills sum to", str(bills), "nano-token", "all parties together", bills == 0),
        KeyFigure("escrow surplus", str(surplus), "nano-token", "held but owed to no one", surplus == 0),
        KeyFigure(
            "audit",
            "holds" if audit["ok"] else "fails",
            "",
            f"{audit['leaves']} leaves recomputed",
            bool(audit["ok"]),
        ),
        KeyFigure(
            "gas per home and day",
            f"{gas['per_home_day'] / 1e6:.2f}",
            "million",
            f"{gas['per_order']:,.0f} to relay and clear an order",
        ),
    ]
