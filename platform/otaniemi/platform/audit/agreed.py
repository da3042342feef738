"""What a form of trading came to, before the position that it opens is held against it."""

from __future__ import annotations

from typing import NamedTuple

from otaniemi.contracts.rules.positions import Agreement


class Agreed(NamedTuple):
    """An agreement and where it is delivered."""

    community: int
    product: int
    agreement: Agreement
