from __future__ import annotations

import numpy as np
import pytest

from otaniemi.contracts.rules import units
from otaniemi.contracts.rules.errors import FieldError


def test_a_price_of_12_34_cent_is_123400_micro_token() -> None:
    assert units.price_of(0.1234) == 123_400
    assert units.price_of(-0.05) == -50_000
    assert units.eur_per_kwh(123_400) == 0.1234


def test_an_offer_never_exceeds_the_planned_surplus() -> None:
    assert units.offerable_wh(1.2349) == 1_234
    assert units.offerable_wh(0.0009) == 0


def test_solver_tolerance_does_not_cost_a_watt_hour() -> None:
    assert units.offerable_wh(0.9999999) == 1_000


def test_a_deficit_offers_nothing() -> None:
    assert units.offerable_wh(-0.3) == 0


def test_metered_energy_is_rounded_to_the_nearest_watt_hour_with_its_sign() -> None:
    assert units.wh_of(-1.2346) == -1_235
    assert units.whs_of([[0.0004, 1.0006]]).tolist() == [[0, 1_001]]


def test_price_times_energy_is_nano_token() -> None:
    # 10 kWh at 0.25 EUR/kWh
    assert units.eur_of_nano(units.price_of(0.25) * units.wh_of(10.0)) == 2.5


def test_withdrawals_round_down_to_whole_micro_token() -> None:
    assert units.micro_of_nano(1_999) == 1
    assert units.nano_of_micro(units.micro_of_eur(12.5)) == 12_500_000_000


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_refused_by_name(value: float) -> None:
    with pytest.raises(FieldError, match=r"price \[EUR/kWh\] is"):
        units.price_of(value)
    with pytest.raises(FieldError, match=r"energy \[kWh\] is"):
        units.whs_of(np.array([1.0, value]))
