"""Which nominations had to be taken, and which skipped (protocol section 5)."""

from __future__ import annotations

from dataclasses import dataclass

from otaniemi.contracts.chain.events import Event, NominationsAccepted, NominationSkipped
from otaniemi.contracts.rules.calendar import (
    MAX_LEAD_SECONDS,
    Rules,
    day_of_slot,
    nomination_batch_gate,
    nomination_direct_gate,
    slot_start,
)
from otaniemi.contracts.rules.errors import SignatureError
from otaniemi.contracts.rules.orders import SkipReason
from otaniemi.contracts.rules.schedules import Nomination, decode_nominations
from otaniemi.contracts.rules.signing import Domain, nomination_digest, recover
from otaniemi.platform.audit.state import State


@dataclass
class NominationJudge:
    """Judges one transaction to ``Schedules``; ``signatures`` counts those that were recovered."""

    state: State
    domain: Domain
    now: int
    signatures: int = 0

    def nominate_batch(self, community: int, product: int, day: int, wire: bytes) -> list[Event]:
        """The events of ``nominateBatch``, in order."""
        rules = self.state.rules_at(community, day)
        events: list[Event] = []
        accepted = []
        for nomination, signature in decode_nominations(community, product, wire):
            reason = self._judge(nomination, rules, day, direct=False)
            if reason is None or reason > SkipReason.BAD_SIGNATURE:
                # Signature and limits of the key come before the gate in the order of checks.
                reason = self._authorise(nomination, signature) or reason
            if reason is None:
                accepted.append(nomination)
                continue
            account, seq = nomination.account, nomination.seq
            events.append(NominationSkipped(community, product, day, account, seq, reason))
        return events + self._accepted(community, product, day, accepted)

    def nominate(self, nomination: Nomination, sender: str) -> list[Event]:
        """The events of ``nominate``; none where it should have reverted."""
        versions = self.state.versions[nomination.community]
        day = day_of_slot(versions[0][1], nomination.slot) if versions else 0
        rules = self.state.rules_at(nomination.community, day)
        reason = self._judge(nomination, rules, day, direct=True)
        account = self.state.accounts.get(nomination.account)
        if reason is not None or account is None or not account.may_order(sender):
            return []
        limits = account.limits_for(sender)
        if limits is not None and not limits.permit_schedule(nomination.wh, self.now):
            return []
        return self._accepted(nomination.community, nomination.product, day, [nomination])

    def _accepted(self, community: int, product: int, day: int, nominations: list[Nomination]) -> list[Event]:
        if not nominations:
            return []
        batch = len(self.state.nominations[community, product, day])
        entries = b"".join(nomination.entry() for nomination in nominations)
        return [NominationsAccepted(community, product, day, batch, entries)]

    def _judge(
        self, nomination: Nomination, rules: Rules | None, day: int, direct: bool
    ) -> SkipReason | None:
        """The first failure but for the signature."""
        n, account = nomination, self.state.accounts.get(nomination.account)
        if rules is None or not n.wh or n.seq == 0:
            return SkipReason.MALFORMED
        if {day_of_slot(rules, n.slot), day_of_slot(rules, n.slot + len(n.wh) - 1)} != {day}:
            return SkipReason.MALFORMED
        if account is None or account.community != n.community:
            return SkipReason.UNKNOWN_ACCOUNT
        if n.product not in account.products:
            return SkipReason.NO_METER
        gate = nomination_direct_gate(rules, n.slot) if direct else nomination_batch_gate(rules, n.slot)
        if self.now >= gate:
            return SkipReason.GATE_CLOSED
        if slot_start(rules, n.slot) > self.now + MAX_LEAD_SECONDS:
            return SkipReason.TOO_FAR_AHEAD
        limit = rules.connection_limit_wh
        return None if all(-limit <= wh <= limit for wh in n.wh) else SkipReason.QUANTITY_OUT_OF_RANGE

    def _authorise(self, nomination: Nomination, signature: bytes) -> SkipReason | None:
        """Why the signature does not count, if it does not."""
        self.signatures += 1
        account = self.state.accounts[nomination.account]
        try:
            signer = recover(nomination_digest(self.domain, nomination), signature)
        except SignatureError:
            return SkipReason.BAD_SIGNATURE
        if not account.may_order(signer):
            return SkipReason.BAD_SIGNATURE
        limits = account.limits_for(signer)
        permitted = limits is None or limits.permit_schedule(nomination.wh, self.now)
        return None if permitted else SkipReason.KEY_LIMITED
