"""Limits and receipts: what is signed, who matches, at which price, how much. Expected values by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_account.messages import _hash_eip191_message, encode_typed_data

from otaniemi.contracts.rules import continuous
from otaniemi.contracts.rules.continuous import NO_ENGINE, SERIES, Limit, Receipt
from otaniemi.contracts.rules.errors import FieldError
from otaniemi.contracts.rules.signing import Domain

CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
DOMAIN = Domain(31_337, CONTRACT)
ENGINE = "0x1111111111111111111111111111111111111111"
BUY = Limit(4, 1, 0, 1_880_000, 120_000, 500, 1, 0, True, 0, 2**64 - 1, ENGINE)
SELL = replace(BUY, account=5, price=100_001, source=1, buy=False)


def test_a_limit_and_a_receipt_are_hashed_as_typed_data() -> None:
    limit = replace(BUY, price=-7, min_fill=9, source=4, nonce=3)
    values = [4, 1, 0, 1_880_000, -7, 500, 9, 4, True, 3, 2**64 - 1, ENGINE]
    assert limit.digest(DOMAIN) == _expected(continuous.LIMIT_TYPE, values)
    receipt = Receipt(bytes(range(32)), 2**64 - 1, 12)
    expected = _expected(continuous.RECEIPT_TYPE, [bytes(range(32)), 2**64 - 1, 12])
    assert receipt.digest(DOMAIN) == expected


def test_an_instrument_is_a_slot_or_a_series() -> None:
    assert (BUY.slot, BUY.series) == (1_880_000, None)
    block = replace(BUY, instrument=SERIES | 7)
    assert (block.slot, block.series) == (None, 7)


@pytest.mark.parametrize(
    ("field", "value"),
    [("quantity", 0), ("min_fill", 501), ("instrument", 2 * SERIES), ("price", 2**31), ("account", 0),
     ("engine", "0x")],
)  # fmt: skip
def test_a_limit_outside_its_ranges_is_refused(field: str, value: Any) -> None:
    changed: dict[str, Any] = {field: value}
    with pytest.raises(FieldError) as error:
        replace(BUY, **changed)
    assert error.value.field in (field, "address")


@pytest.mark.parametrize(
    ("buy", "sell", "matched"),
    [
        ({}, {}, True),
        ({"price": 100_001}, {}, True),
        ({"price": 100_000}, {}, False),
        ({"source": 1}, {}, True),
        ({"source": 2}, {}, False),
        ({"account": 5}, {}, False),
        ({"buy": False}, {}, False),
        ({}, {"buy": True}, False),
        ({}, {"product": 1}, False),
        ({}, {"community": 2}, False),
        ({}, {"instrument": SERIES | 1_880_000}, False),
    ],
)
def test_two_limits_match_where_all_of_it_fits(
    buy: dict[str, Any], sell: dict[str, Any], matched: bool
) -> None:
    assert continuous.match(replace(BUY, **buy), replace(SELL, **sell)) is matched


@pytest.mark.parametrize(
    ("engine", "sequences", "price"),
    [
        (ENGINE, (1, 2), 120_000),
        (ENGINE, (2, 1), 100_001),
        (ENGINE, (1, 1), 110_000),
        (ENGINE, (1, None), 110_000),
        (ENGINE, (None, None), 110_000),
        ("0x" + "2" * 40, (1, 2), 110_000),
        (NO_ENGINE, (1, 2), 110_000),
    ],
)
def test_the_earlier_order_of_one_engine_sets_the_price(
    engine: str, sequences: tuple[int | None, int | None], price: int
) -> None:
    assert continuous.match_price(BUY, replace(SELL, engine=engine), *sequences) == price


def test_without_an_engine_there_is_no_earlier_order_and_the_midpoint_floors_below_zero() -> None:
    buy, sell = replace(BUY, price=-1, engine=NO_ENGINE), replace(SELL, price=-4, engine=NO_ENGINE)
    assert continuous.match_price(buy, sell, 1, 2) == -3


@pytest.mark.parametrize(
    ("filled", "least", "quantity"),
    [((0, 0), (1, 1), 500), ((0, 400), (1, 100), 100), ((0, 400), (101, 1), 0), ((0, 401), (1, 200), 99),
     ((450, 0), (60, 50), 50), ((450, 0), (60, 51), 0), ((500, 0), (0, 0), 0)],
)  # fmt: skip
def test_a_fill_keeps_both_smallest_parts_or_takes_what_is_left(
    filled: tuple[int, int], least: tuple[int, int], quantity: int
) -> None:
    buy, sell = replace(BUY, min_fill=least[0]), replace(SELL, min_fill=least[1])
    assert continuous.fillable(buy, sell, *filled) == quantity


def _expected(type_text: str, values: list[Any]) -> bytes:
    name, fields = type_text.removesuffix(")").split("(")
    members = [dict(zip(("type", "name"), field.split(" "), strict=True)) for field in fields.split(",")]
    message = encode_typed_data(
        domain_data={"name": "Otaniemi", "version": "1", "chainId": 31_337, "verifyingContract": CONTRACT},
        message_types={name: members},
        message_data={member["name"]: value for member, value in zip(members, values, strict=True)},
    )
    return bytes(_hash_eip191_message(message))
