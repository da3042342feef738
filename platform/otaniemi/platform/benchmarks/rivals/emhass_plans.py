"""Plans of EMHASS for homes with PV, battery and appliances; run by an interpreter that has EMHASS, not by ours.

Reads from stdin `{"homes": [{"days": [HOUSE, ...], "gaps": [...]}, ...]}`: days of one home in the format of the
house file, and for each the relative gap at which the solver may stop. Writes `{"version": ..., "homes": [[PLAN,
...], ...]}` with `{"seconds": ..., "battery_kw": [...], "appliance_kw": {name: [...]}}` per day: CPU seconds of this
process, battery power on its AC side, discharge positive. The first day of a home is planned cold, with everything
built for it, the others warm, as the home's optimisation is kept.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from emhass.optimization import Optimization  # type: ignore[import-not-found]

WATTS = 1000.0
NO_LIMIT_S = 600
"""Of time for one plan; none comes near it."""


def optimisation_of(home: dict[str, Any]) -> Any:
    """EMHASS's model of a home: what a user would configure for it."""
    appliances, battery, dt = home["appliances"], home["battery"], home["slot_hours"]
    count = len(appliances)
    limit = WATTS * (
        max(home["base_load_kw"])
        + max(home["pv_kw"])
        + battery["power_kw"]
        + sum(appliance["rated_kw"] for appliance in appliances)
    )
    optim = {
        "set_use_battery": True,
        "number_of_deferrable_loads": count,
        "nominal_power_of_deferrable_loads": [appliance["rated_kw"] * WATTS for appliance in appliances],
        "minimum_power_of_deferrable_loads": [0.0] * count,
        "operating_hours_of_each_deferrable_load": [appliance["hours"] for appliance in appliances],
        "start_timesteps_of_each_deferrable_load": [round(a["earliest_h"] / dt) for a in appliances],
        "end_timesteps_of_each_deferrable_load": [round(a["latest_h"] / dt) for a in appliances],
        "treat_deferrable_load_as_semi_cont": [True] * count,
        "set_deferrable_load_single_constant": [True] * count,
        "set_deferrable_startup_penalty": [0.0] * count,
        "set_deferrable_max_startups": [0] * count,
        "def_current_state": [False] * count,
        "set_nocharge_from_grid": False,
        "set_nodischarge_to_grid": False,
        "set_battery_dynamic": False,
        "set_total_pv_sell": False,
        "weight_battery_discharge": battery["wear_eur_per_kwh"],
        "weight_battery_charge": battery["wear_eur_per_kwh"],
        "delta_forecast_daily": 1,
        "lp_solver_timeout": NO_LIMIT_S,
        "num_threads": 1,
    }
    plant = {
        "inverter_is_hybrid": False,
        "compute_curtailment": False,
        "maximum_power_from_grid": limit,
        "maximum_power_to_grid": limit,
        "battery_nominal_energy_capacity": battery["capacity_kwh"] * WATTS,
        # EMHASS limits power on the side of the cells.
        "battery_charge_power_max": battery["power_kw"] * battery["charge_efficiency"] * WATTS,
        "battery_discharge_power_max": battery["power_kw"] / battery["discharge_efficiency"] * WATTS,
        "battery_charge_efficiency": battery["charge_efficiency"],
        "battery_discharge_efficiency": battery["discharge_efficiency"],
        "battery_minimum_state_of_charge": battery["min_soc"],
        "battery_maximum_state_of_charge": battery["max_soc"],
        "battery_target_state_of_charge": battery["final_soc"],
    }
    retrieve = {
        "optimization_time_step": pd.to_timedelta(dt, "hours"),
        "time_zone": "UTC",
        "sensor_power_photovoltaics": "pv",
        "sensor_power_load_no_var_loads": "load",
    }
    quiet = logging.getLogger("emhass")
    quiet.setLevel(logging.ERROR)
    return Optimization(retrieve, optim, plant, "buy", "sell", "profit", {}, quiet, opt_time_delta=24)


def plan(optimisation: Any, home: dict[str, Any], gap: float) -> Any:
    """The plan of one day, a data frame of powers in watts."""
    optimisation.optim_conf["lp_solver_mip_rel_gap"] = gap
    tariff, battery = home["tariff"], home["battery"]
    times = pd.date_range("2026-01-01", periods=home["slots"], freq=pd.to_timedelta(home["slot_hours"], "h"))
    prices = pd.DataFrame(
        {"buy": tariff["import_eur_per_kwh"], "sell": tariff["export_eur_per_kwh"]}, index=times
    )
    pv = pd.Series(np.array(home["pv_kw"]) * WATTS, index=times)
    load = pd.Series(np.array(home["base_load_kw"]) * WATTS, index=times)
    return optimisation.perform_dayahead_forecast_optim(
        prices, pv, load, soc_init=battery["initial_soc"], soc_final=battery["final_soc"]
    )


def plans_of(days: list[dict[str, Any]], gaps: list[float]) -> list[dict[str, Any]]:
    """Plans of a home's days, the first one cold."""
    plans = []
    started = time.process_time()
    optimisation = optimisation_of(days[0])
    for home, gap in zip(days, gaps, strict=True):
        found = plan(optimisation, home, gap)
        plans.append(
            {
                "seconds": time.process_time() - started,
                "battery_kw": (found["P_batt"] / WATTS).tolist(),
                "appliance_kw": {
                    appliance["name"]: (found[f"P_deferrable{k}"] / WATTS).tolist()
                    for k, appliance in enumerate(home["appliances"])
                },
            }
        )
        started = time.process_time()
    return plans


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    answer = [plans_of(home["days"], home["gaps"]) for home in asked["homes"]]
    json.dump({"version": version("emhass"), "homes": answer}, sys.stdout)
