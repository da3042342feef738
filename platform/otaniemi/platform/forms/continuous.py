"""Continuous trading: before every slot the homes quote what has changed, and the engine matches."""

from __future__ import annotations

from collections.abc import Sequence

from otaniemi.contracts.rules.calendar import slot_start
from otaniemi.contracts.rules.continuous import Limit
from otaniemi.contracts.rules.signing import sign
from otaniemi.platform.agents.forms.continuous import CONTINUOUS_S, quotes
from otaniemi.platform.agents.forms.quotes import Quote
from otaniemi.platform.live_day import LiveDay

GOOD_FOR = 5 * 60
"""How long a quote stands. [s]"""


class ContinuousTrading:
    """What the homes trade on one day beside the calls."""

    def __init__(self, day: LiveDay) -> None:
        self._day = day

    def enter(self) -> None:
        """Enter a round of quotes for every slot."""
        for slot in self._day.slots:
            moment = slot_start(self._day.rules, slot) - CONTINUOUS_S
            self._day.plan_at(moment, self._quote, slot)

    def _quote(self, slot: int) -> None:
        day = self._day
        submit_quotes(day, slot, quotes(day.agents, slot - day.slots[0], day.known))


def submit_quotes(day: LiveDay, instrument: int, quoted: Sequence[Quote]) -> None:
    """Sign and submit quotes one after the other, and bring what the engine matched to the chain."""
    engine, valid_to = day.exchange.continuous, day.now + GOOD_FOR
    domain = day.exchange.gateway.contracts.continuous_market.domain
    for quote in quoted:
        wallet = day.wallets[quote.home]
        limit = Limit(
            account=wallet.account,
            community=day.community,
            product=day.product,
            instrument=instrument,
            price=quote.price,
            quantity=quote.quantity,
            min_fill=0,
            source=0 if quote.buy else int(quote.source),
            buy=quote.buy,
            nonce=day.nonces.limit(quote.home),
            valid_to=valid_to,
            engine=engine.engine,
        )
        engine.submit(limit, sign(wallet.device.secret, limit.digest(domain)))
    day.timed("chain", engine.deliver)
    day.instruct()
