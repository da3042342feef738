from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from otaniemi.platform.report import flow_svg
from otaniemi.platform.report.picture import HEIGHT, WIDTH
from otaniemi.platform.results import RunRecord

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return ["".join(node.itertext()) for node in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_the_picture_says_what_it_shows_in_which_units_and_from_which_data(record: RunRecord) -> None:
    words = texts(flow_svg(record))
    assert words[0] == record.title
    assert {
        "kW",
        "ct/kWh",
        "local time",
        "PV",
        "grid",
        "retail import",
        "local price",
        "retail feed-in",
    } <= set(words)
    assert any("12 homes" in line and "synthetic data" in line for line in words)


def test_the_picture_needs_nothing_from_outside(record: RunRecord) -> None:
    svg = flow_svg(record).replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?:|href|<script|<style|<image|url\(", svg)


@pytest.mark.parametrize(("days", "slot_seconds"), [(1, 900), (1, 3600), (7, 3600), (28, 900)])
def test_everything_drawn_lies_inside(new_record: Any, days: int, slot_seconds: int) -> None:
    root = ElementTree.fromstring(flow_svg(new_record(days=days, slot_seconds=slot_seconds)))
    points = [
        (float(x), float(y))
        for path in root.iter(f"{SVG}path")
        for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", path.attrib["d"])
    ]
    points += [(float(c.attrib["cx"]), float(c.attrib["cy"])) for c in root.iter(f"{SVG}circle")]
    assert len(points) > 200
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)


def test_a_negative_price_has_its_place(record: RunRecord) -> None:
    prices = [-50_000] * len(record.slot_starts)
    svg = flow_svg(replace(record, feed_in_micro=prices))
    assert "-5" in texts(svg)


def test_clock_times_label_a_day_and_dates_a_week(new_record: Any) -> None:
    assert {"00:00", "03:00", "21:00"} <= set(texts(flow_svg(new_record())))
    assert {"17 Jun", "23 Jun"} <= set(texts(flow_svg(new_record(days=7, slot_seconds=3600))))


def test_a_run_without_sun_storage_or_trade_has_a_picture(record: RunRecord) -> None:
    homes = [
        replace(h, device_wh={"load": h.device_wh["load"]}, meter_wh=h.device_wh["load"])
        for h in record.homes
    ]
    svg = flow_svg(replace(record, homes=homes, sessions=[]))
    assert "PV" not in texts(svg)
    assert "<circle" in svg  # the legend's own


def test_the_same_run_gives_the_same_picture(record: RunRecord) -> None:
    assert flow_svg(record) == flow_svg(record)
