"""Forms of trading beside the call auction: their money is followed, and every position has one that explains it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from otaniemi.contracts.chain import events as e
from otaniemi.contracts.chain.forms.dutch import DutchTaken
from otaniemi.contracts.rules.errors import RulesError
from otaniemi.contracts.rules.signing import Domain
from otaniemi.platform.audit.agreed import Agreed
from otaniemi.platform.audit.auctions import Auctions
from otaniemi.platform.audit.bilateral import BilateralDeals
from otaniemi.platform.audit.blocks import BlockDeals
from otaniemi.platform.audit.matches import Matches
from otaniemi.platform.audit.state import State
from otaniemi.platform.audit.steps import Step


class Forms:
    """Follows auctions of lots, matches, block deals and bilateral contracts, one transaction after the other."""

    def __init__(self, state: State, domains: Mapping[str, Domain]) -> None:
        self._agreed: list[Agreed] = []
        self._auctions = Auctions(state, domains, self._agreed)
        self._blocks = BlockDeals(state, self._agreed)
        contracts = BilateralDeals(state, domains["BilateralContracts"], self._agreed)
        matches = Matches(domains["ContinuousMarket"], self._agreed)
        self._handlers: Mapping[type[e.Event], Callable[[Any, Step], Iterable[str]]] = {
            **self._auctions.handlers,
            **self._blocks.handlers,
            **contracts.handlers,
            **matches.handlers,
        }

    def handler(self, kind: type[e.Event]) -> Callable[[Any, Step], Iterable[str]] | None:
        """What follows an event of this kind; None for one that is not about a form."""
        return self._follow if kind in self._handlers else None

    def finish(self, step: Step) -> Iterator[str]:
        """What a whole transaction lacks, once its events were followed: positions, margins, reserves."""
        agreed = tuple(self._agreed)
        self._agreed.clear()
        opened = [
            Agreed(event.community, event.product, event.agreement)
            for event in step.events
            if isinstance(event, e.PositionOpened)
        ]
        for form in sorted({one.agreement.form for one in (*agreed, *opened)}):
            own, due = ([one for one in side if one.agreement.form == form] for side in (opened, agreed))
            for got, right in zip_longest(own, due, fillvalue=None):
                if got != right:
                    yield f"opens {_text(got)}; its form agreed on {_text(right)}"
        yield from self._auctions.reserves(step)
        try:
            yield from self._blocks.open_moves(step)
        except RulesError as error:
            yield str(error)

    def _follow(self, event: e.Event, step: Step) -> Iterator[str]:
        try:
            yield from self._handlers[type(event)](event, step)
        except RulesError as error:
            yield f"says {type(event).__name__}, but {error}"


def as_money_moved(events: Sequence[e.Event]) -> list[e.Event]:
    """``events`` with takes of Dutch auctions before their positions, as they give money back for them."""
    ordered: list[e.Event] = []
    for event in events:
        before = isinstance(event, DutchTaken) and ordered and isinstance(ordered[-1], e.PositionOpened)
        ordered.insert(len(ordered) - bool(before), event)
    return ordered


def _text(agreed: Agreed | None) -> str:
    if agreed is None:
        return "nothing"
    return f"{agreed.agreement} of product {agreed.product} in community {agreed.community}"
