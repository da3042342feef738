"""What a home reckons from its own trades, plan and meter is what the chain bills it, to the nano-token."""

from __future__ import annotations

from pathlib import Path

import pytest

from otaniemi.contracts.chain.node import open_chain
from otaniemi.platform.clock import SimulatedClock, Timeline
from otaniemi.platform.community_day import enter_days
from otaniemi.platform.data.synthetic import synthetic_scenario
from otaniemi.platform.forecast import Kind
from otaniemi.platform.forms import ALL_FORMS
from otaniemi.platform.services.exchange import open_exchange
from otaniemi.platform.services.founding import found, founded_at
from otaniemi.platform.services.settlement import ledger_change
from otaniemi.platform.store import Store


@pytest.mark.parametrize("kind", ["perfect", "realistic"])
def test_the_bill_of_every_home_is_what_it_reckons_itself(tmp_path: Path, kind: Kind) -> None:
    scenario = synthetic_scenario(6, 1, 3600, 3)
    clock = SimulatedClock(founded_at(scenario))
    store = Store(tmp_path / "store.db")
    chain = open_chain("embedded", clock.now - 1)
    exchange = open_exchange(found(chain, scenario, 3, store, clock), scenario, 3)
    timeline = Timeline(clock)
    [day] = enter_days(exchange, scenario, kind, 3, timeline, lambda _, action: action(), ALL_FORMS)
    timeline.run()
    outcome = day.outcome
    assert outcome.bills is not None
    assert sum(one.clearing.volume for one in outcome.cleared) > 0
    for home, agent in enumerate(outcome.agents):
        assert outcome.cost_nano(home) == agent.record.cost_nano()
    assert (outcome.bills.sums.trade_wh, outcome.bills.sums.trade_money) == (0, 0)
    assert ledger_change(outcome.payments) == 0
    store.close()
