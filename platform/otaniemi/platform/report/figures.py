"""The charts of a run's report."""

from __future__ import annotations

from typing import Any

from otaniemi.platform.report import charts, colours
from otaniemi.platform.report.charts import Figure
from otaniemi.platform.report.series import (
    CONSUMERS,
    STORAGES,
    Curve,
    book_curve,
    community_flow,
    ct_per_kwh,
    eur,
    gains,
    local_band,
    slot_edges,
)
from otaniemi.platform.results import BookOrder, FloatArray, HomeResult, RunRecord, SampleBook, Temperature

SYMBOLS = ("circle", "diamond", "triangle-up", "square")


def every(record: RunRecord) -> dict[str, Figure]:
    """All charts of a run by name; those called home_* are templates for one home."""
    charts = {
        "community": community,
        "prices": prices,
        "worth": worth,
        "homes": homes,
        "imbalance": imbalance,
        "gas": gas,
        "home_devices": home_devices,
        "home_energy": home_energy,
        "home_storage": home_storage,
        "home_temperatures": home_temperatures,
    }
    figures = {name: chart(record) for name, chart in charts.items()}
    if record.book:
        figures["book"] = order_book(record.book)
    if record.mechanisms:
        figures["mechanisms"] = mechanisms(record)
    return figures


def community(record: RunRecord) -> Figure:
    """Supply above zero and use below, mean power of each slot in kW; dotted: what was bought from neighbours."""
    flow, x = community_flow(record), slot_edges(record)
    traces = [_device(x, kw, name, up=True) for name, kw in flow.supply_kw.items()]
    traces += [
        _device(x, -kw, name, up=False, in_legend=name not in flow.supply_kw)
        for name, kw in flow.use_kw.items()
    ]
    traces.append(
        charts.steps(x, [*flow.traded_kw], "bought from neighbours", "kW", "ink", dash="dot", width=2)
    )
    return {"data": traces, "layout": charts.time_layout("kW", height=420)}


def prices(record: RunRecord) -> Figure:
    """Each session's clearing price, retail import and feed-in, and the band in which local trade pays. [ct/kWh]"""
    x, (low, high) = slot_edges(record), local_band(record)
    band = "feed-in to import less local fee"
    traces: list[Figure] = [
        charts.steps(x, low, band, "", "rgba(0,0,0,0)", hoverinfo="skip", showlegend=False),
        charts.steps(
            x, high, band, "", "rgba(0,0,0,0)", fill="tonexty", fillcolor=colours.BAND, hoverinfo="skip"
        ),
        charts.steps(
            x, [p / 1e4 for p in record.import_micro], "retail import", "ct/kWh", colours.IMPORT, width=2
        ),
        charts.steps(
            x,
            [p / 1e4 for p in record.feed_in_micro],
            "retail feed-in",
            "ct/kWh",
            colours.FEED_IN,
            width=2,
            dash="dash",
        ),
    ]
    thick = 13 if len(record.slot_starts) <= 100 else 8
    largest = max((wh for session in record.sessions for wh in session.volume_wh), default=0) or 1
    for number, session in enumerate(record.sessions):
        deals = [
            (start, ct_per_kwh(price), wh / 1e3, round(thick * (0.35 + 0.65 * (wh / largest) ** 0.5), 1))
            for start, price, wh in zip(x, session.price_micro, session.volume_wh, strict=False)
            if price is not None
        ]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": session.name,
                "x": [deal[0] for deal in deals],
                "y": [deal[1] for deal in deals],
                "customdata": [deal[2] for deal in deals],
                "xperiod": record.slot_seconds * 1000,
                "xperiodalignment": "middle",
                "hovertemplate": "%{y:.2f} ct/kWh, %{customdata:.3f} kWh",
                "marker": {
                    "symbol": SYMBOLS[number % len(SYMBOLS)],
                    "color": colours.SESSION[number % len(colours.SESSION)],
                    "size": [deal[3] for deal in deals],
                    "line": {"width": 0.5, "color": "ink"},
                },
            }
        )
    return {"data": traces, "layout": charts.time_layout("ct/kWh", height=400)}


def worth(record: RunRecord) -> Figure:
    """The community's cost: alone, with the market, as one optimum, as one optimum that knows the future. [EUR]"""
    rows = [
        ("each home alone", record.summary["cost_no_market_eur"], colours.ALONE),
        ("with the market", record.summary["cost_market_eur"], colours.MARKET),
        ("planned as one", record.summary["cost_community_optimum_eur"], colours.DEVICE["battery"]),
        (
            "as one, perfect forecast",
            record.summary["cost_perfect_foresight_eur"],
            colours.DEVICE["appliances"],
        ),
    ]
    rows = [row for row in rows if row[1] is not None][::-1]
    bar = {
        "type": "bar",
        "orientation": "h",
        "y": [name for name, _, _ in rows],
        "x": [cost for _, cost, _ in rows],
        "marker": {"color": [colour for _, _, colour in rows]},
        "text": [f"{cost:.2f} EUR" for _, cost, _ in rows],
        "textposition": "auto",
        "hovertemplate": "%{y}: %{x:.2f} EUR<extra></extra>",
        "showlegend": False,
    }
    return {"data": [bar], "layout": charts.bar_layout("cost of all homes, EUR", 210)}


def mechanisms(record: RunRecord) -> Figure:
    """What each choice of forms gains over no form: homes and retailer together, and the homes alone. [EUR]"""
    rows = record.mechanisms[:0:-1]
    nothing = record.mechanisms[0]["bills_eur"]
    bars = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "y": [_wrapped(row["forms"]) for row in rows],
            "x": [round(gain, 4) for gain in gained],
            "marker": {"color": colour},
            "hovertemplate": "%{x:.3f} EUR",
            "legendrank": rank,
        }
        for name, gained, colour, rank in (
            ("homes and retailer", [row["welfare_eur"] for row in rows], colours.MARKET, 1002),
            ("homes", [nothing - row["bills_eur"] for row in rows], colours.ALONE, 1001),
        )
    ]
    return {"data": bars, "layout": charts.bar_layout("gain over no trading, EUR", 90 + 44 * len(rows))}


def homes(record: RunRecord) -> Figure:
    """A pair of bars for each home, alone and with the market, and its saving; the worst-off home is marked. [EUR]"""
    every = gains(record)[::-1]
    names = [charts.label(gain.home.name) for gain in every]
    reach = max((abs(v) for gain in every for v in (gain.alone_eur, gain.market_eur)), default=1.0) or 1.0
    pair = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "y": names,
            "x": values,
            "marker": {"color": colour},
            "hovertemplate": "%{x:.2f} EUR",
            "legendrank": rank,
        }
        for name, values, colour, rank in (
            ("with the market", [g.market_eur for g in every], colours.MARKET, 1002),
            ("alone", [g.alone_eur for g in every], colours.ALONE, 1001),
        )
    ]
    notes = [
        {
            "x": max(gain.alone_eur, gain.market_eur, 0.0) + 0.015 * reach,
            "y": name,
            "text": f"{gain.gain_eur:+.2f}" + ("  ◀ worst off" if index == 0 else ""),
            "showarrow": False,
            "xanchor": "left",
            "font": {"size": 12},
        }
        for index, (gain, name) in enumerate(zip(every, names, strict=True))
    ]
    layout = charts.bar_layout(
        "cost, EUR",
        110 + (34 if len(every) <= 30 else 20) * len(every),
    )
    low = min((min(g.alone_eur, g.market_eur, 0.0) for g in every), default=0.0)
    high = max((max(g.alone_eur, g.market_eur, 0.0) for g in every), default=1.0)
    layout["xaxis"]["range"] = [low - 0.03 * reach, high + 0.42 * reach]
    layout |= {"annotations": notes, "barmode": "group", "bargap": 0.25, "hovermode": "y unified"}
    return {"data": pair, "layout": layout}


def order_book(book: SampleBook) -> Figure:
    """Demand and supply of one market as staircases, its clearing price and traded volume."""
    demand, supply = book_curve(book.orders, buy=True), book_curve(book.orders, buy=False)
    price, volume = book.price_micro / 1e4, sum(o.fill_wh for o in book.orders if o.buy) / 1e3
    reach = max([*demand.kwh, *supply.kwh, volume])
    guide = {"type": "line", "xref": "x", "yref": "y", "line": {"dash": "dot", "width": 1.5, "color": "ink"}}
    layout = charts.layout(400) | {
        "xaxis": {"title": {"text": "cumulative energy, kWh"}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": "limit price, ct/kWh"}},
        "hovermode": "closest",
        "shapes": [
            guide | {"x0": 0, "x1": reach, "y0": price, "y1": price},
            guide | {"x0": volume, "x1": volume, "y0": 0, "y1": 1, "yref": "y domain"},
        ],
        "annotations": [
            {
                "x": 0.01,
                "xref": "x domain",
                "xanchor": "left",
                "y": price,
                "yanchor": "bottom",
                "text": f"clearing price {price:.2f} ct/kWh",
                "showarrow": False,
            },
            {
                "x": volume,
                "xanchor": "right" if volume > 0.5 * reach else "left",
                "y": 0,
                "yref": "y domain",
                "yanchor": "bottom",
                "text": f" {volume:.3f} kWh traded ",
                "showarrow": False,
            },
        ],
    }
    return {
        "data": [
            _staircase(demand, "demand: bids, best first", colours.BUY, "solid"),
            _staircase(supply, "supply: offers, best first", colours.SELL, "solid"),
        ],
        "layout": layout,
    }


def imbalance(record: RunRecord) -> Figure:
    """Energy that was metered but not traded, by what caused it. [kWh]"""
    causes = {
        "market": "market: unfilled or overfilled",
        "forecast": "forecast: weather and load",
        "control": "control: plan not followed",
    }
    rows = [(causes.get(cause, cause), wh / 1e3) for cause, wh in record.imbalance_split_wh.items()][::-1]
    return {
        "data": [charts.single_bars(rows, "kWh", 2)],
        "layout": charts.bar_layout("absolute deviation, kWh", 90 + 44 * len(rows)),
    }


def gas(record: RunRecord) -> Figure:
    """Gas by category, the most expensive first. [million gas]"""
    rows = sorted(
        ((category, amount / 1e6) for category, amount in record.gas.items()), key=lambda row: row[1]
    )
    return {
        "data": [charts.single_bars(rows, "Mgas", 3)],
        "layout": charts.bar_layout("million gas", 90 + 30 * len(rows)),
    }


def home_devices(record: RunRecord) -> Figure:
    """One home's power by device: a template whose values the page fills in for the chosen home."""
    x = slot_edges(record)
    feeding, taking = ("pv", "battery", "ev"), ("load", *CONSUMERS[1:], *STORAGES)
    traces = [_device(x, None, name, up=True) | {"meta": [name, -1]} for name in feeding]
    traces += [
        _device(x, None, name, up=False, in_legend=name not in feeding) | {"meta": [name, 1]}
        for name in taking
    ]
    return {"data": traces, "layout": charts.time_layout("kW", height=300)}


def home_energy(record: RunRecord) -> Figure:
    """One home's plan, trade, schedule and meter, import positive: a template as `home_devices`."""
    x = slot_edges(record)
    lines = (
        ("planned", "plan of the day before", colours.DEVICE["grid"], "solid", 5),
        ("trade", "trade", colours.DEVICE["pv"], "solid", 2.5),
        ("schedule", "nominated schedule", colours.DEVICE["load"], "dash", 2),
        ("meter", "meter", "ink", "solid", 1.5),
    )
    traces = [
        charts.steps(x, None, name, "kW", colour, dash=dash, width=width) | {"meta": [key, 0]}
        for key, name, colour, dash, width in lines
    ]
    traces[0]["opacity"] = 0.55
    return {"data": traces, "layout": charts.time_layout("kW", height=300)}


def home_storage(record: RunRecord) -> Figure:
    """One home's states of charge at the end of each slot: a template as `home_devices`. [%]"""
    ends = slot_edges(record)[1:]
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": colours.NAME[name],
            "x": ends,
            "line": {"color": colours.DEVICE[name], "width": 2.5, "dash": dash},
            "connectgaps": False,
            "hovertemplate": "%{y:.0f} %",
            "meta": [f"{name}_soc", 0],
        }
        for name, dash in (("battery", "solid"), ("ev", "dash"))
    ]
    layout = charts.time_layout("%", height=220)
    layout["yaxis"] |= {"range": [-4, 104], "dtick": 25}
    layout["showlegend"] = True
    return {"data": traces, "layout": layout}


def home_temperatures(record: RunRecord) -> Figure:
    """One home's temperatures and their bands at the end of each slot: a template as `home_devices`. [°C]"""
    ends = slot_edges(record)[1:]
    kinds = sorted({one.device for home in record.homes for one in home.temperatures})
    traces = []
    for kind, colour in colours.of_devices(kinds).items():
        line: Figure = {"type": "scatter", "mode": "lines", "x": ends, "hovertemplate": "%{y:.1f} °C"}
        name = colours.NAME.get(kind, charts.label(kind))
        traces.append(
            line | {"name": name, "line": {"color": colour, "width": 2.5}, "meta": [f"{kind}_reached", 0]}
        )
        for limit in ("min", "max"):
            traces.append(
                line
                | {
                    "name": f"{name}, {limit}.",
                    "showlegend": False,
                    "line": {"color": colour, "width": 1, "dash": "dot"},
                    "meta": [f"{kind}_{limit}", 0],
                }
            )
    layout = charts.time_layout("°C", height=260)
    layout["showlegend"] = True
    return {"data": traces, "layout": layout}


def home_series(home: HomeResult) -> dict[str, Any]:
    """What the page fills its templates with: Wh of each slot, states of charge [%] and temperatures [°C] as they are
    drawn, the bill in EUR."""
    energy = {
        "planned": home.planned_wh,
        "trade": home.trade_wh,
        "schedule": home.schedule_wh,
        "meter": home.meter_wh,
    }
    return {
        "name": home.name,
        "account": home.account,
        "devices": ", ".join(colours.NAME.get(device, device) for device in home.devices),
        "wh": {
            key: [int(wh) for wh in values]
            for key, values in (home.device_wh | energy).items()
            if values.any()
        },
        "as_is": {
            f"{name}_soc": _percent(soc)
            for name, soc in (("battery", home.battery_soc), ("ev", home.ev_soc))
            if soc is not None
        }
        | {key: values for one in home.temperatures for key, values in _temperature(one).items()},
        "sold": {colours.SOURCE.get(source, source): wh / 1e3 for source, wh in home.sold_wh.items() if wh},
        "packages": ", ".join(home.packages),
        "contracts": {other: wh / 1e3 for other, wh in home.contracts_wh.items()},
        "bill": {part.replace("_", " "): eur(nano) for part, nano in home.bill_nano.items()},
        "alone": eur(home.cost_alone_nano),
        "market": eur(home.cost_market_nano),
    }


def _percent(soc: FloatArray) -> list[float | None]:
    return [None if value != value else round(100 * float(value), 1) for value in soc]


def _temperature(one: Temperature) -> dict[str, list[float]]:
    slots = len(one.reached_c)
    return {
        f"{one.device}_reached": [round(float(value), 2) for value in one.reached_c],
        f"{one.device}_min": [one.min_c] * slots,
        f"{one.device}_max": [one.max_c] * slots,
    }


def _device(x: list[str], kw: FloatArray | None, device: str, *, up: bool, in_legend: bool = True) -> Figure:
    return charts.area(x, kw, colours.NAME[device], colours.DEVICE[device], up=up, in_legend=in_legend)


def _staircase(curve: Curve, name: str, colour: str, dash: str) -> Figure:
    def words(order: BookOrder) -> str:
        filled = f"{order.fill_wh / 1e3:.3f} of {order.quantity_wh / 1e3:.3f} kWh filled"
        source, limit = (
            colours.SOURCE.get(order.source, order.source),
            f"{order.price_micro / 1e4:.2f} ct/kWh",
        )
        return f"account {order.account}, {charts.label(source)}, {limit}<br>{filled}"

    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": curve.kwh,
        "y": curve.ct,
        "text": [words(order) for order in curve.orders],
        "hovertemplate": "%{text}",
        "line": {"color": colour, "width": 2.5, "dash": dash},
        "marker": {"size": 5},
    }


def _wrapped(forms: str) -> str:
    """A choice of forms as a label: all of them would be too long."""
    return "all together" if forms.count("+") > 1 else forms
