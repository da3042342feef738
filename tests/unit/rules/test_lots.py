from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from otaniemi.contracts.rules.calendar import Rules
from otaniemi.contracts.rules.errors import FieldError
from otaniemi.contracts.rules.lots import Lots

from ...support.rules import HOURLY

LOTS = Lots(account=4, community=1, product=0, selling=True, source=1, count=4, slot=100, wh=(100, 0, 200))


def test_a_seller_puts_up_the_cost_of_not_delivering_a_buyer_price_and_fees(rules: Rules) -> None:
    assert LOTS.total_wh == 300
    assert LOTS.per_lot(rules, worst=-50_000) == 300 * 2_050_000
    assert replace(LOTS, selling=False).per_lot(rules, worst=100_000) == 300 * 121_000
    assert LOTS.taker_lock(rules, 100_000, lots=2) == 600 * 121_000


def test_an_account_takes_what_its_connection_allows_in_the_largest_slot(rules: Rules) -> None:
    narrow = replace(rules, connection_limit_wh=799)
    assert LOTS.most(narrow) == 3
    assert LOTS.most(replace(narrow, connection_limit_wh=800)) == 4
    assert LOTS.most(replace(narrow, connection_limit_wh=5_000)) == 4
    assert LOTS.most(replace(narrow, connection_limit_wh=199)) == 0


def test_lots_survive_the_way_through_the_contracts_struct() -> None:
    assert Lots.of_struct(LOTS.as_struct()) == LOTS


@pytest.mark.parametrize(
    ("field", "value"),
    [("account", 0), ("community", 0), ("source", 5), ("count", 0), ("count", 65_536), ("slot", -1)],
)
def test_a_field_out_of_range_is_named(field: str, value: int) -> None:
    changed: dict[str, Any] = {field: value}
    with pytest.raises(FieldError, match=f"{field} is {value}"):
        replace(LOTS, **changed)


@pytest.mark.parametrize("wh", [(), (0, 0), (5, -1), (2**32,)])
def test_lots_without_energy_or_beyond_range_are_refused(wh: tuple[int, ...]) -> None:
    with pytest.raises(FieldError, match="wh"):
        replace(LOTS, wh=wh)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"product": 1}, "product"),
        ({"slot": 469_824}, "slot"),
        ({"slot": 470_038, "wh": (100,)}, "slot"),
        ({"slot": 469_844}, "number of slots"),
        ({"wh": (20_001,)}, "wh"),
    ],
)
def test_lots_that_nobody_could_trade_are_refused_before_they_are_sent(change: Any, field: str) -> None:
    now = 469_824 * 3_600 + 1  # on day 19,576 of slots 469,822 to 469,845
    lots = replace(LOTS, slot=469_843)
    lots.check(HOURLY, now)
    replace(lots, slot=470_037, wh=(20_000,)).check(HOURLY, now)
    with pytest.raises(FieldError, match=rf"^{field} is"):
        replace(lots, **change).check(HOURLY, now)
