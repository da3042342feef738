"""Demands to see nodes of bills: who put up which bond, and where it went."""

from __future__ import annotations

from collections.abc import Iterable

from otaniemi.contracts.chain import events as e
from otaniemi.contracts.rules.openings import hash_of
from otaniemi.platform.audit.state import State
from otaniemi.platform.audit.steps import Step

MODULE = "Court"


class Demands:
    """Follows the bonds of demands through the court's pot."""

    def __init__(self, state: State) -> None:
        self._ledger = state.ledger
        self._open: dict[tuple[int, bytes], e.Demanded] = {}

    def demanded(self, event: e.Demanded, _: Step) -> Iterable[str]:
        """A bond goes to the pot."""
        taken = self._ledger.debit(MODULE, event.demander, event.bond)
        if taken != event.bond:
            yield f"takes a bond of {event.bond} where account {event.demander} has {taken}"
        if (event.id, event.hash) in self._open:
            yield f"takes a second demand for node 0x{event.hash.hex()} of bills {event.id}"
        self._open[event.id, event.hash] = event

    def answered(self, event: e.Answered, _: Step) -> Iterable[str]:
        """Half of the bond goes to who answered, the rest to the reserve."""
        demand = self._open.pop((event.id, event.hash), None)
        if demand is None or hash_of(event.preimage) != event.hash:
            yield f"takes an answer for node 0x{event.hash.hex()} of bills {event.id}, which nobody asked for"
            return
        self._ledger.credit(MODULE, event.answerer, demand.bond // 2)

    def returned(self, event: e.DemandReturned, _: Step) -> Iterable[str]:
        """The bond goes back."""
        demand = self._open.pop((event.id, event.hash), None)
        if demand is None or (demand.demander, demand.bond) != (event.demander, event.bond):
            yield f"returns a bond of {event.bond} to account {event.demander}, who did not put it up"
            return
        self._ledger.credit(MODULE, event.demander, event.bond)
