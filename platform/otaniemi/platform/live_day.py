"""A trading day as it goes on: its clock, its homes and what they agreed on so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from otaniemi.contracts.chain.events import Event
from otaniemi.contracts.chain.sender import Call, Key
from otaniemi.contracts.rules.bills import Bills
from otaniemi.contracts.rules.calendar import day_start, slots_of_day
from otaniemi.contracts.rules.orders import Step
from otaniemi.contracts.rules.positions import Agreement, Form
from otaniemi.platform.agents.forms.package import STANDARD, Choice
from otaniemi.platform.agents.home import HomeAgent
from otaniemi.platform.agents.record import Fill, Metered
from otaniemi.platform.clock import Timeline
from otaniemi.platform.data.scenario import IntArray, TradingDay
from otaniemi.platform.services.exchange import Exchange
from otaniemi.platform.services.founding import Wallet
from otaniemi.platform.services.market import ClearedMarket
from otaniemi.platform.store import positions

Timed = Callable[[str, Callable[[], object]], object]


@dataclass
class DayOutcome:
    """What a finished day leaves behind.

    ``metered[slot][home]`` is what the meter saw and what was behind it; ``cleared`` holds every market in order of
    clearing, ``agreed`` what homes agreed on in the other forms; ``planned_wh`` is each home's net plan, shape
    (slots,), in its last day-ahead round; ``packages`` are those of every home.
    """

    data: TradingDay
    accounts: list[int]
    agents: list[HomeAgent] = field(default_factory=list)
    cleared: list[ClearedMarket] = field(default_factory=list)
    agreed: list[Agreement] = field(default_factory=list)
    packages: list[Choice] = field(default_factory=list)
    metered: list[list[Metered]] = field(default_factory=list)
    planned_wh: list[IntArray] = field(default_factory=list)
    skipped: int = 0
    bills: Bills | None = None
    payments: list[Event] = field(default_factory=list)

    def cost_nano(self, home: int) -> int:
        """What the day cost a home: its bill on the chain, and the wear of its devices. [nano-token]"""
        assert self.bills is not None
        sums = self.bills.accounts[self.bills.index(self.accounts[home])].sums
        return sums.due + sums.lock_release + self.agents[home].record.wear_nano()

    def package_saving_nano(self) -> int:
        """What the homes' packages take from the retailer beside its standard tariff. [nano-token]"""
        records = [agent.record for agent in self.agents]
        return sum(record.standard_cost_nano() - record.cost_nano() for record in records)

    def trades_by_form(self) -> Counter[Form]:
        """Filled orders of calls, agreements of the other forms, homes with a package."""
        count: Counter[Form] = Counter(Form(agreement.form) for agreement in self.agreed)
        count[Form.CALL] = sum(int(np.count_nonzero(one.clearing.fills)) for one in self.cleared)
        count[Form.PACKAGE] = sum(choice != STANDARD for choice in self.packages)
        return count

    def wh_by_form(self) -> Counter[Form]:
        """Energy that changed hands between homes, and what packages covered of the homes' trade with the retailer."""
        wh: Counter[Form] = Counter()
        for agreement in self.agreed:
            wh[Form(agreement.form)] += sum(agreement.wh)
        wh[Form.CALL] = sum(one.clearing.volume for one in self.cleared)
        wh[Form.PACKAGE] = sum(agent.record.covered_wh() for agent in self.agents)
        return wh


class Nonces:
    """The next numbers of each home's orders in calls and of its limits, which the contracts count apart."""

    def __init__(self, homes: int) -> None:
        self._orders, self._limits = [0] * homes, [0] * homes

    def order(self, home: int) -> int:
        """Of an order or a profile of orders."""
        self._orders[home] += 1
        return self._orders[home] - 1

    def limit(self, home: int) -> int:
        """Of a limit in a continuous market."""
        self._limits[home] += 1
        return self._limits[home] - 1


class LiveDay:
    """One trading day of a community on its way from the retail prices to the payment of its bills.

    Parameters
    ----------
    exchange : Exchange
    data : TradingDay
        The truth of the day.
    wallets : sequence of Wallet
        Of the homes, in the order of ``data``.
    nonces : Nonces
        The next numbers of the homes' orders; shared between days.
    timeline : Timeline
    timed : callable
        Runs an action and adds its time to a named part.
    """

    def __init__(
        self,
        exchange: Exchange,
        data: TradingDay,
        wallets: Sequence[Wallet],
        nonces: Nonces,
        timeline: Timeline,
        timed: Timed,
    ) -> None:
        self.exchange, self.wallets, self.nonces = exchange, wallets, nonces
        self._timeline, self.timed = timeline, timed
        gateway = exchange.gateway
        self.rules, self.community, self.product = gateway.rules, gateway.community, gateway.product
        self.day = (data.first_slot * data.slot_seconds + self.rules.utc_offset) // 86_400
        self.slots = slots_of_day(self.rules, self.day)
        self.outcome = DayOutcome(data, [wallet.account for wallet in wallets])
        self._home_of = {wallet.account: index for index, wallet in enumerate(wallets)}

    @property
    def agents(self) -> list[HomeAgent]:
        return self.outcome.agents

    @property
    def now(self) -> int:
        return self.exchange.clock.now

    @property
    def known(self) -> int:
        """Slots of the day that have ended by now, negative before the day."""
        return (self.now - day_start(self.rules, self.day)) // self.rules.slot_seconds

    def at(self, moment: int, action: Callable[..., object], *arguments: object) -> None:
        """Enter an action into the timeline."""
        self._timeline.at(moment, action, *arguments)

    def plan_at(self, moment: int, action: Callable[..., None], *arguments: object) -> None:
        """Enter an action whose time counts as planning."""
        self._timeline.at(moment, self.timed, "optimize", partial(action, *arguments))

    def send(self, calls: Sequence[tuple[Key, Call]]) -> list[Event]:
        """Mine calls; see ``instruct``."""
        found: list[Event] = []
        self.timed("chain", lambda: found.extend(self.exchange.gateway.send(calls)))
        self.instruct()
        return found

    def tend(self) -> None:
        """Let the services end auctions and deliver standard contracts; see ``instruct``."""
        self.timed("chain", self.exchange.tend)
        self.instruct()

    def instruct(self) -> None:
        """Let the homes plan with what the chain has recorded since: the instruction comes with the agreement."""
        with self.exchange.gateway.store.read() as transaction:
            every = positions.agreements_of_day(transaction, self.community, self.product, self.day)
        fresh = every[len(self.outcome.agreed) :]
        self.outcome.agreed += fresh
        self.fill([side for agreement in fresh for side in sides_of(agreement)])

    def fill(self, traded: Iterable[tuple[int, Fill]]) -> None:
        """Hand what accounts traded to their homes; others are no homes of this day."""
        fills: list[list[Fill]] = [[] for _ in self.wallets]
        for account, taken in traded:
            home = self._home_of.get(account)
            if home is not None:
                fills[home].append(taken)
        # Before the homes have made their first plans nothing can have been traded.
        for agent, own in zip(self.agents, fills, strict=False):
            agent.on_fills(own)


def sides_of(agreement: Agreement) -> Iterator[tuple[int, Fill]]:
    """Both sides of an agreement, slot by slot, with the account."""
    for buy, account in ((True, agreement.buyer), (False, agreement.seller)):
        for slot, wh in enumerate(agreement.wh, agreement.slot):
            if wh:
                step = Step(slot, agreement.price, wh, agreement.source, buy)
                yield account, Fill(step, wh, agreement.price)


def fills_of(cleared: Iterable[ClearedMarket]) -> Iterator[tuple[int, Fill]]:
    """What was traded in calls, with the account that did, market by market in order of arrival."""
    for one in cleared:
        book = one.book
        for index in np.flatnonzero(one.clearing.fills).tolist():
            step = Step(
                one.market.slot,
                int(book.price[index]),
                int(book.quantity[index]),
                int(book.source[index]),
                bool(book.buy[index]),
            )
            yield int(book.account[index]), Fill(step, int(one.clearing.fills[index]), one.clearing.price)
