"""What the API refuses, and how it says so."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from otaniemi.contracts.chain.sender import Key
from otaniemi.contracts.rules.orders import Order, Step
from otaniemi.contracts.rules.signing import order_digest, sign
from otaniemi.platform.api.forms import OrderForm
from otaniemi.platform.client import MarketClient, RefusedByServerError


def refused(response: Any, status: int, field: str | None = None) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert (response.status_code, problem["status"]) == (status, status)
    assert problem.get("field") == field
    return problem


@pytest.fixture
def account(client: MarketClient, keys: tuple[Key, Key]) -> int:
    return client.register(keys[0], "Aino").account


@pytest.mark.parametrize(
    ("change", "field", "valid"),
    [
        ({"price": 4_000_001}, "price", "-4000000 .. 4000000"),
        ({"quantity": 20_001}, "quantity", "1 .. 20000 Wh"),
        ({"quantity": 0}, "quantity", "1 .. 20000 Wh"),
        ({"session": 7}, "session", "0 .. 1"),
        ({"session": 0, "slot": 0}, "slot", "a slot whose gate is after"),
        ({"session": 1, "slot": 500_000}, "slot", "8 days ahead"),
        ({"source": 9}, "source", "0 .. 4 or 64 .. 127"),
        ({"source": 64, "buy": False}, "source", "0 .. 4"),
        ({"product": 1}, "product", "0"),
        ({"valid_to": 1}, "valid_to", "or later"),
    ],
)
def test_an_order_that_would_be_skipped_is_refused_by_field(
    client: MarketClient,
    keys: tuple[Key, Key],
    account: int,
    slot: int,
    change: dict[str, Any],
    field: str,
    valid: str,
) -> None:
    order = {
        "slot": slot,
        "session": 0,
        "buy": True,
        "price": 90_000,
        "quantity": 800,
        "valid_to": 2**40,
    } | change
    with pytest.raises(RefusedByServerError, match=f"{field} is ") as refusal:
        client.bid(keys[0], account, **order)
    assert (refusal.value.status, refusal.value.field) == (422, field)
    assert valid in (refusal.value.valid or "")
    assert client.orders(account) == []


def test_more_than_the_free_money_cannot_be_locked(
    client: MarketClient, keys: tuple[Key, Key], account: int, slot: int
) -> None:
    steps = [Step(slot, 4_000_000, 20_000, 0, True) for _ in range(2)]
    with pytest.raises(RefusedByServerError, match="at most 100000000000, what is free"):
        client.bid_profile(keys[0], account, 0, steps)


def test_a_profile_names_the_step_that_is_wrong(
    client: MarketClient, keys: tuple[Key, Key], account: int, slot: int
) -> None:
    steps = [Step(slot, 1, 1, 0, True), Step(slot, 9_000_000, 1, 0, True)]
    with pytest.raises(RefusedByServerError) as refusal:
        client.bid_profile(keys[0], account, 0, steps)
    assert refusal.value.field == "steps[1].price"
    with pytest.raises(RefusedByServerError, match="all in one trading day"):
        client.bid_profile(keys[0], account, 0, [Step(slot, 1, 1, 0, True), Step(slot + 24, 1, 1, 0, True)])


def test_a_used_nonce_is_refused_with_a_free_one(
    client: MarketClient, place: Any, keys: tuple[Key, Key], account: int, slot: int
) -> None:
    client.bid(keys[0], account, slot, 0, True, 90_000, 800, nonce=300)
    place.relay(0)
    with pytest.raises(RefusedByServerError, match="nonce is 5; valid is an unused one, such as 301"):
        client.bid(keys[0], account, slot, 0, True, 90_000, 800, nonce=5)


def test_a_strangers_signature_is_refused_for_orders_nominations_and_readings(
    client: MarketClient, keys: tuple[Key, Key], account: int, slot: int
) -> None:
    stranger = keys[1]
    attempts = [
        lambda: client.bid(stranger, account, slot, 0, True, 90_000, 800),
        lambda: client.bid_profile(stranger, account, 0, [Step(slot, 1, 1, 0, True)]),
        lambda: client.nominate(stranger, account, slot, [1]),
        lambda: client.send_reading(stranger, account, slot, 1, 0),
    ]
    for attempt in attempts:
        with pytest.raises(RefusedByServerError, match=f"that of {stranger.address}") as refusal:
            attempt()
        assert refusal.value.field == "signature"


def test_a_signature_with_a_high_s_is_refused(
    http: TestClient, place: Any, keys: tuple[Key, Key], account: int, slot: int
) -> None:
    order = Order(account, 1, 0, slot, 0, 90_000, 800, 0, True, 0, 2**40)
    form = OrderForm.of(order, sign(keys[0].secret, order_digest(place.domain("CallAuction"), order)))
    malleable = form.model_dump() | {"signature": form.signature[:66] + "7" + "f" * 63}
    assert "high s" in refused(http.post("/v1/orders", json=malleable), 422, "signature")["detail"]
    assert http.post("/v1/orders", json=form.model_dump()).status_code == 202


def test_a_nomination_is_refused_by_field(
    client: MarketClient, keys: tuple[Key, Key], account: int, slot: int
) -> None:
    attempts = {"wh[1]": (slot, [0, 20_001]), "wh": (slot, [0] * 7), "slot": (slot - 48, [0])}
    for field, (first, wh) in attempts.items():
        with pytest.raises(RefusedByServerError) as refusal:
            client.nominate(keys[0], account, first, wh)
        assert refusal.value.field == field
    with pytest.raises(RefusedByServerError, match="8 days ahead"):
        client.nominate(keys[0], account, slot + 24 * 9, [0])


def test_a_reading_is_refused_when_it_contradicts_or_comes_early_or_late(
    client: MarketClient, place: Any, keys: tuple[Key, Key], account: int, slot: int
) -> None:
    with pytest.raises(RefusedByServerError, match="a slot that is over") as refusal:
        client.send_reading(keys[0], account, slot, 1, 0)
    assert (refusal.value.status, refusal.value.field, refusal.value.value) == (422, "slot", str(slot))
    assert refusal.value.valid == f"a slot that is over, up to {place.now // 3600 - 1}"
    place.now = (slot + 1) * 3600
    client.send_reading(keys[0], account, slot, 1, 0)
    with pytest.raises(RefusedByServerError, match="already reported") as refusal:
        client.send_reading(keys[0], account, slot, 2, 0)
    assert refusal.value.status == 409
    place.now += 7_200
    with pytest.raises(RefusedByServerError, match="came after"):
        client.send_reading(keys[0], account, slot - 1, 2, 0)


def test_an_account_may_have_any_number_of_orders_in_a_slot(
    client: MarketClient, place: Any, keys: tuple[Key, Key], account: int, slot: int
) -> None:
    step = Step(slot, 10_000, 10, 0, True)
    client.bid_profile(keys[0], account, 0, [step] * 40)
    place.relay(0)
    client.bid_profile(keys[0], account, 0, [step] * 40)


@pytest.mark.parametrize(
    "path", ["/v1/accounts/99", "/v1/accounts/99/orders/0", "/v1/accounts/99/bills/19576"]
)
def test_what_does_not_exist_is_not_found(http: TestClient, path: str) -> None:
    assert "there is no" in refused(http.get(path), 404)["detail"]


@pytest.mark.parametrize("path", ["/v1/nothing", "/"])
def test_an_unknown_path_is_a_problem_too(http: TestClient, path: str) -> None:
    refused(http.get(path), 404)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"quantity": "800"}, "order.quantity"),
        ({"quantity": True}, "order.quantity"),
        ({"quantity": 1.5}, "order.quantity"),
        ({"quantity": -1}, "order.quantity"),
        ({"buy": 1}, "order.buy"),
        ({"signature": "0x00"}, "order.signature"),
        ({"sginature": "0x00"}, "order.sginature"),
        ({"nonce": 2**32}, "order.nonce"),
        ({"kind": "wish"}, "body"),
    ],
)
def test_a_malformed_order_is_refused_by_field(http: TestClient, change: dict[str, Any], field: str) -> None:
    order = OrderForm.of(Order(7, 1, 0, 469_000, 0, 1, 1, 0, True, 0, 0), b"\x01" * 64).model_dump()
    refused(http.post("/v1/orders", json=order | change), 422, field)


def test_a_body_that_is_no_json_is_refused(http: TestClient) -> None:
    response = http.post("/v1/orders", content=b"{", headers={"content-type": "application/json"})
    assert response.status_code == 422


def test_only_a_devnet_gives_accounts_away(http: TestClient, place: Any, keys: tuple[Key, Key]) -> None:
    place.devnet = False
    response = http.post("/v1/register", json={"owner": keys[0].address, "name": "Aino"})
    refused(response, 403)


def test_an_address_is_known_however_it_is_spelled(
    client: MarketClient, http: TestClient, keys: tuple[Key, Key], account: int
) -> None:
    response = http.get(f"/v1/owners/{keys[0].address.lower()}")
    assert response.json() == {"accounts": [account], "transaction_nonce": 0}
    assert client.accounts_of(keys[0].address) == (account,)


def test_a_fault_of_ours_says_nothing_about_our_insides(http: TestClient, place: Any) -> None:
    del place.feed
    place.store.close()
    place.store = None
    problem = refused(http.get("/v1/markets"), 500)
    assert "NoneType" not in str(problem)


def test_markets_tell_what_can_still_be_sent(client: MarketClient, place: Any, slot: int) -> None:
    def states() -> list[str]:
        return [market.state for market in client.markets(19_576) if market.slot == slot]

    assert states() == ["open", "open"]
    place.now += 3_600
    assert states() == ["direct", "open"]
    place.now += 600
    assert states() == ["closed", "open"]


def test_the_description_names_every_answer_and_every_problem(http: TestClient) -> None:
    description = http.get("/v1/openapi.json").json()
    paths = description["paths"]
    assert {path.split("/")[1] for path in paths} == {"v1"}
    for path, methods in paths.items():
        for method, operation in methods.items():
            assert operation["description"], (method, path)
            assert "4XX" in operation["responses"], (method, path)
            success = [code for code in operation["responses"] if code.startswith("2")]
            schema = operation["responses"][success[0]]["content"]["application/json"]["schema"]
            assert schema, (method, path)
