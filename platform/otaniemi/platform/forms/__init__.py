"""The forms of trading on a trading day: for each what the homes and services do, and when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from otaniemi.contracts.rules.positions import Form
from otaniemi.platform.forms.bilateral import BilateralTrading
from otaniemi.platform.forms.block import BlockTrading
from otaniemi.platform.forms.continuous import ContinuousTrading
from otaniemi.platform.forms.dutch import DutchTrading
from otaniemi.platform.forms.sealed import SealedTrading
from otaniemi.platform.live_day import LiveDay

ALL_FORMS = frozenset(Form)


class Trading(Protocol):
    """A form on one day."""

    def enter(self) -> None:
        """Enter what happens into the day's timeline."""


TRADING: Mapping[Form, Callable[[LiveDay], Trading]] = {
    Form.BILATERAL: BilateralTrading,
    Form.BLOCK: BlockTrading,
    Form.DUTCH: DutchTrading,
    Form.SEALED: SealedTrading,
    Form.CONTINUOUS: ContinuousTrading,
}
"""The forms that trade positions. Calls and packages are entered by the day itself, as others depend on them."""
