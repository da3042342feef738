"""Agreements of all forms of trading but the call auction (protocol section 10)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from otaniemi.contracts.chain import events as e
from otaniemi.contracts.rules.calendar import (
    MAX_LEAD_SECONDS,
    Rules,
    Source,
    bills_due,
    day_at,
    day_of_slot,
    slot_end,
    slot_start,
)
from otaniemi.contracts.rules.errors import LedgerError
from otaniemi.contracts.rules.orders import lock
from otaniemi.contracts.rules.positions import WHOLE, most_positions
from otaniemi.platform.audit.state import State
from otaniemi.platform.audit.steps import Step

_HORIZON_DAYS = MAX_LEAD_SECONDS // 86_400


class Agreements:
    """Judges what ``Positions`` recorded, and records it."""

    def __init__(self, state: State) -> None:
        self._state = state

    def opened(self, event: e.PositionOpened, step: Step) -> Iterable[str]:
        """Both sides record and lock, unless the contract should have refused."""
        state, agreement = self._state, event.agreement
        rules = state.rules_at(event.community, event.day)
        if rules is None:
            yield f"opens a position in community {event.community}, which has no rules"
            return
        yield from self._faults(event, rules, step.time)
        for account, buy in ((event.buyer, True), (event.seller, False)):
            state.positions[event.community, event.product, account, event.day].append(agreement.side(buy))
            nano = lock(rules, buy, event.price, sum(agreement.wh))
            try:
                state.ledger.lock(account, nano, event.community, event.day)
            except LedgerError as error:
                yield f"opens a position that is not covered: {error}"

    def _faults(self, event: e.PositionOpened, rules: Rules, now: int) -> Iterator[str]:
        """Why the contract should not have recorded an agreement."""
        agreement = event.agreement
        slots = range(event.slot, event.slot + len(agreement.wh))
        if event.buyer == event.seller:
            yield f"lets account {event.buyer} trade with itself"
        for account in (event.buyer, event.seller):
            known = self._state.accounts.get(account)
            if known is None or known.community != event.community or event.product not in known.products:
                yield f"opens a position of account {account}, which is no metered member"
            chain = self._state.positions[event.community, event.product, account, event.day]
            most = most_positions(event.form)
            if len(chain) >= most:
                yield f"opens more than {most} positions of account {account}"
        if event.source > max(Source):
            yield f"opens a position from source {event.source}, which there is none of"
        if {day_of_slot(rules, slot) for slot in slots} != {event.day}:
            yield f"opens a position of day {event.day} with slots {slots.start} to {slots.stop - 1}"
            return
        limit = rules.connection_limit_wh
        if not sum(agreement.wh) or any(wh > limit for wh in agreement.wh):
            yield f"opens a position with {agreement.wh} Wh; each may be up to {limit}, and not all 0"
        for slot, wh in zip(slots, agreement.wh, strict=True):
            if wh and self._state.remaining(event.community, event.product, slot) != WHOLE:
                yield f"opens a position in slot {slot}, which is curtailed"
        ahead = now < slot_start(rules, event.slot) and event.day <= day_at(rules, now) + _HORIZON_DAYS
        measured = len(slots) == 1 and slot_end(rules, event.slot) <= now < bills_due(rules, event.day)
        if not measured and (event.community, event.day) in self._state.closed:
            yield f"opens a position of day {event.day}, which is closed"
        if not ahead and not measured:
            yield f"opens a position of slot {event.slot} at {now}"
