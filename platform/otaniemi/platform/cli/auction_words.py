"""Auctions as people read them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from otaniemi.platform.cli.remote import local_time

if TYPE_CHECKING:
    from otaniemi.contracts.rules.calendar import Rules
    from otaniemi.platform.api.auctions.messages import DutchView, SealedView


def row_of(view: SealedView | DutchView, rules: Rules) -> tuple[str, ...]:
    """An auction as a row of `otaniemi auction list`."""
    lots = view.lots
    if view.kind == "sealed":
        until = view.commit_until if view.state == "open" else view.reveal_until
        left, price = lots.count - view.sold, view.reserve_price if view.price is None else view.price
    else:
        until = view.begin if view.state == "coming" else view.until
        left, price = view.left, view.start_price if view.price is None else view.price
    return (
        f"{view.kind} {view.auction}",
        view.state,
        "sell" if lots.selling else "buy",
        f"{left}/{lots.count}",
        str(sum(lots.wh)),
        local_time(rules, lots.start)[5:16],
        str(price),
        local_time(rules, until)[5:16],
    )


def own_part(view: SealedView | DutchView, account: int) -> Iterator[str]:
    """What an account has of an auction, a line each."""
    name = f"{view.kind} auction {view.auction}"
    if view.kind == "dutch":
        for one in view.takes:
            if one.account == account:
                yield f"{name}: {one.lots} lots at {one.price}"
        return
    own = view.bid_of(account)
    if own is not None:
        won = f", {own.won} lots at {own.due}" if own.won else ""
        yield f"{name}: your bid is {own.state}{won}"
