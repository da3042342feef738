from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest

from otaniemi.optimizer.house import House
from otaniemi.optimizer.plan import plan
from otaniemi.optimizer.savings import Savings
from otaniemi.optimizer.schedule import Schedule
from otaniemi.platform import plan_words
from otaniemi.platform.report import plan_figures
from otaniemi.platform.report.plan_page import render

from .a_plan import SLOTS, full_house, full_plan
from .reading import asks_outside, carried, unbalanced, visible

Plan = tuple[House, Schedule, Savings]
SECTIONS = (
    "Power",
    "Prices",
    "Temperatures",
    "States of charge",
    "Appliances",
    "What the devices do",
    "What it costs",
    "What each device saved",
    "Scenarios",
    "All numbers",
)
CHARTS = ("power", "prices", "grid", "air_conditioner", "water_heater", "charge", "appliances", "savings")


@pytest.fixture(scope="module")
def made() -> Plan:
    return full_plan()


@pytest.fixture(scope="module")
def page(made: Plan) -> str:
    return render(*made)


def test_the_page_asks_for_nothing_from_outside(page: str) -> None:
    assert "default-src 'none'" in page
    assert not asks_outside(page)


def test_every_element_is_closed(page: str) -> None:
    assert unbalanced(page) == []


def test_every_section_is_there(page: str) -> None:
    for title in SECTIONS:
        assert f"<h2>{title}</h2>" in page


def test_every_chart_has_its_place_and_words_for_those_who_do_not_see_it(page: str) -> None:
    assert tuple(carried(page)["figures"]) == CHARTS
    for name in CHARTS:
        assert page.count(f'<div class="chart" id="chart-{name}" role="img" aria-label="') == 1


@pytest.mark.parametrize("name", CHARTS)
def test_plotly_accepts_every_figure(made: Plan, name: str) -> None:
    figure = plan_figures.every(*made)[name]
    go.Figure(json.loads(json.dumps(figure, allow_nan=False).replace('"ink"', '"#000000"')))


def test_sources_and_uses_are_equal_in_every_slot(made: Plan) -> None:
    traces = plan_figures.power(*made[:2])["data"]
    total = np.sum([trace["y"] for trace in traces if "stackgroup" in trace], axis=0)
    assert np.abs(total).max() < 0.01


def test_the_summary_band_shows_what_was_planned(made: Plan, page: str) -> None:
    _, schedule, saved = made
    words = visible(page)
    assert f"cost {schedule.cost_eur:.2f} EUR" in words
    assert f"saved {saved.total_eur:.2f} EUR {saved.alone.cost_eur:.2f} EUR without a HEMS" in words
    assert f"at most {schedule.gap_eur:.2f} EUR above the cheapest" in words
    assert "expected values of 2 scenarios" in words


def test_costs_and_savings_stand_beside_each_other(made: Plan, page: str) -> None:
    _, schedule, saved = made
    words = visible(page)
    own, other = schedule.cost.peak, saved.alone.cost.peak
    assert f"highest power {own:.4f} {other:.4f} {other - own:+.4f}" in words
    assert f"total {schedule.cost_eur:.4f} {saved.alone.cost_eur:.4f} {saved.total_eur:+.4f}" in words
    for device, eur in saved.by_device.items():
        assert f"{plan_words.device_name(device)} {eur:+.4f}" in words


def test_the_waterfall_ends_at_the_plan(made: Plan) -> None:
    _, schedule, saved = made
    [bars] = plan_figures.saved(schedule, saved)["data"]
    assert bars["x"][0] + sum(bars["x"][1:-1]) == pytest.approx(bars["x"][-1])
    assert bars["measure"] == ["absolute", *["relative"] * 5, "absolute"]


def test_a_temperature_stays_between_the_scenarios_around_it(made: Plan) -> None:
    house, schedule, _ = made
    traces = plan_figures.temperature(house, schedule, house.thermal[0])["data"]
    low, high, line = (trace["y"] for trace in traces[-3:])
    assert len(line) == SLOTS + 1
    assert all(a - 1e-3 <= b <= c + 1e-3 for a, b, c in zip(low, line, high, strict=True))
    assert high[-1] - low[-1] > 0.1


def test_a_device_runs_where_its_blocks_stand(made: Plan) -> None:
    house, schedule, _ = made
    shapes = plan_figures.temperature(house, schedule, house.thermal[0])["layout"]["shapes"]
    starts = np.flatnonzero(np.diff(schedule.levels["air_conditioner"], prepend=0) > 0)
    assert [shape["x0"] for shape in shapes] == [plan_figures.edges(house)[slot] for slot in starts]


def test_the_car_is_absent_while_away(made: Plan) -> None:
    house, schedule, _ = made
    car = plan_figures.charge(house, schedule)["data"][-1]
    assert car["y"][35] is None
    assert car["y"][36] == pytest.approx(50.0)
    assert car["y"][-1] >= 79.9


def test_what_a_home_lacks_is_left_out() -> None:
    bare = {"battery": None, "ev": None, "air_conditioner": None, "water_heater": None, "appliances": None}
    page = render(*full_plan(**bare, scenarios=None, pv_kw=None))
    assert tuple(carried(page)["figures"]) == ("power", "prices")
    for title in ("Temperatures", "States of charge", "Appliances", "Scenarios"):
        assert f"<h2>{title}</h2>" not in page


def test_a_plan_without_comparison_says_so(made: Plan) -> None:
    words = visible(render(made[0], made[1], None))
    assert "there is no plan without a HEMS to compare with" in words
    assert "What each device saved" not in words


def test_devices_that_limits_tie_together_are_told_as_a_sum(made: Plan) -> None:
    house, schedule, saved = made
    page = render(house, schedule, replace(saved, by_device={}))
    assert f"only the sum can be told: {saved.total_eur:.4f} EUR" in visible(page)
    assert "savings" not in carried(page)["figures"]


def test_a_relaxation_is_called_one() -> None:
    house = full_house(scenarios=None)
    words = visible(render(house, plan(house, "lp"), None))
    assert "relaxation: a lower bound, no plan to run" in words
    assert "no plan can cost less than this" in words.lower()


def test_text_from_files_is_shown_and_not_obeyed() -> None:
    evil = "</script><script>alert(1)</script>"
    washer = {"name": evil, "rated_kw": 0.5, "hours": 1, "earliest_h": 9, "latest_h": 19}
    page = render(*full_plan(name=evil, appliances=[washer]))
    assert "<script>alert" not in page
    assert evil in visible(page)


def test_times_of_day_count_on_after_midnight() -> None:
    house = full_house()
    assert plan_words.clock(house, 0) == "00:00"
    assert plan_words.clock(house, 37) == "18:30"
    assert plan_words.clock(house, 48) == "24:00"
    assert plan_words.clock(house, 51) == "01:30 +1d"
