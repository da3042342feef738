"""A plan with everything that its page shows, by the home's rules so that it takes no time."""

from __future__ import annotations

from typing import Any

import numpy as np

from otaniemi.optimizer.house import House
from otaniemi.optimizer.methods.rules import rule_choices
from otaniemi.optimizer.program.dispatch import dispatch
from otaniemi.optimizer.savings import Savings, savings
from otaniemi.optimizer.schedule import Schedule, schedule_of

SLOTS = 48
_STORE = {"capacity_kwh": 10.0, "power_kw": 2.0, "min_soc": 0.1, "charge_efficiency": 0.95}


def full_house(**fields: Any) -> House:
    """A home with every device, in half hours, under two scenarios."""
    hour = (np.arange(SLOTS) + 0.5) / 2
    room = {
        "rated_kw": 2.0,
        "cop": 2.8,
        "resistance_k_per_kw": 3.5,
        "capacity_kwh_per_k": 4.0,
        "gain_kw": 0.5,
    }
    tank = {
        "rated_kw": 3.0,
        "volume_l": 200.0,
        "resistance_k_per_kw": 500.0,
        "inlet_c": 15.0,
        "ambient_c": 22.0,
    }
    usual = {
        "name": "full house",
        "slots": SLOTS,
        "slot_hours": 0.5,
        "tariff": {
            "import_eur_per_kwh": (0.2 + 0.2 * np.exp(-(((hour - 19) / 2) ** 2))).tolist(),
            "export_eur_per_kwh": [0.08] * SLOTS,
            "peak_eur_per_kw": 0.1,
        },
        "base_load_kw": (0.4 + 0.6 * np.exp(-(((hour - 19) / 2) ** 2))).tolist(),
        "pv_kw": (4 * np.maximum(np.sin((hour - 6) / 12 * np.pi), 0.0)).tolist(),
        "outdoor_c": (27 + 4 * np.sin((hour - 9) / 12 * np.pi)).tolist(),
        "air_conditioner": room | {"min_c": 23.0, "max_c": 26.0, "initial_c": 24.5},
        "water_heater": tank | {"min_c": 42.0, "max_c": 52.0, "initial_c": 46.0, "draw_l": [3.0] * SLOTS},
        "appliances": [{"name": "washer", "rated_kw": 0.5, "hours": 1, "earliest_h": 9, "latest_h": 19}],
        "battery": _STORE | {"initial_soc": 0.5, "final_soc": 0.5, "wear_eur_per_kwh": 0.01},
        "ev": _STORE
        | {
            "v2h": "home",
            "wear_eur_per_kwh": 0.05,
            "sessions": [
                {"arrival_slot": 36, "departure_slot": SLOTS, "initial_soc": 0.5, "target_soc": 0.8}
            ],
        },
        "scenarios": [
            {"probability": 0.5, "outdoor_offset_c": -0.4, "pv_factor": 0.8},
            {"probability": 0.5, "outdoor_offset_c": 0.4, "pv_factor": 1.1},
        ],
    }
    return House.from_dict({key: value for key, value in (usual | fields).items() if value is not None})


def full_plan(**fields: Any) -> tuple[House, Schedule, Savings]:
    """Its plan, with the best energy flows of the rules' choices, and what that saves."""
    house = full_house(**fields)
    found = dispatch(house, None, rule_choices(house))
    schedule = schedule_of(house, found, status="time_limit", case=None, method="milp", seconds=0.1)
    return house, schedule, savings(house, schedule)
