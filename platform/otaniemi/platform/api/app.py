"""The routes. Each one converts, asks the `MarketPlace`, and converts back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, FastAPI, Path

from otaniemi.contracts.rules.calendar import day_at, slots_of_day
from otaniemi.contracts.rules.signing import address_bytes, checksum
from otaniemi.platform.api import problems
from otaniemi.platform.api.auctions.routes import auction_routes
from otaniemi.platform.api.bill_views import BillView
from otaniemi.platform.api.contracts.routes import contract_routes
from otaniemi.platform.api.form import from_hex
from otaniemi.platform.api.forms import (
    NominationForm,
    OrderForm,
    ProfileForm,
    ReadingForm,
    RegistrationForm,
    TransactionForm,
)
from otaniemi.platform.api.limits.routes import limit_routes
from otaniemi.platform.api.packages.routes import package_routes
from otaniemi.platform.api.parameters import (
    AccountNumber,
    AddressText,
    Count,
    Day,
    Number,
    Product,
    router_for,
)
from otaniemi.platform.api.series.routes import series_routes
from otaniemi.platform.api.services import MarketPlace
from otaniemi.platform.api.views import (
    AccountView,
    CommunityView,
    MarketView,
    NominationView,
    OrderView,
    OwnerView,
    PositionView,
    TakenView,
    TariffsView,
    TransactionView,
)

Signed = Annotated[OrderForm | ProfileForm, Body(discriminator="kind")]

DESCRIPTION = """
A local energy market. Orders, nominations, readings and withdrawals are signed where they come from: no key ever
reaches this service, and nothing that it says has to be believed, for every order and every bill comes with the
proof that leads to a root on the chain.

Energy is integer Wh, a price integer micro-token per kWh, money integer nano-token; one token is one euro.
"""


def create_app(place: MarketPlace) -> FastAPI:
    """The API over a running market."""
    app = FastAPI(
        title="Otaniemi",
        version="1",
        description=DESCRIPTION,
        openapi_url="/v1/openapi.json",
        docs_url="/v1/docs",
        redoc_url=None,
    )
    problems.install(app)
    app.include_router(_market_routes(place))
    app.include_router(_order_routes(place))
    app.include_router(_account_routes(place))
    app.include_router(_chain_routes(place))
    app.include_router(limit_routes(place.limits))
    app.include_router(package_routes(place.packages))
    app.include_router(auction_routes(place.auctions))
    app.include_router(contract_routes(place.contracts, place.deployment.rules, lambda: place.present().now))
    app.include_router(series_routes(place.series))
    return app


def _market_routes(place: MarketPlace) -> APIRouter:
    router = router_for("market")
    rules = place.deployment.rules

    @router.get("/community")
    def community() -> CommunityView:
        """Rules, contract addresses and the present."""
        return CommunityView.of(
            place.present(), place.devnet, place.relayer, place.limits.engine, place.deployment.to_json()
        )

    @router.get("/markets")
    def markets(day: Day = None, product: Product = 0) -> list[MarketView]:
        """The markets of a trading day with their gates, and the results of those that are cleared."""
        now = place.present().now
        slots = slots_of_day(rules, day_at(rules, now) if day is None else day)
        found = place.markets(product, slots.start, slots.stop)
        return [MarketView.of(market, rules, now) for market in found]

    @router.get("/tariffs")
    def tariffs(day: Day = None) -> TariffsView:
        """Retail and imbalance prices of a trading day."""
        asked = day_at(rules, place.present().now) if day is None else day
        return TariffsView.of(rules, asked, *place.tariffs(asked))

    return router


def _order_routes(place: MarketPlace) -> APIRouter:
    router = router_for("orders")

    @router.post("/orders", status_code=202)
    def submit_order(signed: Signed) -> OrderView:
        """Send a signed order or profile, to be relayed before the gate; sent twice it is one order."""
        return OrderView.of(place.submit_order(signed.order(), from_hex(signed.signature)))

    @router.get("/accounts/{account}/orders")
    def orders(account: AccountNumber, limit: Count = 100) -> list[OrderView]:
        """The latest orders of an account, newest first."""
        return [OrderView.of(state) for state in place.orders(account, limit)]

    @router.get("/accounts/{account}/orders/{nonce}")
    def order(account: AccountNumber, nonce: Number) -> OrderView:
        """One order with its fills and the proof of each."""
        return OrderView.of(place.order(account, nonce))

    @router.post("/nominations", status_code=202)
    def nominate(signed: NominationForm) -> NominationView:
        """Send a signed schedule, to be relayed before its gate."""
        return NominationView.of(place.nominate(signed.nomination(), from_hex(signed.signature)))

    return router


def _account_routes(place: MarketPlace) -> APIRouter:
    router = router_for("accounts")
    rules = place.deployment.rules

    @router.post("/register", status_code=201)
    def register(registration: RegistrationForm) -> AccountView:
        """On a devnet: an account with an approved meter and test tokens."""
        owner = checksum(address_bytes(registration.owner))
        return AccountView.of(place.register(owner, registration.name))

    @router.get("/accounts/{account}")
    def account(account: AccountNumber) -> AccountView:
        """Free money, keys, meter, and the numbers that the next messages may carry."""
        return AccountView.of(place.account(account))

    @router.get("/accounts/{account}/positions")
    def positions(account: AccountNumber, day: Day = None, product: Product = 0) -> list[PositionView]:
        """What the account has traded and nominated, slot by slot."""
        asked = day_at(rules, place.present().now) if day is None else day
        return [PositionView.of(position, rules) for position in place.positions(account, product, asked)]

    @router.get("/accounts/{account}/bills/{day}")
    def bill(account: AccountNumber, day: Annotated[int, Path(ge=0, le=49_710)]) -> BillView:
        """The bill of a trading day and the proof that it is part of what stands on the chain."""
        return BillView.of(place.bill(account, day))

    @router.post("/meters/{account}/readings", status_code=202)
    def take_reading(account: AccountNumber, signed: ReadingForm) -> TakenView:
        """Send a reading that the account's device key signed."""
        new = place.take_reading(
            account, signed.product, signed.slot, signed.reading(), from_hex(signed.signature)
        )
        return TakenView(new=new)

    return router


def _chain_routes(place: MarketPlace) -> APIRouter:
    router = router_for("chain")

    @router.get("/owners/{address}")
    def owner(address: AddressText) -> OwnerView:
        """The accounts of an address, and the nonce of its next transaction."""
        owner = checksum(address_bytes(address))
        return OwnerView(
            accounts=tuple(place.accounts_of(owner)), transaction_nonce=place.transactions_of(owner)
        )

    @router.post("/transactions")
    def send_transaction(signed: TransactionForm) -> TransactionView:
        """Put a transaction on the chain that its sender signed: a withdrawal, a new device key, a direct order."""
        return TransactionView.of(place.send_transaction(from_hex(signed.raw)))

    return router
