"""`otaniemi bench study`, with a short swarm and little time for the exact plans."""

from __future__ import annotations

import json
from pathlib import Path

import plotly.graph_objects as go
import pytest

from otaniemi.platform.benchmarks.study import CaseStudy, JudgedRun, Study, bench_study
from otaniemi.platform.cli.output import progress
from otaniemi.platform.report.study_page import render

from ...unit.report.reading import asks_outside, carried, unbalanced
from .conftest import Command

QUICK = ("--seeds", "2", "--iterations", "4", "--time-limit", "0.5")


@pytest.fixture(scope="module")
def study() -> Study:
    with progress() as bars:
        return bench_study(2, 4, "highest", 0.5, bars)


def runs(study: Study, variant: str) -> list[tuple[CaseStudy, JudgedRun]]:
    return [(one, judged) for one in study.cases for judged in one.swarms[variant]]


def test_the_excess_of_the_swarm_is_search_and_rules(study: Study) -> None:
    for row in study.to_dict()["excess"]:
        assert row["by_search_eur"] + row["by_rules_eur"] == pytest.approx(row["excess_eur"])
        assert row["by_rules_eur"] >= -1e-6


def test_no_run_costs_less_than_the_bound(study: Study) -> None:
    for one, judged in runs(study, "repaired"):
        assert judged.dispatched_eur is not None
        assert one.exact.bound_eur <= judged.dispatched_eur + 1e-6


def test_costs_of_plans_that_cannot_be_run_are_split_into_nothing(study: Study) -> None:
    for _, judged in runs(study, "plain"):
        assert (judged.dispatched_eur is None) == (not judged.run.feasible)
    assert all(row["feasible_runs"] == 0 and row["degree_slots"] > 0 for row in study.to_dict()["plain"])


def test_a_seed_finds_the_same_however_many_are_asked_for(study: Study) -> None:
    with progress() as bars:
        again = bench_study(1, 4, "highest", 0.1, bars)
    for one, other in zip(study.cases, again.cases, strict=True):
        assert one.swarms["repaired"][0].run.cost_eur == other.swarms["repaired"][0].run.cost_eur


def test_the_page_shows_every_figure_and_asks_for_nothing_from_outside(study: Study) -> None:
    page = render(study)
    assert not asks_outside(page)
    assert unbalanced(page) == []
    figures = carried(page)["figures"]
    assert set(figures) == {"cases", "power", "soc", "repaired", "plain"}
    for name, figure in figures.items():
        assert page.count(f'id="chart-{name}"') == 1
        go.Figure(json.loads(json.dumps(figure).replace('"ink"', '"#000000"')))


def test_the_command_prints_one_document_and_writes_the_page(otaniemi: Command, tmp_path: Path) -> None:
    plot = tmp_path / "study.html"
    ended = otaniemi("bench", "study", *QUICK, "--json", "--plot", str(plot))
    assert ended.code == 0
    found = json.loads(ended.out)
    assert [row["case"] for row in found["exact"]] == [1, 2, 3, 4]
    assert [row["study_cost"] for row in found["exact"]] == [27.07, 13.33, 2.52, 1.70]
    assert [round(row["study_%"], 2) for row in found["cuts"]] == [93.72, 87.25, 32.54, 81.11]
    assert "The reference study" in plot.read_text()


def test_an_unknown_reading_is_refused_in_one_line(otaniemi: Command) -> None:
    assert "reading is 'mean'" in otaniemi("bench", "study", "--reading", "mean").error
