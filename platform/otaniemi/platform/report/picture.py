"""A run as one SVG picture: the community's energy above its prices, in text and shapes that any viewer shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from math import ceil, floor, log10

import numpy as np

from otaniemi.platform.report import colours
from otaniemi.platform.report.series import community_flow, slot_edges, traded_price
from otaniemi.platform.results import FloatArray, RunRecord

WIDTH, HEIGHT = 1000, 570
_LEFT, _RIGHT = 64, 822
_FLOW = (96, 370)
_PRICE = (412, 522)


@dataclass(frozen=True)
class _Panel:
    """A rectangle of the picture with its scales: slots across, values up."""

    top: float
    bottom: float
    low: float
    high: float
    slots: int

    def x(self, slot: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * slot / self.slots

    def y(self, value: float) -> float:
        return self.bottom - (self.bottom - self.top) * (value - self.low) / (self.high - self.low)


def flow_svg(record: RunRecord) -> str:
    """The run as SVG: stacked supply (above zero) and use (below) in kW, prices in ct/kWh, over local time."""
    flow, prices = community_flow(record), traded_price(record)
    supply, use = list(flow.supply_kw.items()), list(flow.use_kw.items())
    retail = [*record.import_micro, *record.feed_in_micro]
    seen = [p / 1e4 for p in retail] + [p for p in prices if p is not None]
    slots = len(record.slot_starts)
    top, bottom = sum(kw for _, kw in supply).max(), sum(kw for _, kw in use).max()  # type: ignore[union-attr]
    power = _panel(_FLOW, -bottom, top, slots)
    price = _panel(_PRICE, min(seen), max(seen), slots)
    s = record.summary
    data = "synthetic data" if record.data_source == "synthetic" else f"data: {record.data_source}"
    saved = s["cost_no_market_eur"] - s["cost_market_eur"]
    facts = f"{len(record.homes)} homes, {s['traded_wh'] / 1e3:.0f} kWh traded, {saved:.2f} EUR saved, {data}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'font-family="system-ui, Segoe UI, Roboto, DejaVu Sans, sans-serif" font-size="14" fill="#1b2430">',
        f"<title>{escape(record.title)}: {escape(facts)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="12" fill="#ffffff"/>',
        _text(_LEFT - 44, 34, record.title, size=19, weight=650),
        _text(_LEFT - 44, 56, facts, colour="#5b6777"),
        *_grid(power, "kW"),
        *_areas(power, supply, 1),
        *_areas(power, use, -1),
        _rule(power, 0.0, "#1b2430"),
        _staircase(power, flow.traded_kw, "#1b2430", "2 4"),
        *_flow_legend([name for name, _ in supply], [name for name, _ in use]),
        *_grid(price, "ct/kWh"),
        *_hours(price, slot_edges(record)),
        _staircase(price, [p / 1e4 for p in record.import_micro], colours.IMPORT, ""),
        _staircase(price, [p / 1e4 for p in record.feed_in_micro], colours.FEED_IN, "6 4"),
        *_dots(price, prices),
        *_price_legend(),
        _text(_RIGHT + 38, _PRICE[1] + 20, "local time", colour="#5b6777"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _panel(span: tuple[int, int], low: float, high: float, slots: int) -> _Panel:
    """Scales that start and end on a tick and have some height even where all values are equal."""
    low, high = min(low, 0.0), max(high, 0.0)
    step = _step(high - low or 1.0)
    return _Panel(
        span[0],
        span[1],
        floor(low / step) * step,
        max(ceil(high / step), floor(low / step) + 1) * step,
        slots,
    )


def _step(span: float) -> float:
    """A round distance between ticks, for four to eight of them."""
    power = 10.0 ** floor(log10(span / 4))
    return next(power * m for m in (1, 2, 2.5, 5, 10) if span / (power * m) <= 6)


def _grid(panel: _Panel, unit: str) -> list[str]:
    step = _step(panel.high - panel.low)
    count = round((panel.high - panel.low) / step)
    ticks = [panel.low + step * i for i in range(count + 1)]
    lines = [_rule(panel, tick, "#e6e9ee") for tick in ticks]
    words = [
        _text(_LEFT - 8, panel.y(t) + 5, f"{abs(t) if unit == 'kW' else t:g}", anchor="end", colour="#5b6777")
        for t in ticks
    ]
    return [*lines, *words, _text(_LEFT - 8, panel.top - 9, unit, anchor="end", colour="#5b6777", size=13)]


def _rule(panel: _Panel, value: float, colour: str) -> str:
    y = panel.y(value)
    return f'<path d="M{_LEFT} {y:.1f}H{_RIGHT}" stroke="{colour}" fill="none"/>'


def _areas(panel: _Panel, parts: Sequence[tuple[str, FloatArray]], sign: int) -> list[str]:
    """Bands stacked away from zero, each a closed staircase."""
    below = np.zeros(panel.slots)
    bands = []
    for device, kw in parts:
        above = below + sign * kw
        edge = _stairs(panel, above) + " L" + _stairs(panel, below, backwards=True)[1:]
        bands.append(
            f'<path d="{edge}Z" fill="{colours.DEVICE[device]}" fill-opacity="{0.92 if sign > 0 else 0.62}"/>'
        )
        below = above
    return bands


def _stairs(panel: _Panel, values: FloatArray, *, backwards: bool = False) -> str:
    corners = [(slot + end, value) for slot, value in enumerate(values) for end in (0, 1)]
    points = [
        f"{panel.x(slot):.1f} {panel.y(value):.1f}"
        for slot, value in (corners[::-1] if backwards else corners)
    ]
    return "M" + "L".join(points)


def _staircase(panel: _Panel, values: Sequence[float] | FloatArray, colour: str, dashes: str) -> str:
    dash = f' stroke-dasharray="{dashes}"' if dashes else ""
    path = _stairs(panel, np.asarray(values, dtype=np.float64))
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'


def _dots(panel: _Panel, prices: Sequence[float | None]) -> list[str]:
    style = f'r="{3.2 if panel.slots <= 200 else 1.6}" fill="{colours.DEVICE["battery"]}"'
    return [
        f'<circle cx="{panel.x(slot + 0.5):.1f}" cy="{panel.y(price):.1f}" {style}/>'
        for slot, price in enumerate(prices)
        if price is not None
    ]


def _hours(panel: _Panel, edges: Sequence[str]) -> list[str]:
    """Clock times under one day, dates under several."""
    moments = [datetime.fromisoformat(edge) for edge in edges]
    days = (moments[-1] - moments[0]).total_seconds() / 86_400
    wanted = [
        (slot, f"{m:%H:%M}" if days <= 1 else f"{m:%d %b}")
        for slot, m in enumerate(moments)
        if m.minute == 0 and (m.hour % 3 == 0 if days <= 1 else m.hour == 0 and m.day % ceil(days / 10) == 0)
    ]
    return [
        _text(panel.x(slot), panel.bottom + 20, words, anchor="middle", colour="#5b6777")
        for slot, words in wanted
    ]


def _flow_legend(supply: Sequence[str], use: Sequence[str]) -> list[str]:
    """Names beside the areas, in the order in which they are stacked."""
    rows = [
        ("power came from", None, 1.0),
        *((colours.NAME[n], colours.DEVICE[n], 0.92) for n in reversed(supply)),
    ]
    rows += [("", None, 1.0), ("and was used for", None, 1.0)]
    rows += [(colours.NAME[n], colours.DEVICE[n], 0.62) for n in use]
    x, y = _RIGHT + 14, _FLOW[0] + 6 + 22 * len(rows)
    dots = f'<path d="M{x} {y}h16" stroke="#1b2430" stroke-width="2" stroke-dasharray="2 4"/>'
    return [*_legend(_FLOW[0] + 2, rows), dots, _text(x + 22, y + 5, "from neighbours")]


def _price_legend() -> list[str]:
    x, y = _RIGHT + 14, _PRICE[0] + 14
    return [
        f'<path d="M{x} {y}h16" stroke="{colours.IMPORT}" stroke-width="2"/>',
        _text(x + 24, y + 5, "retail import"),
        f'<circle cx="{x + 8}" cy="{y + 22}" r="3.2" fill="{colours.DEVICE["battery"]}"/>',
        _text(x + 24, y + 27, "local price"),
        f'<path d="M{x} {y + 44}h16" stroke="{colours.FEED_IN}" stroke-width="2" stroke-dasharray="6 4"/>',
        _text(x + 24, y + 49, "retail feed-in"),
    ]


def _legend(top: float, rows: Sequence[tuple[str, str | None, float]]) -> list[str]:
    parts, y = [], top
    for words, colour, opacity in rows:
        if colour is None:
            parts.append(_text(_RIGHT + 14, y + 5, words, colour="#5b6777", size=12.5))
        else:
            box = f'x="{_RIGHT + 14}" y="{y - 7}" width="14" height="14" rx="3"'
            parts.append(f'<rect {box} fill="{colour}" fill-opacity="{opacity}"/>')
            parts.append(_text(_RIGHT + 36, y + 5, words))
        y += 22 if words else 8
    return parts


def _text(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "start",
    colour: str = "",
    size: float = 0,
    weight: int = 0,
) -> str:
    style = "".join(
        f' {name}="{value}"'
        for name, value in (
            ("text-anchor", anchor),
            ("fill", colour),
            ("font-size", size),
            ("font-weight", weight),
        )
        if value and value != "start"
    )
    return f'<text x="{x:.1f}" y="{y:.1f}"{style}>{escape(words)}</text>'
