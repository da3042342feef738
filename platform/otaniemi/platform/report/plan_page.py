"""A home's plan as a page: what runs when, at which prices, what it costs, and what each device saved."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import numpy as np

from otaniemi.optimizer.house import House
from otaniemi.optimizer.savings import Savings
from otaniemi.optimizer.schedule import Schedule
from otaniemi.platform import plan_words
from otaniemi.platform.report import plan_figures
from otaniemi.platform.report.document import KeyFigure, band, chart, document, section, soft, table

TABLE_SLOTS = 400
"""Longer plans come without the table of all slots."""

_UNITS = """Made by <code>otaniemi</code>. Power in kW on the AC side, mean of the slot; energy in kWh; money in EUR,
income negative. Temperatures and states of charge are those at the end of a slot. The plan begins at 00:00."""


def render(house: House, schedule: Schedule, savings: Savings | None) -> str:
    """A plan as HTML that opens without a network and asks for nothing.

    Parameters
    ----------
    house : House
        As its case leaves it (`house_of_case`).
    schedule : Schedule
        Its plan for the whole day, or a relaxation.
    savings : Savings or None
        None where the home cannot do without a HEMS, or the plan is a relaxation.
    """
    edges = plan_figures.edges(house)
    return document(
        f"Plan of {house.name}",
        _header(house, schedule, savings),
        "\n".join(_sections(house, schedule, savings)),
        f"<p>{_UNITS}</p>",
        {"figures": plan_figures.every(house, schedule, savings), "zoom": [edges[0], edges[-1]]},
        "charts.js",
    )


def _header(house: House, schedule: Schedule, savings: Savings | None) -> str:
    minutes, hours = 60 * house.slot_hours, house.slots * house.slot_hours
    facts = f"{house.slots} slots of {minutes:g} minutes ({hours:g} h); method {schedule.method}"
    facts += "" if schedule.case is None else f"; case {schedule.case}"
    if schedule.scenarios:
        facts += f"; expected values of {len(schedule.scenarios)} scenarios"
    return f"""<header>
<h1>Plan of {escape(house.name)}</h1>
<div class="badge">{escape(plan_words.status_words(schedule))}</div>
<p class="soft">{escape(facts)}; planned in {schedule.seconds:z.2f} s.</p>
{band(_key_figures(house, schedule, savings))}
</header>"""


def _key_figures(house: House, schedule: Schedule, savings: Savings | None) -> list[KeyFigure]:
    dt = house.slot_hours
    bought, sold = float(schedule.import_kw.sum()) * dt, float(schedule.export_kw.sum()) * dt
    if savings is None:
        saved = KeyFigure("saved", "-", "", "there is no plan without a HEMS to compare with")
    else:
        alone = savings.alone.cost_eur
        saved = KeyFigure("saved", f"{savings.total_eur:z.2f}", "EUR", f"{alone:z.2f} EUR without a HEMS")
    figures = [
        KeyFigure(
            "cost", f"{schedule.cost_eur:z.2f}", "EUR", f"at least {schedule.bound_eur:z.2f} EUR is needed"
        ),
        saved,
        KeyFigure("bought", f"{bought:.1f}", "kWh", f"at most {schedule.import_kw.max():.1f} kW at once"),
        KeyFigure("sold", f"{sold:.1f}", "kWh", f"at most {schedule.export_kw.max():.1f} kW at once"),
    ]
    if house.pv_kw.any():
        there = float(plan_words.sun_kwh(house).sum())
        share = float(schedule.pv_used_kw.sum()) * dt / there
        figures.append(
            KeyFigure("sun used", f"{100 * share:.0f}", "%", plan_words.sun_words(house, schedule))
        )
    if house.battery:
        out, into = (
            float(schedule.battery_discharge_kw.sum()) * dt,
            float(schedule.battery_charge_kw.sum()) * dt,
        )
        figures.append(KeyFigure("from the battery", f"{out:.1f}", "kWh", f"{into:.1f} kWh into it"))
    if house.ev and house.ev.sessions:
        out, into = float(schedule.ev_discharge_kw.sum()) * dt, float(schedule.ev_charge_kw.sum()) * dt
        figures.append(KeyFigure("into the car", f"{into:.1f}", "kWh", f"{out:.1f} kWh from it to the home"))
    if house.thermal:
        heat = float(schedule.thermal_kw.sum()) * dt
        names = ", ".join(plan_words.device_name(device.field) for device in house.thermal)
        figures.append(KeyFigure("heating and cooling", f"{heat:.1f}", "kWh", names))
    return figures


def _sections(house: House, schedule: Schedule, savings: Savings | None) -> Iterator[str]:
    yield _power(schedule)
    yield section(
        "Prices",
        "What a kWh from the grid costs and what one into it brings.",
        chart("prices", "Import and feed-in price over the day, EUR/kWh"),
    )
    if house.thermal:
        yield _temperatures(house)
    if house.battery or (house.ev and house.ev.sessions):
        yield section(
            "States of charge",
            "At the end of each slot; a gap means that the car is away.",
            chart("charge", "State of charge of battery and car over the day, percent"),
        )
    if schedule.starts:
        yield section(
            "Appliances",
            "When each may run, and when it does.",
            chart("appliances", "Window and run of each appliance"),
        )
    yield section(
        "What the devices do",
        "",
        table(("device", "plan"), plan_words.device_rows(house, schedule), numbers=False),
    )
    yield _costs(schedule, savings)
    if savings is not None:
        yield _savings(savings)
    if schedule.scenarios:
        yield _scenarios(house, schedule)
    if house.slots <= TABLE_SLOTS:
        yield _numbers(house, schedule)


def _power(schedule: Schedule) -> str:
    words = "Mean power of each slot. Above zero: where it comes from. Below: what it is used for. Both are equal."
    body = chart("power", "Stacked areas of where power comes from and what it is used for, kW")
    if schedule.scenarios:
        words += " Expected values of all scenarios."
        body += "<h3>Exchange with the grid in all scenarios: import above zero</h3>"
        body += chart("grid", "Exchange with the grid, expected and in all scenarios, kW")
    return section("Power", words, body)


def _temperatures(house: House) -> str:
    parts = []
    for device in house.thermal:
        name = plan_words.device_name(device.field)
        words = (
            f"Temperature of the {name} between {device.min_c:g} and {device.max_c:g} °C, and when it runs"
        )
        parts.append(f"<h3>{escape(name.capitalize())}</h3>{chart(device.field, words)}")
    return section(
        "Temperatures",
        "The band is what was wished for. Blocks at the bottom: the device runs, higher where at a higher level.",
        "".join(parts),
    )


def _costs(schedule: Schedule, savings: Savings | None) -> str:
    alone = None if savings is None else savings.alone
    rows = []
    for words, own, other in plan_words.cost_rows(schedule, alone):
        more = [] if other is None else [f"{other:z.4f}", f"{other - own:+z.4f}"]
        rows.append([words, f"{own:z.4f}", *more])
    heads = ["part", "plan, EUR"] + ([] if alone is None else ["no HEMS, EUR", "saved, EUR"])
    if schedule.method == "lp":
        proof = "A relaxation: no plan can cost less than this."
    else:
        proof = (
            f"No plan can cost less than {schedule.bound_eur:z.4f} EUR: this one is at most "
            f"{plan_words.gap_words(schedule, savings)} above the cheapest."
        )
    return section("What it costs", "", table(heads, rows) + soft(proof))


def _savings(savings: Savings) -> str:
    words = (
        "Against the home without a HEMS: thermostats, appliances that start at once, a car that charges on arrival, "
        "a battery for the home's own sun."
    )
    if not savings.by_device:
        return section(
            "What each device saved",
            f"{words} The import limit ties the devices together, so only the sum can be told: "
            f"{savings.total_eur:z.4f} EUR.",
            "",
        )
    rows = sorted(savings.by_device.items(), key=lambda item: -item[1])
    lines = [(plan_words.device_name(device), f"{eur:+z.4f}") for device, eur in rows]
    return section(
        "What each device saved",
        f"{words} A device's share is what it adds on average over all orders in which devices could join "
        "(its Shapley value); the shares sum to the saving.",
        chart("savings", "From the cost without a HEMS to that of the plan, device by device, EUR")
        + f"<details><summary>The same as a table</summary>{table(('device', 'saved, EUR'), lines)}</details>",
    )


def _scenarios(house: House, schedule: Schedule) -> str:
    dt = house.slot_hours
    rows = []
    for k, (scenario, own) in enumerate(zip(house.scenarios, schedule.scenarios, strict=True)):
        energy = (own.import_kw.sum() * dt, own.export_kw.sum() * dt, own.pv_used_kw.sum() * dt)
        chances = (
            f"{100 * scenario.probability:.1f}",
            f"{scenario.outdoor_offset_c:+z.2f}",
            f"{scenario.pv_factor:z.2f}",
        )
        rows.append((str(k + 1), *chances, *(f"{kwh:z.2f}" for kwh in energy)))
    heads = (
        "scenario",
        "probability, %",
        "warmer by, K",
        "sun, times",
        "bought, kWh",
        "sold, kWh",
        "sun used, kWh",
    )
    return section(
        "Scenarios",
        "Starts and levels are the same in all of them; energy flows follow the weather.",
        table(heads, rows),
    )


def _numbers(house: House, schedule: Schedule) -> str:
    """Every slot as a row of a table, for those who read rather than look."""
    columns = {
        "import, EUR/kWh": house.tariff.import_eur_per_kwh,
        "feed-in, EUR/kWh": house.tariff.export_eur_per_kwh,
        "bought, kW": schedule.import_kw,
        "sold, kW": schedule.export_kw,
        "sun, kW": schedule.pv_used_kw,
        "base load, kW": house.base_load_kw,
        "appliances, kW": schedule.appliance_kw,
        "heating and cooling, kW": schedule.thermal_kw,
        "battery, kW": schedule.battery_charge_kw - schedule.battery_discharge_kw,
        "battery, %": 100 * schedule.battery_soc,
        "car, kW": schedule.ev_charge_kw - schedule.ev_discharge_kw,
        "car, %": 100 * schedule.ev_soc,
    }
    for device in house.thermal:
        columns[f"{plan_words.device_name(device.field)}, °C"] = schedule.temperatures_c[device.field]
    columns = {name: values for name, values in columns.items() if np.nan_to_num(values).any()}
    digits = {name: 4 if "EUR" in name else 0 if "%" in name else 2 for name in columns}
    rows = [
        (
            plan_words.clock(house, slot),
            *("" if np.isnan(v[slot]) else f"{v[slot]:.{digits[name]}f}" for name, v in columns.items()),
        )
        for slot in range(house.slots)
    ]
    listed = table(("from", *columns), rows)
    return section(
        "All numbers", "", f"<details><summary>Every slot as a row of a table</summary>{listed}</details>"
    )
