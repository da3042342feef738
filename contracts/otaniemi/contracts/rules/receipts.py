"""A relayer's receipt for an order of the call auction (protocol section 3): its word that it had the order in time."""

from __future__ import annotations

from dataclasses import dataclass

from otaniemi.contracts.rules.errors import FieldError, within
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.orders import U64, Order, ProfileOrder
from otaniemi.contracts.rules.signing import Domain, order_digest, profile_digest, struct_digest, words

RELAY_RECEIPT_TYPE = "RelayReceipt(bytes32 order,uint64 receivedAt)"

_RELAY_RECEIPT = keccak(RELAY_RECEIPT_TYPE.encode())


@dataclass(frozen=True, slots=True)
class RelayReceipt:
    """A relayer has the order of digest ``order`` since ``received_at`` [Unix s] and is to bring it to its markets."""

    order: bytes
    received_at: int

    def __post_init__(self) -> None:
        if len(self.order) != 32:
            raise FieldError("order", self.order.hex(), "the 32 bytes of an order's digest")
        within("received_at", self.received_at, 0, U64)

    @classmethod
    def of(cls, domain: Domain, order: Order | ProfileOrder, received_at: int) -> RelayReceipt:
        """The receipt for ``order``; ``domain`` is that of ``CallAuction``."""
        digest = order_digest(domain, order) if isinstance(order, Order) else profile_digest(domain, order)
        return cls(digest, received_at)

    def digest(self, domain: Domain) -> bytes:
        """What the relayer signs; ``domain`` is that of ``CallAuction``."""
        return struct_digest(domain, _RELAY_RECEIPT + self.order + words(self.received_at))
