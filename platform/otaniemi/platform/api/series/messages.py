"""Standard contracts in JSON. Orders for them are limit orders: a series is an instrument."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from otaniemi.contracts.rules.calendar import Rules, slot_start
from otaniemi.contracts.rules.continuous import SERIES
from otaniemi.platform.api.form import Form, instant
from otaniemi.platform.services.series import DealStand
from otaniemi.platform.services.series_states import SeriesState

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class SeriesView(Form):
    """A series: a lot is ``lot_wh`` in each of ``slots`` slots from ``slot_of_day`` on, on every day of delivery.

    Days are numbered since 1970, the mark is in micro-token/kWh and by the reference prices of ``mark_day``.
    """

    series: int
    instrument: Annotated[int, Field(description="in limit orders and books")]
    product: int
    weekdays: tuple[str, ...]
    first_day: int
    last_day: int
    days: int
    slot_of_day: int
    slots: int
    starts: Annotated[datetime, Field(description="first slot of the first day")]
    lot_wh: int
    total_wh: Annotated[int, Field(description="of a lot, over all days")]
    last_trading: datetime
    margin_permille: int
    margin_floor: int
    mark: int | None
    mark_day: int | None
    state: Literal["open", "over"]

    @classmethod
    def of(cls, state: SeriesState, rules: Rules, now: int) -> SeriesView:
        terms = state.terms
        days = terms.deliveries()
        return cls(
            series=state.series,
            instrument=SERIES | state.series,
            product=terms.product,
            weekdays=tuple(name for bit, name in enumerate(WEEKDAYS) if terms.weekdays >> bit & 1),
            first_day=terms.first_day,
            last_day=terms.last_day,
            days=days,
            slot_of_day=terms.slot_of_day,
            slots=terms.slots,
            starts=instant(slot_start(rules, terms.slots_on(rules, terms.first_day).start)),
            lot_wh=terms.lot_wh,
            total_wh=terms.energy(1, days),
            last_trading=instant(terms.last_trading),
            margin_permille=terms.margin_permille,
            margin_floor=terms.margin_floor,
            mark=state.mark,
            mark_day=state.mark_day,
            state="open" if now < terms.last_trading else "over",
        )


class DealSideView(Form):
    """One side of a deal [nano-token].

    ``margin`` is what it has put up. Below ``maintenance`` it is called to bring it to ``initial`` before ``deadline``,
    or the deal ends.
    """

    account: int
    margin: int
    initial: int
    maintenance: int
    deadline: datetime | None
    failed: bool


class DealView(Form):
    """A deal of two accounts for all days of a series, until it is ``over``; ``next_day`` is to be delivered next."""

    deal: int
    series: int
    lots: int
    price: int
    source: int
    buyer: DealSideView
    seller: DealSideView
    delivered: Annotated[int | None, Field(description="last trading day that was")]
    next_day: int | None
    state: Literal["open", "over"]

    @classmethod
    def of(cls, stand: DealStand) -> DealView:
        deal, secured = stand.deal, stand.secured

        def side(buyer: bool) -> DealSideView:
            account = deal.buyer if buyer else deal.seller
            deadline = stand.buyer_deadline if buyer else stand.seller_deadline
            return DealSideView(
                account=account,
                margin=deal.margin(buyer),
                initial=0 if secured is None else secured.initial(buyer),
                maintenance=0 if secured is None else secured.maintenance(buyer),
                deadline=instant(deadline) if deadline else None,
                failed=account in deal.failed,
            )

        return cls(
            deal=deal.deal,
            series=deal.series,
            lots=deal.lots,
            price=deal.price,
            source=deal.source,
            buyer=side(True),
            seller=side(False),
            delivered=deal.delivered,
            next_day=None if stand.next_day > stand.series.terms.last_day else stand.next_day,
            state="over" if deal.over else "open",
        )

    def side_of(self, account: int) -> DealSideView:
        """The side of one of its accounts."""
        return self.buyer if account == self.buyer.account else self.seller
