"""The client and the API together: a home's life, and what happens when somebody cheats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.calendar import Source
from otaniemi.contracts.rules.orders import Market, Step, preference
from otaniemi.platform.client import (
    MarketClient,
    RefusedByServerError,
    TransactionFailedError,
    UnreachableError,
    WrongProofError,
)

DAY = 19_576


def trade(client: MarketClient, place: Any, keys: tuple[Key, Key], slot: int) -> tuple[int, int]:
    """A buyer and a seller trade 500 Wh at 0.07 EUR/kWh in the day-ahead call."""
    buyer, seller = (
        client.register(key, name).account for key, name in zip(keys, ("Aino", "Eino"), strict=True)
    )
    client.bid(keys[0], buyer, slot, 0, True, 90_000, 800)
    client.bid(keys[1], seller, slot, 0, False, 50_000, 500, source=1)
    place.relay(0)
    return buyer, seller


def test_an_order_is_received_then_accepted_then_filled_with_its_proof(
    client: MarketClient, place: Any, keys: tuple[Key, Key], slot: int
) -> None:
    buyer = client.register(keys[0], "Aino").account
    assert client.bid(keys[0], buyer, slot, 0, True, 90_000, 800).state == "received"
    place.relay(0)
    assert client.order(buyer, 0).state == "accepted"
    place.clear(Market(1, 0, slot, 0))
    assert client.order(buyer, 0).state == "unfilled"


def test_a_trade_shows_in_orders_markets_and_positions(
    client: MarketClient, place: Any, keys: tuple[Key, Key], slot: int
) -> None:
    buyer, seller = trade(client, place, keys, slot)
    place.clear(Market(1, 0, slot, 0))
    bought, sold = client.order(buyer, 0), client.orders(seller)[0]
    assert [order.state for order in (bought, sold)] == ["filled", "filled"]
    assert [order.records[0].fill_wh for order in (bought, sold)] == [500, 500]
    (market,) = (one for one in client.markets(DAY) if one.slot == slot and one.session == 0)
    assert market.state == "cleared"
    assert market.result is not None
    price = market.result.price
    assert (market.result.volume_wh, market.result.order_count) == (500, 2)
    position = client.positions(buyer, DAY)[18]
    assert (position.trade_wh, position.trade_nano, position.schedule_wh) == (500, 500 * price, 500)
    assert client.positions(seller, DAY)[18].trade_wh == -500


def test_labels_show_with_their_price_and_prove_themselves(
    client: MarketClient, place: Any, keys: tuple[Key, Key], slot: int
) -> None:
    buyer, seller = (client.register(key, "x").account for key in keys)
    market = Market(1, 0, slot, 0)
    # 500 Wh of PV for bids of 300 Wh at +2 ct and 400 Wh at +1 ct.
    client.bid(keys[1], seller, slot, 0, False, 50_000, 500, source=Source.PV)
    client.bid(keys[0], buyer, slot, 0, True, 90_000, 300, source=preference(20_000))
    client.bid(keys[0], buyer, slot, 0, True, 90_000, 400, source=preference(10_000))
    place.relay(0)
    book, clearing = place.clear(market)
    before: Any = client.order(buyer, 0).records[0]
    assert (before.fill_wh, before.labelled_wh, before.result.labels) == (300, None, None)
    plain = client.positions(buyer, DAY)[18].trade_nano
    place.label(market, book, clearing)
    first: Any = client.order(buyer, 0).records[0]
    second = client.order(buyer, 1).records[0]
    assert (first.labelled_wh, second.fill_wh, second.labelled_wh) == (300, 200, 200)
    labels = first.result.labels
    assert (labels.premium, labels.green_wh, labels.above_wh) == (0, 500, 500)
    assert client.positions(buyer, DAY)[18].trade_nano == plain
    forged = client.order(buyer, 1).model_copy(
        update={"records": (second.model_copy(update={"labelled_wh": 1}),)}
    )
    assert not forged.holds()


def test_scarce_labels_are_paid_in_the_positions(
    client: MarketClient, place: Any, keys: tuple[Key, Key], slot: int
) -> None:
    buyer, seller = (client.register(key, "x").account for key in keys)
    market = Market(1, 0, slot, 0)
    client.bid(keys[1], seller, slot, 0, False, 50_000, 500, source=Source.PV)
    client.bid(keys[1], seller, slot, 0, False, 50_000, 500, source=Source.CHP)
    client.bid(keys[0], buyer, slot, 0, True, 90_000, 300, source=preference(20_000))
    client.bid(keys[0], buyer, slot, 0, True, 90_000, 400, source=preference(10_000))
    place.relay(0)
    place.label(market, *place.clear(market))
    record: Any = client.order(buyer, 1).records[0]
    sold: Any = client.order(seller, 0).records[0]
    assert (record.fill_wh, record.labelled_wh, record.result.labels.premium) == (400, 200, 10_000)
    price = record.result.price
    assert client.positions(buyer, DAY)[18].trade_nano == 700 * price + 500 * 10_000
    assert client.positions(seller, DAY)[18].trade_nano == -700 * price - sold.fill_wh * 10_000


def test_a_profile_is_one_signature_over_many_slots(
    client: MarketClient, place: Any, keys: tuple[Key, Key], slot: int
) -> None:
    account = client.register(keys[0], "Aino").account
    steps = [Step(slot + offset, 90_000, 100 + offset, 0, True) for offset in (2, 0, 1)]
    assert client.bid_profile(keys[0], account, 0, steps).state == "received"
    place.relay(0)
    order = client.order(account, 0)
    assert [(record.slot, record.quantity) for record in order.records] == [
        (slot, 100),
        (slot + 1, 101),
        (slot + 2, 102),
    ]
    place.clear(Market(1, 0, slot, 0))
    assert client.order(account, 0).state == "accepted"


def test_an_order_sent_again_is_one_order(
    client: MarketClient, place: Any, keys: tuple[Key, Key], slot: int
) -> None:
    account = client.register(keys[0], "Aino").account
    first = client.bid(keys[0], account, slot, 0, True, 90_000, 800, nonce=5)
    place.now += 60
    assert client.bid(keys[0], account, slot, 0, True, 90_000, 800, nonce=5) == first
    assert len(client.orders(account)) == 1
    with pytest.raises(RefusedByServerError, match="nonce is 5") as refused:
        client.bid(keys[0], account, slot, 0, True, 80_000, 800, nonce=5)
    assert (refused.value.status, refused.value.field) == (409, "nonce")
    assert client.account(account).nonce.next == 6


def test_a_bill_leads_to_its_root(client: MarketClient, place: Any, keys: tuple[Key, Key], slot: int) -> None:
    buyer, seller = trade(client, place, keys, slot)
    market = Market(1, 0, slot, 0)
    cleared = place.clear(market)
    place.now = (slot + 1) * 3600
    assert client.send_reading(keys[1], seller, slot, 0, 500)
    assert not client.send_reading(keys[1], seller, slot, 0, 500)
    assert client.send_reading(keys[0], buyer, slot, 700, 0)
    place.bill_day(market, cleared, [buyer, seller])
    price = cleared[1].price
    bill = client.bill(buyer, DAY)
    assert (bill.sums.trade_wh, bill.sums.trade_money) == (500, 500 * price)
    assert bill.sums.imbalance == 200 * 230_000
    assert bill.sums.grid_fee == 500 * 20_000
    assert bill.due_nano == 500 * price + 200 * 230_000 + 500 * 20_000 - 800 * (90_000 + 20_000)
    assert len(bill.lines) == 24
    assert client.bill(seller, DAY).root == bill.root


def test_tariffs_are_null_until_they_are_reported(client: MarketClient, place: Any) -> None:
    assert client.tariffs(DAY).retail is None
    place.report_tariffs()
    tariffs = client.tariffs(DAY)
    assert tariffs.retail is not None
    assert tariffs.imbalance is not None
    assert (tariffs.retail[0].import_price, tariffs.retail[0].feed_in, tariffs.imbalance[23].short) == (
        200_000, 50_000, 230_000,
    )  # fmt: skip


def test_a_nomination_gets_the_next_number_and_shows_once_accepted(
    client: MarketClient, keys: tuple[Key, Key], slot: int
) -> None:
    account = client.register(keys[0], "Aino").account
    assert client.nominate(keys[0], account, slot, [500, -200]).seq == 1
    again = client.nominate(keys[0], account, slot, [400, -200])
    assert (again.seq, again.wh, again.state) == (2, (400, -200), "received")


def test_transactions_are_signed_here_and_sent_as_they_are(
    client: MarketClient, place: Any, keys: tuple[Key, Key]
) -> None:
    account = client.register(keys[0], "Aino", device=keys[1].address).account
    client.request_withdrawal(keys[0], account, 10**9)
    assert len(place.sent) == 2
    for raw in place.sent:
        assert keys[0].secret not in raw
    with pytest.raises(TransactionFailedError, match="NothingToWithdraw"):
        client.withdraw(keys[0], account)


def forged(http: TestClient, change: Callable[[Any], None]) -> MarketClient:
    """A client to whom somebody on the way gives changed answers."""

    def handle(request: httpx.Request) -> httpx.Response:
        answer = http.request(request.method, request.url.path, params=dict(request.url.params))
        body = answer.json()
        if "/orders/" in request.url.path or "/bills/" in request.url.path:
            change(body)
        return httpx.Response(answer.status_code, json=body)

    return MarketClient("http://market", httpx.Client(transport=httpx.MockTransport(handle)))


def set_at(*path: Any) -> Callable[[Any], None]:
    *way, last, value = path

    def change(body: Any) -> None:
        for step in way:
            body = body[step]
        body[last] = value(body[last]) if callable(value) else value

    return change


def more(number: int) -> int:
    return number + 1


@pytest.mark.parametrize(
    "change",
    [
        set_at("records", 0, "fill_wh", 499),
        set_at("records", 0, "fill_wh", None),
        set_at("records", 0, "price", more),
        set_at("records", 0, "quantity", more),
        set_at("records", 0, "index", more),
        set_at("records", 0, "buy", lambda buy: not buy),
        set_at("records", 0, "source", more),
        set_at("records", 0, "result", "price", 50_000),
        set_at("records", 0, "result", "root", "0x" + "00" * 32),
        set_at("records", 0, "inclusion", None),
        set_at("records", 0, "inclusion", "prefix", 1),
        set_at("records", 0, "inclusion", "siblings", []),
    ],
)
def test_a_forged_fill_is_not_believed(
    client: MarketClient,
    http: TestClient,
    place: Any,
    keys: tuple[Key, Key],
    slot: int,
    change: Callable[[Any], None],
) -> None:
    buyer, _ = trade(client, place, keys, slot)
    place.clear(Market(1, 0, slot, 0))
    assert forged(http, lambda _body: None).order(buyer, 0).state == "filled"
    with pytest.raises(WrongProofError, match=f"order 0 of account {buyer}"):
        forged(http, change).order(buyer, 0)


@pytest.mark.parametrize(
    "change",
    [
        set_at("lines", 18, "trade_money", more),
        set_at("lines", 18, "references", []),
        set_at("lines", lambda lines: lines[1:]),
        set_at("sums", "retail", more),
        set_at("due_nano", more),
        set_at("count", more),
        set_at("siblings", []),
        set_at("siblings", 0, "sums", "grid_fee", more),
        set_at("root", "sums", "debit", more),
        set_at("account", more),
        set_at("day", more),
        set_at("lines", []),
        set_at("lines", 0, "slot", 5),
        set_at("lines", 0, "trade_wh", 2**70),
    ],
)
def test_a_forged_bill_is_not_believed(
    client: MarketClient,
    http: TestClient,
    place: Any,
    keys: tuple[Key, Key],
    slot: int,
    change: Callable[[Any], None],
) -> None:
    buyer, seller = trade(client, place, keys, slot)
    market = Market(1, 0, slot, 0)
    place.bill_day(market, place.clear(market), [buyer, seller])
    assert forged(http, lambda _body: None).bill(buyer, DAY).account == buyer
    with pytest.raises(WrongProofError, match=f"bill of account {buyer} for day {DAY}"):
        forged(http, change).bill(buyer, DAY)


def test_what_is_no_market_is_named() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    for handle in (
        refuse,
        lambda _request: httpx.Response(200, text="<html>"),
        lambda _request: httpx.Response(502),
    ):
        client = MarketClient("http://nowhere:1", httpx.Client(transport=httpx.MockTransport(handle)))
        with pytest.raises(UnreachableError, match="http://nowhere:1"):
            client.community()
