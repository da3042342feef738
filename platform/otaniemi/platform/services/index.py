"""From the chain's events to the store's index: the same way while it runs and when it is rebuilt."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from otaniemi.contracts.chain import events
from otaniemi.contracts.chain.forms import continuous
from otaniemi.contracts.rules.calendar import Rules, direct_gate, relay_gate
from otaniemi.contracts.rules.clearing import clear, trade_of
from otaniemi.contracts.rules.labels import label
from otaniemi.contracts.rules.merkle_sum import Node
from otaniemi.contracts.rules.orders import RECORD_BYTES, Book, Market
from otaniemi.contracts.rules.schedules import decode_entries
from otaniemi.contracts.rules.tariffs import Feed, TariffReport, unpack_prices
from otaniemi.platform.store import days, intake, limits, markets, members, positions, proposals


def index_events(
    transaction: Connection, rules: Rules, found: Sequence[events.Event], block: int, origin: bytes
) -> None:
    """Enter the events of one transaction ``origin`` of ``block``."""
    accepted: list[tuple[Market, bytes]] = []
    trades: list[limits.Trade] = []
    opened = 0
    for event in found:
        match event:
            case events.OrdersAccepted(market, first_index, records):
                gates = (
                    relay_gate(rules, market.slot, market.session),
                    direct_gate(rules, market.slot, market.session),
                )
                markets.open_markets(transaction, [(market, *gates)])
                markets.add_records(transaction, market, first_index, records, origin, block)
                starts = range(0, len(records), RECORD_BYTES)
                accepted += [(market, records[start : start + RECORD_BYTES]) for start in starts]
            case events.Cleared():
                clearing = clear(_book(transaction, event.market), rules.price_min, rules.price_max)
                result = markets.MarketResult(
                    event.price, event.volume, event.demand_above, event.supply_below, event.count, event.root
                )
                markets.set_result(transaction, event.market, result, clearing.fills.tolist(), block)
            case events.Labelled(market, premium, green, above, root):
                book = _book(transaction, market)
                labelled = label(book, clear(book, rules.price_min, rules.price_max))
                parts = [trade_of(book, labelled, place).labelled for place in range(len(book))]
                labels = markets.MarketLabels(premium, green, above)
                markets.set_labels(transaction, market, labels, root, parts, block)
            case events.Voided(market, count, root):
                result = markets.MarketResult(None, 0, 0, 0, count, root)
                markets.set_result(transaction, market, result, [0] * count, block)
            case events.NominationsAccepted(community, product, day, batch, entries):
                nominated = decode_entries(community, product, entries)
                days.add_nominations(transaction, day, batch, nominated, block)
                intake.nominations_relayed(transaction, nominated, block)
            case events.PositionOpened(community, _, _, product, day):
                where = community, product, day
                positions.add_agreement(transaction, *where, event.agreement, origin, opened, block)
                opened += 1
            case events.TariffReported(community, feed, day, _, prices):
                days.add_tariff(transaction, TariffReport(community, feed, day, unpack_prices(prices)), block)
            case events.TariffQuarantined(community, feed, day, _, _, prices):
                waiting = TariffReport(community, feed, day, unpack_prices(prices))
                days.add_waiting_tariff(transaction, waiting, block)
            case events.QuarantineDecided(community, feed, day, True):
                days.count_waiting_tariff(transaction, community, Feed(feed), day, block)
            case events.BillsProposed(community, day):
                proposal = proposals.Proposal(event.id, event.proposer, origin)
                claimed = proposals.claim(Node(event.root, tuple(event.sums)), event.count)
                proposals.add_proposal(transaction, community, day, proposal, claimed, block)
            case events.Registered(account, community, owner):
                members.register(transaction, account, community, owner, block)
            case events.DeviceKeySet(account, key):
                members.rotate_device(transaction, account, key, block)
            case events.DeviceKeyLimited(account):
                members.limit_device(transaction, account, event.limits, block)
            case events.OwnerChanged(account, owner):
                members.hand_over(transaction, account, owner, block)
            case events.MeterApproved(account, product, meter):
                members.approve_meter(transaction, account, product, meter, block)
            case continuous.Matched():
                terms = event.buy, event.sell, event.quantity, event.price
                trades.append(limits.Trade(origin, len(trades), *terms, block))
            case continuous.Cancelled(account, nonce):
                limits.add_cancel(transaction, account, nonce, block)
            case _:
                pass
    if accepted:
        intake.orders_accepted(transaction, accepted, block)
    limits.add_trades(transaction, trades)


def _book(transaction: Connection, market: Market) -> Book:
    return Book.of_records(markets.records_of(transaction, market))
