"""Random homes, in the format of the house file."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st


@st.composite
def homes(
    draw: st.DrawFn,
    slots: int | None = None,
    usual_prices: bool = True,
    appliances: bool = True,
    v2h: str | None = None,
) -> dict[str, Any]:
    """A feasible home; with usual prices feeding in never pays more than importing costs, and nothing is negative."""
    count = slots or draw(st.integers(2, 10))
    dt = draw(st.sampled_from([0.25, 0.5, 1.0]))

    def per_slot(low: float, high: float) -> list[float]:
        return draw(st.lists(st.floats(low, high).map(lambda x: round(x, 3)), min_size=count, max_size=count))

    feed_in = per_slot(0.0, 0.3) if usual_prices else per_slot(-0.2, 0.4)
    above = per_slot(0.03, 0.5)
    bought = [f + a for f, a in zip(feed_in, above, strict=True)] if usual_prices else per_slot(-0.2, 0.5)
    house: dict[str, Any] = {
        "name": "random",
        "slots": count,
        "slot_hours": dt,
        "tariff": {"import_eur_per_kwh": bought, "export_eur_per_kwh": feed_in},
        "base_load_kw": per_slot(0.0, 3.0),
        "pv_kw": per_slot(0.0, 5.0),
    }
    if draw(st.booleans()):
        house["battery"] = draw(storages()) | {
            "initial_soc": 0.5,
            "final_soc": draw(st.sampled_from([0.2, 0.5])),
        }
    if v2h or draw(st.booleans()):
        arrival = draw(st.integers(0, count - 1))
        ev = draw(storages())
        reach = (count - arrival) * dt * ev["power_kw"] * ev["charge_efficiency"] / ev["capacity_kwh"]
        initial = draw(st.sampled_from([0.3, 0.5]))
        target = min(initial + draw(st.floats(-0.1, 1.0)) * reach, 1.0)
        house["ev"] = ev | {
            "v2h": v2h or draw(st.sampled_from(["no", "home", "sell"])),
            "sessions": [
                {
                    "arrival_slot": arrival,
                    "departure_slot": count,
                    "initial_soc": initial,
                    "target_soc": round(max(target - 1e-4, 0.0), 6),
                }
            ],
        }
    if appliances:
        house["appliances"] = [
            {
                "name": f"machine {k}",
                "rated_kw": draw(st.sampled_from([0.5, 2.0])),
                "hours": dt * draw(st.integers(1, min(2, count))),
                "earliest_h": 0,
                "latest_h": count * dt,
            }
            for k in range(draw(st.integers(0, 2)))
        ]
    return house


@st.composite
def storages(draw: st.DrawFn) -> dict[str, Any]:
    """What battery and vehicle share."""
    return {
        "capacity_kwh": draw(st.sampled_from([4.0, 10.0])),
        "power_kw": draw(st.sampled_from([1.0, 3.0])),
        "min_soc": 0.2,
        "max_soc": 1.0,
        "charge_efficiency": draw(st.sampled_from([0.9, 1.0])),
        "discharge_efficiency": draw(st.sampled_from([0.9, 1.0])),
        "wear_eur_per_kwh": draw(st.sampled_from([0.0, 0.02])),
    }
