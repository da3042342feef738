"""The schedule service: signed nominations in, one batch to the chain before the nomination gate."""

from __future__ import annotations

from collections import defaultdict

from otaniemi.contracts.chain import events
from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.calendar import day_of_slot
from otaniemi.contracts.rules.schedules import Nomination
from otaniemi.platform.services.admission import check_nomination
from otaniemi.platform.services.gateway import Gateway
from otaniemi.platform.store import intake


class ScheduleService:
    """Intake and batches of nominations; ``relayer`` pays the gas."""

    def __init__(self, gateway: Gateway, relayer: Key) -> None:
        self._gateway, self._relayer = gateway, relayer
        self._domain = gateway.contracts.schedules.domain

    def submit(self, nomination: Nomination, signature: bytes) -> intake.SubmittedNomination:
        """Keep a signed nomination for the next batch; sent again, it comes back as it stands.

        Raises
        ------
        RefusedError
            The chain would skip it: field, value and what is valid.
        NumberTakenError
            Another nomination of the account for this slot has its ``seq``.
        """
        gateway, now = self._gateway, self._gateway.clock.now
        with gateway.store.begin() as transaction:
            member = gateway.member(transaction, nomination.account)
            check_nomination(nomination, signature, member, gateway.rules, self._domain, now)
            return intake.receive_nomination(transaction, nomination, signature, now)

    def flush(self) -> list[events.NominationSkipped]:
        """Put every nomination that waits on the chain, a batch per product and day; what it skipped comes back."""
        gateway = self._gateway
        gateway.catch_up()
        with gateway.store.read() as transaction:
            waiting = [
                entry
                for product in gateway.rules.traded
                for entry in intake.waiting_nominations(transaction, gateway.community, product)
            ]
        batches: defaultdict[tuple[int, int], list[bytes]] = defaultdict(list)
        for entry in waiting:
            nomination = entry.nomination
            place = nomination.product, day_of_slot(gateway.rules, nomination.slot)
            batches[place].append(nomination.wire(entry.signature))
        calls = [
            gateway.contracts.schedules.nominate_batch(gateway.community, *place, b"".join(wires))
            for place, wires in sorted(batches.items())
        ]
        found = gateway.send([(self._relayer, call) for call in calls])
        skipped = [event for event in found if isinstance(event, events.NominationSkipped)]
        if skipped:
            reasons = {(event.product, event.account, event.seq): event.reason for event in skipped}
            sent = {
                (one.product, one.account, one.seq): one for one in (entry.nomination for entry in waiting)
            }
            rejected = [(sent[key], reason) for key, reason in reasons.items() if key in sent]
            block = gateway.sender.chain.head().number
            with gateway.store.begin() as transaction:
                intake.nominations_skipped(transaction, rejected, block)
        return skipped
