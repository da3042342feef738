"""What a home expects of calls to come, and what agreeing on something else before them is worth to it."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

import numpy as np

from otaniemi.platform.data.scenario import IntArray, Prices

CALL_CERTAINTY = 0.9
"""Part of its gain in calls to come that a home counts: an agreement is certain, a fill is not."""


@dataclass(frozen=True, eq=False)
class Outlook:
    """What a home expects of the calls to come.

    Attributes
    ----------
    price_micro : int array, shape (slots,)
        [micro-token/kWh]
    binding_wh : int array, shape (slots,)
        Position to which it would bind itself on the day before, in any form, import positive. [Wh]
    """

    price_micro: IntArray
    binding_wh: IntArray

    def open_wh(self, held_wh: IntArray) -> IntArray:
        """What it would still bind itself to beside what it holds, shape (slots,). [Wh]"""
        most = self.binding_wh
        still: IntArray = np.clip(most - held_wh, np.minimum(most, 0), np.maximum(most, 0))
        return still

    def worth(self, wh: IntArray, retail: Prices, fee_micro: int) -> int:
        """What a profile is worth that takes the place of as much in calls, shape (slots,). [Wh, nano-token]

        What it costs to buy there with the fee, less what it brings to sell there: a home gives up what it expects to
        gain there against its own retail prices, almost.
        """
        price = self.price_micro
        saved, earned = retail.import_micro - fee_micro - price, price - retail.feed_in_micro
        bought = price + fee_micro + (1 - CALL_CERTAINTY) * np.maximum(saved, 0)
        sold = price - (1 - CALL_CERTAINTY) * np.maximum(earned, 0)
        return floor(float((bought * np.maximum(wh, 0) + sold * np.minimum(wh, 0)).sum()))
