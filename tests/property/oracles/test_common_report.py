"""Laws of the common report."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from otaniemi.contracts.rules.meters import MeterLeaf
from otaniemi.contracts.rules.tariffs import Feed, TariffReport
from otaniemi.oracles.reports import common_leaves, common_tariff

prices = st.integers(-5_000_000, 5_000_000)
days = st.lists(st.tuples(prices, prices), min_size=4, max_size=4).map(tuple)
leaves = st.builds(
    lambda account, import_wh, quality: MeterLeaf(account, import_wh, 0, quality, bytes(32)),
    st.integers(1, 3),
    st.integers(0, 2),
    st.integers(0, 1),
)


@given(st.lists(days, min_size=1, max_size=5))
def test_every_common_price_was_seen_and_lies_in_the_middle(
    observed: list[tuple[tuple[int, int], ...]],
) -> None:
    common = common_tariff([TariffReport(1, Feed.IMBALANCE, 5, day) for day in observed])
    for slot, pair in enumerate(common.prices):
        for column, price in enumerate(pair):
            seen = [day[slot][column] for day in observed]
            assert price in seen
            assert 2 * sum(other < price for other in seen) <= len(seen)
            assert 2 * sum(other > price for other in seen) <= len(seen)


@given(st.lists(st.lists(leaves, unique_by=lambda leaf: leaf.account), min_size=1, max_size=3))
def test_no_other_leaf_was_seen_more_often(observed: list[list[MeterLeaf]]) -> None:
    common = common_leaves(observed)
    flat = [leaf for one in observed for leaf in one]
    assert [leaf.account for leaf in common] == sorted({leaf.account for leaf in flat})
    for leaf in common:
        rivals = [other for other in flat if other.account == leaf.account]
        assert all(flat.count(leaf) >= flat.count(other) for other in rivals)
