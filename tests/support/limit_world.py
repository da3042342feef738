"""Homes with a matching engine over a plain chain."""

from __future__ import annotations

from dataclasses import dataclass

from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.calendar import first_slot, nomination_direct_gate
from otaniemi.contracts.rules.continuous import Limit
from otaniemi.contracts.rules.order_book import Level
from otaniemi.contracts.rules.signing import sign
from otaniemi.platform.clock import SimulatedClock
from otaniemi.platform.keys import derive_key
from otaniemi.platform.services.continuous import ContinuousService, Instrument, LimitState
from otaniemi.platform.store import Store, members

from .limit_chain import COMMUNITY, DOMAIN, FakeGateway, LimitChain
from .rules import HOURLY as RULES

ENGINE = derive_key(7, "engine", 0)
SLOT = first_slot(RULES, 19_576) + 18
GATE = nomination_direct_gate(RULES, SLOT)
NOW = GATE - 7_200
BOOK = Instrument(COMMUNITY, 0, SLOT)
BUY, SELL = True, False


@dataclass
class World:
    """Homes 1 to 9 with an engine."""

    chain: LimitChain
    store: Store
    clock: SimulatedClock

    def __post_init__(self) -> None:
        with self.store.begin() as transaction:
            for account in range(1, 10):
                members.register(transaction, account, COMMUNITY, self.key(account).address, 0)
                self.chain.free[account] = 10**12
        self.restart()

    def restart(self) -> None:
        self.gateway = FakeGateway(self.chain, self.store, self.clock)
        self.service = ContinuousService(self.gateway, self.gateway, self.gateway, ENGINE)  # type: ignore[arg-type]

    @staticmethod
    def key(account: int) -> Key:
        return derive_key(7, "owner", account)

    def limit(
        self, account: int, buy: bool, price: int, quantity: int, least: int = 0, nonce: int = 0
    ) -> Limit:
        terms = price, quantity, least, 0, buy, nonce
        return Limit(account, COMMUNITY, 0, SLOT, *terms, valid_to=GATE, engine=ENGINE.address)

    def send(self, limit: Limit) -> LimitState:
        return self.service.submit(limit, sign(self.key(limit.account).secret, limit.digest(DOMAIN)))

    def place(
        self, account: int, buy: bool, price: int, quantity: int, least: int = 0, nonce: int = 0
    ) -> LimitState:
        return self.send(self.limit(account, buy, price, quantity, least, nonce))

    def depth(self) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        state = self.service.book(BOOK, 99)
        return state.buys, state.sells
