"""A device in one file: the heat pump's temperatures, what it refuses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from otaniemi.optimizer import House, HouseDataError

PUMP = {
    "part_kw": 1.0,
    "full_kw": 2.5,
    "part_cop": 4.0,
    "full_cop": 3.0,
    "resistance_k_per_kw": 5.0,
    "capacity_kwh_per_k": 3.0,
    "gain_kw": 0.2,
    "min_c": 20.0,
    "max_c": 22.0,
    "initial_c": 21.0,
}


def cold_house(**changes: Any) -> dict[str, Any]:
    """Eight hours of frost, dear in the middle, and some sun."""
    return {
        "slots": 8,
        "slot_hours": 1.0,
        "tariff": {
            "import_eur_per_kwh": [0.1, 0.1, 0.3, 0.4, 0.4, 0.3, 0.1, 0.2],
            "export_eur_per_kwh": [0.03] * 8,
        },
        "base_load_kw": [0.3] * 8,
        "pv_kw": [0.0, 0.0, 0.5, 1.5, 2.0, 1.0, 0.0, 0.0],
        "outdoor_c": [-8.0, -8.0, -6.0, -4.0, -2.0, -2.0, -4.0, -6.0],
        "heat_pump": PUMP | changes,
    }


def test_a_level_warms_by_its_heat_and_the_envelope_cools() -> None:
    (load,) = House.from_dict(cold_house()).thermal_loads
    keep = math.exp(-1.0 / 15.0)
    rests = {0: -8.0 + 5.0 * 0.2, 1: -8.0 + 5.0 * 4.2, 2: -8.0 + 5.0 * 7.7}
    for level, rest in rests.items():
        reached = load.temperatures(np.full(8, level))[0]
        assert reached == pytest.approx(keep * 21.0 + (1 - keep) * rest)
    assert load.level_kw.tolist() == [0.0, 1.0, 2.5]


def test_what_a_heat_pump_cannot_be_is_refused_by_field() -> None:
    with pytest.raises(HouseDataError, match=r"field 'heat_pump\.full_kw' is 0\.5; more than part_kw, 1, is"):
        House.from_dict(cold_house(full_kw=0.5))
    with pytest.raises(HouseDataError, match=r"field 'heat_pump\.part_cop' is 0; more than 0"):
        House.from_dict(cold_house(part_cop=0))
    with pytest.raises(HouseDataError, match=r"field 'heat_pump\.heat_cop' is unknown; known are capacity"):
        House.from_dict(cold_house(heat_cop=3.0))
    with pytest.raises(HouseDataError, match=r"field 'outdoor_c' is missing; 'heat_pump' needs it"):
        House.from_dict(cold_house() | {"outdoor_c": None})
