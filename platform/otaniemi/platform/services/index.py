"""From the chain's events to the store's index: the same way while it runs and when it is rebuilt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from otaniemi.contracts.chain import events
from otaniemi.contracts.rules.calendar import Rules, direct_gate, relay_gate
from otaniemi.contracts.rules.clearing import clear
from otaniemi.contracts.rules.orders import Book
from otaniemi.contracts.rules.schedules import decode_entries
from otaniemi.contracts.rules.tariffs import TariffReport, unpack_prices
from otaniemi.platform.store import days, intake, markets, members

NO_METER = bytes(32)


def index_events(
    transaction: Connection, rules: Rules, found: Sequence[events.Event], block: int, origin: bytes
) -> None:
    """Enter the events of one transaction ``origin`` of ``block``."""
    for event in found:
        match event:
            case events.OrdersAccepted(market, first_index, records):
                gates = (
                    relay_gate(rules, market.slot, market.session),
                    direct_gate(rules, market.slot, market.session),
                )
                markets.open_markets(transaction, [(market, *gates)])
                markets.add_records(transaction, market, first_index, records, origin, block)
            case events.Cleared():
                _enter_result(transaction, rules, event, block)
            case events.NominationsAccepted(community, product, day, batch, entries):
                accepted = decode_entries(community, product, entries)
                days.add_nominations(transaction, day, batch, accepted, block)
                intake.nominations_relayed(transaction, accepted, block)
            case events.TariffReported(community, feed, day, prices):
                days.add_tariff(transaction, TariffReport(community, feed, day, unpack_prices(prices)), block)
            case events.Registered(account, community, owner):
                member = members.Member(account, community, owner, owner, NO_METER, f"account {account}")
                members.save(transaction, [member], block)
            case events.DeviceKeySet(account, key):
                members.rotate_device(transaction, account, key)
            case events.MeterApproved(account, _, meter):
                known = members.get(transaction, account)
                if known is not None:
                    members.save(transaction, [replace(known, meter=meter)], block)
            case _:
                pass


def _enter_result(transaction: Connection, rules: Rules, event: events.Cleared, block: int) -> None:
    book = Book.of_records(markets.records_of(transaction, event.market))
    fills = clear(book, rules.price_min, rules.price_max).fills
    result = markets.MarketResult(
        event.price, event.volume, event.demand_above, event.supply_below, event.count, event.root
    )
    markets.set_result(transaction, event.market, result, fills.tolist(), block)
