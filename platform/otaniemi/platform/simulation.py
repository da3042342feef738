"""Journey 1: a community trades one or more days on a chain, and the run can be audited."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from rich.progress import Progress

from otaniemi.contracts.chain.export import export_blocks
from otaniemi.contracts.chain.node import Chain, open_chain
from otaniemi.contracts.rules.positions import Form
from otaniemi.platform.agents.forms.mechanisms import MechanismOutcome, choices, compare, outcome_of
from otaniemi.platform.agents.yardsticks import Yardsticks, yardsticks
from otaniemi.platform.audit.audit import audit_run
from otaniemi.platform.audit.leaves import write_bills, write_meters
from otaniemi.platform.clock import SimulatedClock, Timeline
from otaniemi.platform.community_day import CommunityDay, enter_days
from otaniemi.platform.data.scenario import Scenario
from otaniemi.platform.data.settings import ScenarioSettings, scenario_of
from otaniemi.platform.forecast import Kind, forecaster
from otaniemi.platform.live_day import Timed
from otaniemi.platform.report import flow_svg, write_report
from otaniemi.platform.run_directory import RunDirectory
from otaniemi.platform.services.exchange import Exchange, open_exchange
from otaniemi.platform.services.founding import found, founded_at
from otaniemi.platform.store.database import Store
from otaniemi.platform.summary import RunFacts, record_of, summarise
from otaniemi.platform.worker import worker

_T = TypeVar("_T")

WALL_PARTS = ("optimize", "chain", "settle")


@dataclass(frozen=True)
class SimulationSettings:
    """What `otaniemi simulate` was asked for."""

    scenario: ScenarioSettings
    forms: frozenset[Form]
    forecast: Kind
    chain: str
    out: Path


@dataclass(frozen=True)
class SimulatedRun:
    """A published run."""

    path: Path
    summary: dict[str, Any]


def simulate_run(settings: SimulationSettings, bars: Progress) -> SimulatedRun:
    """Trade the days of ``settings`` on a chain, audit them, and publish the run.

    Raises
    ------
    OtaniemiError
        The input or the output directory cannot be used; nothing is left behind.
    """
    began = time.perf_counter()
    wall = dict.fromkeys(WALL_PARTS, 0.0)

    def timed(part: str, action: Callable[[], object]) -> None:
        start = time.perf_counter()
        action()
        wall[part] += time.perf_counter() - start

    scenario = scenario_of(settings.scenario)
    with RunDirectory(settings.out) as directory:
        opening = founded_at(scenario)
        clock = SimulatedClock(opening)
        with (
            closing(Store(directory.partial / "store.db")) as store,
            closing(open_chain(settings.chain, opening - 1)) as chain,
        ):
            with worker() as pool:
                measured = [
                    pool.submit(
                        yardsticks,
                        day,
                        forecaster(day, settings.forecast, settings.scenario.seed),
                        settings.forecast,
                    )
                    for day in map(scenario.day, range(scenario.days))
                ]
                first = scenario.day(0)
                compared = pool.submit(
                    compare,
                    first,
                    forecaster(first, settings.forecast, settings.scenario.seed),
                    settings.forecast,
                    choices(settings.forms)[:-1],
                )
                exchange = _found(chain, scenario, settings.scenario.seed, store, clock, bars, timed)
                days = _trade(exchange, scenario, settings, clock, bars, timed)
                sticks = _collect("yardsticks", "homes alone, homes as one", measured, bars)
                [outcomes] = _collect("comparison", "the first day in each form alone", [compared], bars)
            facts = _publish(directory, exchange, scenario, settings, days, sticks, bars)
            facts = replace(facts, mechanisms=[*outcomes, _as_traded(days[0], settings.forms, sticks[0])])
            summary = summarise(replace(facts, wall_s=_wall(wall, began)))
            record = record_of(facts, summary)
            write_report(record, directory.partial / "report.html")
            (directory.partial / "picture.svg").write_text(flow_svg(record), encoding="utf-8")
            summary["wall_s"] = _wall(wall, began)
            directory.write_json("summary.json", summary)
        return SimulatedRun(directory.publish(), summary)


def _found(
    chain: Chain,
    scenario: Scenario,
    seed: int,
    store: Store,
    clock: SimulatedClock,
    bars: Progress,
    timed: Timed,
) -> Exchange:
    task = bars.add_task("founding the community", total=1, detail="contracts, accounts, test tokens")
    opened: list[Exchange] = []
    timed(
        "chain",
        lambda: opened.append(open_exchange(found(chain, scenario, seed, store, clock), scenario, seed)),
    )
    bars.update(task, completed=1, detail=f"{len(scenario.homes)} homes on chain {chain.chain_id}")
    return opened[0]


def _trade(
    exchange: Exchange,
    scenario: Scenario,
    settings: SimulationSettings,
    clock: SimulatedClock,
    bars: Progress,
    timed: Timed,
) -> list[CommunityDay]:
    timeline = Timeline(clock)
    days = enter_days(
        exchange, scenario, settings.forecast, settings.scenario.seed, timeline, timed, settings.forms
    )
    task = bars.add_task("trading", total=len(timeline), detail="")
    zone = dt.timezone(dt.timedelta(seconds=scenario.utc_offset_s))
    while len(timeline):
        timeline.step()
        now = dt.datetime.fromtimestamp(clock.now, zone)
        bars.update(task, advance=1, detail=f"{now:%a %d %b %H:%M}")
    return days


def _collect(name: str, detail: str, running: Sequence[Future[_T]], bars: Progress) -> list[_T]:
    task = bars.add_task(name, total=len(running), detail=detail)
    found = []
    for future in running:
        found.append(future.result())
        bars.update(task, advance=1)
    return found


def _as_traded(day: CommunityDay, forms: frozenset[Form], alone: Yardsticks) -> MechanismOutcome:
    """All forms of a day together: as they were on the chain."""
    traded = day.outcome
    trades, wh = traded.trades_by_form(), traded.wh_by_form()
    records = [agent.record for agent in traded.agents]
    between_homes = forms - {Form.PACKAGE}
    return outcome_of(
        traded.data,
        forms,
        records,
        alone.alone_nano,
        sum(trades[form] for form in between_homes),
        sum(wh[form] for form in between_homes),
    )


def _publish(
    directory: RunDirectory,
    exchange: Exchange,
    scenario: Scenario,
    settings: SimulationSettings,
    days: list[CommunityDay],
    sticks: list[Yardsticks],
    bars: Progress,
) -> RunFacts:
    """Write chain, leaves and deployment, and audit them as anybody would."""
    task = bars.add_task("publishing and audit", total=2, detail="chain, leaves")
    chain, place = exchange.gateway.sender.chain, directory.partial
    export_blocks((chain.block(number) for number in range(chain.head().number + 1)), place / "chain")
    for day in days:
        assert day.outcome.bills is not None
        write_meters(place / "leaves", day.day, exchange.settlement.leaves(day.day))
        write_bills(place / "leaves", day.day, day.outcome.bills.lines)
    deployment = replace(exchange.founded.deployment, head=chain.head().hash)
    directory.write_json("deployment.json", deployment.to_json())
    bars.update(task, advance=1, detail="rebuilding every bill from the chain")
    report = audit_run(place)
    bars.update(task, advance=1, detail="")
    return RunFacts(
        scenario=scenario,
        deployment=deployment,
        gateway=exchange.gateway,
        days=[day.outcome for day in days],
        yardsticks=sticks,
        audit=report,
        forecast=settings.forecast,
        seed=settings.scenario.seed,
        mechanisms=(),
        wall_s={},
    )


def _wall(wall: Mapping[str, float], began: float) -> dict[str, float]:
    parts = {part: round(seconds, 3) for part, seconds in wall.items()}
    return parts | {"total": round(time.perf_counter() - began, 3)}
