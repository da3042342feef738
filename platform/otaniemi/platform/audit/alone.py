"""Days that nobody billed: every trade is paid out of the day's locks as if it had been delivered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from otaniemi.contracts.chain import events as e
from otaniemi.contracts.rules.bills import trades_of
from otaniemi.contracts.rules.calendar import Rules, bills_due, day_of_slot
from otaniemi.contracts.rules.orders import Market
from otaniemi.contracts.rules.payout import alone_credit
from otaniemi.contracts.rules.references import Kind, Reference
from otaniemi.platform.audit.days import trades_on
from otaniemi.platform.audit.findings import HIDDEN
from otaniemi.platform.audit.state import State
from otaniemi.platform.audit.steps import Step

MODULE = "Settlement"
DELAY = 14 * 86_400
"""From when bills are due until a day can be settled without [s]."""

_Place = tuple[int, int, int, int]
"""Account, kind, chain and index of a trade."""


class Alone:
    """Follows days that were settled without bills.

    Once a call through another contract paid trades of a day that no calldata names, what is paid of it is taken as the
    contract says, and counted.
    """

    def __init__(self, state: State, counts: Counter[str]) -> None:
        self._state, self._counts = state, counts
        self._unseen: set[tuple[int, int]] = set()
        self._pots: dict[tuple[int, int], int] = {}
        self._paid: set[tuple[int, int, int, _Place]] = set()

    @property
    def left(self) -> int:
        """What is not paid, or was lost to rounding. [nano-token]"""
        return sum(self._pots.values())

    def settled(self, event: e.SettledAlone, step: Step) -> Iterable[str]:
        """The day's locks are in the pot."""
        self._pots[event.community, event.day] = event.released
        rules = self._rules(event.community, event.day)
        if step.time < bills_due(rules, event.day) + DELAY:
            yield f"settles day {event.day} without bills before {DELAY // 86_400} days have passed"

    def paid(self, event: e.PaidAlone, step: Step) -> Iterable[str]:
        """Trades named by the call are paid once each, then the parties their fees."""
        rules, key = self._rules(event.community, event.day), (event.community, event.day)
        if step.contract != MODULE:
            self._unseen.add(key)
        if key in self._unseen:
            self._counts[HIDDEN] += 1
        else:
            expected = [e.Credit(*entry) for entry in self._entries(rules, event, step)]
            if list(event.entries) != expected:
                yield f"says {event.entries}; by the trades it is {expected}"
        for entry in event.entries:
            self._state.ledger.credit(MODULE, entry.account, entry.nano)
        self._pots[key] -= sum(entry.nano for entry in event.entries)

    def _entries(self, rules: Rules, event: e.PaidAlone, step: Step) -> Iterator[tuple[int, int]]:
        a, pot = step.arguments, self._pots[event.community, event.day]
        groups = self._orders(rules, a) if step.function == "settleAloneOrders" else self._positions(rules, a)
        grid = platform = 0
        for account, references in groups:
            given = min(sum(map(alone_credit, references)), pot)
            pot -= given
            yield account, given
            grid += sum(reference.grid_fee for reference in references)
            platform += sum(reference.platform_fee for reference in references)
        for account, fee in ((rules.grid_operator, grid), (rules.platform, platform)):
            given = min(fee, pot)
            pot -= given
            yield account, given

    def _orders(self, rules: Rules, a: Any) -> Iterator[tuple[int, list[Reference]]]:
        market = Market.of(a["market"])
        day = day_of_slot(rules, market.slot)
        book, _ = self._state.cleared[market]
        trades = trades_of(trades_on(self._state, rules, market.community, day))
        for index in a["indices"]:
            account = int(book.account[index])
            place = account, int(Kind.ORDER), market.session, index
            mark = market.community, market.product, market.slot, place
            if mark not in self._paid:
                self._paid.add(mark)
                own = trades[market.product, account, market.slot]
                yield account, [one for one in own if one.place == place[1:]]

    def _positions(self, rules: Rules, a: Any) -> Iterator[tuple[int, list[Reference]]]:
        community, product, account, day = (a[name] for name in ("community", "product", "account", "day"))
        trades = trades_of(trades_on(self._state, rules, community, day))
        references = []
        for index in a["indices"]:
            place = account, int(Kind.POSITION), 0, index
            if (community, product, day, place) in self._paid:
                continue
            self._paid.add((community, product, day, place))
            references += [
                one
                for (traded, trader, _), own in trades.items()
                if (traded, trader) == (product, account)
                for one in own
                if one.place == place[1:]
            ]
        yield account, references

    def _rules(self, community: int, day: int) -> Rules:
        rules = self._state.rules_at(community, day)
        if rules is None:
            raise LookupError(f"community {community} has no rules on day {day}")
        return rules
