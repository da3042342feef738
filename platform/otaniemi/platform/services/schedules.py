"""The schedule service: signed nominations in, one batch to the chain before the nomination gate."""

from __future__ import annotations

from collections import defaultdict

from otaniemi.contracts.chain import events
from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.calendar import day_of_slot, nomination_batch_gate
from otaniemi.contracts.rules.errors import SignatureError
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.contracts.rules.signing import nomination_digest, recover
from otaniemi.platform.services.gateway import Gateway
from otaniemi.platform.services.market import IntakeError
from otaniemi.platform.store import intake, members


class ScheduleService:
    """Intake and batches of nominations; ``relayer`` pays the gas."""

    def __init__(self, gateway: Gateway, relayer: Key) -> None:
        self._gateway, self._relayer = gateway, relayer
        self._domain = gateway.contracts.schedules.domain

    def submit(self, nomination: Nomination, signature: bytes) -> intake.SubmittedNomination:
        """Keep a signed nomination for the next batch; sent again, it comes back as it stands.

        Raises
        ------
        IntakeError
            The chain would skip it: field, value and what is valid.
        NumberTakenError
            Another nomination of the account for this slot has its ``seq``.
        """
        with self._gateway.store.begin() as transaction:
            self._check(members.get(transaction, nomination.account), nomination, signature)
            return intake.receive_nomination(transaction, nomination, signature, self._gateway.clock.now)

    def flush(self) -> list[events.NominationSkipped]:
        """Put every nomination that waits on the chain, one batch per trading day; what it skipped comes back."""
        gateway = self._gateway
        with gateway.store.read() as transaction:
            waiting = intake.waiting_nominations(transaction, gateway.community, gateway.product)
        by_day: defaultdict[int, list[intake.SubmittedNomination]] = defaultdict(list)
        for entry in waiting:
            by_day[day_of_slot(gateway.rules, entry.nomination.slot)].append(entry)
        calls = [
            gateway.contracts.schedules.nominate_batch(
                gateway.community,
                gateway.product,
                day,
                b"".join([entry.nomination.wire(entry.signature) for entry in entries]),
            )
            for day, entries in sorted(by_day.items())
        ]
        found = gateway.send([(self._relayer, call) for call in calls])
        skipped = [event for event in found if isinstance(event, events.NominationSkipped)]
        if skipped:
            reasons = {(event.account, event.seq): event.reason for event in skipped}
            rejected = [
                (entry.nomination, reasons[entry.nomination.account, entry.nomination.seq])
                for entry in waiting
                if (entry.nomination.account, entry.nomination.seq) in reasons
            ]
            block = gateway.sender.chain.head().number
            with gateway.store.begin() as transaction:
                intake.nominations_skipped(transaction, rejected, block)
        return skipped

    def _check(self, member: members.Member | None, nomination: Nomination, signature: bytes) -> None:
        gateway, rules = self._gateway, self._gateway.rules
        if nomination.community != gateway.community:
            raise IntakeError("community", nomination.community, str(gateway.community))
        if nomination.product != gateway.product:
            raise IntakeError("product", nomination.product, f"{gateway.product} (electricity)")
        if member is None or member.community != gateway.community:
            raise IntakeError("account", nomination.account, "an account of this community; register first")
        if nomination.seq < 1:
            raise IntakeError("seq", nomination.seq, "1 or more")
        last = nomination.slot + len(nomination.wh) - 1
        if not nomination.wh or day_of_slot(rules, nomination.slot) != day_of_slot(rules, last):
            raise IntakeError("wh", f"{len(nomination.wh)} slots", "one or more slots, all in one trading day")
        limit = rules.connection_limit_wh
        for wh in nomination.wh:
            if not -limit <= wh <= limit:
                raise IntakeError("wh", wh, f"-{limit} to {limit} Wh")
        gate, now = nomination_batch_gate(rules, nomination.slot), gateway.clock.now
        if gate <= now:
            raise IntakeError("slot", nomination.slot, f"one whose nomination gate is after {now}; this one closed at {gate}")
        try:
            signer = recover(nomination_digest(self._domain, nomination), signature)
        except SignatureError as error:
            raise IntakeError("signature", "not valid", str(error)) from error
        if signer not in (member.device, member.owner):
            raise IntakeError("signature", f"by {signer}", f"the device key {member.device} or the owner's key")
