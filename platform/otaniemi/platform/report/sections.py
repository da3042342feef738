"""What the report says around its charts: one section for each question a reader may have."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape

from otaniemi.platform.report.document import bullets, chart, section, soft
from otaniemi.platform.report.series import gains, most_active
from otaniemi.platform.results import HomeResult, RunRecord


def every(record: RunRecord, shown: Sequence[HomeResult]) -> str:
    """All sections as HTML, `shown` being the homes one can choose from."""
    parts = (
        _energy(record),
        _limits(record),
        _prices(record),
        _worth(record),
        _forms(record),
        _one_home(record, shown),
        _book(record),
        _imbalance(record),
        _chain(record),
        _audit(record),
        section("Notes", "", bullets([f"Data: {source(record)}.", *record.notes])),
    )
    return "\n".join(part for part in parts if part)


def source(record: RunRecord) -> str:
    """Where the homes' data came from, in words."""
    return "synthetic homes" if record.data_source == "synthetic" else record.data_source


def _energy(record: RunRecord) -> str:
    return section(
        "The community's energy",
        "Mean power of each slot in kW, all homes together. Above zero: where power came from. Below: what it was used "
        "for. The two sides are equal. What neighbours passed to each other stays inside; the grid is the community's "
        "exchange with the outside.",
        chart("community", f"Stacked areas of supply and use in kW over {len(record.slot_starts)} slots"),
    )


def _limits(record: RunRecord) -> str:
    return section("What limited the market", "", bullets(record.limits)) if record.limits else ""


def _prices(record: RunRecord) -> str:
    return section(
        "Prices",
        "What a kWh cost in each session. Marks are clearing prices, larger where more was traded. Inside the band, "
        "from feed-in to import less the local fee, a local trade serves both sides; the buyer pays the fee of "
        f"{record.local_fee_micro / 1e4:g} ct/kWh on top.",
        chart("prices", "Clearing prices of every session between retail import and feed-in, ct/kWh"),
    )


def _worth(record: RunRecord) -> str:
    knows = "a perfect forecast" if record.summary["forecast"] == "perfect" else "the same forecasts"
    return section(
        "What the market was worth",
        f"Costs against the metered truth, all planned with {knows}, with network fees and equal final states of "
        "charge. A negative cost is an income.",
        chart("worth", "Cost of the community in EUR: alone, with the market, planned as one")
        + "<h3>Who gained</h3>"
        + soft(
            "Each home's cost alone and with the market; the number is what the market saved it, largest first."
        )
        + chart("homes", "Cost of each home in EUR, alone and with the market")
        + _gains_table(record),
    )


def _forms(record: RunRecord) -> str:
    if not record.mechanisms:
        return ""
    heads = (
        "gain of homes and retailer, EUR", "bills, EUR", "solar energy used here", "Gini of gains",
        "worst-off home", "its gain, EUR", "trades", "traded, kWh",
    )  # fmt: skip
    rows = ["<tr><th>forms</th>" + "".join(f'<th class="number">{head}</th>' for head in heads) + "</tr>"]
    for row in record.mechanisms:
        share = row["self_consumption"]
        cells = (
            f"{row['welfare_eur']:+.3f}",
            f"{row['bills_eur']:.2f}",
            "-" if share is None else f"{share:.1%}",
            f"{row['gini']:.2f}",
            str(row["worst_home"]),
            f"{row['worst_gain_eur']:+.3f}",
            str(row["trades"]),
            f"{row['traded_kwh']:.2f}",
        )
        numbers = "".join(f'<td class="number">{cell}</td>' for cell in cells)
        rows.append(f"<tr><td>{escape(row['forms'].replace('+', ', '))}</td>{numbers}</tr>")
    return section(
        "The forms of trading side by side",
        "The first day again in each form alone, by the chain's rules in memory, and as it was traded. What a package "
        "takes from the retailer is no gain of both together. Solar energy used here is what was not given to the grid "
        "beyond trades. A Gini coefficient of 0 means that all homes gain alike.",
        chart("mechanisms", "Gain of each choice of forms in EUR")
        + f'<div class="scroll"><table>{"".join(rows)}</table></div>',
    )


def _one_home(record: RunRecord, shown: Sequence[HomeResult]) -> str:
    first = most_active(shown)[0]
    options = "".join(
        f'<option value="{home.account}"{" selected" if home is first else ""}>{escape(home.name)}</option>'
        for home in shown
    )
    some = (
        f" The {len(shown)} most active of {len(record.homes)} homes are here."
        if len(shown) < len(record.homes)
        else ""
    )
    return section(
        "One home",
        f"What it planned, traded, nominated and metered, and what that cost.{some}",
        f'<p><label for="home">Home</label><select id="home">{options}</select></p>'
        '<div class="columns"><div><h3>The run</h3><table id="home-facts"></table></div>'
        '<div><h3>The bill: pays, or receives where negative</h3><table id="home-bill"></table></div></div>'
        + _part("home_devices", "Power by device: supply above zero, use below")
        + _part("home_energy", "Planned, traded, nominated, metered: import above zero, export below")
        + _part("home_storage", "State of charge at the end of each slot; a gap means that the car is away")
        + _part(
            "home_temperatures",
            "Temperatures at the end of each slot and, dotted, the bands they should keep",
        ),
    )


def _book(record: RunRecord) -> str:
    book = record.book
    if book is None:
        return section("Order book", "No market of this run traded, so there is no book to show.", "")
    start = datetime.fromisoformat(record.slot_starts[book.slot_index])
    return section(
        "Order book",
        f"The market that traded most: {book.session_name}, slot from {start:%d %B %H:%M}, {len(book.orders)} orders. "
        f"Where the staircases cross, one price clears for all: {book.price_micro / 1e4:.2f} ct/kWh.",
        chart("book", "Demand and supply staircases with the clearing price"),
    )


def _imbalance(record: RunRecord) -> str:
    return section(
        "Imbalance",
        f"Energy metered otherwise than traded, by cause; {record.summary['imbalance_wh'] / 1e3:.2f} kWh were settled "
        "as imbalance.",
        chart("imbalance", "Imbalance by cause in kWh"),
    )


def _chain(record: RunRecord) -> str:
    s, wall = record.summary, record.summary["wall_s"]
    rows = {
        "gas per order": f"{s['gas']['per_order']:,.0f}",
        "gas per home and day": f"{s['gas']['per_home_day']:,.0f}",
        "time for the whole run": f"{wall['total']:.1f} s",
        "of it planning": f"{wall['optimize']:.1f} s",
        "of it chain": f"{wall['chain']:.1f} s",
        "of it settlement": f"{wall['settle']:.1f} s",
    }
    lines = "".join(
        f'<tr><td>{name}</td><td class="number">{value}</td></tr>' for name, value in rows.items()
    )
    return section(
        "Gas and chain",
        f"{s['gas']['total'] / 1e6:.2f} million gas in {s['transactions']} transactions and {record.blocks} blocks.",
        chart("gas", "Gas by category, million gas")
        + f'<table>{lines}</table><p class="soft">Last block: <code>{escape(record.head_hash)}</code></p>',
    )


def _audit(record: RunRecord) -> str:
    tone, words = (
        ("good", "Everything holds ✓") if record.summary["audit"]["ok"] else ("bad", "Something is wrong ✗")
    )
    return section(
        "Audit",
        "Orders, clearing, fills, schedules, meters, bills and balances recomputed from the chain and the published "
        "leaves, without the platform's store. To repeat it: otaniemi audit, with this folder.",
        f'<p class="{tone}"><strong>{words}</strong></p>' + bullets(record.audit_lines),
    )


def _gains_table(record: RunRecord) -> str:
    every_gain = gains(record)
    heads = ("alone, EUR", "with market, EUR", "saved, EUR", "net bought, kWh", "sold, kWh")
    rows = ["<tr><th>home</th>" + "".join(f'<th class="number">{head}</th>' for head in heads) + "</tr>"]
    for gain in every_gain:
        home, worst = gain.home, gain is every_gain[-1]
        bought, sold = home.trade_wh[home.trade_wh > 0].sum() / 1e3, sum(home.sold_wh.values()) / 1e3
        numbers = (
            f"{gain.alone_eur:.3f}",
            f"{gain.market_eur:.3f}",
            f"{gain.gain_eur:+.3f}",
            f"{bought:.2f}",
            f"{sold:.2f}",
        )
        cells = "".join(f'<td class="number">{number}</td>' for number in numbers)
        mark = (' class="worst"', " (worst off)") if worst else ("", "")
        rows.append(f"<tr{mark[0]}><td>{escape(home.name)}{mark[1]}</td>{cells}</tr>")
    table = f'<div class="scroll"><table>{"".join(rows)}</table></div>'
    return f"<details><summary>The same as a table</summary>{table}</details>"


def _part(name: str, title: str) -> str:
    return f'<div id="part-{name}"><h3>{escape(title)}</h3>{chart(name, title)}</div>'
