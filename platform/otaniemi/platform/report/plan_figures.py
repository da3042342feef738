"""The charts of a home's plan."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby

import numpy as np

from otaniemi.optimizer.devices.thermal import ThermalDevice
from otaniemi.optimizer.fields import Floats
from otaniemi.optimizer.house import House
from otaniemi.optimizer.savings import Savings
from otaniemi.optimizer.schedule import Schedule
from otaniemi.platform.plan_words import device_name, sun_kwh, thermal_kw
from otaniemi.platform.report import charts, colours
from otaniemi.platform.report.charts import Figure

_MIDNIGHT = datetime(2001, 1, 1)
"""A plan has no date; charts show the time of day only, and which day of several."""
_CLEAR = "rgba(0,0,0,0)"


def edges(house: House) -> list[str]:
    """Start of every slot and, last, the end of the last one."""
    return [_moment(house, slot) for slot in range(house.slots + 1)]


def every(house: House, schedule: Schedule, savings: Savings | None) -> dict[str, Figure]:
    """All charts of a plan by name."""
    found = {"power": power(house, schedule), "prices": prices(house)}
    if schedule.scenarios:
        found["grid"] = grid(house, schedule)
    found |= {device.field: temperature(house, schedule, device) for device in house.thermal}
    if house.battery or (house.ev and house.ev.sessions):
        found["charge"] = charge(house, schedule)
    if schedule.starts:
        found["appliances"] = appliances(house, schedule)
    if savings is not None and savings.by_device:
        found["savings"] = saved(schedule, savings)
    return found


def power(house: House, schedule: Schedule) -> Figure:
    """Where power comes from, above zero, and what it is used for, below, mean of each slot. [kW]"""
    x = edges(house)
    loads = [load.name for load in house.thermal_loads]
    colour = colours.of_devices([*colours.DEVICE, *loads])
    sources = {
        "pv": schedule.pv_used_kw,
        "battery": schedule.battery_discharge_kw,
        "ev": schedule.ev_discharge_kw,
        "grid": schedule.import_kw,
    }
    uses = {"load": house.base_load_kw, "appliances": schedule.appliance_kw}
    uses |= {load.name: thermal_kw(load, schedule) for load in house.thermal_loads}
    uses |= {"battery": schedule.battery_charge_kw, "ev": schedule.ev_charge_kw, "grid": schedule.export_kw}
    sources = {name: kw for name, kw in sources.items() if kw.any()}
    traces = [charts.area(x, kw, device_name(name), colour[name], up=True) for name, kw in sources.items()]
    traces += [
        charts.area(x, -kw, device_name(name), colour[name], up=False, in_legend=name not in sources)
        for name, kw in uses.items()
        if kw.any()
    ]
    sun = sun_kwh(house) / house.slot_hours
    if (sun - schedule.pv_used_kw > 1e-3).any():
        traces.append(charts.steps(x, [*sun], "sun there is", "kW", "ink", width=1.5, dash="dot"))
    return {"data": traces, "layout": _layout(house, "kW", 420)}


def prices(house: House) -> Figure:
    """What a kWh from the grid costs, and what one into it brings. [EUR/kWh]"""
    x, tariff = edges(house), house.tariff
    lines = [
        charts.steps(x, [*tariff.import_eur_per_kwh], "import", "EUR/kWh", colours.IMPORT, width=2.5),
        charts.steps(
            x, [*tariff.export_eur_per_kwh], "feed-in", "EUR/kWh", colours.FEED_IN, width=2.5, dash="dash"
        ),
    ]
    for line in lines:
        line["hovertemplate"] = "%{y:z.4f} EUR/kWh"
    return {"data": lines, "layout": _layout(house, "EUR/kWh", 240)}


def grid(house: House, schedule: Schedule) -> Figure:
    """Exchange with the grid, import above zero: expected, and from the least to the most of all scenarios. [kW]"""
    x = edges(house)
    low, high = _range([own.import_kw - own.export_kw for own in schedule.scenarios])
    expected = schedule.import_kw - schedule.export_kw
    traces = _band(
        x, [*low, low[-1]], [*high, high[-1]], "all scenarios", shape="hv", fill=colours.MARKET + "66"
    )
    traces.append(charts.steps(x, [*expected], "expected", "kW", "ink", width=2))
    return {"data": traces, "layout": _layout(house, "kW", 260)}


def temperature(house: House, schedule: Schedule, device: ThermalDevice) -> Figure:
    """A device's temperature in its band; below, when it runs, higher at a higher level. [°C]"""
    x, [load] = edges(house), [load for load in house.thermal_loads if load.name == device.field]
    colour = colours.of_devices([own.field for own in house.thermal])[device.field]
    values = schedule.temperatures_c[device.field]
    traces = _band(x, [device.min_c] * len(x), [device.max_c] * len(x), "wished for", shape="linear")
    levels = schedule.levels[device.field]
    offsets = [scenario.outdoor_offset_c for scenario in house.scenarios]
    if any(offsets) and load.outdoor_share.any():
        reached = np.array([load.temperatures(levels, offset) for offset in offsets])
        low, high = ([device.initial_c, *edge] for edge in (reached.min(axis=0), reached.max(axis=0)))
        traces += _band(x, low, high, "all scenarios", shape="linear", fill=colour + "55")
    traces.append(_line(x, [device.initial_c, *values], "temperature", "°C", colour, "solid"))
    layout = _layout(house, "°C", 260)
    low_c, high_c = min(device.min_c, values.min()), max(device.max_c, values.max())
    room = high_c - low_c
    layout["yaxis"]["range"] = [low_c - 0.3 * room, high_c + 0.1 * room]
    layout["shapes"] = _runs(house, thermal_kw(load, schedule) / load.level_kw[-1], colour)
    return {"data": traces, "layout": layout}


def charge(house: House, schedule: Schedule) -> Figure:
    """States of charge of battery and car; a gap means that the car is away. [%]"""
    x, traces = edges(house), []
    stores = []
    if house.battery:
        stores.append(("battery", "solid", "battery_soc", [(0, house.battery.initial_soc)]))
    if house.ev:
        arrivals = [(session.arrival_slot, session.initial_soc) for session in house.ev.sessions]
        stores.append(("ev", "dash", "ev_soc", arrivals))
    for device, dash, soc, arrivals in stores:
        name, colour = device_name(device), colours.DEVICE[device]
        if schedule.scenarios:
            low, high = _range([getattr(own, soc) for own in schedule.scenarios])
            ends = _from_arrival(low, arrivals), _from_arrival(high, arrivals)
            traces += _band(x, *ends, f"{name}, all scenarios", shape="linear", fill=colour + "44")
        traces.append(_line(x, _from_arrival(getattr(schedule, soc), arrivals), name, "%", colour, dash))
    layout = _layout(house, "%", 260)
    layout["yaxis"] |= {"range": [-4, 104], "dtick": 25}
    return {"data": traces, "layout": layout | {"showlegend": True}}


def appliances(house: House, schedule: Schedule) -> Figure:
    """When each appliance may run, and when it does."""
    devices = house.appliances[::-1]
    windows, runs = [], []
    for appliance in devices:
        allowed, length = (
            appliance.start_slots(house.slot_hours, house.slots),
            appliance.run_slots(house.slot_hours),
        )
        windows.append((allowed[0], allowed[-1] + length))
        runs.append((schedule.starts[appliance.name], schedule.starts[appliance.name] + length))
    names = [charts.label(appliance.name) for appliance in devices]
    bars = [
        _spans(house, names, windows, "may run", colours.DEVICE["appliances"] + "55"),
        _spans(house, names, runs, "runs", colours.DEVICE["load"]),
    ]
    layout = _layout(house, "", 110 + 36 * len(devices))
    layout["yaxis"] = {"automargin": True, "type": "category", "ticksuffix": "  "}
    return {"data": bars, "layout": layout | {"barmode": "overlay", "bargap": 0.35, "hovermode": "closest"}}


def saved(schedule: Schedule, savings: Savings) -> Figure:
    """From the cost without a HEMS down to that of the plan, device by device. [EUR]"""
    steps = sorted(savings.by_device.items(), key=lambda item: -item[1])
    values = [savings.alone.cost_eur, *(-eur for _, eur in steps), schedule.cost_eur]
    bars = {
        "type": "waterfall",
        "orientation": "h",
        "y": ["without a HEMS", *(device_name(device) for device, _ in steps), "this plan"],
        "x": values,
        "measure": ["absolute", *["relative"] * len(steps), "absolute"],
        "text": [f"{values[0]:z.2f}", *(f"{value:+z.2f}" for value in values[1:-1]), f"{values[-1]:z.2f}"],
        "textposition": "outside",
        "cliponaxis": False,
        "increasing": {"marker": {"color": colours.IMPORT}},
        "decreasing": {"marker": {"color": colours.DEVICE["battery"]}},
        "totals": {"marker": {"color": colours.MARKET}},
        "connector": {"line": {"color": "ink", "width": 1, "dash": "dot"}},
        "hovertemplate": "%{y}: %{text} EUR<extra></extra>",
        "showlegend": False,
    }
    layout = charts.bar_layout("EUR", 110 + 34 * len(values))
    levels = np.append(np.cumsum(values[:-1]), 0.0)
    room = 0.16 * float(np.ptp(levels) or 1.0)
    layout["xaxis"]["range"] = [float(levels.min()) - room, float(levels.max()) + room]
    layout["yaxis"]["autorange"] = "reversed"
    return {"data": [bars], "layout": layout}


def _moment(house: House, slot: int) -> str:
    return (_MIDNIGHT + timedelta(hours=slot * house.slot_hours)).isoformat()


def _layout(house: House, title: str, height: int) -> Figure:
    layout = charts.time_layout(title, height=height)
    days = "\nday %-j" if house.slots * house.slot_hours > 24.0 + 1e-9 else ""
    layout["xaxis"] |= {"title": {"text": "time of day"}, "tickformat": f"%H:%M{days}"}
    layout["xaxis"]["hoverformat"] = "%H:%M" + (", day %-j" if days else "")
    return layout


def _line(x: list[str], y: list[float], name: str, unit: str, colour: str, dash: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": x,
        "y": _rounded(y),
        "line": {"color": colour, "width": 2.5, "dash": dash},
        "connectgaps": False,
        "hovertemplate": f"%{{y:.1f}} {unit}",
    }


def _band(
    x: list[str],
    low: list[float],
    high: list[float],
    name: str,
    *,
    shape: str,
    fill: str = colours.BAND,
) -> list[Figure]:
    line = {"color": _CLEAR, "width": 0, "shape": shape}
    usual: Figure = {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": x,
        "line": line,
        "connectgaps": False,
    }
    usual |= {"legendgroup": name, "hoverinfo": "skip"}
    return [
        usual | {"y": _rounded(low), "showlegend": False},
        usual | {"y": _rounded(high), "fill": "tonexty", "fillcolor": fill},
    ]


def _rounded(values: list[float]) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), 3) for value in values]


def _range(values: Sequence[Floats]) -> tuple[Floats, Floats]:
    """The least and the most of all scenarios."""
    every_one = np.array(values)
    return every_one.min(axis=0), every_one.max(axis=0)


def _from_arrival(soc: Floats, arrivals: list[tuple[int, float]]) -> list[float]:
    """State of charge at every edge of a slot, from what it is on arrival. [%]"""
    values = np.append(np.nan, soc)
    for slot, initial in arrivals:
        values[slot] = initial
    return [100.0 * float(value) for value in values]


def _runs(house: House, shares: Floats, colour: str) -> list[Figure]:
    """A rectangle at the bottom for every time that a device runs, as high as its share of full power."""
    found, slot = [], 0
    for share, own in groupby(np.round(shares, 3)):
        end = slot + len(list(own))
        if share > 0.0:
            found.append(
                {
                    "type": "rect",
                    "x0": _moment(house, slot),
                    "x1": _moment(house, end),
                    "y0": 0,
                    "y1": 0.14 * float(share),
                    "yref": "y domain",
                    "fillcolor": colour,
                    "line": {"width": 0},
                }
            )
        slot = end
    return found


def _spans(house: House, names: list[str], spans: list[tuple[int, int]], name: str, colour: str) -> Figure:
    to_ms = house.slot_hours * 3_600_000
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "y": names,
        "base": [_moment(house, start) for start, _ in spans],
        "x": [round((end - start) * to_ms) for start, end in spans],
        "marker": {"color": colour},
        "hovertemplate": "%{y}: %{base|%H:%M} to %{x|%H:%M}",
    }
