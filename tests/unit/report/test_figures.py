from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from plotly.colors import hex_to_rgb

from otaniemi.platform.report import colours, figures
from otaniemi.platform.results import RunRecord

NAMES = [
    "community",
    "prices",
    "worth",
    "homes",
    "imbalance",
    "gas",
    "home_devices",
    "home_energy",
    "home_storage",
    "home_temperatures",
    "book",
]


@pytest.mark.parametrize("name", NAMES)
def test_plotly_accepts_every_figure(record: RunRecord, name: str) -> None:
    figure = figures.every(record)[name]
    go.Figure(
        json.loads(json.dumps(figure).replace('"ink"', '"#000000"'))
    )  # raises on any property it does not know


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_names_its_units_or_its_time(record: RunRecord, name: str) -> None:
    layout = figures.every(record)[name]["layout"]
    titles = " ".join(layout[axis]["title"]["text"] for axis in ("xaxis", "yaxis") if "title" in layout[axis])
    assert any(unit in titles for unit in ("kW", "ct/kWh", "EUR", "million gas", "%", "°C")), titles


def test_every_staircase_covers_the_whole_last_slot(record: RunRecord) -> None:
    for name in ("community", "prices"):
        for trace in figures.every(record)[name]["data"]:
            if trace.get("line", {}).get("shape") == "hv":
                assert len(trace["x"]) == len(trace["y"]) == len(record.slot_starts) + 1
                assert trace["y"][-1] == trace["y"][-2]


def test_a_device_has_one_legend_entry_for_both_sides(record: RunRecord) -> None:
    shown = [t["name"] for t in figures.community(record)["data"] if t.get("showlegend", True)]
    assert sorted(shown) == sorted(
        {"PV", "battery", "electric car", "grid", "base load", "appliances", shown[-1]}
    )


def test_the_worst_off_home_is_marked_and_stands_last(record: RunRecord) -> None:
    figure = figures.homes(record)
    marked = [note for note in figure["layout"]["annotations"] if "worst off" in note["text"]]
    assert [note["y"] for note in marked] == ["home 8"]  # the one that the made-up run leaves worse off
    assert figure["data"][0]["y"][0] == "home 8"  # horizontal bars start at the bottom


def test_a_session_shows_only_slots_that_traded(record: RunRecord) -> None:
    session = record.sessions[0]
    trace = next(t for t in figures.prices(record)["data"] if t["name"] == session.name)
    assert len(trace["y"]) == sum(price is not None for price in session.price_micro) > 0
    assert trace["y"][0] == next(p for p in session.price_micro if p is not None) / 1e4


def test_an_absent_car_is_a_gap(record: RunRecord) -> None:
    soc = np.full(len(record.slot_starts), 0.5)
    soc[3] = np.nan
    series = figures.home_series(replace(record.homes[0], ev_soc=soc))
    assert series["as_is"]["ev_soc"][2:5] == [50.0, None, 50.0]


def test_temperatures_stand_between_the_limits_of_their_band(record: RunRecord) -> None:
    series = figures.home_series(record.homes[0])["as_is"]
    drawn = [trace["meta"][0] for trace in figures.home_temperatures(record)["data"]]
    assert drawn == ["water_heater_reached", "water_heater_min", "water_heater_max"]
    assert [series[name][0] for name in drawn] == [58.0, 50.0, 70.0]


def test_a_home_carries_no_series_of_devices_it_lacks(record: RunRecord) -> None:
    series = figures.home_series(record.homes[2])  # no PV, no car
    assert set(series["wh"]) & {"pv", "ev"} == set()
    assert "ev_soc" not in series["as_is"]


def test_markup_in_a_name_is_shown_and_not_obeyed(new_record: Any) -> None:
    labels = figures.homes(new_record(homes=2, name="<b>{}</b>"))["data"][0]["y"]
    assert labels[0].startswith("&lt;b&gt;")


def test_device_colours_differ_in_lightness_or_hue_for_every_eye() -> None:
    """Distances after removing the red-green axis, as the commonest colour vision deficiencies do."""
    values = [hex_to_rgb(colour) for colour in colours.DEVICE.values()]
    reduced = [(0.3 * r + 0.59 * g + 0.11 * b, b - (r + g) / 2) for r, g, b in values]
    distances = [np.hypot(a[0] - c[0], a[1] - c[1]) for i, a in enumerate(reduced) for c in reduced[:i]]
    assert min(distances) > 20


def test_a_homes_packages_and_contracts_are_told(record: RunRecord) -> None:
    home = replace(record.homes[0], packages=["bands", "sun"], contracts_wh={"home 2": -960, "home 3": 40})
    series = figures.home_series(home)
    assert series["packages"] == "bands, sun"
    assert series["contracts"] == {"home 2": -0.96, "home 3": 0.04}
