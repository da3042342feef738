"""The call auction: day-ahead calls that the homes bargain for, and a last call before every slot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from otaniemi.contracts.rules.calendar import direct_gate, relay_gate
from otaniemi.contracts.rules.orders import Market, ProfileOrder, Step
from otaniemi.contracts.rules.signing import profile_digest, sign
from otaniemi.platform.agents.auction import clear_slots
from otaniemi.platform.agents.bargaining import CALLS, Call, bargain, start_prices
from otaniemi.platform.agents.trading import LAST_CALL
from otaniemi.platform.forecast import Kind
from otaniemi.platform.live_day import LiveDay, fills_of
from otaniemi.platform.services.market import ClearedMarket

BARGAIN_LEAD = 30 * 60
"""Seconds before a day-ahead relay gate at which the homes begin their rounds."""
SUBMIT_LEAD, RELAY_LEAD = 60, 30
"""Seconds before a gate at which agents submit, and at which the service relays."""


class CallTrading:
    """What happens in the calls of one day."""

    def __init__(self, day: LiveDay, kind: Kind) -> None:
        self._day, self._kind = day, kind
        self._announced = start_prices(day.outcome.data)

    def enter(self) -> None:
        """Enter every gate of the day's markets."""
        day, rules, first = self._day, self._day.rules, self._day.slots[0]
        for session, call in enumerate(CALLS[self._kind] if day.wallets else ()):
            day.plan_at(relay_gate(rules, first, session) - BARGAIN_LEAD, self._day_ahead, session, call)
        for session in range(LAST_CALL):
            day.at(relay_gate(rules, first, session) - RELAY_LEAD, self._relay, session)
            day.at(direct_gate(rules, first, session), self.clear, session, day.slots)
        for slot in day.slots:
            gate = relay_gate(rules, slot, LAST_CALL)
            day.plan_at(gate - SUBMIT_LEAD, self._last_call, slot)
            day.at(gate - RELAY_LEAD, self._relay, LAST_CALL)
            day.at(direct_gate(rules, slot, LAST_CALL), self.clear, LAST_CALL, [slot])

    def clear(self, session: int, slots: Iterable[int]) -> None:
        """Clear the session's markets of ``slots`` that have orders; every home learns its fills."""
        day = self._day
        wanted = [Market(day.community, day.product, slot, session) for slot in slots]
        day.timed("chain", lambda: self._take(day.exchange.market.clear(wanted)))

    def _day_ahead(self, session: int, call: Call) -> None:
        day = self._day
        books, self._announced = bargain(
            day.agents, call, day.known, self._announced, lambda books: clear_slots(books)[0]
        )
        day.outcome.planned_wh = [agent.planned_wh() for agent in day.agents]
        for home, steps in enumerate(books):
            self._submit(home, session, steps, relay_gate(day.rules, day.slots[0], session))

    def _last_call(self, slot: int) -> None:
        day = self._day
        gate = direct_gate(day.rules, slot, LAST_CALL)
        turn = slot % max(len(day.wallets), 1)
        for home in [*range(turn, len(day.wallets)), *range(turn)]:
            self._submit(home, LAST_CALL, day.agents[home].last_call(slot - day.slots[0], day.known), gate)

    def _submit(self, home: int, session: int, steps: Sequence[Step], valid_to: int) -> None:
        if not steps:
            return
        day, wallet = self._day, self._day.wallets[home]
        order = ProfileOrder(
            account=wallet.account,
            community=day.community,
            product=day.product,
            session=session,
            all_or_nothing=False,
            nonce=day.nonces.order(home),
            valid_to=valid_to,
            steps=tuple(sorted(steps, key=lambda step: step.slot)),
        )
        domain = day.exchange.gateway.contracts.call_auction.domain
        day.exchange.market.submit(order, sign(wallet.device.secret, profile_digest(domain, order)))

    def _relay(self, session: int) -> None:
        self._day.timed("chain", lambda: self._count(self._day.exchange.market.relay(session)))

    def _count(self, skipped: Sequence[object]) -> None:
        self._day.outcome.skipped += len(skipped)

    def _take(self, cleared: Sequence[ClearedMarket]) -> None:
        self._day.outcome.cleared += cleared
        self._day.fill(fills_of(cleared))
