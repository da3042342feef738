"""Rules of communities as a chain sets them, day by day."""

from __future__ import annotations

from otaniemi.contracts.chain.events import RulesSet
from otaniemi.contracts.rules.calendar import Rules, day_of_slot


class Versions:
    """Every version of the rules of every community, in the order in which they were set."""

    def __init__(self) -> None:
        self._versions: dict[int, list[tuple[int, Rules]]] = {}

    def take(self, event: RulesSet) -> None:
        """Note new rules."""
        self._versions.setdefault(event.community, []).append((event.from_day, event.rules))

    def of_slot(self, community: int, slot: int) -> Rules | None:
        """Rules that count in a slot; None where there is no such community."""
        versions = self._versions.get(community)
        if not versions:
            return None
        # Slot length and offset never change, so any version tells the day.
        day = day_of_slot(versions[0][1], slot)
        counting = [rules for first, rules in versions if first <= day]
        return counting[-1] if counting else None
