"""What a run comes to: the numbers of ``summary.json`` and the record that the report shows."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from otaniemi.contracts.chain.deploy import Deployment
from otaniemi.contracts.rules.calendar import Source
from otaniemi.contracts.rules.positions import Agreement, Form
from otaniemi.contracts.rules.units import NANO_PER_MICRO, eur_of_nano
from otaniemi.platform.agents.forms.mechanisms import MechanismOutcome, row
from otaniemi.platform.agents.yardsticks import Yardsticks, efficiency, unmatched_nano
from otaniemi.platform.audit.findings import AuditReport
from otaniemi.platform.community import Home
from otaniemi.platform.data.scenario import IntArray, Scenario
from otaniemi.platform.live_day import DayOutcome, fills_of
from otaniemi.platform.results import BookOrder, HomeResult, RunRecord, SampleBook, SessionResult, Temperature
from otaniemi.platform.services.founding import SESSION_NAMES
from otaniemi.platform.services.gateway import Gateway
from otaniemi.platform.services.market import ClearedMarket
from otaniemi.platform.services.settlement import ledger_change
from otaniemi.platform.store import members

PER_ORDER = ("relay", "clear")
PER_HOME_DAY = ("relay", "clear", "nominate", "report", "settle")


@dataclass(frozen=True)
class RunFacts:
    """Everything a run left behind, before it is summed up."""

    scenario: Scenario
    deployment: Deployment
    gateway: Gateway
    days: Sequence[DayOutcome]
    yardsticks: Sequence[Yardsticks]
    audit: AuditReport
    mechanisms: Sequence[MechanismOutcome]
    forecast: str
    seed: int
    wall_s: Mapping[str, float]


def summarise(facts: RunFacts) -> dict[str, Any]:
    """The summary of a run; equal for equal seeds but for ``wall_s``."""
    homes, days = len(facts.scenario.homes), len(facts.days)
    cleared = [market for day in facts.days for market in day.cleared]
    agreed = [agreement for day in facts.days for agreement in day.agreed]
    trades, wh = _by_form(facts.days)
    traded = sum(wh[form] for form in wh if form != Form.PACKAGE)
    alone = sum(sum(day.alone_nano) for day in facts.yardsticks)
    optimum = sum(day.optimum_nano for day in facts.yardsticks)
    saved = sum(day.package_saving_nano() for day in facts.days)
    market = sum(day.cost_nano(home) for day in facts.days for home in range(homes)) + saved
    sender = facts.gateway.sender
    orders = sum(len(one.book) for one in cleared)
    return {
        "homes": homes,
        "days": days,
        "slots": facts.scenario.slots_per_day * days,
        "slot_seconds": facts.scenario.slot_seconds,
        "start": facts.scenario.first_day.isoformat(),
        "seed": facts.seed,
        "community": facts.scenario.name,
        "data_source": facts.scenario.source,
        "forecast": facts.forecast,
        "orders": orders,
        "orders_skipped": sum(day.skipped for day in facts.days),
        "trades": sum(trades[form] for form in trades if form != Form.PACKAGE),
        "traded_wh": traded,
        "bought_wh": traded,
        "sold_wh": traded,
        "v2h_sold_wh": _sold_from(Source.V2H, cleared, agreed),
        "trades_by_form": {form.name.lower(): trades[form] for form in Form if form in trades},
        "wh_by_form": {form.name.lower(): wh[form] for form in Form if form in trades},
        "cost_no_market_eur": eur_of_nano(alone),
        "cost_market_eur": eur_of_nano(market),
        "package_saving_eur": eur_of_nano(saved),
        "cost_community_optimum_eur": eur_of_nano(optimum),
        "cost_perfect_foresight_eur": eur_of_nano(sum(day.perfect_nano for day in facts.yardsticks)),
        "optimum_gap_eur": eur_of_nano(sum(day.gap_nano for day in facts.yardsticks)),
        "market_efficiency": efficiency(alone, market, optimum),
        "worst_home_day_loss_eur": eur_of_nano(
            max(
                day.cost_nano(home) - before
                for day, stick in zip(facts.days, facts.yardsticks, strict=True)
                for home, before in enumerate(stick.alone_nano)
            )
        ),
        "imbalance_wh": sum(agent.record.imbalance_wh() for day in facts.days for agent in day.agents),
        "discomfort_kelvin_hours": round(
            sum(agent.record.kelvin_hours() for day in facts.days for agent in day.agents), 6
        ),
        "bills": sum(len(day.bills.accounts) for day in facts.days if day.bills),
        "bills_sum_nano": sum(ledger_change(day.payments) for day in facts.days),
        "escrow_surplus_nano": escrow_surplus(facts.gateway, facts.days),
        "gas": {
            "total": sum(sender.gas.values()),
            "per_order": _share(sum(sender.gas[label] for label in PER_ORDER), orders),
            "per_home_day": _share(sum(sender.gas[label] for label in PER_HOME_DAY), homes * days),
            "by_service": dict(sorted(sender.gas.items())),
        },
        "transactions": sender.count,
        "head": "0x" + facts.deployment.head.hex(),
        "wall_s": {name: round(seconds, 3) for name, seconds in facts.wall_s.items()},
        "audit": {"ok": facts.audit.ok, "leaves": facts.audit.counts.get("leaves", 0)},
    }


def escrow_surplus(gateway: Gateway, days: Sequence[DayOutcome]) -> int:
    """Tokens in escrow beyond everything owed: free balances, locks, pots, withdrawals, reserve. [nano-token]"""
    contracts = gateway.contracts
    accounts = contracts.accounts
    owed = accounts.reserve()
    for account in range(1, accounts.account_count() + 1):
        owed += accounts.free_of(account) + accounts.withdrawal_of(account)[0]
    owed += sum(accounts.pot_of(address) for address in contracts.addresses.values())
    for day in days:
        if day.bills:
            owed += accounts.lock_total(gateway.community, day.bills.day)
    return contracts.test_euro.balance_of(accounts.address) * NANO_PER_MICRO - owed


def record_of(facts: RunFacts, summary: dict[str, Any]) -> RunRecord:
    """What the report shows of a run."""
    scenario, prices = facts.scenario, facts.scenario.prices
    cleared = [market for day in facts.days for market in day.cleared]
    zone = dt.timezone(dt.timedelta(seconds=scenario.utc_offset_s))
    starts = [
        dt.datetime.fromtimestamp(slot * scenario.slot_seconds, zone).strftime("%Y-%m-%dT%H:%M")
        for slot in range(scenario.first_slot, scenario.first_slot + summary["slots"])
    ]
    sold = _sold(cleared, [agreement for day in facts.days for agreement in day.agreed])
    homes = [_home(facts, home, sold) for home in range(summary["homes"])]
    return RunRecord(
        title=f"{summary['homes']} homes, {summary['days']} day{'s' if summary['days'] > 1 else ''}",
        data_source=scenario.source,
        slot_starts=starts,
        slot_seconds=scenario.slot_seconds,
        import_micro=prices.import_micro.tolist(),
        feed_in_micro=prices.feed_in_micro.tolist(),
        local_fee_micro=scenario.local_fee_micro,
        sessions=[_session(facts, session, cleared) for session in range(len(SESSION_NAMES))],
        homes=homes,
        book=_busiest(facts, cleared),
        gas={label: int(used) for label, used in facts.gateway.sender.gas.items()},
        blocks=facts.gateway.sender.chain.head().number + 1,
        head_hash=summary["head"],
        audit_lines=facts.audit.as_lines(),
        limits=limits(facts),
        imbalance_split_wh=_imbalance_split(facts.days),
        summary=summary,
        mechanisms=[row(outcome, [home.home for home in scenario.homes]) for outcome in facts.mechanisms],
        notes=_notes(facts, summary),
    )


def limits(facts: RunFacts) -> list[str]:
    """Sentences that say, day by day, how far the market came, what stood in its way and who lost."""
    sentences = []
    for day, yardstick in zip(facts.days, facts.yardsticks, strict=True):
        costs = [day.cost_nano(home) for home in range(len(day.agents))]
        alone, optimum = sum(yardstick.alone_nano), yardstick.optimum_nano
        market = sum(costs) + day.package_saving_nano()
        share = efficiency(alone, market, optimum)
        date = facts.scenario.first_day + dt.timedelta(days=day.data.index)
        if share is None:
            sentences.append(f"{date}: planning as one gains nothing over each home alone.")
            continue
        text = (
            f"{date}: {share:.1%} of the {eur_of_nano(alone - optimum):.2f} EUR that planning as one would gain; "
            f"{eur_of_nano(market - optimum):.2f} EUR were left."
        )
        unmatched = unmatched_nano(day.data, [agent.record for agent in day.agents])
        if unmatched > 0:
            text += f" {eur_of_nano(unmatched):.2f} EUR of it is energy that neighbours imported and exported at once."
        imbalance = _imbalance_cost(day)
        if imbalance:
            text += f" Forecast errors cost {eur_of_nano(imbalance):.2f} EUR of imbalance, market or not."
        losers = [
            (cost - before, home.home)
            for cost, before, home in zip(costs, yardstick.alone_nano, day.data.homes, strict=True)
            if cost > before
        ]
        if losers:
            worst = ", ".join(
                f"home {home} {eur_of_nano(loss) * 100:.1f} c" for loss, home in sorted(losers)[::-1][:5]
            )
            text += f" Worse off than alone: {worst}" + (
                f" and {len(losers) - 5} more." if len(losers) > 5 else "."
            )
        else:
            text += " No home was worse off than alone."
        sentences.append(text)
    return sentences


def _by_form(days: Sequence[DayOutcome]) -> tuple[Counter[Form], Counter[Form]]:
    """Trades and Wh by form over all days."""
    trades: Counter[Form] = Counter()
    wh: Counter[Form] = Counter()
    for day in days:
        trades += day.trades_by_form()
        wh += day.wh_by_form()
    return trades, wh


def _sold_from(source: Source, cleared: Iterable[ClearedMarket], agreed: Iterable[Agreement]) -> int:
    """Wh that homes sold to each other from a source."""
    wh = sum(sum(agreement.wh) for agreement in agreed if agreement.source == source)
    for one in cleared:
        wh += int(one.clearing.fills[~one.book.buy & (one.book.source == source)].sum())
    return wh


def _share(gas: int, count: int) -> int:
    return gas // count if count else 0


def _sold(cleared: Iterable[ClearedMarket], agreed: Iterable[Agreement]) -> Mapping[int, Counter[str]]:
    """Wh sold by account and source."""
    sold: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for agreement in agreed:
        sold[agreement.seller][Source(agreement.source).name.lower()] += sum(agreement.wh)
    for account, fill in fills_of(cleared):
        if not fill.step.buy:
            sold[account][Source(fill.step.source).name.lower()] += fill.wh
    return sold


def _home(facts: RunFacts, home: int, sold: Mapping[int, Counter[str]]) -> HomeResult:
    records = [day.agents[home].record for day in facts.days]
    account = facts.days[0].accounts[home]
    with facts.gateway.store.read() as transaction:
        member = members.get(transaction, account)
    metered = [slot[home] for day in facts.days for slot in day.metered]
    device_wh = {
        "load": [one.load_wh for one in metered],
        "pv": [one.pv_wh for one in metered],
        "battery": [one.battery_wh for one in metered],
        "ev": [one.ev_wh for one in metered],
        "appliances": [one.appliances_wh for one in metered],
        "thermal": [one.thermal_wh for one in metered],
    }
    owned = facts.scenario.homes[home]
    bill: Counter[str] = Counter()
    for day in facts.days:
        if day.bills is not None:
            sums = day.bills.accounts[day.bills.index(account)].sums
            for part in ("trade_money", "retail", "imbalance", "grid_fee", "platform_fee"):
                bill[part] += getattr(sums, part)
    battery, ev = owned.battery, owned.ev
    return HomeResult(
        name=member.name if member else f"account {account}",
        account=account,
        devices=[name for name, owns in _DEVICES.items() if owns(owned)]
        + [device.field for device in owned.thermal],
        cost_alone_nano=sum(day.alone_nano[home] for day in facts.yardsticks),
        cost_market_nano=sum(day.cost_nano(home) for day in facts.days),
        planned_wh=np.concatenate([day.planned_wh[home] for day in facts.days]),
        trade_wh=np.concatenate([record.trade_wh for record in records]),
        schedule_wh=np.concatenate([record.schedule_wh for record in records]),
        meter_wh=np.concatenate([record.meter_wh for record in records]),
        sold_wh=dict(sold[account]),
        device_wh={name: np.array(values, np.int64) for name, values in device_wh.items()},
        battery_soc=np.concatenate([r.battery_kwh for r in records]) / battery.capacity_kwh
        if battery
        else None,
        ev_soc=np.concatenate([r.ev_kwh for r in records]) / ev.capacity_kwh if ev else None,
        bill_nano=dict(bill),
        temperatures=[
            Temperature(
                device.field,
                np.concatenate([record.temperatures_c[device.field] for record in records]),
                device.min_c,
                device.max_c,
            )
            for device in owned.thermal
        ],
        packages=_packages(facts, home),
        contracts_wh=_contracts(facts, home),
    )


def _packages(facts: RunFacts, home: int) -> list[str]:
    """The retailer's packages of a home by name."""
    chosen = [
        (choice.supply, choice.feed_in) for day in facts.days for choice in day.packages[home : home + 1]
    ]
    return list(dict.fromkeys(name for names in chosen for name in names if name))


def _contracts(facts: RunFacts, home: int) -> dict[str, int]:
    """Energy of a home's contracts by neighbour, bought positive. [Wh]"""
    names = dict(zip(facts.days[0].accounts, (owned.home for owned in facts.scenario.homes), strict=True))
    own, wh = facts.days[0].accounts[home], Counter[str]()
    for agreement in (one for day in facts.days for one in day.agreed if one.form == Form.BILATERAL):
        if agreement.buyer == own:
            wh[f"home {names[agreement.seller]}"] += sum(agreement.wh)
        elif agreement.seller == own:
            wh[f"home {names[agreement.buyer]}"] -= sum(agreement.wh)
    return dict(wh)


_DEVICES: Mapping[str, Callable[[Home], bool]] = {
    "pv": lambda home: home.pv_scale > 0,
    "battery": lambda home: home.battery is not None,
    "ev": lambda home: home.ev is not None,
    "appliances": lambda home: bool(home.appliances),
}


def _session(facts: RunFacts, session: int, cleared: Sequence[ClearedMarket]) -> SessionResult:
    slots = facts.scenario.slots_per_day * len(facts.days)
    price: list[int | None] = [None] * slots
    volume = [0] * slots
    for one in cleared:
        if one.market.session == session and one.clearing.volume:
            index = one.market.slot - facts.scenario.first_slot
            price[index], volume[index] = one.clearing.price, one.clearing.volume
    return SessionResult(session, SESSION_NAMES[session], price, volume)


def _busiest(facts: RunFacts, cleared: Sequence[ClearedMarket]) -> SampleBook | None:
    busiest = max(cleared, key=lambda one: one.clearing.volume, default=None)
    if busiest is None or not busiest.clearing.volume:
        return None
    book = busiest.book
    orders = [
        BookOrder(account, buy, price, quantity, fill, Source(source).name.lower())
        for account, buy, price, quantity, fill, source in zip(
            *(column.tolist() for column in (book.account, book.buy, book.price, book.quantity)),
            busiest.clearing.fills.tolist(),
            book.source.tolist(),
            strict=True,
        )
    ]
    index = busiest.market.slot - facts.scenario.first_slot
    return SampleBook(index, SESSION_NAMES[busiest.market.session], busiest.clearing.price, orders)


def _imbalance_split(days: Sequence[DayOutcome]) -> dict[str, int]:
    """Absolute deviation of the meter from the trade by cause. [Wh]"""
    split = {"market": 0, "forecast": 0, "control": 0}
    for day in days:
        for agent in day.agents:
            record = agent.record
            control: IntArray = record.control_wh
            split["market"] += int(np.abs(record.schedule_wh - record.trade_wh).sum())
            split["control"] += int(np.abs(control).sum())
            split["forecast"] += int(np.abs(record.meter_wh - record.schedule_wh - control).sum())
    return split


def _imbalance_cost(day: DayOutcome) -> int:
    """What the day's deviations cost beyond the retail price of the same energy. [nano-token]"""
    prices = day.data.prices
    cost = 0
    for agent in day.agents:
        deviation = agent.record.meter_wh - agent.record.schedule_wh
        short, long = np.maximum(deviation, 0), np.maximum(-deviation, 0)
        cost += int((short * (prices.short_micro - prices.import_micro)).sum())
        cost += int((long * (prices.feed_in_micro - prices.long_micro)).sum())
    return cost


def _notes(facts: RunFacts, summary: dict[str, Any]) -> list[str]:
    notes = []
    if facts.scenario.source == "synthetic":
        notes.append("Homes, weather and prices are synthetic: drawn from the seed, not measured.")
    else:
        notes.append(
            f"Load and PV are measured ({facts.scenario.source}); devices and tariffs are the community file's."
        )
    if summary["forecast"] == "realistic":
        notes.append(
            "Homes plan with forecasts: load is the mean of the same hour on up to seven days before, corrected by the "
            "last error; PV is the truth with a seeded weather error (0.25 day-ahead, 0.10 an hour ahead), and so is "
            "the outdoor temperature (1.5 K, 0.5 K)."
        )
    else:
        notes.append("Homes plan with a perfect forecast of load, PV and outdoor temperature.")
    if any(home.thermal for home in facts.scenario.homes):
        notes.append(
            f"Temperatures missed their bands by {summary['discomfort_kelvin_hours']:.2f} kelvin-hours in all. Rooms "
            "and tanks begin every day alike and are planned to end it no worse than they began."
        )
    if summary["package_saving_eur"]:
        notes.append(
            f"Packages saved the homes {summary['package_saving_eur']:.2f} EUR off the standard tariff. The retailer "
            "bears it, so costs and efficiency of the community count energy at the standard tariff."
        )
    notes.append(
        "All three costs are settled against the metered truth by the same rules, with equal states of charge at "
        f"the ends of each day; the optimum's plans are proven to {summary['optimum_gap_eur']:.4f} EUR."
    )
    return notes
