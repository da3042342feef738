from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from otaniemi.platform.report import render, write_report
from otaniemi.platform.report.page import HOME_SLOTS, shown_homes
from otaniemi.platform.results import RunRecord

from .reading import asks_outside, carried, unbalanced, visible


def test_the_page_asks_for_nothing_from_outside(record: RunRecord) -> None:
    page = render(record)
    assert "default-src 'none'" in page
    assert not asks_outside(page)


def test_every_element_of_the_page_is_closed(record: RunRecord) -> None:
    assert unbalanced(render(record)) == []


def test_the_summary_band_shows_the_key_figures(record: RunRecord) -> None:
    summary = record.summary | {"market_efficiency": 0.9534, "traded_wh": 51_840, "v2h_sold_wh": 9_420}
    summary |= {"cost_no_market_eur": 20.5, "cost_market_eur": 18.25}
    words = visible(render(replace(record, summary=summary)))
    for expected in (
        "market efficiency 95.3 %",
        "saved by the market 2.25 EUR",
        "traded 51.84 kWh",
        "sold from cars 9.42 kWh",
        "bills sum to 0 ✓ nano-token",
        "escrow surplus 0 ✓ nano-token",
        "audit holds ✓",
    ):
        assert expected in words


def test_wrong_sums_and_a_failed_audit_are_marked(record: RunRecord) -> None:
    summary = record.summary | {"bills_sum_nano": -3, "audit": {"ok": False, "leaves": 12}}
    words = visible(render(replace(record, summary=summary)))
    assert "bills sum to -3 ✗" in words
    assert "audit fails ✗" in words
    assert "Something is wrong ✗" in words


def test_where_nothing_could_be_gained_there_is_no_efficiency(record: RunRecord) -> None:
    words = visible(render(replace(record, summary=record.summary | {"market_efficiency": None})))
    assert "market efficiency - there was nothing to gain" in words


def test_synthetic_data_is_named_at_the_top_and_measured_data_by_its_path(record: RunRecord) -> None:
    assert visible(render(record)).index("Data: synthetic homes") < 200
    assert "Data: homes/2023.csv" in visible(render(replace(record, data_source="homes/2023.csv")))


def test_text_from_files_is_shown_and_not_obeyed(new_record: Any) -> None:
    evil = "</script><script>alert(1)</script>{}"
    page = render(
        replace(new_record(homes=2, name=evil), title=evil, notes=[evil], limits=[evil], data_source=evil)
    )
    assert "<script>alert" not in page
    assert [home["name"] for home in carried(page)["homes"]] == [evil.format(1), evil.format(2)]


def test_a_run_in_which_nothing_traded_has_a_report(record: RunRecord) -> None:
    sessions = [
        replace(s, price_micro=[None] * len(s.price_micro), volume_wh=[0] * len(s.volume_wh))
        for s in record.sessions
    ]
    page = render(replace(record, sessions=sessions, book=None, limits=[], imbalance_split_wh={}, gas={}))
    assert "No market of this run traded" in visible(page)
    assert "book" not in carried(page)["figures"]


def test_a_month_of_quarter_hours_stays_below_ten_megabytes(new_record: Any) -> None:
    page = render(new_record(homes=12, days=28))
    assert len(page.encode()) < 10_000_000
    assert len(carried(page)["homes"]) == 12


def test_of_too_many_homes_the_most_active_are_carried_and_the_page_says_so(new_record: Any) -> None:
    run = new_record(homes=40, days=28)
    room = HOME_SLOTS // len(run.slot_starts)
    shown = shown_homes(run)
    least = min(abs(home.trade_wh).sum() for home in shown)
    assert len(shown) == room < 40
    assert all(abs(home.trade_wh).sum() <= least for home in run.homes if home not in shown)
    assert f"The {room} most active of 40 homes" in visible(render(run))


def test_the_most_active_home_is_chosen_first(record: RunRecord) -> None:
    most = max(record.homes, key=lambda home: abs(home.trade_wh).sum())
    assert f'<option value="{most.account}" selected>' in render(record)


def test_the_report_is_written_whole(record: RunRecord, tmp_path: Path) -> None:
    write_report(record, tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == render(record)


@pytest.mark.parametrize("key", ["market_efficiency", "bills_sum_nano", "audit"])
def test_a_summary_without_a_key_figure_is_refused(record: RunRecord, key: str) -> None:
    with pytest.raises(KeyError, match=key):
        render(replace(record, summary={k: v for k, v in record.summary.items() if k != key}))
