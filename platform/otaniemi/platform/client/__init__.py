"""A home's own client of the API: it signs here, sends only what is signed, and checks the proofs that come back.

Keys never leave this process. What the server says about fills and bills is checked up to the roots that it
names; `otaniemi audit` checks the roots against the chain.
"""

from __future__ import annotations

from otaniemi.platform.client.auctions import Auctions
from otaniemi.platform.client.contracts import Contracts
from otaniemi.platform.client.delivery import Delivery
from otaniemi.platform.client.errors import (
    RefusedByServerError,
    TransactionFailedError,
    UnreachableError,
    WrongProofError,
)
from otaniemi.platform.client.limits import Limits
from otaniemi.platform.client.markets import Markets
from otaniemi.platform.client.orders import Orders
from otaniemi.platform.client.packages import Packages
from otaniemi.platform.client.series import StandardContracts

__all__ = [
    "MarketClient",
    "RefusedByServerError",
    "TransactionFailedError",
    "UnreachableError",
    "WrongProofError",
]


class MarketClient(Markets, Orders, Limits, Packages, Contracts, Auctions, StandardContracts, Delivery):
    """A connection to one market, with every kind of request; `Connection` says what it takes."""
