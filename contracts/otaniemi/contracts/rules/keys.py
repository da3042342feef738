"""Who may act for an account, and when (protocol section 3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

EXIT_WINDOW = 45 * 86_400
"""Time between granting and becoming a module, once there are accounts [s]."""


@dataclass(frozen=True, slots=True)
class DeviceLimits:
    """Limits of a device key; nothing limits the owner's.

    Attributes
    ----------
    expires_at : int
        From then on the key may sign nothing [Unix s].
    most_wh : int
        Largest energy of an order, and of a nominated slot in either direction [Wh].
    price_min, price_max : int
        Lowest and highest price of an order [micro-token/kWh].
    """

    expires_at: int
    most_wh: int
    price_min: int
    price_max: int

    def permit_order(self, price: int, quantity: int, now: int) -> bool:
        """Whether an order at ``price`` for ``quantity`` Wh may be signed."""
        return (
            now < self.expires_at and quantity <= self.most_wh and self.price_min <= price <= self.price_max
        )

    def permit_schedule(self, whs: Iterable[int], now: int) -> bool:
        """Whether slots of ``whs`` Wh, import positive, may be nominated."""
        return now < self.expires_at and all(abs(wh) <= self.most_wh for wh in whs)
