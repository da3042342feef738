"""Matches of continuous trading: what two limits came to, and the position or block deal that follows (section 13)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from otaniemi.contracts.chain import events as e
from otaniemi.contracts.chain.forms.blocks import BlockTraded
from otaniemi.contracts.chain.forms.continuous import Matched
from otaniemi.contracts.rules.continuous import (
    NO_ENGINE,
    SERIES,
    Limit,
    Receipt,
    deal_of,
    match,
    match_price,
)
from otaniemi.contracts.rules.errors import SignatureError
from otaniemi.contracts.rules.positions import Agreement, Form
from otaniemi.contracts.rules.signing import Domain, recover
from otaniemi.platform.audit.agreed import Agreed
from otaniemi.platform.audit.steps import Step

_SIGNATURE_BYTES = 64


class Matches:
    """Follows matches; positions of slots that they come to are added to ``agreed``.

    Limits are read from the calldata of the matches. Where another contract brought them, only the event speaks.
    """

    def __init__(self, domain: Domain, agreed: list[Agreed]) -> None:
        self._domain, self._agreed = domain, agreed
        self._limits: dict[bytes, Limit] = {}
        self._sequences: dict[bytes, int] = {}
        self._filled: Counter[bytes] = Counter()
        self.handlers: Mapping[type[e.Event], Callable[[Any, Step], Iterable[str]]] = {Matched: self._matched}

    def _matched(self, event: Matched, step: Step) -> Iterator[str]:
        self._read(step)
        self._filled.update({event.buy: event.quantity, event.sell: event.quantity})
        buy, sell = self._limits.get(event.buy), self._limits.get(event.sell)
        if buy and sell:
            yield from self._faults(event, buy, sell)
            for limit in (buy, sell):
                if limit.engine != NO_ENGINE and not limit.may_be_brought_by(step.sender):
                    yield f"matches an order of account {limit.account}, which its engine {limit.engine} did not bring"
        if event.instrument & SERIES:
            yield from _fault_of_deal(event, step, sell)
            return
        right = deal_of(event.buy, event.sell, self._filled[event.buy])
        if event.deal != right:
            yield f"numbers a match {event.deal}; by its orders it is {right}"
        source = sell.source if sell else _source_of(event, step)
        terms = event.deal, event.price, source, event.instrument, (event.quantity,)
        agreement = Agreement(event.buyer, event.seller, Form.CONTINUOUS, *terms)
        self._agreed.append(Agreed(event.community, event.product, agreement))

    def _faults(self, event: Matched, buy: Limit, sell: Limit) -> Iterator[str]:
        """Why two limits should not have traded so."""
        told = event.community, event.product, event.instrument, event.buyer, event.seller
        due = buy.community, buy.product, buy.instrument, buy.account, sell.account
        if told != due or not match(buy, sell):
            yield f"says {event}; its orders are {buy} and {sell}"
            return
        sequences = self._sequences[event.buy], self._sequences[event.sell]
        if (event.buy_sequence, event.sell_sequence) != sequences:
            said = event.buy_sequence, event.sell_sequence
            yield f"takes {said} for the sequence of two orders; their receipts say {sequences}"
        price = match_price(buy, sell, *(number or None for number in sequences))
        if event.price != price:
            yield f"matches at {event.price}; by the orders and receipts the price is {price}"
        for digest, limit in ((event.buy, buy), (event.sell, sell)):
            if self._filled[digest] > limit.quantity:
                yield f"fills {self._filled[digest]} of an order of account {limit.account} over {limit.quantity}"

    def _read(self, step: Step) -> None:
        if step.function == "matchOrders":
            orders = [step.arguments["buy"], step.arguments["sell"]]
        elif step.function == "matchBatch":
            orders = step.arguments["limits"]
        else:
            return
        for order in orders:
            limit = Limit(*order[0])
            digest = limit.digest(self._domain)
            self._limits[digest] = limit
            self._sequences[digest] = self._sequence(limit, digest, *order[2:])

    def _sequence(self, limit: Limit, digest: bytes, sequence: int, received_at: int, receipt: bytes) -> int:
        """Number in a valid receipt of the limit's engine, 0 without one."""
        if limit.engine == NO_ENGINE or not sequence or len(receipt) != _SIGNATURE_BYTES:
            return 0
        try:
            signer = recover(Receipt(digest, sequence, received_at).digest(self._domain), receipt)
        except SignatureError:
            return 0
        return sequence if signer.lower() == limit.engine.lower() else 0


def _fault_of_deal(event: Matched, step: Step, sell: Limit | None) -> Iterator[str]:
    """A match of a series makes a deal on the same terms."""
    deals = [deal for deal in step.events if isinstance(deal, BlockTraded) and deal.deal == event.deal]
    source = sell.source if sell else deals[0].source if deals else 0
    series = event.instrument & ~SERIES
    parties = event.buyer, event.seller
    right = BlockTraded(event.deal, *parties, series, event.quantity, event.price, source)
    if deals != [right]:
        yield f"makes {deals[0] if deals else 'no deal'}; by its match it is {right}"


def _source_of(event: Matched, step: Step) -> int:
    """Source in the position of a match whose limits nobody shows."""
    return next(
        (
            opened.source
            for opened in step.events
            if isinstance(opened, e.PositionOpened)
            and (opened.form, opened.deal) == (Form.CONTINUOUS, event.deal)
        ),
        0,
    )
