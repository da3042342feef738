"""The benchmark of the order book feeds the same orders for the same seed."""

from __future__ import annotations

from otaniemi.platform.benchmarks.order_book import bench_order_book


def test_the_benchmark_tells_what_came_traded_and_stands() -> None:
    [row] = bench_order_book((500,))
    [again] = bench_order_book((500,))
    assert row["orders"] == 500
    assert row["matches"] > 200 > row["standing"] > 50
    assert (row["matches"], row["standing"]) == (again["matches"], again["standing"])
    assert row["orders_per_second"] == 500 / row["seconds"]
